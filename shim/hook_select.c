/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * select and pselect.
 *
 * Implementation notes: the caller's sets are copied, changed where wrapped descriptors are in
 * them, and given to a real pselect; so everything else about the call is the kernel's own answer.
 * Programs that pass getdtablesize() as n_fds with an ordinary fd_set are common: the kernel looks
 * no further than its own descriptor table. Hence large n_fds are copied by the kernel, which stops
 * where memory ends, and of the result only words that changed go back.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "fdtab.h"
#include "memory.h"
#include "ready.h"
#include "real.h"
#include "session.h"
#include "sys.h"
#include "unserved.h"

#define WORD_BITS     ((int)(8 * sizeof(unsigned long)))
#define N_SMALL_WORDS (FD_SETSIZE / WORD_BITS)

enum which { SET_IN, SET_OUT, SET_EXCEPT, N_SETS };

struct sets {
	int n_fds;
	size_t n_words;               /* of each set */
	bool is_large;                /* n_fds goes beyond an fd_set */
	unsigned long *user[N_SETS];  /* the caller's; may be NULL */
	unsigned long *asked[N_SETS]; /* what the program asked for */
	unsigned long *sent[N_SETS];  /* what the kernel gets and answers */
};

static inline bool has_bit(const unsigned long *words, int fd)
{
	return words[fd / WORD_BITS] >> (fd % WORD_BITS) & 1;
}

static inline void put_bit(unsigned long *words, int fd, bool on)
{
	unsigned long bit = 1ul << (fd % WORD_BITS);

	words[fd / WORD_BITS] = on ? words[fd / WORD_BITS] | bit : words[fd / WORD_BITS] & ~bit;
}

/* The next wrapped descriptor after fd in any of the sets, -1 if there is none. */
static int next_wrapped(const struct sets *sets, unsigned long *const words[N_SETS], int fd)
{
	size_t word = (size_t)(fd + 1) / (size_t)WORD_BITS;
	unsigned long from = ~0ul << ((fd + 1) % WORD_BITS);

	for (; word < sets->n_words; word++, from = ~0ul) {
		unsigned long any = 0;
		for (int i = 0; i < N_SETS; i++) {
			any |= words[i] ? words[i][word] : 0;
		}
		for (any &= from; any; any &= any - 1) {
			int found = (int)word * WORD_BITS + __builtin_ctzl(any);
			if (found < sets->n_fds && fdtab_is_wrapped(found)) {
				return found;
			}
		}
	}
	return -1;
}

static void see(int fd, fdtab_entry entry, void *ctx)
{
	struct sets *sets = ctx;

	(void)entry;
	for (int i = 0; i < N_SETS; i++) {
		sets->is_large |= sets->user[i] && has_bit(sets->user[i], fd);
	}
}

/* Is a wrapped descriptor in a set? Touches no word of a large set that the kernel would not. */
static bool is_concerned(const struct sets *sets)
{
	struct sets seen = *sets;

	if (!sets->is_large) {
		return next_wrapped(sets, sets->user, -1) >= 0;
	}
	seen.is_large = false;
	fdtab_each(0, (unsigned)sets->n_fds - 1, see, &seen);
	return seen.is_large;
}

/* Copy as much of a large set as there is memory; the rest is 0. */
static void copy_large(unsigned long *to, const unsigned long *from, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct iovec local = { .iov_base = (char *)to + done, .iov_len = len - done };
		struct iovec remote = { .iov_base = (void *)((const char *)from + done),
					.iov_len = len - done };
		long n = sys_call6(SYS_process_vm_readv, sys_getpid(), (long)&local, 1, (long)&remote,
				   1, 0);
		if (n <= 0) {
			break;
		}
		done += (size_t)n;
	}
	if (done == 0) {
		memcpy(to, from, len); /* a sandbox forbids it: trust n_fds */
	}
}

static void copy_sets(struct sets *sets)
{
	size_t len = sets->n_words * sizeof(unsigned long);

	for (int i = 0; i < N_SETS; i++) {
		if (!sets->user[i]) {
			continue;
		}
		if (sets->is_large) {
			copy_large(sets->asked[i], sets->user[i], len);
		} else {
			memcpy(sets->asked[i], sets->user[i], len);
		}
	}
}

static void give_back(const struct sets *sets)
{
	for (int i = 0; i < N_SETS; i++) {
		if (!sets->user[i]) {
			continue;
		}
		for (size_t word = 0; word < sets->n_words; word++) {
			if (!sets->is_large || sets->sent[i][word] != sets->asked[i][word]) {
				sets->user[i][word] = sets->sent[i][word] & sets->asked[i][word];
			}
		}
	}
}

static short asked_events(unsigned long *const words[N_SETS], int fd)
{
	return (short)((has_bit(words[SET_IN], fd) ? POLLIN : 0) |
		       (has_bit(words[SET_OUT], fd) ? POLLOUT : 0));
}

/* Make the sets for the kernel. True if something can be answered at once. */
static bool ask_all(const struct sets *sets, struct ready_deadline *until)
{
	bool have_news = false;

	for (int i = 0; i < N_SETS; i++) {
		memcpy(sets->sent[i], sets->asked[i], sets->n_words * sizeof(unsigned long));
	}
	for (int fd = -1; (fd = next_wrapped(sets, sets->asked, fd)) >= 0;) {
		short now;
		short events = ready_ask(fd, asked_events(sets->asked, fd), &now, until);
		put_bit(sets->sent[SET_IN], fd, events & POLLIN);
		put_bit(sets->sent[SET_OUT], fd, events & POLLOUT);
		put_bit(sets->sent[SET_EXCEPT], fd, false);
		have_news |= (now & (POLLIN | POLLOUT)) != 0;
	}
	return have_news;
}

/*
 * Turn the kernel's answer, of n_ready bits, into the program's. Returns the number of bits in
 * that.
 */
static int answer_all(const struct sets *sets, int n_ready, bool *again)
{
	for (int fd = -1; (fd = next_wrapped(sets, sets->asked, fd)) >= 0;) {
		short events = asked_events(sets->asked, fd);
		short said = asked_events(sets->sent, fd);
		short seen = session_phase(fd) == SESSION_FAILED
				     ? ready_failed(events)
				     : ready_answer(fd, events, said, again);
		bool in = (events & POLLIN) && (seen & (POLLIN | POLLHUP | POLLERR));
		bool out = (events & POLLOUT) && (seen & (POLLOUT | POLLERR));
		n_ready += in + out - ((said & POLLIN) != 0) - ((said & POLLOUT) != 0);
		put_bit(sets->sent[SET_IN], fd, in);
		put_bit(sets->sent[SET_OUT], fd, out);
	}
	return n_ready;
}

/* Ask for these as well, as far as there is room. Returns what n_fds is with them. */
static int ask_beside(const struct sets *sets, const struct pollfd *beside, size_t n)
{
	int n_fds = sets->n_fds;

	for (size_t i = 0; i < n; i++) {
		int fd = beside[i].fd;
		if ((size_t)fd / (size_t)WORD_BITS < sets->n_words) {
			put_bit(sets->sent[SET_IN], fd, beside[i].events & POLLIN);
			put_bit(sets->sent[SET_OUT], fd, beside[i].events & POLLOUT);
			n_fds = fd < n_fds ? n_fds : fd + 1;
		}
	}
	return n_fds;
}

/* Take them out of the kernel's answer, and move them on. Returns how many bits they were. */
static int answer_beside(const struct sets *sets, struct pollfd *beside, size_t n)
{
	int n_bits = 0;

	for (size_t i = 0; i < n; i++) {
		int fd = beside[i].fd;
		if ((size_t)fd / (size_t)WORD_BITS < sets->n_words) {
			beside[i].revents = asked_events(sets->sent, fd);
			n_bits += has_bit(sets->sent[SET_IN], fd) + has_bit(sets->sent[SET_OUT], fd);
			put_bit(sets->sent[SET_IN], fd, false);
			put_bit(sets->sent[SET_OUT], fd, false);
		}
	}
	unserved_move(beside, n);
	return n_bits;
}

static int wait_translated(struct sets *sets, const struct ready_deadline *deadline,
			   const sigset_t *mask)
{
	static const struct timespec at_once;
	struct pollfd beside[UNSERVED_ROOM];
	struct timespec left;
	int saved = errno;

	copy_sets(sets);
	for (;;) {
		struct ready_deadline until = *deadline;
		bool have_news = ask_all(sets, &until);
		size_t n_beside = unserved_any() ? unserved_gather(beside, &until) : 0;
		int n_fds = ask_beside(sets, beside, n_beside);
		bool again = false;
		int n_ready;
		int said =
			REAL(pselect)(n_fds, (fd_set *)sets->sent[SET_IN],
				      (fd_set *)sets->sent[SET_OUT],
				      sets->user[SET_EXCEPT] ? (fd_set *)sets->sent[SET_EXCEPT] : NULL,
				      have_news ? &at_once : ready_time_left(&until, &left), mask);

		if (said < 0) {
			if (!have_news || errno != EINTR) {
				return -1;
			}
			/* The news outweighs the signal, as in the kernel. It changed no set. */
			for (int i = 0; i < N_SETS; i++) {
				memset(sets->sent[i], 0, sets->n_words * sizeof(unsigned long));
			}
			errno = saved;
			said = 0;
		}
		said -= answer_beside(sets, beside, n_beside);
		n_ready = answer_all(sets, said, &again);
		if (n_ready > 0 || (!again && ready_time_is_up(deadline))) {
			give_back(sets);
			return n_ready;
		}
	}
}

static void lay_out(struct sets *sets, unsigned long *words)
{
	for (size_t i = 0; i < N_SETS; i++) {
		sets->asked[i] = words + i * sets->n_words;
		sets->sent[i] = words + (N_SETS + i) * sets->n_words;
	}
}

struct mapping {
	void *addr;
	size_t len;
};

static void unmap(void *arg)
{
	const struct mapping *mapping = arg;

	sys_munmap(mapping->addr, mapping->len);
}

static int wait_large(struct sets *sets, const struct ready_deadline *deadline, const sigset_t *mask)
{
	struct mapping mapping = { .len = 2 * N_SETS * sets->n_words * sizeof(unsigned long) };
	int ret;

	mapping.addr =
		sys_mmap(NULL, mapping.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!mapping.addr) {
		errno = ENOMEM;
		return -1;
	}
	lay_out(sets, mapping.addr);
	pthread_cleanup_push(unmap, &mapping);
	ret = wait_translated(sets, deadline, mask);
	pthread_cleanup_pop(1);
	return ret;
}

static int wait_wrapped(struct sets sets, const struct ready_deadline *deadline, const sigset_t *mask)
{
	unsigned long small[2 * N_SETS * N_SMALL_WORDS] = { 0 };

	if (sets.is_large) {
		return wait_large(&sets, deadline, mask);
	}
	lay_out(&sets, small);
	return wait_translated(&sets, deadline, mask);
}

static bool find_wrapped(struct sets *sets, int n_fds, fd_set *in, fd_set *out, fd_set *except)
{
	if (__builtin_expect(fdtab_n_used == 0, 1) || n_fds <= 0) {
		return false;
	}
	*sets = (struct sets){
		.n_fds = n_fds,
		.n_words = ((size_t)n_fds + (size_t)WORD_BITS - 1) / (size_t)WORD_BITS,
		.is_large = n_fds > FD_SETSIZE,
		.user = { (unsigned long *)in, (unsigned long *)out, (unsigned long *)except },
	};
	for (int i = 0; i < N_SETS && !sets->is_large; i++) {
		if (sets->user[i] && !memory_can_write(sets->user[i], sets->n_words * sizeof(unsigned long))) {
			return false; /* the kernel says so */
		}
	}
	return is_concerned(sets) || unserved_any();
}

static int do_select(int n_fds, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	struct ready_deadline deadline;
	struct timespec time;
	struct sets sets;
	int ret;

	if (!find_wrapped(&sets, n_fds, in, out, except) ||
	    (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0))) {
		return REAL(select)(n_fds, in, out, except, timeout);
	}
	if (!timeout) {
		deadline = ready_deadline(NULL);
		return wait_wrapped(sets, &deadline, NULL);
	}
	/*
	 * As in the kernel, microseconds may make up seconds, and what is left of the time is
	 * written back.
	 */
	time.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
	time.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	deadline = ready_deadline(&time);
	ret = wait_wrapped(sets, &deadline, NULL);
	if (ready_time_left(&deadline, &time)) {
		timeout->tv_sec = time.tv_sec;
		timeout->tv_usec = time.tv_nsec / 1000;
	}
	return ret;
}

EXPORT int select(int n_fds, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	return do_select(n_fds, in, out, except, timeout);
}

EXPORT int __select(int n_fds, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	return do_select(n_fds, in, out, except, timeout);
}

EXPORT int pselect(int n_fds, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
		   const sigset_t *mask)
{
	struct ready_deadline deadline;
	struct sets sets;

	if (!find_wrapped(&sets, n_fds, in, out, except) || !ready_is_valid_timeout(timeout)) {
		return REAL(pselect)(n_fds, in, out, except, timeout, mask);
	}
	deadline = ready_deadline(timeout);
	return wait_wrapped(sets, &deadline, mask);
}
