/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of an engine_config: what the handshake reads from it. engine.h documents how it is filled.
 */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "engine.h"
#include "suites.h"

struct private_key; /* x509.h */

#define CONFIG_MAX_CHAIN 10
#define CONFIG_MAX_CREDENTIALS 8
#define CONFIG_MAX_ALPN 8
#define CONFIG_MAX_PEERS 16
#define CONFIG_MAX_PINS 16

struct der {
	uint8_t *data;
	size_t len;
};

/* A certificate chain with its key. */
struct credential {
	struct der chain[CONFIG_MAX_CHAIN]; /* leaf first */
	size_t n_chain;
	struct private_key *key;
	struct der ocsp; /* response to staple; empty: none */
};

struct crl; /* x509_crl.c: a list of them */

struct engine_config {
	_Atomic uint32_t refs;
	enum engine_role role;
	enum engine_verify verify;
	enum engine_client_auth client_auth;
	enum engine_profile profile;
	uint16_t min_version, max_version;
	struct algorithms algorithms;
	uint32_t session_lifetime; /* seconds; 0: no resumption */
	uint8_t session_id[ENGINE_SESSION_ID_LEN];
	struct engine_ticket_key ticket_keys[ENGINE_TICKET_KEYS];
	size_t n_ticket_keys; /* 0: the environment's */
	uint8_t pins[CONFIG_MAX_PINS][32];
	size_t n_pins;
	struct crl *crls;
	bool ocsp_required;
	bool common_name; /* may stand in for a missing subjectAltName */
	uint16_t padding; /* records of TLS 1.3, to a multiple of it */
	struct engine_trust *trust; /* may be NULL: nobody is trusted */
	struct credential credentials[CONFIG_MAX_CREDENTIALS];
	size_t n_credentials;
	char alpn[CONFIG_MAX_ALPN][ENGINE_ALPN_MAX + 1];
	size_t n_alpn;
	char *allowed_peers[CONFIG_MAX_PEERS];
	size_t n_allowed_peers;
};

#endif
