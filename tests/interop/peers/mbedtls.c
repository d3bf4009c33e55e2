/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TLS peer for the interoperability matrix, with mbedTLS 2.28 or 3. Orders and reports: see Agent in
 * tests/lib/interop.py. Every server is a process of its own.
 */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_WORDS 32
#define CHUNK     20000

static struct {
	char *key[MAX_WORDS], *value[MAX_WORDS];
	size_t n;
} order;

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_source;
static mbedtls_ssl_config config;
static mbedtls_x509_crt own, authorities;
static mbedtls_pk_context key;
static mbedtls_ssl_session saved;
static mbedtls_ssl_cache_context cache;
static mbedtls_ssl_ticket_context tickets;
static int suites[2], certificates_seen, resumptions;
static const char *protocols[8];

static const char *word(const char *name)
{
	for (size_t i = 0; i < order.n; i++) {
		if (strcmp(order.key[i], name) == 0) {
			return order.value[i];
		}
	}
	return NULL;
}

static bool is(const char *name, const char *value)
{
	return word(name) != NULL && strcmp(word(name), value) == 0;
}

static void check(int result, const char *what)
{
	if (result != 0) {
		fprintf(stderr, "%s: -0x%x\n", what, -result);
		exit(1);
	}
}

/* Called in full handshakes only. */
static int on_certificate(void *nothing, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	(void)nothing, (void)certificate, (void)depth, (void)flags;
	certificates_seen++;
	return 0;
}

/* A session that a ticket opens is resumed. */
static int on_ticket(void *context, mbedtls_ssl_session *session, unsigned char *ticket, size_t len)
{
	int result = mbedtls_ssl_ticket_parse(context, session, ticket, len);

	resumptions += result == 0;
	return result;
}

#if MBEDTLS_VERSION_MAJOR >= 3
static int on_session_id(void *context, unsigned char const *id, size_t len, mbedtls_ssl_session *session)
{
	int result = mbedtls_ssl_cache_get(context, id, len, session);
#else
static int on_session_id(void *context, mbedtls_ssl_session *session)
{
	int result = mbedtls_ssl_cache_get(context, session);
#endif
	resumptions += result == 0;
	return result;
}

static void set_versions(const char *version)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	const mbedtls_ssl_protocol_version number =
		strcmp(version, "1.3") == 0 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;

	mbedtls_ssl_conf_min_tls_version(&config, number);
	mbedtls_ssl_conf_max_tls_version(&config, number);
#else
	const int minor = version[2] - '0' + 1;

	mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
	mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, minor);
#endif
}

static void set_suite(const char *name)
{
	char theirs[100];

	snprintf(theirs, sizeof(theirs), "%s", name);
	for (char *c = theirs; *c != '\0'; c++) {
		*c = *c == '_' ? '-' : *c;
	}
	suites[0] = mbedtls_ssl_get_ciphersuite_id(theirs);
	mbedtls_ssl_conf_ciphersuites(&config, suites);
}

/* mbedTLS keeps its order of curves; those that are not named are left out. */
static void set_groups(const char *names)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	static uint16_t groups[8];
	static const struct {
		const char *name;
		uint16_t group;
	} known[] = {{"x25519", 29}, {"secp256r1", 23}, {"secp384r1", 24}, {"secp521r1", 25}};
#else
	static mbedtls_ecp_group_id groups[8];
	static const struct {
		const char *name;
		mbedtls_ecp_group_id group;
	} known[] = {{"x25519", MBEDTLS_ECP_DP_CURVE25519},
		     {"secp256r1", MBEDTLS_ECP_DP_SECP256R1},
		     {"secp384r1", MBEDTLS_ECP_DP_SECP384R1},
		     {"secp521r1", MBEDTLS_ECP_DP_SECP521R1}};
#endif
	size_t n = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(names, known[i].name) != NULL) {
			groups[n++] = known[i].group;
		}
	}
	groups[n] = 0;
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_groups(&config, groups);
#else
	mbedtls_ssl_conf_curves(&config, groups);
#endif
}

static void load_identity(void)
{
	check(mbedtls_x509_crt_parse_file(&own, word("cert")), "certificate");
#if MBEDTLS_VERSION_MAJOR >= 3
	check(mbedtls_pk_parse_keyfile(&key, word("key"), NULL, mbedtls_ctr_drbg_random, &random_source),
	      "key");
#else
	check(mbedtls_pk_parse_keyfile(&key, word("key"), NULL), "key");
#endif
	check(mbedtls_ssl_conf_own_cert(&config, &own, &key), "certificate and key");
}

static void set_protocols(void)
{
	static char names[200]; /* mbedTLS keeps pointers into it */
	size_t n = 0;

	snprintf(names, sizeof(names), "%s", word("alpn"));
	for (char *name = strtok(names, " "); name != NULL && n < 7; name = strtok(NULL, " ")) {
		protocols[n++] = name;
	}
	protocols[n] = NULL;
	check(mbedtls_ssl_conf_alpn_protocols(&config, protocols), "ALPN");
}

static void configure(int role)
{
	mbedtls_ssl_config_free(&config);
	mbedtls_x509_crt_free(&own);
	mbedtls_x509_crt_free(&authorities);
	mbedtls_pk_free(&key);
	mbedtls_ssl_config_init(&config);
	mbedtls_x509_crt_init(&own);
	mbedtls_x509_crt_init(&authorities);
	mbedtls_pk_init(&key);
	check(mbedtls_ssl_config_defaults(&config, role, MBEDTLS_SSL_TRANSPORT_STREAM,
					  MBEDTLS_SSL_PRESET_DEFAULT),
	      "defaults");
	mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_source);
	mbedtls_ssl_conf_verify(&config, on_certificate, NULL);
	check(mbedtls_x509_crt_parse_file(&authorities, word("ca")), "authorities");
	mbedtls_ssl_conf_ca_chain(&config, &authorities, NULL);
	mbedtls_ssl_conf_authmode(&config, role == MBEDTLS_SSL_IS_CLIENT || is("client", "require")
						   ? MBEDTLS_SSL_VERIFY_REQUIRED
						   : MBEDTLS_SSL_VERIFY_NONE);
	mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
	set_versions(word("version"));
	if (word("cert") != NULL) {
		load_identity();
	}
	if (word("suite") != NULL) {
		set_suite(word("suite"));
	}
	if (word("group") != NULL) {
		set_groups(word("group"));
	}
	if (word("alpn") != NULL) {
		set_protocols();
	}
	if (word("fragment") != NULL) {
		check(mbedtls_ssl_conf_max_frag_len(&config, MBEDTLS_SSL_MAX_FRAG_LEN_512), "fragments");
	}
	if (is("etm", "no")) {
		mbedtls_ssl_conf_encrypt_then_mac(&config, MBEDTLS_SSL_ETM_DISABLED);
	}
	if (is("ems", "no")) {
		mbedtls_ssl_conf_extended_master_secret(&config, MBEDTLS_SSL_EXTENDED_MS_DISABLED);
	}
	if (role == MBEDTLS_SSL_IS_CLIENT) {
		mbedtls_ssl_conf_session_tickets(&config, is("tickets", "no")
								  ? MBEDTLS_SSL_SESSION_TICKETS_DISABLED
								  : MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
	} else if (is("tickets", "no")) {
		mbedtls_ssl_cache_init(&cache);
		mbedtls_ssl_conf_session_cache(&config, &cache, on_session_id, mbedtls_ssl_cache_set);
	} else {
		mbedtls_ssl_ticket_init(&tickets);
		check(mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &random_source,
					       MBEDTLS_CIPHER_AES_256_GCM, 3600),
		      "tickets");
		mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, on_ticket, &tickets);
	}
}

/* ---- conversations ---- */

struct talk {
	mbedtls_net_context net;
	mbedtls_ssl_context ssl;
	size_t size;
	bool same;
	const char *end;
	char error[100];
};

static bool fails(struct talk *talk, int result, const char *what)
{
	char text[60] = "";

	if (result >= 0) {
		return false;
	}
	mbedtls_strerror(result, text, sizeof(text));
	snprintf(talk->error, sizeof(talk->error), "%s: %s", what, text);
	talk->end = talk->error;
	return true;
}

static void report(const char *did, struct talk *talk, bool resumed)
{
	const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&talk->ssl);
	const char *version = mbedtls_ssl_get_version(&talk->ssl),
		   *alpn = mbedtls_ssl_get_alpn_protocol(&talk->ssl);
	const char *suite = mbedtls_ssl_get_ciphersuite(&talk->ssl);
	char subject[200] = "", theirs[100] = "";
	char *name;

	if (peer != NULL) {
		mbedtls_x509_dn_gets(subject, sizeof(subject), &peer->subject);
	}
	name = strstr(subject, "CN=");
	snprintf(theirs, sizeof(theirs), "%s", suite != NULL ? suite : "");
	for (char *c = theirs; *c != '\0'; c++) {
		*c = *c == '-' ? '_' : *c;
	}
	version = version != NULL && strncmp(version, "TLSv", 4) == 0 ? version + 4 : "?";
	printf("did=%s\tversion=%s\tsuite=%s\tresumed=%s\tpeer=%s\talpn=%s\tsize=%zu\tsame=%s\tend=%s\n", did,
	       version, theirs, resumed ? "true" : "false", name != NULL ? name + 3 : "",
	       alpn != NULL ? alpn : "", talk->size, talk->same ? "true" : "false", talk->end);
	fflush(stdout);
}

static bool begin(struct talk *talk)
{
	const int one = 1;

	talk->same = true;
	talk->end = "clean";
	setsockopt(talk->net.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	mbedtls_ssl_init(&talk->ssl);
	if (fails(talk, mbedtls_ssl_setup(&talk->ssl, &config), "setup")) {
		return false;
	}
	mbedtls_ssl_set_bio(&talk->ssl, &talk->net, mbedtls_net_send, mbedtls_net_recv, NULL);
	return true;
}

static bool write_all(struct talk *talk, const unsigned char *data, size_t len)
{
	while (len > 0) {
		int n = mbedtls_ssl_write(&talk->ssl, data, len);

		if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE) {
			continue;
		}
		if (fails(talk, n, "write")) {
			return false;
		}
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* What came, 0 at the peer's close_notify, or an error. Passes over what is not data. */
static int read_some(struct talk *talk, unsigned char *buf, size_t len)
{
	while (true) {
		int n = mbedtls_ssl_read(&talk->ssl, buf, len);

		if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
			return 0;
		}
		if (n == 0) {
			talk->end = "no close_notify";
			return -1;
		}
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
		if (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
			mbedtls_ssl_session_free(&saved);
			mbedtls_ssl_session_init(&saved);
			fails(talk, mbedtls_ssl_get_session(&talk->ssl, &saved), "session");
			continue;
		}
#endif
		if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE) {
			continue;
		}
		if (fails(talk, n, "read")) {
			return -1;
		}
		return n;
	}
}

static void finish(struct talk *talk)
{
	mbedtls_ssl_free(&talk->ssl);
	mbedtls_net_free(&talk->net);
}

static void converse(struct talk *talk, const unsigned char *text, size_t len)
{
	const size_t middle = is("renegotiate", "yes") ? CHUNK : 0;
	unsigned char buf[CHUNK];
	size_t sent = 0;
	int n = 0;

	/* In turns: a peer that only writes would fill both sockets. */
	while (talk->size < len) {
		if (sent == talk->size) {
			size_t piece = len - sent < CHUNK ? len - sent : CHUNK;

			if (middle != 0 && sent == middle &&
			    fails(talk, mbedtls_ssl_renegotiate(&talk->ssl), "renegotiate")) {
				return;
			}
			if (!write_all(talk, text + sent, piece)) {
				return;
			}
			sent += piece;
		}
		n = read_some(talk, buf, sizeof(buf));
		if (n <= 0) {
			return;
		}
		talk->same = talk->same && talk->size + (size_t)n <= len &&
			     memcmp(buf, text + talk->size, (size_t)n) == 0;
		talk->size += (size_t)n;
	}
	if (is("first", "yes")) {
		mbedtls_ssl_close_notify(&talk->ssl);
	}
	if (read_some(talk, buf, sizeof(buf)) > 0) {
		talk->end = "more data";
	}
	mbedtls_ssl_close_notify(&talk->ssl);
}

static void connect_to_server(void)
{
	struct talk talk = {.end = "clean"};
	static unsigned char text[1 << 20];
	FILE *file = fopen(word("text"), "rb");
	size_t len = file != NULL ? fread(text, 1, sizeof(text), file) : 0;
	const bool resume = is("resume", "yes");
	bool resumed = false;

	if (file != NULL) {
		fclose(file);
	}
	if (!resume) {
		configure(MBEDTLS_SSL_IS_CLIENT);
		mbedtls_ssl_session_free(&saved);
		mbedtls_ssl_session_init(&saved);
	}
	mbedtls_net_init(&talk.net);
	certificates_seen = 0;
	if (!fails(&talk, mbedtls_net_connect(&talk.net, word("host"), word("port"), MBEDTLS_NET_PROTO_TCP),
		   "connect") &&
	    begin(&talk) && !fails(&talk, mbedtls_ssl_set_hostname(&talk.ssl, "localhost"), "name") &&
	    (!resume || !fails(&talk, mbedtls_ssl_set_session(&talk.ssl, &saved), "session")) &&
	    !fails(&talk, mbedtls_ssl_handshake(&talk.ssl), "handshake")) {
		resumed = certificates_seen == 0;
		if (!resume && !is("version", "1.3")) {
			fails(&talk, mbedtls_ssl_get_session(&talk.ssl, &saved), "session");
		}
		converse(&talk, text, len);
	}
	talk.same = talk.same && talk.size == len;
	report("connect", &talk, resumed);
	finish(&talk);
}

static void echo(struct talk *talk)
{
	static const char shutdown_line[] = "\nshutdown\n";
	const size_t len = sizeof(shutdown_line) - 1;
	unsigned char buf[CHUNK], tail[sizeof(shutdown_line)] = "";
	int n;

	while ((n = read_some(talk, buf, sizeof(buf))) > 0) {
		for (int i = 0; i < n; i++) {
			memmove(tail, tail + 1, len - 1);
			tail[len - 1] = buf[i];
		}
		talk->size += (size_t)n;
		if (!write_all(talk, buf, (size_t)n)) {
			return;
		}
		if (memcmp(tail, shutdown_line, len) == 0) {
			mbedtls_ssl_close_notify(&talk->ssl);
		}
	}
	mbedtls_ssl_close_notify(&talk->ssl);
}

static void serve(void)
{
	mbedtls_net_context listener;
	int result;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	mbedtls_net_init(&listener);
	configure(MBEDTLS_SSL_IS_SERVER);
	result = mbedtls_net_bind(&listener, "0.0.0.0", word("port"), MBEDTLS_NET_PROTO_TCP);
	printf("did=listen\tend=%d\n", result);
	fflush(stdout);
	while (result == 0) {
		struct talk talk = {.end = "clean"};

		mbedtls_net_init(&talk.net);
		if (mbedtls_net_accept(&listener, &talk.net, NULL, 0, NULL) != 0) {
			break;
		}
		resumptions = 0;
		if (begin(&talk) && !fails(&talk, mbedtls_ssl_handshake(&talk.ssl), "handshake")) {
			echo(&talk);
		}
		report("served", &talk, resumptions > 0);
		finish(&talk);
	}
	exit(0);
}

int main(void)
{
	static char line[4096];

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random_source);
	check(mbedtls_ctr_drbg_seed(&random_source, mbedtls_entropy_func, &entropy, NULL, 0),
	      "random numbers");
#if MBEDTLS_VERSION_MAJOR >= 3
	if (psa_crypto_init() != 0) {
		return 1;
	}
#endif
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *what = strtok(line, "\t\n"), *next;

		order.n = 0;
		while ((next = strtok(NULL, "\t\n")) != NULL && order.n < MAX_WORDS) {
			order.key[order.n] = next;
			order.value[order.n] = strchr(next, '=') + 1;
			order.value[order.n++][-1] = '\0';
		}
		if (what != NULL && strcmp(what, "listen") == 0) {
			if (fork() == 0) {
				serve();
			}
		} else if (what != NULL) {
			connect_to_server();
		}
	}
	return 0;
}
