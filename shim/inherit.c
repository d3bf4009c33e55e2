/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that a program image has from the one before it, or from another process.
 *
 * Implementation notes: TLSHIM_ARENA in the environment says that there was an arena. If it cannot be had, nobody knows which sockets are in the
 * middle of a TLS connection, so those that a rule might have wrapped are shut: plaintext must not get into them. Where whoever started
 * us had no shim, connections are judged by their addresses, as if they were made now.
 */
#include "inherit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "accept.h"
#include "ahead.h"
#include "arena.h"
#include "connect.h"
#include "fdtab.h"
#include "listeners.h"
#include "log.h"
#include "openfds.h"
#include "session.h"
#include "shim.h"
#include "stdio_adopt.h"
#include "sys.h"

/* States of TCP, which the kernel numbers in a header that programs do not see. */
#define STATE_ESTABLISHED 1
#define STATE_CLOSE_WAIT  8

static bool arena_is_lost;

/* Might a rule have put this socket under TLS? */
static bool may_be_wrapped(int fd)
{
	struct sockaddr_in6 peer;
	struct policy_verdict verdict;
	socklen_t len = sizeof(peer);

	long rc = sys_call(SYS_getpeername, fd, &peer, &len);

	if (rc != 0) {
		return rc == -ENOBUFS; /* the only one that does not say that there is no connection */
	}
	if (peer.sin6_family != AF_INET && peer.sin6_family != AF_INET6) {
		return false;
	}
	return policy_may_match(shim_policy(), POLICY_CONNECT, ntohs(peer.sin6_port)) ||
	       !accept_verdict(fd, &verdict) || verdict.action != POLICY_PLAIN;
}

void inherit_one(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 ? errno == EBADF : !S_ISSOCK(st.st_mode)) {
		return;
	}
	if (arena_is_open()) {
		session_adopt(fd, accept_config_for);
	} else if (arena_is_lost && may_be_wrapped(fd)) {
		log_error("descriptor %d may be a TLS connection, whose state cannot be reached: it is shut", fd);
		sys_shutdown(fd, SHUT_RDWR);
	}
}

static void inherit_each(int fd, void *ctx)
{
	(void)ctx;
	inherit_one(fd);
}

/* Is this the end of a TCP connection? */
static bool is_connection(int fd)
{
	struct sockaddr_in6 peer;
	socklen_t len = sizeof(int);
	int protocol = 0;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) != 0 || protocol != IPPROTO_TCP) {
		return false;
	}
	len = sizeof(peer);
	return sys_call(SYS_getpeername, fd, &peer, &len) == 0;
}

/*
 * Who connected? To the kernel a SYN that is answered counts as a byte that is acknowledged, though none was sent; of the
 * other end's it counts none. 1: this end, 0: the other, -1: it cannot be said while data is under way.
 */
static int opened_here(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
	    len < offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof(info.tcpi_bytes_retrans) ||
	    (info.tcpi_state != STATE_ESTABLISHED && info.tcpi_state != STATE_CLOSE_WAIT) || info.tcpi_unacked != 0) {
		return -1;
	}
	return info.tcpi_bytes_acked > info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
}

/* If the kernel does not say it, ports do: a service has a lower one than those that are chosen for clients. */
static bool looks_like_client(int fd, const struct sockaddr_in6 *peer)
{
	struct sockaddr_in6 local;
	socklen_t len = sizeof(local);
	int is_client = opened_here(fd);

	if (is_client >= 0) {
		return is_client;
	}
	return sys_call(SYS_getsockname, fd, &local, &len) == 0 && ntohs(local.sin6_port) > ntohs(peer->sin6_port);
}

bool inherit_may_be_tls(int fd)
{
	return is_connection(fd) && may_be_wrapped(fd);
}

/* Nobody has asked the policy about this connection yet. */
static void wrap_connection(int fd, void *ctx)
{
	struct sockaddr_in6 peer;
	socklen_t len = sizeof(peer);

	(void)ctx;
	/* Standard input and output are often one socket: the second is the session of the first. */
	inherit_one(fd);
	if (fdtab_is_wrapped(fd) || !is_connection(fd)) {
		return;
	}
	if (!accept_wrap(fd)) {
		sys_shutdown(fd, SHUT_RDWR);
	} else if (!fdtab_is_wrapped(fd) && sys_call(SYS_getpeername, fd, &peer, &len) == 0 &&
		   looks_like_client(fd, &peer) &&
		   connect_plan(fd, (struct sockaddr *)&peer, len) == CONNECT_REFUSED) {
		sys_shutdown(fd, SHUT_RDWR);
	}
}

void inherit_from_outside(int fd)
{
	wrap_connection(fd, NULL);
}

/* A dead end in the place of fd: shutting the socket itself would end other processes' connection, too. */
static void cut_connection(int fd, void *ctx)
{
	int pair[2];

	(void)ctx;
	if (!is_connection(fd)) {
		return;
	}
	if (sys_socketpair(SOCK_STREAM, pair) != 0) {
		sys_shutdown(fd, SHUT_RDWR);
		return;
	}
	sys_close(pair[1]);
	if (sys_call(SYS_dup3, pair[0], fd, 0) < 0) {
		sys_shutdown(fd, SHUT_RDWR);
	}
	sys_close(pair[0]);
}

static void inherit_from_image(const char *arena)
{
	arena_is_lost = !arena_inherit(arena);
	openfds_each(inherit_each, NULL);
	if (!arena_is_lost) {
		session_exec_arrived();
		ahead_exec_arrived();
	}
}

/* Was the process that started this image one with the shim, but without an arena? ":PID:0", see arena_env(). */
static bool had_no_arena(const char *value)
{
	long pid = value[0] == ':' ? strtol(value + 1, NULL, 10) : 0;

	return pid > 0 && (pid == sys_getpid() || pid == sys_call(SYS_getppid, 0, 0, 0));
}

static void note_listener(int fd, void *ctx)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	(void)ctx;
	if (sys_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens && accept_may_be_tls(fd)) {
		listeners_note(fd);
	}
}

void inherit_connections(void)
{
	const char *value = getenv("TLSHIM_ARENA");

	if (value && value[0] != ':') {
		inherit_from_image(value);
	} else if (!value || !had_no_arena(value)) {
		openfds_each(wrap_connection, NULL);
	}
	unsetenv("TLSHIM_ARENA");
	for (int fd = 0; fd <= 2; fd++) {
		if (fdtab_is_wrapped(fd)) {
			stdio_adopt(fd);
		}
	}
	if (policy_has(shim_policy(), POLICY_ACCEPT) && policy_has(shim_policy(), POLICY_CONNECT)) {
		openfds_each(note_listener, NULL);
	}
	log_connections_known();
}

void inherit_nothing(void)
{
	openfds_each(cut_connection, NULL);
	unsetenv("TLSHIM_ARENA");
}
