/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads share credentials, public keys, CRLs and trust without locks of their own. For `make tsan` above all.
 */
#include <pthread.h>

#include "tests/pki/pki.h"

#define N_THREADS 4
#define N_ROUNDS  12

struct shared {
	const struct engine_config *own, *peer;
	bool failed[N_THREADS];
};
struct job {
	struct shared *shared;
	size_t number;
};

static bool one_round(const struct shared *shared, size_t round)
{
	const struct credential *credential = &shared->own->credentials[round % shared->own->n_credentials];
	uint8_t sig[512];
	size_t len;
	uint16_t scheme;
	const uint8_t *certs[] = {credential->chain[0].data};
	struct verify_request request = {.config = shared->peer,
					 .peer_role = ENGINE_SERVER,
					 .certs = certs,
					 .cert_lens = &credential->chain[0].len,
					 .n_certs = 1,
					 .name = "localhost",
					 .now = pki_now()};
	struct verify_result result;
	if (verify_chain(&request, &result) != ENGINE_OK) {
		return false;
	}
	bool ok = private_key_schemes(credential->key, true, &scheme, 1) == 1 &&
		  private_key_sign(credential->key, scheme, (const uint8_t *)"m", 1, sig, sizeof(sig),
				   &len) == ENGINE_OK &&
		  public_key_verify(result.key, scheme, true, (const uint8_t *)"m", 1, sig, len);
	if (ok && private_key_can_decrypt(credential->key)) {
		uint8_t sent[PREMASTER_LEN] = {3, 3, 7, (uint8_t)round}, received[PREMASTER_LEN];
		ok = public_key_encrypt_premaster(result.key, sent, sig, sizeof(sig), &len) &&
		     private_key_decrypt_premaster(credential->key, sig, len, 0x0303, received) ==
			     ENGINE_OK &&
		     memcmp(sent, received, sizeof(sent)) == 0;
	}
	public_key_free(result.key);
	return ok;
}

static void *work(void *arg)
{
	struct job *job = arg;
	for (size_t i = 0; i < N_ROUNDS; i++) {
		job->shared->failed[job->number] |= !one_round(job->shared, i + job->number);
	}
	return NULL;
}

static void threads_share_keys_and_trust(void **state)
{
	(void)state;
	char why[ENGINE_REASON_MAX];
	struct engine_config *own = engine_config_new(ENGINE_SERVER);
	struct engine_config *peer = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = pki_trust("ca.pem ca-rsa.pem");
	engine_config_set_trust(peer, trust);
	engine_trust_unref(trust);
	static const char *const crls[] = {"none.crl", "none-rsa.crl"};
	for (size_t i = 0; i < 2; i++) {
		size_t len;
		char *text = pki_text(crls[i], &len);
		assert_int_equal(engine_config_add_crl(peer, (const uint8_t *)text, len, why), ENGINE_OK);
		free(text);
	}
	assert_true(pki_add_credential(own, "server.pem", "server.key", why));
	assert_true(pki_add_credential(own, "server-p384.pem", "server-p384.key", why));
	assert_true(pki_add_credential(own, "server-ed25519.pem", "server-ed25519.key", why));
	assert_true(pki_add_credential(own, "server-rsa2048.pem", "server-rsa2048.key", why));
	struct shared shared = {.own = own, .peer = peer};
	struct job jobs[N_THREADS];
	pthread_t threads[N_THREADS];
	for (size_t i = 0; i < N_THREADS; i++) {
		jobs[i] = (struct job){&shared, i};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
	}
	for (size_t i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(shared.failed[i]);
	}
	engine_config_unref(own);
	engine_config_unref(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_keys_and_trust)};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
