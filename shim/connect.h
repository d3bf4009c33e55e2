/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the policy says of a connection that is about to be made, for connect() and for sendto(MSG_FASTOPEN).
 */
#ifndef SHIM_CONNECT_H
#define SHIM_CONNECT_H

#include <sys/socket.h>

enum connect_plan {
	CONNECT_PLAIN,	 /* not ours */
	CONNECT_TLS,	 /* a client session is attached to fd: go on with connect_now() */
	CONNECT_REFUSED, /* errno says why; logged */
};
enum connect_plan connect_plan(int fd, const struct sockaddr *addr, socklen_t len);
/* connect(2) of a descriptor that connect_plan() put under TLS, with the handshake. */
int connect_now(int fd, const struct sockaddr *addr, socklen_t len);

#endif
