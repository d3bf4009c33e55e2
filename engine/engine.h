/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TLS engine: handshake and record layer, sans I/O. All that shim/ and policy/ may include.
 *
 *                 program side                    network side
 *   receive   <-  engine_open()                   a whole record, engine_hs_recv() before that
 *   send      ->  engine_seal()                   records, engine_hs_pending() before that
 *
 * A connection lives in two objects:
 *
 *   struct engine_hs    the handshake in flight: heap, private to a process, freed at its end
 *   struct engine_conn  what is left of it: plain old data without pointers, so that it may lie
 *                       in shared memory and outlive fork and exec
 *
 * The engine never calls the kernel, takes no lock and keeps no global state but the environment
 * set once by engine_init(). Calls on one engine_conn are serialised by the caller per direction:
 * the fields under `recv` belong to who opens records, those under `send` to who seals them.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define must_check __attribute__((warn_unused_result))

#define ENGINE_RECORD_HEADER_LEN 5
#define ENGINE_MAX_PLAINTEXT 16384
/* The largest record that is accepted, with its header: TLS 1.2 allows 2^14 + 2048 (RFC 5246 6.2.3). */
#define ENGINE_MAX_RECORD (ENGINE_RECORD_HEADER_LEN + ENGINE_MAX_PLAINTEXT + 2048)
/* Most bytes that sealing one record adds: header, explicit nonce or IV, content type, MAC or tag, padding. */
#define ENGINE_SEAL_OVERHEAD 96
/* Room that engine_control() and engine_seal_alert() need. */
#define ENGINE_CONTROL_MAX 512
#define ENGINE_REASON_MAX 200
#define ENGINE_ALPN_MAX 32
#define ENGINE_SUBJECT_MAX 96

enum engine_role { ENGINE_CLIENT, ENGINE_SERVER };

enum engine_err {
	ENGINE_OK = 0,
	ENGINE_ERR_PROTOCOL,	/* the peer broke the protocol, or speaks something else */
	ENGINE_ERR_NOT_TLS,	/* the first bytes are no TLS record at all */
	ENGINE_ERR_NEGOTIATION, /* nothing in common: version, suite, group, signature scheme, ALPN */
	ENGINE_ERR_VERIFY,	/* the peer's certificate or its proof was refused */
	ENGINE_ERR_PEER_ALERT,	/* the peer sent a fatal alert */
	ENGINE_ERR_BAD_RECORD,	/* a record failed authentication */
	ENGINE_ERR_CONFIG,	/* credentials or options cannot work */
	ENGINE_ERR_NO_MEMORY,
	ENGINE_ERR_INTERNAL,
};

#define ENGINE_SESSION_ID_LEN 32
/* Largest session that the engine gives to the store; what is larger (a ticket of many kilobytes) is not kept. */
#define ENGINE_SESSION_MAX    4096
#define ENGINE_TICKET_KEYS    4

/*
 * Keeps sessions, which are secrets, by a name of 32 bytes that tells nothing of them. A cache: it may forget at any
 * time. Called in handshakes and by whoever opens records; must not call the engine.
 */
struct engine_session_store {
	/*
	 * Keep data[0..len) under id until expires (as now()). Several sessions may have one id (a client's
	 * tickets).
	 */
	void (*put)(const uint8_t id[static ENGINE_SESSION_ID_LEN], const uint8_t *data, size_t len, int64_t expires);
	/*
	 * Copy the newest session of id to out, which has ENGINE_SESSION_MAX bytes; returns its length, 0 if there is
	 * none. take: no other call gets it afterwards (tickets are used once, RFC 8446 C.4).
	 */
	size_t (*get)(const uint8_t id[static ENGINE_SESSION_ID_LEN], bool take, uint8_t *out);
	/* Forget all sessions of id. */
	void (*drop)(const uint8_t id[static ENGINE_SESSION_ID_LEN]);
};

/* Protects tickets: AES-256-GCM. */
struct engine_ticket_key {
	uint8_t name[16];
	uint8_t key[32];
};

/* What the engine takes from its surroundings. */
struct engine_env {
	/* Memory for handshakes and contexts. NULL members: malloc and free of libc. */
	void *(*alloc)(size_t size);
	void (*release)(void *ptr);
	void *(*resize)(void *ptr, size_t size);
	/* Fill buf with len random bytes fit for keys; false when there are none. Required. */
	bool (*random)(uint8_t *buf, size_t len);
	/* Seconds since 1970-01-01 UTC. Required. */
	int64_t (*now)(void);
	/* Where sessions are kept for resumption; NULL: nowhere, then only tickets of a server are resumed. */
	const struct engine_session_store *sessions;
	/*
	 * Ticket keys for servers whose configuration has none of its own: fill keys[0..room) with what is there, the
	 * one that seals first, those that only open behind it; returns how many. Must be shared by all processes
	 * that serve one listener. NULL or 0: such servers issue no tickets.
	 */
	size_t (*ticket_keys)(struct engine_ticket_key *keys, size_t room);
};

/*
 * Set the environment; call once before anything else, from one thread. env is copied.
 * Returns false if the primitives fail their start-up check.
 */
must_check bool engine_init(const struct engine_env *env);

/* ---- configuration: immutable once a handshake has used it; reference-counted ---- */

struct engine_trust;	/* a set of trust anchors */
struct engine_config;	/* credentials, trust and options of one rule */

enum engine_verify {
	ENGINE_VERIFY_FULL,	/* chain and name (of a client: chain) */
	ENGINE_VERIFY_CHAIN,	/* chain only */
	ENGINE_VERIFY_NONE,	/* nothing: the peer may be anyone */
};
enum engine_client_auth { ENGINE_CLIENT_AUTH_NONE, ENGINE_CLIENT_AUTH_REQUEST, ENGINE_CLIENT_AUTH_REQUIRE };

/*
 * A set of versions, suites, groups and signature schemes.
 *
 * MODERN   TLS 1.3 alone
 * DEFAULT  TLS 1.3, and of TLS 1.2 what is as good: ECDHE with an AEAD.  RFC 9325
 * LEGACY   adds DHE, RSA key transport, CBC, renegotiation, and allows TLS 1.0 and 1.1 where the versions say so;
 *          unless engine_config_set_schemes() names schemes, a server of TLS 1.2 signs with SHA-1 for clients that name
 *          nothing better
 */
enum engine_profile { ENGINE_PROFILE_DEFAULT, ENGINE_PROFILE_MODERN, ENGINE_PROFILE_LEGACY };

#define ENGINE_TLS10 0x0301
#define ENGINE_TLS11 0x0302
#define ENGINE_TLS12 0x0303
#define ENGINE_TLS13 0x0304

/* A new empty set with one reference, NULL if out of memory. */
struct engine_trust *engine_trust_new(void);
/*
 * Add every CERTIFICATE block of pem[0..len). *n_added: how many were taken. Returns ENGINE_OK when the text
 * could be read (also with 0 blocks), ENGINE_ERR_CONFIG with a sentence in why when a block is damaged.
 * With skip_bad, blocks that cannot be parsed are passed over (system stores hold some).
 */
must_check enum engine_err engine_trust_add_pem(struct engine_trust *trust, const uint8_t *pem, size_t len,
						bool skip_bad, size_t *n_added, char why[static ENGINE_REASON_MAX]);
void engine_trust_ref(struct engine_trust *trust);
void engine_trust_unref(struct engine_trust *trust);

/* A configuration with defaults: versions 1.2-1.3, profile DEFAULT, verify FULL, client-auth NONE. One reference. */
struct engine_config *engine_config_new(enum engine_role role);
void engine_config_ref(struct engine_config *cfg);
void engine_config_unref(struct engine_config *cfg);

/*
 * Add our own certificate chain (leaf first, then intermediates, in PEM) and its private key (PEM: PKCS#8, SEC 1
 * or PKCS#1, unencrypted). The texts are borrowed for the call. May be called again for a second kind of key.
 * ENGINE_ERR_CONFIG with a sentence in why: no certificate, no key, key is encrypted, key does not belong to the
 * certificate, key kind or size unsupported (RSA and RSASSA-PSS >= 2048, EC P-256/P-384/P-521, Ed25519).
 */
must_check enum engine_err engine_config_add_credential(struct engine_config *cfg, const uint8_t *chain_pem,
							size_t chain_len, const uint8_t *key_pem, size_t key_len,
							char why[static ENGINE_REASON_MAX]);
/* Trust anchors for the peer's chain; cfg takes its own reference. */
void engine_config_set_trust(struct engine_config *cfg, struct engine_trust *trust);
void engine_config_set_verify(struct engine_config *cfg, enum engine_verify verify);
void engine_config_set_client_auth(struct engine_config *cfg, enum engine_client_auth mode);
/*
 * min, max: ENGINE_TLS10 ... ENGINE_TLS13. False if min > max or out of range, or if the profile has no version as old
 * as min (LEGACY has all, DEFAULT 1.2, MODERN 1.3): set that first.
 */
must_check bool engine_config_set_versions(struct engine_config *cfg, uint16_t min, uint16_t max);
/* Take a profile's suites, groups and schemes, whatever was set before; versions older than it has are dropped. */
void engine_config_set_profile(struct engine_config *cfg, enum engine_profile profile);
/*
 * Narrow or reorder what is negotiated, best first, by names as engine_suite_find() and its like take them. Without a
 * call, or with n 0, the profile decides. Each must be one that the profile knows of, and no other.
 * ENGINE_OK, or ENGINE_ERR_CONFIG with a sentence in why.
 */
must_check enum engine_err engine_config_set_suites(struct engine_config *cfg, const char *const *names, size_t n,
						    char why[static ENGINE_REASON_MAX]);
must_check enum engine_err engine_config_set_groups(struct engine_config *cfg, const char *const *names, size_t n,
						    char why[static ENGINE_REASON_MAX]);
must_check enum engine_err engine_config_set_schemes(struct engine_config *cfg, const char *const *names, size_t n,
						     char why[static ENGINE_REASON_MAX]);
/* Name i of all that exist (any profile), NULL past the last: for messages and completion. */
const char *engine_suite_at(size_t i);
const char *engine_group_at(size_t i);
const char *engine_scheme_at(size_t i);
/*
 * The name that engine_suite_name() and its like give to what name stands for: in any case, and for suites and groups
 * also as OpenSSL spells them. NULL if there is none: *nearest is then the most similar name, or NULL.
 */
const char *engine_suite_find(const char *name, const char **nearest);
const char *engine_group_find(const char *name, const char **nearest);
const char *engine_scheme_find(const char *name, const char **nearest);
/*
 * Resumption: for how many seconds a session may be resumed; 0: never, and none is kept. Default 7200, at most
 * ENGINE_SESSION_LIFETIME_MAX. id tells configurations apart whose sessions must not be mixed: the same rule in all
 * processes has the same id (a digest of what it says); zeros are allowed in tests.  RFC 8446 4.6.1
 */
#define ENGINE_SESSION_LIFETIME_MAX 604800
must_check bool engine_config_set_sessions(struct engine_config *cfg, uint32_t lifetime,
					   const uint8_t id[static ENGINE_SESSION_ID_LEN]);
/*
 * Ticket keys of a server's own (1..ENGINE_TICKET_KEYS, no name twice, the first seals), instead of the environment's.
 */
must_check bool engine_config_set_ticket_keys(struct engine_config *cfg, const struct engine_ticket_key *keys,
					      size_t n);
/*
 * Insist on public keys: one certificate of the verified path (with ENGINE_VERIFY_NONE: the leaf) must have a
 * SubjectPublicKeyInfo with one of these SHA-256 digests. 1..16.  RFC 7469 2.4
 */
must_check bool engine_config_set_pins(struct engine_config *cfg, const uint8_t (*digests)[32], size_t n);
/*
 * Add every X509 CRL block of pem[0..len), or one CRL in DER. As soon as a configuration has a CRL, a certificate
 * whose issuer has none or only an expired one is refused, and so is a revoked one. Delta CRLs, indirect
 * ones, those for some reasons only and those signed with SHA-1 are not taken.  RFC 5280 6.3
 * ENGINE_ERR_CONFIG with a sentence in why when nothing could be read or a block is damaged or not taken.
 */
must_check enum engine_err engine_config_add_crl(struct engine_config *cfg, const uint8_t *text, size_t len,
						 char why[static ENGINE_REASON_MAX]);
/*
 * The OCSP response (DER) to staple to the credential added last; checked to be one for its leaf. NULL with 0 takes it
 * away.  RFC 6066 8, RFC 6960
 */
must_check enum engine_err engine_config_set_ocsp_response(struct engine_config *cfg, const uint8_t *der, size_t len,
							   char why[static ENGINE_REASON_MAX]);
/* A client insists on a stapled OCSP response that says "good". Without this, one that comes is judged all the same. */
void engine_config_require_ocsp(struct engine_config *cfg, bool required);
/* If no DNS name or address is in a certificate, take its common name for one: for old certificates only. */
void engine_config_set_common_name(struct engine_config *cfg, bool allowed);
/* Pad records of TLS 1.3 to a multiple of this many bytes, at most ENGINE_MAX_PLAINTEXT; 0 and 1: no padding. */
must_check bool engine_config_set_padding(struct engine_config *cfg, size_t multiple);
/* Protocols in order of preference, each 1..ENGINE_ALPN_MAX bytes, 8 at most (RFC 7301). False if out of bounds. */
must_check bool engine_config_set_alpn(struct engine_config *cfg, const char *const *protocols, size_t n_protocols);
/*
 * Names a peer's certificate must carry one of (DNS names with "*." wildcards, or URIs), instead of any name: for
 * accept rules with client certificates. 16 at most. False if out of bounds or memory.
 */
must_check bool engine_config_set_allowed_peers(struct engine_config *cfg, const char *const *names, size_t n_names);

/*
 * Judge a configuration as a whole; call it last. Each version must have a suite with a group and a signature scheme
 * to go with it; a server must have a credential that fits at least one version.
 * ENGINE_OK, or ENGINE_ERR_CONFIG with a sentence in why. With ENGINE_OK why is "", or a sentence on what will never be
 * used: a version, a credential.
 */
must_check enum engine_err engine_config_check(const struct engine_config *cfg, char why[static ENGINE_REASON_MAX]);
/* What engine_config_set_versions() or the profile has set. */
void engine_config_versions(const struct engine_config *cfg, uint16_t *min, uint16_t *max);
/* Number of suites that can be negotiated, best first; suite i of them, NULL past the last. */
size_t engine_config_n_suites(const struct engine_config *cfg);
const char *engine_config_suite(const struct engine_config *cfg, size_t i);

/* What `tlshim check` wants to know of a credential. */
struct engine_credential_info {
	char subject[128];
	char issuer[128];
	char key_kind[32]; /* "RSA 2048", "RSA-PSS 2048", "EC P-256", "Ed25519" */
	int64_t not_before, not_after;
	bool chain_complete; /* ends at a self-signed certificate or at one whose issuer is in the system's hands */
	bool has_server_name; /* a subjectAltName with a DNS name or address is there */
	int64_t ocsp_until; /* until when its OCSP response may be sent; 0: it has none */
};
/* Describe credential number i (0-based); false past the last. */
must_check bool engine_config_describe_credential(const struct engine_config *cfg, size_t i,
						  struct engine_credential_info *info);
struct engine_crl_info {
	char issuer[128];
	int64_t this_update, next_update;
};
/* Describe CRL number i (0-based, the one added last first); false past the last. */
must_check bool engine_config_describe_crl(const struct engine_config *cfg, size_t i, struct engine_crl_info *info);

/* ---- an established connection ---- */

/* One direction of traffic protection. Touched by the engine only; public for its size. */
struct engine_keys {
	uint64_t seq;		/* of the next record (RFC 8446 5.3) */
	uint32_t epoch;		/* counts key changes: tells a cached cipher context that it is stale */
	uint8_t key[32];
	uint8_t iv[16];		/* TLS 1.3, ChaCha20: the nonce's mask; GCM of 1.2: 4 bytes salt; CBC of 1.0: the next IV */
	uint8_t secret[48];	/* traffic secret; of CBC suites the MAC key */
};

struct engine_conn {
	uint64_t id;		/* set by the owner before the handshake: unique among live connections, never 0 */
	uint16_t version;	/* ENGINE_TLS13, ... ; 0 until the handshake is done */
	uint16_t suite;		/* as on the wire, RFC 8446 B.4 */
	uint16_t group;		/* RFC 8446 4.2.7 */
	uint16_t scheme;	/* signature scheme of the peer's CertificateVerify, 0 if none */
	uint8_t role;		/* enum engine_role */
	uint8_t alpn_len;
	char alpn[ENGINE_ALPN_MAX];
	uint8_t resumed;	/* the handshake was an abbreviated one */
	uint8_t encrypt_then_mac; /* RFC 7366 */
	uint8_t extended_master_secret; /* RFC 7627 */
	uint8_t may_renegotiate; /* secure renegotiation was negotiated and the configuration allows it, RFC 5746 */
	uint8_t verify_data_len; /* of either Finished, TLS 1.2 and older: what renegotiation_info proves */
	uint8_t client_verify_data[12], server_verify_data[12];
	/*
	 * Longest plaintext of a record that the peer may send, and that we may; 0: the usual. Padding
	 * counts, the content type of TLS 1.3 does not: there, these are one less than what
	 * record_size_limit says.  RFC 8449 4
	 */
	uint16_t recv_limit, send_limit;
	uint16_t padding;	/* records are padded to a multiple of this */
	/* client of TLS 1.3: what tickets become sessions with */
	uint8_t resumption_secret[48];
	uint8_t session_id[ENGINE_SESSION_ID_LEN]; /* where they are kept; zeros: they are not */
	uint32_t session_lifetime; /* for how long at most, seconds */
	int64_t resumable_until; /* no session behind this connection outlives that, as engine_env's now() */
	uint8_t peer_is_authenticated; /* by a certificate, then or now */
	char peer_subject[ENGINE_SUBJECT_MAX]; /* for logs, cut off; "" if there is none */

	/* receive direction */
	struct engine_keys recv;
	uint8_t recv_closed;	/* close_notify has come */
	uint8_t recv_err;	/* enum engine_err, sticks */
	uint8_t recv_alert;	/* with PEER_ALERT: the peer's; else the alert that we owe */
	uint8_t recv_reason;	/* index for engine_conn_reason() */
	uint8_t hs_head_len;	/* post-handshake message that is split over records */
	uint8_t hs_head[8];
	uint32_t hs_left;
	uint8_t ticket_field;	/* where in a NewSessionTicket: its field, ... */
	uint8_t ticket_head;	/* bytes had of what stands in front of the field's body */
	uint16_t ticket_left;	/* bytes missing of the body */
	uint32_t flood;		/* records without data in a row */

	/* send direction */
	struct engine_keys send;
	uint8_t send_closed;	/* close_notify or a fatal alert has been sealed */
	uint8_t control_due;	/* KeyUpdate or no_renegotiation is owed; set by the receive direction, atomically */
};

/*
 * A cipher context: the expanded key of one direction of one connection. A cache, not state: any context may be
 * given to any call, and is keyed anew when it held another connection's or an older key. Heap, process-private.
 */
struct engine_cipher;
struct engine_cipher *engine_cipher_new(void);
void engine_cipher_wipe(struct engine_cipher *cipher); /* forget the key it holds */
void engine_cipher_free(struct engine_cipher *cipher); /* wipes first; NULL is allowed */

/*
 * Length with header of the record that starts with these five bytes.
 *
 * 0 if they cannot start a record on conn (wrong type, wrong version, too long): engine_open() with these five
 * bytes then says what is wrong.  RFC 8446 5.1, 5.2
 */
must_check size_t engine_record_len(const struct engine_conn *conn,
				    const uint8_t header[static ENGINE_RECORD_HEADER_LEN]);

enum engine_event {
	ENGINE_EVENT_DATA,	/* application data, 1 byte or more */
	ENGINE_EVENT_NOTHING,	/* ticket, KeyUpdate, empty record: read on */
	ENGINE_EVENT_CLOSED,	/* close_notify: end of the peer's data */
	/*
	 * The peer begins to renegotiate (only with may_renegotiate): data is for engine_hs_renegotiate(), which must
	 * be called before anything else is opened or sealed.
	 */
	ENGINE_EVENT_RENEGOTIATE,
};
struct engine_opened {
	enum engine_event event;
	const uint8_t *data;	/* in out or in record */
	size_t data_len;
};

/*
 * Unprotect one whole record.
 *
 * record, len  header and body; decrypted in place unless out is large enough
 * out, out_len where plaintext should go; used only if out_len >= len - ENGINE_RECORD_HEADER_LEN (tag and content
 *              type are written there too). May be NULL with 0.
 * opened       what came
 *
 * ENGINE_OK, or an error that sticks in conn (ENGINE_ERR_BAD_RECORD, _PROTOCOL, _PEER_ALERT). Nothing of a record
 * that failed stays in out or record. If an alert is owed for it, engine_alert_due() tells.  RFC 8446 5.2
 */
must_check enum engine_err engine_open(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t *record,
				       size_t len, uint8_t *out, size_t out_len, struct engine_opened *opened);

struct engine_slice {
	const uint8_t *data;
	size_t len;
};

/*
 * Protect application data as one record (with CBC suites of TLS 1.0 as two, which belong together).
 *
 * plain, n_plain  slices, together 1..engine_max_plaintext() bytes
 * out, out_size   room for the plaintext's length + ENGINE_SEAL_OVERHEAD, and with conn->padding for
 *                 engine_max_plaintext() + ENGINE_SEAL_OVERHEAD; must not overlap the slices
 * out_len         out: bytes of the record
 *
 * ENGINE_OK; ENGINE_ERR_INTERNAL if the send direction is closed, room is short or the key is used up for good.
 * RFC 8446 5.2, 5.5
 */
must_check enum engine_err engine_seal(struct engine_conn *conn, struct engine_cipher *cipher,
				       const struct engine_slice *plain, size_t n_plain, uint8_t *out, size_t out_size,
				       size_t *out_len);

/* Most bytes that one record may take: ENGINE_MAX_PLAINTEXT, or less if the peer wishes so.  RFC 8449 */
size_t engine_max_plaintext(const struct engine_conn *conn);

/*
 * Taking back records that were sealed but of which no byte has left (and no control record among them): mark before
 * sealing them, rewind to the mark afterwards; the next engine_seal() then uses the same number again.
 */
struct engine_send_mark {
	uint64_t seq;
	uint8_t iv[16]; /* CBC of TLS 1.0 chains it */
};
struct engine_send_mark engine_send_mark(const struct engine_conn *conn);
void engine_send_rewind(struct engine_conn *conn, const struct engine_send_mark *mark);

/*
 * True if engine_control() has a record to send before further data: a KeyUpdate is owed or the key is used up, or a
 * request to renegotiate has to be turned down.
 */
bool engine_control_due(const struct engine_conn *conn);
/* Build those records: 0..ENGINE_CONTROL_MAX bytes in out.  RFC 8446 4.6.3, 5.5 */
must_check enum engine_err engine_control(struct engine_conn *conn, struct engine_cipher *cipher,
					  uint8_t out[static ENGINE_CONTROL_MAX], size_t *out_len);

/* The fatal alert that the receive direction owes the peer, 0 if none (after a peer's alert none is owed). */
uint8_t engine_alert_due(const struct engine_conn *conn);
#define ENGINE_ALERT_CLOSE_NOTIFY 0
#define ENGINE_ALERT_PROTOCOL_VERSION 70
/*
 * Seal an alert: close_notify (0, level warning) or a fatal one. After either the send direction is closed.
 * ENGINE_OK with *out_len 0 if it was closed before.  RFC 8446 6
 */
must_check enum engine_err engine_seal_alert(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t alert,
					     uint8_t out[static ENGINE_CONTROL_MAX], size_t *out_len);

/* Wipe keys and secrets. Negotiated values and errors stay readable. */
void engine_conn_wipe(struct engine_conn *conn);

/* One sentence on the sticking error of conn. */
const char *engine_conn_reason(const struct engine_conn *conn);

/* ---- the handshake ---- */

struct engine_hs;

struct engine_hs_params {
	struct engine_config *config;	/* the handshake takes a reference */
	/*
	 * Client: the name to verify and, unless it is an address literal, to send as SNI; ASCII, no trailing dot;
	 * NULL only if config's verify is not FULL. Server: NULL.
	 */
	const char *server_name;
	/*
	 * Client: what tells this peer from others that have the same name, "192.0.2.1:443": sessions are kept apart
	 * by both. NULL: the name alone; with neither, no session is kept.
	 */
	const char *peer;
};

/*
 * Begin a handshake whose result will go to conn (conn->id set, rest zero). The ClientHello of a client is pending
 * at once. NULL if out of memory or if the parameters cannot work (then why says so).
 */
must_check struct engine_hs *engine_hs_new(const struct engine_hs_params *params, struct engine_conn *conn,
					   char why[static ENGINE_REASON_MAX]);
/*
 * Offer bytes that arrived from the peer.
 *
 * used  out: bytes taken, 0..len. All are taken unless the handshake ended: no byte past the record that completes
 *       or breaks it is touched.
 *
 * ENGINE_OK, or an error that sticks; an alert for the peer may then be pending.  RFC 8446 4, 5.1
 */
must_check enum engine_err engine_hs_recv(struct engine_hs *hs, const uint8_t *wire, size_t len, size_t *used);
/* Bytes for the peer, *len of them (0: none); valid until the next call on hs. */
const uint8_t *engine_hs_pending(const struct engine_hs *hs, size_t *len);
/*
 * Begin to renegotiate on an established connection with may_renegotiate.
 *
 * params    as for engine_hs_new(): with the configuration that the connection began with
 * data, len what came with ENGINE_EVENT_RENEGOTIATE; NULL with 0 to begin by ourselves: with a ClientHello, or as
 *           server with a HelloRequest
 *
 * conn's keys are lent to the handshake: until it is done, everything received goes to engine_hs_recv(), and nothing
 * is sealed (conn->send_closed). Application data that comes meanwhile is engine_hs_data(): take it after each
 * engine_hs_recv(), no more than 64 KiB of it are kept. NULL with a sentence in why if it cannot begin: conn is as it
 * was. An error in data sticks in the handshake as from engine_hs_recv().  RFC 5246 7.4.1.1, RFC 5746
 *
 * It ends in one of these ways:
 *   done      conn has new keys; or the old ones, if the peer does not want to renegotiate (it says no_renegotiation,
 *             or a client goes on sending data); or the peer has closed, then conn->recv_closed is set
 *   an error  the connection is gone with it: conn->recv_err is set, nothing can be sealed any more
 *   engine_hs_free() in between
 *             a server whose HelloRequest is not answered yet: the connection goes on; else nothing can be received
 *             any more, and close_notify can be sealed if our keys have not changed yet
 */
must_check struct engine_hs *engine_hs_renegotiate(const struct engine_hs_params *params, struct engine_conn *conn,
						   const uint8_t *data, size_t len,
						   char why[static ENGINE_REASON_MAX]);
/* Application data that came during a renegotiation, *len bytes in all (0: none), and forgetting it once taken. */
const uint8_t *engine_hs_data(const struct engine_hs *hs, size_t *len);
void engine_hs_data_taken(struct engine_hs *hs);
/* True if the key in use has to be renewed by renegotiation soon (TLS 1.2 and older with may_renegotiate). */
bool engine_renegotiation_due(const struct engine_conn *conn);

/* The first n pending bytes have been sent or stored elsewhere. */
void engine_hs_sent(struct engine_hs *hs, size_t n);
/*
 * True once the peer is authenticated as the configuration demands and conn's keys are in place. Bytes may still be
 * pending (a client's Finished): they go out before anything sealed with conn.
 */
bool engine_hs_is_done(const struct engine_hs *hs);
/* True if the peer has sent nothing yet. */
bool engine_hs_is_fresh(const struct engine_hs *hs);
/* The sticking error, the alert that goes with it (sent, or received with PEER_ALERT), and a sentence on it. */
enum engine_err engine_hs_error(const struct engine_hs *hs);
uint8_t engine_hs_alert(const struct engine_hs *hs);
const char *engine_hs_reason(const struct engine_hs *hs);
/* The name that the client sent (server) or that was asked for (client); "" if none. */
const char *engine_hs_server_name(const struct engine_hs *hs);
/* Subject of the peer's certificate, "" if it sent none. */
const char *engine_hs_peer_subject(const struct engine_hs *hs);
/* Wipe and free; NULL is allowed. conn stays. */
void engine_hs_free(struct engine_hs *hs);

/* SHA-256: for engine_config_set_sessions(). */
must_check bool engine_digest(const void *data, size_t len, uint8_t out[static 32]);

/* ---- names for logs ---- */
const char *engine_version_name(uint16_t version);  /* "TLS 1.3" */
const char *engine_suite_name(uint16_t suite);	    /* "TLS_AES_128_GCM_SHA256" */
const char *engine_group_name(uint16_t group);	    /* "x25519" */
const char *engine_scheme_name(uint16_t scheme);    /* "ecdsa_secp256r1_sha256" */
const char *engine_alert_name(uint8_t alert);	    /* "bad_certificate" */
const char *engine_err_name(enum engine_err err);

/* ---- throw-away certificates for trying things out ---- */

struct engine_dev_cert {
	char ca_pem[4096];
	char cert_pem[4096]; /* leaf, signed by the CA */
	char key_pem[1024];  /* of the leaf, PKCS#8 or SEC 1, EC P-256; wipe after use */
};
/*
 * Make a CA (its key is thrown away) and a leaf for names (DNS names or address literals, 1..16), valid for days
 * from an hour ago, EKU serverAuth and clientAuth. False with a sentence in why.  RFC 5280
 */
must_check bool engine_dev_cert_make(struct engine_dev_cert *out, const char *const *names, size_t n_names, int days,
				     char why[static ENGINE_REASON_MAX]);

#endif
