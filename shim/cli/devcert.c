/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim dev-cert`: a throw-away CA with one server certificate, for trying things out.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAMES 16
#define MAX_DAYS 3650
#define DEFAULT_DAYS 30

struct output {
	const char *name;
	mode_t mode;
	const char *text;
};

static bool write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR) {
			return false;
		}
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Write beside the target and rename: nobody ever sees half a file, nor a key with the old file's mode. */
static bool write_file(const char *dir, const struct output *file, bool force)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	bool good;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file->name) >= PATH_MAX ||
	    snprintf(temporary, sizeof(temporary), "%s/.%s.%ld", dir, file->name, (long)getpid()) >= PATH_MAX) {
		cli_say("%s: %s", dir, strerror(ENAMETOOLONG));
		return false;
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file->mode);
	if (fd < 0) {
		cli_say("%s: %s", temporary, strerror(errno));
		return false;
	}
	good = fchmod(fd, file->mode) == 0 && write_all(fd, file->text);
	good = close(fd) == 0 && good;
	/* link() refuses to replace a file, rename() does not. */
	good = good && (force ? rename(temporary, path) : link(temporary, path)) == 0;
	if (!good) {
		cli_say("%s: %s", path, strerror(errno));
	}
	(void)unlink(temporary);
	return good;
}

static bool is_free(const char *dir, const struct output *files, size_t n_files)
{
	for (size_t i = 0; i < n_files; i++) {
		char path[PATH_MAX];
		struct stat st;

		if (snprintf(path, sizeof(path), "%s/%s", dir, files[i].name) < PATH_MAX && lstat(path, &st) == 0) {
			cli_say("%s exists already; --force overwrites it", path);
			return false;
		}
	}
	return true;
}

static void print_snippet(const char *dir, const char *name)
{
	const char *quote = strpbrk(dir, " \t;,{}#\"") != NULL ? "\"" : "";
	const char *open_bracket = strchr(name, ':') != NULL ? "[" : "";
	const char *close_bracket = strchr(name, ':') != NULL ? "]" : "";

	printf("\nA policy for both sides:\n\n"
	       "    accept *:8443 tls {\n"
	       "        certificate %s%s/server.pem%s\n"
	       "        key %s%s/server.key%s\n"
	       "    }\n"
	       "    connect %s%s%s:8443 tls {\n"
	       "        trust %s%s/ca.pem%s\n"
	       "    }\n",
	       quote, dir, quote, quote, dir, quote, open_bracket, name, close_bracket, quote, dir, quote);
}

static int make(const char *dir, const char *const *names, size_t n_names, int days, bool force)
{
	static struct engine_dev_cert made;
	const struct output files[] = {
		{ "ca.pem", 0644, made.ca_pem },
		{ "server.pem", 0644, made.cert_pem },
		{ "server.key", 0600, made.key_pem },
	};
	const size_t n_files = sizeof(files) / sizeof(files[0]);
	char why[ENGINE_REASON_MAX], absolute[PATH_MAX];
	bool good = true;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST) {
		cli_say("%s: %s", dir, strerror(errno));
		return CLI_FAILED;
	}
	if (realpath(dir, absolute) == NULL) {
		cli_say("%s: %s", dir, strerror(errno));
		return CLI_FAILED;
	}
	if (!force && !is_free(dir, files, n_files)) {
		return CLI_FAILED;
	}
	if (!engine_dev_cert_make(&made, names, n_names, days, why)) {
		cli_say("cannot make the certificate: %s", why);
		return CLI_FAILED;
	}
	for (size_t i = 0; i < n_files && good; i++) {
		good = write_file(dir, &files[i], force);
	}
	explicit_bzero(&made, sizeof(made));
	if (!good) {
		return CLI_FAILED;
	}
	printf("%s/ca.pem      the CA: what clients trust\n"
	       "%s/server.pem  the certificate, for",
	       dir, dir);
	for (size_t i = 0; i < n_names; i++) {
		printf("%s %s", i > 0 ? "," : "", names[i]);
	}
	printf("; %d days\n%s/server.key  its private key\n", days, dir);
	print_snippet(absolute, names[0]);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

int cli_dev_cert(int argc, char **argv)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "days", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	static const char *const default_names[] = { "localhost", "127.0.0.1", "::1" };
	const char *const *names = default_names;
	size_t n_names = 3;
	bool force = false;
	long days = DEFAULT_DAYS;
	char *end;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (opt) {
		case 'f':
			force = true;
			break;
		case 'd':
			days = strtol(optarg, &end, 10);
			if (end == optarg || *end != '\0' || days < 1 || days > MAX_DAYS) {
				return cli_usage_error("dev-cert", "'%s' is no number of days from 1 to %d", optarg,
						       MAX_DAYS);
			}
			break;
		case ':':
			return cli_usage_error("dev-cert", "--days needs a number");
		default:
			return cli_usage_error("dev-cert", "unknown option '%s'", argv[optind - 1]);
		}
	}
	if (optind >= argc || argv[optind][0] == '\0') {
		return cli_usage_error("dev-cert", "it needs a directory to write to");
	}
	if (argc - optind > 1) {
		names = (const char *const *)&argv[optind + 1];
		n_names = (size_t)(argc - optind - 1);
	}
	if (n_names > MAX_NAMES) {
		return cli_usage_error("dev-cert", "%zu names are too many: %d at most", n_names, MAX_NAMES);
	}
	if (!cli_start_engine()) {
		return CLI_FAILED;
	}
	return make(argv[optind], names, n_names, (int)days, force);
}
