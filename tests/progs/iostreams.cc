/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client whose C++ streams are the connection: iostreams MODE PORT. The peer echoes.
 *
 *   here     std::cin, cout and cerr, used before the connection came to their descriptors
 *   own      the same after sync_with_stdio(false)
 *   exec     the same in a program that is executed with the connection
 *   filebuf  stdio_filebufs over it
 */
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <ext/stdio_filebuf.h>
#include <iostream>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

static void talk(std::istream &in, std::ostream &out, int report)
{
	std::string line;

	out << "line " << 1 << std::endl;
	std::getline(in, line);
	dprintf(report, "%s\n", line.c_str());
	out << std::string(100000, 'x') << '\n' << std::flush;
	in.unget();
	in >> std::ws >> line;
	dprintf(report, "%zu\n", line.size());
}

int main(int argc, char **argv)
{
	const std::string mode = argc == 3 ? argv[1] : "";
	int fd, report = 9;

	if (mode == "executed") {
		talk(std::cin, std::cout, report);
		std::wcout << L'!';
		return 0;
	}
	sockaddr_in address = {};
	address.sin_family = AF_INET;
	address.sin_port = htons(static_cast<in_port_t>(std::atoi(argv[2])));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	std::ios::sync_with_stdio(mode != "own");
	std::cout << mode << std::endl;
	dup2(1, report);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) {
		return 1;
	}
	if (mode == "filebuf") {
		__gnu_cxx::stdio_filebuf<char> in_buf(fd, std::ios::in), out_buf(dup(fd), std::ios::out);
		std::istream in(&in_buf);
		std::ostream out(&out_buf);
		talk(in, out, report);
		return 0;
	}
	for (int i = 0; i <= 2; i++) {
		dup2(fd, i);
	}
	close(fd);
	if (mode == "exec") {
		execl(argv[0], argv[0], "executed", argv[2], nullptr);
		return 1;
	}
	talk(std::cin, std::cout, report);
	std::cerr << "error" << std::endl;
	std::string line;
	std::getline(std::cin, line);
	std::getline(std::cin, line);
	dprintf(report, "%s\n", line.c_str());
	return 0;
}
