/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor has found out about a program, in sentences.
 */
#ifndef SHIM_CLI_DOCTOR_NOTES_H
#define SHIM_CLI_DOCTOR_NOTES_H

#include <sys/types.h>

#include "../../policy/policy.h"
#include "doctor_libs.h"

enum doctor_weight {
	DOCTOR_FINE, /* good to know */
	DOCTOR_NOTE, /* something to do, or a limit */
};
struct doctor_note {
	enum doctor_weight weight;
	char *text;
};
struct doctor_notes {
	struct doctor_note *list;
	size_t n, room;
	size_t n_weighty; /* of weight DOCTOR_NOTE */
};

/* The ids that the program's file asks for: of mode, owner and group as stat() gives them. */
struct doctor_ids {
	mode_t mode;
	uid_t owner;
	gid_t group;
};

/* Add a sentence; false if memory is short. */
must_check bool doctor_note(struct doctor_notes *notes, enum doctor_weight weight, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* All that is to be said about the program (libs->objects[0]) and its libraries. False if memory is short. */
must_check bool doctor_note_program(struct doctor_notes *notes, const struct doctor_libs *libs,
				    const struct doctor_ids *ids);
/* What a policy means for it, when it is started as started_as. False if memory is short. */
must_check bool doctor_note_policy(struct doctor_notes *notes, const struct doctor_libs *libs,
				   const char *started_as, const struct policy *policy);
void doctor_notes_free(struct doctor_notes *notes);

/* Does the program, or a library of its, call this function of libc? */
bool doctor_calls(const struct doctor_libs *libs, const char *name);

#endif
