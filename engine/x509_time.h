/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dates of certificates: between seconds since 1970 and the proleptic Gregorian calendar in UTC. The engine
 * has no clock and no time zones, so it asks libc for neither.
 */
#ifndef ENGINE_X509_TIME_H
#define ENGINE_X509_TIME_H

#include "engine.h"

struct civil_time {
	int year;  /* 0..9999 */
	int month; /* 1..12 */
	int day;   /* 1..31 */
	int hour, minute, second;
};

/* False if there is no such date. Second 60 is read as 59: clocks step over it. */
must_check bool civil_to_seconds(const struct civil_time *c, int64_t *seconds);
/* Clamped to the years 0..9999. */
struct civil_time civil_from_seconds(int64_t seconds);
/* "2024-01-02" */
#define CIVIL_DATE_MAX 40
void civil_date(int64_t seconds, char out[static CIVIL_DATE_MAX]);

#endif
