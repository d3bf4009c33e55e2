/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes throw-away certificates: a CA and a leaf signed by it, as RFC 5280 wants them.
 *
 * Implementation notes: DER is written from the inside out. An element's contents are written first; closing
 * it puts the header in front of them.
 */
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "secret.h"
#include "verify_name.h"
#include "wire.h"
#include "x509_pem.h"
#include "x509_time.h"

#define MAX_NAMES              16
#define MAX_COMMON_NAME        64 /* ub-common-name, RFC 5280 A.1 */
#define MAX_DAYS               36500
#define SERIAL_LEN             16
#define KEY_ID_LEN             20
#define POINT_LEN              65
#define CLOCK_SLACK            3600
#define SECONDS_PER_DAY        86400
#define FIRST_GENERALIZED_YEAR 2050

#define OID_ECDSA_SHA256      "\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define OID_EC_PUBLIC_KEY     "\x2a\x86\x48\xce\x3d\x02\x01"
#define OID_P256              "\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_COMMON_NAME       "\x55\x04\x03"
#define OID_SUBJECT_KEY_ID    "\x55\x1d\x0e"
#define OID_KEY_USAGE         "\x55\x1d\x0f"
#define OID_ALT_NAME          "\x55\x1d\x11"
#define OID_BASIC_CONSTRAINTS "\x55\x1d\x13"
#define OID_AUTHORITY_KEY_ID  "\x55\x1d\x23"
#define OID_EXT_KEY_USAGE     "\x55\x1d\x25"
#define OID_SERVER_AUTH       "\x2b\x06\x01\x05\x05\x07\x03\x01"
#define OID_CLIENT_AUTH       "\x2b\x06\x01\x05\x05\x07\x03\x02"

struct identity {
	char common_name[MAX_COMMON_NAME + 1];
	struct private_key *key;
	uint8_t point[POINT_LEN];
	uint8_t key_id[KEY_ID_LEN];
};

/* What goes into one certificate. */
struct request {
	const struct identity *subject, *issuer;
	const char *const *names; /* NULL: a CA */
	size_t n_names;
	int64_t not_before, not_after;
};

static bool make_identity(struct identity *who);
static bool make_certificate(const struct request *request, char pem[static 4096]);
static bool make_pair(struct engine_dev_cert *out, struct identity *ca, struct identity *leaf,
		      const char *const *names, size_t n_names, int days, char why[static ENGINE_REASON_MAX]);

bool engine_dev_cert_make(struct engine_dev_cert *out, const char *const *names, size_t n_names, int days,
			  char why[static ENGINE_REASON_MAX])
{
	struct identity ca = {0};
	struct identity leaf = {0};
	uint8_t address[16];
	memset(out, 0, sizeof(*out));
	if (n_names < 1 || n_names > MAX_NAMES) {
		(void)snprintf(why, ENGINE_REASON_MAX, "a certificate is for 1 to %d names", MAX_NAMES);
		return false;
	}
	if (days < 1 || days > MAX_DAYS) {
		(void)snprintf(why, ENGINE_REASON_MAX, "a certificate is valid for 1 to %d days", MAX_DAYS);
		return false;
	}
	for (size_t i = 0; i < n_names; i++) {
		if (address_parse(names[i], address) == 0 && !dns_name_is_valid(names[i])) {
			(void)snprintf(why, ENGINE_REASON_MAX,
				       "\"%.80s\" is neither a DNS name nor an address", names[i]);
			return false;
		}
	}
	bool ok = make_pair(out, &ca, &leaf, names, n_names, days, why);
	private_key_free(ca.key);
	private_key_free(leaf.key);
	if (!ok) {
		secret_wipe(out, sizeof(*out));
	}
	return ok;
}

static bool make_pair(struct engine_dev_cert *out, struct identity *ca, struct identity *leaf,
		      const char *const *names, size_t n_names, int days, char why[static ENGINE_REASON_MAX])
{
	uint8_t der[256];
	uint8_t id[4];
	int64_t now = engine_now();
	(void)snprintf(why, ENGINE_REASON_MAX, "keys cannot be made: no random numbers or no memory");
	if (!make_identity(ca) || !make_identity(leaf) || !engine_random(id, sizeof(id))) {
		return false;
	}
	/* each CA has a name of its own: two under one name would be taken for each other */
	(void)snprintf(ca->common_name, sizeof(ca->common_name), "tlshim throw-away CA %02x%02x%02x%02x",
		       id[0], id[1], id[2], id[3]);
	(void)snprintf(leaf->common_name, sizeof(leaf->common_name), "%s",
		       strlen(names[0]) <= MAX_COMMON_NAME ? names[0] : "tlshim");
	struct request request = {
		.subject = ca,
		.issuer = ca,
		.not_before = now - CLOCK_SLACK,
		.not_after = now + (int64_t)days * SECONDS_PER_DAY,
	};
	bool ok = make_certificate(&request, out->ca_pem);
	request.subject = leaf;
	request.names = names;
	request.n_names = n_names;
	if (!ok || !make_certificate(&request, out->cert_pem)) {
		(void)snprintf(why, ENGINE_REASON_MAX,
			       "the certificate cannot be made: the names are too long");
		return false;
	}
	size_t len = private_key_export(leaf->key, leaf->point, der, sizeof(der));
	ok = len > 0 && pem_encode("PRIVATE KEY", der, len, out->key_pem, sizeof(out->key_pem));
	secret_wipe(der, sizeof(der));
	return ok;
}

static bool make_identity(struct identity *who)
{
	uint8_t digest[64];
	who->key = private_key_generate(who->point);
	/* the leftmost 160 bits of a SHA-256, RFC 7093 2 */
	if (who->key == NULL || !signature_digest(SIGNATURE_SHA256, who->point, POINT_LEN, digest)) {
		return false;
	}
	memcpy(who->key_id, digest, KEY_ID_LEN);
	return true;
}

/* ---- DER ---- */

/* Everything written since mark becomes the contents of an element. */
static void close_element(struct wr *out, size_t mark, uint8_t tag)
{
	size_t len = out->len - mark;
	size_t header_len = len < 0x80 ? 2 : len < 0x100 ? 3 : 4;
	if (wr_room(out, header_len) == NULL || len > 0xffff) {
		out->failed = true;
		return;
	}
	uint8_t *start = out->data + mark;
	memmove(start + header_len, start, len);
	start[0] = tag;
	start[1] = header_len == 2 ? (uint8_t)len : (uint8_t)(0x80 + header_len - 2);
	for (size_t i = 2; i < header_len; i++) {
		start[i] = (uint8_t)(len >> (8 * (header_len - 1 - i)));
	}
}

static void write_element(struct wr *out, uint8_t tag, const void *contents, size_t len)
{
	size_t mark = out->len;
	wr_bytes(out, contents, len);
	close_element(out, mark, tag);
}

static void write_oid(struct wr *out, const char *oid)
{
	write_element(out, DER_OID, oid, strlen(oid));
}

static void write_bits(struct wr *out, uint8_t unused, const uint8_t *bytes, size_t len)
{
	size_t mark = out->len;
	wr_u8(out, unused);
	wr_bytes(out, bytes, len);
	close_element(out, mark, DER_BIT_STRING);
}

static void write_true(struct wr *out)
{
	write_element(out, DER_BOOLEAN, "\xff", 1);
}

static void write_time(struct wr *out, int64_t seconds)
{
	struct civil_time c = civil_from_seconds(seconds);
	char text[80];
	bool generalized = c.year >= FIRST_GENERALIZED_YEAR;
	(void)snprintf(text, sizeof(text), "%04d%02d%02d%02d%02d%02dZ", c.year, c.month, c.day, c.hour,
		       c.minute, c.second);
	const char *start = text + (generalized ? 0 : 2);
	write_element(out, generalized ? DER_GENERALIZED_TIME : DER_UTC_TIME, start, strlen(start));
}

static void write_name(struct wr *out, const char *common_name)
{
	size_t mark = out->len; /* of the attribute, the set and the name alike */
	write_oid(out, OID_COMMON_NAME);
	write_element(out, DER_UTF8_STRING, common_name, strlen(common_name));
	close_element(out, mark, DER_SEQUENCE);
	close_element(out, mark, DER_SET);
	close_element(out, mark, DER_SEQUENCE);
}

static void write_signature_algorithm(struct wr *out)
{
	size_t mark = out->len;
	write_oid(out, OID_ECDSA_SHA256);
	close_element(out, mark, DER_SEQUENCE);
}

/* An extension is begun with its OID, and ended with its value written: begin, value, end. */
struct extension {
	size_t mark, value;
};

static struct extension begin_extension(struct wr *out, const char *oid, bool critical)
{
	struct extension e = {.mark = out->len};
	write_oid(out, oid);
	if (critical) {
		write_true(out);
	}
	e.value = out->len;
	return e;
}

static void end_extension(struct wr *out, struct extension e)
{
	close_element(out, e.value, DER_OCTET_STRING);
	close_element(out, e.mark, DER_SEQUENCE);
}

/* ---- the certificate ---- */

static void write_ca_extensions(struct wr *out)
{
	struct extension e = begin_extension(out, OID_BASIC_CONSTRAINTS, true);
	size_t mark = out->len;
	write_true(out);
	write_element(out, DER_INTEGER, "\0", 1); /* path length 0 */
	close_element(out, mark, DER_SEQUENCE);
	end_extension(out, e);

	e = begin_extension(out, OID_KEY_USAGE, true);
	write_bits(out, 1, (const uint8_t *)"\x06", 1); /* keyCertSign, cRLSign */
	end_extension(out, e);
}

static void write_leaf_extensions(struct wr *out, const struct request *r)
{
	struct extension e = begin_extension(out, OID_BASIC_CONSTRAINTS, true);
	write_element(out, DER_SEQUENCE, "", 0);
	end_extension(out, e);

	e = begin_extension(out, OID_KEY_USAGE, true);
	write_bits(out, 7, (const uint8_t *)"\x80", 1); /* digitalSignature */
	end_extension(out, e);

	e = begin_extension(out, OID_EXT_KEY_USAGE, false);
	size_t mark = out->len;
	write_oid(out, OID_SERVER_AUTH);
	write_oid(out, OID_CLIENT_AUTH);
	close_element(out, mark, DER_SEQUENCE);
	end_extension(out, e);

	e = begin_extension(out, OID_ALT_NAME, false);
	mark = out->len;
	for (size_t i = 0; i < r->n_names; i++) {
		uint8_t address[16];
		size_t len = address_parse(r->names[i], address);
		if (len > 0) {
			write_element(out, GENERAL_NAME_IP, address, len);
		} else {
			write_element(out, GENERAL_NAME_DNS, r->names[i], strlen(r->names[i]));
		}
	}
	close_element(out, mark, DER_SEQUENCE);
	end_extension(out, e);
}

static void write_key_ids(struct wr *out, const struct request *r)
{
	struct extension e = begin_extension(out, OID_SUBJECT_KEY_ID, false);
	write_element(out, DER_OCTET_STRING, r->subject->key_id, KEY_ID_LEN);
	end_extension(out, e);

	e = begin_extension(out, OID_AUTHORITY_KEY_ID, false);
	size_t mark = out->len;
	write_element(out, DER_CONTEXT(0), r->issuer->key_id, KEY_ID_LEN);
	close_element(out, mark, DER_SEQUENCE);
	end_extension(out, e);
}

static void write_public_key(struct wr *out, const struct identity *who)
{
	size_t mark = out->len;
	write_oid(out, OID_EC_PUBLIC_KEY);
	write_oid(out, OID_P256);
	close_element(out, mark, DER_SEQUENCE);
	write_bits(out, 0, who->point, POINT_LEN);
	close_element(out, mark, DER_SEQUENCE);
}

static void write_tbs(struct wr *out, const struct request *r, const uint8_t serial[static SERIAL_LEN])
{
	size_t tbs = out->len;
	write_element(out, DER_INTEGER, "\x02", 1); /* version 3 */
	close_element(out, tbs, DER_CONTEXT_CONSTRUCTED(0));
	write_element(out, DER_INTEGER, serial, SERIAL_LEN);
	write_signature_algorithm(out);
	write_name(out, r->issuer->common_name);
	size_t validity = out->len;
	write_time(out, r->not_before);
	write_time(out, r->not_after);
	close_element(out, validity, DER_SEQUENCE);
	write_name(out, r->subject->common_name);
	write_public_key(out, r->subject);
	size_t extensions = out->len;
	if (r->names == NULL) {
		write_ca_extensions(out);
	} else {
		write_leaf_extensions(out, r);
	}
	write_key_ids(out, r);
	close_element(out, extensions, DER_SEQUENCE);
	close_element(out, extensions, DER_CONTEXT_CONSTRUCTED(3));
	close_element(out, tbs, DER_SEQUENCE);
}

static bool make_certificate(const struct request *request, char pem[static 4096])
{
	uint8_t serial[SERIAL_LEN];
	uint8_t signature[KEY_MAX_SIGNATURE];
	size_t signature_len;
	struct wr out;
	if (!engine_random(serial, sizeof(serial))) {
		return false;
	}
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, of full length */
	wr_init_heap(&out);
	write_tbs(&out, request, serial);
	bool ok = !out.failed && private_key_sign(request->issuer->key, 0x0403, out.data, out.len, signature,
						  sizeof(signature), &signature_len) == ENGINE_OK;
	if (ok) {
		write_signature_algorithm(&out);
		write_bits(&out, 0, signature, signature_len);
		close_element(&out, 0, DER_SEQUENCE);
		ok = !out.failed && pem_encode("CERTIFICATE", out.data, out.len, pem, 4096);
	}
	wr_free(&out);
	return ok;
}
