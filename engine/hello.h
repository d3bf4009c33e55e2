/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ClientHello, ServerHello and HelloRetryRequest taken apart into views.  RFC 8446 4.1
 */
#ifndef ENGINE_HELLO_H
#define ENGINE_HELLO_H

#include "handshake.h"

/* SHA-256 of "HelloRetryRequest", RFC 8446 4.1.3. */
extern const uint8_t hello_retry_request_random[HS_RANDOM_LEN];

struct client_hello {
	uint16_t legacy_version;
	struct rd random;
	struct rd legacy_session_id;
	struct rd cipher_suites;
	struct rd legacy_compression_methods;
	struct rd extensions; /* empty if there are none, as in old versions */
};

struct server_hello {
	uint16_t legacy_version;
	struct rd random;
	struct rd legacy_session_id_echo;
	uint16_t cipher_suite;
	uint8_t legacy_compression_method;
	struct rd extensions;
	bool is_retry;               /* a HelloRetryRequest, by its random */
	bool has_supported_versions; /* else it is of TLS 1.2 or older, and so are the extensions */
};

/* False if malformed. */
must_check bool hello_parse_client(struct rd in, struct client_hello *hello);
must_check bool hello_parse_server(struct rd in, struct server_hello *hello);

/* Does a ServerHello of an old version say that the server speaks a newer one?  RFC 8446 4.1.3 */
must_check bool hello_has_downgrade_sentinel(const struct server_hello *hello);

/*
 * Digest of everything in a ClientHello that the second one must repeat: all but key_share, early_data, cookie,
 * pre_shared_key, padding and encrypted_client_hello. The order of the others counts, but supported_versions may stand
 * anywhere.  RFC 8446 4.1.2
 */
must_check bool hello_digest(const struct client_hello *hello, uint8_t out[static CRYPTO_MAX_HASH_LEN]);

#endif
