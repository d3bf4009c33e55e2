/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finite field Diffie-Hellman: the groups of RFC 7919, and for TLS 1.2 whatever safe-looking group a
 * server names.
 *
 * Implementation notes
 *
 *   The four big numbers of a modular power are 1 KiB each: they live on the heap, and are wiped behind
 *   it. The exponent has a fixed length with its top bit set, so that the number of steps tells nothing;
 *   wolfCrypt's power has no branch or address that depends on it.
 */
#include <wolfssl/options.h>

#include "crypto_kex.h"

#include <wolfssl/wolfcrypt/dh.h>
#include <wolfssl/wolfcrypt/wolfmath.h>

#include <string.h>

#include "cpu.h"
#include "secret.h"

static const uint8_t two[] = {2};

/* A big-endian number. */
struct number {
	const uint8_t *data;
	size_t len;
};

static struct number without_zeros(const uint8_t *data, size_t len)
{
	while (len != 0 && *data == 0) {
		data++;
		len--;
	}
	return (struct number){data, len};
}

static size_t bits_of(struct number number)
{
	size_t bits = number.len * 8;

	for (unsigned top = number.len != 0 ? number.data[0] : 0x80; top < 0x80; top <<= 1) {
		bits--;
	}
	return bits;
}

/*
 * 2 <= number <= p - 2. p is odd, so that p - 1 is p but for the last bit: with that bit set, a number
 * must still be less than p. Neither is secret.  RFC 8446 4.2.8.1, NIST SP 800-56A 5.6.2.3.1
 */
static bool is_in_range(struct number number, struct number p)
{
	int order;

	if (number.len == 0 || (number.len == 1 && number.data[0] < 2)) {
		return false;
	}
	if (number.len != p.len) {
		return number.len < p.len;
	}
	order = memcmp(number.data, p.data, p.len - 1);
	return order < 0 || (order == 0 && (number.data[p.len - 1] | 1) < p.data[p.len - 1]);
}

/* ---- modular powers ---- */

struct power {
	mp_int base, exponent, modulus, result;
};

static bool read_number(mp_int *into, struct number number)
{
	return mp_read_unsigned_bin(into, number.data, (word32)number.len) == MP_OKAY;
}

/* out[0..out_len) = base ^ exponent mod p, with zeros in front. */
static bool mod_power(struct number base, struct number exponent, struct number p, uint8_t *out,
		      size_t out_len)
{
	struct power *power = engine_alloc(sizeof(*power));
	bool ok;

	if (power == NULL) {
		return false;
	}
	memset(power, 0, sizeof(*power));
	ok = mp_init_multi(&power->base, &power->exponent, &power->modulus, &power->result, NULL, NULL) ==
		     MP_OKAY &&
	     read_number(&power->base, base) && read_number(&power->exponent, exponent) &&
	     read_number(&power->modulus, p) &&
	     mp_exptmod(&power->base, &power->exponent, &power->modulus, &power->result) == MP_OKAY &&
	     mp_to_unsigned_bin_len(&power->result, out, (int)out_len) == MP_OKAY;
	cpu_clear_upper_vectors();
	secret_wipe(power, sizeof(*power));
	engine_release(power);
	return ok;
}

/* Twice the strength of the group, and more than RFC 7919 A asks for. */
static size_t exponent_len(struct number p)
{
	return p.len <= 256 ? 32 : p.len <= 384 ? 36 : MAX_EXPONENT_LEN;
}

static bool make_exponent(uint8_t *exponent, size_t len)
{
	if (!engine_random(exponent, len)) {
		return false;
	}
	exponent[0] |= 0x80;
	return true;
}

/* ---- RFC 7919 ---- */

static struct number prime_of_len(size_t len)
{
	const DhParams *params = len == 256   ? wc_Dh_ffdhe2048_Get()
				 : len == 384 ? wc_Dh_ffdhe3072_Get()
					      : wc_Dh_ffdhe4096_Get();

	return (struct number){params->p, params->p_len};
}

const uint8_t *crypto_ffdhe_prime(enum crypto_group group)
{
	return prime_of_len(crypto_group_share_len(group)).data;
}

static struct number exponent_of(const struct crypto_kex *kex)
{
	const size_t len = exponent_len(prime_of_len(kex->group->share_len));

	return (struct number){kex->exponent + MAX_EXPONENT_LEN - len, len};
}

static bool make(struct crypto_kex *kex, const uint8_t *private_key, size_t len, uint8_t *share)
{
	const struct number p = prime_of_len(kex->group->share_len);
	uint8_t *end = kex->exponent + MAX_EXPONENT_LEN;
	const size_t own_len = exponent_len(p);

	if (private_key != NULL) {
		if (len > own_len) {
			return false;
		}
		memcpy(end - len, private_key, len);
	} else if (!make_exponent(end - own_len, own_len)) {
		return false;
	}
	return mod_power((struct number){two, sizeof(two)}, exponent_of(kex), p, share, p.len);
}

static bool finish(struct crypto_kex *kex, const uint8_t *peer, uint8_t *shared)
{
	const struct number p = prime_of_len(kex->group->share_len);
	const struct number peer_share = without_zeros(peer, p.len);

	return is_in_range(peer_share, p) && mod_power(peer_share, exponent_of(kex), p, shared, p.len);
}

const struct kex_kind kex_ffdhe = {.make = make, .finish = finish};

/* ---- TLS 1.2 with the server's group: RFC 5246 7.4.3, 8.1.2 ---- */

/* The secret loses its leading zeros. */
static size_t strip(uint8_t *shared, size_t len)
{
	const struct number stripped = without_zeros(shared, len);

	memmove(shared, stripped.data, stripped.len);
	secret_wipe(shared + stripped.len, len - stripped.len);
	return stripped.len;
}

bool crypto_dh_answer(const uint8_t *p, size_t p_len, const uint8_t *g, size_t g_len, const uint8_t *peer,
		      size_t peer_len, uint8_t share[static CRYPTO_MAX_DH_LEN],
		      uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len)
{
	const struct number prime = without_zeros(p, p_len);
	const struct number generator = without_zeros(g, g_len);
	const struct number peer_share = without_zeros(peer, peer_len);
	uint8_t secret[MAX_EXPONENT_LEN];
	const struct number exponent = {secret, exponent_len(prime)};
	bool ok = p_len <= CRYPTO_MAX_DH_LEN && bits_of(prime) >= 2048 &&
		  (prime.data[prime.len - 1] & 1) != 0 && is_in_range(generator, prime) &&
		  is_in_range(peer_share, prime) && make_exponent(secret, exponent.len) &&
		  mod_power(generator, exponent, prime, share, p_len) &&
		  mod_power(peer_share, exponent, prime, shared, prime.len);

	secret_wipe(secret, sizeof(secret));
	secret_wipe_stack();
	if (ok) {
		*shared_len = strip(shared, prime.len);
	}
	/* a peer's share of small order may give 0 (p no prime) or 1 */
	if (!ok || *shared_len == 0 || (*shared_len == 1 && shared[0] == 1)) {
		secret_wipe(shared, CRYPTO_MAX_SHARED_LEN);
		return false;
	}
	return true;
}
