/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receiving, by each call that can.
 */
#include <fcntl.h>

#include "equiv.h"

#define N_WAYS 14
#define MANY   40

static long receive_splice(int fd, uint8_t *bytes, int n)
{
	int ends[2];
	long got = -1;

	if (pipe(ends) == 0) {
		got = splice(fd, NULL, ends[1], NULL, (size_t)n, n % 3 ? 0 : SPLICE_F_NONBLOCK);
		if (got > 0 && read(ends[0], bytes, (size_t)got) != got) {
			say(" pipe?");
		}
		close_quietly(ends[0]);
		close_quietly(ends[1]);
	}
	return got;
}

static long receive_stdio(int fd, uint8_t *bytes, int n)
{
	FILE *stream = fdopen(dup(fd), "r");
	long got = 0;
	int c;

	setvbuf(stream, NULL, _IONBF, 0);
	if (n % 4 == 0) {
		while (got < n && (c = getc(stream)) != EOF) {
			bytes[got++] = (uint8_t)c;
		}
	} else {
		got = (long)fread(bytes, 1, (size_t)n, stream);
	}
	say(" eof %d error %d", feof(stream) != 0, ferror(stream) != 0);
	fclose(stream);
	return got;
}

static void say_message(const struct msghdr *msg)
{
	say(" msg %x %u %zu", (unsigned)msg->msg_flags, msg->msg_namelen, msg->msg_controllen);
}

static long receive_message(int fd, struct iovec *iov, size_t n_iov, int flags)
{
	struct sockaddr_storage from;
	char control[64];
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = n_iov,
			     .msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	long got = recvmsg(fd, &msg, flags);

	if (got >= 0) {
		say_message(&msg);
	}
	return got;
}

static long receive_messages(const struct op *op, int fd, uint8_t *bytes, int n)
{
	int at[] = {0, n / 4, n / 2, n}, rc, n_msgs = op->k % 2 ? 3 : 1;
	struct iovec iov[3];
	struct mmsghdr msgs[3] = {0};
	long sum = 0;

	for (int i = 0; i < 3; i++) {
		iov[i] = (struct iovec){bytes + at[i], (size_t)(at[i + 1] - at[i])};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	if (n_msgs == 1) {
		iov[0].iov_len = (size_t)n;
	}
	rc = recvmmsg(fd, msgs, (unsigned)n_msgs, op->flags | (n_msgs > 1 ? MSG_WAITFORONE : 0), NULL);
	say(" messages %d", rc);
	for (int i = 0; i < rc; i++) {
		say(" %u", msgs[i].msg_len);
		say_message(&msgs[i].msg_hdr);
		if (sum != at[i] && !(op->flags & (MSG_PEEK | MSG_TRUNC)) && msgs[i].msg_len > 0) {
			/* A message was not filled, so what follows lies apart. */
			memmove(bytes + sum, bytes + at[i], msgs[i].msg_len);
		}
		sum = op->flags & MSG_PEEK ? (long)msgs[0].msg_len : sum + msgs[i].msg_len;
	}
	return rc < 0 ? rc : sum;
}

static long receive_by(const struct op *op, int fd, uint8_t *bytes, int n)
{
	struct iovec few[3], many[MANY];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	long got;

	cut(few, 3, bytes, n, op->k);
	cut(many, MANY, bytes, n, op->k);
	switch (op->variant % N_WAYS) {
	case 0:
		return read(fd, bytes, (size_t)n);
	case 1:
		return readv(fd, few, 3);
	case 2:
		return receive_message(fd, few, 3, op->flags);
	case 3:
		return receive_messages(op, fd, bytes, n);
	case 4:
		got = recvfrom(fd, bytes, (size_t)n, op->flags, (struct sockaddr *)&from, &from_len);
		if (got >= 0) {
			say(" from %u", from_len);
		}
		return got;
	case 5:
		return n > 0 && n <= available(op->end) ? receive_splice(fd, bytes, n) : 0;
	case 6:
		return n <= available(op->end) ? receive_stdio(fd, bytes, n) : 0;
	case 7:
		return readv(fd, many, MANY);
	case 8:
		return receive_message(fd, many, MANY, op->flags);
	case 9:
		return preadv2(fd, few, 3, -1, op->flags & MSG_DONTWAIT ? RWF_NOWAIT : 0);
	default:
		return recv(fd, bytes, (size_t)n, op->flags);
	}
}

static bool takes_flags(int variant)
{
	variant %= N_WAYS;
	return variant == 2 || variant == 3 || variant == 4 || variant == 8 || variant >= 10;
}

void run_receive(const struct op *op)
{
	static __thread uint8_t bytes[BIG];
	struct op copy = *op;
	int end = op->end, n = op->n;
	bool may_block = !state->nonblocking[end] && !state->shut_wr[1 - end] && !state->shut_rd[end];
	long got;

	if (may_block) {
		if ((copy.flags & MSG_WAITALL) && n > available(end)) {
			n = available(end);
		}
		if (available(end) == 0 && n > 0 && !takes_flags(copy.variant)) {
			copy.variant = N_WAYS - 1;
		}
		if (available(end) == 0) {
			copy.flags |= MSG_DONTWAIT;
		}
		if ((copy.flags & MSG_WAITALL) && copy.variant % N_WAYS == 3) {
			copy.flags &= ~MSG_WAITALL;
		}
	}
	memset(bytes, 0xee, (size_t)n + 1);
	say(" v%d n=%d flags=%x", copy.variant % N_WAYS, n, (unsigned)copy.flags);
	got = receive_by(&copy, a_fd(op), bytes, n);
	say_result(got);
	if (got <= 0) {
		return;
	}
	if (!takes_flags(copy.variant)) {
		copy.flags = 0;
	}
	if (!(copy.flags & MSG_TRUNC) && !is_right(1 - end, state->got[1 - end], bytes, (size_t)got)) {
		say(" WRONG BYTES");
	}
	if (!(copy.flags & MSG_TRUNC) && bytes[n] != 0xee) {
		say(" OVERRUN");
	}
	if (!(copy.flags & MSG_PEEK)) {
		state->got[1 - end] += (uint64_t)got;
	}
}

/* ---- lines, through stdio ---- */

/* A text of a few lines from the other end, read by getline, fgets and ungetc. */
void run_lines(const struct op *op)
{
	int to = op->end;
	FILE *in, *out;
	char *line = NULL, other[64];
	size_t size = 0;

	if (available(to) > 0 || !is_whole() || state->nonblocking[to] || state->nonblocking[1 - to]) {
		return;
	}
	out = fdopen(dup(fds[1 - to][0]), "a");
	fputs("one\n", out);
	fprintf(out, "two %s\n", "three");
	fflush(out);
	fputc('\n', out);
	fputs("four\n", out);
	say(" close %d", fclose(out));
	in = fdopen(dup(fds[to][0]), op->variant % 2 ? "r" : "r+");
	if (op->k % 3 == 0) {
		setvbuf(in, NULL, _IONBF, 0);
	}
	say(" %zd %s", getline(&line, &size, in), line);
	say(" %d", ungetc(getc(in), in));
	say(" %s", fgets(other, sizeof(other), in));
	say(" %c", getc(in));
	say(" %s", fgets(other, sizeof(other), in));
	say(" eof %d error %d", feof(in), ferror(in));
	say(" close %d", fclose(in));
	free(line);
}
