#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Print the names in shim/hooks.def, one a line: for the export map and for the tests.
cd "$(dirname "$0")/.." || exit 1
[ ! -e shim/hooks.def ] || sed -n 's/^HOOK([^,]*, *\([A-Za-z0-9_]*\) *,.*/\1/p' shim/hooks.def
