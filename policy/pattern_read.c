/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading HOST:PORT patterns, with a message for every way to get them wrong.
 */
#include <arpa/inet.h>
#include <string.h>

#include "rule.h"

#define HOST_MAX 300

/* clang-format off */
/* Names that policies use and /etc/services may lack in a container. */
static const struct {
	const char *name;
	uint16_t port;
} services[] = {
	{ "amqp", 5672 }, { "amqps", 5671 }, { "domain", 53 }, { "ftp", 21 }, { "ftps", 990 }, { "http", 80 },
	{ "https", 443 }, { "imap", 143 }, { "imap2", 143 }, { "imaps", 993 }, { "ircd", 6667 }, { "ircs-u", 6697 },
	{ "ldap", 389 }, { "ldaps", 636 }, { "memcache", 11211 }, { "mongodb", 27017 }, { "mqtt", 1883 },
	{ "mysql", 3306 }, { "nntp", 119 }, { "nntps", 563 }, { "pop3", 110 }, { "pop3s", 995 },
	{ "postgresql", 5432 }, { "redis", 6379 }, { "secure-mqtt", 8883 }, { "sieve", 4190 }, { "smtp", 25 },
	{ "smtps", 465 }, { "ssh", 22 }, { "submission", 587 }, { "submissions", 465 }, { "telnet", 23 },
	{ "xmpp-client", 5222 }, { "xmpp-server", 5269 },
};
/* clang-format on */

static bool read_host(const struct pattern_reader *reader, struct pattern *pattern, const char *host);
static bool read_network(const struct pattern_reader *reader, struct pattern *pattern, const char *text,
			 bool is_ipv4);
static bool settle_network(const struct pattern_reader *reader, struct pattern *pattern, bool is_cidr);
static bool read_port(const struct pattern_reader *reader, struct pattern *pattern, const char *text);
static bool read_decimal(const char *text, size_t len, unsigned long max, unsigned long *value);
static bool looks_numeric(const char *host);

bool pattern_read(const struct pattern_reader *reader, struct place at, const char *text,
		  struct pattern *pattern)
{
	char host[HOST_MAX];
	const char *colon;
	size_t len;

	pattern->at = at;
	colon = strrchr(text, ':');
	if (!colon || (text[0] == '[' && !strchr(text, ']')) ||
	    (text[0] == '[' && colon < strchr(text, ']'))) {
		const char *problem =
			text[0] == '[' && !strchr(text, ']') ? "']' is missing" : "the port is missing";

		diag_error(reader->diag, at, "found '%.80s', expected HOST:PORT: %s%s", text, problem,
			   text[0] == '[' && !strchr(text, ']') ? "" : " (':*' means any port)");
		return false;
	}
	len = (size_t)(colon - text);
	if (len == 0 || len >= sizeof(host)) {
		diag_error(reader->diag, at, "found '%.80s', expected HOST:PORT: the host is %s", text,
			   len == 0 ? "missing ('*' means any host)" : "too long");
		return false;
	}
	memcpy(host, text, len);
	host[len] = 0;
	/* Both halves are judged, so that two mistakes in one pattern come out together. */
	bool host_ok = read_host(reader, pattern, host);
	bool port_ok = read_port(reader, pattern, colon + 1);

	pattern->text = rule_strdup(reader->policy, text);
	if (!pattern->text) {
		diag_error(reader->diag, at, "out of memory");
	}
	return host_ok && port_ok && pattern->text;
}

uint16_t pattern_builtin_service(const char *name)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (strcmp(services[i].name, name) == 0) {
			return services[i].port;
		}
	}
	return 0;
}

static bool read_host(const struct pattern_reader *reader, struct pattern *pattern, const char *host)
{
	bool is_accept = reader->direction == POLICY_ACCEPT;
	const char *name = strncmp(host, "*.", 2) == 0 ? host + 2 : host;
	struct pattern_name checked;

	if (strcmp(host, "*") == 0) {
		pattern->kind = PATTERN_ANY;
		return true;
	}
	if (host[0] == '[') {
		return read_network(reader, pattern, host, false);
	}
	if (strchr(host, ':')) {
		diag_error(reader->diag, pattern->at,
			   "found '%.80s', expected an IPv6 address in brackets: [ADDRESS]:PORT", host);
		return false;
	}
	if (name == host && (looks_numeric(host) || strchr(host, '/'))) {
		return read_network(reader, pattern, host, true);
	}
	if (!pattern_read_name(&checked, name)) {
		const char *help = "a name has letters, digits and '-' in labels of 1 to 63 characters";

		for (const char *s = name; *s; s++) {
			if (*s == '*') {
				help = "'*' stands alone, or first as in *.example.org";
				break;
			}
			if ((unsigned char)*s >= 0x80) {
				help = "write an international name in its ASCII form, xn--...";
				break;
			}
		}
		diag_error(reader->diag, pattern->at,
			   "found host '%.80s', expected *, a name, *.SUFFIX, an address or a network: %s",
			   host, help);
		return false;
	}
	if (is_accept) {
		if (strcmp(checked.text, "localhost") == 0 && name == host) {
			pattern->kind = PATTERN_LOOPBACK;
			return true;
		}
		diag_error(reader->diag, pattern->at,
			   "found name '%.80s', but accept rules are matched by local address: expected *, "
			   "localhost, "
			   "an address or a network",
			   host);
		return false;
	}
	pattern->kind = name == host ? PATTERN_NAME : PATTERN_SUFFIX;
	pattern->name = rule_strdup(reader->policy, checked.text);
	return pattern->name != NULL;
}

/* 10.1.2.3, 10.1.0.0/16, [fd00::1], [fd00::]/8, [fd00::/8] */
static bool read_network(const struct pattern_reader *reader, struct pattern *pattern, const char *text,
			 bool is_ipv4)
{
	struct pattern_address *address = &pattern->address;
	char copy[HOST_MAX];
	char *slash, *close = NULL;
	unsigned long bits = is_ipv4 ? 32 : 128;

	(void)snprintf(copy, sizeof(copy), "%s", is_ipv4 ? text : text + 1);
	slash = strchr(copy, '/');
	if (!is_ipv4) {
		close = strchr(copy, ']');
		if (!close || (close[1] && close + 1 != slash) || (slash && slash < close && close[1])) {
			diag_error(reader->diag, pattern->at,
				   "found host '%.80s', expected [ADDRESS], [ADDRESS]/BITS or [ADDRESS/BITS]",
				   text);
			return false;
		}
		*close = 0;
	}
	if (slash) {
		*slash = 0;
		if (!read_decimal(slash + 1, strlen(slash + 1), bits, &bits)) {
			diag_error(reader->diag, pattern->at,
				   "found host '%.80s', expected 0 to %d bits after '/'", text,
				   is_ipv4 ? 32 : 128);
			return false;
		}
	}
	pattern->kind = PATTERN_NETWORK;
	*address = (struct pattern_address){.is_ipv4 = is_ipv4, .bytes = {[10] = 0xff, [11] = 0xff}};
	if (inet_pton(is_ipv4 ? AF_INET : AF_INET6, copy, is_ipv4 ? address->bytes + 12 : address->bytes) !=
	    1) {
		diag_error(reader->diag, pattern->at, "found host '%.80s', expected an IPv%d address%s", text,
			   is_ipv4 ? 4 : 6,
			   strchr(copy, '%') ? " without a zone; give the port of the socket instead"
			   : is_ipv4         ? " of four numbers from 0 to 255"
					     : "");
		return false;
	}
	pattern->prefix_len = (unsigned)bits + (is_ipv4 ? 96 : 0);
	return settle_network(reader, pattern, slash != NULL);
}

/* What the kernel makes of some addresses, and bits beyond the prefix. */
static bool settle_network(const struct pattern_reader *reader, struct pattern *pattern, bool is_cidr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, zero[16];
	struct pattern_address *address = &pattern->address;
	bool cut = false;

	if (!address->is_ipv4 && pattern->prefix_len >= 96 && memcmp(address->bytes, mapped, 12) == 0) {
		address->is_ipv4 =
			true; /* IPv4-mapped: the same connection as the IPv4 address, RFC 4291 2.5.5.2 */
	}
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = pattern->prefix_len > i * 8 ? pattern->prefix_len - i * 8 : 0;
		uint8_t mask = (uint8_t)(0xff00 >> (keep < 8 ? keep : 8));

		cut = cut || (address->bytes[i] & ~mask);
		address->bytes[i] &= mask;
	}
	if (cut) {
		diag_warning(reader->diag, pattern->at,
			     "the address has bits beyond its prefix of %u; they are ignored",
			     pattern->prefix_len - (address->is_ipv4 ? 96 : 0));
	}
	if (is_cidr || memcmp(address->bytes + 12, zero, 4) != 0 ||
	    (!address->is_ipv4 && memcmp(address->bytes, zero, 12) != 0)) {
		return true;
	}
	/* 0.0.0.0 and [::]: servers mean every local address by it, clients reach the loopback address. */
	if (reader->direction == POLICY_CONNECT) {
		address->bytes[15] = 1;
		if (address->is_ipv4) {
			address->bytes[12] = 127;
		}
	} else if (address->is_ipv4) {
		pattern->prefix_len = 96;
	} else {
		pattern->kind = PATTERN_ANY;
	}
	return true;
}

static bool read_port(const struct pattern_reader *reader, struct pattern *pattern, const char *text)
{
	const char *dash = strchr(text, '-');
	size_t first_len = dash ? (size_t)(dash - text) : strlen(text);
	unsigned long low = 0, high = 0;
	uint16_t service;

	pattern->low_port = 0;
	pattern->high_port = 65535;
	if (strcmp(text, "*") == 0) {
		return true;
	}
	if (read_decimal(text, first_len, 65535, &low) &&
	    (dash ? read_decimal(dash + 1, strlen(dash + 1), 65535, &high) : (high = low, true)) && low > 0) {
		if (low > high) {
			diag_error(reader->diag, pattern->at,
				   "found ports '%.40s', expected the lower port first: %lu-%lu", text, high,
				   low);
			return false;
		}
		pattern->low_port = (uint16_t)low;
		pattern->high_port = (uint16_t)high;
		return true;
	}
	if (text[0] && strspn(text, "0123456789-") == strlen(text)) {
		diag_error(reader->diag, pattern->at,
			   "found port '%.40s', expected a number from 1 to 65535 or a range LOW-HIGH", text);
		return false;
	}
	service = pattern_builtin_service(text);
	if (!service && text[0] && reader->find_service) {
		service = reader->find_service(text);
	}
	if (!service) {
		struct diag_nearest nearest;
		char hint[64];

		diag_nearest_init(&nearest, text);
		for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
			diag_nearest_try(&nearest, services[i].name);
		}
		diag_error(reader->diag, pattern->at,
			   "found port '%.40s', expected a number, LOW-HIGH, * or a service name%s", text,
			   diag_nearest_hint(&nearest, hint));
		return false;
	}
	pattern->low_port = service;
	pattern->high_port = service;
	return true;
}

/* Digits only, 0..max. */
static bool read_decimal(const char *text, size_t len, unsigned long max, unsigned long *value)
{
	*value = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		*value = *value * 10 + (unsigned long)(text[i] - '0');
		if (*value > max) {
			return false;
		}
	}
	return len > 0;
}

/* Meant as an IPv4 address, well-formed or not: "10.1.2", "300.1.1.1", "10.0.0.0/8", "8". */
static bool looks_numeric(const char *host)
{
	return host[0] >= '0' && host[0] <= '9' && !pattern_is_usable_name(host);
}
