#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Run the built fuzzers for some seconds each: tests/lib/fuzz.sh SECONDS, T=name for one alone. `make fuzz` builds them.
#
# Seeds are tests/fuzz/seeds/NAME/, words to put in tests/fuzz/NAME.dict; what libFuzzer finds goes to build/fuzz/corpus/NAME/, crashes to build/fuzz/crashes/.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-60}
failed=0
ran=0

for source in tests/fuzz/fuzz_${T:-*}.c; do
	[ -e "$source" ] || continue
	name=$(basename "$source" .c)
	name=${name#fuzz_}
	mkdir -p "build/fuzz/corpus/$name" build/fuzz/crashes
	folders=("build/fuzz/corpus/$name")
	[ ! -d "tests/fuzz/seeds/$name" ] || folders+=("tests/fuzz/seeds/$name")
	[ ! -e "tests/fuzz/$name.dict" ] || folders+=("-dict=tests/fuzz/$name.dict")
	log=build/fuzz/$name.log
	if "build/fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/crashes/$name-" "${folders[@]}" >"$log" 2>&1; then
		result=ok
	else
		result=FAILED
		failed=$((failed + 1))
		tail -n 60 "$log"
	fi
	ran=$((ran + 1))
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	printf '%-6s %-24s %12s executions in %s s, %s inputs kept\n' "$result" "$name" "${executions:-?}" "$seconds" \
		"$(find "build/fuzz/corpus/$name" -type f | wc -l)"
done

[ "$ran" -gt 0 ] || echo "no such fuzzer: tests/fuzz/fuzz_${T:-*}.c"
[ "$ran" -gt 0 ] && [ "$failed" = 0 ]
