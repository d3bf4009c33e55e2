/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz an established connection. The input is a run of steps: type (255: raw bytes for the wire), padding, length of
 * two bytes, content; each becomes a record under the right keys, so that what stands behind authentication is reached.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/handshake.h"
#include "tests/lib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pair pair;
static struct engine_conn fresh[2];

static void begin(void)
{
	if (!pair_init() || !pair_connect(&pair)) {
		abort();
	}
	memcpy(fresh, pair.conn, sizeof(fresh));
}

/* Open it; true if the connection goes on. */
static bool open_record(enum engine_role to, uint8_t *record, size_t len)
{
	struct engine_opened opened;
	uint8_t out[ENGINE_CONTROL_MAX];
	size_t out_len;
	enum engine_err err = pair_open(&pair, to, record, len, &opened);

	if (err != ENGINE_OK) {
		if (opened.data_len != 0 || engine_conn_reason(&pair.conn[to])[0] == '\0' ||
		    (engine_alert_due(&pair.conn[to]) == 0) != (err == ENGINE_ERR_PEER_ALERT)) {
			abort();
		}
		return false;
	}
	if (opened.event == ENGINE_EVENT_DATA && opened.data_len == 0) {
		abort();
	}
	if (engine_control(&pair.conn[to], pair.cipher[to], out, &out_len) != ENGINE_OK) {
		abort();
	}
	return opened.event != ENGINE_EVENT_CLOSED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t record[ENGINE_MAX_RECORD];
	struct rd in = rd_of(data, size);
	const struct suite *suite;
	uint8_t to, type, padding;
	struct rd content;
	bool going = true;

	if (fresh[0].id == 0) {
		begin();
	}
	memcpy(pair.conn, fresh, sizeof(fresh));
	suite = suite_find(pair.conn[0].suite);
	if (!rd_u8(&in, &to)) {
		return 0;
	}
	to &= 1;
	while (going && rd_u8(&in, &type) && rd_u8(&in, &padding) &&
	       rd_vec16(&in, &content, 0, ENGINE_MAX_PLAINTEXT)) {
		const struct engine_slice slice = {content.p, content.left};
		size_t len;

		if (type == 255) {
			/* a caller asks for the length first */
			if (content.left < ENGINE_RECORD_HEADER_LEN) {
				continue;
			}
			memcpy(record, content.p, content.left);
			len = engine_record_len(&pair.conn[to], record);
			if (len > content.left) {
				continue;
			}
			going = open_record((enum engine_role)to, record,
					    len != 0 ? len : ENGINE_RECORD_HEADER_LEN);
			continue;
		}
		if (!record13_seal(suite, &pair.conn[1 - to].send, pair.cipher[1 - to], type, &slice, 1,
				   record, sizeof(record), &len)) {
			break;
		}
		going = open_record((enum engine_role)to, record, len);
		/* the sender follows a KeyUpdate of its own */
		if (going && pair.conn[to].recv.epoch != pair.conn[1 - to].send.epoch &&
		    !keysched13_update_keys(suite, &pair.conn[1 - to].send)) {
			abort();
		}
	}
	return 0;
}
