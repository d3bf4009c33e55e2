/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that a program image has from the one before it, or from another process.
 */
#ifndef SHIM_INHERIT_H
#define SHIM_INHERIT_H

#include <stdbool.h>

/*
 * At start-up, when the policy is loaded: find the arena of the former image and the connections among our descriptors.
 * Without one, put the connections that a launcher has accepted under the rules for accept.
 */
void inherit_connections(void);
/* The same where no policy can be used: in the place of connections there are sockets that lead nowhere. */
void inherit_nothing(void);
/* A socket has come from elsewhere: take it over if it is a connection of the arena. */
void inherit_one(int fd);
/* A connection has come from a process without the shim: the rules hold for it as for one made now. */
void inherit_from_outside(int fd);
/* May a rule have put this socket, of which we know nothing, under TLS in another process? */
bool inherit_may_be_tls(int fd);

#endif
