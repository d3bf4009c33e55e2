/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HOST:PORT patterns of rules: reading them, and matching a socket against one.
 */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include "diag.h"

#define PATTERN_MAX_NAME 253

enum pattern_kind {
	PATTERN_ANY,      /* * */
	PATTERN_NAME,     /* example.org */
	PATTERN_SUFFIX,   /* *.example.org: one label or more in front */
	PATTERN_NETWORK,  /* an address or a CIDR */
	PATTERN_LOOPBACK, /* localhost in accept rules: 127.0.0.0/8 and ::1 */
};

/* An IP address. IPv4 lies in the last four bytes, as in ::ffff:0:0/96, and is never equal to an IPv6 one. */
struct pattern_address {
	bool is_ipv4;
	uint8_t bytes[16];
};

struct pattern {
	struct pattern *next;
	struct place at;
	const char *text; /* as written */
	enum pattern_kind kind;
	const char *name; /* of NAME and SUFFIX (without "*."): lower case, no final dot */
	struct pattern_address address;
	unsigned prefix_len; /* in bits of the 16 bytes */
	uint16_t low_port, high_port;
};

/* A host name in lower case without its final dot. */
struct pattern_name {
	char text[PATTERN_MAX_NAME + 1];
};
/* True if text is a host name (letters, digits, - and _ in labels of 1 to 63; not an address). */
bool pattern_read_name(struct pattern_name *name, const char *text);

/* What reading a pattern needs from outside. */
struct pattern_reader {
	struct policy *policy; /* owns what is made */
	const struct diag *diag;
	enum policy_direction direction;
	/* Port of a service name, 0 if unknown. */
	uint16_t (*find_service)(const char *name);
};
/* Read text as a pattern into *pattern; false after reporting what is wrong. */
bool pattern_read(const struct pattern_reader *reader, struct place at, const char *text,
		  struct pattern *pattern);

/* Port of a service that every tlshim knows, whatever /etc/services says; 0 if it is none of those. */
uint16_t pattern_builtin_service(const char *name);

/* What is known of a socket. */
struct pattern_subject {
	bool has_address;
	struct pattern_address address;
	uint16_t port;
	const char *const *names;
	size_t n_names;
};
enum pattern_match {
	PATTERN_NO_PORT,       /* the port is another */
	PATTERN_NO_HOST,       /* the host is another */
	PATTERN_NEEDS_NAME,    /* it asks for a name, and none is known */
	PATTERN_NEEDS_ADDRESS, /* it asks for an address, and none is known (never with has_address) */
	PATTERN_YES,
};
/*
 * Does the subject fit? *name: the name that it fits by, untouched otherwise. Async-signal-safe, allocates
 * nothing.
 */
enum pattern_match pattern_match(const struct pattern *pattern, const struct pattern_subject *subject,
				 const char **name);
/* False for what resolvers also take but is no name: "", addresses in any notation. */
bool pattern_is_usable_name(const char *name);

/* Would every socket that fits b fit a too? */
bool pattern_covers(const struct pattern *a, const struct pattern *b);
/* Do the port ranges have a port in common? */
bool pattern_ports_meet(const struct pattern *a, const struct pattern *b);

/* Does text fit glob: * any run of characters, ? one, [a-z] and [!a-z] one of a set, \ takes away meaning. */
bool pattern_glob(const char *glob, const char *text);

#endif
