/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A wrapped client and a wrapped server in one process, over loopback TCP, driven through session.h without the hooks.
 */
#ifndef TESTS_UNIT_SESSION_PAIR_H
#define TESTS_UNIT_SESSION_PAIR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../shim/arena.h"
#include "../../shim/fdtab.h"
#include "../../shim/heap.h"
#include "../../shim/real.h"
#include "../../shim/session.h"
#include "../../shim/shim.h"
#include "../../shim/stdio_adopt.h"

/* What the hooks and start-up would provide. */
void stdio_adopt(int fd)
{
	(void)fd;
}

enum shim_state shim_ready(void)
{
	return SHIM_ARMED;
}

const struct policy *shim_policy(void)
{
	return NULL;
}

struct pair {
	int client, server;
};

static struct policy *pair_policy;
static struct policy_verdict pair_client_verdict, pair_server_verdict;

static bool pair_random(uint8_t *buf, size_t len)
{
	return getrandom(buf, len, 0) == (ssize_t)len;
}

static int64_t pair_now(void)
{
	return time(NULL);
}

static void pair_report(void *ctx, enum policy_severity severity, const char *text)
{
	(void)ctx;
	(void)severity;
	print_error("%s\n", text);
}

static void pair_write(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

/* Certificates and a policy in a folder of their own. */
static int pair_setup(void **state)
{
	static const char text[] = "accept 127.0.0.1:* tls { certificate cert.pem; key key.pem }\n"
				   "connect 127.0.0.1:* tls { trust ca.pem; server-name localhost }\n";
	const struct engine_env env = { heap_alloc, heap_free, heap_resize, pair_random, pair_now, NULL, NULL };
	const char *const names[] = { "localhost" };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(1) };
	struct policy_query query = { .addr = (struct sockaddr *)&addr, .addr_len = sizeof(addr) };
	static struct engine_dev_cert cert;
	struct policy_diag diag = { .report = pair_report };
	char dir[] = "/tmp/tlshim-session.XXXXXX", file[64], command[64];
	char why[512];

	(void)state;
	real_init();
	assert_true(engine_init(&env));
	assert_true(fdtab_init());
	assert_true(engine_dev_cert_make(&cert, names, 1, 2, why));
	assert_non_null(mkdtemp(dir));
	pair_write(dir, "ca.pem", cert.ca_pem);
	pair_write(dir, "cert.pem", cert.cert_pem);
	pair_write(dir, "key.pem", cert.key_pem);
	snprintf(file, sizeof(file), "%s/policy", dir);
	pair_policy = policy_parse(text, sizeof(text) - 1, file, &diag);
	assert_non_null(pair_policy);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	query.direction = POLICY_ACCEPT;
	policy_match(pair_policy, &query, &pair_server_verdict);
	query.direction = POLICY_CONNECT;
	policy_match(pair_policy, &query, &pair_client_verdict);
	assert_non_null(policy_rule_config(pair_server_verdict.rule, why));
	assert_non_null(policy_rule_config(pair_client_verdict.rule, why));
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static int pair_teardown(void **state)
{
	(void)state;
	policy_unref(pair_policy);
	return 0;
}

/* Two connected, wrapped sockets; the handshake has not begun. */
static struct pair pair_open(int buffer_size)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	struct pair pair;
	char why[512];
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (buffer_size) {
		setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof(int));
		setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof(int));
	}
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	pair.client = socket(AF_INET, SOCK_STREAM, 0);
	if (buffer_size) {
		setsockopt(pair.client, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof(int));
		setsockopt(pair.client, SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof(int));
	}
	assert_true(session_attach(pair.client, ENGINE_CLIENT, pair_client_verdict.rule,
				   policy_rule_config(pair_client_verdict.rule, why), "localhost",
				   (struct sockaddr *)&addr, len));
	assert_int_equal(connect(pair.client, (struct sockaddr *)&addr, len), 0);
	pair.server = accept(listener, NULL, NULL);
	assert_true(pair.server >= 0);
	assert_true(session_attach(pair.server, ENGINE_SERVER, pair_server_verdict.rule,
				   policy_rule_config(pair_server_verdict.rule, why), NULL, (struct sockaddr *)&addr,
				   len));
	close(listener);
	return pair;
}

/* Both ends through the handshake, in one thread. */
static void pair_shake(const struct pair *pair)
{
	for (int i = 0; i < 100; i++) {
		short events;
		enum session_phase client = session_progress(pair->client, &events);
		enum session_phase server = session_progress(pair->server, &events);
		if (client == SESSION_OPEN && server == SESSION_OPEN) {
			return;
		}
		assert_int_not_equal(client, SESSION_FAILED);
		assert_int_not_equal(server, SESSION_FAILED);
		poll(NULL, 0, 1);
	}
	fail_msg("no handshake");
}

static inline struct pair pair_open_shaken(int buffer_size)
{
	struct pair pair = pair_open(buffer_size);

	pair_shake(&pair);
	return pair;
}

static inline void pair_close(const struct pair *pair)
{
	assert_int_equal(session_close(pair->client), 0);
	assert_int_equal(session_close(pair->server), 0);
}

static inline void pair_nonblocking(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static inline ssize_t put(int fd, const void *buf, size_t len, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len };

	return session_send(fd, &iov, 1, flags);
}

static inline ssize_t get(int fd, void *buf, size_t len, int flags)
{
	struct iovec iov = { buf, len };

	return session_recv(fd, &iov, 1, flags);
}

/* Is fd readable as the kernel sees it? */
static inline bool is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN);
}

/* The same when it ought to be: loopback delivers a little later on a busy machine. */
static inline bool becomes_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 5000) == 1 && (pfd.revents & POLLIN);
}

#endif
