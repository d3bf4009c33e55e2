/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP server that says what each call gave: tcp_server PORT [STEP…] (see steps.h). One connection after the
 * other; after each the number of its open descriptors and its resident pages.
 */
#include <dirent.h>
#include <err.h>
#include <netinet/in.h>
#include <signal.h>

#include "steps.h"

static void say_resources(void)
{
	DIR *dir = opendir("/proc/self/fd");
	FILE *statm = fopen("/proc/self/statm", "r");
	long n = -4, pages = 0; /* ".", "..", the directory and statm */

	if (!dir || !statm || fscanf(statm, "%*d %ld", &pages) != 1) {
		err(1, "/proc/self");
	}
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	fclose(statm);
	printf("descriptors: %ld pages: %ld\n", n, pages);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (argc < 2) {
		errx(2, "usage: tcp_server PORT [STEP...]");
	}
	signal(SIGPIPE, SIG_IGN);
	here.sin_port = htons((uint16_t)atoi(argv[1]));
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0) {
		steps_say("bind", -1);
		return 1;
	}
	if (listen(listener, 128) != 0) {
		steps_say("listen", -1);
		return 1;
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0) {
			steps_say("accept", -1);
			return 1;
		}
		printf("accept: ok\n");
		steps_run(fd, argv + 2);
		close(fd);
		say_resources();
	}
}
