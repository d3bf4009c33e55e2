/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session store: a set-associative cache behind one process-shared lock.
 *
 * Implementation notes: an entry lies in the set of WAYS slots that its name falls into; what is full loses
 * its oldest entry, so a lookup and an insertion cost the same however full the store is. The lock is
 * robust: when a process is killed within it, the next one finds out and empties the store, since a
 * half-written session must not be resumed. Whoever comes from a signal handler that interrupted the holder
 * gets nothing, which costs a full handshake and no more.
 */
#include "session_store.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "sys.h"

#define WAYS 8u
/* Sessions of one name: tickets are used once, and a client that opens connections side by side wants several. */
#define SAME_NAME_MAX 4u
#define HEAD_LEN 4096u
#define INIT_LOOKS 1000

struct slot {
	uint8_t id[ENGINE_SESSION_ID_LEN];
	int64_t expires; /* seconds; 0: empty */
	uint64_t order;	 /* counts insertions: greater is newer */
	uint32_t len;
	uint8_t data[ENGINE_SESSION_MAX];
};

struct ticket_keys {
	int64_t made; /* when keys[0] was, CLOCK_REALTIME in seconds; 0: there are none */
	uint32_t n;
	struct engine_ticket_key keys[ENGINE_TICKET_KEYS];
};

struct head {
	_Atomic uint32_t state; /* of the lock: 0 raw, 1 being made, 2 usable */
	pthread_mutex_t lock;
	uint64_t order;
	struct ticket_keys tickets;
};
_Static_assert(sizeof(struct head) <= HEAD_LEN, "the store's head fits its page");

size_t session_store_len(size_t n_sessions)
{
	size_t n = n_sessions < SESSION_STORE_MAX ? n_sessions : SESSION_STORE_MAX;

	return HEAD_LEN + (n + WAYS - 1) / WAYS * WAYS * sizeof(struct slot);
}

static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static struct slot *slots_of(struct head *head)
{
	return (struct slot *)(void *)((uint8_t *)head + HEAD_LEN);
}

static size_t count_slots(void)
{
	return (arena_store_len() - HEAD_LEN) / sizeof(struct slot);
}

static void make_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

/* The first who comes makes the lock. False if it does not become usable: its maker was killed. */
static bool prepare(struct head *head)
{
	uint32_t raw = 0;

	if (atomic_load(&head->state) == 2) {
		return true;
	}
	if (atomic_compare_exchange_strong(&head->state, &raw, 1)) {
		make_lock(&head->lock);
		atomic_store(&head->state, 2);
		return true;
	}
	for (int i = 0; i < INIT_LOOKS && atomic_load(&head->state) != 2; i++) {
		sys_call(SYS_sched_yield, 0, 0, 0);
	}
	return atomic_load(&head->state) == 2;
}

/* The store under its lock; NULL if it cannot be had. */
static struct head *enter(void)
{
	struct head *head = arena_store();
	int rc;

	if (!head || !prepare(head)) {
		return NULL;
	}
	rc = pthread_mutex_lock(&head->lock);
	if (rc == EOWNERDEAD) {
		memset(slots_of(head), 0, count_slots() * sizeof(struct slot));
		explicit_bzero(&head->tickets, sizeof(head->tickets));
		pthread_mutex_consistent(&head->lock);
		rc = 0;
	}
	return rc == 0 ? head : NULL;
}

static void leave(struct head *head)
{
	pthread_mutex_unlock(&head->lock);
}

/*
 * The set that a name falls into: WAYS slots, NULL if the store has none. Names are digests, so their first
 * bytes are even.
 */
static struct slot *set_of(struct head *head, const uint8_t *id)
{
	const size_t n_sets = count_slots() / WAYS;
	uint32_t number;

	if (n_sets == 0) {
		return NULL;
	}
	memcpy(&number, id, sizeof(number));
	return slots_of(head) + number % n_sets * WAYS;
}

static bool is_named(const struct slot *slot, const uint8_t *id)
{
	return slot->expires != 0 && memcmp(slot->id, id, ENGINE_SESSION_ID_LEN) == 0;
}

static void empty(struct slot *slot)
{
	/* other processes see this memory, so no compiler may leave it out */
	memset(slot, 0, sizeof(*slot));
}

/* Where a new session of that name goes: a free slot, the name's oldest if it has enough, else the oldest of all. */
static struct slot *choose(struct slot *set, const uint8_t *id, int64_t now)
{
	struct slot *unused = NULL, *oldest = set, *same = NULL;
	unsigned n_same = 0;

	for (struct slot *slot = set; slot < set + WAYS; slot++) {
		if (slot->expires <= now) {
			unused = slot;
			continue;
		}
		if (is_named(slot, id)) {
			n_same++;
			same = !same || slot->order < same->order ? slot : same;
		}
		oldest = slot->order < oldest->order ? slot : oldest;
	}
	if (same && n_same >= SAME_NAME_MAX) {
		return same;
	}
	return unused ? unused : oldest;
}

static void put(const uint8_t id[static ENGINE_SESSION_ID_LEN], const uint8_t *data, size_t len, int64_t expires)
{
	const int64_t now = now_s();
	struct head *head = len <= ENGINE_SESSION_MAX && expires > now ? enter() : NULL;
	struct slot *set = head ? set_of(head, id) : NULL;

	if (set) {
		struct slot *slot = choose(set, id, now);

		empty(slot);
		memcpy(slot->id, id, ENGINE_SESSION_ID_LEN);
		memcpy(slot->data, data, len);
		slot->len = (uint32_t)len;
		slot->order = ++head->order;
		slot->expires = expires;
	}
	if (head) {
		leave(head);
	}
}

static size_t get(const uint8_t id[static ENGINE_SESSION_ID_LEN], bool take, uint8_t *out)
{
	const int64_t now = now_s();
	struct head *head = enter();
	struct slot *set = head ? set_of(head, id) : NULL;
	struct slot *newest = NULL;
	size_t len = 0;

	for (struct slot *slot = set; set && slot < set + WAYS; slot++) {
		if (is_named(slot, id) && slot->expires > now && (!newest || slot->order > newest->order)) {
			newest = slot;
		}
	}
	if (newest) {
		len = newest->len;
		memcpy(out, newest->data, len);
		if (take) {
			empty(newest);
		}
	}
	if (head) {
		leave(head);
	}
	return len;
}

static void drop(const uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	struct head *head = enter();
	struct slot *set = head ? set_of(head, id) : NULL;

	for (struct slot *slot = set; set && slot < set + WAYS; slot++) {
		if (is_named(slot, id)) {
			empty(slot);
		}
	}
	if (head) {
		leave(head);
	}
}

const struct engine_session_store session_store = { put, get, drop };

static bool get_random(void *out, size_t len)
{
	long n;

	do {
		n = sys_call(SYS_getrandom, out, len, 0);
	} while (n == -EINTR);
	return n == (long)len;
}

/* A fresh key in front, the others move back and the last one is forgotten. */
static void renew(struct ticket_keys *tickets, int64_t now)
{
	struct engine_ticket_key key;

	if (get_random(&key, sizeof(key))) {
		memmove(&tickets->keys[1], &tickets->keys[0], sizeof(key) * (ENGINE_TICKET_KEYS - 1));
		tickets->keys[0] = key;
		tickets->n += tickets->n < ENGINE_TICKET_KEYS;
		tickets->made = now;
	}
	explicit_bzero(&key, sizeof(key));
}

size_t session_ticket_keys(struct engine_ticket_key *keys, size_t room)
{
	const int64_t now = now_s();
	struct head *head = enter();
	struct ticket_keys *tickets;
	size_t n;

	if (!head) {
		return 0;
	}
	tickets = &head->tickets;
	/* a clock that was set back must not keep a key for ever */
	if (tickets->n == 0 || now >= tickets->made + SESSION_KEY_SECONDS || now < tickets->made) {
		if (now >= tickets->made + (int64_t)ENGINE_TICKET_KEYS * SESSION_KEY_SECONDS) {
			explicit_bzero(tickets, sizeof(*tickets));
		}
		renew(tickets, now);
	}
	n = tickets->n < room ? tickets->n : room;
	memcpy(keys, tickets->keys, n * sizeof(*keys));
	leave(head);
	return n;
}
