#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fetch the pinned wolfSSL release, check its hash and build it as a static library.
#
#   .build/wolfssl.sh PREFIX        build into PREFIX/{include,lib}, unless it is up to date there
#   .build/wolfssl.sh --fetch       only fetch; prints the path of the tarball
#
#   WOLFSSL_TARBALL=FILE   use this tarball (its hash must be one of the two below)
#   TLSHIM_CACHE=DIR       where tarballs are kept (default ${XDG_CACHE_HOME:-~/.cache}/tlshim)
#   TLSHIM_OFFLINE=1       never touch the network
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
jobs=${JOBS:-$(nproc)}

pinned_version=5.9.2
pinned_sha256=2f4ef3d4fd387a9b3191d36a6316d69116c46ff69bb9583b6c82b36d7b8ca114
pinned_sha1=ed37005e913f819adaee5878e25d6a460a60fd87
fallback_version=5.7.2
fallback_sha256=0f2ed82e345b833242705bbc4b08a2a2037a33f7bf9c610efae6464f6b10e305

# Wanted: the primitives and the certificate manager; hardened against timing; assembly where there is any.
# sp=smallstack: programs run threads with small stacks, and RSA would take 43 KB of them.
# No wolfSSL-wide small stack: it would put malloc into ciphers that must be async-signal-safe.
# shellcheck disable=SC2054 # the comma is configure's
configure_options=(
	--quiet --enable-static --disable-shared --with-pic
	--disable-dependency-tracking --disable-examples --disable-crypttests --disable-benchmark
	--enable-sp=yes,smallstack --enable-sp-asm --enable-harden --enable-asn=template
	--disable-hashdrbg --disable-filesystem --disable-error-queue-per-thread
	--disable-oldtls --disable-des3 --disable-pkcs12 --disable-psk --disable-ocsp --disable-crl
	--enable-aescbc --enable-aesgcm --enable-aesgcm-stream --enable-chacha --enable-poly1305
	--enable-md5 --enable-sha --enable-sha384 --enable-sha512 --enable-hkdf
	--enable-rsapss --enable-dh --enable-ecc --enable-curve25519 --enable-ed25519
	--enable-keygen --enable-certgen --enable-certext
)
defines=(
	-DCUSTOM_RAND_GENERATE_BLOCK=tlshim_wolfcrypt_random
	-DWOLFSSL_ALT_NAMES -DWOLFSSL_IP_ALT_NAME -DWOLFSSL_PEM_TO_DER -DWOLFSSL_DER_TO_PEM
	-DWOLFSSL_VALIDATE_ECC_IMPORT -DUSE_ECC_B_PARAM -DALT_ECC_SIZE -DWOLFSSL_DH_CONST -DHAVE_FFDHE_2048 -DHAVE_FFDHE_3072 -DHAVE_FFDHE_4096
	-DWC_RSA_DIRECT -DWC_RSA_NO_PADDING -DWOLFSSL_NO_ML_KEM_512 -DWOLFSSL_NO_ML_KEM_1024
	-DNO_SESSION_CACHE -DNO_WOLFSSL_DIR -DWOLFSSL_USER_IO -DWOLFSSL_NO_GETPID
)
cflags="-O2 -g1 -fPIC -ftls-model=initial-exec -fvisibility=hidden -ffunction-sections -fdata-sections"

say() {
	echo "wolfssl: $*" >&2
}

sha256_of() {
	sha256sum -- "$1" | cut -d' ' -f1
}

# check_hash FILE SHA256: succeed if it fits, else name both hashes.
check_hash() {
	local found
	found=$(sha256_of "$1")
	if [ "$found" = "$2" ]; then
		return 0
	fi
	say "$1: wrong contents: sha256 is $found, expected $2"
	return 1
}

cache_dir() {
	echo "${TLSHIM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/tlshim}"
}

# keep FILE: put a fresh download into the cache, if the cache can be written; prints where the file is now.
keep() {
	local dir target
	dir=$(cache_dir)
	target=$dir/$(basename "$1")
	if mkdir -p "$dir" 2>/dev/null && cp -- "$1" "$target.$$" 2>/dev/null && mv -- "$target.$$" "$target"; then
		echo "$target"
	else
		rm -f -- "$target.$$" 2>/dev/null || true
		echo "$1"
	fi
}

# private_apt DIR: an apt configuration of our own in DIR: the system's mirror and keyrings, as source archives.
# Nothing in /etc changes; apt checks the signatures.
private_apt() {
	local dir=$1 distribution=debian codename mirror configured keys suites suite
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC1091
	if (. /etc/os-release && [[ "${ID:-} ${ID_LIKE:-}" == *ubuntu* ]]); then
		distribution=ubuntu
		suites="devel ${codename:+$codename}"
		mirror=http://archive.ubuntu.com/ubuntu
	else
		suites="sid forky trixie"
		mirror=http://deb.debian.org/debian
	fi
	keys=/usr/share/keyrings/$distribution-archive-keyring.gpg
	if configured=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
		grep -v '^[[:space:]]*#' | grep -oE -m1 "(https?|file)://[^ ]+/$distribution/?( |\$)"); then
		mirror=${configured%%/ *}
		mirror=${mirror%"${mirror##*[! ]}"}
	fi
	mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$dir/parts"
	: >"$dir/status"
	for suite in $suites; do
		echo "deb-src [signed-by=$keys] ${mirror%/} $suite main"
	done >"$dir/sources.list"
	[ "$distribution" = debian ] || sed -i 's/ main$/ main universe/' "$dir/sources.list"
	cat >"$dir/apt.conf" <<-EOF
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "$dir/parts";
		Dir::State "$dir";
		Dir::State::Lists "$dir/lists";
		Dir::State::Status "$dir/status";
		Dir::Cache "$dir";
		Dir::Cache::Archives "$dir/archives";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "1";
		Acquire::http::Timeout "20";
	EOF
}

# fetch_apt VERSION SHA256 DIR: from the distribution's source archive. Prints the file.
fetch_apt() {
	local version=$1 sha256=$2 dir=$3 full file=$3/wolfssl_$1.orig.tar.gz
	command -v apt-get >/dev/null || return 1
	export APT_CONFIG=$dir/apt.conf
	if [ ! -e "$APT_CONFIG" ]; then
		private_apt "$dir"
		say "asking the distribution's source archive"
		# One suite of several may be gone: what has come is what counts.
		apt-get -q update >"$dir/log" 2>&1 || true
	fi
	full=$(apt-cache showsrc wolfssl 2>/dev/null | sed -n 's/^Version: //p' | grep -m1 "^$version-") || return 1
	say "downloading wolfssl $full (source)"
	(cd "$dir" && apt-get -q source --download-only --tar-only "wolfssl=$full" >>"$dir/log" 2>&1) || return 1
	[ -e "$file" ] && check_hash "$file" "$sha256" && echo "$file"
}

# fetch_url URL SHA256 FILE: any other place that holds the same bytes. Prints the file.
fetch_url() {
	say "downloading $1"
	if command -v curl >/dev/null; then
		curl -fsSL --connect-timeout 20 --max-time 600 -o "$3" "$1" || return 1
	elif command -v wget >/dev/null; then
		wget -q --timeout=20 --tries=2 -O "$3" "$1" || return 1
	else
		return 1
	fi
	check_hash "$3" "$2" && echo "$3"
}

# fetch_version VERSION SHA256 TMP URL…: cache, source archive, downloads. Prints the file.
fetch_version() {
	local version=$1 sha256=$2 tmp=$3 name=wolfssl_$1.orig.tar.gz file url
	shift 3
	file=$(cache_dir)/$name
	if [ -e "$file" ]; then
		check_hash "$file" "$sha256" || exit 1
		echo "$file"
		return 0
	fi
	[ -z "${TLSHIM_OFFLINE:-}" ] || return 1
	mkdir -p "$tmp"
	if file=$(fetch_apt "$version" "$sha256" "$tmp"); then
		keep "$file"
		return 0
	fi
	for url in "$@"; do
		if file=$(fetch_url "$url" "$sha256" "$tmp/$name"); then
			keep "$file"
			return 0
		fi
	done
	return 1
}

# fetch TMP: prints the file.
fetch() {
	local pool=https://deb.debian.org/debian/pool/main/w/wolfssl
	if [ -n "${WOLFSSL_TARBALL:-}" ]; then
		[ -e "$WOLFSSL_TARBALL" ] || { say "$WOLFSSL_TARBALL: no such file" && return 1; }
		if [ "$(sha256_of "$WOLFSSL_TARBALL")" != "$fallback_sha256" ]; then
			check_hash "$WOLFSSL_TARBALL" "$pinned_sha256" || return 1
		fi
		echo "$WOLFSSL_TARBALL"
		return 0
	fi
	fetch_version "$pinned_version" "$pinned_sha256" "$1" "$pool/wolfssl_$pinned_version.orig.tar.gz" \
		"https://snapshot.debian.org/file/$pinned_sha1" && return 0
	say "WARNING: $pinned_version is not to be had; trying $fallback_version, which lacks X25519MLKEM768"
	fetch_version "$fallback_version" "$fallback_sha256" "$1" "$pool/wolfssl_$fallback_version.orig.tar.gz" &&
		return 0
	say "no source has it. Give the tarball as WOLFSSL_TARBALL=wolfssl_$pinned_version.orig.tar.gz (sha256"
	say "$pinned_sha256), or put it into $(cache_dir)."
	say "(Upstream's own archive at github.com is not used: nobody has pinned its hash here.)"
	return 1
}

# build TARBALL PREFIX TMP
build() {
	local tarball=$1 prefix=$2 tmp=$3 host
	# What the compiler compiles for may be another machine than this one.
	host=$(${CC:-cc} -dumpmachine)
	case $host in
	x86_64-*) configure_options+=(--enable-intelasm) ;;
	aarch64-*) configure_options+=(--enable-armasm) ;;
	esac
	[ "${host%%-*}" = "$(uname -m)" ] || configure_options+=("--host=$host")
	[ "$(sha256_of "$tarball")" = "$fallback_sha256" ] || configure_options+=(--enable-mlkem)
	if ! command -v autoreconf >/dev/null || ! command -v libtoolize >/dev/null; then
		say "autoconf, automake and libtool are needed: run \`make deps\`"
		return 1
	fi
	say "building $(basename "$tarball") (about half a minute)"
	mkdir -p "$tmp/src"
	tar -xzf "$tarball" -C "$tmp/src" --strip-components=1
	(
		cd "$tmp/src"
		[ -x configure ] || ./autogen.sh
		./configure --prefix="$prefix" "${configure_options[@]}" CFLAGS="$cflags -ffile-prefix-map=$tmp/src=wolfssl" \
			CPPFLAGS="-include $here/wolfcrypt_random.h ${defines[*]}"
		make -j"$jobs"
		make install DESTDIR="$tmp/root"
	) >"$tmp/log" 2>&1 || { tail -n 40 "$tmp/log" >&2 && say "the build failed" && return 1; }
	rm -rf -- "$prefix"
	mkdir -p "$prefix/lib"
	mv -- "$tmp/root$prefix/include" "$prefix/include"
	mv -- "$tmp/root$prefix/lib/libwolfssl.a" "$prefix/lib/libwolfssl.a"
}

main() {
	local tmp tarball prefix stamp
	tmp=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf -- '$tmp'" EXIT
	if [ "${1:-}" = --fetch ]; then
		tarball=$(fetch "$tmp/fetch")
		[[ "$tarball" != "$tmp"/* ]] || say "the cache $(cache_dir) cannot be written: nothing was kept"
		echo "$tarball"
		return 0
	fi
	[ $# -eq 1 ] || { sed -n '3,12s/^# \{0,1\}//p' "$0" >&2 && return 2; }
	prefix=$(realpath -m -- "$1")
	mkdir -p "$(dirname "$prefix")"
	exec 9>"$prefix.lock"
	flock 9
	stamp=$(cat "$0" "$here/wolfcrypt_random.h" | sha256sum | cut -d' ' -f1)
	if [ "$(cat "$prefix/stamp" 2>/dev/null)" = "$stamp" ] && [ -e "$prefix/lib/libwolfssl.a" ]; then
		touch -- "$prefix/lib/libwolfssl.a"
		return 0
	fi
	tarball=$(fetch "$tmp/fetch")
	build "$tarball" "$prefix" "$tmp"
	echo "$stamp" >"$prefix/stamp"
	say "installed in $prefix"
}

main "$@"
