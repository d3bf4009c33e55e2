/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of `faults` share.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TOTAL 24000 /* bytes that the client sends */

/* Names a call that failed, with its errno. Returns rc. */
long note(const char *what, long rc);
void make_bytes(char *out, size_t at, size_t n);
/* Ends the program if these are not what was sent. */
void check_bytes(const char *bytes, size_t at, size_t n);
/* One connection out, one in; -1 if it failed. */
int connect_out(int flags);
int take(int flags);

/* Scenarios whose ends do not block (loop.c). */
struct half {
	int fd;
	size_t sent, got;
	bool is_server, is_done;
};
void step(struct half *half); /* as far as it goes without waiting */
void run_poll(void);
void run_select(void);
void run_epoll(void);

#endif
