#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# File transfer and version control, servers and clients.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
	export HOME=$PWD
}
teardown() { e2e_teardown; }

make_tree() { # DIRECTORY: 30 files, one of them large
	mkdir -p "$1/sub"
	for i in {1..29}; do
		echo "$MARKER $i" >"$1/sub/file$i"
	done
	random_file "$1/large" 3000000
}

start_rsyncd() { # PORT COMMAND…
	mkdir -p store
	cat >rsyncd.conf <<-END
		use chroot = no
		pid file = $PWD/rsyncd.pid
		log file = $PWD/rsyncd.log
		[store]
		path = $PWD/store
		read only = no
		uid = $(id -u)
		gid = $(id -g)
	END
	start rsyncd "${@:2}" "$(command -v rsync)" --daemon --no-detach --config="$PWD/rsyncd.conf" --address=127.0.0.1 --port="$1"
	wait_listen "$1"
}

# pushed_and_pulled PORT COMMAND…: a tree goes to the server and comes back by rsync.
pushed_and_pulled() {
	run -0 "${@:2}" rsync -a tree/ "rsync://127.0.0.1:$1/store/"
	diff -r tree store
	# the delta algorithm: both sides speak at once
	printf 'changed' | dd of=tree/large bs=1 seek=1500000 conv=notrunc status=none
	run -0 "${@:2}" rsync -a --no-whole-file --checksum tree/ "rsync://127.0.0.1:$1/store/"
	run -0 "${@:2}" rsync -a "rsync://127.0.0.1:$1/store/" back/
	diff -r tree back
	assert_protected
}

@test "rsync daemon: a tree goes in, a changed file follows, all comes back" {
	needs rsync
	server_ports 'truncation ignore'
	free_port plain
	make_tree tree
	start_rsyncd "$port" "$TLSHIM" run --policy "$POLICY" --
	server_is_up
	start_back "$plain" "$tapped"
	pushed_and_pulled "$plain" limited
}

@test "rsync client: a tree goes to a daemon behind OpenSSL and comes back" {
	needs rsync
	client_ports 'truncation ignore'
	free_port plain
	make_tree tree
	start_rsyncd "$plain"
	start_front "$port" "$plain"
	peer_is_up
	pushed_and_pulled "$tapped" shim
}

new_repository() {
	git config --global user.email tester@example.org
	git config --global user.name tester
	git config --global init.defaultBranch main
	git config --global safe.directory '*'
	make_tree tree
	git -C tree init -q
	git -C tree add .
	git -C tree commit -qm "$MARKER"
	git clone -q --bare tree store/tree.git
	touch store/tree.git/git-daemon-export-ok
	git -C store/tree.git config daemon.receivepack true
	git -C store/tree.git update-server-info
}
# cloned_and_pushed URL COMMAND…
cloned_and_pushed() {
	run -0 "${@:2}" git clone -q "$1" copy
	diff -r -x .git tree copy
	random_file copy/new 1000000
	git -C copy add new
	git -C copy commit -qm new
	run -0 "${@:2}" git -C copy push -q origin main
	git -C store/tree.git fsck --full
	assert_equal "$(git -C store/tree.git rev-parse main)" "$(git -C copy rev-parse HEAD)"
	assert_protected
}

@test "git daemon: a clone and a push, each by programs that it starts" {
	needs git
	server_ports 'truncation ignore'
	free_port plain
	mkdir store
	new_repository
	start_shim daemon git daemon --listen=127.0.0.1 --port="$port" --base-path="$PWD/store" --reuseaddr
	server_is_up
	start_back "$plain" "$tapped"
	cloned_and_pushed "git://127.0.0.1:$plain/tree.git" limited
}

@test "git client, git://: clones and pushes by way of OpenSSL" {
	needs git
	client_ports 'truncation ignore'
	free_port plain
	mkdir store
	new_repository
	start daemon git daemon --listen=127.0.0.1 --port="$plain" --base-path="$PWD/store" --reuseaddr
	wait_listen "$plain"
	start_front "$port" "$plain"
	peer_is_up
	cloned_and_pushed "git://127.0.0.1:$tapped/tree.git" shim
}

@test "git client, http://: clones from Python's https server" {
	needs git
	client_ports
	mkdir store
	new_repository
	start_https "$port"
	peer_is_up
	run -0 shim git clone -q "http://127.0.0.1:$tapped/store/tree.git" copy
	diff -r -x .git tree copy
	assert_protected
}

start_svnserve() { # PORT COMMAND…
	svnadmin create repository
	printf '[general]\nanon-access = write\n' >repository/conf/svnserve.conf
	start svnserve "${@:2}" "$(command -v svnserve)" -d --foreground -r "$PWD/repository" --listen-host 127.0.0.1 --listen-port "$1"
	wait_listen "$1"
}
# imported_and_out PORT COMMAND…
imported_and_out() {
	make_tree tree
	run -0 "${@:2}" svn import -q -m "$MARKER" tree "svn://127.0.0.1:$1/trunk"
	run -0 "${@:2}" svn checkout -q "svn://127.0.0.1:$1/trunk" copy
	diff -r -x .svn tree copy
	echo "$MARKER again" >>copy/large
	run -0 "${@:2}" svn commit -q -m change copy
	run -0 "${@:2}" svn cat "svn://127.0.0.1:$1/trunk/sub/file7"
	assert_output "$MARKER 7"
	run -0 svnlook youngest repository
	assert_output 2
	assert_protected
}

@test "svnserve: an import, a checkout and a commit" {
	needs svnserve svn
	server_ports 'truncation ignore'
	free_port plain
	start_svnserve "$port" "$TLSHIM" run --policy "$POLICY" --
	server_is_up
	start_back "$plain" "$tapped"
	imported_and_out "$plain" limited
}

@test "svn: imports, checks out and commits by way of OpenSSL" {
	needs svnserve svn
	client_ports 'truncation ignore'
	free_port plain
	start_svnserve "$plain"
	start_front "$port" "$plain"
	peer_is_up
	imported_and_out "$tapped" shim
}

# vsftpd changes its user and its root directory; implicit TLS is what the shim makes of it.
start_vsftpd() { # PORT DATAPORTS OPTIONS COMMAND…
	mkdir -p ftp/pub empty
	chmod 755 ftp empty
	chmod 777 ftp/pub
	cat >vsftpd.conf <<-END
		listen=YES
		listen_address=127.0.0.1
		listen_port=$1
		background=NO
		anonymous_enable=YES
		anon_root=$PWD/ftp
		anon_upload_enable=YES
		write_enable=YES
		anon_umask=022
		no_anon_password=YES
		secure_chroot_dir=$PWD/empty
		pasv_min_port=${2%-*}
		pasv_max_port=${2#*-}
		seccomp_sandbox=NO
		isolate_network=NO
		$3
	END
	start vsftpd "${@:4}" "$(command -v vsftpd)" "$PWD/vsftpd.conf"
	wait_listen "$1"
}

@test "vsftpd: its control connection, ftps to curl" {
	needs vsftpd
	needs_root
	server_ports 'truncation ignore'
	free_port data
	start_vsftpd "$port" "$data-$data" '' "$TLSHIM" run --policy "$POLICY" --
	server_is_up
	random_file up 1000000
	# data connections are plain here: the server says that it cannot protect them
	ftp=(tls_curl --disable-epsv --ftp-skip-pasv-ip)
	run -0 "${ftp[@]}" -T up "ftps://localhost:$tapped/pub/up" -Q 'NOOP'
	assert_same up ftp/pub/up
	echo "$MARKER" >ftp/pub/page
	run -0 "${ftp[@]}" "ftps://localhost:$tapped/pub/page"
	assert_output "$MARKER"
	run -0 "${ftp[@]}" "ftps://localhost:$tapped/pub/up" -o got
	assert_same up got
	assert_protected
}

@test "lftp, ftp://: its control connection, to a server with TLS of its own" {
	needs vsftpd lftp
	needs_root
	client_ports 'truncation ignore'
	free_port data
	start_vsftpd "$port" "$data-$data" "ssl_enable=YES
implicit_ssl=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=NO
require_ssl_reuse=NO
strict_ssl_read_eof=NO
rsa_cert_file=$PKI/server.pem
rsa_private_key_file=$PKI/server.key"
	peer_is_up
	random_file up 1000000
	echo "$MARKER" >ftp/pub/page
	run -0 shim lftp -c "set ftp:ssl-allow no; set ftp:use-feat no; set ftp:passive-mode yes; set net:max-retries 1;
		set net:timeout 15; open -u anonymous,x ftp://127.0.0.1:$tapped;
		cat pub/page; put up -o pub/up"
	assert_line "$MARKER"
	assert_same up ftp/pub/up
	assert_protected
}

@test "lftp, http://: fetches a file" {
	needs lftp
	client_ports 'truncation ignore'
	random_file large 3000000
	start nginx_like "$PYTHON" "$LIB/https.py" "$PKI" "$port"
	peer_is_up
	run -0 shim lftp -c "set net:max-retries 1; set net:timeout 15; get http://127.0.0.1:$tapped/large -o got"
	assert_same large got
	assert_protected
}

@test "unison: two trees become one, by its own protocol" {
	needs unison
	client_ports 'truncation ignore'
	free_port plain
	make_tree tree
	mkdir other
	start unison unison -socket "$plain" -host 127.0.0.1
	wait_listen "$plain"
	start_front "$port" "$plain"
	peer_is_up
	run -0 shim unison -batch -silent -ui text tree "socket://127.0.0.1:$tapped/$PWD/other"
	diff -r tree other
	assert_protected
}

@test "distccd: compiles what a client sends it" {
	needs distccd distcc cc
	server_ports 'truncation ignore'
	free_port plain
	user=$(id -un)
	[ "$user" != root ] || user=nobody
	touch distccd.log
	chmod 666 distccd.log
	start_shim distccd distccd --daemon --no-detach --allow 127.0.0.1 --listen 127.0.0.1 --port "$port" --jobs 2 \
		--log-file "$PWD/distccd.log" --enable-tcp-insecure --user "$user"
	server_is_up
	start_back "$plain" "$tapped"
	echo "const char marker[] = \"$MARKER\";" >main.c
	run -0 env DISTCC_HOSTS="127.0.0.1:$plain" DISTCC_FALLBACK=0 DISTCC_SKIP_LOCAL_RETRY=1 timeout 30 distcc cc -c main.c -o main.o
	cc main.c -c -o here.o
	assert_same here.o main.o
	assert file_has distccd.log COMPILE_OK
	assert_protected
}

@test "axel: fetches a file by several connections at once" {
	needs axel
	client_ports
	random_file large 3000000
	start nginx_like "$PYTHON" "$LIB/https.py" "$PKI" "$port"
	peer_is_up
	run -0 shim axel -q -n 3 -o got "http://127.0.0.1:$tapped/large"
	assert_same large got
	assert_protected
}
