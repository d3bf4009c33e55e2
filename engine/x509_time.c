/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dates of certificates.
 *
 * Implementation notes: the year is taken to begin in March, so that the leap day is its last day and the
 * months before it follow one linear formula. 400 years have 146,097 days; day 0 is 1970-01-01.
 */
#include <stdio.h>

#include "x509_time.h"

#define SECONDS_PER_DAY         86400
#define DAYS_PER_400_YEARS      146097
#define DAYS_0000_03_01_TO_1970 719468
/* of 9999-12-31 and 0000-03-01 */
#define MAX_DAY                 2932896
#define MIN_DAY                 (-DAYS_0000_03_01_TO_1970)

static int days_in_month(int year, int month)
{
	static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

/* Days before the first of the month, counted from March (m = 0). */
static int64_t days_before_month(int64_t m)
{
	return (153 * m + 2) / 5;
}

bool civil_to_seconds(const struct civil_time *c, int64_t *seconds)
{
	if (c->year < 0 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > days_in_month(c->year, c->month) || c->hour < 0 || c->hour > 23 || c->minute < 0 ||
	    c->minute > 59 || c->second < 0 || c->second > 60) {
		return false;
	}
	/* + 400: never negative, so that division rounds down */
	int64_t year = c->year + 400 - (c->month <= 2);
	int64_t month = (c->month + 9) % 12;
	int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + days_before_month(month) + c->day -
		       1 - DAYS_PER_400_YEARS - DAYS_0000_03_01_TO_1970;
	*seconds =
		days * SECONDS_PER_DAY + c->hour * 3600 + c->minute * 60 + (c->second == 60 ? 59 : c->second);
	return true;
}

struct civil_time civil_from_seconds(int64_t seconds)
{
	int64_t day = seconds / SECONDS_PER_DAY - (seconds % SECONDS_PER_DAY < 0);
	int64_t second = seconds - day * SECONDS_PER_DAY;
	if (day > MAX_DAY || day < MIN_DAY) {
		second = day > MAX_DAY ? SECONDS_PER_DAY - 1 : 0;
		day = day > MAX_DAY ? MAX_DAY : MIN_DAY;
	}
	day += DAYS_0000_03_01_TO_1970;
	int64_t era = day / DAYS_PER_400_YEARS;
	int64_t rest = day % DAYS_PER_400_YEARS;
	int64_t year = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
	int64_t day_of_year = rest - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	return (struct civil_time){
		.year = (int)(year + era * 400 + (month >= 10)),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(day_of_year - days_before_month(month) + 1),
		.hour = (int)(second / 3600),
		.minute = (int)(second / 60 % 60),
		.second = (int)(second % 60),
	};
}

void civil_date(int64_t seconds, char out[static CIVIL_DATE_MAX])
{
	struct civil_time c = civil_from_seconds(seconds);
	(void)snprintf(out, CIVIL_DATE_MAX, "%04d-%02d-%02d", c.year, c.month, c.day);
}
