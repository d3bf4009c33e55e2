#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `make lint` checks: exported names, what the parts may call, layering of includes, and whatever static checkers
# are installed. LINT=symbols leaves the static checkers out.
set -uo pipefail
shopt -s lastpipe
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
wolfssl=${WOLFSSL:-build/deps/wolfssl}
failed=0

# verdict TITLE: reads complaints; none is good.
verdict() {
	local complaints
	complaints=$(cat)
	if [ -z "$complaints" ]; then
		printf 'ok     %s\n' "$1"
	else
		printf 'FAILED %s\n' "$1"
		printf '%s\n' "$complaints" | sed 's/^/       /' | head -n 60
		failed=$((failed + 1))
	fi
}

# ---- the library's surface ----

nm -D --defined-only "$build/libtlshim.so" | awk '{ print $3 }' | sed 's/@.*//' | sort -u | diff - <(.build/hooks.sh | sort -u) |
	grep '^[<>]' | sed 's/^</exported, not in hooks.def:/; s/^>/in hooks.def, not exported:/' |
	verdict "libtlshim.so exports what hooks.def lists"

readelf -dW "$build/libtlshim.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
	grep -vE '^(libc\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux.*)$' | sed 's/^/needs /' |
	verdict "libtlshim.so needs libc alone"

{
	readelf -dW "$build/libtlshim.so" | grep -q NODELETE || echo "no NODELETE"
	readelf -dW "$build/libtlshim.so" | grep -q 'NOW' || echo "not bound at load"
	readelf -lW "$build/libtlshim.so" | grep -q GNU_RELRO || echo "no RELRO"
	readelf -lW "$build/libtlshim.so" | grep GNU_STACK | grep -q RWE && echo "executable stack"
	readelf -dW "$build/libtlshim.so" | grep TEXTREL
	readelf -SW "$build/libtlshim.so" | grep -q '\.init_array' || echo "no constructor"
} | verdict "libtlshim.so is hardened"

# ---- what engine/ and policy/ may call ----

own=$(mktemp)
trap 'rm -f "$own"' EXIT
nm --defined-only -g "$build"/obj/engine/*.o "$build"/obj/policy/*.o "$wolfssl/lib/libwolfssl.a" 2>/dev/null |
	awk 'NF == 3 { print $3 }' | sort -u >"$own"

# foreign_symbols FILE…: "symbol file" for what neither we nor wolfSSL define.
foreign_symbols() {
	local file
	for file in "$@"; do
		nm -u "$file" | awk '{ print $NF }' | sort -u | comm -23 - "$own" | sed "s,\$, in $file,"
	done
}

# Memory, strings and conversions. Everything else is somebody else's business.
pure='mem[a-z]+|str[a-z]+|bcmp|explicit_bzero|snprintf|vsnprintf|malloc|calloc|realloc|free|aligned_alloc|qsort|bsearch'
pure="$pure|inet_pton|inet_ntop|__ctype_[a-z_]+|__errno_location|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__tls_get_addr"
pure="$pure|__(mem|str)[a-z]+_chk|__v?snprintf_chk|__isoc[0-9]+_str.*"
pure="$pure|__cpu_(model|indicator_init|features2)" # of __builtin_cpu_supports()
sanitizer='__(asan|ubsan|tsan|sanitizer|gcov|llvm)_.*'
foreign_symbols "$build"/obj/engine/*.o | grep -vE "^($pure|$sanitizer) " |
	verdict "engine/ does no I/O and knows no clock, thread or stdio"

# policy: explain prints to the stream that it is given, rules look up users and services, a lock guards the cache.
lent='fprintf|fputs|fputc|fwrite|putc|vfprintf|__fprintf_chk|__vfprintf_chk|ferror|fflush|pthread_mutex_[a-z]+|pthread_once'
lent="$lent|pthread_setcancelstate|pthread_sigmask|sigfillset"
lent="$lent|getpwnam(_r)?|getpwuid(_r)?|getservbyname(_r)?|fnmatch|environ"
mapfile -t policy_objects < <(find "$build/obj/policy" -name '*.o' ! -name load.o)
foreign_symbols "${policy_objects[@]}" | grep -vE "^($pure|$lent|$sanitizer) " |
	verdict "policy/ opens files in load.c alone"

# ---- who may know whom ----

{
	grep -nE '#include.*"(\.\./)*(shim|policy)/' engine/*.[ch]
	grep -nE '#include.*"(\.\./)*shim/' policy/*.[ch]
	grep -nE '#include *[<"]wolfssl/' policy/*.[ch] shim/*.[ch]
	grep -lE '#include *[<"]wolfssl/' engine/*.[ch] | grep -vE '^engine/(crypto|x509|verify)[a-z0-9_]*\.[ch]$'
} 2>/dev/null | verdict "includes point from shim to policy to engine to crypto"

find engine policy shim tests .build -name '*.[ch]' -print0 | xargs -0 awk '
	FNR == 1 && !/SPDX-License-Identifier: GPL-2.0-or-later/ { print FILENAME ": no SPDX line" }
	/[ \t]+$/ { print FILENAME ":" FNR ": blanks at the end" }
	{ line = $0; gsub(/\t/, "        ", line); if (length(line) > 150) print FILENAME ":" FNR ": " length(line) " columns" }
' | verdict "every C file names its licence and keeps its lines in bounds"

# ---- static checkers, as far as they are here ----

if [ "${LINT:-}" != symbols ]; then
	mapfile -t scripts < <(grep -rlE '^#!/(usr/)?bin/(env )?(ba)?sh' --include='*' .build .ci tests examples 2>/dev/null | grep -v '\.bats$')
	if command -v shellcheck >/dev/null; then
		shellcheck -x -S warning -e SC2154,SC2046 "${scripts[@]}" 2>&1 | verdict "shellcheck"
	fi
	if command -v cppcheck >/dev/null; then
		cppcheck -q -j2 --std=c11 --enable=warning,portability --inline-suppr --suppress='*:*wolfssl/*' \
			--suppress=missingIncludeSystem --suppress=duplicateAssignExpression --suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE -D__x86_64__ \
			-D__SIZEOF_POINTER__=8 -D__BYTE_ORDER__=1234 -D__ORDER_LITTLE_ENDIAN__=1234 -I. \
			--template='{file}:{line}: {id}: {message}' engine policy shim 2>&1 | verdict "cppcheck"
	fi
	if command -v clang-tidy >/dev/null; then
		find engine policy shim -name '*.c' -print0 |
			xargs -0 -P2 -I FILE clang-tidy --quiet FILE -- -std=c11 -D_GNU_SOURCE -I. \
				-isystem "$wolfssl/include" 2>/dev/null |
			grep -E 'warning:|error:' | sort -u | verdict "clang-tidy"
	fi
fi

echo "$failed check(s) failed"
[ "$failed" = 0 ]
