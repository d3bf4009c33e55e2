/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks on the life of a socket: socket, bind, listen, accept, connect, shutdown, socket options.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "accept.h"
#include "address.h"
#include "ahead.h"
#include "arena.h"
#include "connect.h"
#include "fdtab.h"
#include "listeners.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "ready.h"
#include "real.h"
#include "session.h"
#include "shim.h"
#include "sys.h"
#include "unserved.h"
#include "unconnected.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef TCP_ZEROCOPY_RECEIVE
#define TCP_ZEROCOPY_RECEIVE 35
#endif

#define MAX_NAMES 8

static int fail(int err)
{
	errno = err;
	return -1;
}

/* An integer option of a socket; known if the kernel does not tell, which must not lead to plaintext. -1: no socket. */
static int socket_option(int fd, int name, int known)
{
	int value = 0;
	socklen_t len = sizeof(value);
	int rc = sys_getsockopt(fd, SOL_SOCKET, name, &value, &len);

	return rc == 0 ? value : rc == -ENOTSOCK || rc == -EBADF ? -1 : known;
}

static bool is_tcp(int fd)
{
	int domain;

	if (socket_option(fd, SO_TYPE, SOCK_STREAM) != SOCK_STREAM) {
		return false;
	}
	domain = socket_option(fd, SO_DOMAIN, AF_INET);
	return domain == AF_INET || domain == AF_INET6;
}

/* Lengths as the kernel demands them: IPv6 without the scope is one that it takes. */
static bool is_inet(const struct sockaddr *addr, socklen_t len)
{
	return len >= sizeof(struct sockaddr_in) && memory_can_read(addr, sizeof(struct sockaddr_in)) &&
	       (addr->sa_family == AF_INET ||
		(addr->sa_family == AF_INET6 && len >= offsetof(struct sockaddr_in6, sin6_scope_id)));
}

/* sockaddr_in and sockaddr_in6 have the port at the same place. */
static uint16_t port_of(const struct sockaddr *addr)
{
	return ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

/* ---- new descriptors: whatever their number meant before is over, also if nobody saw its end ---- */

static void renew(int fd)
{
	if (fdtab_is_wrapped(fd)) {
		int saved = errno;
		session_forget(fd);
		errno = saved;
	}
}

EXPORT int socket(int domain, int type, int protocol)
{
	int fd = REAL(socket)(domain, type, protocol);

	renew(fd);
	if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6)) {
		unconnected_note(fd);
	}
	return fd;
}

/*
 * Connections may come to be passed over Unix sockets (SCM_RIGHTS): a process that is forked from here on shares the
 * arena, and can go on with them.
 */
static void prepare_passing(int domain)
{
	int saved = errno;

	if (domain == AF_UNIX && shim_ready() == SHIM_ARMED) {
		(void)arena_open();
	}
	errno = saved;
}

EXPORT int socketpair(int domain, int type, int protocol, int sv[2])
{
	int rc;

	prepare_passing(domain);
	rc = REAL(socketpair)(domain, type, protocol, sv);
	if (rc == 0) {
		renew(sv[0]);
		renew(sv[1]);
	}
	return rc;
}

/* ---- the accept side ---- */

/*
 * Load the credentials of the rules that may hold for a listener while the process still may read
 * them. False with errno if they cannot be loaded: better no service than one that fails each
 * connection.
 */
static bool prepare_listener(int fd, const struct sockaddr *addr)
{
	static _Atomic bool all_tried;
	char why[512];

	if (!shim_policy() || !policy_may_match(shim_policy(), POLICY_ACCEPT, port_of(addr)) || !is_tcp(fd)) {
		return true;
	}
	if (!policy_preload(shim_policy(), POLICY_ACCEPT, port_of(addr), shim_program(), shim_started_as(), why)) {
		log_error("port %u: %s; refusing to listen", port_of(addr), why);
		errno = EACCES;
		return false;
	}
	if (!atomic_exchange(&all_tried, true)) {
		/*
		 * It may listen on other ports later, when it has changed its root or user. Those rules may
		 * also never be used.
		 */
		(void)policy_preload(shim_policy(), POLICY_ACCEPT, 0, shim_program(), shim_started_as(), why);
	}
	/* Before the program forks: processes that pass connections to each other must share it. */
	(void)arena_open();
	return true;
}

EXPORT int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (is_inet(addr, len) && port_of(addr) != 0 && shim_ready() == SHIM_ARMED && !prepare_listener(fd, addr)) {
		return -1;
	}
	return REAL(bind)(fd, addr, len);
}

static void note_listener(int fd)
{
	int saved = errno;

	if (policy_has(shim_policy(), POLICY_CONNECT) && accept_may_be_tls(fd)) {
		listeners_note(fd);
	}
	errno = saved;
}

EXPORT int listen(int fd, int backlog)
{
	bool armed = shim_ready() == SHIM_ARMED, has_name;
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);
	int rc;

	has_name = armed && sys_call(SYS_getsockname, fd, &addr, &len) == 0;
	if (has_name) {
		prepare_passing(addr.sin6_family);
	}
	armed = armed && policy_has(shim_policy(), POLICY_ACCEPT);
	if (armed && has_name && is_inet((struct sockaddr *)&addr, len) &&
	    !prepare_listener(fd, (struct sockaddr *)&addr)) {
		return -1;
	}
	rc = REAL(listen)(fd, backlog);
	if (armed && rc == 0) {
		ahead_listen(fd);
		note_listener(fd);
	}
	return rc;
}

static bool is_wildcard(const struct sockaddr_in6 *addr)
{
	return addr->sin6_family == AF_INET ?
		       ((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr == htonl(INADDR_ANY) :
		       IN6_IS_ADDR_UNSPECIFIED(&addr->sin6_addr);
}

bool accept_may_be_tls(int listener)
{
	struct policy_verdict verdict;
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);

	if (sys_call(SYS_getsockname, listener, &addr, &len) != 0 || !is_inet((struct sockaddr *)&addr, len) ||
	    !policy_may_match(shim_policy(), POLICY_ACCEPT, ntohs(addr.sin6_port)) || !is_tcp(listener) ||
	    !accept_verdict(listener, &verdict)) {
		return false;
	}
	/* Of a wildcard listener only its connections' own addresses tell. */
	return verdict.action == POLICY_TLS || (verdict.action == POLICY_PLAIN && is_wildcard(&addr));
}

bool accept_verdict(int fd, struct policy_verdict *verdict)
{
	struct sockaddr_in6 local;
	socklen_t len = sizeof(local);
	struct policy_query query = {
		.direction = POLICY_ACCEPT,
		.addr = (struct sockaddr *)&local,
		.program = shim_program(),
		.started_as = shim_started_as(),
	};

	memset(verdict, 0, sizeof(*verdict));
	if (sys_call(SYS_getsockname, fd, &local, &len) != 0) {
		return false;
	}
	if (!is_inet((struct sockaddr *)&local, len)) {
		return true;
	}
	query.addr_len = len;
	query.uid = (uint32_t)sys_call(SYS_geteuid, 0, 0, 0);
	policy_match(shim_policy(), &query, verdict);
	return true;
}

struct engine_config *accept_config_for(int fd, struct policy_verdict *verdict)
{
	struct engine_config *config;
	char why[512];

	if (!accept_verdict(fd, verdict) || verdict->action != POLICY_TLS) {
		return NULL;
	}
	config = policy_rule_config(verdict->rule, why);
	if (!config) {
		log_error("%s: %s; refusing the connection", policy_rule_text(verdict->rule), why);
	}
	return config;
}

bool accept_wrap(int fd)
{
	struct sockaddr_in6 peer;
	socklen_t peer_len = sizeof(peer);
	struct policy_verdict verdict;
	struct engine_config *config;

	memset(&peer, 0, sizeof(peer));
	if (!accept_verdict(fd, &verdict)) {
		return false;
	}
	switch (verdict.action) {
	case POLICY_PLAIN:
		return true;
	case POLICY_TLS:
		break;
	case POLICY_DENY:
		log_warn("%s: connection refused", policy_rule_text(verdict.rule));
		return false;
	default:
		log_error("%s: this action is not available; connection refused", policy_rule_text(verdict.rule));
		return false;
	}
	config = accept_config_for(fd, &verdict);
	if (!config) {
		return false;
	}
	sys_call(SYS_getpeername, fd, &peer, &peer_len);
	if (!session_attach(fd, ENGINE_SERVER, verdict.rule, config, NULL, (struct sockaddr *)&peer, peer_len)) {
		log_error("%s: out of resources (%s); connection refused", policy_rule_text(verdict.rule),
			  strerrordesc_np(errno));
		return false;
	}
	return true;
}

/* A refused connection is reset, and the program told what accept(2) says of connections that went away. */
static int accepted(int fd)
{
	const struct linger reset = { 1, 0 };
	enum shim_state state;
	int saved = errno;

	if (fd < 0) {
		return fd;
	}
	renew(fd);
	state = shim_ready();
	if (state == SHIM_IDLE || (state == SHIM_ARMED && !policy_has(shim_policy(), POLICY_ACCEPT))) {
		return fd;
	}
	if (state == SHIM_ARMED ? accept_wrap(fd) : !is_tcp(fd)) {
		session_accepted(fd);
		unserved_add(fd);
		errno = saved;
		return fd;
	}
	sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	sys_close(fd);
	return fail(state == SHIM_ARMED ? ECONNABORTED : EACCES);
}

/* With a helper that accepts ahead: what came may stand for a connection that it has. */
static int accept_ahead(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	socklen_t room = addr && len ? *len : 0;
	int new_fd = REAL(accept4)(fd, addr, len, flags);

	if (new_fd < 0 || !ahead_is_poke(fd, new_fd)) {
		return accepted(new_fd);
	}
	new_fd = ahead_take(fd, new_fd, addr, room, len, flags);
	if (fdtab_is_wrapped(new_fd)) {
		session_accepted(new_fd);
		return new_fd;
	}
	return accepted(new_fd);
}

EXPORT int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	if (unserved_any() && unserved_before_accept(fd) != 0) {
		return fail(EINTR);
	}
	return ahead_is_used() ? accept_ahead(fd, addr, len, 0) : accepted(REAL(accept)(fd, addr, len));
}

EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	if (unserved_any() && unserved_before_accept(fd) != 0) {
		return fail(EINTR);
	}
	return ahead_is_used() ? accept_ahead(fd, addr, len, flags) : accepted(REAL(accept4)(fd, addr, len, flags));
}

/* ---- the connect side ---- */

static enum connect_plan attach_client(int fd, const struct policy_verdict *verdict, const struct sockaddr *addr,
				       socklen_t len)
{
	const char *rule = policy_rule_text(verdict->rule);
	const char *name = policy_rule_server_name(verdict->rule);
	struct engine_config *config;
	char text[80], literal[80];
	char why[512];

	address_format(addr, len, text);
	config = policy_rule_config(verdict->rule, why);
	if (!config) {
		log_error("%s: %s; connection to %s refused", rule, why, text);
		errno = EACCES;
		return CONNECT_REFUSED;
	}
	name = name ? name : verdict->name;
	if (!name && policy_rule_verify(verdict->rule) == ENGINE_VERIFY_FULL) {
		/*
		 * No look-up was seen: the program knows the peer by its address, so the certificate must
		 * be for that.
		 */
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
		if (addr->sa_family == AF_INET) {
			inet_ntop(AF_INET, &((const struct sockaddr_in *)addr)->sin_addr, literal, sizeof(literal));
		} else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], literal, sizeof(literal));
		} else {
			inet_ntop(AF_INET6, &in6->sin6_addr, literal, sizeof(literal));
		}
		name = literal;
		log_debug("%s: %s: no name was looked up for this address; verifying the address (set server-name to "
			  "verify a name)",
			  rule, text);
	}
	if (!session_attach(fd, ENGINE_CLIENT, verdict->rule, config, name, addr, len)) {
		log_error("%s: out of resources (%s); connection to %s refused", rule, strerrordesc_np(errno), text);
		return CONNECT_REFUSED;
	}
	return CONNECT_TLS;
}

static void log_refusal(const struct policy_verdict *verdict, const struct sockaddr *addr, socklen_t len)
{
	const char *rule = policy_rule_text(verdict->rule);
	char text[80];

	address_format(addr, len, text);
	if (verdict->name_unknown) {
		log_warn("%s: connection to %s refused: the rule goes by name, and the program did not look one up; add a "
			 "rule by address with server-name",
			 rule, text);
	} else if (verdict->action == POLICY_DENY) {
		log_warn("%s: connection to %s refused", rule, text);
	} else {
		log_error("%s: this action is not available; connection to %s refused", rule, text);
	}
}

/*
 * Several names have been looked up for one address, and the first rule that fits any of them is
 * protected: of those names that lead to protection (or refusal), the latest is the one that the
 * program means.
 */
static void match_names(const struct policy_query *query, struct policy_verdict *verdict)
{
	struct policy_query one = *query;

	policy_match(shim_policy(), query, verdict);
	if (query->n_names < 2 || verdict->action == POLICY_PLAIN) {
		return;
	}
	one.n_names = 1;
	for (size_t i = 0; i < query->n_names; i++) {
		struct policy_verdict by_one;
		one.names = &query->names[i];
		policy_match(shim_policy(), &one, &by_one);
		if (by_one.action != POLICY_PLAIN) {
			*verdict = by_one;
			return;
		}
	}
}

enum connect_plan connect_plan(int fd, const struct sockaddr *addr, socklen_t len)
{
	const char *names[MAX_NAMES];
	struct policy_query query = {
		.direction = POLICY_CONNECT,
		.addr = addr,
		.addr_len = len,
		.names = names,
		.program = shim_program(),
		.started_as = shim_started_as(),
	};
	struct policy_verdict verdict;
	enum shim_state state;

	if (!is_inet(addr, len)) {
		return CONNECT_PLAIN;
	}
	state = shim_ready();
	if (state == SHIM_IDLE ||
	    (state == SHIM_ARMED && !policy_may_match(shim_policy(), POLICY_CONNECT, port_of(addr))) || !is_tcp(fd)) {
		return CONNECT_PLAIN;
	}
	if (state != SHIM_ARMED) {
		errno = EACCES;
		return CONNECT_REFUSED;
	}
	query.n_names = names_find(addr, len, names, MAX_NAMES);
	query.uid = (uint32_t)sys_call(SYS_geteuid, 0, 0, 0);
	match_names(&query, &verdict);
	if (verdict.action == POLICY_PLAIN) {
		return CONNECT_PLAIN;
	}
	if (verdict.action != POLICY_TLS) {
		log_refusal(&verdict, addr, len);
		errno = EACCES;
		return CONNECT_REFUSED;
	}
	return attach_client(fd, &verdict, addr, len);
}

int connect_now(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno;
	int rc = REAL(connect)(fd, addr, len);
	int err = errno;

	rc = session_connect(fd, rc, err);
	if (rc == 0) {
		/* It may have been in epoll sets before. */
		ready_connecting(fd);
		errno = saved;
	} else if (session_phase(fd) == SESSION_CONNECTING) {
		err = errno;
		ready_connecting(fd);
		errno = err;
	}
	return rc;
}

static int hook_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno;

	if (fdtab_is_wrapped(fd)) {
		bool unspec;
		if (len < sizeof(addr->sa_family) || len > sizeof(struct sockaddr_storage)) {
			return fail(EINVAL);
		}
		if (!memory_can_read(addr, len)) {
			return fail(EFAULT);
		}
		unspec = addr->sa_family == AF_UNSPEC;
		if (!unspec && (session_phase(fd) != SESSION_FAILED || session_error_pending(fd))) {
			return session_connect_again(fd);
		}
		/* A new connection on the same socket. */
		session_dissolve(fd);
	}
	switch (connect_plan(fd, addr, len)) {
	case CONNECT_REFUSED:
		return -1;
	case CONNECT_TLS:
		return connect_now(fd, addr, len);
	default:
		errno = saved;
		return REAL(connect)(fd, addr, len);
	}
}

EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return hook_connect(fd, addr, len);
}

EXPORT int __connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return hook_connect(fd, addr, len);
}

/* ---- both ---- */

EXPORT int shutdown(int fd, int how)
{
	return fdtab_is_wrapped(fd) ? session_shutdown(fd, how) : REAL(shutdown)(fd, how);
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int rc;

	if (!fdtab_is_wrapped(fd)) {
		return REAL(getsockopt)(fd, level, name, value, len);
	}
	if (level == SOL_SOCKET && name == SO_ERROR && memory_can_read(len, sizeof(*len)) &&
	    *len >= sizeof(int) && memory_can_write(value, sizeof(int))) {
		short events;
		int err;
		if (session_phase(fd) == SESSION_CONNECTING && session_progress(fd, &events) != SESSION_CONNECTING) {
			ready_settled(fd);
		}
		err = session_take_error(fd);
		if (err) {
			memcpy(value, &err, sizeof(err));
			*len = sizeof(err);
			return 0;
		}
	}
	if (level == IPPROTO_TCP && name == TCP_ZEROCOPY_RECEIVE) {
		return fail(EOPNOTSUPP);
	}
	rc = REAL(getsockopt)(fd, level, name, value, len);
	if (rc == 0 && level == SOL_SOCKET && name == SO_RCVLOWAT) {
		uint32_t lowat = session_lowat(fd, 0);
		memcpy(value, &lowat, *len < sizeof(lowat) ? *len : sizeof(lowat));
	}
	return rc;
}

/* The kernel judges the value, and knows how far it goes. */
static int set_lowat(int fd, const void *value, socklen_t len)
{
	int rc = REAL(setsockopt)(fd, SOL_SOCKET, SO_RCVLOWAT, value, len);

	if (rc == 0) {
		session_lowat(fd, (uint32_t)socket_option(fd, SO_RCVLOWAT, 1));
	}
	return rc;
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (fdtab_is_wrapped(fd)) {
		if (level == SOL_SOCKET && name == SO_RCVLOWAT) {
			return set_lowat(fd, value, len);
		}
		if ((level == SOL_SOCKET && name == SO_ZEROCOPY) || (level == IPPROTO_TCP && name == TCP_ULP)) {
			return fail(EOPNOTSUPP);
		}
	}
	return REAL(setsockopt)(fd, level, name, value, len);
}

EXPORT int sockatmark(int fd)
{
	return fdtab_is_wrapped(fd) ? 0 : REAL(sockatmark)(fd);
}
