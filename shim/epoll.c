/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wrapped sockets in epoll sets.
 *
 * Implementation notes: the registration of an established, non-blocking socket is the program's
 * own and costs nothing. Otherwise the kernel holds a token in place of the program's data:
 *
 *   WAITING  the handshake goes on: level-triggered, waits for what session_progress() wants; no
 *            event gets through, but that a connection which counts as connected can be written to
 *   SETTLED  failed, or a blocking socket, or bytes of ours wait for the kernel, or only the end of the
 *            peer's data is waited for, which close_notify may tell: the program's own
 *            modes, so that the kernel keeps count of edges and one-shots; events are filtered, and
 *            EPOLLERR is added after a failure
 *
 * When a handshake ends, EPOLL_CTL_MOD puts the program's interest in; that makes the kernel look
 * at the socket afresh and report in the program's mode. Sessions are asked before the registry's
 * lock is taken, never under it; changes of the kernel's side and of the table are made under it,
 * so that the two agree.
 */
#include "epoll.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>

#include "fdtab.h"
#include "ready.h"
#include "real.h"
#include "registry.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

/* What the kernel allows together with EPOLLEXCLUSIVE. */
#define WITH_EXCLUSIVE                                                                                 \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
/* Handshakes given up in one go. */
#define N_LATE 32
#define SOON_MS 1000

#define READABLE ((uint32_t)EPOLLIN | (uint32_t)EPOLLRDNORM)
#define WRITABLE ((uint32_t)EPOLLOUT | (uint32_t)EPOLLWRNORM)
#define ALWAYS   ((uint32_t)EPOLLERR | (uint32_t)EPOLLHUP)
/* Told once, and then when there is something new. */
#define SELDOM ((uint32_t)EPOLLET | (uint32_t)EPOLLONESHOT)

static int raw_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return (int)sys_call6(SYS_epoll_ctl, epfd, op, fd, (long)&event, 0, 0);
}

/* ---- what a session needs ---- */

struct facts {
	enum session_phase phase;
	uint64_t session;
	short interest; /* these three while CONNECTING */
	int64_t deadline_ms;
	bool is_writable_early;
	bool is_precise; /* these three when OPEN: POLLIN is to be checked */
	bool has_ended;
	bool has_data; /* which nobody has read yet, and a one-shot would report at once, again and again */
	bool flush_due;
	bool just_settled; /* it was asking that ended the handshake */
};

static struct facts find_facts(int fd)
{
	struct facts facts = { .phase = session_phase(fd) };

	if (facts.phase == SESSION_CONNECTING) {
		facts.phase = session_progress(fd, &facts.interest);
		facts.just_settled = facts.phase != SESSION_CONNECTING;
		facts.deadline_ms = facts.just_settled ? 0 : session_deadline_ms(fd);
		facts.is_writable_early = session_is_writable_early(fd);
	}
	if (facts.phase == SESSION_OPEN) {
		facts.is_precise = session_wakes_in_vain(fd);
		facts.flush_due = session_flush_due(fd);
		facts.has_ended = session_has_ended(fd);
	}
	/*
	 * Last: should the number have become another socket's meanwhile, it is that one's
	 * handshake which moved on.
	 */
	facts.session = session_id(fd);
	return facts;
}

/* Only for the end of the peer's data. */
static bool waits_for_end(const struct epoll_event *user)
{
	/* Not who is told of room again and again: that would end with the edges that are asked for instead. */
	return (user->events & EPOLLRDHUP) && !(user->events & READABLE) &&
	       ((user->events & EPOLLET) || !(user->events & WRITABLE));
}

/*
 * How the kernel has to be asked on behalf of a program that asked for user: NONE means by its own
 * words. told_early: see struct registration.
 */
static enum registration_state wanted(const struct facts *facts, const struct epoll_event *user,
				      bool told_early, uint32_t *events)
{
	*events = user->events;
	switch (facts->phase) {
	case SESSION_CONNECTING:
		*events = (uint32_t)(unsigned short)facts->interest | (user->events & EPOLLWAKEUP);
		if (facts->is_writable_early && !told_early) {
			*events |= user->events & WRITABLE;
		}
		return REGISTRATION_WAITING;
	case SESSION_FAILED:
		return REGISTRATION_SETTLED;
	case SESSION_OPEN:
		if (facts->flush_due) {
			*events |= EPOLLOUT;
			return REGISTRATION_SETTLED;
		}
		if (facts->is_precise && (user->events & READABLE)) {
			return REGISTRATION_SETTLED;
		}
		if (waits_for_end(user) && !facts->has_ended && !facts->has_data) {
			/* close_notify is data to the kernel. Data that nobody reads must not wake us all the time. */
			*events |= EPOLLIN | EPOLLET;
			return REGISTRATION_SETTLED;
		}
		break;
	case SESSION_NONE:
		break;
	}
	return REGISTRATION_NONE;
}

/* ---- changes, under the lock ---- */

static int set_kernel(int epfd, struct registration *r, uint32_t events, uint64_t data)
{
	int ret;

	if ((r->user.events | r->kernel_events) & EPOLLEXCLUSIVE) {
		/* The kernel refuses to modify these. */
		ret = raw_ctl(epfd, EPOLL_CTL_DEL, r->fd, 0, 0);
		if (ret == 0) {
			ret = raw_ctl(epfd, EPOLL_CTL_ADD, r->fd, events, data);
		}
	} else {
		ret = raw_ctl(epfd, EPOLL_CTL_MOD, r->fd, events, data);
	}
	r->kernel_events = events;
	return ret;
}

/*
 * Of a registration that begins to wait. Other threads may be in a wait that began before, and do not know when this
 * session has to be looked at. Where that is soon, a first event, which comes at once, tells them.
 */
static uint32_t first_events(const struct facts *facts, uint32_t events)
{
	bool is_soon = facts->deadline_ms != 0 && facts->deadline_ms < sys_now_ms() + SOON_MS;

	return is_soon ? events | (uint32_t)EPOLLOUT : events;
}

/* Bring r and the kernel to what facts ask for. r may be gone afterwards. */
static void apply(int epfd, struct registration *r, const struct facts *facts)
{
	uint32_t events;
	enum registration_state state = wanted(facts, &r->user, r->told_early, &events);

	if (state != REGISTRATION_WAITING && r->told_early && (r->user.events & EPOLLONESHOT)) {
		/* Its one shot has been fired; as the kernel leaves it then. */
		(void)set_kernel(epfd, r, r->user.events & SELDOM, r->user.data.u64);
		registry_remove(r);
		return;
	}
	if (state == REGISTRATION_NONE) {
		(void)set_kernel(epfd, r, r->user.events, r->user.data.u64);
		registry_remove(r);
		return;
	}
	if (r->state == REGISTRATION_WAITING && state == REGISTRATION_SETTLED) {
		/*
		 * Other threads may hold events of the handshake still. Under the same token they would
		 * pass for the program's, and a one-shot be reported twice.
		 */
		struct registration *renewed = registry_renew(r);
		r = renewed ? renewed : r;
	}
	if (state == REGISTRATION_WAITING && r->state != REGISTRATION_WAITING) {
		events = first_events(facts, events);
	}
	if (set_kernel(epfd, r, events, atomic_load(&r->token)) < 0) {
		registry_remove(r); /* the kernel does not know it (any more) */
		return;
	}
	r->state = state;
	registry_set_session(r, facts->session);
	registry_set_deadline(r, facts->deadline_ms);
}

/*
 * A handshake has ended: hand all registrations of the session back, those made with duplicates of
 * fd too.
 */
static void settle(const struct facts *facts)
{
	struct registration *r, *next;

	for (r = registry_first_of_session(facts->session); r; r = next) {
		next = registry_next_of_session(r);
		if (r->state == REGISTRATION_WAITING) {
			apply(r->epfd, r, facts);
		}
	}
}

/* ---- epoll_ctl ---- */

static int fail(int err)
{
	errno = err;
	return -1;
}

static void remove_registration(int epfd, int fd)
{
	struct registry_guard guard = registry_lock();
	struct registration *r = registry_find(epfd, fd);

	if (r) {
		registry_remove(r);
	}
	registry_unlock(guard);
}

/*
 * An exclusive registration cannot be modified, but may have gone with another set that had this
 * number. The kernel tells by whether it takes a new one.
 */
static int refuse_exclusive(int epfd, int fd, struct registration *old)
{
	int err = raw_ctl(epfd, EPOLL_CTL_ADD, fd, 0, 0);

	if (err == -EEXIST) {
		return -EINVAL;
	}
	if (err == 0) {
		raw_ctl(epfd, EPOLL_CTL_DEL, fd, 0, 0);
		err = -ENOENT;
	}
	registry_remove(old);
	return err;
}

/* Add or modify with a token in place of the program's data. */
static int change_translated(int epfd, int op, int fd, const struct epoll_event *user,
			     const struct facts *facts)
{
	struct registry_guard guard = registry_lock();
	struct registration *old = registry_find(epfd, fd);
	struct registration *r = NULL;
	uint32_t events;
	enum registration_state state = wanted(facts, user, false, &events);
	int err = 0;

	/* Only a modified registration has to do with the events that are under way for the old one. */
	if (op == EPOLL_CTL_MOD && old && old->session == facts->session && old->state == state) {
		r = old;
	}

	if (op == EPOLL_CTL_MOD && old && (old->user.events & EPOLLEXCLUSIVE)) {
		err = refuse_exclusive(epfd, fd, old);
	} else if (!r && !(r = registry_add(epfd, fd))) {
		err = -ENOMEM;
	} else {
		events = state == REGISTRATION_WAITING ? first_events(facts, events) : events;
		err = raw_ctl(epfd, op, fd, events, atomic_load(&r->token));
		if (err < 0 && r != old) {
			registry_remove(r);
		}
		if (err == -ENOENT || err == -EBADF || (err == 0 && r != old)) {
			if (old) {
				registry_remove(old);
			}
		}
	}
	if (err == 0) {
		r->state = state;
		r->told_early = false;
		registry_set_session(r, facts->session);
		registry_set_deadline(r, facts->deadline_ms);
		r->user = *user;
		r->kernel_events = events;
	}
	registry_unlock(guard);
	return err < 0 ? fail(-err) : 0;
}

/* Add or modify with the program's own data: what the table says of the pair before is over. */
static int change_plainly(int epfd, int op, int fd, struct epoll_event *event)
{
	int ret = REAL(epoll_ctl)(epfd, op, fd, event);

	if (registry_has(fd) && (ret == 0 || (op == EPOLL_CTL_MOD && errno == ENOENT))) {
		remove_registration(epfd, fd);
	}
	return ret;
}

static bool is_unconnected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return sys_call(SYS_getpeername, fd, &peer, &len) == -ENOTCONN;
}

void epoll_track(int epfd, int fd, const struct epoll_event *event)
{
	bool may_connect = shim_ready() == SHIM_ARMED && policy_has(shim_policy(), POLICY_CONNECT) &&
			   is_unconnected(fd);
	struct registry_guard guard;
	struct registration *r;

	if (!may_connect && !registry_has(fd)) {
		return;
	}
	guard = registry_lock();
	r = registry_find(epfd, fd);
	if (r && (!may_connect || r->state != REGISTRATION_TRACKED)) {
		registry_remove(r);
		r = NULL;
	}
	if (!r && may_connect) {
		/*
		 * Without memory it stays the kernel's: readiness would come early, but nothing
		 * goes unprotected.
		 */
		r = registry_add(epfd, fd);
	}
	if (r) {
		r->user = *event;
		r->kernel_events = event->events;
		r->state = REGISTRATION_TRACKED;
		r->told_early = false;
	}
	registry_unlock(guard);
}

/* No session (yet) on a descriptor that has registrations. */
static int change_unwrapped(int epfd, int op, int fd, struct epoll_event *event)
{
	int ret = REAL(epoll_ctl)(epfd, op, fd, event);

	if (ret == 0) {
		epoll_track(epfd, fd, event);
	} else if (op == EPOLL_CTL_MOD && errno == ENOENT) {
		remove_registration(epfd, fd);
	}
	return ret;
}

int epoll_change(int epfd, int op, int fd, struct epoll_event *event)
{
	struct epoll_event user;
	struct facts facts;
	uint32_t events;
	int ret;

	if (op == EPOLL_CTL_DEL) {
		ret = REAL(epoll_ctl)(epfd, op, fd, event);
		if (registry_has(fd) && (ret == 0 || errno == ENOENT)) {
			remove_registration(epfd, fd);
		}
		return ret;
	}
	if ((op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD) || (uintptr_t)event < 4096) {
		return REAL(epoll_ctl)(epfd, op, fd, event);
	}
	if (!fdtab_is_wrapped(fd)) {
		return change_unwrapped(epfd, op, fd, event);
	}
	user = *event;
	if ((user.events & EPOLLEXCLUSIVE) &&
	    (op == EPOLL_CTL_MOD || (user.events & ~(uint32_t)WITH_EXCLUSIVE))) {
		return REAL(epoll_ctl)(epfd, op, fd, event); /* refuses it */
	}
	if (op == EPOLL_CTL_MOD && !registry_has(fd) && session_phase(fd) == SESSION_OPEN &&
	    !session_flush_due(fd) && !session_is_client(fd) && !waits_for_end(&user)) {
		/* It is registered without our help since it was added. */
		return REAL(epoll_ctl)(epfd, op, fd, event);
	}
	facts = find_facts(fd);
	if (wanted(&facts, &user, false, &events) == REGISTRATION_NONE) {
		ret = change_plainly(epfd, op, fd, event);
	} else {
		ret = change_translated(epfd, op, fd, &user, &facts);
	}
	if (facts.just_settled ||
	    (facts.phase == SESSION_CONNECTING && session_phase(fd) != SESSION_CONNECTING)) {
		ready_settled(fd); /* here, or by another thread while we were at it */
	}
	return ret;
}

/* ---- events ---- */

static uint32_t failed_events(const struct epoll_event *user)
{
	return (user->events & (READABLE | EPOLLOUT | EPOLLWRNORM | EPOLLRDHUP)) | ALWAYS;
}

/*
 * An event (0: its time) of a handshake: go on with it. When it ends, the kernel will report afresh. Returns
 * what there is for the program: only that it may write early.
 */
static uint32_t progress(int epfd, const struct registration *seen, uint64_t token, uint32_t event, bool *again)
{
	struct facts facts = find_facts(seen->fd);
	struct registry_guard guard = registry_lock();
	struct registration *r = registry_by_token(token);
	uint32_t events, visible = 0;

	if (facts.phase != SESSION_CONNECTING) {
		*again = true;
	}
	if (r && r->state == REGISTRATION_WAITING && r->session == facts.session) {
		if (facts.phase == SESSION_CONNECTING && facts.is_writable_early && !r->told_early) {
			visible = event & r->user.events & WRITABLE;
			r->told_early = visible && (r->user.events & SELDOM);
		}
		if (wanted(&facts, &r->user, r->told_early, &events) != REGISTRATION_WAITING ||
		    events != r->kernel_events) {
			apply(epfd, r, &facts);
		} else {
			registry_set_deadline(r, facts.deadline_ms);
		}
	}
	if (facts.just_settled) {
		settle(&facts);
	}
	registry_unlock(guard);
	return visible;
}

/* An event of a settled session: let through what counts. */
static bool filter(int epfd, const struct registration *seen, uint64_t token, struct epoll_event *event)
{
	uint32_t visible = event->events & (seen->user.events | ALWAYS);
	bool once = seen->user.events & EPOLLONESHOT;
	bool edges = seen->user.events & EPOLLET;
	enum registration_state state;
	struct registry_guard guard;
	struct registration *r;
	struct facts facts;
	uint32_t events;

	if ((event->events & EPOLLOUT) && session_flush_due(seen->fd)) {
		session_flush(seen->fd);
	}
	if ((event->events & READABLE) && (seen->user.events & EPOLLRDHUP) && session_recv_ready(seen->fd) &&
	    session_has_ended(seen->fd)) {
		visible |= EPOLLRDHUP;
	}
	facts = find_facts(seen->fd);
	facts.has_data = once && waits_for_end(&seen->user) && session_recv_ready(seen->fd);
	if (facts.phase == SESSION_FAILED) {
		visible = failed_events(&seen->user);
	} else if (facts.is_precise && (visible & READABLE) && session_brings_nothing(seen->fd)) {
		visible &= ~READABLE;
	}

	guard = registry_lock();
	r = registry_by_token(token);
	if (!r || r->session != facts.session) {
		visible = 0; /* deleted meanwhile, or closed */
	} else {
		state = wanted(&facts, &r->user, false, &events);
		if (once ? !visible
			 : events != r->kernel_events || (state == REGISTRATION_NONE && !edges)) {
			/*
			 * A one-shot that brought nothing is to be armed again; one that did must
			 * not be. Giving an edge-triggered registration back can wait until the
			 * program modifies it.
			 */
			apply(epfd, r, &facts);
		}
	}
	registry_unlock(guard);
	event->events = visible;
	event->data.u64 = seen->user.data.u64;
	return visible != 0;
}

/* The live registration behind a token, copied. False if it is gone. */
static bool look_up(uint64_t token, struct registration *copy)
{
	struct registry_guard guard = registry_lock();
	const struct registration *r = registry_by_token(token);

	if (r) {
		*copy = *r;
	}
	registry_unlock(guard);
	return r != NULL;
}

bool epoll_translate(int epfd, struct epoll_event *event, bool *again)
{
	uint64_t token = event->data.u64;
	struct registration seen;

	if (!registry_is_token(token)) {
		return true;
	}
	if (!look_up(token, &seen)) {
		/* Another thread gave it back or deleted it when this event was on its way. */
		return false;
	}
	if (session_id(seen.fd) != seen.session) {
		if (!look_up(token, &seen)) {
			return false; /* closed this very moment */
		}
		/*
		 * The number is another socket's now, but the registration lives on, by a duplicate.
		 * It can neither be modified nor deleted then; the kernel goes on reporting it with
		 * the data of old, so do that.
		 */
		event->events &= seen.user.events | ALWAYS;
		event->data.u64 = seen.user.data.u64;
		return event->events != 0;
	}
	if (seen.state == REGISTRATION_WAITING) {
		event->events = progress(epfd, &seen, token, event->events, again);
		event->data.u64 = seen.user.data.u64;
		return event->events != 0;
	}
	return filter(epfd, &seen, token, event);
}

void epoll_give_up_late(struct ready_deadline *until)
{
	struct registration late[N_LATE];
	struct registry_guard guard;
	int64_t look = registry_look_ms;
	bool again = false;
	unsigned n;

	if (look != 0 && sys_now_ms() >= look) {
		guard = registry_lock();
		n = registry_collect_late(sys_now_ms(), late, N_LATE);
		registry_unlock(guard);
		for (unsigned i = 0; i < n; i++) {
			if (session_id(late[i].fd) == late[i].session) {
				(void)progress(late[i].epfd, &late[i], late[i].token, 0, &again);
			}
		}
		look = registry_look_ms;
	}
	ready_not_after(until, look);
}

/* ---- news from the other hooks ---- */

void ready_connecting(int fd)
{
	struct registration *r, *next;
	struct registry_guard guard;
	struct facts facts;

	if (!registry_has(fd)) {
		return;
	}
	facts = find_facts(fd);
	guard = registry_lock();
	for (r = registry_first(fd); r; r = next) {
		next = registry_next(r);
		apply(r->epfd, r, &facts);
	}
	registry_unlock(guard);
	if (facts.phase == SESSION_CONNECTING && session_phase(fd) != SESSION_CONNECTING) {
		ready_settled(fd);
	}
}

void ready_settled(int fd)
{
	struct registry_guard guard;
	struct facts facts;

	if (!registry_is_used()) {
		return;
	}
	facts = find_facts(fd);
	if (facts.phase == SESSION_NONE || facts.phase == SESSION_CONNECTING) {
		return;
	}
	guard = registry_lock();
	settle(&facts);
	registry_unlock(guard);
}

void ready_forget(int fd)
{
	struct registration *r, *next;
	struct registry_guard guard;

	if (!registry_has(fd)) {
		return;
	}
	guard = registry_lock();
	for (r = registry_first(fd); r; r = next) {
		next = registry_next(r);
		/*
		 * If a duplicate keeps the socket, its registrations live on under this number, so
		 * leave the program's own behind. Not where that could report an edge or a one-shot
		 * twice; and never touch a set for a process that was born with it: it closes its
		 * copies, and the set is its parent's.
		 */
		if (r->process != registry_process() || r->state == REGISTRATION_TRACKED) {
			;
		} else if (r->state == REGISTRATION_WAITING ||
			   !(r->user.events & (EPOLLET | EPOLLONESHOT))) {
			(void)set_kernel(r->epfd, r, r->user.events, r->user.data.u64);
		} else {
			(void)raw_ctl(r->epfd, EPOLL_CTL_DEL, fd, 0, 0);
		}
		registry_remove(r);
	}
	registry_unlock(guard);
}

void ready_fork_prepare(void)
{
	registry_fork_prepare();
}

void ready_fork_parent(void)
{
	registry_fork_parent();
}

void ready_fork_child(void)
{
	registry_fork_child();
}
