/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A handshake as its caller sees it: beginning, asking, ending. Bytes go in through handshake.c.
 */
#include <string.h>

#include "handshake.h"
#include "secret.h"
#include "session.h"

/* Nothing but the sealed bytes and the error outlives a failure or the end. */
void hs_wipe_secrets(struct engine_hs *hs)
{
	hs_release_record(hs);
	wr_free(&hs->message);
	wr_free(&hs->flight);
	wr_free(&hs->held);
	wr_free(&hs->cookie);
	wr_free(&hs->certificate);
	wr_free(&hs->ticket);
	crypto_hash_wipe(&hs->transcript);
	keysched13_wipe(&hs->ks);
	secret_wipe(&hs->recv, sizeof(hs->recv));
	secret_wipe(&hs->send, sizeof(hs->send));
	engine_cipher_free(hs->recv_cipher);
	engine_cipher_free(hs->send_cipher);
	hs->recv_cipher = NULL;
	hs->send_cipher = NULL;
	crypto_kex_free(hs->kex);
	hs->kex = NULL;
	hs_shares_free(hs);
	secret_wipe(&hs->hs12, sizeof(hs->hs12));
	public_key_free(hs->peer_key);
	hs->peer_key = NULL;
	session_free(hs->session);
	hs->session = NULL;
}

const uint8_t *engine_hs_pending(const struct engine_hs *hs, size_t *len)
{
	*len = hs->out.len - hs->out_sent;
	return *len != 0 ? hs->out.data + hs->out_sent : NULL;
}

void engine_hs_sent(struct engine_hs *hs, size_t n)
{
	size_t pending = hs->out.len - hs->out_sent;

	hs->out_sent += n < pending ? n : pending;
	if (hs->out_sent == hs->out.len) {
		wr_free(&hs->out);
		hs->out_sent = 0;
	}
}

bool engine_hs_is_done(const struct engine_hs *hs)
{
	return hs->state == HS_DONE;
}

bool engine_hs_is_fresh(const struct engine_hs *hs)
{
	return !hs->got_any;
}

enum engine_err engine_hs_error(const struct engine_hs *hs)
{
	return hs->err;
}

uint8_t engine_hs_alert(const struct engine_hs *hs)
{
	return hs->alert;
}

const char *engine_hs_reason(const struct engine_hs *hs)
{
	return hs->reason;
}

const char *engine_hs_server_name(const struct engine_hs *hs)
{
	return hs->server_name;
}

const char *engine_hs_peer_subject(const struct engine_hs *hs)
{
	return hs->peer_subject;
}

/* Can a handshake with these parameters come to a good end? NULL, or why not. */
static const char *judge_params(const struct engine_hs_params *params, const struct engine_conn *conn)
{
	const struct engine_config *config = params->config;
	const char *name = params->server_name;

	if (conn->id == 0) {
		return "the connection has no identity";
	}
	if (config->role == ENGINE_SERVER) {
		if (config->n_credentials == 0) {
			return "a server needs a certificate and its key";
		}
		if (name != NULL) {
			return "only clients ask for a server name";
		}
		if (config->client_auth != ENGINE_CLIENT_AUTH_NONE && config->verify != ENGINE_VERIFY_NONE &&
		    config->trust == NULL) {
			return "client certificates are asked for, but nothing is trusted";
		}
		return NULL;
	}
	if (config->verify == ENGINE_VERIFY_FULL && (name == NULL || name[0] == '\0')) {
		return "the server's name must be known to verify its certificate";
	}
	if (name != NULL && strlen(name) > HS_SERVER_NAME_MAX) {
		return "the server's name is too long";
	}
	return NULL;
}

struct engine_hs *hs_new(const struct engine_hs_params *params, struct engine_conn *conn,
			 char why[static ENGINE_REASON_MAX])
{
	const char *wrong = judge_params(params, conn);
	struct engine_hs *hs = wrong == NULL ? engine_alloc(sizeof(*hs)) : NULL;

	if (hs == NULL) {
		wrong = wrong != NULL ? wrong : "out of memory";
		memcpy(why, wrong, strlen(wrong) + 1);
		return NULL;
	}
	memset(hs, 0, sizeof(*hs));
	hs->config = params->config;
	engine_config_ref(hs->config);
	hs->conn = conn;
	hs->role = hs->config->role;
	wr_init_heap(&hs->message);
	wr_init_heap(&hs->flight);
	wr_init_heap(&hs->out);
	wr_init_heap(&hs->held);
	wr_init_heap(&hs->cookie);
	wr_init_heap(&hs->app_data);
	wr_init_heap(&hs->certificate);
	wr_init_heap(&hs->ticket);
	for (size_t i = 0; i < HS_MAX_SHARES; i++) {
		wr_init_heap(&hs->shares[i].bytes);
	}
	if (hs->role == ENGINE_SERVER) {
		hs->state = HS_WAIT_CLIENT_HELLO;
		hs->rows = server13_rows;
		hs->n_rows = server13_n_rows;
		return hs;
	}
	if (params->server_name != NULL) {
		memcpy(hs->server_name, params->server_name, strlen(params->server_name) + 1);
	}
	(void)!session_client_name(hs->config, params->server_name, params->peer, false, hs->session_name12);
	(void)!session_client_name(hs->config, params->server_name, params->peer, true, hs->session_name13);
	hs->state = HS_WAIT_SERVER_HELLO;
	hs->rows = client13_rows;
	hs->n_rows = client13_n_rows;
	return hs;
}

struct engine_hs *engine_hs_new(const struct engine_hs_params *params, struct engine_conn *conn,
				char why[static ENGINE_REASON_MAX])
{
	struct engine_hs *hs = hs_new(params, conn, why);
	const struct group *groups[GROUPS_MAX] = {NULL};

	if (hs == NULL || hs->role == ENGINE_SERVER) {
		return hs;
	}
	(void)groups_preferred(&hs->config->algorithms, ENGINE_TLS13, groups);
	if (!client_start(hs, groups[0])) {
		memcpy(why, hs->reason, sizeof(hs->reason));
		engine_hs_free(hs);
		return NULL;
	}
	return hs;
}

void engine_hs_free(struct engine_hs *hs)
{
	if (hs == NULL) {
		return;
	}
	if (hs->renegotiating && hs->state != HS_DONE && hs->state != HS_FAILED) {
		hs_leave_renegotiation(hs);
	}
	hs_wipe_secrets(hs);
	wr_free(&hs->out);
	wr_free(&hs->app_data);
	engine_config_unref(hs->config);
	secret_wipe(hs, sizeof(*hs));
	engine_release(hs);
}
