/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of alerts, of errors and of what can be wrong with a record.
 */
#include "alert.h"

struct alert_row {
	uint8_t code;
	enum engine_err err;
	const char *name;
	const char *from_peer;
};

#define ROW(code, name, err)                                                                                 \
	{                                                                                                    \
		code, err, name, "the peer ended the connection with the alert " name                        \
	}

/* clang-format off */
static const struct alert_row alerts[] = {
	ROW(ALERT_CLOSE_NOTIFY, "close_notify", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_UNEXPECTED_MESSAGE, "unexpected_message", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_BAD_RECORD_MAC, "bad_record_mac", ENGINE_ERR_BAD_RECORD),
	ROW(ALERT_DECRYPTION_FAILED, "decryption_failed", ENGINE_ERR_BAD_RECORD),
	ROW(ALERT_RECORD_OVERFLOW, "record_overflow", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_DECOMPRESSION_FAILURE, "decompression_failure", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_HANDSHAKE_FAILURE, "handshake_failure", ENGINE_ERR_NEGOTIATION),
	ROW(ALERT_NO_CERTIFICATE, "no_certificate", ENGINE_ERR_VERIFY),
	ROW(ALERT_BAD_CERTIFICATE, "bad_certificate", ENGINE_ERR_VERIFY),
	ROW(ALERT_UNSUPPORTED_CERTIFICATE, "unsupported_certificate", ENGINE_ERR_VERIFY),
	ROW(ALERT_CERTIFICATE_REVOKED, "certificate_revoked", ENGINE_ERR_VERIFY),
	ROW(ALERT_CERTIFICATE_EXPIRED, "certificate_expired", ENGINE_ERR_VERIFY),
	ROW(ALERT_CERTIFICATE_UNKNOWN, "certificate_unknown", ENGINE_ERR_VERIFY),
	ROW(ALERT_ILLEGAL_PARAMETER, "illegal_parameter", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_UNKNOWN_CA, "unknown_ca", ENGINE_ERR_VERIFY),
	ROW(ALERT_ACCESS_DENIED, "access_denied", ENGINE_ERR_VERIFY),
	ROW(ALERT_DECODE_ERROR, "decode_error", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_DECRYPT_ERROR, "decrypt_error", ENGINE_ERR_VERIFY),
	ROW(ALERT_EXPORT_RESTRICTION, "export_restriction", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_PROTOCOL_VERSION, "protocol_version", ENGINE_ERR_NEGOTIATION),
	ROW(ALERT_INSUFFICIENT_SECURITY, "insufficient_security", ENGINE_ERR_NEGOTIATION),
	ROW(ALERT_INTERNAL_ERROR, "internal_error", ENGINE_ERR_INTERNAL),
	ROW(ALERT_INAPPROPRIATE_FALLBACK, "inappropriate_fallback", ENGINE_ERR_NEGOTIATION),
	ROW(ALERT_USER_CANCELED, "user_canceled", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_NO_RENEGOTIATION, "no_renegotiation", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_MISSING_EXTENSION, "missing_extension", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_UNSUPPORTED_EXTENSION, "unsupported_extension", ENGINE_ERR_PROTOCOL),
	ROW(ALERT_CERTIFICATE_UNOBTAINABLE, "certificate_unobtainable", ENGINE_ERR_VERIFY),
	ROW(ALERT_UNRECOGNIZED_NAME, "unrecognized_name", ENGINE_ERR_NEGOTIATION),
	ROW(ALERT_BAD_CERTIFICATE_STATUS_RESPONSE, "bad_certificate_status_response", ENGINE_ERR_VERIFY),
	ROW(ALERT_BAD_CERTIFICATE_HASH_VALUE, "bad_certificate_hash_value", ENGINE_ERR_VERIFY),
	ROW(ALERT_UNKNOWN_PSK_IDENTITY, "unknown_psk_identity", ENGINE_ERR_NEGOTIATION),
	ROW(ALERT_CERTIFICATE_REQUIRED, "certificate_required", ENGINE_ERR_VERIFY),
	ROW(ALERT_NO_APPLICATION_PROTOCOL, "no_application_protocol", ENGINE_ERR_NEGOTIATION),
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

const char *alert_from_peer_text(uint8_t alert)
{
	const struct alert_row *row = alert_find(alert);

	return row != NULL ? row->from_peer : "the peer ended the connection with an alert of unknown kind";
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

struct reason_row {
	uint8_t alert;
	const char *text;
};

/* clang-format off */
static const struct reason_row reasons[REASON_COUNT] = {
	[REASON_NONE] = { 0, "no error" },
	/* the alert itself is named by engine_conn_reason() */
	[REASON_PEER_ALERT] = { 0, "the peer sent a fatal alert" },
	[REASON_INTERNAL] = { ALERT_INTERNAL_ERROR, "an internal error: a primitive failed" },
	/* RFC 8446 5.1 */
	[REASON_RECORD_TYPE] = { ALERT_UNEXPECTED_MESSAGE, "a record of a type that does not belong here" },
	[REASON_RECORD_VERSION] = { ALERT_PROTOCOL_VERSION, "a record with a version that was not negotiated" },
	[REASON_RECORD_OVERFLOW] = { ALERT_RECORD_OVERFLOW, "a record longer than TLS allows" },
	/* RFC 8446 5.2 */
	[REASON_RECORD_MAC] = { ALERT_BAD_RECORD_MAC, "a record failed authentication: it was damaged or forged" },
	[REASON_RECORD_NUMBER] = { ALERT_INTERNAL_ERROR, "the key has been used for too many records" },
	/* RFC 8446 5.4 */
	[REASON_RECORD_PADDING_ONLY] = { ALERT_UNEXPECTED_MESSAGE, "a record that holds nothing but padding" },
	[REASON_RECORD_INNER_TYPE] = { ALERT_UNEXPECTED_MESSAGE,
		"a protected record whose content does not belong here" },
	[REASON_EMPTY_FRAGMENT] = { ALERT_UNEXPECTED_MESSAGE, "an empty handshake or alert record" },
	/* RFC 8446 6 */
	[REASON_ALERT_LENGTH] = { ALERT_DECODE_ERROR, "an alert that is not two bytes long" },
	/* RFC 5246 7.2 */
	[REASON_ALERT_LEVEL] = { ALERT_ILLEGAL_PARAMETER, "an alert that is neither warning nor fatal" },
	/* RFC 8446 5.1 */
	[REASON_INTERLEAVED] = { ALERT_UNEXPECTED_MESSAGE,
		"another record between the pieces of a handshake message" },
	[REASON_FLOOD] = { ALERT_UNEXPECTED_MESSAGE, "too many records in a row that carry no data" },
	/* RFC 8446 4.6 */
	[REASON_POST_HANDSHAKE_TYPE] = { ALERT_UNEXPECTED_MESSAGE,
		"a handshake message that does not belong behind the handshake" },
	[REASON_POST_HANDSHAKE_LENGTH] = { ALERT_DECODE_ERROR, "a malformed NewSessionTicket" },
	/* RFC 8446 4.2 */
	[REASON_TICKET_EXTENSION] = { ALERT_ILLEGAL_PARAMETER,
		"an extension in a NewSessionTicket that does not belong there, or is there twice" },
	/* RFC 5246 7.4.1.1, 7.4.1.2 */
	[REASON_HELLO_LENGTH] = { ALERT_DECODE_ERROR, "a HelloRequest or ClientHello of wrong length" },
	/* RFC 8446 4.6.3 */
	[REASON_KEY_UPDATE_LENGTH] = { ALERT_DECODE_ERROR, "a KeyUpdate of wrong length" },
	[REASON_KEY_UPDATE_VALUE] = { ALERT_ILLEGAL_PARAMETER, "a KeyUpdate that asks for something unknown" },
	[REASON_KEY_UPDATE_BOUNDARY] = { ALERT_UNEXPECTED_MESSAGE,
		"a KeyUpdate that does not end its record" },
	[REASON_RENEGOTIATION] = { ALERT_HANDSHAKE_FAILURE, "a renegotiation of the connection failed" },
	[REASON_WIPED] = { ALERT_INTERNAL_ERROR, "the keys of this connection have been wiped" },
};
/* clang-format on */

uint8_t reason_alert(enum reason reason)
{
	return reason < REASON_COUNT ? reasons[reason].alert : (uint8_t)ALERT_INTERNAL_ERROR;
}

const char *reason_text(enum reason reason)
{
	return reason < REASON_COUNT ? reasons[reason].text : "an unknown error";
}
