/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Table of alerts and names of errors.
 */
#include "alert.h"

struct alert_row {
	uint8_t code;
	const char *name;
	enum engine_err err;
};

/* clang-format off */
static const struct alert_row alerts[] = {
	{ ALERT_CLOSE_NOTIFY,			"close_notify",			ENGINE_ERR_PROTOCOL },
	{ ALERT_UNEXPECTED_MESSAGE,		"unexpected_message",		ENGINE_ERR_PROTOCOL },
	{ ALERT_BAD_RECORD_MAC,			"bad_record_mac",		ENGINE_ERR_BAD_RECORD },
	{ ALERT_DECRYPTION_FAILED,		"decryption_failed",		ENGINE_ERR_BAD_RECORD },
	{ ALERT_RECORD_OVERFLOW,		"record_overflow",		ENGINE_ERR_PROTOCOL },
	{ ALERT_DECOMPRESSION_FAILURE,		"decompression_failure",	ENGINE_ERR_PROTOCOL },
	{ ALERT_HANDSHAKE_FAILURE,		"handshake_failure",		ENGINE_ERR_NEGOTIATION },
	{ ALERT_NO_CERTIFICATE,			"no_certificate",		ENGINE_ERR_VERIFY },
	{ ALERT_BAD_CERTIFICATE,		"bad_certificate",		ENGINE_ERR_VERIFY },
	{ ALERT_UNSUPPORTED_CERTIFICATE,	"unsupported_certificate",	ENGINE_ERR_VERIFY },
	{ ALERT_CERTIFICATE_REVOKED,		"certificate_revoked",		ENGINE_ERR_VERIFY },
	{ ALERT_CERTIFICATE_EXPIRED,		"certificate_expired",		ENGINE_ERR_VERIFY },
	{ ALERT_CERTIFICATE_UNKNOWN,		"certificate_unknown",		ENGINE_ERR_VERIFY },
	{ ALERT_ILLEGAL_PARAMETER,		"illegal_parameter",		ENGINE_ERR_PROTOCOL },
	{ ALERT_UNKNOWN_CA,			"unknown_ca",			ENGINE_ERR_VERIFY },
	{ ALERT_ACCESS_DENIED,			"access_denied",		ENGINE_ERR_VERIFY },
	{ ALERT_DECODE_ERROR,			"decode_error",			ENGINE_ERR_PROTOCOL },
	{ ALERT_DECRYPT_ERROR,			"decrypt_error",		ENGINE_ERR_VERIFY },
	{ ALERT_EXPORT_RESTRICTION,		"export_restriction",		ENGINE_ERR_PROTOCOL },
	{ ALERT_PROTOCOL_VERSION,		"protocol_version",		ENGINE_ERR_NEGOTIATION },
	{ ALERT_INSUFFICIENT_SECURITY,		"insufficient_security",	ENGINE_ERR_NEGOTIATION },
	{ ALERT_INTERNAL_ERROR,			"internal_error",		ENGINE_ERR_INTERNAL },
	{ ALERT_INAPPROPRIATE_FALLBACK,		"inappropriate_fallback",	ENGINE_ERR_NEGOTIATION },
	{ ALERT_USER_CANCELED,			"user_canceled",		ENGINE_ERR_PROTOCOL },
	{ ALERT_NO_RENEGOTIATION,		"no_renegotiation",		ENGINE_ERR_PROTOCOL },
	{ ALERT_MISSING_EXTENSION,		"missing_extension",		ENGINE_ERR_PROTOCOL },
	{ ALERT_UNSUPPORTED_EXTENSION,		"unsupported_extension",	ENGINE_ERR_PROTOCOL },
	{ ALERT_CERTIFICATE_UNOBTAINABLE,	"certificate_unobtainable",	ENGINE_ERR_VERIFY },
	{ ALERT_UNRECOGNIZED_NAME,		"unrecognized_name",		ENGINE_ERR_NEGOTIATION },
	{ ALERT_BAD_CERTIFICATE_STATUS_RESPONSE, "bad_certificate_status_response", ENGINE_ERR_VERIFY },
	{ ALERT_BAD_CERTIFICATE_HASH_VALUE,	"bad_certificate_hash_value",	ENGINE_ERR_VERIFY },
	{ ALERT_UNKNOWN_PSK_IDENTITY,		"unknown_psk_identity",		ENGINE_ERR_NEGOTIATION },
	{ ALERT_CERTIFICATE_REQUIRED,		"certificate_required",		ENGINE_ERR_VERIFY },
	{ ALERT_NO_APPLICATION_PROTOCOL,	"no_application_protocol",	ENGINE_ERR_NEGOTIATION },
};
/* clang-format on */

static const struct alert_row *alert_find(uint8_t alert)
{
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (alerts[i].code == alert) {
			return &alerts[i];
		}
	}
	return NULL;
}

const char *engine_alert_name(uint8_t alert)
{
	const struct alert_row *row = alert_find(alert);

	return row != NULL ? row->name : "unknown alert";
}

enum engine_err alert_to_err(uint8_t alert)
{
	const struct alert_row *row = alert_find(alert);

	return row != NULL ? row->err : ENGINE_ERR_PROTOCOL;
}

const char *engine_err_name(enum engine_err err)
{
	switch (err) {
	case ENGINE_OK:
		return "ok";
	case ENGINE_ERR_PROTOCOL:
		return "protocol error";
	case ENGINE_ERR_NOT_TLS:
		return "not TLS";
	case ENGINE_ERR_NEGOTIATION:
		return "nothing in common";
	case ENGINE_ERR_VERIFY:
		return "certificate refused";
	case ENGINE_ERR_PEER_ALERT:
		return "alert from the peer";
	case ENGINE_ERR_BAD_RECORD:
		return "damaged or forged record";
	case ENGINE_ERR_CONFIG:
		return "unusable configuration";
	case ENGINE_ERR_NO_MEMORY:
		return "out of memory";
	case ENGINE_ERR_INTERNAL:
		return "internal error";
	}
	return "unknown error";
}
