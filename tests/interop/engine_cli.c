/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small blocking TLS client and server over engine.h, to try the engine against other TLS stacks.
 *
 *   engine_cli client [options] HOST:PORT     stdin to the peer, the peer to stdout
 *   engine_cli server [options] PORT          one connection at a time, echoes what comes
 *
 *   -C FILE  trust anchors         -c FILE  own chain       -k FILE  own key; both may be given again
 *   -n NAME  name to ask for       -a NAME  ALPN, may be given again
 *   -v       verify nothing        -q       request a client certificate     -Q  require one
 *   -p NAME  profile: default, modern, legacy               -V MIN-MAX  versions, "1.2-1.3" or "1.2"
 *   -s LIST  cipher suites         -g LIST  groups          -S LIST  signature schemes, with commas between
 *   -K       send a KeyUpdate before each piece of data
 *   -R       renegotiate before each piece of data
 *   -N COUNT serve so many connections (default 1); a client makes as many, one after the other, with a greeting in
 *            place of stdin, and resumes where it can
 *   -w       wait for the peer's close_notify after the end of stdin
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"

static struct {
	const char *trust, *chain[8], *key[8], *name, *alpn[8];
	const char *profile, *versions, *suites, *groups, *schemes;
	size_t n_chains, n_keys, n_alpn;
	bool verify_nothing, key_updates, renegotiate, wait;
	enum engine_client_auth client_auth;
	int connections;
} opt = {.connections = 1};

struct link {
	int fd;
	struct engine_config *config;
	const char *peer;
	struct engine_conn conn;
	struct engine_cipher *in, *out;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "engine_cli: %s: %s\n", what, why);
	exit(1);
}

static bool random_bytes(uint8_t *buf, size_t len)
{
	return getrandom(buf, len, 0) == (ssize_t)len;
}

static int64_t now(void)
{
	return time(NULL);
}

static uint8_t *read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(1 << 20);

	if (file == NULL || data == NULL) {
		die(path, strerror(errno));
	}
	*len = fread(data, 1, 1 << 20, file);
	fclose(file);
	return data;
}

/* ---- sessions: a few, the newest first ---- */

static struct {
	uint8_t id[ENGINE_SESSION_ID_LEN], data[ENGINE_SESSION_MAX];
	size_t len;
} sessions[32];

static void session_put(const uint8_t id[static ENGINE_SESSION_ID_LEN], const uint8_t *data, size_t len,
			int64_t expires)
{
	(void)expires;
	memmove(&sessions[1], &sessions[0], sizeof(sessions) - sizeof(sessions[0]));
	memcpy(sessions[0].id, id, ENGINE_SESSION_ID_LEN);
	memcpy(sessions[0].data, data, len);
	sessions[0].len = len;
}

static size_t session_get(const uint8_t id[static ENGINE_SESSION_ID_LEN], bool take, uint8_t *out)
{
	for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		if (sessions[i].len != 0 && memcmp(sessions[i].id, id, ENGINE_SESSION_ID_LEN) == 0) {
			const size_t len = sessions[i].len;

			memcpy(out, sessions[i].data, len);
			if (take) {
				sessions[i].len = 0;
			}
			return len;
		}
	}
	return 0;
}

static void session_drop(const uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	uint8_t out[ENGINE_SESSION_MAX];

	while (session_get(id, true, out) != 0) {
	}
}

static size_t ticket_keys(struct engine_ticket_key *keys, size_t room)
{
	static struct engine_ticket_key key;

	if (key.name[0] == 0) {
		(void)random_bytes((uint8_t *)&key, sizeof(key));
		key.name[0] = 1;
	}
	if (room != 0) {
		keys[0] = key;
	}
	return room != 0;
}

/* ---- configuration ---- */

static uint16_t parse_version(const char *text)
{
	if (text[0] != '1' || text[1] != '.' || text[2] < '0' || text[2] > '3') {
		die("version", text);
	}
	return (uint16_t)(ENGINE_TLS10 + (text[2] - '0'));
}

static void set_list(struct engine_config *config, const char *list,
		     enum engine_err (*set)(struct engine_config *config, const char *const *names, size_t n,
					    char why[static ENGINE_REASON_MAX]))
{
	char copy[2048], why[ENGINE_REASON_MAX];
	const char *names[64];
	size_t n = 0;

	if (list == NULL) {
		return;
	}
	(void)snprintf(copy, sizeof(copy), "%s", list);
	for (char *name = strtok(copy, ","); name != NULL && n < 64; name = strtok(NULL, ",")) {
		names[n++] = name;
	}
	if (set(config, names, n, why) != ENGINE_OK) {
		die(list, why);
	}
}

static void set_algorithms(struct engine_config *config)
{
	if (opt.profile != NULL) {
		engine_config_set_profile(config, strcmp(opt.profile, "legacy") == 0   ? ENGINE_PROFILE_LEGACY
						  : strcmp(opt.profile, "modern") == 0 ? ENGINE_PROFILE_MODERN
										       : ENGINE_PROFILE_DEFAULT);
	}
	if (opt.versions != NULL) {
		const char *dash = strchr(opt.versions, '-');

		if (!engine_config_set_versions(config, parse_version(opt.versions),
						parse_version(dash != NULL ? dash + 1 : opt.versions))) {
			die(opt.versions, "not in this profile");
		}
	}
	set_list(config, opt.suites, engine_config_set_suites);
	set_list(config, opt.groups, engine_config_set_groups);
	set_list(config, opt.schemes, engine_config_set_schemes);
}

static struct engine_config *make_config(enum engine_role role)
{
	struct engine_config *config = engine_config_new(role);
	char why[ENGINE_REASON_MAX] = "";
	size_t chain_len, key_len, n;

	if (opt.trust != NULL) {
		struct engine_trust *trust = engine_trust_new();
		uint8_t *pem = read_file(opt.trust, &chain_len);

		if (engine_trust_add_pem(trust, pem, chain_len, false, &n, why) != ENGINE_OK) {
			die(opt.trust, why);
		}
		engine_config_set_trust(config, trust);
		engine_trust_unref(trust);
		free(pem);
	}
	set_algorithms(config);
	for (size_t i = 0; i < opt.n_chains; i++) {
		uint8_t *chain = read_file(opt.chain[i], &chain_len);
		uint8_t *key = read_file(i < opt.n_keys ? opt.key[i] : opt.chain[i], &key_len);

		if (engine_config_add_credential(config, chain, chain_len, key, key_len, why) != ENGINE_OK) {
			die(opt.chain[i], why);
		}
		free(chain);
		free(key);
	}
	if (opt.n_alpn != 0 && !engine_config_set_alpn(config, opt.alpn, opt.n_alpn)) {
		die("ALPN", "out of bounds");
	}
	if (opt.verify_nothing) {
		engine_config_set_verify(config, ENGINE_VERIFY_NONE);
	}
	engine_config_set_client_auth(config, opt.client_auth);
	return config;
}

static void write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n <= 0) {
			die("write", n < 0 ? strerror(errno) : "nothing written");
		}
		data += n;
		len -= (size_t)n;
	}
}

static void flush(struct link *link, struct engine_hs *hs)
{
	size_t len;
	const uint8_t *pending = engine_hs_pending(hs, &len);

	if (len != 0) {
		write_all(link->fd, pending, len);
		engine_hs_sent(hs, len);
	}
}

/* What came while a connection renegotiated. */
static void take_data(struct link *link, struct engine_hs *hs)
{
	size_t len;
	const uint8_t *data = engine_hs_data(hs, &len);

	if (len != 0) {
		write_all(1, data, len);
		engine_hs_data_taken(hs);
	}
	(void)link;
}

/* Reads with MSG_PEEK, so that nothing behind the handshake is taken. */
static bool drive(struct link *link, struct engine_hs *hs)
{
	uint8_t buf[4096];
	bool ok;

	while (true) {
		ssize_t n;
		size_t used = 0;
		enum engine_err err = engine_hs_error(hs);

		flush(link, hs);
		if (engine_hs_is_done(hs)) {
			break;
		}
		if (err == ENGINE_OK) {
			n = recv(link->fd, buf, sizeof(buf), MSG_PEEK);
			if (n <= 0) {
				fprintf(stderr, "engine_cli: the peer closed the connection in the handshake\n");
				break;
			}
			err = engine_hs_recv(hs, buf, (size_t)n, &used);
			if (recv(link->fd, buf, used, MSG_WAITALL) != (ssize_t)used) {
				die("recv", strerror(errno));
			}
			take_data(link, hs);
		}
		if (err != ENGINE_OK) {
			flush(link, hs);
			fprintf(stderr, "failed: %s, alert %s: %s\n", engine_err_name(err),
				engine_alert_name(engine_hs_alert(hs)), engine_hs_reason(hs));
			break;
		}
	}
	ok = engine_hs_is_done(hs);
	if (ok) {
		fprintf(stderr, "done: %s %s %s %s alpn=%.*s sni=%s peer=%s%s\n",
			engine_version_name(link->conn.version), engine_suite_name(link->conn.suite),
			engine_group_name(link->conn.group), engine_scheme_name(link->conn.scheme),
			(int)link->conn.alpn_len, link->conn.alpn, engine_hs_server_name(hs),
			engine_hs_peer_subject(hs), link->conn.resumed ? " resumed" : "");
	}
	engine_hs_free(hs);
	return ok;
}

static bool handshake(struct link *link)
{
	const struct engine_hs_params params = {
		.config = link->config, .server_name = opt.name, .peer = link->peer};
	char why[ENGINE_REASON_MAX] = "";
	struct engine_hs *hs = engine_hs_new(&params, &link->conn, why);

	if (hs == NULL) {
		die("handshake", why);
	}
	return drive(link, hs);
}

static bool renegotiate(struct link *link, const uint8_t *data, size_t len)
{
	const struct engine_hs_params params = {
		.config = link->config, .server_name = opt.name, .peer = link->peer};
	char why[ENGINE_REASON_MAX] = "";
	struct engine_hs *hs = engine_hs_renegotiate(&params, &link->conn, data, len, why);

	if (hs == NULL) {
		fprintf(stderr, "engine_cli: no renegotiation: %s\n", why);
		return true;
	}
	fprintf(stderr, "renegotiating\n");
	return drive(link, hs);
}

static void send_control(struct link *link)
{
	uint8_t out[ENGINE_CONTROL_MAX];
	size_t len;

	if (engine_control_due(&link->conn)) {
		if (engine_control(&link->conn, link->out, out, &len) != ENGINE_OK) {
			die("control", "failed");
		}
		write_all(link->fd, out, len);
		fprintf(stderr, link->conn.version == ENGINE_TLS13 ? "sent KeyUpdate\n"
								   : "sent no_renegotiation\n");
	}
}

static void send_alert(struct link *link, uint8_t alert)
{
	uint8_t out[ENGINE_CONTROL_MAX];
	size_t len;

	if (engine_seal_alert(&link->conn, link->out, alert, out, &len) == ENGINE_OK) {
		write_all(link->fd, out, len);
	}
}

static void send_data(struct link *link, const uint8_t *data, size_t len)
{
	static uint8_t out[ENGINE_MAX_PLAINTEXT + ENGINE_SEAL_OVERHEAD];
	const struct engine_slice slice = {data, len};
	size_t out_len;

	if (opt.key_updates) {
		link->conn.control_due = 1;
	}
	if (opt.renegotiate && !renegotiate(link, NULL, 0)) {
		die("renegotiation", "failed");
	}
	send_control(link);
	if (engine_seal(&link->conn, link->out, &slice, 1, out, sizeof(out), &out_len) != ENGINE_OK) {
		die("seal", "failed");
	}
	write_all(link->fd, out, out_len);
}

/* One record; false at the end of the peer's data. */
static bool recv_record(struct link *link, struct engine_opened *opened)
{
	static uint8_t record[ENGINE_MAX_RECORD];
	enum engine_err err;
	size_t len;

	if (recv(link->fd, record, ENGINE_RECORD_HEADER_LEN, MSG_WAITALL) != ENGINE_RECORD_HEADER_LEN) {
		fprintf(stderr, "end without close_notify\n");
		return false;
	}
	len = engine_record_len(&link->conn, record);
	if (len > ENGINE_RECORD_HEADER_LEN &&
	    recv(link->fd, record + ENGINE_RECORD_HEADER_LEN, len - ENGINE_RECORD_HEADER_LEN, MSG_WAITALL) !=
		    (ssize_t)(len - ENGINE_RECORD_HEADER_LEN)) {
		fprintf(stderr, "cut within a record\n");
		return false;
	}
	err = engine_open(&link->conn, link->in, record, len != 0 ? len : ENGINE_RECORD_HEADER_LEN, NULL, 0,
			  opened);
	if (err != ENGINE_OK) {
		fprintf(stderr, "failed: %s: %s\n", engine_err_name(err), engine_conn_reason(&link->conn));
		if (engine_alert_due(&link->conn) != 0) {
			send_alert(link, engine_alert_due(&link->conn));
		}
		return false;
	}
	if (opened->event == ENGINE_EVENT_CLOSED) {
		fprintf(stderr, "closed\n");
		return false;
	}
	return true;
}

static void talk(struct link *link, bool is_server)
{
	bool stdin_open = !is_server;
	struct engine_opened opened;

	while (true) {
		struct pollfd fds[2] = {{.fd = link->fd, .events = POLLIN},
					{.fd = stdin_open ? 0 : -1, .events = POLLIN}};
		uint8_t buf[ENGINE_MAX_PLAINTEXT];

		if (poll(fds, 2, -1) < 0) {
			die("poll", strerror(errno));
		}
		if (fds[0].revents != 0) {
			if (!recv_record(link, &opened)) {
				break;
			}
			if (opened.event == ENGINE_EVENT_RENEGOTIATE &&
			    !renegotiate(link, opened.data, opened.data_len)) {
				return;
			}
			send_control(link);
			if (opened.event == ENGINE_EVENT_DATA && is_server) {
				send_data(link, opened.data, opened.data_len);
			} else if (opened.event == ENGINE_EVENT_DATA) {
				write_all(1, opened.data, opened.data_len);
			}
		}
		if (stdin_open && fds[1].revents != 0) {
			ssize_t n = read(0, buf, sizeof(buf));

			if (n <= 0) {
				stdin_open = false;
				send_alert(link, ENGINE_ALERT_CLOSE_NOTIFY);
				if (!opt.wait) {
					return;
				}
			} else {
				send_data(link, buf, (size_t)n);
			}
		}
	}
	send_alert(link, ENGINE_ALERT_CLOSE_NOTIFY);
}

static int open_socket(enum engine_role role, char *target)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = role == ENGINE_SERVER ? AI_PASSIVE : 0};
	char *colon = strrchr(target, ':');
	const char *port = colon != NULL ? colon + 1 : target;
	struct addrinfo *list;
	const int one = 1;
	int fd;

	if (colon != NULL) {
		*colon = '\0';
	}
	if (getaddrinfo(colon != NULL ? target : "127.0.0.1", port, &hints, &list) != 0) {
		die(target, "no such address");
	}
	fd = socket(list->ai_family, SOCK_STREAM, 0);
	if (role == ENGINE_CLIENT) {
		if (connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
			die("connect", strerror(errno));
		}
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, 16) != 0) {
			die("listen", strerror(errno));
		}
		fprintf(stderr, "listening\n");
	}
	freeaddrinfo(list);
	return fd;
}

/* A greeting and its echo, then the end. */
static void greet(struct link *link)
{
	static const uint8_t greeting[] = "greetings\n";
	struct engine_opened opened = {.event = ENGINE_EVENT_NOTHING};

	send_data(link, greeting, sizeof(greeting) - 1);
	while (recv_record(link, &opened)) {
		if (opened.event == ENGINE_EVENT_DATA) {
			write_all(1, opened.data, opened.data_len);
			break;
		}
	}
	send_alert(link, ENGINE_ALERT_CLOSE_NOTIFY);
}

static bool serve(int fd, uint64_t id, struct engine_config *config, const char *peer)
{
	const bool is_server = peer == NULL;
	struct link link = {.fd = fd,
			    .config = config,
			    .peer = peer,
			    .conn = {.id = id},
			    .in = engine_cipher_new(),
			    .out = engine_cipher_new()};
	bool ok = handshake(&link);

	if (ok) {
		if (!is_server && opt.connections > 1) {
			greet(&link);
		} else {
			talk(&link, is_server);
		}
		ok = link.conn.recv_err == ENGINE_OK;
	}
	engine_conn_wipe(&link.conn);
	engine_cipher_free(link.in);
	engine_cipher_free(link.out);
	shutdown(fd, SHUT_WR);
	close(fd);
	return ok;
}

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "C:c:k:n:a:vqQp:V:s:g:S:KRN:w")) != -1) {
		switch (c) {
		case 'C':
			opt.trust = optarg;
			break;
		case 'c':
			opt.chain[opt.n_chains++ % 8] = optarg;
			break;
		case 'k':
			opt.key[opt.n_keys++ % 8] = optarg;
			break;
		case 'n':
			opt.name = optarg;
			break;
		case 'a':
			opt.alpn[opt.n_alpn++ % 8] = optarg;
			break;
		case 'v':
			opt.verify_nothing = true;
			break;
		case 'q':
			opt.client_auth = ENGINE_CLIENT_AUTH_REQUEST;
			break;
		case 'Q':
			opt.client_auth = ENGINE_CLIENT_AUTH_REQUIRE;
			break;
		case 'p':
			opt.profile = optarg;
			break;
		case 'V':
			opt.versions = optarg;
			break;
		case 's':
			opt.suites = optarg;
			break;
		case 'g':
			opt.groups = optarg;
			break;
		case 'S':
			opt.schemes = optarg;
			break;
		case 'R':
			opt.renegotiate = true;
			break;
		case 'K':
			opt.key_updates = true;
			break;
		case 'N':
			opt.connections = atoi(optarg);
			break;
		case 'w':
			opt.wait = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct engine_session_store store = {session_put, session_get, session_drop};
	static const struct engine_env env = {
		.random = random_bytes, .now = now, .sessions = &store, .ticket_keys = ticket_keys};
	struct engine_config *config;
	enum engine_role role;
	bool ok = true;
	int fd = -1;

	if (argc < 3) {
		die("usage", "engine_cli client|server [options] TARGET");
	}
	role = strcmp(argv[1], "server") == 0 ? ENGINE_SERVER : ENGINE_CLIENT;
	parse_options(argc - 1, argv + 1);
	if (!engine_init(&env)) {
		die("engine", "start-up check failed");
	}
	config = make_config(role);
	if (role == ENGINE_SERVER) {
		fd = open_socket(role, argv[argc - 1]);
	}
	for (int i = 0; i < opt.connections; i++) {
		char target[300];
		int peer;

		(void)snprintf(target, sizeof(target), "%s", argv[argc - 1]);
		peer = role == ENGINE_SERVER ? accept(fd, NULL, NULL) : open_socket(role, target);
		if (peer < 0) {
			die("accept", strerror(errno));
		}
		ok = serve(peer, (uint64_t)i + 1, config, role == ENGINE_SERVER ? NULL : argv[argc - 1]) && ok;
	}
	engine_config_unref(config);
	return ok ? 0 : 1;
}
