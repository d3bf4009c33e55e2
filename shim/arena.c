/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena of connection records and buffers in a memfd.
 *
 * Implementation notes: the file is mapped in chunks as they are needed, because programs run under limits on their address space.
 * A chunk, once mapped, stays. Free slots and free buffers are two stacks; a head is (tag << 32 | number + 1), and the tag, which changes
 * with every push, keeps a slow popper from being fooled by a number that came back (ABA). Buffer numbers start at 1.
 */
#include "arena.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "log.h"
#include "sys.h"

#define HEADER_LEN 4096
#define MAX_SLOTS (1u << 20)
#define MAX_BUFFERS (1u << 16)
#define HIGH_FD_GAP 16
/* Free buffers that keep their pages, so that a busy connection does not fault them in each time. */
#define WARM_BUFFERS 16

struct arena_header {
	uint64_t magic;
	uint32_t version;
	uint32_t n_slots, n_buffers;
	_Atomic uint32_t slots_used, buffers_used;
	_Atomic uint64_t free_slots, free_buffers;
	_Atomic uint32_t n_free_buffers;
	uint64_t store_len;
};

#define SLOTS_PER_CHUNK 1024u
#define BUFFERS_PER_CHUNK 16u

static _Atomic bool is_open; /* header is complete */
static struct arena_header *header;
static int memfd = -1;
static ino_t memfd_inode;
static _Atomic(uint8_t *) slot_chunks[MAX_SLOTS / SLOTS_PER_CHUNK];
static _Atomic(uint8_t *) buffer_chunks[MAX_BUFFERS / BUFFERS_PER_CHUNK];

static size_t wanted_store_len;
static _Atomic(void *) store;

static size_t store_offset(uint32_t n_slots, uint32_t n_buffers)
{
	return HEADER_LEN + (size_t)n_slots * ARENA_RECORD_LEN + (size_t)n_buffers * ARENA_BUFFER_LEN;
}

int arena_high_fd(int fd)
{
	struct rlimit limit = { 1024, 1024 };
	int high;

	sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
	if (limit.rlim_cur > (1u << 20)) {
		limit.rlim_cur = 1u << 20;
	}
	for (rlim_t n = limit.rlim_cur; n > 64; n /= 2) {
		high = sys_fcntl(fd, F_DUPFD_CLOEXEC, (long)(n - HIGH_FD_GAP));
		if (high >= 0) {
			sys_close(fd);
			return high;
		}
	}
	return -1;
}

static void *map_part(int fd, size_t offset, size_t len)
{
	void *mem = sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);

	if (mem) {
		sys_madvise(mem, len, MADV_DONTDUMP);
	}
	return mem;
}

static bool map_header(int fd)
{
	struct stat st;
	void *mem = fstat(fd, &st) == 0 ? map_part(fd, 0, HEADER_LEN) : NULL;

	if (!mem) {
		return false;
	}
	header = mem;
	memfd = fd;
	memfd_inode = st.st_ino;
	return true;
}

/* A program that closed our descriptor by a raw system call may have another file there. */
static bool descriptor_is_ours(void)
{
	struct stat st;

	if (sys_call(SYS_fstat, memfd, &st, 0) == 0 && st.st_ino == memfd_inode) {
		return true;
	}
	log_error("the shim's descriptor %d was closed by the program: no more connections can be protected", memfd);
	return false;
}

/* Chunk i of a region that begins at offset; NULL if it cannot be mapped. */
static uint8_t *chunk_at(_Atomic(uint8_t *) *chunks, uint32_t i, size_t offset, size_t len)
{
	uint8_t *chunk = atomic_load_explicit(&chunks[i], memory_order_acquire);
	uint8_t *mapped, *none = NULL;

	if (chunk) {
		return chunk;
	}
	if (!descriptor_is_ours()) {
		return NULL;
	}
	mapped = map_part(memfd, offset + i * len, len);
	if (mapped && !atomic_compare_exchange_strong(&chunks[i], &none, mapped)) {
		sys_munmap(mapped, len);
		mapped = none;
	}
	return mapped;
}

static bool create(uint32_t n_slots, uint32_t n_buffers)
{
	size_t len = store_offset(n_slots, n_buffers) + wanted_store_len;
	struct rlimit limit;
	int fd, high;

	/* Growing a file beyond RLIMIT_FSIZE raises SIGXFSZ: ask first. */
	if (sys_call6(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0) == 0 && limit.rlim_cur < len) {
		return false;
	}
	fd = (int)sys_call(SYS_memfd_create, "tlshim-arena", 1 /* MFD_CLOEXEC */, 0);
	if (fd < 0) {
		return false;
	}
	high = arena_high_fd(fd);
	fd = high >= 0 ? high : fd;
	if (sys_call(SYS_ftruncate, fd, len, 0) < 0 || !map_header(fd)) {
		sys_close(fd);
		return false;
	}
	header->version = ARENA_VERSION;
	header->n_slots = n_slots;
	header->n_buffers = n_buffers;
	header->store_len = wanted_store_len;
	header->magic = ARENA_MAGIC;
	return true;
}

static _Atomic pid_t opened_by;

bool arena_open(void)
{
	static _Atomic int lock;
	if (atomic_load(&is_open)) {
		return true;
	}
	while (atomic_exchange(&lock, 1)) {
		sys_call(SYS_sched_yield, 0, 0, 0);
	}
	/* Under tight RLIMIT_AS or RLIMIT_FSIZE a smaller arena is better than none. */
	for (uint32_t shift = 0; shift <= 12 && !atomic_load(&is_open); shift += 3) {
		atomic_store(&is_open, create(MAX_SLOTS >> shift, MAX_BUFFERS >> shift));
	}
	atomic_store(&opened_by, sys_getpid());
	atomic_store(&lock, 0);
	return atomic_load(&is_open);
}

bool arena_is_parents(void)
{
	return atomic_load(&is_open) && atomic_load(&opened_by) != sys_getpid();
}

bool arena_is_open(void)
{
	return atomic_load(&is_open);
}

static char *put_number(char *p, unsigned long long value)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (n > 0) {
		*p++ = digits[--n];
	}
	return p;
}

/* Open the memfd fd of process pid (0: our own) and check that it is the arena with that inode number. */
static int open_arena(long pid, long fd, unsigned long long inode)
{
	char path[64];
	struct stat st;
	int got;

	if (pid == 0) {
		got = sys_fcntl((int)fd, F_DUPFD_CLOEXEC, 3);
	} else {
		char *p = put_number(stpcpy(path, "/proc/"), (unsigned long long)pid);
		p = put_number(stpcpy(p, "/fd/"), (unsigned long long)fd);
		*p = '\0';
		got = (int)sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC, 0, 0, 0);
	}
	if (got < 0) {
		return -1;
	}
	if (fstat(got, &st) != 0 || (unsigned long long)st.st_ino != inode || st.st_size < HEADER_LEN) {
		sys_close(got);
		return -1;
	}
	return got;
}

bool arena_inherit(const char *value)
{
	struct arena_header *seen;
	unsigned long long inode;
	char *end;
	long fd, pid;
	size_t len;
	int got, high;

	/* FD:PID:INODE, see arena_env(); no FD if there was no arena */
	fd = strtol(value, &end, 10);
	if (arena_is_open() || *end != ':' || fd < 0) {
		return false;
	}
	pid = strtol(end + 1, &end, 10);
	if (*end != ':' || pid <= 0) {
		return false;
	}
	inode = strtoull(end + 1, &end, 10);
	got = open_arena(0, fd, inode);
	if (got < 0) {
		/* The program closed everything before it started us: whoever started it may still have it. */
		got = open_arena(pid, fd, inode);
	} else {
		sys_close((int)fd);
	}
	if (got < 0) {
		return false;
	}
	high = arena_high_fd(got);
	got = high >= 0 ? high : got;
	seen = sys_mmap(NULL, HEADER_LEN, PROT_READ, MAP_SHARED, got, 0);
	if (!seen) {
		sys_close(got);
		return false;
	}
	len = store_offset(seen->n_slots, seen->n_buffers);
	if (seen->magic != ARENA_MAGIC || seen->version != ARENA_VERSION || seen->n_slots > MAX_SLOTS ||
	    seen->n_buffers > MAX_BUFFERS) {
		len = 0;
	}
	sys_munmap(seen, HEADER_LEN);
	if (len == 0 || !map_header(got)) {
		sys_close(got);
		return false;
	}
	atomic_store(&is_open, true);
	return true;
}

const char *arena_env(void)
{
	static char value[80];
	char *p = value;

	/* By the inode that it had: if the program has closed it, the next image must not believe that there was none. */
	if (memfd >= 0) {
		p = put_number(p, (unsigned long long)memfd);
	}
	*p++ = ':';
	p = put_number(p, (unsigned long long)sys_getpid());
	*p++ = ':';
	p = put_number(p, memfd >= 0 ? (unsigned long long)memfd_inode : 0);
	*p = '\0';
	return value;
}

void arena_set_inheritable(bool on)
{
	if (memfd >= 0) {
		sys_fcntl(memfd, F_SETFD, on ? 0 : FD_CLOEXEC);
	}
}

int arena_fd(void)
{
	return memfd;
}

void arena_move_fd(void)
{
	int fd = sys_fcntl(memfd, F_DUPFD_CLOEXEC, memfd > 128 ? memfd - 64 : 3);

	if (fd >= 0) {
		memfd = fd;
	}
}

void arena_set_store_len(size_t len)
{
	wanted_store_len = len;
}

size_t arena_store_len(void)
{
	return arena_is_open() ? header->store_len : 0;
}

void *arena_store(void)
{
	void *mapped = atomic_load(&store), *none = NULL;

	if (mapped || !arena_open() || header->store_len == 0 || !descriptor_is_ours()) {
		return mapped;
	}
	mapped = map_part(memfd, store_offset(header->n_slots, header->n_buffers), header->store_len);
	if (mapped && !atomic_compare_exchange_strong(&store, &none, mapped)) {
		sys_munmap(mapped, header->store_len);
		mapped = none;
	}
	return mapped;
}

/*
 * What a link says that another may have popped meanwhile, and write over: the tag of the head has then moved
 * on, and what was read here is thrown away. The thread sanitizer cannot know that.
 */
__attribute__((no_sanitize("thread"))) static uint32_t peek_link(const uint32_t *link)
{
	return __atomic_load_n(link, __ATOMIC_RELAXED);
}

/* Pop a number (>= 1) from a stack whose links next() finds; 0 if it is empty. */
static uint32_t pop(_Atomic uint64_t *head, uint32_t *(*link)(uint32_t))
{
	uint64_t seen = atomic_load(head);

	while ((uint32_t)seen != 0) {
		uint64_t tag = (seen >> 32) + 1;
		uint32_t *next = link((uint32_t)seen);
		if (!next) {
			return 0;
		}
		if (atomic_compare_exchange_weak(head, &seen, tag << 32 | peek_link(next))) {
			return (uint32_t)seen;
		}
	}
	return 0;
}

static void push(_Atomic uint64_t *head, uint32_t *(*link)(uint32_t), uint32_t number)
{
	uint64_t seen = atomic_load(head);

	do {
		*link(number) = (uint32_t)seen;
	} while (!atomic_compare_exchange_weak(head, &seen, ((seen >> 32) + 1) << 32 | number));
}

/* A number never used before, 1..max; 0 if there is none. */
static uint32_t fresh(_Atomic uint32_t *used, uint32_t max)
{
	uint32_t n = atomic_load(used);

	while (n < max) {
		if (atomic_compare_exchange_weak(used, &n, n + 1)) {
			return n + 1;
		}
	}
	return 0;
}

struct conn_record *arena_record(uint32_t slot)
{
	uint8_t *chunk = chunk_at(slot_chunks, slot / SLOTS_PER_CHUNK, HEADER_LEN,
				  (size_t)SLOTS_PER_CHUNK * ARENA_RECORD_LEN);

	return chunk ? (struct conn_record *)(void *)(chunk + (size_t)(slot % SLOTS_PER_CHUNK) * ARENA_RECORD_LEN) :
		       NULL;
}

uint32_t arena_slot(const struct conn_record *rec)
{
	return rec->slot;
}

uint32_t arena_n_slots(void)
{
	return arena_is_open() ? atomic_load(&header->slots_used) : 0;
}

static uint32_t *slot_link(uint32_t number)
{
	struct conn_record *rec = arena_record(number - 1);

	return rec ? &rec->next_free : NULL;
}

static void init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

struct conn_record *arena_alloc(void)
{
	uint32_t number = pop(&header->free_slots, slot_link);
	struct conn_record *rec;
	uint32_t gen;

	if (!number) {
		number = fresh(&header->slots_used, header->n_slots);
	}
	if (!number) {
		return NULL;
	}
	rec = arena_record(number - 1);
	if (!rec) {
		return NULL; /* the slot is lost, but so is most else */
	}
	gen = atomic_load(&rec->gen);
	memset(rec, 0, sizeof(*rec));
	atomic_store(&rec->gen, gen);
	rec->slot = number - 1;
	init_lock(&rec->recv_lock);
	init_lock(&rec->send_lock);
	return rec;
}

void arena_free(struct conn_record *rec, uint32_t gen)
{
	if (atomic_compare_exchange_strong(&rec->gen, &gen, gen + 1)) {
		atomic_store(&rec->phase, PHASE_FREE);
		atomic_store(&rec->cookie, 0);
		push(&header->free_slots, slot_link, arena_slot(rec) + 1);
	}
}

uint8_t *arena_buffer(uint32_t number)
{
	size_t offset = HEADER_LEN + (size_t)header->n_slots * ARENA_RECORD_LEN;
	uint8_t *chunk = chunk_at(buffer_chunks, (number - 1) / BUFFERS_PER_CHUNK, offset,
				  (size_t)BUFFERS_PER_CHUNK * ARENA_BUFFER_LEN);

	return chunk ? chunk + (size_t)((number - 1) % BUFFERS_PER_CHUNK) * ARENA_BUFFER_LEN : NULL;
}

static uint32_t *buffer_link(uint32_t number)
{
	return (uint32_t *)(void *)arena_buffer(number);
}

uint32_t arena_buffer_alloc(void)
{
	uint32_t number = pop(&header->free_buffers, buffer_link);

	if (number) {
		atomic_fetch_sub(&header->n_free_buffers, 1);
		return number;
	}
	number = fresh(&header->buffers_used, header->n_buffers);
	return number && arena_buffer(number) ? number : ARENA_NO_BUFFER;
}

void arena_buffer_free(uint32_t number, size_t used)
{
	uint8_t *buffer = arena_buffer(number);

	if (atomic_fetch_add(&header->n_free_buffers, 1) >= WARM_BUFFERS) {
		/* Gives the pages back and leaves zeros. */
		if (sys_madvise(buffer, ARENA_BUFFER_LEN, MADV_REMOVE) == 0) {
			used = 0;
		}
	}
	explicit_bzero(buffer, used);
	push(&header->free_buffers, buffer_link, number);
}
