/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that is client and server at once, in one thread, with calls in every order that makes sense over plain
 * TCP; each prints its outcome, for comparison. one_thread PORT MODE (PORT 0: any)
 *
 *   orders STYLE   all orders of some calls on both ends; STYLE is how it waits for what a call needs:
 *                  block, poll, select, level (epoll), edge (epoll)
 *   addresses      IPv4, IPv6, mapped, wildcard; a listener that is a duplicate, one that is closed
 *   bulk           1 MiB both ways at once, nothing blocks
 *   wrong MARKER   what happens if the client does not trust the server: MARKER must never be on the wire
 *   threads        four clients and four servers in threads, all on their own connections
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../shim/sys.h"

static int port;
static const char *style = "block";

static void say(const char *what, long result)
{
	if (result < 0) {
		printf(" %s:%s", what, strerrorname_np(errno));
	} else {
		printf(" %s:%ld", what, result);
	}
}

static bool is_style(const char *name)
{
	return strcmp(style, name) == 0;
}

static int open_listener(const char *address, struct sockaddr_in6 *addr, socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)addr;
	bool six = strchr(address, ':') != NULL;
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	memset(addr, 0, sizeof(*addr));
	*len = six ? sizeof(*addr) : sizeof(*in);
	addr->sin6_family = six ? AF_INET6 : AF_INET;
	addr->sin6_port = htons((uint16_t)port);
	inet_pton(addr->sin6_family, address, six ? (void *)&addr->sin6_addr : (void *)&in->sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)addr, *len) != 0 || listen(fd, 16) != 0 ||
	    getsockname(fd, (struct sockaddr *)addr, len) != 0) {
		err(1, "listener on %s", address);
	}
	return fd;
}

/* ---- waiting ---- */

static int epoll = -1;

static bool wait_epoll(int fd, short events)
{
	struct epoll_event event = { .events = (uint32_t)events | (is_style("edge") ? (uint32_t)EPOLLET : 0) };

	if (epoll < 0) {
		epoll = epoll_create1(EPOLL_CLOEXEC);
	}
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		return false;
	}
	return epoll_wait(epoll, &event, 1, 3000) == 1 && epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0;
}

/* Until fd is ready for events, 3 s at most. In style block the call itself waits. */
static void await(int fd, short events)
{
	struct pollfd pfd = { fd, events, 0 };
	struct timeval limit = { 3, 0 };
	bool in_time = true;
	fd_set set;

	if (is_style("poll")) {
		in_time = poll(&pfd, 1, 3000) == 1;
	} else if (is_style("select")) {
		FD_ZERO(&set);
		FD_SET(fd, &set);
		in_time = select(fd + 1, events == POLLIN ? &set : NULL, events == POLLOUT ? &set : NULL, NULL,
				 &limit) == 1;
	} else if (!is_style("block")) {
		in_time = wait_epoll(fd, events);
	}
	if (!in_time) {
		printf(" never-ready");
	}
}

/* ---- orders ---- */

static struct {
	int listener, client, server;
	struct sockaddr_in6 addr;
	socklen_t len;
} now;

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | (is_style("block") ? 0 : SOCK_NONBLOCK), 0);
}

static void do_connect(void)
{
	int error = -1;
	socklen_t len = sizeof(error);

	now.client = make_socket();
	say("connect", connect(now.client, (struct sockaddr *)&now.addr, now.len));
	await(now.client, POLLOUT);
	getsockopt(now.client, SOL_SOCKET, SO_ERROR, &error, &len);
	printf(" error:%d", error);
	/* The kernel says 0 once, if nobody else has been told. */
	say("again", connect(now.client, (struct sockaddr *)&now.addr, now.len));
	say("again", connect(now.client, (struct sockaddr *)&now.addr, now.len));
}

static void do_read(const char *what, int fd)
{
	char data[64];
	ssize_t n;

	await(fd, POLLIN);
	n = read(fd, data, sizeof(data));
	say(what, n);
	if (n > 0) {
		printf("=%.*s", (int)n, data);
	}
}

static void do_call(char call)
{
	switch (call) {
	case 'a':
		await(now.listener, POLLIN);
		now.server = accept4(now.listener, NULL, NULL, is_style("block") ? 0 : SOCK_NONBLOCK);
		say("accept", now.server < 0 ? -1 : 0);
		break;
	case 'w':
		await(now.client, POLLOUT);
		say("c.write", write(now.client, "question", 8));
		break;
	case 'r':
		do_read("c.read", now.client);
		break;
	case 'h':
		say("c.shutdown", shutdown(now.client, SHUT_WR));
		break;
	case 'x':
		say("c.close", close(now.client));
		break;
	case 'W':
		await(now.server, POLLOUT);
		say("s.write", write(now.server, "answer", 6));
		break;
	case 'R':
		do_read("s.read", now.server);
		break;
	case 'H':
		say("s.shutdown", shutdown(now.server, SHUT_WR));
		break;
	case 'X':
		say("s.close", close(now.server));
		break;
	default:
		abort();
	}
}

/*
 * Does it make sense, and lead to the same end each time? What is read must have been written, or ended, before;
 * nobody writes to one who has closed; and nobody closes on what has not been read, for that is a reset.
 */
static bool is_sensible(const char *calls)
{
	int unread[2] = { 0, 0 };
	bool ended[2] = { false, false }, closed[2] = { false, false }, accepted = false;

	for (; *calls; calls++) {
		int me = *calls >= 'A' && *calls <= 'Z';
		switch (*calls | 0x20) {
		case 'a':
			accepted = true;
			continue;
		case 'w':
			if (closed[!me]) {
				return false;
			}
			unread[!me]++;
			break;
		case 'r':
			if (unread[me] == 0 && !ended[!me]) {
				return false;
			}
			unread[me] = 0;
			break;
		case 'h':
			if (closed[!me]) {
				return false;
			}
			ended[me] = true;
			break;
		default:
			if (unread[me] > 0) {
				return false;
			}
			ended[me] = closed[me] = true;
		}
		if (me && !accepted) {
			return false;
		}
	}
	return true;
}

static void run_order(const char *calls)
{
	alarm(10);
	printf("%s:", calls);
	now.client = now.server = -1;
	do_connect();
	for (; *calls; calls++) {
		do_call(*calls);
	}
	printf("\n");
	fflush(stdout);
}

/* All ways of putting the rest of both sides in order. */
static void interleave(char *at, char *start, const char *client, const char *server)
{
	if (!*client && !*server) {
		*at = '\0';
		if (is_sensible(start)) {
			run_order(start);
		}
		return;
	}
	if (*client) {
		*at = *client;
		interleave(at + 1, start, client + 1, server);
	}
	if (*server) {
		*at = *server;
		interleave(at + 1, start, client, server + 1);
	}
}

static void orders(void)
{
	static const char *const clients[] = { "wrx", "whrx", "rwx", "hrx", "x", "wx" };
	static const char *const servers[] = { "aRWX", "aWRX", "aWHRX", "aX", "aRRX", "aWX" };
	char calls[16];

	now.listener = open_listener("127.0.0.1", &now.addr, &now.len);
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++) {
		for (size_t j = 0; j < sizeof(servers) / sizeof(*servers); j++) {
			interleave(calls, calls, clients[i], servers[j]);
		}
	}
}

/* ---- addresses ---- */

static void talk(const char *what, int listener, struct sockaddr_in6 *to, socklen_t len)
{
	char data[16];
	int client = socket(to->sin6_family, SOCK_STREAM, 0), server;

	alarm(10);
	printf("%s:", what);
	say("connect", connect(client, (struct sockaddr *)to, len));
	server = accept(listener, NULL, NULL);
	say("accept", server < 0 ? -1 : 0);
	say("write", write(client, "hello", 5));
	say("read", read(server, data, sizeof(data)));
	say("close", close(client));
	say("read", read(server, data, sizeof(data)));
	close(server);
	printf("\n");
}

static void try_address(const char *listen_to, const char *connect_to)
{
	struct sockaddr_in6 addr, to;
	socklen_t len;
	int listener = open_listener(listen_to, &addr, &len);
	bool six = strchr(connect_to, ':') != NULL;

	memset(&to, 0, sizeof(to));
	to.sin6_family = six ? AF_INET6 : AF_INET;
	to.sin6_port = addr.sin6_port;
	inet_pton(to.sin6_family, connect_to, six ? (void *)&to.sin6_addr : (void *)&((struct sockaddr_in *)&to)->sin_addr);
	printf("%s ", listen_to);
	talk(connect_to, listener, &to, six ? sizeof(to) : sizeof(struct sockaddr_in));
	close(listener);
}

static void addresses(void)
{
	struct sockaddr_in6 addr;
	socklen_t len;
	int listener, copy, client;

	try_address("127.0.0.1", "127.0.0.1");
	try_address("0.0.0.0", "127.0.0.1");
	try_address("0.0.0.0", "127.9.8.7");
	try_address("0.0.0.0", "0.0.0.0");
	try_address("::1", "::1");
	try_address("::", "::1");
	try_address("::", "127.0.0.1");
	try_address("::", "::ffff:127.0.0.1");
	try_address("127.0.0.1", "::ffff:127.0.0.1");

	listener = open_listener("127.0.0.1", &addr, &len);
	copy = fcntl(listener, F_DUPFD, 50);
	close(listener);
	talk("duplicate", copy, &addr, len);
	close(copy);
	client = socket(AF_INET, SOCK_STREAM, 0);
	say("closed", connect(client, (struct sockaddr *)&addr, len));
	printf("\n");
}

/* ---- bulk ---- */

#define BULK_LEN (1 << 20)

struct end {
	int fd;
	size_t sent, got;
};

static void pump(struct end *end, unsigned seed_out, unsigned seed_in)
{
	static unsigned char data[65536];
	ssize_t n;
	size_t len = BULK_LEN - end->sent < 5000 ? BULK_LEN - end->sent : 5000;

	for (size_t i = 0; i < len; i++) {
		data[i] = (unsigned char)((end->sent + i) * 31 + seed_out);
	}
	n = len > 0 ? send(end->fd, data, len, MSG_DONTWAIT) : 0;
	if (n < 0 && errno != EAGAIN) {
		err(1, "send");
	}
	end->sent += n > 0 ? (size_t)n : 0;
	n = recv(end->fd, data, sizeof(data), MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN) {
		err(1, "recv");
	}
	for (ssize_t i = 0; i < n; i++) {
		if (data[i] != (unsigned char)((end->got + (size_t)i) * 31 + seed_in)) {
			errx(1, "byte %zu is wrong", end->got + (size_t)i);
		}
	}
	end->got += n > 0 ? (size_t)n : 0;
}

static void bulk(void)
{
	struct sockaddr_in6 addr;
	socklen_t len;
	int listener = open_listener("127.0.0.1", &addr, &len);
	struct end client = { socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), 0, 0 }, server = { -1, 0, 0 };

	alarm(20);
	connect(client.fd, (struct sockaddr *)&addr, len);
	/* Much before anybody accepts, as the kernel takes it. */
	for (int i = 0; i < 40; i++) {
		pump(&client, 1, 2);
	}
	if (client.sent < 65536) {
		errx(1, "only %zu bytes are taken before accept()", client.sent);
	}
	server.fd = accept(listener, NULL, NULL);
	while (client.got < BULK_LEN || server.got < BULK_LEN) {
		pump(&client, 1, 2);
		pump(&server, 2, 1);
	}
	printf("bulk: %zu %zu\n", client.got, server.got);
}

/* ---- wrong ---- */

static void wrong(const char *marker)
{
	unsigned char data[16384];
	struct sockaddr_in6 addr;
	socklen_t len;
	ssize_t n;
	int listener = open_listener("127.0.0.1", &addr, &len);
	int client = socket(AF_INET, SOCK_STREAM, 0), server;

	alarm(10);
	say("connect", connect(client, (struct sockaddr *)&addr, len));
	say("write", write(client, marker, strlen(marker)));
	server = accept(listener, NULL, NULL);
	/* What is in the kernel, past the hooks. */
	n = sys_recv(server, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0 && memmem(data, (size_t)n, marker, strlen(marker))) {
		printf(" MARKER IN CLEAR");
	}
	say("s.read", read(server, data, sizeof(data)));
	say("c.read", read(client, data, sizeof(data)));
	say("c.write", send(client, marker, strlen(marker), MSG_NOSIGNAL));
	say("c.write", send(client, marker, strlen(marker), MSG_NOSIGNAL));
	printf("\n");
}

/* ---- threads ---- */

#define N_THREADS 4
#define N_ROUNDS  25

static int shared_listener;
static struct sockaddr_in6 shared_addr;
static socklen_t shared_len;

static void *serve(void *unused)
{
	(void)unused;
	for (int i = 0; i < N_ROUNDS; i++) {
		char data[64];
		int fd = accept(shared_listener, NULL, NULL);
		ssize_t n;
		if (fd < 0) {
			err(1, "accept");
		}
		while ((n = read(fd, data, sizeof(data))) > 0) {
			if (write(fd, data, (size_t)n) != n) {
				err(1, "answer");
			}
		}
		if (n < 0) {
			err(1, "server's read");
		}
		close(fd);
	}
	return NULL;
}

static void *visit(void *number)
{
	for (int i = 0; i < N_ROUNDS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | (i % 3 == 0 ? SOCK_NONBLOCK : 0), 0);
		struct pollfd pfd = { fd, POLLOUT, 0 };
		char text[16], data[16];
		ssize_t len = snprintf(text, sizeof(text), "%d.%d", (int)(long)number, i), n;

		if (connect(fd, (struct sockaddr *)&shared_addr, shared_len) != 0 && errno != EINPROGRESS) {
			err(1, "connect");
		}
		poll(&pfd, 1, -1);
		if (write(fd, text, (size_t)len) != len) {
			err(1, "client's write");
		}
		if (i % 2) {
			shutdown(fd, SHUT_WR);
		}
		pfd.events = POLLIN;
		do {
			poll(&pfd, 1, -1);
			n = read(fd, data, sizeof(data));
		} while (n < 0 && errno == EAGAIN);
		if (n != len || memcmp(text, data, (size_t)n) != 0) {
			err(1, "client's read: %zd", n);
		}
		close(fd);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t ids[2 * N_THREADS];

	alarm(60);
	shared_listener = open_listener("127.0.0.1", &shared_addr, &shared_len);
	for (long i = 0; i < N_THREADS; i++) {
		pthread_create(&ids[i], NULL, serve, NULL);
		pthread_create(&ids[N_THREADS + i], NULL, visit, (void *)i);
	}
	for (int i = 0; i < 2 * N_THREADS; i++) {
		pthread_join(ids[i], NULL);
	}
	printf("threads: %d\n", N_THREADS * N_ROUNDS);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "";

	port = argc > 1 ? atoi(argv[1]) : 0;
	if (strcmp(mode, "orders") == 0 && argc > 3) {
		style = argv[3];
		orders();
	} else if (strcmp(mode, "addresses") == 0) {
		addresses();
	} else if (strcmp(mode, "bulk") == 0) {
		bulk();
	} else if (strcmp(mode, "wrong") == 0 && argc > 3) {
		wrong(argv[3]);
	} else if (strcmp(mode, "threads") == 0) {
		threads();
	} else {
		errx(2, "usage: one_thread PORT orders STYLE | addresses | bulk | wrong MARKER | threads");
	}
	return 0;
}
