/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP client that looks names up: name_client PORT HOW NAME…
 *
 * For each NAME: looks it up (HOW: gai, host, host2, host_r, host2_r), connects, and says what it
 * reads. HOW late looks all names up first, each in a thread of its own that then waits, and
 * connects in the threads. literal: no look-up.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static in_port_t port;
static const char *how;
static pthread_barrier_t all_know;
static char answers[16][200];
static char **names;

static struct in_addr look_up(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *info;
	struct hostent entry, *host = NULL;
	struct in_addr ip;
	char buf[2048];
	int h_err;

	if (strcmp(how, "literal") == 0) {
		inet_aton(name, &ip);
		return ip;
	}
	if (strcmp(how, "host") == 0) {
		host = gethostbyname(name);
	} else if (strcmp(how, "host2") == 0) {
		host = gethostbyname2(name, AF_INET);
	} else if (strcmp(how, "host_r") == 0) {
		gethostbyname_r(name, &entry, buf, sizeof(buf), &host, &h_err);
	} else if (strcmp(how, "host2_r") == 0) {
		gethostbyname2_r(name, AF_INET, &entry, buf, sizeof(buf), &host, &h_err);
	} else if (getaddrinfo(name, NULL, &hints, &info) == 0) {
		ip = ((struct sockaddr_in *)info->ai_addr)->sin_addr;
		freeaddrinfo(info);
		return ip;
	}
	if (!host) {
		errx(1, "%s: no address", name);
	}
	memcpy(&ip, host->h_addr_list[0], sizeof(ip));
	return ip;
}

static void ask(const char *name, struct in_addr ip, char answer[static 200])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = port, .sin_addr = ip };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char line[100] = "";

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		snprintf(answer, 200, "%s: %s", name, strerrorname_np(errno));
	} else {
		ssize_t n = read(fd, line, sizeof(line) - 1);
		snprintf(answer, 200, "%s: %.*s", name, n > 0 ? (int)n : 0, line);
	}
	close(fd);
}

static void *in_thread(void *ctx)
{
	size_t i = (size_t)ctx;
	struct in_addr ip = look_up(names[i]);

	pthread_barrier_wait(&all_know);
	ask(names[i], ip, answers[i]);
	return NULL;
}

int main(int argc, char **argv)
{
	size_t n = argc > 3 ? (size_t)argc - 3 : 0;
	pthread_t threads[16];

	if (n == 0 || n > 16) {
		errx(2, "usage: name_client PORT HOW NAME...");
	}
	port = htons((in_port_t)atoi(argv[1]));
	how = argv[2];
	names = argv + 3;
	if (strcmp(how, "late") == 0) {
		pthread_barrier_init(&all_know, NULL, (unsigned)n);
		for (size_t i = 0; i < n; i++) {
			pthread_create(&threads[i], NULL, in_thread, (void *)i);
		}
		for (size_t i = 0; i < n; i++) {
			pthread_join(threads[i], NULL);
		}
	} else {
		for (size_t i = 0; i < n; i++) {
			ask(names[i], look_up(names[i]), answers[i]);
		}
	}
	for (size_t i = 0; i < n; i++) {
		puts(answers[i]);
	}
	return 0;
}
