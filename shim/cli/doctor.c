/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim doctor`: can this program be wrapped, and what is to be expected?
 *
 * Implementation notes: nothing of the program is executed, and whatever comes from files is escaped before
 * it is printed.
 */
#include "cli.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../policy/diag.h"
#include "doctor_know.h"
#include "doctor_notes.h"
#include "elf.h"

#define MAX_POLICIES 16
#define COLUMNS      100
#define INDENT       13

struct patient {
	const char *name;         /* as the user calls it */
	char path[ELF_PATH_MAX];  /* found in PATH */
	struct elf_report report; /* the ELF file that decides */
	enum elf_verdict verdict;
	struct stat st; /* of that file */
	struct elf_info info;
	struct doctor_libs libs;
	struct doctor_notes notes;
};

/* ---- printing ---- */

/* Escaped, for one printf at a time each; there are four. */
static const char *shown(const char *text)
{
	static char bufs[4][ELF_PATH_MAX + 256];
	static unsigned next;
	char *out = bufs[next++ % 4];

	diag_escape(out, sizeof(bufs[0]), text);
	return out;
}

/* Print text behind a label, folded between words. */
static void print_folded(const char *label, const char *text)
{
	size_t column = INDENT;

	printf("%-*s", INDENT, label);
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > INDENT && column + 1 + len > COLUMNS) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		}
		if (column > INDENT) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)len, text);
		column += len;
		text += len;
		text += *text == ' ';
	}
	putchar('\n');
}

static void print_note(const char *label, const char *text)
{
	/* A note can be longer than a path: names of libraries come from files. */
	size_t size = 4 * strlen(text) + 16;
	char *escaped = malloc(size);

	if (escaped != NULL) {
		diag_escape(escaped, size, text);
		print_folded(label, escaped);
		free(escaped);
	}
}

/* ---- programs that cannot be wrapped ---- */

static const char *machine_name(const struct elf_info *info)
{
	switch (info->machine) {
	case EM_X86_64:
		return info->class == ELFCLASS32 ? "x32" : "x86-64";
	case EM_386:
		return "32-bit x86";
	case EM_AARCH64:
		return "arm64";
	case EM_ARM:
		return "32-bit ARM";
	case EM_RISCV:
		return info->class == ELFCLASS32 ? "32-bit RISC-V" : "RISC-V";
	case EM_PPC64:
		return info->data == ELFDATA2LSB ? "ppc64le" : "ppc64";
	case EM_S390:
		return "s390x";
	case EM_MIPS:
		return "MIPS";
	default:
		return info->class == ELFCLASS32 ? "another 32-bit machine" : "another machine";
	}
}

/* What to do instead. */
static const char *advice(const struct patient *patient)
{
	switch (patient->verdict) {
	case ELF_NOT_FOUND:
		return "Check the name, and PATH.";
	case ELF_UNREADABLE:
		return "Ask as a user who may read it.";
	case ELF_NOT_ELF:
		return "Name the program that reads this file.";
	case ELF_STATIC:
		return "Install a dynamically linked build (for busybox, for instance, `busybox` instead of "
		       "`busybox-static`), "
		       "or put a TLS proxy beside it.";
	case ELF_GO:
		return "Its net package makes system calls by itself, also where the program is linked to "
		       "libc (cgo). Use Go's "
		       "own crypto/tls in the program, or put a TLS proxy beside it.";
	case ELF_PASCAL:
		return "Its run-time library makes system calls by itself, also where the program is linked to libc. Use a TLS "
		       "library in the program, or put a TLS proxy beside it.";
	case ELF_FOREIGN:
		return "Use a build of the program for this machine, or tlshim built for that architecture.";
	case ELF_OTHER_LIBC:
		return "Use a build of the program for glibc; images based on Alpine have musl, those based "
		       "on Debian, Ubuntu "
		       "or Fedora have glibc.";
	case ELF_SETUID:
		return "Start it as the user that it would become (then its ids do not change), take the bit "
		       "off a copy, or put a "
		       "TLS proxy beside it.";
	case ELF_CAPABILITIES:
		return "Use a copy without file capabilities and give them to the process instead (setpriv "
		       "--ambient-caps, or "
		       "AmbientCapabilities= of systemd), or put a TLS proxy beside it.";
	default:
		return "";
	}
}

static void print_refusal(const struct patient *patient)
{
	const char *text = patient->verdict == ELF_NOT_EXECUTABLE ? elf_why_not_executable(&patient->report)
								  : elf_verdict_text(patient->verdict);
	bool is_other =
		patient->report.program[0] != '\0' && strcmp(patient->report.program, patient->path) != 0;

	if (is_other) {
		printf("%s cannot be wrapped: its interpreter %s %s\n", shown(patient->name),
		       shown(patient->report.program), text);
	} else {
		printf("%s cannot be wrapped: it %s\n", shown(patient->name), text);
	}
	if (patient->verdict == ELF_FOREIGN) {
		print_folded("machine", machine_name(&patient->info));
	}
	if (patient->verdict == ELF_OTHER_LIBC ||
	    (patient->verdict == ELF_NOT_EXECUTABLE && patient->report.interp[0] != '\0')) {
		print_note("loader", patient->report.interp);
	}
	if (advice(patient)[0] != '\0') {
		print_folded("instead", advice(patient));
	}
}

/* ---- programs that can ---- */

/* Names of calls of one class, sorted, that the program or its libraries import. */
static void print_calls(const struct doctor_libs *libs, enum doctor_class class, const char *label)
{
	size_t size = 1, len = 0;
	char *text = NULL, *grown;

	for (const char *name = doctor_next_call(class, NULL); name != NULL;
	     name = doctor_next_call(class, name)) {
		if (!doctor_calls(libs, name)) {
			continue;
		}
		size += strlen(name) + 1;
		grown = realloc(text, size);
		if (grown == NULL) {
			break;
		}
		text = grown;
		len += (size_t)sprintf(text + len, "%s%s", len > 0 ? " " : "", name);
	}
	if (len > 0) {
		print_folded(label, text);
	}
	free(text);
}

static void print_libraries(const struct doctor_libs *libs)
{
	FILE *out;
	char *text = NULL;
	size_t len;

	out = open_memstream(&text, &len);
	if (out == NULL) {
		return;
	}
	for (size_t i = 1; i < libs->n_objects; i++) {
		if (!libs->objects[i].is_libc) {
			fprintf(out, " %s", libs->objects[i].name);
		}
	}
	if (fclose(out) == 0) {
		print_note("libraries", text[0] != '\0' ? text + 1 : "none but glibc");
	}
	free(text);
}

static void print_report(const struct patient *patient)
{
	bool is_script = strcmp(patient->report.program, patient->path) != 0;

	printf("%s can be wrapped%s\n", shown(patient->name),
	       patient->notes.n_weighty > 0 ? ", with notes" : "");
	if (strcmp(patient->name, patient->path) != 0) {
		print_note("path", patient->path);
	}
	if (is_script) {
		print_note("interpreter", patient->report.program);
	}
	print_note("machine", machine_name(&patient->info));
	print_note("loader", patient->report.interp);
	print_libraries(&patient->libs);
	print_calls(&patient->libs, DOCTOR_HOOKED, "handled");
	print_calls(&patient->libs, DOCTOR_COVERED, "covered");
	print_calls(&patient->libs, DOCTOR_HARMLESS, "harmless");
	print_calls(&patient->libs, DOCTOR_LIMITED, "not handled");
	if (is_script) {
		print_folded("fine", "a script is judged by its interpreter; programs that it starts are "
				     "wrapped as well, or get no "
				     "connections if they cannot be");
	}
	for (size_t i = 0; i < patient->notes.n; i++) {
		print_note(patient->notes.list[i].weight == DOCTOR_NOTE ? "NOTE" : "fine",
			   patient->notes.list[i].text);
	}
}

/* ---- looking ---- */

static void examine_file(struct patient *patient)
{
	const char *search_path = getenv("PATH");
	int fd;

	patient->verdict = elf_look_up(patient->name, search_path, patient->path);
	if (patient->verdict == ELF_NOT_FOUND) {
		return;
	}
	patient->verdict = elf_check(patient->path, search_path, &patient->report);
	if (stat(patient->report.program, &patient->st) != 0) {
		memset(&patient->st, 0, sizeof(patient->st));
	}
	fd = open(patient->report.program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		/* It was read before; this is for the names of machines. */
		if (elf_read(fd, &patient->info) != ELF_FITS) {
			memset(&patient->info, 0, sizeof(patient->info));
		}
		close(fd);
	}
}

static bool examine(struct patient *patient, struct policy *const *policies, size_t n_policies)
{
	const char *slash = strrchr(patient->path, '/');
	const struct doctor_ids ids = {
		.mode = patient->st.st_mode,
		.owner = patient->st.st_uid,
		.group = patient->st.st_gid,
	};

	if (!doctor_libs_read(&patient->libs, patient->report.program) ||
	    !doctor_note_program(&patient->notes, &patient->libs, &ids)) {
		return false;
	}
	for (size_t i = 0; i < n_policies; i++) {
		if (!doctor_note_policy(&patient->notes, &patient->libs,
					slash != NULL ? slash + 1 : patient->path, policies[i])) {
			return false;
		}
	}
	return true;
}

/* CLI_OK if it can be wrapped. */
static int diagnose(struct patient *patient, struct policy *const *policies, size_t n_policies)
{
	int status = CLI_OK;

	examine_file(patient);
	if (patient->verdict != ELF_FITS) {
		print_refusal(patient);
		status = CLI_FAILED;
	} else if (!examine(patient, policies, n_policies)) {
		cli_say("%s", strerror(ENOMEM));
		status = CLI_FAILED;
	} else {
		print_report(patient);
	}
	doctor_notes_free(&patient->notes);
	doctor_libs_free(&patient->libs);
	return fflush(stdout) == 0 ? status : CLI_FAILED;
}

/* ---- the command ---- */

struct arguments {
	const char *policies[MAX_POLICIES];
	size_t n_policies;
	const char *program;
};

static bool parse_arguments(int argc, char **argv, struct arguments *arguments, int *status)
{
	static const struct option options[] = {
		{"policy", required_argument, NULL, 'p'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":p:", options, NULL)) != -1) {
		if (opt == ':') {
			*status = cli_usage_error("doctor", "--policy needs a file");
			return false;
		}
		if (opt != 'p') {
			*status = cli_usage_error("doctor", "unknown option '%s'", shown(argv[optind - 1]));
			return false;
		}
		if (arguments->n_policies == MAX_POLICIES) {
			*status = cli_usage_error("doctor", "it takes %d policies at most", MAX_POLICIES);
			return false;
		}
		arguments->policies[arguments->n_policies++] = optarg;
	}
	if (argc - optind != 1 || argv[optind][0] == '\0') {
		*status = cli_usage_error("doctor", "it looks at one program");
		return false;
	}
	arguments->program = argv[optind];
	return true;
}

int cli_doctor(int argc, char **argv)
{
	static struct patient patient;
	struct arguments arguments = {.n_policies = 0};
	struct policy *policies[MAX_POLICIES];
	size_t n = 0;
	int status = CLI_OK;

	if (!parse_arguments(argc, argv, &arguments, &status)) {
		return status;
	}
	patient.name = arguments.program;
	if (arguments.n_policies > 0 && !cli_start_engine()) {
		return CLI_FAILED;
	}
	while (n < arguments.n_policies && status == CLI_OK) {
		policies[n] = cli_load_policy(arguments.policies[n], CLI_LINT_NONE, NULL);
		if (policies[n] == NULL) {
			status = CLI_FAILED;
		} else {
			n++;
		}
	}
	if (status == CLI_OK) {
		status = diagnose(&patient, policies, n);
	}
	while (n > 0) {
		policy_unref(policies[--n]);
	}
	return status;
}
