/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sending, by each call that can.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "equiv.h"

#define N_WAYS 17
#define MANY   40

static long send_file(int fd, const uint8_t *bytes, int n)
{
	int file = memfd_create("equiv", 0);
	off_t offset = 0;
	long sent = write(file, bytes, (size_t)n);

	sent = sendfile(fd, file, n % 2 ? &offset : (lseek(file, 0, SEEK_SET), NULL), (size_t)n);
	say(" at %ld %ld", (long)offset, (long)lseek(file, 0, SEEK_CUR));
	close_quietly(file);
	return sent;
}

static long send_splice(int fd, const uint8_t *bytes, int n)
{
	int ends[2];
	long sent = -1;

	if (pipe(ends) == 0) {
		sent = write(ends[1], bytes, (size_t)n);
		sent = splice(ends[0], NULL, fd, NULL, (size_t)n,
			      n % 3 ? 0 : SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		close_quietly(ends[0]);
		close_quietly(ends[1]);
	}
	return sent;
}

static long send_stdio(int fd, const uint8_t *bytes, int n)
{
	FILE *stream = fdopen(dup(fd), n % 2 ? "w" : "r+");
	long sent;

	if (n % 5 == 0) {
		setvbuf(stream, NULL, n % 10 ? _IONBF : _IOLBF, 0);
	}
	sent = (long)fwrite(bytes, 1, (size_t)n, stream);
	say(" fileno %d", fileno(stream) >= 0);
	return fclose(stream) != 0 ? -1 : sent;
}

static int print(int fd, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}

/* Formatted: three bytes, any of which may be 0. */
static long send_text(int fd, const uint8_t *bytes, int n)
{
	if (n < 3) {
		return dprintf(fd, "%.*s", 0, "");
	}
	return n % 2 ? dprintf(fd, "%c%c%c", bytes[0], bytes[1], bytes[2])
		     : print(fd, "%c%.0s%c%c", bytes[0], "", bytes[1], bytes[2]);
}

static long send_messages(const struct op *op, int fd, uint8_t *bytes, int n)
{
	struct iovec iov[3][2];
	struct mmsghdr msgs[3] = {0};
	int at[] = {0, n / 3, n / 2, n}, rc;
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		cut(iov[i], 2, bytes + at[i], at[i + 1] - at[i], op->k);
		msgs[i].msg_hdr.msg_iov = iov[i];
		msgs[i].msg_hdr.msg_iovlen = 2;
	}
	rc = sendmmsg(fd, msgs, 3, op->flags);
	say(" messages %d", rc);
	for (int i = 0; i < rc; i++) {
		sum += msgs[i].msg_len;
	}
	return rc < 0 ? rc : sum;
}

static long send_by(const struct op *op, int fd, uint8_t *bytes, int n)
{
	struct iovec few[3], many[MANY];
	struct sockaddr_in elsewhere = address_of(9);
	struct msghdr msg = {.msg_iov = few, .msg_iovlen = 3};
	bool writes = n > 0 && !state->shut_wr[op->end];

	cut(few, 3, bytes, n, op->k);
	cut(many, MANY, bytes, n, op->k);
	switch (op->variant % N_WAYS) {
	case 0:
		return write(fd, bytes, (size_t)n);
	case 1:
		return writev(fd, few, 3);
	case 2:
		return sendmsg(fd, &msg, op->flags);
	case 3:
		return send_messages(op, fd, bytes, n);
	case 4:
		return sendto(fd, bytes, (size_t)n, op->flags, NULL, 0);
	case 5:
		return n > 0 ? send_file(fd, bytes, n) : 0;
	case 6:
		return writes ? send_splice(fd, bytes, n) : 0;
	case 7:
		return writes ? send_stdio(fd, bytes, n) : 0;
	case 8:
		return send_text(fd, bytes, n);
	case 9:
		return writev(fd, many, MANY);
	case 10:
		msg.msg_iov = many;
		msg.msg_iovlen = MANY;
		return sendmsg(fd, &msg, op->flags);
	case 11:
		return pwritev2(fd, few, 3, -1, op->k % 2 ? RWF_NOWAIT : 0);
	case 12:
		/* the address is not looked at */
		return sendto(fd, bytes, (size_t)n, op->flags, (struct sockaddr *)&elsewhere,
			      sizeof(elsewhere));
	default:
		return send(fd, bytes, (size_t)n, op->flags);
	}
}

static bool takes_flags(int variant)
{
	variant %= N_WAYS;
	return variant == 2 || variant == 3 || variant == 4 || variant == 10 || variant >= 12;
}

void run_send(const struct op *op)
{
	uint8_t bytes[CAP + 2];
	int room = CAP - (int)(state->sent[op->end] - state->got[op->end]);
	int n = op->n < room ? op->n : room;
	struct op plain = *op;
	bool holds_back;
	long sent;

	if (state->shut_rd[1 - op->end] && state->shut_wr[1 - op->end]) {
		/*
		 * It would be reset, and TLS has one record more that can provoke it: when that is told is
		 * no matter.
		 */
		return;
	}
	if (n == room && (plain.flags & MSG_MORE)) {
		plain.flags &= ~MSG_MORE;
		op = &plain;
	}
	holds_back = (op->flags & MSG_MORE) && takes_flags(op->variant);
	n_pipe = 0;
	make_bytes(op->end, state->sent[op->end], bytes, (size_t)n);
	sent = send_by(op, a_fd(op), bytes, n);
	say(" v%d n=%d flags=%x", op->variant % N_WAYS, n, (unsigned)op->flags);
	say_result(sent);
	state->sent[op->end] += sent > 0 ? (uint64_t)sent : 0;
	if (n < room && holds_back && sent >= 0) {
		/* What MSG_MORE holds back must come now. */
		make_bytes(op->end, state->sent[op->end], bytes, 1);
		sent = send(a_fd(op), bytes, 1, MSG_NOSIGNAL);
		say_result(sent);
		state->sent[op->end] += sent > 0 ? (uint64_t)sent : 0;
	}
	if (n_pipe) {
		say(" SIGPIPE");
	}
}
