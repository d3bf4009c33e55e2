/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executes a program in every way that libc knows: exec_run [-c PORT] [-s] [-e VAR=VALUE] HOW PROGRAM [ARG]
 *
 *   -c PORT   with a connection to 127.0.0.1:PORT open as descriptor 100, which the program inherits;
 *             then says on it what became of the exec
 *   -s        and as the program's standard input (exec: dup2; spawn: a file action)
 *   -e        the only variable in its environment (default: none at all)
 *
 * HOW: execve execv execvp execvpe execl execle execlp fexecve execveat, each in a fork child; vfork
 * (execve in a vfork child); spawn, spawnp; system, popen.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTION 100

extern char **environ;
static char *empty[2];
static bool as_stdin;

static void open_connection(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((in_port_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || dup2(fd, CONNECTION) < 0) {
		err(1, "connect");
	}
	close(fd);
}

static void exec_how(const char *how, char **argv)
{
	char *path = argv[0], *arg = argv[1];
	int fd;

	if (as_stdin) {
		dup2(CONNECTION, 0);
	}
	if (strcmp(how, "execve") == 0 || strcmp(how, "vfork") == 0) {
		execve(path, argv, empty);
	} else if (strcmp(how, "execv") == 0) {
		environ = empty;
		execv(path, argv);
	} else if (strcmp(how, "execvp") == 0) {
		environ = empty;
		execvp(path, argv);
	} else if (strcmp(how, "execvpe") == 0) {
		execvpe(path, argv, empty);
	} else if (strcmp(how, "execl") == 0) {
		environ = empty;
		execl(path, path, arg, (char *)NULL);
	} else if (strcmp(how, "execle") == 0) {
		execle(path, path, arg, (char *)NULL, empty);
	} else if (strcmp(how, "execlp") == 0) {
		environ = empty;
		execlp(path, path, arg, (char *)NULL);
	} else if (strcmp(how, "fexecve") == 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		fexecve(fd, argv, empty);
	} else if (strcmp(how, "execveat") == 0) {
		execveat(AT_FDCWD, path, argv, empty, 0);
	}
}

static pid_t spawn_how(const char *how, char **argv)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int rc;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 50, "/dev/null", O_RDONLY, 0);
	if (as_stdin) {
		posix_spawn_file_actions_adddup2(&actions, CONNECTION, 0);
	}
	rc = strcmp(how, "spawn") == 0 ? posix_spawn(&pid, argv[0], &actions, NULL, argv, empty)
				       : posix_spawnp(&pid, argv[0], &actions, NULL, argv, empty);
	posix_spawn_file_actions_destroy(&actions);
	if (rc != 0) {
		printf("%s: %s\n", how, strerrorname_np(rc));
	}
	return pid;
}

static int with_libc(const char *how, char **argv)
{
	char command[4096], line[4096];
	FILE *pipe;

	snprintf(command, sizeof(command), "%s %s", argv[0], argv[1] ? argv[1] : "");
	if (strcmp(how, "system") == 0) {
		return system(command);
	}
	pipe = popen(command, "r");
	while (pipe && fgets(line, sizeof(line), pipe)) {
		fputs(line, stdout);
	}
	return pipe ? pclose(pipe) : -1;
}

static pid_t start(const char *how, char **argv)
{
	pid_t pid;

	if (strncmp(how, "spawn", 5) == 0) {
		return spawn_how(how, argv);
	}
	pid = strcmp(how, "vfork") == 0 ? vfork() : fork();
	if (pid == 0) {
		exec_how(how, argv);
		/* vfork: no stdio here. */
		_exit(errno == ENOENT ? 127 : 126);
	}
	return pid;
}

int main(int argc, char **argv)
{
	int option, port = 0, status = -1;
	const char *how;
	pid_t pid;

	while ((option = getopt(argc, argv, "+c:se:")) != -1) {
		if (option == 'c') {
			port = atoi(optarg);
		} else if (option == 's') {
			as_stdin = true;
		} else if (option == 'e') {
			empty[0] = optarg;
		} else {
			return 2;
		}
	}
	if (argc - optind < 2) {
		errx(2, "usage: exec_run [-c PORT] [-s] [-e VAR=VALUE] HOW PROGRAM [ARG]");
	}
	if (port) {
		open_connection(port);
	}
	fflush(stdout);
	how = argv[optind];
	if (strcmp(how, "system") == 0 || strcmp(how, "popen") == 0) {
		status = with_libc(how, argv + optind + 1);
	} else {
		pid = start(how, argv + optind + 1);
		if (pid > 0) {
			waitpid(pid, &status, 0);
		}
	}
	if (port) {
		dprintf(CONNECTION, "parent: %s %d\n", how, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
