/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who we are: certificates with their keys and OCSP responses, and keys for tickets, from files to the engine.
 */
#include <string.h>

#include "rule_config.h"

#define TICKET_KEY_LEN sizeof(struct engine_ticket_key)
#define MAX_TICKET_KEY 4096
#define MAX_RESPONSE   ((size_t)64 << 10)

static bool add_pair(struct engine_config *config, const struct option_value *certificate,
		     const struct option_value *key, struct rule_complaints *complaints,
		     struct rule_digest *digest);
static void add_response(const struct policy_rule *rule, struct engine_config *config, size_t number,
			 struct rule_complaints *complaints);
static bool read_ticket_key(const struct option_value *value, struct engine_ticket_key *key,
			    struct rule_complaints *complaints);

void rule_add_credentials(const struct policy_rule *rule, struct engine_config *config,
			  struct rule_complaints *complaints, struct rule_digest *digest)
{
	const struct option *certificates = rule_option(rule, OPTION_CERTIFICATE),
			    *keys = rule_option(rule, OPTION_KEY);
	const struct option_value *certificate = certificates ? certificates->values : NULL,
				  *key = keys ? keys->values : NULL;

	/* The parser has made sure that there are as many of the one as of the other. */
	for (size_t i = 0; certificate && key; i++) {
		if (add_pair(config, certificate, key, complaints, digest)) {
			add_response(rule, config, i, complaints);
		}
		certificate = certificate->next;
		key = key->next;
	}
}

static bool add_pair(struct engine_config *config, const struct option_value *certificate,
		     const struct option_value *key, struct rule_complaints *complaints,
		     struct rule_digest *digest)
{
	char why[LOAD_WHY_MAX], reason[ENGINE_REASON_MAX] = "";
	enum engine_err err = ENGINE_ERR_CONFIG;
	struct load_bytes chain_pem, key_pem;
	bool have_chain, have_key;

	have_chain = load_file(certificate->path, LOAD_MAX_CERTIFICATE, &chain_pem, why);
	if (!have_chain) {
		rule_complain(complaints, certificate->at, "cannot read certificate %s: %s",
			      certificate->path, why);
	}
	have_key = load_file(key->path, LOAD_MAX_KEY, &key_pem, why);
	if (!have_key) {
		rule_complain(complaints, key->at, "cannot read key %s: %s", key->path, why);
	}
	if (have_chain && digest) {
		rule_digest_add(digest, &chain_pem);
	}
	if (have_chain && have_key) {
		err = engine_config_add_credential(config, chain_pem.data, chain_pem.len, key_pem.data,
						   key_pem.len, reason);
		if (err != ENGINE_OK) {
			rule_complain(complaints, certificate->at,
				      "cannot use certificate %s with key %s: %s", certificate->path,
				      key->path, reason[0] ? reason : engine_err_name(err));
		}
	}
	load_free(&chain_pem);
	load_free(&key_pem);
	return err == ENGINE_OK;
}

/* The OCSP response for certificate `number`, which was added last, if the rule names one. */
static void add_response(const struct policy_rule *rule, struct engine_config *config, size_t number,
			 struct rule_complaints *complaints)
{
	const struct option *certificates = rule_option(rule, OPTION_CERTIFICATE),
			    *responses = rule_option(rule, OPTION_OCSP_RESPONSE);

	for (const struct option_value *value = responses ? responses->values : NULL; value;
	     value = value->next) {
		char why[LOAD_WHY_MAX], reason[ENGINE_REASON_MAX] = "";
		struct load_bytes der;
		enum engine_err err;

		if (options_certificate_before(certificates, value->at) != number) {
			continue;
		}
		if (!load_file(value->path, MAX_RESPONSE, &der, why)) {
			rule_complain(complaints, value->at, "cannot read OCSP response %s: %s", value->path,
				      why);
			continue;
		}
		err = engine_config_set_ocsp_response(config, der.data, der.len, reason);
		if (err != ENGINE_OK) {
			rule_complain(complaints, value->at, "cannot use OCSP response %s: %s", value->path,
				      reason[0] ? reason : engine_err_name(err));
		}
		load_free(&der);
	}
}

void rule_set_ticket_keys(const struct policy_rule *rule, struct engine_config *config,
			  struct rule_complaints *complaints)
{
	const struct option *option = rule_option(rule, OPTION_TICKET_KEYS);
	struct engine_ticket_key keys[ENGINE_TICKET_KEYS];
	bool ok = true;
	size_t n = 0;

	for (const struct option_value *value = option ? option->values : NULL;
	     value && n < ENGINE_TICKET_KEYS; value = value->next) {
		ok = read_ticket_key(value, &keys[n++], complaints) && ok;
	}
	if (ok && n > 0 && !engine_config_set_ticket_keys(config, keys, n)) {
		rule_complain(complaints, option->at,
			      "two of these ticket keys have the same name: each must be made anew");
	}
	explicit_bzero(keys, sizeof(keys));
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 96 hexadecimal digits and the end of their line */
static bool decode_hex(const struct load_bytes *text, uint8_t out[static TICKET_KEY_LEN])
{
	size_t len = text->len;

	while (len > 0 && (text->data[len - 1] == '\n' || text->data[len - 1] == '\r')) {
		len--;
	}
	if (len != 2 * TICKET_KEY_LEN) {
		return false;
	}
	for (size_t i = 0; i < TICKET_KEY_LEN; i++) {
		int high = hex_digit(text->data[2 * i]), low = hex_digit(text->data[2 * i + 1]);

		if (high < 0 || low < 0) {
			return false;
		}
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* A file of zeros, or of anything else that repeats, is no key. */
static bool is_uniform(const uint8_t *bytes, size_t len)
{
	uint8_t differences = 0;

	for (size_t i = 1; i < len; i++) {
		differences |= (uint8_t)(bytes[i] ^ bytes[0]);
	}
	return differences == 0;
}

static bool read_ticket_key(const struct option_value *value, struct engine_ticket_key *key,
			    struct rule_complaints *complaints)
{
	uint8_t bytes[TICKET_KEY_LEN];
	char why[LOAD_WHY_MAX];
	struct load_bytes text;
	bool ok = false;

	if (!load_file(value->path, MAX_TICKET_KEY, &text, why)) {
		rule_complain(complaints, value->at, "cannot read ticket key %s: %s", value->path, why);
		return false;
	}
	if (text.len == TICKET_KEY_LEN) {
		memcpy(bytes, text.data, TICKET_KEY_LEN);
	}
	if (text.len != TICKET_KEY_LEN && !decode_hex(&text, bytes)) {
		rule_complain(complaints, value->at,
			      "found %zu bytes in ticket key %s, expected 48 random bytes or 96 hexadecimal "
			      "digits; make "
			      "one with `head -c 48 /dev/urandom`",
			      text.len, value->path);
	} else if (is_uniform(bytes, TICKET_KEY_LEN)) {
		rule_complain(complaints, value->at,
			      "all bytes of ticket key %s are the same, expected random ones", value->path);
	} else {
		memcpy(key->name, bytes, sizeof(key->name));
		memcpy(key->key, bytes + sizeof(key->name), sizeof(key->key));
		ok = true;
	}
	explicit_bzero(bytes, sizeof(bytes));
	load_free(&text);
	return ok;
}
