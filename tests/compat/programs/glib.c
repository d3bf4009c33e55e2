/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GLib: glib serve|threads|call PORT: GSocketService with splices or GThreadedSocketService, and GSocketClient. */
#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static GInputStream *input_of(gpointer c)
{
	return g_io_stream_get_input_stream(G_IO_STREAM(c));
}

static GOutputStream *output_of(gpointer c)
{
	return g_io_stream_get_output_stream(G_IO_STREAM(c));
}

static gboolean serve_in_thread(GThreadedSocketService *s, GSocketConnection *c, GObject *source, gpointer ctx)
{
	char part[20000];
	gssize n;

	(void)s, (void)source, (void)ctx;
	while ((n = g_input_stream_read(input_of(c), part, sizeof(part), NULL, NULL)) > 0 &&
	       g_output_stream_write_all(output_of(c), part, (gsize)n, NULL, NULL, NULL)) {
	}
	return TRUE;
}

static void spliced(GObject *output, GAsyncResult *result, gpointer c)
{
	g_output_stream_splice_finish(G_OUTPUT_STREAM(output), result, NULL);
	g_io_stream_close(c, NULL, NULL);
	g_object_unref(c);
}

static gboolean serve(GSocketService *s, GSocketConnection *c, GObject *source, gpointer ctx)
{
	(void)s, (void)source, (void)ctx;
	g_output_stream_splice_async(output_of(c), input_of(c), 0, 0, NULL, spliced, g_object_ref(c));
	return TRUE;
}

static gpointer send_all(gpointer c)
{
	char part[30000];
	ssize_t n;

	while ((n = read(STDIN_FILENO, part, sizeof(part))) > 0 &&
	       g_output_stream_write_all(output_of(c), part, (gsize)n, NULL, NULL, NULL)) {
	}
	g_socket_shutdown(g_socket_connection_get_socket(c), FALSE, TRUE, NULL);
	return NULL;
}

static void connected(GObject *client, GAsyncResult *result, gpointer loop)
{
	GError *error = NULL;
	GSocketConnection *c = g_socket_client_connect_to_host_finish(G_SOCKET_CLIENT(client), result, &error);
	char part[30000];
	GThread *sender;
	gssize n;

	if (!c) {
		g_printerr("connect: %s\n", error->message);
		exit(1);
	}
	sender = g_thread_new("send", send_all, c);
	while ((n = g_input_stream_read(input_of(c), part, sizeof(part), NULL, &error)) > 0) {
		fwrite(part, 1, (size_t)n, stdout);
	}
	g_thread_join(sender);
	if (error || fflush(stdout) != 0) {
		exit(1);
	}
	g_io_stream_close(G_IO_STREAM(c), NULL, NULL);
	g_main_loop_quit(loop);
}

int main(int argc, char **argv)
{
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	GSocketService *s;

	if (argc != 3) {
		return 2;
	}
	if (strcmp(argv[1], "call") == 0) {
		g_socket_client_connect_to_host_async(g_socket_client_new(), "localhost", (guint16)atoi(argv[2]), NULL, connected,
						      loop);
		g_main_loop_run(loop);
		return 0;
	}
	if (strcmp(argv[1], "threads") == 0) {
		s = g_threaded_socket_service_new(50);
		g_signal_connect(s, "run", G_CALLBACK(serve_in_thread), NULL);
	} else {
		s = g_socket_service_new();
		g_signal_connect(s, "incoming", G_CALLBACK(serve), NULL);
	}
	if (!g_socket_listener_add_inet_port(G_SOCKET_LISTENER(s), (guint16)atoi(argv[2]), NULL, NULL)) {
		return 1;
	}
	g_socket_service_start(s);
	g_main_loop_run(loop);
	return 0;
}
