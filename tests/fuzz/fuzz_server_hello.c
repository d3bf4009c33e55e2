/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz what a client is sent first: records, cut by the input's first byte, to a client whose numbers are known, so
 * that seeds can fit its ClientHello.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/handshake.h"
#include "tests/lib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct engine_config *config;
	struct engine_conn conn = {.id = 1};
	char why[ENGINE_REASON_MAX];
	struct engine_hs *hs;
	size_t piece, used;

	if (size < 2) {
		return 0;
	}
	if (config == NULL) {
		if (!pair_init() || (config = pair_config(ENGINE_CLIENT)) == NULL) {
			abort();
		}
	}
	pair_seed(1);
	hs = engine_hs_new(&(struct engine_hs_params){.config = config, .server_name = "localhost"}, &conn,
			   why);
	if (hs == NULL) {
		abort();
	}
	piece = data[0] == 0 ? size : data[0];
	data++;
	size--;
	while (size != 0) {
		const size_t n = size < piece ? size : piece;

		if (engine_hs_recv(hs, data, n, &used) != ENGINE_OK) {
			break;
		}
		data += n;
		size -= n;
	}
	/* a seed is the true server's flight, so the end may be reached: with keys, and only then */
	if (engine_hs_is_done(hs) != (conn.version == ENGINE_TLS13) ||
	    (engine_hs_error(hs) != ENGINE_OK &&
	     (engine_hs_is_done(hs) || engine_hs_reason(hs)[0] == '\0'))) {
		abort();
	}
	engine_hs_free(hs);
	return 0;
}
