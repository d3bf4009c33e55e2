/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP server whose children lock themselves up before they touch their connection: sandboxed WAY PORT.
 *
 * A seccomp filter lets a child read, write and end, and kills it for all else. It answers each line, until one says
 * "end", or "break out": then it opens a socket. Its parent tells the client on the same connection how it ended.
 *
 *   prctl    the filter is set by prctl(2)
 *   seccomp  by seccomp(2), through syscall(2), as libseccomp does
 *   number   by prctl(2) through syscall(2)
 */
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LET(nr) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void lock_up(const char *way)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		LET(SYS_read),
		LET(SYS_write),
		LET(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	long rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		err(1, "no_new_privs");
	}
	errno = 0;
	if (strcmp(way, "seccomp") == 0) {
		rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	} else if (strcmp(way, "number") == 0) {
		rc = syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
	} else {
		rc = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	}
	if (rc != 0 || errno != 0) {
		_exit(9);
	}
}

static ssize_t read_line(int fd, char line[static 256])
{
	ssize_t len = 0;

	while (len < 255 && read(fd, line + len, 1) == 1) {
		if (line[len++] == '\n') {
			break;
		}
	}
	line[len] = '\0';
	return len;
}

static void serve(int fd)
{
	char line[256];
	ssize_t len;

	while ((len = read_line(fd, line)) > 0 && strcmp(line, "end\n") != 0) {
		if (strcmp(line, "break out\n") == 0) {
			_exit(socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 7 : 8);
		}
		if (write(fd, "child: ", 7) != 7 || write(fd, line, (size_t)len) != len) {
			_exit(6);
		}
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, status;
	char said[64];

	if (argc != 3) {
		errx(2, "usage: sandboxed WAY PORT");
	}
	here.sin_port = htons((uint16_t)atoi(argv[2]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(listener, 8) != 0) {
		err(1, "port %s", argv[2]);
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pid_t pid = fd < 0 ? -1 : fork();

		if (pid == 0) {
			lock_up(argv[1]);
			serve(fd);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid) {
			err(1, "child");
		}
		snprintf(said, sizeof(said), WIFEXITED(status) ? "exit %d\n" : "signal %d\n",
			 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		if (write(fd, said, strlen(said)) < 0) {
			warn("write");
		}
		close(fd);
	}
}
