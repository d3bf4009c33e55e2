/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of `equiv` share: the state of a sequence, its two connected sockets, and one function for
 * each kind of call.
 *
 * Ends 0 (the client) and 1 (the server) live in one process, its threads and a forked child. What a call did
 * is said into the log.
 */
#ifndef EQUIV_H
#define EQUIV_H

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS 4
#define BIG     70000
#define CAP     15000 /* bytes in flight at most, where their number counts */

/* Kinds of calls; kinds.def says how often each is drawn. */
enum kind {
#define KIND(name, weight, where) KIND_##name,
#include "kinds.def"
#undef KIND
	N_KINDS,
	KIND_END = 100
};

struct op {
	int kind, end, variant, n, flags, k;
};

/* What all processes know. Direction d: what end d has sent. */
struct shared {
	uint64_t sent[2], got[2];
	bool shut_wr[2], shut_rd[2], nonblocking[2];
	int n_naps; /* of 10 ms, while something did not arrive */
	size_t log_len;
	char log[1 << 18];
};
extern struct shared *state;

extern int fds[2][MAX_FDS], n_fds[2]; /* descriptors of this process */
extern int epoll_fd, listener, port, closed_port;
extern volatile sig_atomic_t n_pipe; /* SIGPIPEs */
extern pid_t child;                  /* that runs calls too; 0: none */

#define OP(name)                  void run_##name(const struct op *op);
#define KIND(name, weight, where) OP(name)
#include "kinds.def"
#undef KIND
#undef OP

/* Random numbers of the sequence, and others for choices whose number depends on what the kernel does. */
void draw_from(uint64_t seed);
uint32_t draw(uint32_t below);
uint32_t draw_aside(uint32_t below);
struct op draw_op(void);

/* ---- the log ---- */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_result(long n); /* with errno's name if it is negative */

/* ---- the sockets (ends.c) ---- */
uint8_t byte_at(int direction, uint64_t at);
void make_bytes(int end, uint64_t at, uint8_t *out, size_t n);
bool is_right(int end, uint64_t at, const uint8_t *bytes, size_t n);
int a_fd(const struct op *op);
int available(int end); /* bytes on their way to it */
bool is_whole(void);    /* nobody has shut anything */
int64_t now_ms(void);
bool is_ready(int fd, short events);
void set_blocking(int end, bool on);
void restore_blocking(void);
void set_timeout(int fd, int option, int ms);
bool read_all(int end);            /* what is on its way to end; false: it is not right */
void await_arrival(void);          /* of what has been sent at the other end, ends of streams too */
void await_room(void);             /* until acknowledgements have emptied the kernel's buffers */
int connect_to(int to, int flags); /* a new socket, connect() called; errno is connect's */
int accept_one(int flags);
struct sockaddr_in address_of(int to);
void close_quietly(int fd);

/* n bytes in n_iov pieces, some of which may be empty. */
void cut(struct iovec *iov, int n_iov, uint8_t *bytes, int n, int k);

#endif
