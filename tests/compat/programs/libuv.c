/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libuv: libuv serve|pass|call PORT. "serve" tries to write at once, and queues what is left; "pass" hands each
 * connection over a pipe to a child, which serves it ("child", its end of the pipe is descriptor 3).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t *loop;
static uv_pipe_t channel;

struct message {
	uv_write_t request; /* first: a request is its message */
	char *data;
};

static void give_buffer(uv_handle_t *h, size_t len, uv_buf_t *buf)
{
	(void)h;
	*buf = uv_buf_init(malloc(len), (unsigned)len);
}

static void closed(uv_handle_t *h)
{
	free(h);
}

/* ---- server ---- */

static void ended(uv_shutdown_t *request, int rc)
{
	(void)rc;
	uv_close((uv_handle_t *)request->handle, closed);
	free(request);
}

static void written(uv_write_t *request, int rc)
{
	struct message *m = (struct message *)request;

	(void)rc;
	free(m->data);
	free(m);
}

static void serve(uv_stream_t *s, ssize_t len, const uv_buf_t *buf)
{
	uv_buf_t rest = uv_buf_init(buf->base, len > 0 ? (unsigned)len : 0);
	struct message *m;
	int n;

	if (len < 0) {
		uv_shutdown_t *request = malloc(sizeof(*request));

		free(buf->base);
		if (len != UV_EOF || uv_shutdown(request, s, ended) != 0) {
			free(request);
			uv_close((uv_handle_t *)s, closed);
		}
		return;
	}
	n = len > 0 ? uv_try_write(s, &rest, 1) : 0;
	if (n == len) {
		free(buf->base);
		return;
	}
	n = n > 0 ? n : 0;
	m = malloc(sizeof(*m));
	m->data = buf->base;
	rest = uv_buf_init(buf->base + n, (unsigned)(len - n));
	uv_write(&m->request, s, &rest, 1, written);
}

static uv_tcp_t *take(uv_stream_t *from)
{
	uv_tcp_t *connection = malloc(sizeof(*connection));

	uv_tcp_init(loop, connection);
	if (uv_accept(from, (uv_stream_t *)connection) != 0) {
		uv_close((uv_handle_t *)connection, closed);
		return NULL;
	}
	return connection;
}

static void accepted(uv_stream_t *listener, int rc)
{
	uv_tcp_t *connection = rc == 0 ? take(listener) : NULL;

	if (connection) {
		uv_read_start((uv_stream_t *)connection, give_buffer, serve);
	}
}

/* ---- server that passes its connections on ---- */

static void passed(uv_write_t *request, int rc)
{
	struct message *m = (struct message *)request;

	if (rc != 0) {
		fprintf(stderr, "pass: %s\n", uv_strerror(rc));
	}
	uv_close((uv_handle_t *)m->data, closed);
	free(m);
}

static void pass(uv_stream_t *listener, int rc)
{
	uv_tcp_t *connection = rc == 0 ? take(listener) : NULL;
	uv_buf_t byte = uv_buf_init("c", 1);
	struct message *m;

	if (connection) {
		m = malloc(sizeof(*m));
		m->data = (char *)connection;
		uv_write2(&m->request, (uv_stream_t *)&channel, &byte, 1, (uv_stream_t *)connection, passed);
	}
}

static void child_read(uv_stream_t *s, ssize_t len, const uv_buf_t *buf)
{
	free(buf->base);
	if (len < 0) {
		exit(0);
	}
	while (uv_pipe_pending_count((uv_pipe_t *)s) > 0) {
		accepted(s, 0);
	}
}

static int start_child(char *program)
{
	static uv_process_t process;
	char *args[] = { program, "child", "3", NULL };
	uv_stdio_container_t stdio[4] = {
		{ .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = 1 },
		{ .flags = UV_INHERIT_FD, .data.fd = 2 },
		{ .flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&channel },
	};
	const uv_process_options_t options = { .file = program, .args = args, .stdio = stdio, .stdio_count = 4 };

	uv_pipe_init(loop, &channel, 1);
	return uv_spawn(loop, &process, &options);
}

/* ---- client ---- */

static void call_ended(uv_shutdown_t *request, int rc)
{
	(void)request, (void)rc;
}

static void call_more(uv_stream_t *s);

static void call_written(uv_write_t *request, int rc)
{
	uv_stream_t *s = request->handle;

	written(request, rc);
	if (rc != 0) {
		exit(1);
	}
	call_more(s);
}

static void call_more(uv_stream_t *s)
{
	static uv_shutdown_t end;
	struct message *m = malloc(sizeof(*m));
	ssize_t n;
	uv_buf_t buf;

	m->data = malloc(30000);
	n = read(STDIN_FILENO, m->data, 30000);
	if (n <= 0) {
		written(&m->request, 0);
		uv_shutdown(&end, s, call_ended);
		return;
	}
	buf = uv_buf_init(m->data, (unsigned)n);
	uv_write(&m->request, s, &buf, 1, call_written);
}

static void call_read(uv_stream_t *s, ssize_t len, const uv_buf_t *buf)
{
	if (len > 0) {
		fwrite(buf->base, 1, (size_t)len, stdout);
	}
	free(buf->base);
	if (len < 0) {
		if (len != UV_EOF) {
			exit(1);
		}
		uv_close((uv_handle_t *)s, NULL);
	}
}

static void connected(uv_connect_t *request, int rc)
{
	if (rc != 0) {
		fprintf(stderr, "connect: %s\n", uv_strerror(rc));
		exit(1);
	}
	uv_read_start(request->handle, give_buffer, call_read);
	call_more(request->handle);
}

int main(int argc, char **argv)
{
	static uv_connect_t request;
	static uv_tcp_t tcp;
	struct sockaddr_in at;

	if (argc != 3) {
		return 2;
	}
	loop = uv_default_loop();
	if (strcmp(argv[1], "child") == 0) {
		uv_pipe_init(loop, &channel, 1);
		uv_pipe_open(&channel, 3);
		uv_read_start((uv_stream_t *)&channel, give_buffer, child_read);
		return uv_run(loop, UV_RUN_DEFAULT);
	}
	uv_ip4_addr("127.0.0.1", atoi(argv[2]), &at);
	uv_tcp_init(loop, &tcp);
	if (strcmp(argv[1], "call") == 0) {
		uv_tcp_connect(&request, &tcp, (struct sockaddr *)&at, connected);
		uv_run(loop, UV_RUN_DEFAULT);
		return fflush(stdout);
	}
	if (strcmp(argv[1], "pass") == 0 && start_child(argv[0]) != 0) {
		return 1;
	}
	uv_tcp_bind(&tcp, (struct sockaddr *)&at, 0);
	if (uv_listen((uv_stream_t *)&tcp, 64, argv[1][0] == 'p' ? pass : accepted) != 0) {
		return 1;
	}
	return uv_run(loop, UV_RUN_DEFAULT);
}
