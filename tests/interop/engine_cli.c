/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small blocking TLS client and server over engine.h, to try the engine against other TLS stacks.
 *
 *   engine_cli client [options] HOST:PORT     stdin to the peer, the peer to stdout
 *   engine_cli server [options] PORT          one connection at a time, echoes what comes
 *
 *   -C FILE  trust anchors         -c FILE  own chain       -k FILE  own key
 *   -n NAME  name to ask for       -a NAME  ALPN, may be given again
 *   -v       verify nothing        -q       request a client certificate     -Q  require one
 *   -K       send a KeyUpdate before each piece of data
 *   -N COUNT serve so many connections (default 1)
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
	const char *trust, *chain, *key, *name, *alpn[8];
	size_t n_alpn;
	bool verify_nothing, key_updates, wait;
	enum engine_client_auth client_auth;
	int connections;
} opt = {.connections = 1};

struct link {
	int fd;
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
	if (opt.chain != NULL) {
		uint8_t *chain = read_file(opt.chain, &chain_len);
		uint8_t *key = read_file(opt.key != NULL ? opt.key : opt.chain, &key_len);

		if (engine_config_add_credential(config, chain, chain_len, key, key_len, why) != ENGINE_OK) {
			die(opt.chain, why);
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

/* Reads with MSG_PEEK, so that nothing behind the handshake is taken. */
static bool handshake(struct link *link, struct engine_config *config)
{
	const struct engine_hs_params params = {.config = config, .server_name = opt.name};
	char why[ENGINE_REASON_MAX] = "";
	struct engine_hs *hs = engine_hs_new(&params, &link->conn, why);
	uint8_t buf[4096];
	bool ok;

	if (hs == NULL) {
		die("handshake", why);
	}
	while (true) {
		ssize_t n;
		size_t used = 0;
		enum engine_err err;

		flush(link, hs);
		if (engine_hs_is_done(hs)) {
			break;
		}
		n = recv(link->fd, buf, sizeof(buf), MSG_PEEK);
		if (n <= 0) {
			fprintf(stderr, "engine_cli: the peer closed the connection in the handshake\n");
			break;
		}
		err = engine_hs_recv(hs, buf, (size_t)n, &used);
		if (recv(link->fd, buf, used, MSG_WAITALL) != (ssize_t)used) {
			die("recv", strerror(errno));
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
		fprintf(stderr, "done: %s %s %s %s alpn=%.*s sni=%s peer=%s\n",
			engine_version_name(link->conn.version), engine_suite_name(link->conn.suite),
			engine_group_name(link->conn.group), engine_scheme_name(link->conn.scheme),
			(int)link->conn.alpn_len, link->conn.alpn, engine_hs_server_name(hs),
			engine_hs_peer_subject(hs));
	}
	engine_hs_free(hs);
	return ok;
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
		fprintf(stderr, "sent KeyUpdate\n");
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

static bool serve(int fd, uint64_t id, struct engine_config *config, bool is_server)
{
	struct link link = {
		.fd = fd, .conn = {.id = id}, .in = engine_cipher_new(), .out = engine_cipher_new()};
	bool ok = handshake(&link, config);

	if (ok) {
		talk(&link, is_server);
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

	while ((c = getopt(argc, argv, "C:c:k:n:a:vqQKN:w")) != -1) {
		switch (c) {
		case 'C':
			opt.trust = optarg;
			break;
		case 'c':
			opt.chain = optarg;
			break;
		case 'k':
			opt.key = optarg;
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
	static const struct engine_env env = {.random = random_bytes, .now = now};
	struct engine_config *config;
	enum engine_role role;
	bool ok = true;
	int fd;

	if (argc < 3) {
		die("usage", "engine_cli client|server [options] TARGET");
	}
	role = strcmp(argv[1], "server") == 0 ? ENGINE_SERVER : ENGINE_CLIENT;
	parse_options(argc - 1, argv + 1);
	if (!engine_init(&env)) {
		die("engine", "start-up check failed");
	}
	config = make_config(role);
	fd = open_socket(role, argv[argc - 1]);
	if (role == ENGINE_CLIENT) {
		ok = serve(fd, 1, config, false);
	}
	for (int i = 0; role == ENGINE_SERVER && i < opt.connections; i++) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0) {
			die("accept", strerror(errno));
		}
		ok = serve(peer, (uint64_t)i + 1, config, true) && ok;
	}
	engine_config_unref(config);
	return ok ? 0 : 1;
}
