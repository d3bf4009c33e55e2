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
		cmocka_unit_test(a_configuration_may_outlive_its_policy),
		cmocka_unit_test(a_failure_names_the_file_and_may_be_mended),
		cmocka_unit_test(rules_without_tls_have_no_configuration),
		cmocka_unit_test(threads_share_one_configuration),
		cmocka_unit_test(a_child_of_fork_can_load_too),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
