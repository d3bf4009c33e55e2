/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registrations in epoll sets that the shim translates.
 *
 * Implementation notes: both tables are reserved address space that never moves, so tokens can be
 * looked up without the lock. A token is random, but for INDEX_BITS that lead to its slot when
 * XORed with a secret; only an exact match of all 64 bits counts. Free slots form a queue, and the
 * one at its head is taken only when it has rested long enough.
 */
#include "registry.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>

#include "fdtab.h"
#include "sys.h"

#define INDEX_BITS 20
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)
#define REST_MS    1000
#define LATE_MS    100

_Atomic(uint32_t) *registry_heads;
_Atomic unsigned registry_n_heads;
_Atomic int64_t registry_look_ms;

static struct registration *slots;
static uint32_t max_slots;          /* that fit */
static _Atomic uint32_t n_slots;    /* ever used */
static uint32_t resting, last_rest; /* slot + 1: head and tail of the queue */
static uint32_t buckets[256];       /* slot + 1: heads of the chains by session */
static int n_timed;                 /* registrations with a deadline */
static uint64_t secret;
static uint32_t process;

/* ---- lock: 0 free, 1 held, 2 held and somebody waits ---- */

static _Atomic uint32_t lock_word;

static void set_signals(uint64_t new, uint64_t *old)
{
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&new, (long)old, sizeof(new), 0, 0);
}

struct registry_guard registry_lock(void)
{
	struct registry_guard guard;
	uint32_t seen = 0;

	set_signals(~UINT64_C(0), &guard.signals);
	if (atomic_compare_exchange_strong(&lock_word, &seen, 1)) {
		return guard;
	}
	while (atomic_exchange(&lock_word, 2) != 0) {
		sys_call6(SYS_futex, (long)&lock_word, FUTEX_WAIT_PRIVATE, 2, 0, 0, 0);
	}
	return guard;
}

void registry_unlock(struct registry_guard guard)
{
	if (atomic_exchange(&lock_word, 0) == 2) {
		sys_call6(SYS_futex, (long)&lock_word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
	}
	set_signals(guard.signals, NULL);
}

/* ---- memory ---- */

static void *reserve(size_t len)
{
	return sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);
}

static uint64_t random_u64(void)
{
	uint64_t value = 0;
	struct timespec now;

	if (sys_call(SYS_getrandom, &value, sizeof(value), 0) == (long)sizeof(value)) {
		return value;
	}
	/*
	 * A sandbox forbids it. What matters is that no value of the program's equals a token by
	 * chance.
	 */
	clock_gettime(CLOCK_MONOTONIC, &now);
	value = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)slots;
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	return (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
}

static bool init(void)
{
	unsigned n_heads = fdtab_size;
	void *heads;

	if (registry_n_heads) {
		return true;
	}
	if (n_heads == 0) {
		return false;
	}
	heads = reserve(n_heads * sizeof(*registry_heads));
	if (!heads) {
		return false;
	}
	for (max_slots = 1u << INDEX_BITS; max_slots >= 1024; max_slots /= 4) {
		slots = reserve(max_slots * sizeof(*slots));
		if (slots) {
			break;
		}
	}
	if (!slots) {
		sys_munmap(heads, n_heads * sizeof(*registry_heads));
		return false;
	}
	secret = random_u64();
	registry_heads = heads;
	atomic_store_explicit(&registry_n_heads, n_heads, memory_order_release);
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* A slot for use, NULL if there is none. */
static struct registration *take_slot(void)
{
	uint32_t n = n_slots;
	struct registration *slot;

	if (resting && (now_ms() - slots[resting - 1].freed_ms >= REST_MS || n == max_slots)) {
		slot = &slots[resting - 1];
		resting = slot->next;
		if (!resting) {
			last_rest = 0;
		}
		return slot;
	}
	if (n == max_slots) {
		return NULL;
	}
	slot = &slots[n];
	atomic_store(&n_slots, n + 1);
	return slot;
}

/* ---- the table ---- */

struct registration *registry_add(int epfd, int fd)
{
	struct registration *slot;
	uint64_t index, token;

	if (!init() || (unsigned)fd >= registry_n_heads) {
		return NULL;
	}
	slot = take_slot();
	if (!slot) {
		return NULL;
	}
	index = (uint64_t)(slot - slots);
	do {
		token = (random_u64() & ~INDEX_MASK) | ((index ^ secret) & INDEX_MASK);
	} while (token == 0 || token == atomic_load(&slot->token));
	slot->session = 0;
	slot->told_early = false;
	slot->deadline_ms = 0;
	slot->next_of_session = 0;
	slot->epfd = epfd;
	slot->fd = fd;
	slot->process = process;
	slot->next = registry_heads[fd];
	slot->state = REGISTRATION_NONE;
	atomic_store(&slot->token, token);
	atomic_store_explicit(&registry_heads[fd], (uint32_t)index + 1, memory_order_release);
	return slot;
}

struct registration *registry_first(int fd)
{
	return registry_has(fd) ? &slots[registry_heads[fd] - 1] : NULL;
}

struct registration *registry_next(const struct registration *registration)
{
	return registration->next ? &slots[registration->next - 1] : NULL;
}

static uint32_t *bucket_of(uint64_t session)
{
	return &buckets[session * UINT64_C(0x9e3779b97f4a7c15) >> 56];
}

static struct registration *skip_others(uint32_t number, uint64_t session)
{
	while (number && slots[number - 1].session != session) {
		number = slots[number - 1].next_of_session;
	}
	return number ? &slots[number - 1] : NULL;
}

struct registration *registry_first_of_session(uint64_t session)
{
	return session ? skip_others(*bucket_of(session), session) : NULL;
}

struct registration *registry_next_of_session(const struct registration *registration)
{
	return skip_others(registration->next_of_session, registration->session);
}

void registry_set_session(struct registration *registration, uint64_t session)
{
	uint32_t number = (uint32_t)(registration - slots) + 1;

	if (registration->session == session) {
		return;
	}
	if (registration->session) {
		uint32_t *link = bucket_of(registration->session);
		while (*link && *link != number) {
			link = &slots[*link - 1].next_of_session;
		}
		*link = registration->next_of_session;
	}
	registration->session = session;
	registration->next_of_session = 0;
	if (session) {
		registration->next_of_session = *bucket_of(session);
		*bucket_of(session) = number;
	}
}

static void look_at(int64_t deadline_ms)
{
	int64_t look = registry_look_ms;

	if (deadline_ms && (look == 0 || deadline_ms + LATE_MS < look)) {
		registry_look_ms = deadline_ms + LATE_MS;
	}
}

void registry_set_deadline(struct registration *registration, int64_t deadline_ms)
{
	n_timed += (deadline_ms != 0) - (registration->deadline_ms != 0);
	registration->deadline_ms = deadline_ms;
	look_at(deadline_ms);
	if (n_timed == 0) {
		registry_look_ms = 0; /* an idle program is not woken */
	}
}

struct registration *registry_find(int epfd, int fd)
{
	for (struct registration *r = registry_first(fd); r; r = registry_next(r)) {
		if (r->epfd == epfd) {
			return r;
		}
	}
	return NULL;
}

void registry_remove(struct registration *registration)
{
	uint32_t number = (uint32_t)(registration - slots) + 1;
	uint32_t next = registration->next;

	if (registry_heads[registration->fd] == number) {
		atomic_store_explicit(&registry_heads[registration->fd], next, memory_order_release);
	} else {
		struct registration *r = registry_first(registration->fd);
		while (r && r->next != number) {
			r = registry_next(r);
		}
		if (r) {
			r->next = next;
		}
	}
	registry_set_session(registration, 0);
	registry_set_deadline(registration, 0);
	registration->state = REGISTRATION_NONE;
	registration->freed_ms = now_ms();
	registration->next = 0;
	if (last_rest) {
		slots[last_rest - 1].next = number;
	} else {
		resting = number;
	}
	last_rest = number;
}

unsigned registry_collect_late(int64_t now, struct registration *late, unsigned max)
{
	unsigned n = 0;

	registry_look_ms = 0;
	for (uint32_t i = 0; i < n_slots; i++) {
		struct registration *r = &slots[i];
		if (r->state != REGISTRATION_WAITING || r->deadline_ms == 0) {
			continue;
		}
		if (r->deadline_ms <= now && n < max) {
			late[n++] = *r;
			r->deadline_ms = 0;
			n_timed--;
		} else {
			look_at(r->deadline_ms);
		}
	}
	return n;
}

struct registration *registry_renew(struct registration *registration)
{
	struct registration *r = registry_add(registration->epfd, registration->fd);

	if (r) {
		r->user = registration->user;
		r->kernel_events = registration->kernel_events;
		r->state = registration->state;
		r->process = registration->process;
		registry_set_session(r, registration->session);
		registry_set_deadline(r, registration->deadline_ms);
		registry_remove(registration);
	}
	return r;
}

bool registry_is_token(uint64_t data)
{
	uint64_t index = (data ^ secret) & INDEX_MASK;

	return data != 0 && index < atomic_load_explicit(&n_slots, memory_order_acquire) &&
	       atomic_load(&slots[index].token) == data;
}

struct registration *registry_by_token(uint64_t token)
{
	struct registration *slot = &slots[(token ^ secret) & INDEX_MASK];

	if (!registry_is_token(token) || slot->state == REGISTRATION_NONE) {
		return NULL;
	}
	return slot;
}

uint32_t registry_process(void)
{
	return process;
}

static struct registry_guard fork_guard;
static bool is_forking; /* protected by the lock */

void registry_fork_prepare(void)
{
	struct registry_guard guard = registry_lock();

	fork_guard = guard;
	is_forking = true;
}

static struct registry_guard end_fork(void)
{
	struct registry_guard guard = fork_guard;

	is_forking = false;
	return guard;
}

void registry_fork_parent(void)
{
	registry_unlock(end_fork());
}

void registry_fork_child(void)
{
	process++;
	/*
	 * Without prepare (a bare clone) nobody holds the lock in here either: its holder stayed
	 * behind.
	 */
	if (is_forking) {
		registry_unlock(end_fork());
	} else {
		atomic_store(&lock_word, 0);
	}
}
