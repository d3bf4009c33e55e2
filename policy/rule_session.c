/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption: for how long, and the name that tells whose sessions are whose.
 *
 * Implementation notes: whoever resumes a session skips the verification of the peer, so a session goes back
 * only to a configuration that would have verified alike. Its name is a digest of all that the rule says, with
 * the defaults in force, and of what the files of trust, revocation and a client's certificates held when they
 * were read: the same in all processes, and on all machines with the same policy, until one of them changes.
 */
#include <stdlib.h>
#include <string.h>

#include "rule_config.h"

/* All that counts, each piece with its NUL. */
struct description {
	char *bytes;
	size_t len, room;
	bool out_of_memory;
};

static void add(struct description *description, const void *piece, size_t len)
{
	if (description->room - description->len < len) {
		size_t room = description->room * 2 + len + 512;
		char *bytes = realloc(description->bytes, room);

		if (!bytes) {
			description->out_of_memory = true;
			return;
		}
		description->bytes = bytes;
		description->room = room;
	}
	memcpy(description->bytes + description->len, piece, len);
	description->len += len;
}

static void add_text(struct description *description, const char *text)
{
	add(description, text, strlen(text) + 1);
}

/* What may change without a peer becoming another: above all ticket keys, whose old ones are kept for old sessions. */
static bool is_indifferent(enum option_id id)
{
	switch (id) {
	case OPTION_HANDSHAKE_TIMEOUT:
	case OPTION_KEY: /* it goes with the certificate */
	case OPTION_OCSP_RESPONSE:
	case OPTION_PADDING:
	case OPTION_SESSION_CACHE:
	case OPTION_SESSION_LIFETIME:
	case OPTION_TICKET_KEYS:
	case OPTION_TRUNCATION:
		return true;
	default:
		return false;
	}
}

static void describe(const struct policy_rule *rule, struct description *description)
{
	add_text(description, rule->direction == POLICY_ACCEPT ? "accept" : "connect");
	add_text(description, rule_action_name(rule->action));
	add_text(description, rule->protocol ? rule->protocol : "");
	add_text(description, rule->program ? rule->program : "");
	add_text(description, rule->user ? rule->user : "");
	for (const struct pattern *pattern = rule->patterns; pattern; pattern = pattern->next) {
		add_text(description, pattern->text);
	}
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option *option = rule_option(rule, (enum option_id)i);

		if (is_indifferent((enum option_id)i)) {
			continue;
		}
		/* An empty text ends a list, for none of its members is empty. */
		add_text(description, "");
		add_text(description, options_keyword(options_at(i)));
		for (const struct option_value *value = option ? option->values : NULL; value;
		     value = value->next) {
			add_text(description, value->text);
		}
	}
}

void rule_set_sessions(const struct policy_rule *rule, struct engine_config *config,
		       struct rule_complaints *complaints, const struct rule_digest *digest)
{
	long lifetime = rule_number(rule, OPTION_SESSION_LIFETIME, OPTION_DEFAULT_LIFETIME);
	struct description description = {0};
	uint8_t id[ENGINE_SESSION_ID_LEN];

	add_text(&description, "tlshim session");
	describe(rule, &description);
	add(&description, digest->sum, sizeof(digest->sum));
	if (digest->failed || description.out_of_memory ||
	    !engine_digest(description.bytes, description.len, id)) {
		rule_complain(complaints, rule->at, "out of memory");
	} else if (!engine_config_set_sessions(config, rule_keeps_sessions(rule) ? (uint32_t)lifetime : 0,
					       id)) {
		rule_complain(complaints, rule->at, "this value of 'session-lifetime' cannot be used");
	}
	free(description.bytes);
}
