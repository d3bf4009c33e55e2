/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the values of options; the table in options.c says which parser is whose.
 */
#ifndef POLICY_OPTIONS_VALUES_H
#define POLICY_OPTIONS_VALUES_H

#include "options.h"

/* Judges the values of an option and sets its number; reports what is wrong. */
typedef bool option_parser(const struct option_block *block, struct option *option);

option_parser option_parse_alpn, option_parse_client_auth, option_parse_common_name, option_parse_files,
	option_parse_groups, option_parse_padding, option_parse_peers, option_parse_pins,
	option_parse_profile, option_parse_require_ocsp, option_parse_schemes, option_parse_server_name,
	option_parse_session_cache, option_parse_session_lifetime, option_parse_suites, option_parse_timeout,
	option_parse_truncation, option_parse_trust, option_parse_verify, option_parse_versions;

/* "sha256/" and the base64 of 32 bytes, RFC 4648 4. False if text is something else. */
bool option_read_pin(const char *text, uint8_t digest[static 32]);

#endif
