/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of trust anchors.
 *
 * Implementation notes: an anchor is one block of memory, its parsed form with the DER behind it. Look-up
 * goes through a flat list of hashes of subjects: some 150 of them in a system's bundle are two kilobytes to
 * scan.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "x509_name.h"
#include "x509_pem.h"
#include "x509_trust.h"

struct anchor {
	struct certificate cert; /* views into der */
	uint8_t der[];
};

struct engine_trust {
	_Atomic uint32_t refs;
	size_t n, size;
	uint32_t *hashes; /* of the subjects */
	struct anchor **anchors;
};

static bool grow(struct engine_trust *trust);
static enum engine_err add_block(struct engine_trust *trust, const struct pem_block *block, bool *added,
				 const char **what);

struct engine_trust *engine_trust_new(void)
{
	struct engine_trust *trust = engine_alloc(sizeof(*trust));
	if (trust != NULL) {
		memset(trust, 0, sizeof(*trust));
		atomic_init(&trust->refs, 1);
	}
	return trust;
}

void engine_trust_ref(struct engine_trust *trust)
{
	atomic_fetch_add_explicit(&trust->refs, 1, memory_order_relaxed);
}

void engine_trust_unref(struct engine_trust *trust)
{
	if (trust == NULL || atomic_fetch_sub_explicit(&trust->refs, 1, memory_order_acq_rel) != 1) {
		return;
	}
	for (size_t i = 0; i < trust->n; i++) {
		engine_release(trust->anchors[i]);
	}
	engine_release(trust->anchors);
	engine_release(trust->hashes);
	engine_release(trust);
}

enum engine_err engine_trust_add_pem(struct engine_trust *trust, const uint8_t *pem, size_t len,
				     bool skip_bad, size_t *n_added, char why[static ENGINE_REASON_MAX])
{
	struct view text = view_of(pem, len);
	struct pem_block block;
	size_t number = 0;
	*n_added = 0;
	while (pem_next(&text, &block)) {
		const char *what = "its PEM block is damaged";
		bool added = false;
		if (block.label != PEM_CERTIFICATE) {
			continue;
		}
		number++;
		enum engine_err err = add_block(trust, &block, &added, &what);
		if (err == ENGINE_ERR_NO_MEMORY) {
			(void)snprintf(why, ENGINE_REASON_MAX, "out of memory");
			return err;
		}
		if (err != ENGINE_OK && !skip_bad) {
			(void)snprintf(why, ENGINE_REASON_MAX, "certificate number %zu cannot be used: %s",
				       number, what);
			return err;
		}
		*n_added += added;
	}
	return ENGINE_OK;
}

const struct certificate *trust_find(const struct engine_trust *trust, struct view subject, size_t *i)
{
	uint32_t hash = name_hash(subject);
	for (; trust != NULL && *i < trust->n; ++*i) {
		const struct certificate *cert = &trust->anchors[*i]->cert;
		if (trust->hashes[*i] == hash && name_equal(cert->subject, subject)) {
			++*i;
			return cert;
		}
	}
	return NULL;
}

size_t trust_count(const struct engine_trust *trust)
{
	return trust == NULL ? 0 : trust->n;
}

bool trust_write_names(const struct engine_trust *trust, struct wr *out, size_t max_len)
{
	size_t n = trust_count(trust);
	/* first only counted, then written */
	for (int pass = 0; pass < 2; pass++) {
		size_t total = 0;
		for (size_t i = 0; i < n; i++) {
			struct view name = trust->anchors[i]->cert.subject;
			size_t first = 0;
			if (trust_find(trust, name, &first) != &trust->anchors[i]->cert) {
				continue;
			}
			total += 2 + name.len;
			if (name.len > UINT16_MAX || total > max_len) {
				return false;
			}
			if (pass == 1) {
				wr_u16(out, (uint16_t)name.len);
				wr_bytes(out, name.data, name.len);
			}
		}
	}
	return true;
}

static bool grow(struct engine_trust *trust)
{
	size_t size = trust->size == 0 ? 4 : 2 * trust->size;
	uint32_t *hashes = engine_alloc(size * sizeof(*hashes));
	struct anchor **anchors = engine_alloc(size * sizeof(struct anchor *));
	if (hashes == NULL || anchors == NULL) {
		engine_release(hashes);
		engine_release(anchors);
		return false;
	}
	if (trust->n > 0) {
		memcpy(hashes, trust->hashes, trust->n * sizeof(*hashes));
		memcpy(anchors, trust->anchors, trust->n * sizeof(struct anchor *));
	}
	engine_release(trust->hashes);
	engine_release(trust->anchors);
	trust->hashes = hashes;
	trust->anchors = anchors;
	trust->size = size;
	return true;
}

/* Take one certificate, unless it is there already. */
static enum engine_err add_block(struct engine_trust *trust, const struct pem_block *block, bool *added,
				 const char **what)
{
	size_t len;
	const struct certificate *same;
	if (trust->n == trust->size && !grow(trust)) {
		return ENGINE_ERR_NO_MEMORY;
	}
	struct anchor *anchor = engine_alloc(sizeof(*anchor) + pem_max_len(block));
	if (anchor == NULL) {
		return ENGINE_ERR_NO_MEMORY;
	}
	if (!pem_decode(block, anchor->der, &len) ||
	    !certificate_parse(view_of(anchor->der, len), &anchor->cert, what)) {
		engine_release(anchor);
		return ENGINE_ERR_CONFIG;
	}
	*added = true;
	for (size_t i = 0; (same = trust_find(trust, anchor->cert.subject, &i)) != NULL;) {
		if (view_equal(same->whole, anchor->cert.whole)) {
			engine_release(anchor);
			return ENGINE_OK;
		}
	}
	trust->hashes[trust->n] = name_hash(anchor->cert.subject);
	trust->anchors[trust->n++] = anchor;
	return ENGINE_OK;
}
