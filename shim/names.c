/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which names the program has looked up for an address.
 *
 * Implementation notes: the pairs form a log. Pair number n (from 1 on) lies in slot n % NAMES_MAX
 * and is overwritten by pair n + NAMES_MAX; pairs whose addresses hash alike are chained from the
 * newest to the oldest by their numbers, so a chain ends where a number no longer is what its slot
 * holds. A pair that is looked up again gets a new stamp and stays where it is. There is one writer
 * at a time (under the lock); readers check the number before and after, and a writer that
 * disappears in a fork leaves at worst one slot without a number.
 *
 * Each thread keeps the numbers of its latest pairs for itself: a program with one thread per
 * client, each resolving and connecting, must not see the other threads' look-ups in between.
 */
#include "names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sys.h"

#define N_BUCKETS 4096
#define N_OWN 32
/* More names for one address are not worth a rule's look. */
#define FIND_MAX 64

/* An address: IPv4 in its v4-mapped form. */
struct key {
	uint64_t half[2];
};

struct pair {
	_Atomic uint64_t number; /* 0 while it is being written */
	_Atomic uint64_t stamp;	 /* of its latest look-up */
	_Atomic uint64_t previous; /* number of the next older pair in the chain, 0: none */
	_Atomic uint64_t address[2];
	char name[NAMES_LEN_MAX + 1];
};

struct log {
	uint64_t n_pairs; /* numbers given out */
	uint64_t n_stamps;
	_Atomic uint64_t newest[N_BUCKETS];
	struct pair pairs[NAMES_MAX];
};

static _Atomic(struct log *) names_log;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local _Atomic uint64_t own[N_OWN]; /* the latest first */

static bool make_key(const struct sockaddr *addr, socklen_t len, struct key *key)
{
	struct in6_addr ip = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (!addr || len < sizeof(sa_family_t)) {
		return false;
	}
	if (addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		memcpy(&ip.s6_addr[12], &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
	} else if (addr->sa_family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		ip = ((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
	} else {
		return false;
	}
	memcpy(key, &ip, sizeof(*key));
	return true;
}

static size_t bucket_of(const struct key *key)
{
	uint64_t mixed = (key->half[0] ^ key->half[1]) * 0x9e3779b97f4a7c15u;

	return (mixed >> 32) % N_BUCKETS;
}

/* What getaddrinfo() takes for an address: also "127.1", "0x7f000001" and "fe80::1%eth0". */
static bool is_literal(const char *name)
{
	struct in_addr ip;

	return strchr(name, ':') || inet_aton(name, &ip);
}

/* Lower case, no final dot; false if it cannot be a server's name. */
static bool normalise(const char *name, char out[static NAMES_LEN_MAX + 1])
{
	size_t len = name ? strlen(name) : 0;

	if (len > 0 && name[len - 1] == '.') {
		len--;
	}
	if (len == 0 || len > NAMES_LEN_MAX || is_literal(name)) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c <= ' ' || c > '~') {
			return false;
		}
		out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	memset(out + len, 0, NAMES_LEN_MAX + 1 - len);
	return true;
}

static struct pair *slot_of(struct log *log, uint64_t number)
{
	return &log->pairs[number % NAMES_MAX];
}

/*
 * True if pair `number` still is there and is for key. *stamp and *previous are set if it still is
 * there at all, otherwise *previous is 0.
 */
static bool read_pair(struct log *log, uint64_t number, const struct key *key, uint64_t *stamp,
		      uint64_t *previous)
{
	struct pair *pair = slot_of(log, number);
	bool matches;

	*previous = 0;
	if (number == 0 || atomic_load_explicit(&pair->number, memory_order_acquire) != number) {
		return false;
	}
	*stamp = atomic_load_explicit(&pair->stamp, memory_order_relaxed);
	*previous = atomic_load_explicit(&pair->previous, memory_order_relaxed);
	matches = atomic_load_explicit(&pair->address[0], memory_order_relaxed) == key->half[0] &&
		  atomic_load_explicit(&pair->address[1], memory_order_relaxed) == key->half[1];
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&pair->number, memory_order_relaxed) != number) {
		*previous = 0;
		return false;
	}
	return matches;
}

/* ---- writing, under the lock ---- */

static struct log *log_open(void)
{
	struct log *log = atomic_load(&names_log);

	if (!log) {
		log = sys_mmap(NULL, sizeof(*log), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		atomic_store(&names_log, log);
	}
	return log;
}

static uint64_t find_pair(struct log *log, const struct key *key, const char *name)
{
	uint64_t number = atomic_load(&log->newest[bucket_of(key)]);
	uint64_t stamp, previous;

	for (; number; number = previous) {
		if (read_pair(log, number, key, &stamp, &previous) &&
		    strcmp(slot_of(log, number)->name, name) == 0) {
			return number;
		}
	}
	return 0;
}

static uint64_t add_pair(struct log *log, const struct key *key, const char name[static NAMES_LEN_MAX + 1],
			 uint64_t stamp)
{
	_Atomic uint64_t *newest = &log->newest[bucket_of(key)];
	uint64_t number = ++log->n_pairs;
	struct pair *pair = slot_of(log, number);

	atomic_store_explicit(&pair->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&pair->stamp, stamp, memory_order_relaxed);
	atomic_store_explicit(&pair->previous, atomic_load(newest), memory_order_relaxed);
	atomic_store_explicit(&pair->address[0], key->half[0], memory_order_relaxed);
	atomic_store_explicit(&pair->address[1], key->half[1], memory_order_relaxed);
	/* The last byte is 0 for ever: whoever still reads the old name finds its end. */
	memcpy(pair->name, name, NAMES_LEN_MAX);
	atomic_store_explicit(&pair->number, number, memory_order_release);
	atomic_store_explicit(newest, number, memory_order_release);
	return number;
}

/* Put number to the front of this thread's list. */
static void own_push(uint64_t number)
{
	size_t i = 0;

	while (i < N_OWN - 1 && own[i] != number) {
		i++;
	}
	for (; i > 0; i--) {
		own[i] = own[i - 1];
	}
	own[0] = number;
}

void names_remember(const char *name, const struct sockaddr *addr, socklen_t len)
{
	char normal[NAMES_LEN_MAX + 1];
	int saved = errno;
	struct key key;
	struct log *log;
	uint64_t number;

	if (!make_key(addr, len, &key) || !normalise(name, normal)) {
		errno = saved;
		return;
	}
	pthread_mutex_lock(&lock);
	log = log_open();
	if (log) {
		uint64_t stamp = ++log->n_stamps;
		number = find_pair(log, &key, normal);
		if (number) {
			atomic_store_explicit(&slot_of(log, number)->stamp, stamp, memory_order_relaxed);
		} else {
			number = add_pair(log, &key, normal, stamp);
		}
		own_push(number);
	}
	pthread_mutex_unlock(&lock);
	errno = saved;
}

void names_fork_child(void)
{
	lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

/* ---- reading ---- */

/* What names_find() has found: the thread's own first, the rest sorted by stamp. */
struct found {
	const char **name;
	uint64_t stamp[FIND_MAX]; /* of those that are sorted */
	size_t n, n_own, max;
};

static bool found_has(const struct found *found, const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (found->name[i] == name) {
			return true;
		}
	}
	return false;
}

static void found_insert(struct found *found, const char *name, uint64_t stamp)
{
	size_t i;

	if (found->n < found->max) {
		found->n++;
	} else if (found->n == found->n_own || found->stamp[found->n - 1 - found->n_own] >= stamp) {
		return;
	}
	for (i = found->n - 1; i > found->n_own && found->stamp[i - 1 - found->n_own] < stamp; i--) {
		found->name[i] = found->name[i - 1];
		found->stamp[i - found->n_own] = found->stamp[i - 1 - found->n_own];
	}
	found->name[i] = name;
	found->stamp[i - found->n_own] = stamp;
}

size_t names_find(const struct sockaddr *addr, socklen_t len, const char *out[], size_t max)
{
	struct log *log = atomic_load_explicit(&names_log, memory_order_acquire);
	struct found found = { .name = out };
	uint64_t stamp, previous, number;
	struct key key;

	if (!log || !make_key(addr, len, &key)) {
		return 0;
	}
	found.max = max < FIND_MAX ? max : FIND_MAX;
	for (size_t i = 0; i < N_OWN && found.n < found.max; i++) {
		number = own[i];
		/* A signal handler that interrupts own_push() may see one twice. */
		if (read_pair(log, number, &key, &stamp, &previous) &&
		    !found_has(&found, slot_of(log, number)->name, found.n)) {
			out[found.n++] = slot_of(log, number)->name;
		}
	}
	found.n_own = found.n;
	number = atomic_load_explicit(&log->newest[bucket_of(&key)], memory_order_acquire);
	for (; number; number = previous) {
		if (read_pair(log, number, &key, &stamp, &previous) &&
		    !found_has(&found, slot_of(log, number)->name, found.n_own)) {
			found_insert(&found, slot_of(log, number)->name, stamp);
		}
	}
	return found.n;
}
