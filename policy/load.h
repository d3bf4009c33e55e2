/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files: all that policy/ knows of the file system goes through here.
 */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H

#include "policy.h"

#define LOAD_MAX_POLICY      ((size_t)1 << 20)
#define LOAD_MAX_KEY         ((size_t)64 << 10)
#define LOAD_MAX_CERTIFICATE ((size_t)1 << 20)
#define LOAD_MAX_TRUST       ((size_t)16 << 20)
#define LOAD_WHY_MAX         200

struct load_bytes {
	uint8_t *data; /* NUL-terminated, the NUL not counted */
	size_t len;
};
/* Read a regular file (or a symbolic link to one) of at most max bytes. False with the reason in why. */
bool load_file(const char *path, size_t max, struct load_bytes *bytes, char why[static LOAD_WHY_MAX]);
/* Wipe and free what load_file() gave. */
void load_free(struct load_bytes *bytes);

bool load_is_directory(const char *path);
/*
 * Call each() for every file of a directory whose name ends in .pem, .crt or .cer. Stops when each()
 * returns false, and returns false then, or with the reason in why when the directory cannot be read.
 */
bool load_directory(const char *path, bool (*each)(void *ctx, const char *path), void *ctx,
		    char why[static LOAD_WHY_MAX]);
/* How often word stands in a file of certificates; 0 if it cannot be read. */
size_t load_count(const char *path, const char *word);
/* Permission bits of a file; false if it is not there. */
bool load_mode(const char *path, unsigned *mode);
/* True if the path is a file that can be opened for reading. */
bool load_is_readable(const char *path);

/* TCP port of a service in /etc/services, 0 if it is not there. */
uint16_t load_find_service(const char *name);
/* User id of a name in /etc/passwd; false if it is not there. No name service is asked. */
bool load_find_user(const char *name, uint32_t *uid);
/* May this process turn into that user, or is it already? */
bool load_may_become(uint32_t uid);

/* The directory of file, made absolute; heap, NULL if out of memory or without working directory. */
char *load_directory_of(const char *file);

#endif
