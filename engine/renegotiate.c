/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A handshake on top of an established connection of TLS 1.2 or older.  RFC 5246 7.4.1.1, RFC 5746
 *
 * Implementation notes
 *
 *   The connection's keys are lent to the handshake, which goes on counting with them; the connection
 *   itself can seal nothing meanwhile. There are three ways back: new keys (hs_complete), the old ones as
 *   they now stand (hs_give_back: the peer does not want to renegotiate), or none (hs_end_connection: it
 *   failed).
 *
 *   Until the peer has sent a message of the handshake, nothing has happened that would bind the
 *   connection to it.
 */
#include <string.h>

#include "handshake.h"
#include "secret.h"

/* What the parameters' own judge, hs_new(), does not see; NULL: nothing is wrong. */
static const char *judge_connection(const struct engine_hs_params *params, const struct engine_conn *conn)
{
	if (conn->version == 0 || conn->version == ENGINE_TLS13 || !conn->may_renegotiate) {
		return "this connection cannot be renegotiated";
	}
	if (conn->recv_err != ENGINE_OK || conn->recv_closed || conn->send_closed) {
		return "the connection has ended";
	}
	if (params->config->role != (enum engine_role)conn->role) {
		return "the configuration is one of the other role";
	}
	return NULL;
}

static bool borrow_keys(struct engine_hs *hs)
{
	struct engine_conn *conn = hs->conn;

	hs->recv_spec = (struct record_cipher_spec){
		.suite = suite_find(conn->suite),
		.version = conn->version,
		.encrypt_then_mac = conn->encrypt_then_mac != 0,
		.limit = conn->recv_limit,
	};
	hs->send_spec = hs->recv_spec;
	hs->send_spec.limit = conn->send_limit;
	hs->recv = conn->recv;
	hs->send = conn->send;
	hs->recv_cipher = engine_cipher_new();
	hs->send_cipher = engine_cipher_new();
	return hs->recv_spec.suite != NULL && hs->recv_cipher != NULL && hs->send_cipher != NULL;
}

/* HelloRequest: a notice, in no transcript. RFC 5246 7.4.1.1 */
static bool send_hello_request(struct engine_hs *hs)
{
	static const uint8_t message[HS_HEADER_LEN] = {HS_HELLO_REQUEST, 0, 0, 0};

	wr_bytes(&hs->flight, message, sizeof(message));
	return hs_flush(hs);
}

/* By ourselves, without data; or with what the peer began with. */
static bool begin(struct engine_hs *hs, const uint8_t *data, size_t len)
{
	if (len != 0) {
		if (hs->role == ENGINE_CLIENT) {
			hs->state = HS12_WAIT_HELLO_REQUEST;
			hs->rows = client12_rows;
			hs->n_rows = client12_n_rows;
		}
		return hs_take_messages(hs, rd_of(data, len));
	}
	return hs->role == ENGINE_CLIENT ? client_start(hs, NULL) : send_hello_request(hs);
}

struct engine_hs *engine_hs_renegotiate(const struct engine_hs_params *params, struct engine_conn *conn,
					const uint8_t *data, size_t len, char why[static ENGINE_REASON_MAX])
{
	const char *wrong = judge_connection(params, conn);
	struct engine_hs *hs = wrong == NULL ? hs_new(params, conn, why) : NULL;

	if (hs == NULL) {
		if (wrong != NULL) {
			memcpy(why, wrong, strlen(wrong) + 1);
		}
		return NULL;
	}
	hs->renegotiating = true;
	hs->version = conn->version;
	hs->got_any = true;
	hs->got_record = true;
	memcpy(hs->peer_subject, conn->peer_subject, sizeof(conn->peer_subject));
	conn->send_closed = 1; /* until its keys are back */
	if (!borrow_keys(hs)) {
		(void)hs_fail_internal(hs, "keys");
	}
	if (hs->err != ENGINE_OK || !begin(hs, data, len)) {
		(void)hs_fail_internal(hs, "renegotiation");
		(void)hs_fail_finally(hs);
	}
	return hs;
}

void hs_give_back(struct engine_hs *hs)
{
	struct engine_conn *conn = hs->conn;

	conn->recv = hs->recv;
	conn->send = hs->send;
	conn->send_closed = 0;
	hs->state = HS_DONE;
}

void hs_end_connection(struct engine_hs *hs)
{
	struct engine_conn *conn = hs->conn;

	conn->recv_err = (uint8_t)(hs->err != ENGINE_OK ? hs->err : ENGINE_ERR_PROTOCOL);
	conn->recv_alert = hs->alert;
	conn->recv_reason = hs->err == ENGINE_ERR_PEER_ALERT ? REASON_PEER_ALERT : REASON_RENEGOTIATION;
	engine_conn_wipe(conn);
}

bool hs_is_unanswered(const struct engine_hs *hs)
{
	const enum hs_state first = hs->role == ENGINE_CLIENT ? HS_WAIT_SERVER_HELLO : HS_WAIT_CLIENT_HELLO;

	return hs->renegotiating && hs->state == first && hs->message.len == 0;
}

void hs_leave_renegotiation(struct engine_hs *hs)
{
	struct engine_conn *conn = hs->conn;
	const bool is_between_records = hs->header_len == 0 && hs->record == NULL;
	const struct engine_keys send = hs->send;

	/* a server that merely asked has begun nothing; a client's ClientHello will be answered some time */
	if (hs->role == ENGINE_SERVER && hs_is_unanswered(hs) && is_between_records) {
		hs_give_back(hs);
		return;
	}
	hs_end_connection(hs);
	if (!hs->sent_ccs) {
		/* under the old keys we can still say that it ends */
		conn->send = send;
		conn->send_closed = 0;
	}
}

const uint8_t *engine_hs_data(const struct engine_hs *hs, size_t *len)
{
	*len = hs->app_data.len;
	return *len != 0 ? hs->app_data.data : NULL;
}

void engine_hs_data_taken(struct engine_hs *hs)
{
	wr_free(&hs->app_data);
}
