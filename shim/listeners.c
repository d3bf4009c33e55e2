/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which listeners this process has.
 *
 * Implementation notes: listen() puts them down; close() and dup() of unwrapped descriptors cost nothing and tell
 * nothing. So a listener is known by its socket's identity, and its descriptor is a guess: if it is something else by
 * now, all open descriptors are looked at once. Who else has it stands in a list that the processes of a family share:
 * who forks is on it, with the child. A process that has closed its copy stays on it while it lives, which errs to the
 * side of caution: LISTENERS_SHARED means to wait a little.
 *
 * An entry belongs to who moves its cookie from 0 to BUSY; readers check afterwards that the cookie is what it was.
 */
#include "listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "holders.h"
#include "openfds.h"
#include "sys.h"

#define LISTENERS_MAX 64
#define BUSY	      1u /* no socket's cookie: the kernel begins higher */
#define V6_ONLY	      0x10000u

struct listener {
	_Atomic uint64_t cookie; /* SO_COOKIE; 0: the entry is free */
	_Atomic int fd;
	_Atomic uint64_t hi, lo; /* its address; see struct address_end */
	_Atomic uint32_t port;	 /* and V6_ONLY */
	struct holders *_Atomic holders;
};

static struct listener table[LISTENERS_MAX];
static _Atomic unsigned n_noted;
/* One list for each entry, mapped by the process that lists_pid says; the children share it. */
static struct holders *_Atomic lists;
static _Atomic pid_t lists_pid;

static bool is_at(int fd, uint64_t cookie)
{
	return sys_socket_cookie(fd) == cookie;
}

struct search {
	uint64_t cookie;
	int found;
};

static void see(int fd, void *ctx)
{
	struct search *search = ctx;

	if (search->found < 0 && is_at(fd, search->cookie)) {
		search->found = fd;
	}
}

/* Does this process have the listener of an entry still, under whatever number? */
static bool is_here(struct listener *entry, uint64_t cookie)
{
	struct search search = { cookie, -1 };

	if (is_at(atomic_load(&entry->fd), cookie)) {
		return true;
	}
	openfds_each(see, &search);
	if (search.found >= 0) {
		atomic_store(&entry->fd, search.found);
	}
	return search.found >= 0;
}

static bool is_shared(struct listener *entry)
{
	return holders_besides(atomic_load(&entry->holders), sys_getpid());
}

/* ---- listen ---- */

static struct holders *own_lists(void)
{
	struct holders *mapped;

	if (atomic_load(&lists_pid) == sys_getpid()) {
		return atomic_load(&lists);
	}
	mapped = sys_mmap(NULL, LISTENERS_MAX * sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	if (mapped) {
		/* What the parent mapped stays: entries point to it. */
		atomic_store(&lists, mapped);
		atomic_store(&lists_pid, sys_getpid());
	}
	return mapped;
}

static struct listener *claim(void)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < LISTENERS_MAX; i++) {
			uint64_t none = 0;
			if (atomic_compare_exchange_strong(&table[i].cookie, &none, BUSY)) {
				return &table[i];
			}
		}
		for (size_t i = 0; i < LISTENERS_MAX; i++) {
			uint64_t cookie = atomic_load(&table[i].cookie);
			if (cookie > BUSY && !is_at(atomic_load(&table[i].fd), cookie)) {
				atomic_compare_exchange_strong(&table[i].cookie, &cookie, 0);
			}
		}
	}
	return NULL;
}

static bool is_noted(uint64_t cookie, int fd)
{
	for (size_t i = 0; i < LISTENERS_MAX; i++) {
		if (atomic_load(&table[i].cookie) == cookie) {
			atomic_store(&table[i].fd, fd);
			return true;
		}
	}
	return false;
}

static void fill(struct listener *entry, int fd, const struct sockaddr_in6 *addr, struct holders *list)
{
	struct address_end end = address_end(addr);
	int v6_only = 0;
	socklen_t len = sizeof(v6_only);

	if (addr->sin6_family == AF_INET6) {
		sys_getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len);
	}
	for (int i = 0; i < HOLDERS_ROOM; i++) {
		atomic_store(&list->pids[i], 0);
	}
	atomic_store(&list->n_more, 0);
	holders_add(list, sys_getpid());
	atomic_store(&entry->holders, list);
	atomic_store(&entry->fd, fd);
	atomic_store(&entry->hi, end.hi);
	atomic_store(&entry->lo, end.lo);
	atomic_store(&entry->port, end.port | (v6_only ? V6_ONLY : 0));
}

void listeners_note(int fd)
{
	uint64_t cookie = sys_socket_cookie(fd);
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);
	struct listener *entry;
	struct holders *list;

	if (cookie <= BUSY || is_noted(cookie, fd) || sys_call(SYS_getsockname, fd, &addr, &len) != 0) {
		return;
	}
	list = own_lists();
	entry = list ? claim() : NULL;
	if (!entry) {
		return; /* connect() then waits for the handshake, as it does with everybody else's listeners */
	}
	fill(entry, fd, &addr, &list[entry - table]);
	atomic_store(&entry->cookie, cookie);
	atomic_fetch_add(&n_noted, 1);
}

/* ---- connect ---- */

bool listeners_are_noted(void)
{
	return atomic_load(&n_noted) > 0;
}

static bool is_loopback(const struct address_end *end)
{
	return address_end_is_v4(end) ? (end->lo >> 24 & 0xff) == 127 : end->hi == 0 && end->lo == 1;
}

/* The entry that takes connections to `to`; its cookie, or 0. */
static uint64_t takes(struct listener *entry, const struct address_end *to, const struct address_end *from)
{
	uint64_t cookie = atomic_load(&entry->cookie);
	struct address_end end = { atomic_load(&entry->hi), atomic_load(&entry->lo), to->port };
	uint32_t port = atomic_load(&entry->port);
	bool matches;

	if (cookie <= BUSY || (port & ~V6_ONLY) != to->port) {
		return 0;
	}
	if (!address_end_is_any(&end)) {
		matches = address_same_end(&end, to);
	} else if (address_end_is_v4(to) ? (port & V6_ONLY) != 0 : address_end_is_v4(&end)) {
		matches = false;
	} else {
		/* Who connects to an address of this machine does it from there, unless bound otherwise. */
		matches = is_loopback(to) || (from->hi == to->hi && from->lo == to->lo);
	}
	return matches && atomic_load(&entry->cookie) == cookie ? cookie : 0;
}

enum listeners_answer listeners_find(const struct address_end *to, const struct address_end *from)
{
	enum listeners_answer answer = LISTENERS_NONE;
	int saved = errno;

	for (size_t i = 0; listeners_are_noted() && i < LISTENERS_MAX; i++) {
		uint64_t cookie = takes(&table[i], to, from);
		if (!cookie) {
			continue;
		}
		if (is_shared(&table[i])) {
			answer = LISTENERS_SHARED;
			break;
		}
		if (is_here(&table[i], cookie)) {
			answer = LISTENERS_OURS;
			break;
		}
		atomic_compare_exchange_strong(&table[i].cookie, &cookie, 0);
	}
	errno = saved;
	return answer;
}

void listeners_fork_child(void)
{
	for (size_t i = 0; listeners_are_noted() && i < LISTENERS_MAX; i++) {
		uint64_t cookie = atomic_load(&table[i].cookie);
		if (cookie == BUSY) {
			atomic_store(&table[i].cookie, 0); /* whoever was at it is not in this process */
		} else if (cookie) {
			holders_add(atomic_load(&table[i].holders), sys_getpid());
		}
	}
}
