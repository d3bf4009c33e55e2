/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificate policies, RFC 5280 6.1.2 to 6.1.5.
 *
 * Implementation notes: the RFC grows a tree of policies. With any policy being acceptable to us, all that
 * is asked of it is whether it has leaves, and these follow from the set of policies that are expected at
 * each step: so the set is kept, not the tree, which hostile mappings could make grow without bounds (RFC
 * 9618). A certificate with more policies than the set has room for is refused.
 */
#include <string.h>

#include "verify_policy.h"

#define MAX_POLICIES 32
#define ANY_POLICY   "\x55\x1d\x20\x00"

/* Policies that are expected of the next certificate, without anyPolicy, which is kept apart. */
struct policy_set {
	struct view oids[MAX_POLICIES];
	size_t n;
	bool any;
};

struct state {
	struct policy_set expected; /* empty: the tree is gone */
	/* certificates that may follow before it takes effect */
	uint32_t explicit_policy, policy_mapping, inhibit_any;
};

static bool contains(const struct policy_set *set, struct view oid)
{
	for (size_t i = 0; i < set->n; i++) {
		if (view_equal(set->oids[i], oid)) {
			return true;
		}
	}
	return false;
}

static bool add(struct policy_set *set, struct view oid)
{
	if (contains(set, oid)) {
		return true;
	}
	if (set->n == MAX_POLICIES) {
		return false;
	}
	set->oids[set->n++] = oid;
	return true;
}

static bool has_leaves(const struct policy_set *set)
{
	return set->n > 0 || set->any;
}

/* The certificate's own policies against those that are expected: steps (d) and (e). */
static bool take_policies(struct state *state, const struct certificate *cert, bool any_counts)
{
	struct view list = cert->policies;
	struct view information, oid;
	struct policy_set found = {.n = 0};
	bool has_any = false;
	if (!cert->has_policies) {
		state->expected.n = 0;
		state->expected.any = false;
		return true;
	}
	while (der_take(&list, DER_SEQUENCE, &information) && der_take(&information, DER_OID, &oid)) {
		if (view_is(oid, ANY_POLICY)) {
			has_any = true;
		} else if ((state->expected.any || contains(&state->expected, oid)) && !add(&found, oid)) {
			return false;
		}
	}
	if (has_any && any_counts) {
		for (size_t i = 0; i < state->expected.n; i++) {
			if (!add(&found, state->expected.oids[i])) {
				return false;
			}
		}
		found.any = state->expected.any;
	}
	state->expected = found;
	return true;
}

/* PolicyMappings: what the issuer calls so is called otherwise below it.  6.1.4 (a) and (b) */
static bool take_mappings(struct state *state, const struct certificate *cert, const char **what)
{
	struct view list = cert->policy_mappings;
	struct view pair, from, to;
	struct policy_set mapped = {.n = 0, .any = state->expected.any};
	struct policy_set replaced = {.n = 0};
	*what = "it has too many policies";
	while (der_take(&list, DER_SEQUENCE, &pair) && der_take(&pair, DER_OID, &from) &&
	       der_take(&pair, DER_OID, &to)) {
		if (view_is(from, ANY_POLICY) || view_is(to, ANY_POLICY)) {
			*what = "it maps anyPolicy";
			return false;
		}
		if (!add(&replaced, from)) {
			return false;
		}
		bool held = contains(&state->expected, from) || state->expected.any;
		if (state->policy_mapping > 0 && held && !add(&mapped, to)) {
			return false;
		}
	}
	for (size_t i = 0; i < state->expected.n; i++) {
		if (!contains(&replaced, state->expected.oids[i]) && !add(&mapped, state->expected.oids[i])) {
			return false;
		}
	}
	state->expected = mapped;
	return true;
}

static void count_down(uint32_t *counter)
{
	*counter -= *counter > 0;
}

static void lower(uint32_t *counter, uint32_t to)
{
	*counter = to < *counter ? to : *counter;
}

bool policies_allow(const struct certificate *const *path, size_t n, size_t *at, const char **what)
{
	const uint32_t never = (uint32_t)n + 1;
	struct state state = {
		.expected = {.any = true},
		.explicit_policy = never,
		.policy_mapping = never,
		.inhibit_any = never,
	};
	for (size_t i = n; i > 0; i--) {
		const struct certificate *cert = path[i - 1];
		const bool is_leaf = i == 1;
		const bool self_issued = certificate_is_self_issued(cert);
		*at = i - 1;
		*what = "it has too many policies";
		if (!take_policies(&state, cert, state.inhibit_any > 0 || (!is_leaf && self_issued))) {
			return false;
		}
		*what = "it has no certificate policy that holds on the whole path, which a CA demands";
		if (state.explicit_policy == 0 && !has_leaves(&state.expected)) {
			return false;
		}
		if (is_leaf) {
			count_down(&state.explicit_policy);
			if (cert->has_require_explicit && cert->require_explicit == 0) {
				state.explicit_policy = 0;
			}
			return state.explicit_policy > 0 || has_leaves(&state.expected);
		}
		if (!take_mappings(&state, cert, what)) {
			return false;
		}
		if (!self_issued) {
			count_down(&state.explicit_policy);
			count_down(&state.policy_mapping);
			count_down(&state.inhibit_any);
		}
		if (cert->has_require_explicit) {
			lower(&state.explicit_policy, cert->require_explicit);
		}
		if (cert->has_inhibit_mapping) {
			lower(&state.policy_mapping, cert->inhibit_mapping);
		}
		if (cert->has_inhibit_any) {
			lower(&state.inhibit_any, cert->inhibit_any);
		}
	}
	return true;
}
