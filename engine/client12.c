/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of TLS 1.2 and older: its table and its handlers.  RFC 5246 7.3
 */
#include "ext.h"
#include "flight12.h"
#include "hello.h"

const struct hs_row client12_rows[] = {
	{HS_FAILED, HS_HELLO_REQUEST, false, 0, NULL, 0},
};
const size_t client12_n_rows = 0;

bool client12_on_server_hello(struct engine_hs *hs, const struct hs_message *msg,
			      const struct server_hello *hello, enum hs_state *next)
{
	(void)msg;
	(void)hello;
	(void)next;
	return hs_fail(hs, ALERT_PROTOCOL_VERSION, "the peer chose a version that is not supported");
}
