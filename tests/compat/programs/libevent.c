/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libevent's bufferevents: libevent serve|call PORT METHOD; METHOD: epoll, changelist (of epoll), et, poll or select. */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING_MAX 200000

static struct event_base *base;
static int status = 1;

static size_t pending(struct bufferevent *b)
{
	return evbuffer_get_length(bufferevent_get_output(b));
}

/* ---- server ---- */

static void serve_read(struct bufferevent *b, void *ctx)
{
	(void)ctx;
	bufferevent_write_buffer(b, bufferevent_get_input(b));
	if (pending(b) > PENDING_MAX) {
		bufferevent_disable(b, EV_READ);
	}
}

static void serve_written(struct bufferevent *b, void *ctx)
{
	if (ctx) {
		bufferevent_free(b); /* the client had ended */
	} else {
		bufferevent_enable(b, EV_READ);
	}
}

static void serve_event(struct bufferevent *b, short what, void *ctx)
{
	if ((what & BEV_EVENT_ERROR) || pending(b) == 0) {
		bufferevent_free(b);
	} else {
		bufferevent_setcb(b, NULL, serve_written, serve_event, &base);
	}
	(void)ctx;
}

static void accepted(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer, int len, void *ctx)
{
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l, (void)peer, (void)len, (void)ctx;
	bufferevent_setcb(b, serve_read, serve_written, serve_event, NULL);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

/* ---- client ---- */

static void call_read(struct bufferevent *b, void *ctx)
{
	(void)ctx;
	while (evbuffer_get_length(bufferevent_get_input(b)) > 0) {
		if (evbuffer_write(bufferevent_get_input(b), STDOUT_FILENO) < 0) {
			exit(1);
		}
	}
}

static void call_write(struct bufferevent *b, void *ctx)
{
	static int is_done;
	char part[30000];
	ssize_t n = is_done ? -1 : read(STDIN_FILENO, part, sizeof(part));

	(void)ctx;
	if (n > 0) {
		bufferevent_write(b, part, (size_t)n);
	} else if (!is_done) {
		is_done = 1;
		shutdown(bufferevent_getfd(b), SHUT_WR);
	}
}

static void call_event(struct bufferevent *b, short what, void *ctx)
{
	(void)ctx;
	if (what & BEV_EVENT_CONNECTED) {
		call_write(b, NULL);
		return;
	}
	status = what & BEV_EVENT_EOF ? 0 : 1;
	event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char *methods[] = { "epoll", "poll", "select" };
	struct event_config *config = event_config_new();
	struct bufferevent *b;

	if (argc != 4) {
		return 2;
	}
	at.sin_port = htons((uint16_t)atoi(argv[2]));
	if (strcmp(argv[3], "changelist") == 0) {
		event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	} else if (strcmp(argv[3], "et") == 0) {
		event_config_require_features(config, EV_FEATURE_ET);
	} else {
		for (int i = 0; i < 3; i++) {
			if (strcmp(methods[i], argv[3]) != 0) {
				event_config_avoid_method(config, methods[i]);
			}
		}
	}
	base = event_base_new_with_config(config);
	if (strcmp(argv[1], "serve") == 0) {
		if (!evconnlistener_new_bind(base, accepted, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 64,
					     (struct sockaddr *)&at, sizeof(at))) {
			return 1;
		}
		return event_base_dispatch(base);
	}
	b = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(b, call_read, call_write, call_event, NULL);
	bufferevent_enable(b, EV_READ | EV_WRITE);
	bufferevent_socket_connect(b, (struct sockaddr *)&at, sizeof(at));
	event_base_dispatch(base);
	bufferevent_free(b);
	return status;
}
