/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A handshake in flight: its state, the tables that drive it, and what the roles' handlers build on.  RFC 8446 4
 *
 *   hs.c                     beginning and ending, the engine_hs_*() surface
 *   handshake.c              records in, reassembly, dispatch
 *   renegotiate.c            handshakes on top of an established connection
 *   flight.c                 transcript, sending, changing keys of TLS 1.3
 *   client.c, server.c       ClientHello and the choice of version, which all versions share
 *   client13.c, server13.c   the tables and handlers of TLS 1.3
 *   client12.c, server12.c   those of TLS 1.2 and older; flight12.c: what both roles of it build on
 *   ext.c, cert.c            extensions; Certificate and CertificateVerify of TLS 1.3
 */
#ifndef ENGINE_HANDSHAKE_H
#define ENGINE_HANDSHAKE_H

#include "config.h"
#include "keysched13.h"
#include "record.h"
#include "wire.h"
#include "x509.h"

enum handshake_type {
	HS_HELLO_REQUEST = 0,
	HS_CLIENT_HELLO = 1,
	HS_SERVER_HELLO = 2,
	HS_NEW_SESSION_TICKET = 4,
	HS_END_OF_EARLY_DATA = 5,
	HS_ENCRYPTED_EXTENSIONS = 8,
	HS_CERTIFICATE = 11,
	HS_SERVER_KEY_EXCHANGE = 12,
	HS_CERTIFICATE_REQUEST = 13,
	HS_SERVER_HELLO_DONE = 14,
	HS_CERTIFICATE_VERIFY = 15,
	HS_CLIENT_KEY_EXCHANGE = 16,
	HS_FINISHED = 20,
	HS_CERTIFICATE_STATUS = 22,
	HS_KEY_UPDATE = 24,
	HS_COMPRESSED_CERTIFICATE = 25,
	HS_MESSAGE_HASH = 254,
	/* No handshake message: the ChangeCipherSpec record of TLS 1.2, which has rows of its own in the tables. */
	HS_CHANGE_CIPHER_SPEC = 256,
};

/* What is waited for. Roles and versions share the numbers. */
enum hs_state {
	/* client; the first also of TLS 1.2 and older */
	HS_WAIT_SERVER_HELLO,
	HS_WAIT_SERVER_HELLO_AGAIN, /* behind HelloRetryRequest */
	HS_WAIT_ENCRYPTED_EXTENSIONS,
	HS_WAIT_CERTIFICATE_OR_REQUEST,
	HS_WAIT_SERVER_CERTIFICATE,
	HS_WAIT_SERVER_CERTIFICATE_VERIFY,
	HS_WAIT_SERVER_FINISHED,
	/* server; the first also of TLS 1.2 and older */
	HS_WAIT_CLIENT_HELLO,
	HS_WAIT_CLIENT_HELLO_AGAIN, /* behind HelloRetryRequest */
	HS_WAIT_CLIENT_CERTIFICATE,
	HS_WAIT_CLIENT_CERTIFICATE_VERIFY,
	HS_WAIT_CLIENT_FINISHED,
	/* client of TLS 1.2 and older */
	HS12_WAIT_HELLO_REQUEST, /* on an established connection: a renegotiation begins with it */
	HS12_WAIT_SERVER_CERTIFICATE,
	HS12_WAIT_CERTIFICATE_STATUS, /* or what comes behind it */
	HS12_WAIT_SERVER_KEY_EXCHANGE,
	HS12_WAIT_REQUEST_OR_DONE, /* CertificateRequest or ServerHelloDone */
	HS12_WAIT_SERVER_HELLO_DONE,
	HS12_WAIT_NEW_SESSION_TICKET,
	HS12_WAIT_SERVER_CCS,
	HS12_WAIT_SERVER_FINISHED,
	/* server of TLS 1.2 and older */
	HS12_WAIT_CLIENT_CERTIFICATE,
	HS12_WAIT_CLIENT_KEY_EXCHANGE,
	HS12_WAIT_CLIENT_CERTIFICATE_VERIFY,
	HS12_WAIT_CLIENT_CCS,
	HS12_WAIT_CLIENT_FINISHED,
	/* both */
	HS_DONE,
	HS_FAILED,
	HS_STATE_COUNT,
};

#define HS_HEADER_LEN      4
#define HS_RANDOM_LEN      32
#define HS_SESSION_ID_MAX  32
#define HS_SERVER_NAME_MAX 255

/*
 * Longest bodies that are borne: what the RFC's structs amount to with all vectors at their maxima, so that nothing
 * longer can be well-formed. Only Certificate, which could be 16 MiB, has a bound of our own.
 */
#define HS_MAX_CLIENT_HELLO         131396
#define HS_MAX_SERVER_HELLO         65607
#define HS_MAX_ENCRYPTED_EXTENSIONS 65537
#define HS_MAX_CERTIFICATE_REQUEST  65793
#define HS_MAX_CERTIFICATE          102400
#define HS_MAX_CERTIFICATE_VERIFY   65539
#define HS_MAX_FINISHED             CRYPTO_MAX_HASH_LEN
/* TLS 1.2 and older; key exchanges and OCSP responses have bounds of our own, far above what is of use. */
#define HS_MAX_CERTIFICATE_REQUEST12 131329
#define HS_MAX_CERTIFICATE_STATUS    65540
#define HS_MAX_SERVER_KEY_EXCHANGE   16384
#define HS_MAX_NEW_SESSION_TICKET12  65541

struct hs_message {
	uint16_t type; /* enum handshake_type */
	struct rd whole; /* with header, as the transcript wants it */
	struct rd body;
	bool at_record_end;
};

/* One legal (state, message) pair. What has no row is unexpected_message. */
struct hs_row {
	enum hs_state state;
	uint16_t type;
	bool ends_record; /* a key change may follow: nothing may stand behind it in its record, RFC 8446 5.1 */
	uint32_t max_len;
	/* Judge and act; name the next state. False after hs_fail(). */
	bool (*on)(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
	uint64_t next; /* TO() of each state that may follow */
};
#define TO(state) (UINT64_C(1) << (state))

extern const struct hs_row client13_rows[];
extern const size_t client13_n_rows;
extern const struct hs_row server13_rows[];
extern const size_t server13_n_rows;
extern const struct hs_row client12_rows[];
extern const size_t client12_n_rows;
extern const struct hs_row server12_rows[];
extern const size_t server12_n_rows;

struct session; /* session.h */
struct client_hello; /* hello.h */
struct server_hello;
struct ext_block; /* ext.h */

#define HS12_MASTER_SECRET_LEN 48
#define HS12_VERIFY_DATA_LEN   12

/* What a handshake of TLS 1.2 and older holds beyond the rest. */
struct hs12 {
	uint8_t client_random[HS_RANDOM_LEN];
	uint8_t server_random[HS_RANDOM_LEN];
	uint8_t master_secret[HS12_MASTER_SECRET_LEN];
	uint16_t client_version;     /* as the ClientHello said: what a premaster secret begins with */
	bool extended_master_secret; /* RFC 7627 */
	bool encrypt_then_mac;	     /* RFC 7366 */
	bool secure_renegotiation;   /* RFC 5746 */
	bool ticket_expected;	     /* NewSessionTicket comes (client) or is to be sent (server), RFC 5077 */
	bool status_expected;	     /* CertificateStatus may come, RFC 6066 8 */
	uint8_t client_verify_data[HS12_VERIFY_DATA_LEN];
	uint8_t server_verify_data[HS12_VERIFY_DATA_LEN];
	/* client: between ServerKeyExchange and ClientKeyExchange */
	uint8_t premaster[CRYPTO_MAX_SHARED_LEN];
	size_t premaster_len;
	uint32_t ticket_lifetime; /* client: of NewSessionTicket, seconds; 0: not said */
	/* what the next ChangeCipherSpec of each direction switches to */
	struct record_cipher_spec next_spec;
	struct engine_keys next_recv, next_send;
};

/* A key share of our ClientHello. */
struct hs_share {
	const struct group *group; /* NULL: none */
	struct crypto_kex *kex;
	struct wr bytes;
};
/* A KEM's, and one of a classic group for servers that do not know the KEM. */
#define HS_MAX_SHARES 2

struct engine_hs {
	struct engine_config *config;
	struct engine_conn *conn;
	enum engine_role role;
	enum hs_state state;
	const struct hs_row *rows;
	size_t n_rows;
	uint16_t version;	 /* negotiated; 0 before */
	uint16_t offered_version; /* client: the newest that our ClientHello offered; server: that the client did */
	bool resumed;
	bool renegotiating; /* on top of an established connection, whose keys are in use until the new ones are */

	/* how it failed, if it did */
	enum engine_err err;
	uint8_t alert;
	char reason[ENGINE_REASON_MAX];

	char server_name[HS_SERVER_NAME_MAX + 1];
	char peer_subject[128];

	/* receiving: bytes -> record -> messages */
	uint8_t header[ENGINE_RECORD_HEADER_LEN];
	size_t header_len;
	uint8_t *record;   /* header and body of the record that is coming in; NULL between records */
	size_t record_len; /* full length */
	size_t record_got;
	struct wr message; /* a message that is split over records */
	struct engine_keys recv;
	struct record_cipher_spec recv_spec;
	struct engine_cipher *recv_cipher; /* NULL: records are not protected yet */
	bool got_any;                      /* a byte has come */
	bool got_record;                   /* a record has been taken */
	bool got_opened;                   /* a protected record was authentic */
	uint32_t flood;                    /* records that moved nothing */
	uint32_t
		early_data_left; /* bytes of the peer's early data that are still skipped; 0: none expected */

	/* sending: messages -> flight -> records in out */
	struct wr flight;
	size_t flight_mark; /* start of the message being built */
	struct wr out;
	size_t out_sent;
	struct engine_keys send;
	struct record_cipher_spec send_spec;
	struct engine_cipher *send_cipher; /* NULL: not protected yet */
	uint16_t send_limit;               /* most plaintext in a record that the peer wants; 0: the usual */
	bool sent_ccs;
	bool got_early_ccs; /* a ChangeCipherSpec came before the version was known: TLS 1.3 passes it over */

	/* transcript: messages are held until the hash is known */
	struct crypto_hash_ctx transcript;
	struct wr held;
	struct keysched13 ks;

	/* negotiated */
	const struct suite *suite;
	const struct group *group;
	uint16_t peer_scheme; /* of the peer's CertificateVerify */
	uint8_t alpn_len;
	char alpn[ENGINE_ALPN_MAX];
	bool retried; /* HelloRetryRequest was sent or received */
	uint8_t session_id[HS_SESSION_ID_MAX];
	size_t session_id_len;
	struct public_key *peer_key; /* of the peer's certificate, until its CertificateVerify */
	bool peer_is_authenticated; /* by a verified certificate, in this handshake or in the one that is resumed */

	/* resumption */
	struct session *session; /* offered (client) or taken up (server); NULL: none */
	int64_t peer_not_after;	 /* end of the peer's certificate; 0: it has shown none */
	int64_t resumable_until; /* resumed: as in its session */
	bool psk_is_useful;	 /* server of TLS 1.3: the client knows psk_dhe_ke */
	bool psk_was_offered;	 /* in the first ClientHello */
	/* client: where sessions are kept, zeros: nowhere; of TLS 1.2 and older, and of TLS 1.3 */
	uint8_t session_name12[ENGINE_SESSION_ID_LEN];
	uint8_t session_name13[ENGINE_SESSION_ID_LEN];

	/* our own certificate, if it is wanted */
	const struct credential *credential;
	uint16_t credential_scheme;
	bool certificate_wanted; /* a CertificateRequest was received (client) or sent (server) */
	bool status_wanted;	 /* server of TLS 1.3: the client asked for an OCSP response to our certificate */

	/* client */
	uint8_t random[HS_RANDOM_LEN];
	struct crypto_kex *kex; /* TLS 1.2 and older: our half of the key exchange */
	struct hs_share shares[HS_MAX_SHARES];
	uint32_t offered; /* extensions of our ClientHello, bits by enum ext_index */
	struct wr cookie; /* of HelloRetryRequest, to be echoed */

	/* TLS 1.2 and older */
	struct hs12 hs12;
	bool keep_messages;   /* hs->held keeps all messages, for a CertificateVerify with a hash of its own */
	struct wr app_data;   /* came during a renegotiation */
	size_t app_data_total; /* how much of it there was, with what has been taken */
	struct wr certificate; /* client: the server's, while the status behind it may come */
	struct wr ticket;      /* client: of NewSessionTicket */

	/* server */
	uint8_t hello_digest[CRYPTO_MAX_HASH_LEN]; /* of what may not change in the second ClientHello */
};

/* ---- failing: always false, so that handlers can return it; the first failure counts ---- */

/* We refuse: alert for the peer, sentence for the log. */
bool hs_fail(struct engine_hs *hs, uint8_t alert, const char *why);
/* The same with a detail: "why: detail". */
bool hs_fail_detail(struct engine_hs *hs, uint8_t alert, const char *why, const char *detail);
/* A primitive failed or memory ran out: alert internal_error. */
bool hs_fail_internal(struct engine_hs *hs, const char *what);

/* Write "TLS 1.2 to TLS 1.3" for the log. */
void hs_describe_versions(const struct engine_hs *hs, struct wr *out);

/* ---- the frame: hs.c, handshake.c, renegotiate.c ---- */

/* A handshake with these parameters that has not begun; as engine_hs_new(). */
must_check struct engine_hs *hs_new(const struct engine_hs_params *params, struct engine_conn *conn,
				    char why[static ENGINE_REASON_MAX]);
/* Nothing but the sealed bytes, the application data and the error outlives a failure or the end. */
void hs_wipe_secrets(struct engine_hs *hs);
/* Wipe and give back the record that is being taken. */
void hs_release_record(struct engine_hs *hs);
/* The content of a handshake record: messages, whole or in pieces.  RFC 8446 5.1 */
must_check bool hs_take_messages(struct engine_hs *hs, struct rd in);
/* Behind hs_fail(): send the alert, wipe. Returns the error. */
enum engine_err hs_fail_finally(struct engine_hs *hs);

/* Renegotiating: has the peer sent no message of the handshake yet, and no piece of one? */
bool hs_is_unanswered(const struct engine_hs *hs);
/* The connection goes on as it was, and the handshake is done. */
void hs_give_back(struct engine_hs *hs);
/* The renegotiation has failed, and with it the connection. */
void hs_end_connection(struct engine_hs *hs);
/* The caller gives up in the middle. */
void hs_leave_renegotiation(struct engine_hs *hs);

/* ---- transcript, RFC 8446 4.4.1 ---- */

/* The hash is known: take what was held. */
must_check bool hs_transcript_start(struct engine_hs *hs, enum crypto_hash hash);
must_check bool hs_transcript_add(struct engine_hs *hs, struct rd message);
/* Hash of all messages so far. */
must_check bool hs_transcript_hash(struct engine_hs *hs, uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* The same with more behind them, which does not become part of the transcript: for binders. RFC 8446 4.2.11.2 */
must_check bool hs_transcript_hash_with(struct engine_hs *hs, enum crypto_hash hash, struct rd more,
					uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* Replace ClientHello1 by its message_hash; the hash must have been started. */
must_check bool hs_transcript_retry(struct engine_hs *hs);

/* ---- sending ---- */

/* Begin a message of the flight; write its body to the result. */
struct wr *hs_begin(struct engine_hs *hs, uint8_t type);
/* End it and add it to the transcript. */
must_check bool hs_end(struct engine_hs *hs);
/* Put the flight into records, as few as possible, under the present send keys. */
must_check bool hs_flush(struct engine_hs *hs);
/* The version in the header of plaintext records that we send. */
uint16_t hs_record_version(const struct engine_hs *hs);
/* The record of middlebox compatibility, once.  RFC 8446 D.4 */
must_check bool hs_send_ccs(struct engine_hs *hs);

/* ---- keys ---- */

must_check bool hs_set_recv_secret(struct engine_hs *hs, const struct secret *traffic_secret);
must_check bool hs_set_send_secret(struct engine_hs *hs, const struct secret *traffic_secret);
/* Compute the handshake secrets behind ServerHello and set both directions. */
must_check bool hs_enter_handshake_keys(struct engine_hs *hs, const uint8_t *shared, size_t shared_len);
/* Build our Finished. */
must_check bool hs_send_finished(struct engine_hs *hs);
/* Check the peer's Finished and add it to the transcript. */
must_check bool hs_check_finished(struct engine_hs *hs, const struct hs_message *msg);
/* False, with decrypt_error: a Finished of any version that does not fit what was said. RFC 8446 4.4.4 */
must_check bool hs_fail_finished(struct engine_hs *hs);
/* All is proven: hand the application keys and the negotiated values to conn. */
void hs_complete(struct engine_hs *hs);

/* ---- client.c: ClientHello ---- */

/*
 * Build the first ClientHello into hs->out. group: the one to send a share of; NULL: no share at all, which makes a
 * server choose by HelloRetryRequest (RFC 8446 4.2.8). A KEM's share goes with one of the best classic group.
 */
must_check bool client_start(struct engine_hs *hs, const struct group *group);
/* Fresh shares of group and, beside a KEM, of the best classic group; NULL: none. */
must_check bool client_new_shares(struct engine_hs *hs, const struct group *group);
void hs_shares_free(struct engine_hs *hs);
/* Build a ClientHello from what hs holds: the second one after a HelloRetryRequest too. */
must_check bool client_send_hello(struct engine_hs *hs);
/* Did our ClientHello offer this suite of TLS 1.2 or older? */
must_check bool client_offers_suite(const struct engine_hs *hs, const struct suite *suite);
/* The handler of ServerHello in the state HS_WAIT_SERVER_HELLO: chooses the version and its table. */
bool client_on_server_hello(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
/* The peer's ALPN answer, in EncryptedExtensions or ServerHello.  RFC 7301 3.1, 3.2 */
must_check bool client_judge_alpn(struct engine_hs *hs, struct rd body);
/* client13.c, client12.c: a ServerHello of their version; hs->version and hs->rows are set. */
bool client13_on_server_hello(struct engine_hs *hs, const struct hs_message *msg, const struct server_hello *hello,
			      enum hs_state *next);
bool client12_on_server_hello(struct engine_hs *hs, const struct hs_message *msg, const struct server_hello *hello,
			      enum hs_state *next);

/* ---- server.c: ClientHello ---- */

/* The handler of ClientHello: parses it, chooses version, server name and ALPN, goes on in the version's file. */
bool server_on_client_hello(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
bool server13_on_client_hello(struct engine_hs *hs, const struct hs_message *msg, const struct client_hello *hello,
			      const struct ext_block *block, enum hs_state *next);
bool server12_on_client_hello(struct engine_hs *hs, const struct hs_message *msg, const struct client_hello *hello,
			      const struct ext_block *block, enum hs_state *next);
/* Does the client put ChaCha20-Poly1305 before every AES suite of this version? */
bool server_prefers_chacha(const struct client_hello *hello, uint16_t version);

#endif
