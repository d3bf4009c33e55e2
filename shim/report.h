/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's report to the guard of `tlshim run` that it is active in the program (cli/proof.h).
 */
#ifndef SHIM_REPORT_H
#define SHIM_REPORT_H

/*
 * "PID" names a guard that traces this process: the report is a SIGTRAP, which it takes away. "PID:FD" names one that
 * does not: the report is a byte. The guard is a child of this process and ends with the report.
 */
#define REPORT_VARIABLE "TLSHIM_PROOF"
#define REPORT_BYTE 'A'

/*
 * Report as value (that of REPORT_VARIABLE) says, and wait for the guard's end, so that the program has no child that
 * it did not make and gets no SIGCHLD for it. A value that names no child of ours is ignored. Keeps errno.
 */
void report_presence(const char *value);

#endif
