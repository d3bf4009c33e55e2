/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what a program imports and links to what its user should know.
 */
#include "doctor_notes.h"

#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../policy/match.h"
#include "doctor_know.h"

bool doctor_note(struct doctor_notes *notes, enum doctor_weight weight, const char *format, ...)
{
	struct doctor_note note = {.weight = weight};
	va_list args;
	int n;

	if (notes->n == notes->room) {
		size_t room = notes->room > 0 ? 2 * notes->room : 16;
		struct doctor_note *grown = realloc(notes->list, room * sizeof(*grown));

		if (grown == NULL) {
			return false;
		}
		notes->list = grown;
		notes->room = room;
	}
	va_start(args, format);
	n = vasprintf(&note.text, format, args);
	va_end(args);
	if (n < 0) {
		return false;
	}
	notes->list[notes->n++] = note;
	notes->n_weighty += weight == DOCTOR_NOTE;
	return true;
}

void doctor_notes_free(struct doctor_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++) {
		free(notes->list[i].text);
	}
	free(notes->list);
	memset(notes, 0, sizeof(*notes));
}

static bool imports(const struct doctor_object *object, const char *name)
{
	for (size_t i = 0; i < object->elf.n_symbols; i++) {
		if (!object->elf.symbols[i].is_defined && strcmp(object->elf.symbols[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

bool doctor_calls(const struct doctor_libs *libs, const char *name)
{
	for (size_t i = 0; i < libs->n_objects; i++) {
		if (!libs->objects[i].is_libc && imports(&libs->objects[i], name)) {
			return true;
		}
	}
	return false;
}

/* ---- what it is made of ---- */

/* How to call an object in a sentence. */
static const char *object_name(const struct doctor_libs *libs, const struct doctor_object *object)
{
	return object == &libs->objects[0] ? "the program itself" : object->name;
}

/* What was found of one kind: "OpenSSL (libssl.so.3), GnuTLS (libgnutls.so.30)"; what does not fit is left out. */
struct found {
	char text[1000];
	size_t len;
};

static void find_more(struct found found[static DOCTOR_N_KINDS], const struct doctor_mark *mark,
		      const char *where)
{
	struct found *kind = &found[mark->kind];
	char item[300];
	int n = snprintf(item, sizeof(item), "%s (%s)", mark->what, where);

	if (n > 0 && (size_t)n < sizeof(item) && strstr(kind->text, item) == NULL &&
	    kind->len + (size_t)n + 3 < sizeof(kind->text)) {
		kind->len += (size_t)snprintf(kind->text + kind->len, sizeof(kind->text) - kind->len, "%s%s",
					      kind->len > 0 ? ", " : "", item);
	}
}

static bool note_found(struct doctor_notes *notes, const struct found found[static DOCTOR_N_KINDS])
{
	static const struct {
		enum doctor_weight weight;
		const char *before, *after;
	} texts[] = {
		[DOCTOR_TLS] = {DOCTOR_NOTE, "it has TLS of its own: ",
				". Both work side by side, but a connection that it encrypts itself must not "
				"match a tls rule, or "
				"there would be TLS in TLS"},
		[DOCTOR_RESOLVER] =
			{DOCTOR_NOTE, "it can ask name servers by itself: ",
			 ". Names that it looks up so are not known here, and rules by name then refuse the "
			 "connection: write rules by address with server-name"},
		[DOCTOR_SANDBOX] =
			{DOCTOR_NOTE, "it can filter system calls: ",
			 ". If it dies of SIGSYS, or its connections of EPERM, its filter lacks a call that "
			 "a wrapped "
			 "connection needs: recvfrom, sendto, sendmsg, getsockopt, getpeername, poll, "
			 "mmap, getrandom, futex"},
		[DOCTOR_ALLOCATOR] = {DOCTOR_FINE, "its memory comes from ", ""},
		[DOCTOR_URING] =
			{DOCTOR_NOTE, "it can use io_uring: ",
			 ". Its operations pass by every hook. It is switched off in programs that have "
			 "liburing and "
			 "start with CAP_SYS_ADMIN; else switch it off in the program's settings, or by "
			 "sysctl "
			 "kernel.io_uring_disabled=2, or connections made through it are NOT protected"},
		[DOCTOR_RAW] = {DOCTOR_NOTE, "it can make system calls by itself: ",
				". Those pass by every hook: connections that it makes or uses so are NOT protected"},
		[DOCTOR_AIO] = {DOCTOR_NOTE, "it can use the kernel's asynchronous input and output: ",
				". That is made for files; used on sockets it passes by the hooks"},
	};

	for (size_t i = 0; i < DOCTOR_N_KINDS; i++) {
		if (found[i].len > 0 && !doctor_note(notes, texts[i].weight, "%s%s%s", texts[i].before,
						     found[i].text, texts[i].after)) {
			return false;
		}
	}
	return true;
}

static void find_traces(struct found found[static DOCTOR_N_KINDS], unsigned traces, const char *where)
{
	static const struct {
		enum doctor_trace trace;
		struct doctor_mark mark;
	} known[] = {
		{DOCTOR_TRACE_OPENSSL, {DOCTOR_TLS, "", "OpenSSL, linked in"}},
		{DOCTOR_TRACE_BORINGSSL, {DOCTOR_TLS, "", "BoringSSL, linked in"}},
		{DOCTOR_TRACE_GNUTLS, {DOCTOR_TLS, "", "GnuTLS, linked in"}},
		{DOCTOR_TRACE_MBEDTLS, {DOCTOR_TLS, "", "Mbed TLS, linked in"}},
		{DOCTOR_TRACE_RUSTLS, {DOCTOR_TLS, "", "rustls, linked in"}},
		{DOCTOR_TRACE_RUSTIX, {DOCTOR_RAW, "", "rustix"}},
		{DOCTOR_TRACE_URING, {DOCTOR_URING, "", "a system call in its own code"}},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if ((traces & known[i].trace) != 0) {
			find_more(found, &known[i].mark, where);
		}
	}
}

static bool note_object(struct doctor_notes *notes, struct found found[static DOCTOR_N_KINDS],
			const struct doctor_libs *libs, const struct doctor_object *object)
{
	const struct doctor_mark *mark =
		object != &libs->objects[0] ? doctor_find_library(object->name) : NULL;
	const char *where = object_name(libs, object);

	if (object->why != NULL) {
		return doctor_note(notes, DOCTOR_NOTE, "%s %s: what it calls is not known", where,
				   object->why);
	}
	if (object->path == NULL) {
		return doctor_note(notes, DOCTOR_NOTE,
				   "%s was not found: the program will not start without it, and what it "
				   "calls is not known",
				   where);
	}
	if (mark != NULL) {
		find_more(found, mark, where);
		return true;
	}
	for (size_t i = 0; i < object->elf.n_symbols; i++) {
		const struct doctor_symbol *symbol = &object->elf.symbols[i];

		mark = doctor_find_symbol(symbol->name, symbol->is_defined);
		if (mark != NULL) {
			find_more(found, mark, where);
		}
	}
	find_traces(found, object->traces, where);
	return object->maker == NULL ||
	       doctor_note(notes, DOCTOR_NOTE, "%s is made by %s: what it does with sockets itself passes by every hook",
			   where, object->maker);
}

/* ---- what it calls ---- */

static const struct doctor_object *first_caller(const struct doctor_libs *libs, const char *name)
{
	for (size_t i = 0; i < libs->n_objects; i++) {
		if (!libs->objects[i].is_libc && imports(&libs->objects[i], name)) {
			return &libs->objects[i];
		}
	}
	return NULL;
}

static bool note_limited_calls(struct doctor_notes *notes, const struct doctor_libs *libs)
{
	struct {
		const char *names[32];
		size_t n;
	} said = {.n = 0};

	for (size_t i = 0; i < libs->n_objects; i++) {
		const struct doctor_object *object = &libs->objects[i];

		for (size_t j = 0; j < object->elf.n_symbols && !object->is_libc; j++) {
			const struct doctor_call *call =
				!object->elf.symbols[j].is_defined
					? doctor_find_call(object->elf.symbols[j].name)
					: NULL;
			bool is_new = call != NULL && call->class == DOCTOR_LIMITED && said.n < 32;

			for (size_t k = 0; is_new && k < said.n; k++) {
				is_new = said.names[k] != call->name;
			}
			if (is_new) {
				said.names[said.n++] = call->name;
				if (!doctor_note(notes, DOCTOR_NOTE, "%s() is not handled (%s calls it): %s",
						 call->name, object_name(libs, object), call->reason)) {
					return false;
				}
			}
		}
	}
	return true;
}

/* A program's own definitions come before preloaded ones. */
static bool note_own_definitions(struct doctor_notes *notes, const struct doctor_libs *libs)
{
	const struct doctor_elf *elf = &libs->objects[0].elf;
	char names[400] = "";
	size_t at = 0;

	for (size_t i = 0; i < elf->n_symbols; i++) {
		const struct doctor_call *call =
			elf->symbols[i].is_defined ? doctor_find_call(elf->symbols[i].name) : NULL;

		if (call != NULL && call->class == DOCTOR_HOOKED &&
		    at + strlen(call->name) + 2 < sizeof(names)) {
			at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", at > 0 ? " " : "",
					       call->name);
		}
	}
	return at == 0 ||
	       doctor_note(notes, DOCTOR_NOTE,
			   "it defines functions itself that the shim has to see: %s. Its own come first: "
			   "calls that "
			   "they do not pass on are not seen, and what they transfer is NOT protected",
			   names);
}

static bool note_user(struct doctor_notes *notes, const struct doctor_libs *libs)
{
	static const char *const names[] = {"setuid", "setresuid", "setreuid", "seteuid", "chroot"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct doctor_object *caller = first_caller(libs, names[i]);

		if (caller != NULL) {
			return doctor_note(notes, DOCTOR_FINE,
					   "it can change its user or root (%s): keys and certificates are "
					   "read before that, so "
					   "that they may stay readable for root alone; library and policy "
					   "must be readable "
					   "for everybody",
					   names[i]);
		}
	}
	return true;
}

static bool note_blind_spots(struct doctor_notes *notes, const struct doctor_libs *libs)
{
	if (doctor_calls(libs, "syscall") &&
	    !doctor_note(notes, DOCTOR_FINE,
			 "calls by number (syscall) are handled like those by name; io_uring_setup is "
			 "answered with ENOSYS")) {
		return false;
	}
	return !doctor_calls(libs, "dlopen") ||
	       doctor_note(
		       notes, DOCTOR_FINE,
		       "it can load further libraries while it runs (dlopen): they are not seen here, but handled as well");
}

static bool note_traffic(struct doctor_notes *notes, const struct doctor_libs *libs)
{
	static const char *const makers[] = {"connect", "__connect", "accept", "accept4",
					     "sendto",  "sendmsg",   "socket"};

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		if (doctor_calls(libs, makers[i])) {
			return true;
		}
	}
	return doctor_note(notes, DOCTOR_FINE,
			   "it makes and accepts no connections itself: it can be handed some, and what it "
			   "starts is wrapped");
}

/* ---- whose it is ---- */

static bool note_ids(struct doctor_notes *notes, const struct doctor_ids *ids)
{
	const struct passwd *user = getpwuid(ids->owner);
	const struct group *group = getgrgid(ids->group);
	char number[32];

	if ((ids->mode & S_ISUID) != 0) {
		snprintf(number, sizeof(number), "%u", (unsigned)ids->owner);
		return doctor_note(notes, DOCTOR_NOTE,
				   "its file is set-user-ID %s: it can be wrapped only when that user starts "
				   "it. Elsewhere the "
				   "loader drops preloaded libraries",
				   user != NULL ? user->pw_name : number);
	}
	if ((ids->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)) {
		snprintf(number, sizeof(number), "%u", (unsigned)ids->group);
		return doctor_note(notes, DOCTOR_NOTE,
				   "its file is set-group-ID %s: it can be wrapped only when started with "
				   "that group. Elsewhere "
				   "the loader drops preloaded libraries",
				   group != NULL ? group->gr_name : number);
	}
	return true;
}

bool doctor_note_program(struct doctor_notes *notes, const struct doctor_libs *libs,
			 const struct doctor_ids *ids)
{
	struct found found[DOCTOR_N_KINDS];

	memset(found, 0, sizeof(found));
	if (!note_ids(notes, ids)) {
		return false;
	}
	for (size_t i = 0; i < libs->n_objects; i++) {
		if (!libs->objects[i].is_libc && !note_object(notes, found, libs, &libs->objects[i])) {
			return false;
		}
	}
	return note_found(notes, found) && note_limited_calls(notes, libs) &&
	       note_own_definitions(notes, libs) && note_user(notes, libs) && note_blind_spots(notes, libs) &&
	       note_traffic(notes, libs);
}

/* ---- policies ---- */

static bool asks_for_names(const struct policy_rule *rule)
{
	for (const struct pattern *pattern = rule->patterns; pattern != NULL; pattern = pattern->next) {
		if (pattern->kind == PATTERN_NAME || pattern->kind == PATTERN_SUFFIX) {
			return true;
		}
	}
	return false;
}

static bool looks_names_up(const struct doctor_libs *libs)
{
	static const char *const names[] = {
		"getaddrinfo",	    "getaddrinfo_a", "gethostbyname", "gethostbyname2", "gethostbyname_r",
		"gethostbyname2_r", "res_query",     "res_search",    "res_nquery",	"res_nsearch",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (doctor_calls(libs, names[i])) {
			return true;
		}
	}
	return false;
}

bool doctor_note_policy(struct doctor_notes *notes, const struct doctor_libs *libs, const char *started_as,
			const struct policy *policy)
{
	const char *program = libs->objects[0].path != NULL ? libs->objects[0].path : libs->objects[0].name;
	size_t n_fitting = 0;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = policy->rules[i];

		/* As whichever user the rule asks for. */
		if (!match_process(rule, program, started_as, rule->uid)) {
			continue;
		}
		n_fitting++;
		if (rule->direction == POLICY_CONNECT && rule_is_wrapped(rule) && asks_for_names(rule) &&
		    doctor_calls(libs, "connect") && !looks_names_up(libs) &&
		    !doctor_note(notes, DOCTOR_NOTE,
				 "%s: goes by name, and this program looks no names up: it will be refused. "
				 "Write the rule by "
				 "address with server-name",
				 policy_rule_text(rule))) {
			return false;
		}
	}
	return n_fitting > 0 ? doctor_note(notes, DOCTOR_FINE, "%zu of %zu rules in %s can hold for it",
					   n_fitting, policy->n_rules, policy->file)
			     : doctor_note(notes, DOCTOR_NOTE,
					   "no rule in %s can hold for it: all its connections stay plain",
					   policy->file);
}
