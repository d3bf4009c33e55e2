#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Install the distribution packages of one or more lists in .build/packages/, as far as they are missing.
#
#   .build/packages.sh LIST…       LIST: build test demo lint
#
# Asks nothing and starts no service. Costs a few milliseconds when all is there. Without apt, or without the rights
# to use it, it names what is missing; that is an error only if one of the list `build` is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# missing LIST: prints the first alternative of every line of which nothing is installed.
missing() {
	local line package installed
	[ -e "$here/packages/$1" ] || return 0
	installed=" $(dpkg-query -W -f '${db:Status-Abbrev}${Package} ' 2>/dev/null | grep -oE '\<[a-z]i +[^ ]+' |
		sed 's/^.. *//' | tr '\n' ' ') "
	while read -r line; do
		case $line in '' | '#'*) continue ;; esac
		for package in ${line//|/ }; do
			[[ "$installed" != *" $package "* ]] || continue 2
		done
		echo "${line%%|*}"
	done <"$here/packages/$1"
}

# Where there is no dpkg: look for the commands that the build needs.
missing_commands() {
	local command
	for command in cc make autoreconf libtoolize tar gzip; do
		command -v "$command" >/dev/null || echo "$command"
	done
}

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n)

made_policy=''
remove_policy() {
	[ -z "$made_policy" ] || "${as_root[@]}" rm -f /usr/sbin/policy-rc.d
	made_policy=''
}

# Services that a package brings must not start here: redis would take its port from the tests.
install_packages() {
	local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		made_policy=1
		trap remove_policy EXIT
		trap 'exit 130' INT TERM HUP
		printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
		"${as_root[@]}" chmod 755 /usr/sbin/policy-rc.d
	fi
	"${apt[@]}" install --no-install-recommends "$@" ||
		{ "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"; }
}

main() {
	local wanted list all='' fatal=''
	for list in "$@"; do
		wanted=''
		if command -v dpkg-query >/dev/null; then
			wanted=$(missing "$list")
		elif [ "$list" = build ]; then
			wanted=$(missing_commands)
		fi
		[ "$list" != build ] || fatal=$wanted
		all="$all $wanted"
	done
	# shellcheck disable=SC2086
	set -- $all
	[ $# -gt 0 ] || return 0
	echo "packages: missing: $*" >&2
	if ! command -v apt-get >/dev/null; then
		echo "packages: this system has no apt: install these, or what they are called here, and try again" >&2
	elif [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
		echo "packages: no rights to install them: apt-get install $*" >&2
	elif install_packages "$@" >&2; then
		return 0
	else
		echo "packages: apt-get could not install them" >&2
	fi
	[ -z "$fatal" ] || return 1
	echo "packages: going on without: tests that need them are skipped" >&2
}

main "$@"
