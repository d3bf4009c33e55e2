/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks on data: read, write, recv, send and their families. Each checks what the kernel would check of the
 * arguments and hands over to session_recv() or session_send().
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "connect.h"
#include "fdtab.h"
#include "memory.h"
#include "pass.h"
#include "real.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

/* Most bytes that one call transfers, as the kernel's MAX_RW_COUNT. */
#define MAX_COUNT 0x7ffff000u
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif
#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x00000020
#endif
#define RWF_KNOWN 0x1f
#define NS_PER_S 1000000000

static ssize_t fail(int err)
{
	errno = err;
	return -1;
}

/* What only wrapped descriptors need stays out of the hooks, which then have no frame of their own on all others. */
#define NOT_INLINE __attribute__((noinline))

/* ---- receiving ---- */

NOT_INLINE static ssize_t recv_one(int fd, void *buf, size_t len, int flags)
{
	struct iovec iov = { buf, len < MAX_COUNT ? len : MAX_COUNT };

	return memory_is_possible(buf, len) ? session_recv(fd, &iov, 1, flags) : fail(EFAULT);
}

static ssize_t hook_read(int fd, void *buf, size_t len)
{
	return len == 0 && memory_is_possible(buf, 0) ? 0 : recv_one(fd, buf, len, 0);
}

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	return fdtab_is_wrapped(fd) ? hook_read(fd, buf, len) : real.read(fd, buf, len);
}

EXPORT ssize_t __read(int fd, void *buf, size_t len)
{
	return fdtab_is_wrapped(fd) ? hook_read(fd, buf, len) : real.__read(fd, buf, len);
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t buf_size)
{
	/* Too small a buffer: libc's own function ends the program. */
	return fdtab_is_wrapped(fd) && len <= buf_size ? hook_read(fd, buf, len) :
							 REAL(__read_chk)(fd, buf, len, buf_size);
}

/* How many iovecs to have room for, if the kernel would take them: not always IOV_MAX, for stacks may be small. */
static size_t room_for(size_t n_iov)
{
	return n_iov >= 1 && n_iov <= IOV_MAX ? n_iov : 1;
}

/* Check iovecs as the kernel does and cut their total to MAX_COUNT: the usable number of them, or -1 with errno. */
static int check_iov(const struct iovec *iov, size_t n_iov, int too_many, struct iovec *copy)
{
	size_t total = 0;

	if (n_iov > IOV_MAX) {
		return (int)fail(too_many);
	}
	if (!memory_can_read(iov, n_iov * sizeof(*iov))) {
		return (int)fail(EFAULT);
	}
	for (size_t i = 0; i < n_iov; i++) {
		if ((ssize_t)iov[i].iov_len < 0) {
			return (int)fail(EINVAL);
		}
		if (!memory_is_possible(iov[i].iov_base, iov[i].iov_len)) {
			return (int)fail(EFAULT);
		}
		copy[i] = iov[i];
		if (copy[i].iov_len > MAX_COUNT - total) {
			copy[i].iov_len = MAX_COUNT - total;
		}
		total += copy[i].iov_len;
	}
	return (int)n_iov;
}

static ssize_t recv_iov(int fd, const struct iovec *iov, size_t n_iov, int flags, int too_many)
{
	struct iovec copy[room_for(n_iov)];
	int n = check_iov(iov, n_iov, too_many, copy);

	return n < 0 ? -1 : session_recv(fd, copy, n, flags);
}

static bool has_bytes(const struct iovec *iov, int n_iov)
{
	for (int i = 0; i < n_iov; i++) {
		if (iov[i].iov_len > 0) {
			return true;
		}
	}
	return false;
}

/* As readv(2) and writev(2) have it: without a byte nothing is looked at, whereas recvmsg(2) waits for data. */
static ssize_t read_iov(int fd, const struct iovec *iov, int n_iov, int flags)
{
	struct iovec copy[room_for((size_t)n_iov)];
	int n = check_iov(iov, (size_t)n_iov, EINVAL, copy);

	return n < 0 ? -1 : has_bytes(copy, n) ? session_recv(fd, copy, n, flags) : 0;
}

static ssize_t send_iov(int fd, const struct iovec *iov, size_t n_iov, int flags, int too_many)
{
	struct iovec copy[room_for(n_iov)];
	int n = check_iov(iov, n_iov, too_many, copy);

	return n < 0 ? -1 : session_send(fd, copy, n, flags);
}

static ssize_t write_iov(int fd, const struct iovec *iov, int n_iov, int flags)
{
	struct iovec copy[room_for((size_t)n_iov)];
	int n = check_iov(iov, (size_t)n_iov, EINVAL, copy);

	return n < 0 ? -1 : has_bytes(copy, n) ? session_send(fd, copy, n, flags) : 0;
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int n_iov)
{
	return fdtab_is_wrapped(fd) ? read_iov(fd, iov, n_iov, 0) : REAL(readv)(fd, iov, n_iov);
}

/*
 * preadv2 and pwritev2 on a socket: without an offset they are readv and writev. 0, or an errno: of the
 * offset first; flags count only where there are bytes to move.
 */
static int check_offset(const struct iovec *iov, int n_iov, off64_t offset, int flags, int known)
{
	if (offset != -1) {
		return offset < 0 ? EINVAL : ESPIPE;
	}
	if (!(flags & ~known) || n_iov < 0 || n_iov > IOV_MAX ||
	    !memory_can_read(iov, (size_t)n_iov * sizeof(*iov)) || !has_bytes(iov, n_iov)) {
		return 0;
	}
	return EOPNOTSUPP;
}

static ssize_t hook_preadv2(int fd, const struct iovec *iov, int n_iov, off64_t offset, int flags)
{
	int err = check_offset(iov, n_iov, offset, flags, RWF_KNOWN);

	return err ? fail(err) : read_iov(fd, iov, n_iov, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0);
}

static ssize_t hook_pwritev2(int fd, const struct iovec *iov, int n_iov, off64_t offset, int flags)
{
	int err = check_offset(iov, n_iov, offset, flags, RWF_KNOWN | RWF_NOAPPEND);

	return err ? fail(err) : write_iov(fd, iov, n_iov, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0);
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int n_iov, off_t offset, int flags)
{
	return fdtab_is_wrapped(fd) ? hook_preadv2(fd, iov, n_iov, offset, flags) :
				      REAL(preadv2)(fd, iov, n_iov, offset, flags);
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int n_iov, off64_t offset, int flags)
{
	return fdtab_is_wrapped(fd) ? hook_preadv2(fd, iov, n_iov, offset, flags) :
				      REAL(preadv64v2)(fd, iov, n_iov, offset, flags);
}

EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	return fdtab_is_wrapped(fd) && !(flags & MSG_ERRQUEUE) ? recv_one(fd, buf, len, flags) :
								 REAL(recv)(fd, buf, len, flags);
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t buf_size, int flags)
{
	return fdtab_is_wrapped(fd) && len <= buf_size && !(flags & MSG_ERRQUEUE) ?
		       recv_one(fd, buf, len, flags) :
		       REAL(__recv_chk)(fd, buf, len, buf_size, flags);
}

static ssize_t hook_recvfrom(int fd, void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t *addr_len)
{
	ssize_t n;

	if (addr && !memory_can_write(addr_len, sizeof(*addr_len))) {
		return fail(EFAULT);
	}
	if (addr && (int)*addr_len < 0) {
		return fail(EINVAL);
	}
	n = recv_one(fd, buf, len, flags);
	if (n >= 0 && addr) {
		*addr_len = 0; /* a stream's peer is not told by recvfrom */
	}
	return n;
}

EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *addr_len)
{
	return fdtab_is_wrapped(fd) && !(flags & MSG_ERRQUEUE) ?
		       hook_recvfrom(fd, buf, len, flags, addr, addr_len) :
		       REAL(recvfrom)(fd, buf, len, flags, addr, addr_len);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t buf_size, int flags, struct sockaddr *addr,
			      socklen_t *addr_len)
{
	return fdtab_is_wrapped(fd) && len <= buf_size && !(flags & MSG_ERRQUEUE) ?
		       hook_recvfrom(fd, buf, len, flags, addr, addr_len) :
		       REAL(__recvfrom_chk)(fd, buf, len, buf_size, flags, addr, addr_len);
}

static ssize_t hook_recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n;

	if (!memory_can_read(msg, sizeof(*msg))) {
		return fail(EFAULT);
	}
	if (msg->msg_name && (int)msg->msg_namelen < 0) {
		return fail(EINVAL);
	}
	n = recv_iov(fd, msg->msg_iov, msg->msg_iovlen, flags, EMSGSIZE);
	if (n >= 0 && !memory_can_write(msg, sizeof(*msg))) {
		return fail(EFAULT);
	}
	if (n >= 0) {
		if (msg->msg_name) {
			msg->msg_namelen = 0;
		}
		msg->msg_controllen = 0;
		msg->msg_flags = flags & MSG_CMSG_CLOEXEC; /* as the kernel has it */
	}
	return n;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n;

	if (fdtab_is_wrapped(fd) && !(flags & MSG_ERRQUEUE)) {
		return hook_recvmsg(fd, msg, flags);
	}
	n = REAL(recvmsg)(fd, msg, flags);
	if (n >= 0) {
		pass_in(fd, msg);
	}
	return n;
}

/* What is left until end, nothing if that is past. */
static struct timespec time_left(const struct timespec *end)
{
	struct timespec now, left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left.tv_sec = end->tv_sec - now.tv_sec;
	left.tv_nsec = end->tv_nsec - now.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_sec--;
		left.tv_nsec += NS_PER_S;
	}
	return left.tv_sec < 0 ? (struct timespec){ 0, 0 } : left;
}

static struct timespec time_after(const struct timespec *timeout)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec = timeout->tv_sec > LONG_MAX - end.tv_sec - 1 ? LONG_MAX - 1 : end.tv_sec + timeout->tv_sec;
	end.tv_nsec += timeout->tv_nsec;
	if (end.tv_nsec >= NS_PER_S) {
		end.tv_sec++;
		end.tv_nsec -= NS_PER_S;
	}
	return end;
}

/* The time is looked at between messages only, and what is left of it is told, as by the kernel. */
static int hook_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n_msgs, int flags, struct timespec *timeout)
{
	struct timespec end = { 0, 0 };
	int saved = errno;
	unsigned i;

	if (timeout) {
		if (!memory_can_write(timeout, sizeof(*timeout))) {
			return (int)fail(EFAULT);
		}
		if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= NS_PER_S) {
			return (int)fail(EINVAL);
		}
		end = time_after(timeout);
	}
	for (i = 0; i < n_msgs; i++) {
		ssize_t n = memory_can_write(&msgs[i], sizeof(msgs[i])) ?
				    hook_recvmsg(fd, &msgs[i].msg_hdr, flags & ~MSG_WAITFORONE) :
				    fail(EFAULT);
		if (n < 0) {
			break;
		}
		msgs[i].msg_len = (unsigned)n;
		if (flags & MSG_WAITFORONE) {
			flags |= MSG_DONTWAIT;
		}
		if (timeout) {
			*timeout = time_left(&end);
			if (timeout->tv_sec == 0 && timeout->tv_nsec == 0) {
				i++;
				break;
			}
		}
	}
	if (i == 0 && n_msgs > 0) {
		return -1;
	}
	errno = saved;
	return (int)i;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n_msgs, int flags, struct timespec *timeout)
{
	int n;

	if (fdtab_is_wrapped(fd) && !(flags & MSG_ERRQUEUE)) {
		return hook_recvmmsg(fd, msgs, n_msgs, flags, timeout);
	}
	n = REAL(recvmmsg)(fd, msgs, n_msgs, flags, timeout);
	for (int k = 0; k < n; k++) {
		pass_in(fd, &msgs[k].msg_hdr);
	}
	return n;
}

/* ---- sending ---- */

NOT_INLINE static ssize_t send_one(int fd, const void *buf, size_t len, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len < MAX_COUNT ? len : MAX_COUNT };

	return memory_is_possible(buf, len) ? session_send(fd, &iov, 1, flags) : fail(EFAULT);
}

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	return fdtab_is_wrapped(fd) ? send_one(fd, buf, len, 0) : real.write(fd, buf, len);
}

EXPORT ssize_t __write(int fd, const void *buf, size_t len)
{
	return fdtab_is_wrapped(fd) ? send_one(fd, buf, len, 0) : real.__write(fd, buf, len);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n_iov)
{
	return fdtab_is_wrapped(fd) ? write_iov(fd, iov, n_iov, 0) : real.writev(fd, iov, n_iov);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int n_iov, off_t offset, int flags)
{
	return fdtab_is_wrapped(fd) ? hook_pwritev2(fd, iov, n_iov, offset, flags) :
				      REAL(pwritev2)(fd, iov, n_iov, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int n_iov, off64_t offset, int flags)
{
	return fdtab_is_wrapped(fd) ? hook_pwritev2(fd, iov, n_iov, offset, flags) :
				      REAL(pwritev64v2)(fd, iov, n_iov, offset, flags);
}

EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	return fdtab_is_wrapped(fd) ? send_one(fd, buf, len, flags) : REAL(send)(fd, buf, len, flags);
}

EXPORT ssize_t __send(int fd, const void *buf, size_t len, int flags)
{
	return fdtab_is_wrapped(fd) ? send_one(fd, buf, len, flags) : REAL(__send)(fd, buf, len, flags);
}

/* MSG_FASTOPEN makes sendto() and sendmsg() a connect. 1: handled with rc, 0: go on sending, with flags adapted. */
static int open_fast(int fd, const struct sockaddr *addr, socklen_t addr_len, int *flags)
{
	if (!(*flags & MSG_FASTOPEN)) {
		return 0;
	}
	if (fdtab_is_wrapped(fd)) {
		if (session_phase(fd) == SESSION_CONNECTING) {
			return (int)fail(EALREADY);
		}
		return addr ? (int)fail(EISCONN) : 0;
	}
	switch (connect_plan(fd, addr, addr_len)) {
	case CONNECT_REFUSED:
		return -1;
	case CONNECT_TLS:
		if (connect_now(fd, addr, addr_len) != 0) {
			return -1;
		}
		*flags &= ~MSG_FASTOPEN;
		return 0;
	default:
		return 0;
	}
}

/* An address that comes along is not used on a connection, but looked at. 0, or an errno. */
static int check_address(const struct sockaddr *addr, socklen_t addr_len)
{
	if (addr && addr_len > sizeof(struct sockaddr_storage)) {
		return EINVAL;
	}
	return addr && !memory_can_read(addr, addr_len) ? EFAULT : 0;
}

static ssize_t hook_sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
			   socklen_t addr_len)
{
	int err = check_address(addr, addr_len);

	return err ? fail(err) : send_one(fd, buf, len, flags);
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t addr_len)
{
	if (open_fast(fd, addr, addr_len, &flags) != 0) {
		return -1;
	}
	return fdtab_is_wrapped(fd) ? hook_sendto(fd, buf, len, flags, addr, addr_len) :
				      REAL(sendto)(fd, buf, len, flags, addr, addr_len);
}

/* Names and control data of a message: the kernel judges them, by a message without a byte. 0, or an errno. */
static int check_message(int fd, const struct msghdr *msg)
{
	struct msghdr probe;
	long rc;

	if (!memory_can_read(msg, sizeof(*msg))) {
		return EFAULT;
	}
	if (!msg->msg_name && msg->msg_controllen == 0) {
		return 0;
	}
	probe = *msg;
	probe.msg_iov = NULL;
	probe.msg_iovlen = 0;
	rc = sys_call(SYS_sendmsg, fd, &probe, MSG_NOSIGNAL | MSG_DONTWAIT);
	return rc >= 0 || rc == -EPIPE || rc == -EAGAIN ? 0 : (int)-rc;
}

static ssize_t hook_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	int err = check_message(fd, msg);

	return err ? fail(err) : send_iov(fd, msg->msg_iov, msg->msg_iovlen, flags, EMSGSIZE);
}

/* On a socket that is not wrapped: descriptors may go along. */
static ssize_t send_plainly(int fd, const struct msghdr *msg, int flags)
{
	int n_passed = 0;
	ssize_t n;

	if (msg && !pass_out(fd, msg, &n_passed)) {
		return fail(EPERM);
	}
	n = REAL(sendmsg)(fd, msg, flags);
	if (n < 0 && n_passed > 0) {
		int err = errno;
		pass_undo(msg);
		errno = err;
	}
	return n;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if ((flags & MSG_FASTOPEN) && memory_can_read(msg, sizeof(*msg)) &&
	    open_fast(fd, (const struct sockaddr *)msg->msg_name, msg->msg_namelen, &flags) != 0) {
		return -1;
	}
	if (fdtab_is_wrapped(fd)) {
		return hook_sendmsg(fd, msg, flags);
	}
	return send_plainly(fd, msg, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n_msgs, int flags)
{
	int saved = errno;
	unsigned i;

	/* With MSG_FASTOPEN the first message makes the connection. */
	if (!fdtab_is_wrapped(fd) && fdtab_n_used == 0 && !(flags & MSG_FASTOPEN)) {
		return REAL(sendmmsg)(fd, msgs, n_msgs, flags);
	}
	for (i = 0; i < n_msgs && i < IOV_MAX; i++) {
		ssize_t n = memory_can_write(&msgs[i], sizeof(msgs[i])) ? sendmsg(fd, &msgs[i].msg_hdr, flags) :
									  fail(EFAULT);
		if (n < 0) {
			break;
		}
		msgs[i].msg_len = (unsigned)n;
	}
	if (i == 0 && n_msgs > 0) {
		return -1;
	}
	errno = saved;
	return (int)i;
}
