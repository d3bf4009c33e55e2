/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that must fail, and change nothing: arguments that cannot be, memory that is not there, descriptors
 * that are gone.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "equiv.h"

static char byte[4096];
static volatile int negative = -1; /* the compiler must not know better */

static struct iovec *many_iovecs(int n, size_t len)
{
	static struct iovec iov[IOV_MAX + 8];

	for (int i = 0; i < n; i++) {
		iov[i] = (struct iovec){byte, len};
	}
	return iov;
}

static long wrong_vector(int fd, int variant)
{
	struct iovec *iov = many_iovecs(IOV_MAX + 1, 1);
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = IOV_MAX + 1};
	struct iovec huge[2] = {{byte, (size_t)SSIZE_MAX + 1}, {byte, 1}};

	switch (variant % 12) {
	case 0:
		return readv(fd, iov, IOV_MAX + 1);
	case 1:
		return writev(fd, iov, IOV_MAX + 1);
	case 2:
		return readv(fd, iov, negative);
	case 3:
		return writev(fd, iov, negative);
	case 4:
		return readv(fd, iov, 0);
	case 5:
		return writev(fd, iov, 0);
	case 6:
		return writev(fd, huge, 2);
	case 7:
		return readv(fd, huge, 2);
	case 8:
		return recvmsg(fd, &msg, MSG_DONTWAIT);
	case 9:
		return sendmsg(fd, &msg, MSG_DONTWAIT);
	case 10:
		return preadv2(fd, iov, 1, 0, 0);
	default:
		return pwritev2(fd, iov, 1, -1, 0x40000000);
	}
}

static long wrong_copy(int fd, int variant)
{
	int ends[2], null = open("/dev/null", O_RDONLY);
	off64_t offset = 0;
	long n = -1;

	(void)!pipe(ends);
	switch (variant % 7) {
	case 0:
		n = splice(fd, NULL, fd, NULL, 10, 0);
		break;
	case 1:
		n = splice(ends[0], NULL, fd, &offset, 10, 0);
		break;
	case 2:
		n = splice(fd, NULL, ends[1], NULL, 10, 0x80);
		break;
	case 3:
		n = tee(fd, ends[1], 10, 0);
		break;
	case 4:
		n = sendfile(null, fd, NULL, 10);
		break;
	case 5:
		n = sendfile(fd, -1, NULL, 10);
		break;
	default:
		n = vmsplice(fd, many_iovecs(1, 1), 1, 0);
		break;
	}
	close_quietly(ends[0]);
	close_quietly(ends[1]);
	close_quietly(null);
	return n;
}

static long wrong_call(int fd, int variant)
{
	struct sockaddr_in addr = address_of(port);
	struct stat st;

	switch (variant % 24) {
	case 0:
		return pread(fd, byte, 1, 0);
	case 1:
		return pwrite(fd, byte, 1, 0);
	case 2:
		return lseek(fd, 0, SEEK_CUR);
	case 3:
		return fsync(fd);
	case 4:
		return ftruncate(fd, 0);
	case 5:
		return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
	case 6:
		return accept(fd, NULL, NULL);
	case 7:
		return listen(fd, 1);
	case 8:
		return bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	case 9:
		return shutdown(fd, 77);
	case 10:
		return dup2(fd, -1);
	case 11:
		return dup3(fd, fd, 0);
	case 12:
		return dup3(fd, fd + 1, 0x1234);
	case 13:
		return dup2(fd, fd) == fd ? 0 : -1;
	case 14:
		return fcntl(fd, 4242, 0);
	case 15:
		return ioctl(fd, 0x12345678, byte);
	case 16:
		return fdopen(fd, "?") ? 0 : -1;
	case 17:
		return isatty(fd) ? 0 : -1;
	case 18:
		return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? 0 : -1;
	case 19:
		return close_range((unsigned)fd, (unsigned)fd - 1, 0);
	case 20:
		return fcntl(fd, F_DUPFD, -1);
	case 21:
		return connect(fd, (struct sockaddr *)&addr, 3);
	case 22:
		return recvmmsg(fd, NULL, 0, MSG_DONTWAIT, NULL);
	default:
		return sendmmsg(fd, NULL, 0, MSG_DONTWAIT);
	}
}

static long wrong_wait(int fd, int variant)
{
	struct epoll_event event = {.events = EPOLLIN | (variant % 7 ? 0 : EPOLLEXCLUSIVE)};
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct pollfd *volatile hidden = &pfd; /* from checks of its size */
	struct timeval before = {-1, 0};
	struct timespec long_nano = {0, 2000000000};
	fd_set set;

	FD_ZERO(&set);
	switch (variant % 8) {
	case 0:
		return epoll_wait(fd, &event, 1, 0);
	case 1:
		return epoll_ctl(fd, EPOLL_CTL_ADD, fd, &event);
	case 2:
		return epoll_ctl(epoll_fd, 99, fd, &event);
	case 3:
		return epoll_wait(epoll_fd, &event, 0, 0);
	case 4:
		return select(negative, &set, NULL, NULL, &before);
	case 5:
		return select(fd < FD_SETSIZE ? fd + 1 : 1, &set, NULL, NULL, &before);
	case 6:
		return ppoll(&pfd, 1, &long_nano, NULL);
	default:
		return poll(hidden, (nfds_t)(unsigned)negative, 0);
	}
}

void run_wrong(const struct op *op)
{
	int fd = a_fd(op);
	long rc;

	n_pipe = 0;
	say(" %d %d", op->variant % 4, op->k % 168);
	errno = 0;
	switch (op->variant % 4) {
	case 0:
		rc = wrong_vector(fd, op->k);
		break;
	case 1:
		rc = wrong_copy(fd, op->k);
		break;
	case 2:
		rc = wrong_call(fd, op->k);
		break;
	default:
		rc = wrong_wait(fd, op->k);
		break;
	}
	say_result(rc);
	say(" errno %s%s", errno ? strerrorname_np(errno) : "0", n_pipe ? " SIGPIPE" : "");
}

/* ---- memory that is not there ---- */

/* Two pages, of which the second cannot be touched, or only read. */
static uint8_t *page_before(int protection)
{
	static uint8_t *pages[2];
	uint8_t **at = &pages[protection == PROT_READ];

	if (!*at) {
		*at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(*at + 4096, 4096, protection);
	}
	return *at;
}

static long fault_send(int fd, const struct op *op, void *bad)
{
	struct iovec iov[2] = {{byte, 3}, {bad, 10}};
	struct msghdr msg = {.msg_iov = iov + 1, .msg_iovlen = 1};

	switch (op->k % 6) {
	case 0:
		return write(fd, bad, (size_t)op->n % 500 + 1);
	case 1:
		return send(fd, bad, (size_t)op->n % 500 + 1, MSG_DONTWAIT);
	case 2:
		return writev(fd, iov + 1, 1);
	case 3:
		return sendmsg(fd, &msg, MSG_DONTWAIT);
	case 4:
		return writev(fd, bad, 2);
	default:
		return sendmsg(fd, bad, MSG_DONTWAIT);
	}
}

static long fault_receive(int fd, const struct op *op, void *bad)
{
	struct iovec iov[2] = {{bad, 10}, {byte, 10}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 1};
	int flags = MSG_DONTWAIT | (op->n % 3 ? 0 : MSG_PEEK);

	switch (op->k % 7) {
	case 0:
		return recv(fd, bad, (size_t)op->n + 1, flags);
	case 1:
		return recv(fd, bad, 1, flags);
	case 2:
		return recvmsg(fd, &msg, flags);
	case 3:
		return state->nonblocking[op->end] ? read(fd, bad, (size_t)op->n + 1) : 0;
	case 4:
		return state->nonblocking[op->end] ? readv(fd, iov, 2) : 0;
	case 5:
		return recvmsg(fd, bad, flags);
	default:
		return readv(fd, bad, 2);
	}
}

/* A buffer that ends where memory ends: what fits is right, and what does not is not lost. */
static long fault_edge(int fd, const struct op *op)
{
	int room = op->k % 3 ? op->k % 800 : 0;
	uint8_t *at = page_before(PROT_NONE) + 4096 - room;
	long got;

	if (room > 0 && room < available(op->end)) {
		return 0; /* how much of it comes is the kernel's choice */
	}
	got = recv(fd, at, (size_t)op->n + 5000, MSG_DONTWAIT);
	if (got > 0 && !is_right(1 - op->end, state->got[1 - op->end], at, (size_t)got)) {
		say(" WRONG BYTES");
	}
	state->got[1 - op->end] += got > 0 ? (uint64_t)got : 0;
	return got;
}

static long fault_other(int fd, const struct op *op, void *bad)
{
	socklen_t len = sizeof(int);
	int value = 0;

	switch (op->k % 7) {
	case 0:
		return getsockopt(fd, SOL_SOCKET, SO_ERROR, bad, &len);
	case 1:
		return getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, bad);
	case 2:
		return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, sizeof(int));
	case 3:
		return ioctl(fd, FIONREAD, bad);
	case 4:
		return poll(bad, 2, 0);
	case 5:
		return getpeername(fd, bad, &len);
	default:
		return epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, bad);
	}
}

void run_fault(const struct op *op)
{
	void *bads[] = {NULL, (void *)7, (void *)-1, page_before(PROT_NONE) + 4096,
			page_before(PROT_NONE) + 5000};
	void *bad = bads[op->flags % 5];
	long rc;

	if (state->shut_rd[1 - op->end] && state->shut_wr[1 - op->end]) {
		return;
	}
	n_pipe = 0;
	say(" %d %d %d", op->variant % 4, op->k % 42, op->flags % 5);
	switch (op->variant % 4) {
	case 0:
		rc = fault_send(a_fd(op), op, bad);
		break;
	case 1:
		rc = fault_receive(a_fd(op), op, op->flags % 7 ? bad : page_before(PROT_READ) + 4096);
		break;
	case 2:
		rc = fault_edge(a_fd(op), op);
		break;
	default:
		rc = fault_other(a_fd(op), op, bad);
		break;
	}
	say_result(rc);
	say("%s", n_pipe ? " SIGPIPE" : "");
}

/* ---- descriptors that are gone ---- */

void run_gone(const struct op *op)
{
	int fd = dup(a_fd(op)), on = 0;
	struct epoll_event event = {.events = EPOLLIN};
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	long results[10];

	close(fd);
	results[0] = read(fd, byte, 1) < 0 ? errno : 0;
	results[1] = write(fd, byte, 1) < 0 ? errno : 0;
	results[2] = shutdown(fd, SHUT_WR) < 0 ? errno : 0;
	results[3] = ioctl(fd, FIONREAD, &on) < 0 ? errno : 0;
	results[4] = fcntl(fd, F_GETFL) < 0 ? errno : 0;
	results[5] = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? errno : 0;
	results[6] = poll(&pfd, 1, 0) == 1 ? pfd.revents : 0;
	results[7] = dup(fd) < 0 ? errno : 0;
	results[8] = recv(fd, byte, 1, MSG_DONTWAIT) < 0 ? errno : 0;
	results[9] = op->variant % 2 ? 0 : close(fd) < 0 ? errno : 0;
	for (int i = 0; i < 10; i++) {
		say(" %ld", results[i]);
	}
}
