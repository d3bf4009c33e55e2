/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start-up of the shim in a process, in this order: real functions, environment, log, proof of life,
 * policy, fork handlers, inherited connections, armed.
 *
 * Implementation notes: it runs from our constructor, or earlier, when another library's constructor makes
 * the first call that needs the policy. In a set-user-ID program (AT_SECURE) the environment belongs to
 * somebody else: nothing is done.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "ahead.h"
#include "arena.h"
#include "fdtab.h"
#include "heap.h"
#include "helper.h"
#include "inherit.h"
#include "listeners.h"
#include "log.h"
#include "names.h"
#include "proc.h"
#include "ready.h"
#include "real.h"
#include "report.h"
#include "session.h"
#include "session_store.h"
#include "shim.h"
#include "stdio_adopt.h"
#include "sys.h"
#include "unserved.h"
#include "uring.h"

static _Atomic int state = SHIM_STARTING;
static struct policy *policy;
static char program_path[PATH_MAX];
static char started_as[256];
static char library_path[PATH_MAX];
static char policy_path[PATH_MAX];

const struct policy *shim_policy(void)
{
	return atomic_load(&state) == SHIM_ARMED ? policy : NULL;
}

void shim_lock_policy(void)
{
	if (policy) {
		policy_lock(policy);
	}
}

void shim_unlock_policy(void)
{
	if (policy) {
		policy_unlock(policy);
	}
}

const char *shim_program(void)
{
	return program_path;
}

const char *shim_started_as(void)
{
	return started_as;
}

const char *shim_library_path(void)
{
	return library_path;
}

const char *shim_policy_path(void)
{
	return policy_path;
}

static bool get_random(uint8_t *buf, size_t len)
{
	while (len > 0) {
		long n = sys_call(SYS_getrandom, buf, len, 0);
		if (n == -EINTR) {
			continue;
		}
		if (n <= 0) {
			return false;
		}
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

static int64_t get_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static void report(void *ctx, enum policy_severity severity, const char *text)
{
	(void)ctx;
	if (severity == POLICY_ERROR) {
		log_error("%s", text);
	} else if (severity == POLICY_WARNING) {
		log_info("%s", text);
	}
}

/* The guard of `tlshim run` waits for this: it proves that the loader has loaded us. */
static void prove(void)
{
	const char *value = getenv(REPORT_VARIABLE);

	if (value) {
		report_presence(value);
		unsetenv(REPORT_VARIABLE);
	}
}

static void find_paths(const char *policy_file)
{
	Dl_info info;
	ssize_t n = readlink("/proc/self/exe", program_path, sizeof(program_path) - 1);

	/* A copy: programs write over their arguments. */
	snprintf(started_as, sizeof(started_as), "%s", program_invocation_name);
	if (n <= 0) {
		snprintf(program_path, sizeof(program_path), "%s", program_invocation_name);
	}
	if (dladdr((void *)&shim_ready, &info) && info.dli_fname && info.dli_fname[0] == '/') {
		snprintf(library_path, sizeof(library_path), "%s", info.dli_fname);
	}
	if (policy_file[0] == '/' || !realpath(policy_file, policy_path)) {
		snprintf(policy_path, sizeof(policy_path), "%s", policy_file);
	}
}

static enum shim_state load_policy(void)
{
	const struct engine_env env = {
		.alloc = heap_alloc,
		.release = heap_free,
		.resize = heap_resize,
		.random = get_random,
		.now = get_time,
		.sessions = &session_store,
		.ticket_keys = session_ticket_keys,
	};
	struct policy_diag diag = { .report = report };

	if (!engine_init(&env) || !fdtab_init()) {
		log_error("cannot start: out of memory; refusing all connections of this process");
		return SHIM_BROKEN;
	}
	policy = policy_load(policy_path, &diag);
	if (!policy) {
		log_error("policy %s cannot be used: every connect and accept of this process is refused; "
			  "run `tlshim check` on it",
			  policy_path);
		return SHIM_BROKEN;
	}
	arena_set_store_len(session_store_len(policy_session_cache_size(policy)));
	return SHIM_ARMED;
}

static void fork_child(void)
{
	shim_unlock_policy();
	session_fork_child();
	names_fork_child();
	ready_fork_child();
	ahead_fork_child();
	listeners_fork_child();
}

static void fork_prepare(void)
{
	unserved_forget_all();
	session_fork_prepare();
	ready_fork_prepare();
	shim_lock_policy();
}

static void fork_parent(void)
{
	shim_unlock_policy();
	ready_fork_parent();
	proc_fork_parent();
}

static void start(void)
{
	const char *policy_file;
	int saved = errno;

	real_init();
	if (getauxval(AT_SECURE)) {
		atomic_store(&state, SHIM_IDLE);
		errno = saved;
		return;
	}
	log_init(getenv("TLSHIM_LOG"), getenv("TLSHIM_LOG_FILE"));
	prove();
	policy_file = getenv("TLSHIM_POLICY");
	if (!policy_file || !*policy_file) {
		log_warn("loaded without TLSHIM_POLICY: nothing is protected");
		atomic_store(&state, SHIM_IDLE);
		errno = saved;
		return;
	}
	find_paths(policy_file);
	pthread_atfork(fork_prepare, fork_parent, fork_child);
	atomic_store(&state, load_policy());
	if (atomic_load(&state) == SHIM_ARMED) {
		uring_guard();
		helper_init();
		inherit_connections();
	} else {
		inherit_nothing();
	}
	errno = saved;
}

enum shim_state shim_ready(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static __thread bool inside;

	if (__builtin_expect(atomic_load(&state) == SHIM_STARTING, 0) && !inside) {
		inside = true;
		pthread_once(&once, start);
		inside = false;
	}
	return (enum shim_state)atomic_load(&state);
}

__attribute__((constructor)) static void construct(void)
{
	shim_ready();
	/* quick_exit() runs no destructors. Ours is the first handler, so it runs last. */
	at_quick_exit(session_exit);
}

/* exit() flushes stdio after this: whatever is buffered for a wrapped socket must go out before close_notify. */
__attribute__((destructor)) static void destruct(void)
{
	if (atomic_load(&fdtab_n_used) > 0) {
		stdio_at_exit(session_exit);
	}
}
