#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# Databases, caches and directories, with their clients.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
}
teardown() { e2e_teardown; }

@test "redis-server: a value of 5 MB and a subscription, to redis-cli --tls" {
	needs redis-server redis-cli
	server_ports 'truncation ignore'
	start_shim redis redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly yes --dir "$PWD"
	server_is_up
	tls_cli() { limited redis-cli --tls --cacert "$PKI/ca.pem" -h localhost -p "$tapped" "$@"; }
	random_file value 5000000
	run -0 tls_cli -x set key <value
	assert_output OK
	tls_cli get key | head -c 5000000 >got
	assert_same value got
	start subscriber redis-cli --tls --cacert "$PKI/ca.pem" -h localhost -p "$tapped" subscribe channel
	wait_text subscriber.out subscribe
	run -0 tls_cli publish channel "$MARKER"
	wait_text subscriber.out "$MARKER"
	assert_protected
}

@test "redis-cli: a value of 5 MB to and from a server with TLS of its own" {
	needs redis-server redis-cli
	client_ports
	start redis redis-server --port 0 --tls-port "$port" --bind 127.0.0.1 --save '' --tls-auth-clients no \
		--tls-cert-file "$PKI/server.pem" --tls-key-file "$PKI/server.key" --tls-ca-cert-file "$PKI/ca.pem"
	peer_is_up
	random_file value 5000000
	run -0 shim redis-cli -h 127.0.0.1 -p "$tapped" -x set key <value
	assert_output OK
	shim redis-cli -h 127.0.0.1 -p "$tapped" get key | head -c 5000000 >got
	assert_same value got
	assert_protected
}

@test "redis-benchmark: 50 connections to a server with TLS of its own" {
	needs redis-benchmark
	client_ports
	start redis redis-server --port 0 --tls-port "$port" --bind 127.0.0.1 --save '' --tls-auth-clients no \
		--tls-cert-file "$PKI/server.pem" --tls-key-file "$PKI/server.key" --tls-ca-cert-file "$PKI/ca.pem"
	peer_is_up
	run -0 shim redis-benchmark -h 127.0.0.1 -p "$tapped" -c 50 -n 3000 -d 500 -t set,lpush -q
	run -0 limited redis-cli --tls --cacert "$PKI/ca.pem" -h localhost -p "$port" llen mylist
	assert_output 3000
	assert_protected
}

@test "memcached: a value of 900 KB by the text protocol" {
	needs memcached
	server_ports
	user=()
	[ "$(id -u)" != 0 ] || user=(-u root)
	start_shim memcached memcached -l 127.0.0.1 -p "$port" -U 0 -t 2 "${user[@]}"
	server_is_up
	random_file value 900000
	{ printf 'set key 0 0 900000\r\n' && cat value && printf '\r\nget key\r\nquit\r\n'; } >commands
	dialogue "$tapped" <commands >answer
	assert_equal "$(head -c 28 answer | tr -d '\r' | head -n 2)" $'STORED\nVALUE key 0 900000'
	tail -c +29 answer | head -c 900000 >got
	assert_same value got
	assert_protected
}

# PostgreSQL and its clients do not run as root, nor read the key that is root's.
postgres_programs() {
	bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | tail -n 1)
	[ -x "$bin/postgres" ] || skip "PostgreSQL is not installed"
	as_user=()
	if [ "$(id -u)" = 0 ]; then
		id postgres >/dev/null 2>&1 || skip "there is no user postgres"
		as_user=(setpriv --reuid postgres --regid postgres --init-groups)
		"${as_user[@]}" test -r "$BUILD_DIR/libtlshim.so" || skip "user postgres cannot read the build folder"
		install -m 600 -o postgres "$PKI/server.key" server.key
		mkdir data socket
		chown postgres data socket
	else
		cp "$PKI/server.key" server.key
		mkdir data socket
	fi
	export PGSSLMODE=disable PGUSER=tester PGDATABASE=postgres PGHOST=127.0.0.1 PGCONNECT_TIMEOUT=10
	chmod 700 data
	(cd / && "${as_user[@]}" "$bin/initdb" -D "$BATS_TEST_TMPDIR/data" -U tester -A trust -N --no-locale) >initdb.log 2>&1
}
# start_postgres NAME PORT [COMMAND…]: by that command.
start_postgres() {
	start "$1" "${as_user[@]}" "${@:3}" "$bin/postgres" -D "$PWD/data" -p "$2" -k "$PWD/socket" -c fsync=off \
		-c listen_addresses=127.0.0.1 -c shared_buffers=16MB
	wait_listen "$2" 30
	until_true 10 file_has "$1.err" 'ready to accept connections'
}

@test "PostgreSQL: a process for each connection; psql copies 100,000 rows in and out" {
	postgres_programs
	free_port port tapped plain
	accept_rule "$port" "certificate $PKI/server.pem" "key $PWD/server.key"
	chmod 644 "$POLICY"
	start_postgres postgres "$port" "$TLSHIM" run --policy "$POLICY" --
	start_tap "$tapped" "$port"
	start_back "$plain" "$tapped"
	seq 1 100000 | sed "s/\$/,$MARKER/" >rows
	limited psql -p "$plain" -q -c 'create table t (n int, s text)' -c '\copy t from rows csv'
	run -0 limited psql -p "$plain" -q -c '\copy (select * from t order by n) to got csv'
	assert_same rows got
	assert_protected
}

@test "psql: rows come back from a server behind OpenSSL; a query is cancelled" {
	postgres_programs
	free_port plain
	client_ports 'truncation ignore'
	start_postgres postgres "$plain"
	start_front "$port" "$plain"
	peer_is_up
	seq 1 100000 | sed "s/\$/,$MARKER/" >rows
	run -0 shim psql -p "$tapped" -q -c 'create table t (n int, s text)' -c '\copy t from rows csv' \
		-c '\copy (select * from t order by n) to got csv'
	assert_same rows got
	start_shim sleeper psql -p "$tapped" -c 'select pg_sleep(25)'
	is_asleep() { psql -p "$plain" -Atc "select count(*) from pg_stat_activity where query like 'select pg_sleep%'" | grep -qx 1; }
	until_true 10 is_asleep
	# psql sends a cancel request by a connection of its own, from its signal handler
	kill -INT "$pid_sleeper"
	wait_exit sleeper
	assert_equal "$status" 1
	assert file_has sleeper.err 'canceling statement due to user request'
	assert_protected
}

@test "pgbench: eight connections in two threads to a wrapped PostgreSQL" {
	postgres_programs
	[ -x "$bin/pgbench" ] || skip "pgbench is not installed"
	free_port port
	accept_rule "$port" "certificate $PKI/server.pem" "key $PWD/server.key"
	connect_tls "$port"
	chmod 644 "$POLICY"
	start_postgres postgres "$port" "$TLSHIM" run --policy "$POLICY" --
	sed -i '/^accept/,/^}/d' "$POLICY"
	run -0 shim "$bin/pgbench" -p "$port" -i -s 1 -q
	run -0 shim "$bin/pgbench" -p "$port" -c 8 -j 2 -t 40 -n
	assert_line 'number of transactions actually processed: 320/320'
	assert_line --partial 'failed transactions: 0 '
	psql=(shim psql -p "$port" -Atc)
	run -0 "${psql[@]}" 'select sum(bbalance) = (select sum(abalance) from pgbench_accounts) from pgbench_branches'
	assert_output t
}

start_mariadb() { # PORT COMMAND…
	local user=()
	mkdir data
	[ "$(id -u)" != 0 ] || user=(--user=root)
	limited mariadb-install-db --no-defaults "${user[@]}" --datadir="$PWD/data" --auth-root-authentication-method=normal \
		--skip-test-db --skip-name-resolve >install.log 2>&1
	start mariadb "${@:2}" "$(command -v mariadbd)" --no-defaults "${user[@]}" --datadir="$PWD/data" --port="$1" \
		--bind-address=127.0.0.1 --socket="$PWD/sock" --pid-file="$PWD/pid" --skip-name-resolve --innodb-fast-shutdown=2 \
		--innodb-buffer-pool-size=16M --innodb-flush-log-at-trx-commit=0 --max-allowed-packet=16M
	wait_listen "$1" 30
	mariadb --no-defaults -u root -S "$PWD/sock" -e \
		"create user tester@127.0.0.1; grant all on *.* to tester@127.0.0.1; create database d"
}

@test "MariaDB server: a thread for each connection, 20,000 rows to a client by way of OpenSSL" {
	needs mariadbd mariadb mariadb-install-db
	server_ports 'truncation ignore'
	free_port plain
	start_mariadb "$port" "$TLSHIM" run --policy "$POLICY" --
	start_tap "$tapped" "$port"
	start_back "$plain" "$tapped"
	{
		echo 'create table t (n int primary key, s varchar(80)) engine=memory;'
		echo 'insert into t values'
		seq 1 19999 | sed "s/.*/(&, '$MARKER'),/"
		echo "(20000, '$MARKER');"
	} >script
	client=(mariadb --no-defaults -h 127.0.0.1 -P "$plain" -u tester --skip-ssl -N d)
	run -0 limited "${client[@]}" <script
	limited "${client[@]}" -e 'select * from t order by n' >got
	assert_equal "$(md5sum <got)" "$(seq 1 20000 | sed "s/\$/\t$MARKER/" | md5sum)"
	assert_protected
}

@test "MariaDB client: a large value and many rows from a server behind OpenSSL" {
	needs mariadbd mariadb mariadb-install-db
	free_port plain
	client_ports 'truncation ignore'
	start_mariadb "$plain"
	start_front "$port" "$plain"
	peer_is_up
	client=(shim mariadb --no-defaults -h 127.0.0.1 -P "$tapped" -u tester --skip-ssl -N --max-allowed-packet=16M)
	run -0 "${client[@]}" -e "select repeat('$MARKER', 100000)"
	assert_equal "${#output}" $((${#MARKER} * 100000))
	run -0 "${client[@]}" -e 'select seq from seq_1_to_20000' d
	assert_equal "$output" "$(seq 1 20000)"
	assert_protected
}

start_slapd() { # PORT COMMAND…
	mkdir ldap
	cat >slapd.conf <<-END
		include /etc/ldap/schema/core.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $PWD/slapd.pid
		database mdb
		maxsize 33554432
		suffix "dc=example,dc=org"
		rootdn "cn=admin,dc=example,dc=org"
		rootpw secret
		directory $PWD/ldap
	END
	start slapd "${@:2}" "$(command -v slapd)" -d 0 -f "$PWD/slapd.conf" -h "ldap://127.0.0.1:$1/"
	wait_listen "$1"
	{
		printf 'dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n'
		seq 1 300 | sed "s/.*/dn: cn=person&,dc=example,dc=org\nobjectClass: person\ncn: person&\nsn: $MARKER\n/"
	} >people.ldif
}
as_admin=(-x -D cn=admin,dc=example,dc=org -w secret)

@test "slapd: ldapadd and ldapsearch by ldaps put in and find 300 entries" {
	needs slapd ldapsearch
	server_ports 'truncation ignore'
	start_slapd "$port" "$TLSHIM" run --policy "$POLICY" --
	server_is_up
	export LDAPTLS_CACERT=$PKI/ca.pem
	run -0 limited ldapadd "${as_admin[@]}" -H "ldaps://127.0.0.1:$tapped" -f people.ldif
	run -0 limited ldapsearch -LLL -x -H "ldaps://127.0.0.1:$tapped" -b dc=example,dc=org '(sn=marker*)' sn
	assert_equal "$(grep -c "sn: $MARKER" <<<"$output")" 300
	assert_protected
}

@test "ldapsearch: finds 300 entries of a directory behind OpenSSL" {
	needs slapd ldapsearch
	free_port plain
	client_ports 'truncation ignore'
	start_slapd "$plain"
	start_front "$port" "$plain"
	peer_is_up
	run -0 shim ldapadd "${as_admin[@]}" -H "ldap://127.0.0.1:$tapped" -f people.ldif
	run -0 shim ldapsearch -LLL -x -H "ldap://127.0.0.1:$tapped" -b dc=example,dc=org '(sn=marker*)' sn
	assert_equal "$(grep -c "sn: $MARKER" <<<"$output")" 300
	assert_protected
}
