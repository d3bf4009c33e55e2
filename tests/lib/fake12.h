/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server of TLS 1.2 and older that does as it is told, right or wrong, against a client of the engine.
 * Include behind cmocka.h: what goes wrong on its own side fails the test.
 *
 * It takes from the engine the primitives, the record layer and the key schedule, which have tests of
 * their own, and nothing of the handshake.
 */
#ifndef TESTS_FAKE12_H
#define TESTS_FAKE12_H

#include "engine/handshake.h"
#include "engine/keysched12.h"

#define FAKE12_NO_ALERT 256

/*
 * engine_init() with a clock that can be put forward and a store of sessions, which
 * fake12_forget_sessions() empties.
 */
bool fake12_init(void);
extern int64_t fake12_seconds_later;
void fake12_forget_sessions(void);
size_t fake12_n_sessions(void);

/*
 * What is negotiated. Zeros: TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, secp256r1, the key's best
 * scheme.
 */
struct fake12_choice {
	uint16_t version, suite, group, scheme;
	uint8_t compression;
	const char *session_id; /* hexadecimal; NULL: empty; "echo": the client's */
	/* hexadecimal, blanks allowed; NULL: FAKE12_EXTENSIONS; "-": not even an empty list */
	const char *extensions;
	const char *sentinel; /* last eight bytes of the random, hexadecimal */
	bool request;         /* a client certificate */
	const char *status;   /* OCSP response, hexadecimal; needs status_request in the extensions */
	bool ticket;          /* NewSessionTicket; needs session_ticket in the extensions */
	/* of ServerKeyExchange, instead of right ones, hexadecimal: secrets differ then */
	const char *p, *g, *share;
	bool resume; /* abbreviated, with the master secret that fake->master holds */
};
#define FAKE12_EMS           "0017 0000 "
#define FAKE12_ETM           "0016 0000 "
#define FAKE12_STATUS        "0005 0000 "
#define FAKE12_TICKET        "0023 0000 "
#define FAKE12_RENEGOTIATION "ff01 0001 00 "
#define FAKE12_EXTENSIONS    FAKE12_EMS FAKE12_RENEGOTIATION

/* One thing done wrong to one message of the server's. */
enum fake12_how {
	FAKE12_RIGHT,
	FAKE12_FLIP,    /* a bit of byte `at` of the body; negative: from its end */
	FAKE12_CUT,     /* the last `at` bytes, lengths in front left as they are but for the message's own */
	FAKE12_APPEND,  /* bytes behind the body */
	FAKE12_REPLACE, /* the body by bytes */
	FAKE12_SKIP,    /* not sent, in no transcript */
	FAKE12_TWICE,
	FAKE12_BEFORE, /* bytes, a whole message, in front of it; in the transcript */
	FAKE12_BEHIND, /* the same behind it, in the same record */
};
struct fake12_wrong {
	uint16_t type; /* enum handshake_type, also HS_CHANGE_CIPHER_SPEC */
	enum fake12_how how;
	int at;
	const char *bytes; /* hexadecimal */
};

struct fake12 {
	struct engine_config *config; /* the client's */
	struct engine_conn conn;
	struct engine_hs *hs;
	struct engine_cipher *client_cipher[2]; /* in, out */

	/* our side */
	const struct credential *credential;
	struct fake12_choice choice;
	struct fake12_wrong wrong;
	size_t piece;  /* messages are put into records of so many bytes; 0: one each */
	bool coalesce; /* as many messages in a record as there are */
	/* called in front of the message of this type, 0: of none */
	uint16_t before_type;
	void (*before)(struct fake12 *fake);
	uint16_t version;
	const struct suite *suite;
	struct wr messages; /* the transcript */
	uint8_t client_random[32], server_random[32], master[48];
	struct rd session_id, suites, extensions; /* of ClientHello */
	uint16_t client_version;
	uint8_t share[CRYPTO_MAX_SHARE_LEN];
	struct crypto_kex *kex; /* NULL: what was sent is none; the client's answer is not understood */
	bool is_deaf;
	uint8_t verify_data[2][12]; /* by enum engine_role */
	struct record_cipher_spec send_spec, recv_spec, next_spec;
	struct engine_keys send, recv, next_send, next_recv;
	struct engine_cipher *send_cipher, *recv_cipher; /* NULL: in clear */
	struct wr pending;                               /* messages that wait for their record */
	struct wr received;                              /* a piece of a message */

	/* what the client said */
	bool got_hello, got_certificate, got_verify, got_ccs, got_finished;
	struct rd certificate;   /* the body */
	struct rd verify;        /* the signature of CertificateVerify */
	struct rd before_verify; /* the messages that it signs */
	uint16_t verify_scheme;
	bool is_renegotiating;
	unsigned alert_level, alert; /* FAKE12_NO_ALERT */
	size_t longest_record;       /* of what fake12_read() took last, without headers, in clear */
	uint8_t data[1024];
	size_t data_len;
	uint8_t *kept[64];
	size_t n_kept;
};

/*
 * Begin with a client with this configuration, of which a reference is taken over, for localhost; takes its
 * ClientHello.
 */
void fake12_begin(struct fake12 *fake, struct engine_config *client, const struct credential *credential);
void fake12_end(struct fake12 *fake);
/* Bytes of hexadecimal, blanks skipped; the length. */
size_t fake12_hex(uint8_t *out, size_t room, const char *hex);
/* Does the client's hello have this extension? Its body, unless NULL. */
bool fake12_offers(const struct fake12 *fake, uint16_t type, struct rd *body);

/* Bytes to the client as they are. */
void fake12_send_bytes(struct fake12 *fake, const void *bytes, size_t len);
/* One record under the present keys. */
void fake12_send_record(struct fake12 *fake, uint8_t type, const void *content, size_t len);
/* A message with fake->wrong done to it, if it is meant. */
void fake12_send(struct fake12 *fake, uint16_t type, const void *body, size_t len);
/* Take all that the client has pending. */
void fake12_read(struct fake12 *fake);

/* ServerHello to ServerHelloDone; of an abbreviated handshake, to Finished. */
void fake12_send_first_flight(struct fake12 *fake);
/* The client's answer, our Finished, or the client's in an abbreviated one. */
void fake12_finish(struct fake12 *fake);
/* All of it; stops where the client fails. */
void fake12_handshake(struct fake12 *fake, const struct fake12_choice *choice,
		      const struct fake12_wrong *wrong);
/*
 * Begin another handshake on the connection: by a HelloRequest, or as the client likes; takes its
 * ClientHello, under the present keys. fake12_handshake() then goes on.
 */
void fake12_renegotiate(struct fake12 *fake, bool by_request);
/* A right renegotiation_info for it, hexadecimal. */
#define FAKE12_PROOF_MAX 80
void fake12_proof(const struct fake12 *fake, char out[static FAKE12_PROOF_MAX]);
/* Is the client done, and does data come through both ways? */
bool fake12_talks(struct fake12 *fake);
/*
 * The client's alert is this one, fatal, and its handshake has failed; 0: it is done, and data comes
 * through.
 */
void fake12_expect(struct fake12 *fake, unsigned alert, const char *what);

/* ---- between fake12.c and fake12_flight.c ---- */

void fake12_put_hex(struct wr *out, const char *hex);
/* The next keys from the master secret. */
void fake12_make_keys(struct fake12 *fake);
void fake12_make_verify_data(struct fake12 *fake, enum engine_role who, uint8_t *out);
/* Put messages that wait into records. */
void fake12_flush(struct fake12 *fake);
/* The client begins, or answers what came with ENGINE_EVENT_RENEGOTIATE. */
void fake12_client_renegotiates(struct fake12 *fake, const uint8_t *data, size_t len);

#endif
