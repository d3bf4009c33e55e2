/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the table of the server of TLS 1.2 and older with real records: every state is reached, in
 * each of them every message that has no row there is refused with unexpected_message and nothing
 * else happens, every path ends. RFC 5246 7.4, 7.2.2
 */
#include "tests/memory/server12_test.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

enum step { NO_STEP, HELLO, CERTIFICATE, NO_CERTIFICATE, KEY_EXCHANGE, CERTIFICATE_VERIFY, CCS, FINISHED };

#define MAX_STEPS 8

struct path {
	const char *name;
	const char *suites;
	uint16_t version;
	bool asks, resumes, renegotiates;
	enum step steps[MAX_STEPS];
};

/* clang-format off */
static const struct path paths[] = {
	{ "ECDHE", "c02f", 0x0303, false, false, false, { HELLO, KEY_EXCHANGE, CCS, FINISHED } },
	{ "key transport", "009c", 0x0303, false, false, false, { HELLO, KEY_EXCHANGE, CCS, FINISHED } },
	{ "DHE, CBC", "0033", 0x0303, false, false, false, { HELLO, KEY_EXCHANGE, CCS, FINISHED } },
	{ "TLS 1.0", "c013", 0x0301, false, false, false, { HELLO, KEY_EXCHANGE, CCS, FINISHED } },
	{ "certificate", "c02f", 0x0303, true, false, false,
	  { HELLO, CERTIFICATE, KEY_EXCHANGE, CERTIFICATE_VERIFY, CCS, FINISHED } },
	{ "no certificate", "c02f", 0x0303, true, false, false, { HELLO, NO_CERTIFICATE, KEY_EXCHANGE, CCS,
	  FINISHED } },
	{ "resumed", "c02f", 0x0303, false, true, false, { HELLO, CCS, FINISHED } },
	{ "renegotiated", "c02f", 0x0303, false, false, true, { HELLO, KEY_EXCHANGE, CCS, FINISHED } },
	{ "renegotiated, certificate", "c013", 0x0303, true, false, true,
	  { HELLO, CERTIFICATE, KEY_EXCHANGE, CERTIFICATE_VERIFY, CCS, FINISHED } },
};
/* clang-format on */

static struct engine_config *client_config;
static struct engine_config *configs[2][2];
static uint64_t reached;

static size_t n_steps(const struct path *path)
{
	size_t n = 0;

	while (n < MAX_STEPS && path->steps[n] != NO_STEP) {
		n++;
	}
	return n;
}

/*
 * Reading keys costs more than handshakes do, so each configuration is made once; a reference for
 * the caller.
 */
static struct engine_config *config_of(const struct path *path)
{
	static const uint8_t id[ENGINE_SESSION_ID_LEN] = {1};
	struct engine_config **config = &configs[path->asks][path->resumes];

	if (*config == NULL) {
		*config = path->asks ? asking_config(ENGINE_PROFILE_LEGACY, "rsa-both",
						     ENGINE_CLIENT_AUTH_REQUEST)
				     : server_config(ENGINE_PROFILE_LEGACY, "rsa-both");
		assert_true(engine_config_set_sessions(*config, path->resumes ? 7200 : 0, id));
	}
	engine_config_ref(*config);
	return *config;
}

/* A renegotiation says whose it is. */
static void hello(struct raw12 *raw, const struct path *path)
{
	char extensions[400], session_id[65] = "", proof[40] = "00";
	const struct raw12_hello hello = {.version = path->version,
					  .suites = path->suites,
					  .session_id = session_id,
					  .extensions = extensions};
	const size_t len = raw->conn.version != 0 ? 12 : 0;

	for (size_t i = 0; i < len; i++) {
		(void)snprintf(proof + 2 * i, 3, "%02x", raw->verify_data[ENGINE_CLIENT][i]);
	}
	for (size_t i = 0; path->resumes && i < raw->session_id_len; i++) {
		(void)snprintf(session_id + 2 * i, 3, "%02x", raw->session_id[i]);
	}
	(void)snprintf(extensions, sizeof(extensions), RAW12_EXTENSIONS "ff01 %04zx %02zx %s", len + 1, len,
		       len != 0 ? proof : "");
	raw12_send_hello(raw, &hello);
}

static void take(struct raw12 *raw, const struct path *path, enum step step)
{
	const struct credential *credential = &client_config->credentials[0];

	switch (step) {
	case HELLO:
		hello(raw, path);
		break;
	case CERTIFICATE:
		raw12_send_certificate(raw, credential);
		break;
	case NO_CERTIFICATE:
		raw12_send_certificate(raw, NULL);
		break;
	case KEY_EXCHANGE:
		raw12_key_exchange(raw, NULL);
		raw12_derive(raw);
		break;
	case CERTIFICATE_VERIFY:
		raw12_send_certificate_verify(raw, credential, 0x0403);
		break;
	case CCS:
		raw12_send_ccs(raw);
		break;
	case FINISHED:
		raw12_send_finished(raw, 0);
		break;
	case NO_STEP:
		break;
	}
	raw12_read(raw);
}

/* A connection before the path's first step. */
static void begin(struct raw12 *raw, const struct path *path)
{
	struct raw12 first;

	if (path->resumes) {
		const struct path full = {.suites = path->suites,
					  .version = path->version,
					  .resumes = true,
					  .steps = {HELLO, KEY_EXCHANGE, CCS, FINISHED}};

		raw12_begin(&first, config_of(path));
		for (size_t i = 0; i < n_steps(&full); i++) {
			take(&first, &full, full.steps[i]);
		}
		assert_true(raw12_talks(&first));
		raw12_begin(raw, config_of(path));
		memcpy(raw->session_id, first.session_id, first.session_id_len);
		raw->session_id_len = first.session_id_len;
		memcpy(raw->master, first.master, sizeof(raw->master));
		raw12_end(&first);
		return;
	}
	raw12_begin(raw, config_of(path));
	if (path->renegotiates) {
		for (size_t i = 0; i < n_steps(path); i++) {
			take(raw, path, path->steps[i]);
		}
		assert_true(raw12_talks(raw));
	}
}

/* The state behind n steps. */
static void advance(struct raw12 *raw, const struct path *path, size_t n)
{
	begin(raw, path);
	for (size_t i = 0; i < n; i++) {
		reached |= TO(raw->hs->state);
		take(raw, path, path->steps[i]);
		if (engine_hs_error(raw->hs) != ENGINE_OK) {
			fail_msg("%s, step %zu: %s", path->name, i, engine_hs_reason(raw->hs));
		}
	}
	reached |= TO(raw->hs->state);
}

static bool has_row(const struct engine_hs *hs, unsigned type)
{
	for (size_t i = 0; i < hs->n_rows; i++) {
		if (hs->rows[i].state == hs->state && hs->rows[i].type == type) {
			return true;
		}
	}
	return false;
}

/* It was refused, and the connection with it. */
static void expect_refusal(struct raw12 *raw, const char *path, size_t n, unsigned type)
{
	char what[100];

	(void)snprintf(what, sizeof(what), "%s behind %zu steps, type %u", path, n, type);
	raw12_expect_alert(raw, ALERT_UNEXPECTED_MESSAGE, what);
	assert_int_equal(raw->hs->state, HS_FAILED);
	reached |= TO(HS_FAILED);
}

/* Of messages, every type that was ever assigned, and some others. */
static bool is_tried(unsigned type)
{
	return type <= 26 || type == 67 || type == HS_MESSAGE_HASH || type == 255;
}

static void refuse_messages(const struct path *path, size_t n)
{
	for (unsigned type = 0; type < 256; type++) {
		for (size_t len = 0; len <= 40; len += 20) {
			const uint8_t zeros[40] = {0};
			struct raw12 raw;

			if (!is_tried(type)) {
				continue;
			}
			advance(&raw, path, n);
			if (!engine_hs_is_done(raw.hs) && !has_row(raw.hs, type)) {
				raw12_send_stray(&raw, (uint8_t)type, zeros, len);
				expect_refusal(&raw, path->name, n, type);
			}
			raw12_end(&raw);
		}
	}
}

/* Records of other types. */
static void refuse_records(const struct path *path, size_t n)
{
	static const uint8_t types[] = {CONTENT_CHANGE_CIPHER_SPEC, CONTENT_APPLICATION_DATA, 24, 25};

	for (size_t i = 0; i < N(types); i++) {
		const uint8_t one = 1;
		struct raw12 raw;
		bool may_come;

		advance(&raw, path, n);
		may_come =
			(types[i] == CONTENT_CHANGE_CIPHER_SPEC && has_row(raw.hs, HS_CHANGE_CIPHER_SPEC)) ||
			(types[i] == CONTENT_APPLICATION_DATA && raw.hs->renegotiating &&
			 raw.hs->state != HS12_WAIT_CLIENT_FINISHED);
		/* before the first message, TLS 1.3 is as likely: its own test has that */
		if (!engine_hs_is_done(raw.hs) && !may_come && raw.hs->state != HS_WAIT_CLIENT_HELLO) {
			raw12_send_record(&raw, types[i], &one, 1);
			expect_refusal(&raw, path->name, n, types[i]);
		}
		raw12_end(&raw);
	}
}

static void test_every_state_refuses_all_but_its_messages(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N(paths); i++) {
		for (size_t n = 0; n <= n_steps(&paths[i]); n++) {
			refuse_messages(&paths[i], n);
			refuse_records(&paths[i], n);
		}
	}
}

/* Each message of a path left out, and each sent twice, with bodies that would be right in their place. */
static void test_no_message_can_be_left_out_or_repeated(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N(paths); i++) {
		const struct path *path = &paths[i];

		for (size_t n = 1; n + 1 < n_steps(path); n++) {
			struct raw12 raw;

			advance(&raw, path, n);
			take(&raw, path, path->steps[n + 1]);
			expect_refusal(&raw, path->name, n, 1000);
			raw12_end(&raw);
		}
		for (size_t n = 1; n <= n_steps(path); n++) {
			const enum step last = path->steps[n - 1];
			struct raw12 raw;

			advance(&raw, path, n);
			if (last == KEY_EXCHANGE) {
				raw12_send_stray(&raw, HS_CLIENT_KEY_EXCHANGE, "\1\4", 2);
			} else {
				take(&raw, path, last);
			}
			raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, path->name);
			raw12_end(&raw);
		}
	}
}

/* Runs behind the walk, which notes the states. */
static void test_every_state_is_reached_and_every_path_ends(void **unused)
{
	const uint64_t own = TO(HS_WAIT_CLIENT_HELLO) | TO(HS12_WAIT_CLIENT_CERTIFICATE) |
			     TO(HS12_WAIT_CLIENT_KEY_EXCHANGE) | TO(HS12_WAIT_CLIENT_CERTIFICATE_VERIFY) |
			     TO(HS12_WAIT_CLIENT_CCS) | TO(HS12_WAIT_CLIENT_FINISHED) | TO(HS_DONE) |
			     TO(HS_FAILED);
	uint64_t in_table = TO(HS_FAILED);

	(void)unused;
	for (size_t i = 0; i < server12_n_rows; i++) {
		const struct hs_row *row = &server12_rows[i];

		assert_non_null(row->on);
		assert_true(row->next != 0);
		in_table |= TO(row->state) | row->next;
		for (size_t k = 0; k < i; k++) {
			assert_false(row->state == server12_rows[k].state &&
				     row->type == server12_rows[k].type);
		}
	}
	assert_true(in_table == own);
	assert_true(reached == own);
}

static int setup(void **state)
{
	if (server12_setup(state) != 0) {
		return -1;
	}
	client_config = client_with("client");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	engine_config_unref(client_config);
	for (size_t i = 0; i < 4; i++) {
		if (configs[i / 2][i % 2] != NULL) {
			engine_config_unref(configs[i / 2][i % 2]);
		}
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_refuses_all_but_its_messages),
		cmocka_unit_test(test_no_message_can_be_left_out_or_repeated),
		cmocka_unit_test(test_every_state_is_reached_and_every_path_ends),
	};

	return cmocka_run_group_tests_name("server12_states", tests, setup, teardown);
}
