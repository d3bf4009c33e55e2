/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a rule's credentials: what the engine gets, errors that may be mended, many threads at once, fork.
 */
#include "tests/pki/pki.h"

#include "policy_test.h"

#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy/rule.h"

static char dir[PATH_MAX], scratch[] = "/tmp/tlshim-rule-XXXXXX";

static int set_up(void **state)
{
	return pki_setup(state) == 0 && realpath(pki_dir(), dir) && mkdtemp(scratch) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return system(command);
}

static struct policy *parse(const char *text)
{
	struct messages *m = messages_reset();
	char file[PATH_MAX + 16];
	struct policy *policy;

	(void)snprintf(file, sizeof(file), "%s/t.policy", dir);
	policy = policy_parse(text, strlen(text), file, &m->diag);
	if (!policy) {
		fail_msg("%s", m->text);
	}
	return policy;
}

static void the_engine_gets_what_the_rule_says(void **state)
{
	struct policy *policy = parse("default { trust ca.pem; versions 1.2-1.3 }\n"
				      "accept *:1 tls { certificate server.pem; key server.key; client-auth require;\n"
				      "  allow-peer a.example spiffe://b/c; alpn h2 http/1.1 }\n"
				      "connect *:1 tls { verify chain }\n"
				      "connect *:2 tls { verify none; certificate client.pem; key client.key }\n"
				      "accept *:2 tls { certificate server.pem; key server.key }\n");
	const struct engine_config *config;
	const struct engine_trust *trust;
	char why[512];

	(void)state;
	config = policy_rule_config(policy->rules[0], why);
	assert_non_null(config);
	assert_int_equal(config->role, ENGINE_SERVER);
	assert_int_equal(config->client_auth, ENGINE_CLIENT_AUTH_REQUIRE);
	assert_int_equal(config->verify, ENGINE_VERIFY_FULL);
	assert_int_equal(config->n_credentials, 1);
	assert_int_equal(config->n_alpn, 2);
	assert_int_equal(config->n_allowed_peers, 2);
	assert_int_equal(config->max_version, ENGINE_TLS13);
	trust = config->trust;
	assert_non_null(trust);
	config = policy_rule_config(policy->rules[1], why);
	assert_non_null(config);
	assert_int_equal(config->role, ENGINE_CLIENT);
	assert_int_equal(config->verify, ENGINE_VERIFY_CHAIN);
	assert_ptr_equal(config->trust, trust); /* one set for all rules that name the same files */
	config = policy_rule_config(policy->rules[2], why);
	assert_non_null(config);
	assert_int_equal(config->verify, ENGINE_VERIFY_NONE);
	assert_int_equal(config->n_credentials, 1);
	config = policy_rule_config(policy->rules[3], why);
	assert_non_null(config);
	assert_null(config->trust); /* nobody is asked for a certificate */
	assert_ptr_equal(policy_rule_config(policy->rules[3], why), config);
	policy_unref(policy);
}

static void the_engine_gets_the_algorithms(void **state)
{
	struct policy *policy = parse("default { trust ca.pem; padding 256 }\n"
				      "connect *:1 tls { profile legacy; versions 1.0-1.2; suites AES128-SHA;\n"
				      "  groups secp384r1 x25519; signature-algorithms rsa_pss_rsae_sha256; padding none }\n"
				      "connect *:2 tls { profile modern }\n"
				      "connect *:3 tls { session-cache off }\n"
				      "connect *:4 tls { session-lifetime 60 }\n");
	const struct engine_config *config;
	char why[512];

	(void)state;
	config = policy_rule_config(policy->rules[0], why);
	assert_non_null(config);
	assert_int_equal(config->profile, ENGINE_PROFILE_LEGACY);
	assert_int_equal(config->min_version, ENGINE_TLS10);
	assert_int_equal(config->max_version, ENGINE_TLS12);
	assert_int_equal(config->algorithms.n_suites, 1);
	assert_int_equal(config->algorithms.suites[0], 0x002f);
	assert_true(config->algorithms.suites_are_ordered);
	assert_int_equal(config->algorithms.n_groups, 2);
	assert_int_equal(config->algorithms.groups[0], 0x0018);
	assert_int_equal(config->algorithms.n_schemes, 1);
	assert_int_equal(config->padding, 0);
	assert_int_equal(config->session_lifetime, 7200);
	config = policy_rule_config(policy->rules[1], why);
	assert_non_null(config);
	assert_int_equal(config->min_version, ENGINE_TLS13);
	assert_int_equal(config->padding, 256);
	assert_false(config->algorithms.suites_are_ordered);
	config = policy_rule_config(policy->rules[2], why);
	assert_non_null(config);
	assert_int_equal(config->session_lifetime, 0);
	assert_int_equal(config->min_version, ENGINE_TLS12);
	config = policy_rule_config(policy->rules[3], why);
	assert_non_null(config);
	assert_int_equal(config->session_lifetime, 60);
	policy_unref(policy);
}

static void a_server_gets_all_its_certificates_and_ticket_keys(void **state)
{
	char text[3 * PATH_MAX], command[2 * PATH_MAX], why[512];
	const struct engine_config *config;
	struct policy *policy;
	uint8_t name[16];

	(void)state;
	memset(name, 'n', sizeof(name));
	(void)snprintf(command, sizeof(command),
		       "printf 'nnnnnnnnnnnnnnnn0123456789abcdef0123456789ABCDEF' >%s/t1; "
		       "printf '%%096d' 5 | tr 0 f >%s/t2",
		       scratch, scratch);
	assert_int_equal(system(command), 0);
	(void)snprintf(text, sizeof(text),
		       "accept *:1 tls { certificate server.pem chain-under-inter-rsa.pem; key server.key under-inter-rsa.key\n"
		       "certificate server-ed25519.pem; key server-ed25519.key; ticket-keys %s/t1 %s/t2 }",
		       scratch, scratch);
	policy = parse(text);
	config = policy_rule_config(policy->rules[0], why);
	if (!config) {
		fail_msg("%s", why);
	}
	assert_int_equal(config->n_credentials, 3);
	assert_int_equal(config->credentials[1].n_chain, 2);
	assert_int_equal(config->n_ticket_keys, 2);
	assert_memory_equal(config->ticket_keys[0].name, name, 16);
	assert_int_equal(config->ticket_keys[0].key[0], '0');
	assert_int_equal(config->ticket_keys[1].name[0], 0xff);
	assert_int_equal(config->ticket_keys[1].key[31], 0xf5);
	policy_unref(policy);
}

static void the_engine_gets_pins_and_revocation(void **state)
{
	struct policy *policy = parse("default { trust ca.pem; crl none.crl }\n"
				      "connect *:1 tls { pin sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
				      "  pin sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; require-ocsp yes; common-name allow }\n"
				      "connect *:2 tls { verify none; pin sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= }\n"
				      "accept *:1 tls { certificate client.pem; key client.key\n"
				      "  certificate server.pem; key server.key; ocsp-response good.ocsp }\n"
				      "accept *:2 tls { certificate server.pem; key server.key; client-auth require }\n");
	struct engine_credential_info info;
	const struct engine_config *config;
	struct engine_crl_info crl;
	char why[512];

	(void)state;
	config = policy_rule_config(policy->rules[0], why);
	assert_non_null(config);
	assert_int_equal(config->n_pins, 2);
	assert_int_equal(config->pins[0][0], 0xe3);
	assert_int_equal(config->pins[1][31], 0);
	assert_true(config->ocsp_required && config->common_name);
	assert_true(engine_config_describe_crl(config, 0, &crl));
	assert_string_equal(crl.issuer, "CN=ca");
	assert_true(crl.this_update < time(NULL) && crl.next_update > time(NULL));
	assert_false(engine_config_describe_crl(config, 1, &crl));
	config = policy_rule_config(policy->rules[1], why);
	assert_non_null(config);
	assert_int_equal(config->n_pins, 1);
	assert_null(config->crls);
	assert_false(config->ocsp_required || config->common_name);
	config = policy_rule_config(policy->rules[2], why);
	assert_non_null(config);
	assert_null(config->crls); /* nobody is asked for a certificate */
	assert_true(engine_config_describe_credential(config, 0, &info));
	assert_int_equal(info.ocsp_until, 0);
	assert_true(engine_config_describe_credential(config, 1, &info));
	assert_true(info.ocsp_until > time(NULL));
	config = policy_rule_config(policy->rules[3], why);
	assert_non_null(config);
	assert_non_null(config->crls);
	policy_unref(policy);
}

/* The session id that rule 0 of text gets. */
static void session_id(const char *text, uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	struct policy *policy = parse(text);
	char why[512];
	const struct engine_config *config = policy_rule_config(policy->rules[0], why);

	if (!config) {
		fail_msg("%s: %s", text, why);
	}
	memcpy(id, config->session_id, ENGINE_SESSION_ID_LEN);
	policy_unref(policy);
}

static void sessions_belong_to_what_the_rule_says(void **state)
{
	static const char *const same[] = {
		"# the same in other words\n\nconnect *:1 tls {\n\ttrust \"./ca.pem\"\n}",
		"default { trust ./ca.pem }\nconnect *:1 tls",
		"connect *:1 tls { trust ./ca.pem; truncation ignore; handshake-timeout 1; padding 9; session-lifetime 5 }",
		"connect *:1 tls { trust ./ca.pem }\nconnect *:2 tls { trust other-ca.pem }",
	};
	static const char *const other[] = {
		"connect *:2 tls { trust ./ca.pem }",
		"connect *:1, *:2 tls { trust ./ca.pem }",
		"connect *:1 program x tls { trust ./ca.pem }",
		"connect *:1 user 0 tls { trust ./ca.pem }",
		"connect *:1 tls { trust other-ca.pem }",
		"connect *:1 tls { trust ./ca.pem other-ca.pem }",
		"connect *:1 tls { trust ./ca.pem; verify chain }",
		"connect *:1 tls { trust ./ca.pem; verify none }",
		"connect *:1 tls { trust ./ca.pem; server-name a }",
		"connect *:1 tls { trust ./ca.pem; server-name b }",
		"connect *:1 tls { trust ./ca.pem; alpn h2 }",
		"connect *:1 tls { trust ./ca.pem; alpn h2 http/1.1 }",
		"connect *:1 tls { trust ./ca.pem; profile modern }",
		"connect *:1 tls { trust ./ca.pem; versions 1.2 }",
		"connect *:1 tls { trust ./ca.pem; suites TLS_AES_128_GCM_SHA256 ECDHE-RSA-AES128-GCM-SHA256 }",
		"connect *:1 tls { trust ./ca.pem; certificate client.pem; key client.key }",
		"connect *:1 tls { trust ./ca.pem; crl none.crl }",
		"connect *:1 tls { trust ./ca.pem; pin sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= }",
		"connect *:1 tls { trust ./ca.pem; require-ocsp yes }",
		"connect *:1 tls { trust ./ca.pem; common-name allow }",
		"accept *:1 tls { certificate server.pem; key server.key }",
		"accept *:1 tls { certificate server.pem; key server.key; client-auth require; trust ./ca.pem }",
		"accept *:1 tls { certificate server.pem; key server.key; client-auth request; trust ./ca.pem }",
		"accept *:1 tls { certificate server.pem; key server.key; client-auth require; trust ./ca.pem; allow-peer a }",
	};
	uint8_t ids[1 + sizeof(other) / sizeof(other[0])][ENGINE_SESSION_ID_LEN], id[ENGINE_SESSION_ID_LEN];

	(void)state;
	session_id("connect *:1 tls { trust ./ca.pem }", ids[0]);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		session_id(same[i], id);
		assert_memory_equal(id, ids[0], sizeof(id));
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		session_id(other[i], ids[i + 1]);
		for (size_t k = 0; k <= i; k++) {
			if (memcmp(ids[k], ids[i + 1], sizeof(id)) == 0) {
				fail_msg("%s: has the id of %zu", other[i], k);
			}
		}
	}
}

static void sessions_end_when_trust_changes(void **state)
{
	char text[PATH_MAX + 100], command[4 * PATH_MAX];
	uint8_t before[ENGINE_SESSION_ID_LEN], after[ENGINE_SESSION_ID_LEN];

	(void)state;
	(void)snprintf(text, sizeof(text), "connect *:1 tls { trust %s/cas }", scratch);
	(void)snprintf(command, sizeof(command), "mkdir %s/cas && cp %s/ca.pem %s/other-ca.pem %s/cas", scratch, dir, dir,
		       scratch);
	assert_int_equal(system(command), 0);
	session_id(text, before);
	session_id(text, after);
	assert_memory_equal(before, after, sizeof(before));
	(void)snprintf(command, sizeof(command), "rm %s/cas/other-ca.pem", scratch);
	assert_int_equal(system(command), 0);
	session_id(text, after);
	assert_memory_not_equal(before, after, sizeof(before));
}

static void sessions_go_with_what_files_hold_not_with_their_place(void **state)
{
	char text[3 * PATH_MAX], command[5 * PATH_MAX];
	uint8_t before[ENGINE_SESSION_ID_LEN], after[ENGINE_SESSION_ID_LEN];
	static const char same[] = "connect *:1 tls { trust ca.pem; certificate client.pem; key client.key }";
	struct messages *m = messages_reset();
	struct policy *policy;
	char why[512];

	(void)state;
	session_id(same, before);
	(void)snprintf(command, sizeof(command), "cp %s/ca.pem %s/client.pem %s/client.key %s", dir, dir, dir, scratch);
	assert_int_equal(system(command), 0);
	(void)snprintf(text, sizeof(text), "%s/t.policy", scratch);
	for (int i = 0; i < 2; i++) {
		policy = policy_parse(same, strlen(same), text, &m->diag);
		assert_non_null(policy);
		assert_non_null(policy_rule_config(policy->rules[0], why));
		memcpy(after, policy_rule_config(policy->rules[0], why)->session_id, sizeof(after));
		policy_unref(policy);
		assert_int_equal(memcmp(before, after, sizeof(before)) == 0, i == 0);
		/* another client */
		(void)snprintf(command, sizeof(command), "cp %s/client-plain.pem %s/client.pem; cp %s/client-plain.key %s/client.key",
			       dir, scratch, dir, scratch);
		assert_int_equal(system(command), 0);
	}
}

static void a_configuration_may_outlive_its_policy(void **state)
{
	struct policy *policy = parse("connect *:1 tls { trust ca.pem }");
	char why[512];
	struct engine_config *config = policy_rule_config(policy->rules[0], why);

	(void)state;
	assert_non_null(config);
	engine_config_ref(config);
	policy_unref(policy);
	assert_non_null(config->trust);
	engine_config_unref(config);
}

static void a_failure_names_the_file_and_may_be_mended(void **state)
{
	char text[PATH_MAX + 100], command[3 * PATH_MAX], why[512] = "";
	struct policy *policy;

	(void)state;
	(void)snprintf(text, sizeof(text), "connect *:1 tls {\n trust %s/later.pem }", scratch);
	policy = parse(text);
	assert_null(policy_rule_config(policy->rules[0], why));
	assert_non_null(strstr(why, "t.policy:2:8: cannot read trusted certificates "));
	assert_non_null(strstr(why, "later.pem: No such file or directory"));
	assert_false(policy_preload(policy, POLICY_CONNECT, 1, NULL, NULL, why));
	assert_true(policy_preload(policy, POLICY_CONNECT, 2, NULL, NULL, why));
	assert_true(policy_preload(policy, POLICY_ACCEPT, 1, NULL, NULL, why));
	(void)snprintf(command, sizeof(command), "cp %s/ca.pem %s/later.pem", dir, scratch);
	assert_int_equal(system(command), 0);
	assert_true(policy_preload(policy, POLICY_CONNECT, 1, NULL, NULL, why));
	assert_non_null(policy_rule_config(policy->rules[0], why));
	policy_unref(policy);
}

static void rules_without_tls_have_no_configuration(void **state)
{
	struct policy *policy = parse("connect *:1 plain\nconnect *:2 deny\nconnect *:3 starttls smtp\n");
	char why[512];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		why[0] = 0;
		assert_null(policy_rule_config(policy->rules[i], why));
		assert_true(strlen(why) > 0);
	}
	assert_non_null(strstr(why, "starttls is not available"));
	policy_unref(policy);
}

static void *load_all(void *arg)
{
	struct policy *policy = arg;
	char why[512];

	for (size_t i = 0; i < policy->n_rules; i++) {
		if (!policy_rule_config(policy->rules[i], why)) {
			return NULL;
		}
	}
	return policy_rule_config(policy->rules[0], why);
}

static void threads_share_one_configuration(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		struct policy *policy = parse("accept *:1 tls { certificate server.pem; key server.key }\n"
					      "connect *:1 tls { trust ca.pem }\nconnect *:2 tls { trust ca.pem }\n");
		pthread_t threads[8];
		void *first = NULL, *config;

		for (int i = 0; i < 8; i++) {
			assert_int_equal(pthread_create(&threads[i], NULL, load_all, policy), 0);
		}
		for (int i = 0; i < 8; i++) {
			assert_int_equal(pthread_join(threads[i], &config), 0);
			assert_non_null(config);
			assert_true(!first || first == config);
			first = config;
		}
		policy_unref(policy);
	}
}

static void a_child_of_fork_can_load_too(void **state)
{
	struct policy *policy = parse("connect *:1 tls { trust ca.pem }");
	char why[512];
	int status;
	pid_t pid;

	(void)state;
	policy_lock(policy);
	pid = fork();
	policy_unlock(policy);
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(policy_rule_config(policy->rules[0], why) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_engine_gets_what_the_rule_says),
		cmocka_unit_test(the_engine_gets_the_algorithms),
		cmocka_unit_test(a_server_gets_all_its_certificates_and_ticket_keys),
		cmocka_unit_test(the_engine_gets_pins_and_revocation),
		cmocka_unit_test(sessions_belong_to_what_the_rule_says),
		cmocka_unit_test(sessions_end_when_trust_changes),
		cmocka_unit_test(sessions_go_with_what_files_hold_not_with_their_place),
		cmocka_unit_test(a_configuration_may_outlive_its_policy),
		cmocka_unit_test(a_failure_names_the_file_and_may_be_mended),
		cmocka_unit_test(rules_without_tls_have_no_configuration),
		cmocka_unit_test(threads_share_one_configuration),
		cmocka_unit_test(a_child_of_fork_can_load_too),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
