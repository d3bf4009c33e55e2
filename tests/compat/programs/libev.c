/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libev: libev serve|fork|call PORT METHOD; METHOD: epoll, poll or select. "fork": the child serves in the parent's loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A source, what was read of it, and where that goes. */
struct copy {
	ev_io io; /* first: a watcher is its copy */
	int from, to;
	char part[30000];
	size_t at, len;
};

static void wait_for(EV_P_ struct copy *c, int fd, int events)
{
	ev_io_stop(EV_A_ & c->io);
	ev_io_set(&c->io, fd, events);
	ev_io_start(EV_A_ & c->io);
}

/* 1 copied, 0 end, -1 it has to wait, -2 error */
static int copy_part(struct copy *c)
{
	ssize_t n;

	if (c->len == 0) {
		n = read(c->from, c->part, sizeof(c->part));
		if (n <= 0) {
			return n == 0 ? 0 : errno == EAGAIN ? -1 : -2;
		}
		c->at = 0;
		c->len = (size_t)n;
	}
	n = write(c->to, c->part + c->at, c->len);
	if (n < 0) {
		return errno == EAGAIN ? -1 : -2;
	}
	c->at += (size_t)n;
	c->len -= (size_t)n;
	return 1;
}

/* ---- server ---- */

static void serve(EV_P_ ev_io *io, int events)
{
	struct copy *c = (struct copy *)io;
	int rc = copy_part(c);

	(void)events;
	if (rc == 0 || rc == -2) {
		ev_io_stop(EV_A_ io);
		close(c->from);
		free(c);
	} else {
		wait_for(EV_A_ c, c->from, c->len > 0 ? EV_WRITE : EV_READ);
	}
}

static void accepted(EV_P_ ev_io *io, int events)
{
	int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK);
	struct copy *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

	(void)events;
	if (c) {
		c->from = c->to = fd;
		ev_io_init(&c->io, serve, fd, EV_READ);
		ev_io_start(EV_A_ & c->io);
	}
}

/* ---- client ---- */

static void call_read(EV_P_ ev_io *io, int events)
{
	int rc;

	while ((rc = copy_part((struct copy *)io)) == 1) {
	}
	(void)events;
	if (rc == -2) {
		exit(1);
	}
	if (rc == 0) {
		ev_break(EV_A_ EVBREAK_ALL);
	}
}

static void call_write(EV_P_ ev_io *io, int events)
{
	static int is_connected;
	struct copy *c = (struct copy *)io;
	socklen_t len = sizeof(errno);
	int rc;

	(void)events;
	if (!is_connected && (getsockopt(c->to, SOL_SOCKET, SO_ERROR, &errno, &len) != 0 || errno != 0)) {
		perror("connect");
		exit(1);
	}
	is_connected = 1;
	rc = copy_part(c);
	if (rc == -2) {
		exit(1);
	}
	if (rc == 0) {
		ev_io_stop(EV_A_ io);
		shutdown(c->to, SHUT_WR);
	}
}

int main(int argc, char **argv)
{
	static struct copy in, out;
	static ev_io listener;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
	struct ev_loop *loop;

	if (argc != 4) {
		return 2;
	}
	loop = ev_default_loop(EVFLAG_NOENV | (argv[3][0] == 'p'   ? EVBACKEND_POLL
					       : argv[3][0] == 's' ? EVBACKEND_SELECT
								   : EVBACKEND_EPOLL));
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	if (strcmp(argv[1], "call") != 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (!loop || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 64) != 0) {
			return 1;
		}
		if (strcmp(argv[1], "fork") == 0) {
			if (fork() > 0) {
				return wait(NULL) < 0;
			}
			ev_loop_fork(loop);
		}
		ev_io_init(&listener, accepted, fd, EV_READ);
		ev_io_start(loop, &listener);
		return ev_run(loop, 0);
	}
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0 && errno != EINPROGRESS) {
		return 1;
	}
	in.from = out.to = fd;
	in.to = STDOUT_FILENO;
	ev_io_init(&in.io, call_read, fd, EV_READ);
	ev_io_init(&out.io, call_write, fd, EV_WRITE);
	ev_io_start(loop, &in.io);
	ev_io_start(loop, &out.io);
	ev_run(loop, 0);
	return 0;
}
