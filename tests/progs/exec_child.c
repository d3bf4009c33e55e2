/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says what it was given: exec_child [TEXT]
 *
 * Its variables of the shim, the descriptors that are TCP sockets, and, to each of those sockets,
 * TEXT.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char *const variables[] = { "LD_PRELOAD", "TLSHIM_POLICY", "TLSHIM_LOG", "OTHER" };

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *value = getenv(variables[i]);
		printf("%s=%s\n", variables[i], value ? value : "(none)");
	}
	for (int fd = 0; fd < 200; fd++) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET) {
			printf("socket %d\n", fd);
			if (argc > 1 && write(fd, argv[1], strlen(argv[1])) < 0) {
				perror("write");
			}
		}
	}
	puts("done");
	return 0;
}
