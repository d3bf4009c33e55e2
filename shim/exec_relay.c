/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connections of a program that is to be started without the shim get a relay, and how it gets their
 * other ends.
 *
 * Implementation notes: descriptors of one connection share one relay; in a vfork child no table of ours
 * knows them, so the kernel's identity of the socket tells. In a spawn the program's descriptors come to be
 * inside libc: the file actions are copied, with the relay's end in the place of each source that is a
 * connection, and for what is inherited a dup2() is put in front.
 */
#include "exec_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session.h"
#include "sys.h"

static struct exec_relay *find(struct exec_relays *relays, uint64_t cookie)
{
	for (size_t i = 0; cookie && i < relays->n; i++) {
		if (relays->each[i].cookie == cookie) {
			return &relays->each[i];
		}
	}
	return NULL;
}

/* The connection behind fd is to become descriptor target of the program. False if there is no room for it. */
static bool want(struct exec_relays *relays, int fd, int target)
{
	uint64_t cookie = sys_socket_cookie(fd);
	struct exec_relay *relay = find(relays, cookie);

	if (!relay) {
		if (!cookie || relays->n == EXEC_RELAYS_MAX) {
			return false;
		}
		relay = &relays->each[relays->n++];
		*relay = (struct exec_relay){.cookie = cookie, .fd = fd};
	}
	/* Standard output and error alone do not read. */
	relay->has_input |= target != 1 && target != 2;
	return true;
}

/* Start what is wanted. Returns 0, or the -errno of the last that could not be (logged). */
static int start_all(struct exec_relays *relays, const char *program, const char *why)
{
	char connection[256];
	int rc, failed = 0;

	for (size_t i = 0; i < relays->n; i++) {
		struct exec_relay *relay = &relays->each[i];
		session_describe(relay->fd, connection, sizeof(connection));
		rc = relay_start(&relay->relay, relay->fd, relay->has_input);
		relay->is_running = rc == 0;
		if (rc == 0) {
			log_info("%s: %s %s; process %d relays for it", connection, program, why,
				 relay->relay.pid);
		} else {
			log_warn("%s: %s %s, and no relay for it could be started: %s", connection, program,
				 why, strerrordesc_np(-rc));
			failed = rc;
		}
	}
	return failed;
}

static void end_all(struct exec_relays *relays, pid_t program)
{
	for (size_t i = 0; i < relays->n; i++) {
		if (relays->each[i].is_running && program) {
			relay_go(&relays->each[i].relay, program);
		} else if (relays->each[i].is_running) {
			relay_cancel(&relays->each[i].relay);
		}
	}
	relays->n = 0;
}

/* Descriptors that a program knows to be for it: those up to last, and 6 and 7 of UCSPI clients. */
struct known {
	int last;
	bool is_ucspi;
};

static struct known known_fds(char *const envp[])
{
	static const char listen_fds[] = "LISTEN_FDS=", ucspi[] = "PROTO=TCP";
	struct known known = {.last = 2};

	for (; envp && *envp; envp++) {
		if (strncmp(*envp, listen_fds, sizeof(listen_fds) - 1) == 0) {
			int n = atoi(*envp + sizeof(listen_fds) - 1);
			known.last = n > 0 && n < EXEC_SWAPS_MAX ? 2 + n : 2;
		} else if (strcmp(*envp, ucspi) == 0) {
			known.is_ucspi = true;
		}
	}
	return known;
}

static bool knows(const struct known *known, int fd)
{
	return fd <= known->last || (known->is_ucspi && (fd == 6 || fd == 7));
}

bool exec_fd_is_known(int fd, char *const envp[])
{
	struct known known = known_fds(envp);

	return knows(&known, fd);
}

/* Is the i-th that is guarded one of them, and a connection? Listeners have no relay. */
static bool is_known(const struct exec_guard *guard, int i, const struct known *known)
{
	return i < EXEC_GUARD_MAX && knows(known, guard->fds[i]) && session_is_known(guard->fds[i]);
}

/* The end that stands for fd; -1 if there is none. */
static int end_for(struct exec_relays *relays, int fd)
{
	struct exec_relay *relay = find(relays, sys_socket_cookie(fd));

	return relay && relay->is_running ? relay->relay.end : -1;
}

/* ---- exec ---- */

static int put_at(int source, int fd, int flags)
{
	int rc;

	do {
		rc = (int)sys_call(SYS_dup3, source, fd, flags);
	} while (rc == -EINTR || rc == -EBUSY);
	return rc;
}

int exec_relays_swap_in(struct exec_relays *relays, const struct exec_guard *guard, char *const envp[],
			const char *program, const char *why)
{
	struct known known = known_fds(envp);

	relays->n = relays->n_swapped = 0;
	for (int i = 0; i < guard->n; i++) {
		if (is_known(guard, i, &known)) {
			(void)want(relays, guard->fds[i], guard->fds[i]);
		}
	}
	(void)start_all(relays, program, why);
	for (int i = 0; i < guard->n; i++) {
		int end = is_known(guard, i, &known) ? end_for(relays, guard->fds[i]) : -1;
		if (end >= 0 && relays->n_swapped < EXEC_SWAPS_MAX && put_at(end, guard->fds[i], 0) >= 0) {
			relays->swapped[relays->n_swapped++] = guard->fds[i];
		}
	}
	return (int)relays->n_swapped;
}

/* The socket that stands at fd is a relay's end: the connection that it stands for. */
static int conn_behind(const struct exec_relays *relays, int fd)
{
	uint64_t cookie = sys_socket_cookie(fd);

	for (size_t i = 0; i < relays->n; i++) {
		if (relays->each[i].is_running && sys_socket_cookie(relays->each[i].relay.end) == cookie) {
			return relays->each[i].relay.conn;
		}
	}
	return -1;
}

void exec_relays_swap_out(struct exec_relays *relays)
{
	for (size_t i = 0; i < relays->n_swapped; i++) {
		put_at(conn_behind(relays, relays->swapped[i]), relays->swapped[i], O_CLOEXEC);
	}
	end_all(relays, 0);
}

/* ---- spawn ---- */

/* Does one of the actions change what fd is? */
static bool is_changed(const struct exec_action *actions, int n, int fd)
{
	for (int i = 0; i < n; i++) {
		switch (actions[i].tag) {
		case EXEC_ACTION_CLOSE:
		case EXEC_ACTION_OPEN:
			if (actions[i].fd == fd) {
				return true;
			}
			break;
		case EXEC_ACTION_DUP2:
			if (actions[i].dup2.new_fd == fd) {
				return true;
			}
			break;
		default:
			break;
		}
	}
	return false;
}

/* Does action i duplicate a connection of this process? */
static bool duplicates(const struct exec_action *actions, int i)
{
	return actions[i].tag == EXEC_ACTION_DUP2 && !is_changed(actions, i, actions[i].dup2.fd) &&
	       session_is_known(actions[i].dup2.fd);
}

/* What a spawn is asked for. */
struct wish {
	const struct exec_guard *guard;
	struct known known;
	const struct exec_action *actions;
	int n;
};

static bool is_inherited(const struct wish *wish, int i)
{
	return is_known(wish->guard, i, &wish->known) &&
	       !is_changed(wish->actions, wish->n, wish->guard->fds[i]);
}

/* 0, or -errno: the program must not have what it is to get. */
static int want_of_spawn(struct exec_relays *relays, const struct wish *wish)
{
	const struct exec_action *actions = wish->actions;

	for (int i = 0; i < wish->n; i++) {
		if (actions[i].tag == EXEC_ACTION_DUP2 && !is_changed(actions, i, actions[i].dup2.fd) &&
		    exec_is_listener(actions[i].dup2.fd)) {
			return -EACCES;
		}
		if (duplicates(actions, i) && !want(relays, actions[i].dup2.fd, actions[i].dup2.new_fd)) {
			return -EMFILE;
		}
	}
	for (int i = 0; i < wish->guard->n; i++) {
		if (is_inherited(wish, i)) {
			(void)want(relays, wish->guard->fds[i], wish->guard->fds[i]);
		}
	}
	return 0;
}

/*
 * Write the actions to out: room for EXEC_SWAPS_MAX more. Returns how many descriptors are inherited, or
 * -EMFILE.
 */
static int rewrite(struct exec_relays *relays, const struct wish *wish, struct exec_action *out, int *n_out)
{
	const struct exec_action *actions = wish->actions;
	int n_inherited = 0;

	for (int i = 0; i < wish->guard->n && n_inherited < EXEC_SWAPS_MAX; i++) {
		int end = is_inherited(wish, i) ? end_for(relays, wish->guard->fds[i]) : -1;
		if (end >= 0) {
			out[n_inherited].tag = EXEC_ACTION_DUP2;
			out[n_inherited].dup2.fd = end;
			out[n_inherited].dup2.new_fd = wish->guard->fds[i];
			n_inherited++;
		}
	}
	for (int i = 0; i < wish->n; i++) {
		struct exec_action *copy = &out[n_inherited + i];
		*copy = actions[i];
		if (duplicates(actions, i)) {
			copy->dup2.fd = end_for(relays, actions[i].dup2.fd);
			if (copy->dup2.fd < 0) {
				return -EMFILE;
			}
		}
	}
	*n_out = n_inherited + wish->n;
	return n_inherited;
}

int exec_relays_for_spawn(struct exec_relays *relays, const struct exec_guard *guard, char *const envp[],
			  const char *program, const char *why, const posix_spawn_file_actions_t *actions)
{
	struct wish wish = {.guard = guard, .known = known_fds(envp)};
	int n_out = 0, rc;

	relays->n = 0;
	wish.actions = exec_actions(actions, &wish.n);
	if (!wish.actions) {
		log_error("posix_spawn: %s %s; refused, as it cannot be told whether it is to get a TLS "
			  "connection",
			  program, why);
		return -EACCES;
	}
	relays->mem_len = ((size_t)wish.n + EXEC_SWAPS_MAX) * sizeof(struct exec_action);
	relays->mem =
		sys_mmap(NULL, relays->mem_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!relays->mem) {
		return -ENOMEM;
	}
	rc = want_of_spawn(relays, &wish);
	if (rc == 0) {
		/* One that is inherited may fail: it stays guarded. */
		(void)start_all(relays, program, why);
		rc = rewrite(relays, &wish, relays->mem, &n_out);
	}
	if (rc < 0) {
		log_error("posix_spawn: %s %s; refused, as it is to get a TLS connection or listener of this "
			  "process",
			  program, why);
		exec_relays_spawned(relays, 0);
		return -EACCES;
	}
	if (actions) {
		relays->actions = *actions;
	} else {
		memset(&relays->actions, 0, sizeof(relays->actions));
	}
	relays->actions.__actions = relays->mem;
	relays->actions.__used = relays->actions.__allocated = n_out;
	return rc;
}

void exec_relays_spawned(struct exec_relays *relays, pid_t program)
{
	end_all(relays, program);
	sys_munmap(relays->mem, relays->mem_len);
}
