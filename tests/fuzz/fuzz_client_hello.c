/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz what a server is sent first. The input is the body of a ClientHello; its first byte chooses the record size,
 * and 255 means that the input is the wire itself.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/handshake.h"
#include "tests/lib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct engine_hs *hs, const uint8_t *data, size_t size, size_t piece)
{
	while (size != 0) {
		const size_t n = size < piece ? size : piece;
		const uint8_t header[5] = {22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};
		size_t used;

		if (engine_hs_recv(hs, header, sizeof(header), &used) != ENGINE_OK ||
		    engine_hs_recv(hs, data, n, &used) != ENGINE_OK) {
			return;
		}
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct engine_config *config;
	struct engine_conn conn = {.id = 1};
	char why[ENGINE_REASON_MAX];
	struct engine_hs *hs;
	size_t len, used;

	if (size < 1 || size > 60000) {
		return 0;
	}
	if (config == NULL) {
		/* with a ticket key, which that of the seed "resumed" is */
		if (!pair_init() || !pair_set_resumption(true) || (config = pair_config(ENGINE_SERVER)) == NULL) {
			abort();
		}
	}
	pair_seed(1);
	hs = engine_hs_new(&(struct engine_hs_params){.config = config}, &conn, why);
	if (hs == NULL) {
		abort();
	}
	if (data[0] == 255) {
		(void)!engine_hs_recv(hs, data + 1, size - 1, &used);
	} else {
		uint8_t *message = malloc(size + 3);

		if (message == NULL) {
			abort();
		}
		message[0] = HS_CLIENT_HELLO;
		message[1] = (uint8_t)((size - 1) >> 16);
		message[2] = (uint8_t)((size - 1) >> 8);
		message[3] = (uint8_t)(size - 1);
		memcpy(message + 4, data + 1, size - 1);
		feed(hs, message, size + 3, data[0] == 0 ? 16384 : data[0]);
		free(message);
	}
	(void)engine_hs_pending(hs, &len);
	/* who fails says why, and tells the peer unless there is none that would understand */
	if (engine_hs_error(hs) != ENGINE_OK &&
	    (engine_hs_reason(hs)[0] == '\0' || (len == 0 && engine_hs_error(hs) != ENGINE_ERR_NOT_TLS &&
						 engine_hs_error(hs) != ENGINE_ERR_PEER_ALERT))) {
		abort();
	}
	if (conn.version != 0) {
		abort();
	}
	engine_hs_free(hs);
	return 0;
}
