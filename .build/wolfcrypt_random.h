/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forced into every wolfCrypt source file: the prototype of the random source that replaces its DRBG
 * (CUSTOM_RAND_GENERATE_BLOCK). engine/crypto.c defines the function.
 */
#ifndef __ASSEMBLER__
int tlshim_wolfcrypt_random(unsigned char *out, unsigned int len);
#endif
