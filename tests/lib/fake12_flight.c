/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server of TLS 1.2 and older that does as it is told: its messages, and the course of a handshake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/fake12.h"

#define VERIFY_DATA_LEN 12

/* ---- messages ---- */

static void send_server_hello(struct fake12 *fake)
{
	const struct fake12_choice *choice = &fake->choice;
	const char *extensions = choice->extensions != NULL ? choice->extensions : FAKE12_EXTENSIONS;
	struct wr body;
	size_t mark;

	assert_true(engine_random(fake->server_random, 32));
	if (choice->sentinel != NULL) {
		(void)fake12_hex(fake->server_random + 24, 8, choice->sentinel);
	}
	wr_init_heap(&body);
	wr_u16(&body, fake->version);
	wr_bytes(&body, fake->server_random, 32);
	mark = wr_open8(&body);
	if (choice->session_id != NULL && strcmp(choice->session_id, "echo") == 0) {
		wr_bytes(&body, fake->session_id.p, fake->session_id.left);
	} else if (choice->session_id != NULL) {
		fake12_put_hex(&body, choice->session_id);
	}
	wr_close8(&body, mark);
	wr_u16(&body, choice->suite);
	wr_u8(&body, choice->compression);
	if (strcmp(extensions, "-") != 0) {
		mark = wr_open16(&body);
		fake12_put_hex(&body, extensions);
		wr_close16(&body, mark);
	}
	fake12_send(fake, HS_SERVER_HELLO, body.data, body.len);
	wr_free(&body);
}

static void send_certificate(struct fake12 *fake)
{
	struct wr body;
	size_t list;

	wr_init_heap(&body);
	list = wr_open24(&body);
	for (size_t i = 0; i < fake->credential->n_chain; i++) {
		const size_t cert = wr_open24(&body);

		wr_bytes(&body, fake->credential->chain[i].data, fake->credential->chain[i].len);
		wr_close24(&body, cert);
	}
	wr_close24(&body, list);
	fake12_send(fake, HS_CERTIFICATE, body.data, body.len);
	wr_free(&body);
}

static void send_status(struct fake12 *fake)
{
	struct wr body;
	size_t mark;

	wr_init_heap(&body);
	wr_u8(&body, 1);
	mark = wr_open24(&body);
	fake12_put_hex(&body, fake->choice.status);
	wr_close24(&body, mark);
	fake12_send(fake, HS_CERTIFICATE_STATUS, body.data, body.len);
	wr_free(&body);
}

static void write_number(struct wr *body, const char *hex, const uint8_t *bytes, size_t len)
{
	const size_t mark = wr_open16(body);

	if (hex != NULL) {
		fake12_put_hex(body, hex);
	} else {
		wr_bytes(body, bytes, len);
	}
	wr_close16(body, mark);
}

static void write_params(struct fake12 *fake, struct wr *body)
{
	const struct group *group = group_find(fake->choice.group);

	if (group != NULL && fake->choice.p == NULL && fake->choice.g == NULL && fake->choice.share == NULL) {
		fake->kex = crypto_kex_begin(group->group, fake->share);
		assert_non_null(fake->kex);
	}
	if (fake->suite->kx == KX_ECDHE) {
		wr_u8(body, 3);
		wr_u16(body, fake->choice.group);
		if (fake->choice.share != NULL || group == NULL) {
			const size_t mark = wr_open8(body);

			fake12_put_hex(body, fake->choice.share != NULL ? fake->choice.share : "04");
			wr_close8(body, mark);
		} else {
			wr_u8(body, (uint8_t)crypto_group_share_len(group->group));
			wr_bytes(body, fake->share, crypto_group_share_len(group->group));
		}
		return;
	}
	assert_non_null(group);
	write_number(body, fake->choice.p, crypto_ffdhe_prime(group->group),
		     crypto_group_share_len(group->group));
	write_number(body, fake->choice.g, (const uint8_t[]){2}, 1);
	write_number(body, fake->choice.share, fake->share, crypto_group_share_len(group->group));
}

static uint16_t best_scheme(const struct fake12 *fake)
{
	uint16_t schemes[SCHEMES_MAX];

	assert_true(private_key_schemes(fake->credential->key, false, schemes, SCHEMES_MAX) > 0);
	return schemes[0];
}

static void sign(struct fake12 *fake, struct rd params, struct wr *body)
{
	const bool is_rsa = private_key_auth(fake->credential->key) == AUTH_RSA;
	uint16_t scheme = fake->choice.scheme != 0 ? fake->choice.scheme : best_scheme(fake);
	uint8_t signature[512], digest[CRYPTO_MAX_HASH_LEN];
	struct wr content;
	struct rd what;
	size_t len = 0;
	size_t mark;

	wr_init_heap(&content);
	wr_bytes(&content, fake->client_random, 32);
	wr_bytes(&content, fake->server_random, 32);
	wr_bytes(&content, params.p, params.left);
	what = rd_of(content.data, content.len);
	if (fake->version >= ENGINE_TLS12) {
		wr_u16(body, scheme);
	} else {
		scheme = is_rsa ? SCHEME_MD5_SHA1_RSA : SCHEME_SHA1_ECDSA;
		assert_true(crypto_digest(CRYPTO_MD5_SHA1, content.data, content.len, digest));
		what = is_rsa ? rd_of(digest, 36) : rd_of(digest + 16, 20);
	}
	/* a scheme that the key cannot make goes out with another's signature */
	if (private_key_sign(fake->credential->key, scheme, what.p, what.left, signature, sizeof(signature),
			     &len) != ENGINE_OK) {
		assert_int_equal(private_key_sign(fake->credential->key, best_scheme(fake), what.p, what.left,
						  signature, sizeof(signature), &len),
				 ENGINE_OK);
	}
	wr_free(&content);
	mark = wr_open16(body);
	wr_bytes(body, signature, len);
	wr_close16(body, mark);
}

static void send_key_exchange(struct fake12 *fake)
{
	struct wr body;
	struct wr params;

	wr_init_heap(&params);
	wr_init_heap(&body);
	write_params(fake, &params);
	wr_bytes(&body, params.data, params.len);
	sign(fake, rd_of(params.data, params.len), &body);
	fake12_send(fake, HS_SERVER_KEY_EXCHANGE, body.data, body.len);
	wr_free(&params);
	wr_free(&body);
}

static void send_request(struct fake12 *fake)
{
	static const char types[] = "02 01 40 ";
	static const char schemes[] = "000a 0403 0503 0807 0804 0401 ";
	struct wr body;

	wr_init_heap(&body);
	fake12_put_hex(&body, types);
	if (fake->version >= ENGINE_TLS12) {
		fake12_put_hex(&body, schemes);
	}
	fake12_put_hex(&body, "0000");
	fake12_send(fake, HS_CERTIFICATE_REQUEST, body.data, body.len);
	wr_free(&body);
}

static void send_ticket(struct fake12 *fake)
{
	static const uint8_t body[] = {0, 0, 14, 16, 0, 8, 't', 'i', 'c', 'k', 'e', 't', ' ', '1'};

	fake12_send(fake, HS_NEW_SESSION_TICKET, body, sizeof(body));
}

static void send_end(struct fake12 *fake)
{
	static const uint8_t ccs[] = {1};
	uint8_t verify_data[VERIFY_DATA_LEN];

	if (fake->choice.ticket) {
		send_ticket(fake);
	}
	fake12_send(fake, HS_CHANGE_CIPHER_SPEC, ccs, sizeof(ccs));
	/* without ChangeCipherSpec, in clear: what a skipped key change would allow */
	if (fake->wrong.type != HS_CHANGE_CIPHER_SPEC || fake->wrong.how != FAKE12_SKIP) {
		fake->send = fake->next_send;
		fake->send_spec = fake->next_spec;
		if (fake->send_cipher == NULL) {
			fake->send_cipher = engine_cipher_new();
		}
	}
	fake12_make_verify_data(fake, ENGINE_SERVER, verify_data);
	fake12_send(fake, HS_FINISHED, verify_data, sizeof(verify_data));
	fake12_flush(fake);
}

/* ---- the course of a handshake ---- */

void fake12_send_first_flight(struct fake12 *fake)
{
	const struct fake12_choice *choice = &fake->choice;

	send_server_hello(fake);
	if (choice->resume) {
		fake12_make_keys(fake);
		send_end(fake);
		return;
	}
	send_certificate(fake);
	if (choice->status != NULL) {
		send_status(fake);
	}
	if (fake->suite->kx != KX_RSA) {
		send_key_exchange(fake);
	}
	if (choice->request) {
		send_request(fake);
	}
	fake12_send(fake, HS_SERVER_HELLO_DONE, NULL, 0);
	fake12_flush(fake);
}

void fake12_finish(struct fake12 *fake)
{
	fake12_read(fake);
	if (!fake->choice.resume && fake->got_finished) {
		send_end(fake);
		fake12_read(fake);
	}
}

void fake12_handshake(struct fake12 *fake, const struct fake12_choice *choice,
		      const struct fake12_wrong *wrong)
{
	const struct suite *suite;

	fake->choice = *choice;
	if (wrong != NULL) {
		fake->wrong = *wrong;
	}
	if (fake->choice.suite == 0) {
		fake->choice.suite = 0xc02b;
	}
	fake->version = choice->version != 0 ? choice->version : ENGINE_TLS12;
	suite = suite_find(fake->choice.suite);
	/* one that does not exist goes on as another */
	fake->suite = suite != NULL && suite->version != ENGINE_TLS13 ? suite : suite_find(0xc02b);
	if (fake->choice.group == 0) {
		fake->choice.group = fake->suite->kx == KX_DHE ? 0x0100 : 0x0017;
	}
	fake12_send_first_flight(fake);
	fake12_finish(fake);
}

void fake12_renegotiate(struct fake12 *fake, bool by_request)
{
	static const uint8_t hello_request[4];

	fake->is_renegotiating = true;
	fake->got_hello = fake->got_certificate = fake->got_verify = fake->got_ccs = fake->got_finished =
		false;
	fake->wrong = (struct fake12_wrong){.how = FAKE12_RIGHT};
	wr_reset(&fake->messages);
	crypto_kex_free(fake->kex);
	fake->kex = NULL;
	if (by_request) {
		fake12_send_record(fake, CONTENT_HANDSHAKE, hello_request, sizeof(hello_request));
	} else {
		fake12_client_renegotiates(fake, NULL, 0);
	}
	fake12_read(fake);
}

void fake12_proof(const struct fake12 *fake, char out[static FAKE12_PROOF_MAX])
{
	int at = snprintf(out, FAKE12_PROOF_MAX, "ff01 0019 18 ");

	for (size_t i = 0; i < 2 * VERIFY_DATA_LEN; i++) {
		at += snprintf(out + at, FAKE12_PROOF_MAX - (size_t)at, "%02x",
			       fake->verify_data[i / VERIFY_DATA_LEN][i % VERIFY_DATA_LEN]);
	}
}

bool fake12_talks(struct fake12 *fake)
{
	static const uint8_t ping[] = "from the server", pong[] = "from the client";
	const struct engine_slice slice = {pong, sizeof(pong)};
	static uint8_t records[ENGINE_MAX_RECORD];
	struct record_opened opened;
	size_t done = 0;
	size_t len = 0;

	if (!engine_hs_is_done(fake->hs) || !fake->got_finished) {
		return false;
	}
	fake->data_len = 0;
	fake12_send_record(fake, CONTENT_APPLICATION_DATA, ping, sizeof(ping));
	if (fake->data_len != sizeof(ping) || memcmp(fake->data, ping, sizeof(ping)) != 0 ||
	    engine_seal(&fake->conn, fake->client_cipher[1], &slice, 1, records, sizeof(records), &len) !=
		    ENGINE_OK) {
		return false;
	}
	/* CBC of TLS 1.0 makes two records */
	for (size_t at = 0; at < len;) {
		const size_t n = ENGINE_RECORD_HEADER_LEN + (size_t)(records[at + 3] << 8 | records[at + 4]);

		if (record_open(&fake->recv_spec, &fake->recv, fake->recv_cipher, records + at, n, NULL,
				&opened) != REASON_NONE ||
		    memcmp(opened.data, pong + done, opened.len) != 0) {
			return false;
		}
		done += opened.len;
		at += n;
	}
	return done == sizeof(pong);
}

void fake12_expect(struct fake12 *fake, unsigned alert, const char *what)
{
	fake12_read(fake);
	if (alert == 0) {
		if (engine_hs_error(fake->hs) != ENGINE_OK) {
			fail_msg("%s: %s (%s)", what, engine_alert_name(engine_hs_alert(fake->hs)),
				 engine_hs_reason(fake->hs));
		}
		if (!fake12_talks(fake)) {
			fail_msg("%s: no connection", what);
		}
		return;
	}
	if (fake->alert != alert || fake->alert_level != ALERT_LEVEL_FATAL) {
		fail_msg("%s: got %s (%s), wanted %s", what,
			 fake->alert == FAKE12_NO_ALERT ? "none" : engine_alert_name((uint8_t)fake->alert),
			 engine_hs_reason(fake->hs), engine_alert_name((uint8_t)alert));
	}
	assert_false(engine_hs_is_done(fake->hs));
	assert_int_not_equal(engine_hs_error(fake->hs), ENGINE_OK);
	assert_true(fake->is_renegotiating || fake->conn.version == 0);
}
