/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of libc that few programs use on connections: rare MODE PORT [NAME].
 *
 * Servers that answer a line with 4,096 bytes:
 *
 *   clone     a child made by clone() without CLONE_VM serves, and ends by returning
 *   vmclone   a thread made by clone() with CLONE_VM and CLONE_FILES serves
 *   quick     a child serves and ends by quick_exit(), without closing
 *   daemon    turns into a daemon when it has the connection, and serves it then
 *   serial    itself, one after the other, and ends with abort() after the first that says "abort"
 *
 * Clients:
 *
 *   aio       asynchronous reads and writes, of the connection, of a file and of a list with both
 *   names     connects to NAME, looked up by getaddrinfo_a(), in both of its ways
 *   resolve   asks the name server at port NAME for a name by res_query() and its kind, and connects to it
 *   rexec     what rexec() and rcmd() say
 *   spawn     what pidfd_spawn() says
 */
#include <aio.h>
#include <arpa/inet.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK 262144

static const char *error_name(int error)
{
	return error == ENOSYS ? "ENOSYS" : strerror(error);
}

/* ---- servers ---- */

static int serve(void *arg)
{
	int fd = *(int *)arg;
	char line[256], answer[4096];
	ssize_t n = read(fd, line, sizeof(line) - 1);

	memset(answer, 'x', sizeof(answer));
	if (n <= 0) {
		return 1;
	}
	line[n] = '\0';
	for (size_t done = 0; done < sizeof(answer); done += (size_t)n) {
		n = write(fd, answer + done, sizeof(answer) - done);
		if (n <= 0) {
			return 1;
		}
	}
	return strncmp(line, "abort", 5) == 0 ? 2 : 0;
}

static void by_clone(int fd, int flags)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int pid;

	if (stack == MAP_FAILED) {
		err(1, "mmap");
	}
	pid = clone(serve, stack + STACK, flags | SIGCHLD, &fd);
	if (pid < 0) {
		err(1, "clone");
	}
	/* The child is to be the last that has it; with CLONE_FILES there is one table for both. */
	if ((flags & CLONE_FILES) == 0) {
		close(fd);
	}
	if (waitpid(pid, NULL, __WALL) != pid) {
		err(1, "waitpid");
	}
	if ((flags & CLONE_FILES) != 0) {
		close(fd);
	}
	munmap(stack, STACK);
}

static void by_fork(int fd, void (*end)(int))
{
	pid_t pid = fork();

	if (pid < 0) {
		err(1, "fork");
	}
	if (pid == 0) {
		end(serve(&fd));
	}
	close(fd);
	(void)waitpid(pid, NULL, 0);
}

static int listen_at(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 64) != 0) {
		err(1, "port %s", port);
	}
	return fd;
}

static int serve_all(const char *mode, const char *port)
{
	int listener = listen_at(port);

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0) {
			err(1, "accept");
		}
		if (strcmp(mode, "clone") == 0) {
			by_clone(fd, 0);
		} else if (strcmp(mode, "vmclone") == 0) {
			by_clone(fd, CLONE_VM | CLONE_FILES);
		} else if (strcmp(mode, "quick") == 0) {
			by_fork(fd, quick_exit);
		} else if (strcmp(mode, "daemon") == 0) {
			if (daemon(1, 0) != 0) {
				err(1, "daemon");
			}
			return serve(&fd);
		} else if (serve(&fd) == 2) {
			abort();
		} else {
			close(fd);
		}
	}
}

/* ---- clients ---- */

static int connect_to(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		err(1, "connect");
	}
	return fd;
}

static void tell(const char *what, int fd, int result)
{
	printf("%s of %s: %s\n", what, fd < 0 ? "a list" : isfdtype(fd, S_IFSOCK) == 1 ? "the connection" : "a file",
	       result == 0 ? "begun" : error_name(errno));
}

static ssize_t finish(struct aiocb *op)
{
	const struct aiocb *list[] = { op };

	while (aio_error(op) == EINPROGRESS) {
		aio_suspend(list, 1, NULL);
	}
	return aio_return(op);
}

static int asynchronous(const char *port)
{
	char text[] = "in clear, if it were sent", got[64] = "";
	int fds[] = { connect_to(port), open("aio-file", O_RDWR | O_CREAT | O_TRUNC, 0600) };
	struct aiocb ops[2], *list[2] = { &ops[0], &ops[1] };

	memset(ops, 0, sizeof(ops));
	for (int i = 0; i < 2; i++) {
		ops[i].aio_fildes = fds[i];
		ops[i].aio_buf = text;
		ops[i].aio_nbytes = strlen(text);
		ops[i].aio_lio_opcode = LIO_WRITE;
	}
	tell("lio_listio", -1, lio_listio(LIO_WAIT, list, 2, NULL));
	for (int i = 0; i < 2; i++) {
		int rc = aio_write(&ops[i]);

		tell("aio_write", fds[i], rc);
		if (rc == 0) {
			printf("%zd bytes\n", finish(&ops[i]));
		}
		ops[i].aio_buf = got;
		rc = aio_read(&ops[i]);
		tell("aio_read", fds[i], rc);
		if (rc == 0) {
			printf("%zd bytes: %s\n", finish(&ops[i]), got);
		}
	}
	if (write(fds[0], "plain calls go on\n", 18) != 18 || read(fds[0], got, 18) != 18) {
		err(1, "the connection");
	}
	printf("%.17s\n", got);
	return 0;
}

static void call(const struct addrinfo *info, const char *how)
{
	int fd = socket(info->ai_family, SOCK_STREAM, 0);
	char got[8] = "";

	if (connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
		printf("%s: %s\n", how, strerror(errno));
	} else if (write(fd, "hello\n", 6) != 6 || read(fd, got, 6) != 6) {
		err(1, "%s", how);
	} else {
		printf("%s: %s", how, got);
	}
	close(fd);
}

static int names(const char *port, const char *name)
{
	static const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	static const int modes[] = { GAI_WAIT, GAI_NOWAIT };

	for (size_t i = 0; i < 2; i++) {
		struct gaicb request = { .ar_name = name, .ar_service = port, .ar_request = &hints }, *list[] = { &request };
		int rc = getaddrinfo_a(modes[i], list, 1, NULL);

		if (rc != 0) {
			errx(1, "getaddrinfo_a: %s", gai_strerror(rc));
		}
		if (modes[i] == GAI_NOWAIT) {
			const struct gaicb *waiting[] = { &request };

			while (gai_error(&request) == EAI_INPROGRESS) {
				gai_suspend(waiting, 1, NULL);
			}
			if (gai_error(&request) != 0) {
				errx(1, "%s: %s", name, gai_strerror(gai_error(&request)));
			}
		}
		call(request.ar_result, modes[i] == GAI_WAIT ? "waited for" : "asked for");
	}
	return 0;
}

/* Connects to 127.0.0.1 whatever the answer is: what matters is which name is known for it. */
static int resolve(const char *port, const char *server_port)
{
	static const char *const ways[] = { "nothing", "query", "search", "querydomain", "nquery", "nsearch", "damaged" };
	unsigned char answer[512];

	if (res_init() != 0) {
		errx(1, "res_init");
	}
	_res.nscount = 1;
	_res.nsaddr_list[0].sin_family = AF_INET;
	_res.nsaddr_list[0].sin_port = htons((in_port_t)atoi(server_port));
	_res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	_res.options &= ~(RES_DNSRCH | RES_DEFNAMES);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port)) };
		int fd, n = 0;
		pid_t pid = fork();

		if (pid > 0) {
			(void)waitpid(pid, NULL, 0);
			continue;
		}
		/* A child for each, or one would know what another has asked. */
		switch (i) {
		case 1:
			n = res_query("server.test", C_IN, T_A, answer, sizeof(answer));
			break;
		case 2:
			n = res_search("server.test", C_IN, T_A, answer, sizeof(answer));
			break;
		case 3:
			n = res_querydomain("server", "test", C_IN, T_A, answer, sizeof(answer));
			break;
		case 4:
			n = res_nquery(&_res, "server.test", C_IN, T_A, answer, sizeof(answer));
			break;
		case 5:
			n = res_nsearch(&_res, "server.test", C_IN, T_A, answer, sizeof(answer));
			break;
		case 6:
			n = res_query("server.damaged", C_IN, T_A, answer, sizeof(answer));
			break;
		default:
			break;
		}
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		printf("%s: %s, %s\n", ways[i], n > 0 ? "answered" : "no answer",
		       connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? "connected" : strerror(errno));
		exit(0);
	}
	return 0;
}

static int remote(const char *port)
{
	in_port_t number = htons((in_port_t)atoi(port));
	char name[] = "127.0.0.1", *host = name;
	int rc = rexec(&host, number, "user", "password", "command", NULL);

	printf("rexec: %d %s\n", rc, rc < 0 ? strerror(errno) : "");
	host = name;
	rc = rcmd(&host, number, "user", "user", "command", NULL);
	printf("rcmd: %d %s\n", rc, rc < 0 ? strerror(errno) : "");
	return 0;
}

static int spawn(void)
{
	int (*pidfd_spawnp_fn)(int *, const char *, const void *, const void *, char *const[], char *const[]);
	char *args[] = { "true", NULL };
	int pidfd;

	*(void **)&pidfd_spawnp_fn = dlsym(RTLD_DEFAULT, "pidfd_spawnp");
	if (!pidfd_spawnp_fn) {
		puts("not there");
		return 0;
	}
	puts(error_name(pidfd_spawnp_fn(&pidfd, "true", NULL, NULL, args, args + 1)));
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3) {
		errx(2, "usage: rare MODE PORT [NAME]");
	}
	if (strcmp(argv[1], "aio") == 0) {
		return asynchronous(argv[2]);
	}
	if (strcmp(argv[1], "names") == 0) {
		return names(argv[2], argc > 3 ? argv[3] : "localhost");
	}
	if (strcmp(argv[1], "resolve") == 0 && argc > 3) {
		return resolve(argv[2], argv[3]);
	}
	if (strcmp(argv[1], "rexec") == 0) {
		return remote(argv[2]);
	}
	return strcmp(argv[1], "spawn") == 0 ? spawn() : serve_all(argv[1], argv[2]);
}
