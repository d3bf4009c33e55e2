/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines: one line, one write(2), no stdio, no allocation, errno untouched.
 *
 * TLSHIM_LOG=error|warn|info|debug (default warn), TLSHIM_LOG_FILE=path (default: standard error).
 */
#ifndef SHIM_LOG_H
#define SHIM_LOG_H

#include <stdbool.h>
#include <string.h>

/* Texts of errors that need no lock and no translation; glibc 2.31 has only the others. */
#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 32)
#define strerrordesc_np(error) strerror(error)
#endif

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Read the settings; level and file may be NULL. Called once, from init. */
void log_init(const char *level, const char *file);
/*
 * All connections that the process was started with are in the table of descriptors. Until then nothing is written to a
 * standard error that is a TCP socket.
 */
void log_connections_known(void);
bool log_enabled(enum log_level level);
/* Log one line: "tlshim[PID]: LEVEL: text". Longer than 1,000 bytes is cut; control characters become '?'. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The log's own descriptor, -1 if it has none: close-everything loops must not hit it. */
int log_fd(void);
/* Would lines go to descriptor 2, for want of a log file? */
bool log_is_stderr(void);
/* The program dup2()s onto the log's descriptor: move it out of the way. */
void log_move_fd(void);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                          \
	do {                                                    \
		if (log_enabled(LOG_LEVEL_DEBUG)) {             \
			log_line(LOG_LEVEL_DEBUG, __VA_ARGS__); \
		}                                               \
	} while (0)

#endif
