/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of TLS 1.2 and older that does as it is told, right or wrong, against a server of the
 * engine: no state machine, no checks. Include behind cmocka.h: what goes wrong on its own side
 * fails the test.
 *
 * It takes from the engine the primitives, the record layer and the key schedule, which have tests
 * of their own, and nothing of the handshake.
 */
#ifndef TESTS_RAW12_H
#define TESTS_RAW12_H

#include "engine/handshake.h"
#include "engine/keysched12.h"

#define RAW12_NO_ALERT 256

/* Sessions in memory, and a clock that can be put forward: for engine_init(). */
extern const struct engine_session_store raw12_store;
extern int64_t raw12_seconds_later;
int64_t raw12_now(void);
bool raw12_random(uint8_t *out, size_t len);
void raw12_forget_sessions(void);
/* The engine's server is at work, not this client: for tests that count its memory. */
extern bool raw12_server_works;

struct raw12 {
	struct engine_config *config;
	struct engine_conn conn;
	struct engine_hs *hs;
	struct engine_cipher *server_cipher[2]; /* in, out */

	/* our side */
	uint16_t version;
	const struct suite *suite;
	struct crypto_hash_ctx transcript;
	struct wr messages; /* all of this handshake */
	uint8_t client_random[32], server_random[32], master[48];
	uint8_t premaster[CRYPTO_MAX_SHARED_LEN];
	size_t premaster_len;
	uint8_t verify_data[2][12]; /* by enum engine_role */
	struct record_cipher_spec send_spec, recv_spec;
	struct engine_keys send, recv, next_send, next_recv;
	struct engine_cipher *send_cipher, *recv_cipher; /* NULL: in clear */

	/* what the server said in this handshake: bodies, empty ones have no p */
	struct rd server_hello, certificate, certificate_status, key_exchange, certificate_request, ticket;
	uint8_t session_id[32];
	size_t session_id_len;
	bool has_extensions;
	struct rd extensions;                          /* of ServerHello */
	bool extended_master_secret, encrypt_then_mac; /* whether they are used, as ServerHello says */
	bool got_hello_done, got_ccs, got_finished, got_hello_request;
	unsigned n_records;          /* that the server sent, since the last raw12_read() */
	unsigned alert_level, alert; /* RAW12_NO_ALERT */
	uint8_t data[1024];          /* application data, decrypted */
	size_t data_len;
	uint8_t *kept[64]; /* memory that views point to */
	size_t n_kept;
};

/* A ClientHello in hexadecimal, blanks allowed. NULL: the usual. */
struct raw12_hello {
	uint16_t version;        /* 0: TLS 1.2 */
	const char *session_id;  /* "" */
	const char *suites;      /* all of TLS 1.2 with ECDHE and AEAD, and the SCSV of RFC 5746 */
	const char *compression; /* "00" */
	const char *extensions;  /* RAW12_EXTENSIONS; "-": not even an empty list */
	const uint8_t *ticket;   /* goes into a session_ticket behind the others */
	size_t ticket_len;
};

#define RAW12_GROUPS        "000a 0006 0004 001d 0017 "
#define RAW12_POINTS        "000b 0002 0100 "
#define RAW12_SCHEMES       "000d 0010 000e 0403 0503 0807 0804 0401 0501 0601 "
#define RAW12_EMS           "0017 0000 "
#define RAW12_ETM           "0016 0000 "
#define RAW12_TICKET        "0023 0000 "
#define RAW12_RENEGOTIATION "ff01 0001 00 "
#define RAW12_EXTENSIONS    RAW12_GROUPS RAW12_POINTS RAW12_SCHEMES RAW12_EMS

#define RAW12_ECDHE_SUITES "c02b c02f cca9 cca8 c02c c030 00ff "

/* Begin against a server with this configuration, of which a reference is taken over. */
void raw12_begin(struct raw12 *raw, struct engine_config *config);
void raw12_end(struct raw12 *raw);

/* Bytes of hexadecimal, blanks skipped; the length. */
size_t raw12_hex(uint8_t *out, size_t room, const char *hex);

/* ---- sending ---- */

/* Bytes as they are. */
void raw12_send_bytes(struct raw12 *raw, const void *bytes, size_t len);
/* One record under the present keys. */
void raw12_send_record(struct raw12 *raw, uint8_t type, const void *content, size_t len);
/* A handshake message of its own record; it enters our transcript. */
void raw12_send(struct raw12 *raw, uint8_t type, const void *body, size_t len);
/* The same without the transcript. */
void raw12_send_stray(struct raw12 *raw, uint8_t type, const void *body, size_t len);
/* ClientHello; starts the transcript anew. renegotiation_info is not added. */
void raw12_send_hello(struct raw12 *raw, const struct raw12_hello *hello);
void raw12_build_hello(struct raw12 *raw, const struct raw12_hello *hello, struct wr *body);

/*
 * The right ClientKeyExchange for what the server sent; the premaster secret goes to raw. NULL in
 * body: send it, too.
 */
void raw12_key_exchange(struct raw12 *raw, struct wr *body);
/* Take what is in premaster for the secrets: the master secret and the next keys. */
void raw12_derive(struct raw12 *raw);
void raw12_send_ccs(struct raw12 *raw);
/* Right but for the last byte, which is changed by this. */
void raw12_send_finished(struct raw12 *raw, uint8_t change);
/* Certificate with the chain of this credential, empty for NULL, and CertificateVerify by it. */
void raw12_send_certificate(struct raw12 *raw, const struct credential *credential);
void raw12_send_certificate_verify(struct raw12 *raw, const struct credential *credential, uint16_t scheme);

/* ---- receiving ---- */

/* Take all that the server has pending. */
void raw12_read(struct raw12 *raw);
/*
 * From ServerHelloDone, or from the server's Finished of an abbreviated handshake, to the end;
 * reads at its end.
 */
void raw12_finish(struct raw12 *raw);
/* ClientHello to end; fails the test if that does not work. */
void raw12_connect(struct raw12 *raw, const struct raw12_hello *hello);
/* Did ServerHello have this extension? Its body, unless NULL. */
bool raw12_has(const struct raw12 *raw, uint16_t type, struct rd *body);
/* Scheme and group of the server's ServerKeyExchange; 0: there is none. */
uint16_t raw12_scheme(const struct raw12 *raw);
uint16_t raw12_group(const struct raw12 *raw);
/* Is that ServerKeyExchange signed with SHA-1 by the key of the server's certificate? */
bool raw12_is_signed_with_sha1(const struct raw12 *raw);
/* Is the server done, and does data come through both ways? */
bool raw12_talks(struct raw12 *raw);
/* The server's alert is this one, fatal, and its handshake has failed. */
void raw12_expect_alert(struct raw12 *raw, unsigned alert, const char *what);

#endif
