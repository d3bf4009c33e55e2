/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP relay that records: tap [--cut-up N | --cut-down N] [--reset] LISTEN TARGET DIRECTORY
 *
 * Connection I's bytes go to DIRECTORY/I.up (from the client) and DIRECTORY/I.down. --cut-up N ends both connections
 * once N bytes have gone up (--cut-down: down), with a FIN, or with a reset if --reset is given.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct flow {
	int from, to, file;
	long left; /* until the cut; -1: no cut */
	bool open;
};

static long cut_up = -1, cut_down = -1;
static bool cut_by_reset;
static struct sockaddr_in target;
static const char *directory;
static int n_connections;

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return false;
		}
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Returns false when the connection is to be cut. */
static bool pass_on(struct flow *flow)
{
	char data[65536];
	size_t max = flow->left >= 0 && flow->left < (long)sizeof(data) ? (size_t)flow->left : sizeof(data);
	ssize_t n = read(flow->from, data, max);

	if (n < 0 && errno == EINTR) {
		return true;
	}
	if (n <= 0) {
		flow->open = false;
		if (n < 0) {
			return false;
		}
		(void)shutdown(flow->to, SHUT_WR);
		return true;
	}
	if (!write_all(flow->file, data, (size_t)n)) {
		err(1, "recording");
	}
	if (!write_all(flow->to, data, (size_t)n)) {
		return false;
	}
	if (flow->left >= 0) {
		flow->left -= n;
		return flow->left > 0;
	}
	return true;
}

static int record_file(int number, const char *direction)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%d.%s", directory, number, direction);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		err(1, "%s", path);
	}
	return fd;
}

static void *relay(void *arg)
{
	int client = (int)(long)arg;
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1, number = __atomic_add_fetch(&n_connections, 1, __ATOMIC_RELAXED);
	struct linger hard = {.l_onoff = 1};
	struct flow flows[2] = {
		{client, server, record_file(number, "up"), cut_up, true},
		{server, client, record_file(number, "down"), cut_down, true},
	};

	(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(server, (struct sockaddr *)&target, sizeof(target)) != 0) {
		warn("connect");
		flows[0].open = flows[1].open = false;
	}
	while (flows[0].open || flows[1].open) {
		struct pollfd fds[2];

		for (int i = 0; i < 2; i++) {
			fds[i] = (struct pollfd){.fd = flows[i].open ? flows[i].from : -1, .events = POLLIN};
		}
		if (poll(fds, 2, -1) < 0 && errno != EINTR) {
			err(1, "poll");
		}
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents && !pass_on(&flows[i])) {
				flows[0].open = flows[1].open = false;
				if (cut_by_reset) {
					(void)setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
					(void)setsockopt(server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
				}
				break;
			}
		}
	}
	close(flows[0].file);
	close(flows[1].file);
	close(server);
	close(client);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		if (strcmp(argv[1], "--reset") == 0) {
			cut_by_reset = true;
		} else if (strcmp(argv[1], "--cut-up") == 0 && argc > 2) {
			cut_up = atol(argv[2]);
			argc--, argv++;
		} else if (strcmp(argv[1], "--cut-down") == 0 && argc > 2) {
			cut_down = atol(argv[2]);
			argc--, argv++;
		} else {
			errx(2, "unknown option %s", argv[1]);
		}
	}
	if (argc != 4) {
		errx(2, "usage: tap [--cut-up N | --cut-down N] [--reset] LISTEN TARGET DIRECTORY");
	}
	signal(SIGPIPE, SIG_IGN);
	directory = argv[3];
	target = here;
	here.sin_port = htons((uint16_t)atoi(argv[1]));
	target.sin_port = htons((uint16_t)atoi(argv[2]));
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(listener, 1024) != 0) {
		err(1, "port %s", argv[1]);
	}
	for (;;) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (client >= 0 && pthread_create(&thread, NULL, relay, (void *)(long)client) == 0) {
			pthread_detach(thread);
		}
	}
}
