/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private keys leave no copies: after a key has been read, used and freed, nothing of it is found in the memory of the
 * process, neither as in its file nor turned around as wolfCrypt's numbers have it; nor of the numbers that
 * were drawn to sign with it, which give it away.
 *
 * What is looked for is kept with its bits flipped, so that the search does not find itself. Memory that is
 * given back is not used again, so that nothing hides a copy.
 */
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#include "tests/pki/pki.h"

#include "engine/secret.h"
#include "engine/x509_private.h"

#define FLIP       0x5555555555555555ULL
#define FLIP_BYTE  0x55
#define WINDOW     8 /* bytes that count as a copy */
#define MAX_NEEDLE 1200
#define STACK_SIZE (256 * 1024)

/* A sanitizer's memory is terabytes, and most of it not to be touched. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
#define SKIP_IF_SANITIZED() skip()
#else
#define SKIP_IF_SANITIZED() (void)0
#endif

/* Pieces of secrets, flipped. */
static uint64_t needles[MAX_NEEDLE];
static size_t n_needles;
static uint8_t may_begin[0x10000]; /* by two bytes of a needle: a quick look first */

static void add_needle(const uint8_t *bytes)
{
	assert_true(n_needles < MAX_NEEDLE);
	memcpy(&needles[n_needles], bytes, WINDOW);
	may_begin[needles[n_needles++] & 0xffff] = 1;
}

static void forget_needles(void)
{
	n_needles = 0;
	memset(may_begin, 0, sizeof(may_begin));
}

/* Remember the secret flipped[0..len), whose bytes are flipped already. */
static void look_for(const uint8_t *flipped, size_t len)
{
	for (size_t at = 0; at + WINDOW <= len; at += WINDOW) {
		uint8_t turned[WINDOW];
		for (size_t i = 0; i < WINDOW; i++) {
			turned[i] = flipped[len - 1 - at - i];
		}
		add_needle(flipped + at);
		add_needle(turned);
	}
}

/* ---- the engine's surroundings ---- */

static bool drawn_are_secret;

static bool random_that_is_watched(uint8_t *out, size_t len)
{
	uint8_t flipped[256];
	if (!pki_random(out, len)) {
		return false;
	}
	if (drawn_are_secret && len >= WINDOW && len <= sizeof(flipped)) {
		for (size_t i = 0; i < len; i++) {
			flipped[i] = out[i] ^ FLIP_BYTE;
		}
		look_for(flipped, len);
	}
	return true;
}

static void keep_aside(void *ptr)
{
	(void)ptr;
}

/* Grow into a new place. */
static void *resize(void *ptr, size_t size)
{
	void *made = malloc(size);
	if (made != NULL && ptr != NULL) {
		size_t had = malloc_usable_size(ptr);
		memcpy(made, ptr, had < size ? had : size);
	}
	return made;
}

static int setup(void **state)
{
	const struct engine_env env = {.random = random_that_is_watched,
				       .now = pki_now,
				       .alloc = malloc,
				       .release = keep_aside,
				       .resize = resize};
#ifdef SANITIZED
	/* No test will run, and what is kept aside would be told of as leaked. */
	(void)env;
	(void)state;
	return 0;
#endif
	return pki_setup(state) == 0 && engine_init(&env) ? 0 : -1;
}

/* ---- keys ---- */

/* The DER in a PEM file, flipped: no byte of it is stored as it is. */
static size_t read_flipped(const char *name, uint8_t *out)
{
	size_t len;
	char *text = pki_text(name, &len);
	char *p = strstr(text, "-----\n") + 6;
	uint32_t bits = 0;
	int n_bits = 0;
	uint8_t *to = out;
	for (; *p != '-'; p++) {
		int value = pki_sextet(*p);
		if (value < 0) {
			continue;
		}
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			*to++ = (uint8_t)(bits >> n_bits) ^ FLIP_BYTE;
		}
	}
	memset(text, 0, len);
	free(text);
	return (size_t)(to - out);
}

static size_t flipped_length(const uint8_t **p)
{
	size_t len = *(*p)++ ^ FLIP_BYTE;
	if (len >= 0x80) {
		size_t n = len & 0x7f;
		for (len = 0; n > 0; n--) {
			len = len << 8 | (*(*p)++ ^ FLIP_BYTE);
		}
	}
	return len;
}

/* PKCS#8: version, algorithm, OCTET STRING with the key. */
static const uint8_t *inner_key(const uint8_t *p)
{
	p++;
	(void)flipped_length(&p);
	p += 3; /* version */
	p++;
	size_t len = flipped_length(&p);
	p += len + 1;
	(void)flipped_length(&p);
	return p;
}

/*
 * The scalar and the prefix that are made of an Ed25519 seed, RFC 8032 5.1.5; clamping touches its first
 * and last byte.
 */
static void look_for_expanded(const uint8_t *flipped_seed)
{
	uint8_t seed[32], expanded[64];
	for (size_t i = 0; i < sizeof(seed); i++) {
		seed[i] = flipped_seed[i] ^ FLIP_BYTE;
	}
	assert_true(signature_digest(SIGNATURE_SHA512, seed, sizeof(seed), expanded));
	for (size_t i = 0; i < sizeof(expanded); i++) {
		expanded[i] ^= FLIP_BYTE;
	}
	explicit_bzero(seed, sizeof(seed));
	secret_wipe_stack();
	look_for(expanded + WINDOW, 16);
	look_for(expanded + 32, 32);
}

static void look_for_key(const char *name, enum key_kind kind)
{
	uint8_t file[3000];
	assert_true(read_flipped(name, file) > 0);
	const uint8_t *p = inner_key(file);
	forget_needles();
	if (kind == KEY_ED25519) {
		look_for(p + 2, 32);
		look_for_expanded(p + 2);
		return;
	}
	p++;
	(void)flipped_length(&p);
	p += 3; /* version */
	if (kind != KEY_RSA) {
		p++;
		size_t len = flipped_length(&p);
		look_for(p, len);
		return;
	}
	for (int i = 0; i < 8; i++) { /* n, e, d, p, q, dP, dQ, qInv */
		p++;
		size_t len = flipped_length(&p);
		if (i >= 2) {
			size_t zero = *p == FLIP_BYTE;
			look_for(p + zero, len - zero);
		}
		p += len;
	}
}

/* How often a needle is in memory that can be written. */
static size_t search(void)
{
	size_t found = 0;
	char line[300];
	struct {
		const uint8_t *from, *to;
	} regions[200];
	size_t n = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (n < 200 && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;
		char mode[5];
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && mode[0] == 'r' && mode[1] == 'w') {
			regions[n].from = (const uint8_t *)from;
			regions[n++].to = (const uint8_t *)to;
		}
	}
	(void)fclose(maps);
	for (size_t r = 0; r < n; r++) {
		for (const uint8_t *p = regions[r].from; p + WINDOW <= regions[r].to; p++) {
			uint64_t here;
			memcpy(&here, p, sizeof(here));
			here ^= FLIP;
			for (size_t i = 0; may_begin[here & 0xffff] && i < n_needles; i++) {
				found += here == needles[i];
			}
		}
	}
	return found;
}

/* ---- steps, each on a stack that is searched too ---- */

struct step {
	void (*run)(struct step *step);
	const char *name, *key_name;
	struct engine_config *config;
	struct public_key *public_key;
	uint8_t *premaster, *sealed;
	size_t len;
	bool draw_secrets;
};

static void *run_step(void *arg)
{
	struct step *step = arg;
	step->run(step);
	return NULL;
}

static void on_stack_of_its_own(struct step *step, void (*run)(struct step *step))
{
	pthread_attr_t attr;
	pthread_t thread;
	/* never given back: what was left there stays to be found */
	uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(stack, MAP_FAILED);
	step->run = run;
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, STACK_SIZE), 0);
	assert_int_equal(pthread_create(&thread, &attr, run_step, step), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)pthread_attr_destroy(&attr);
}

static struct engine_config *load(const char *name)
{
	char cert[80], key[80], why[ENGINE_REASON_MAX];
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	(void)snprintf(cert, sizeof(cert), "%s.pem", name);
	(void)snprintf(key, sizeof(key), "%s.key", name);
	assert_true(pki_add_credential(config, cert, key, why));
	return config;
}

static void load_step(struct step *step)
{
	step->config = load(step->name);
}

static void use_step(struct step *step)
{
	static const uint8_t msg[] = "signed";
	const struct private_key *key = step->config->credentials[0].key;
	uint8_t sig[512], premaster[PREMASTER_LEN];
	uint16_t schemes[SCHEMES_MAX];
	size_t len = 0;
	size_t n = private_key_schemes(key, false, schemes, SCHEMES_MAX);
	drawn_are_secret = step->draw_secrets;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(private_key_sign(key, schemes[i], msg, sizeof(msg), sig, sizeof(sig), &len),
				 ENGINE_OK);
	}
	drawn_are_secret = false;
	if (private_key_can_decrypt(key)) {
		memset(sig, 1, sizeof(sig));
		assert_int_equal(private_key_decrypt_premaster(key, sig, len, 0x0303, premaster), ENGINE_OK);
	}
}

static void check(const char *name, enum key_kind kind)
{
	char key[80];
	struct step step = {.name = name,
			    .draw_secrets = kind != KEY_RSA}; /* the salt of PSS is for all to see */
	(void)snprintf(key, sizeof(key), "%s.key", name);
	look_for_key(key, kind);
	assert_true(n_needles > 0);

	on_stack_of_its_own(&step, load_step);
	size_t kept = search();
	on_stack_of_its_own(&step, use_step);
	size_t used = search();
	engine_config_unref(step.config);
	size_t left = search();
	/* the search works: the key was there while it was in use, and using it made no further copy */
	if (getenv("SHOW_REASONS") != NULL) {
		print_message("%s: %zu pieces kept, %zu after use, %zu left\n", name, kept, used, left);
	}
	if (kept == 0 || used > kept || left != 0) {
		fail_msg("%s: %zu pieces kept, %zu after use, %zu left", name, kept, used, left);
	}
}

static void keys_on_curves(void **state)
{
	(void)state;
	SKIP_IF_SANITIZED();
	check("server", KEY_P256);
	check("server-p384", KEY_P384);
	check("server-p521", KEY_P521);
}

static void ed25519_keys(void **state)
{
	(void)state;
	SKIP_IF_SANITIZED();
	check("server-ed25519", KEY_ED25519);
}

static void rsa_keys(void **state)
{
	(void)state;
	SKIP_IF_SANITIZED();
	check("server-rsa2048", KEY_RSA);
	check("server-rsa3072", KEY_RSA);
	check("server-rsa2056", KEY_RSA);
	check("server-pss", KEY_RSA);
}

static void refuse_step(struct step *step)
{
	char why[ENGINE_REASON_MAX];
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	assert_false(pki_add_credential(config, step->name, step->key_name, why));
	engine_config_unref(config);
}

static void keys_that_are_refused(void **state)
{
	(void)state;
	SKIP_IF_SANITIZED();
	static const struct {
		const char *cert, *key;
		enum key_kind kind;
	} cases[] = {
		{"server.pem", "server-p384.key", KEY_P384},
		{"server.pem", "server-ed25519.key", KEY_ED25519},
		{"server.pem", "server-rsa2048.key", KEY_RSA},
		{"server-rsa2048.pem", "server-rsa2056.key", KEY_RSA},
		{"server.pem", "k1.key", KEY_P256},
		{"server.pem", "rsa1024.key", KEY_RSA},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct step step = {.name = cases[i].cert, .key_name = cases[i].key};
		look_for_key(cases[i].key, cases[i].kind);
		on_stack_of_its_own(&step, refuse_step);
		size_t left = search();
		if (left != 0) {
			fail_msg("%s: %zu pieces left", cases[i].key, left);
		}
	}
}

static void encrypt_step(struct step *step)
{
	assert_true(public_key_encrypt_premaster(step->public_key, step->premaster, step->sealed, 512,
						 &step->len));
}

static void decrypt_step(struct step *step)
{
	assert_int_equal(private_key_decrypt_premaster(step->config->credentials[0].key, step->sealed,
						       step->len, 0x0303, step->premaster),
			 ENGINE_OK);
}

/* The secret of a client: encrypted for the server, decrypted by it, and gone. */
static void premaster_secrets(void **state)
{
	(void)state;
	SKIP_IF_SANITIZED();
	static const char *const names[] = {"server-rsa2048", "server-rsa3072", "server-rsa2056"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct engine_config *config = load(names[i]);
		struct engine_config *anyone = engine_config_new(ENGINE_CLIENT);
		const uint8_t *certs[] = {config->credentials[0].chain[0].data};
		const size_t lens[] = {config->credentials[0].chain[0].len};
		struct verify_request request = {.config = anyone,
						 .peer_role = ENGINE_SERVER,
						 .certs = certs,
						 .cert_lens = lens,
						 .n_certs = 1};
		struct verify_result result;
		uint8_t premaster[PREMASTER_LEN], opened[PREMASTER_LEN], flipped[PREMASTER_LEN], sealed[512];
		engine_config_set_verify(anyone, ENGINE_VERIFY_NONE);
		assert_int_equal(verify_chain(&request, &result), ENGINE_OK);
		assert_true(pki_random(premaster, sizeof(premaster)));
		for (size_t k = 0; k < sizeof(flipped); k++) {
			flipped[k] = premaster[k] ^ FLIP_BYTE;
		}
		struct step step = {
			.config = config, .public_key = result.key, .premaster = premaster, .sealed = sealed};
		on_stack_of_its_own(&step, encrypt_step);
		explicit_bzero(premaster, sizeof(premaster));
		forget_needles();
		look_for(flipped + 2, sizeof(flipped) - 2); /* without the version, which is replaced */
		size_t encrypted = search();
		step.premaster = opened;
		on_stack_of_its_own(&step, decrypt_step);
		for (size_t k = 2; k < sizeof(flipped); k++) {
			assert_int_equal(flipped[k], opened[k] ^ FLIP_BYTE);
		}
		assert_true(search() > 0);
		explicit_bzero(opened, sizeof(opened));
		size_t decrypted = search();
		if (encrypted != 0 || decrypted != 0) {
			fail_msg("%s: %zu pieces left by encryption, %zu by decryption", names[i], encrypted,
				 decrypted);
		}
		public_key_free(result.key);
		engine_config_unref(anyone);
		engine_config_unref(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_on_curves),    cmocka_unit_test(ed25519_keys),
		cmocka_unit_test(rsa_keys),          cmocka_unit_test(keys_that_are_refused),
		cmocka_unit_test(premaster_secrets),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
