/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the client of TLS 1.2 and older shares between its files: the key exchange.
 */
#ifndef ENGINE_CLIENT12_H
#define ENGINE_CLIENT12_H

#include "handshake.h"

/*
 * Judge the server's ServerKeyExchange: its parameters, its signature. Answers it: our share goes to hs->shares[0], the
 * premaster secret to hs->hs12.  RFC 5246 7.4.3, RFC 8422 5.4
 */
must_check bool client12_take_key_exchange(struct engine_hs *hs, struct rd body);
/*
 * Build ClientKeyExchange and make the master secret.  RFC 5246 7.4.7, RFC 8422 5.7
 */
must_check bool client12_send_key_exchange(struct engine_hs *hs);

#endif
