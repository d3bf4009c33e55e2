#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
#
# The domain name system over TCP: what the shim makes of it is DNS over TLS (RFC 7858).

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
}
teardown() { e2e_teardown; }

# answered: kdig by TLS gets the record, several by one connection.
answered() {
	run -0 limited kdig +tls +tls-ca="$PKI/ca.pem" +tls-hostname=localhost +short +keepopen -p "$tapped" @127.0.0.1 \
		TXT one.example.org TXT two.example.org
	assert_line --partial "$MARKER-one"
	assert_line --partial "$MARKER-two"
	assert_protected
}

@test "dnsmasq: answers by TLS, a process for each connection" {
	needs dnsmasq kdig
	server_ports 'truncation ignore'
	start_shim dnsmasq dnsmasq --keep-in-foreground --no-hosts --no-resolv --port="$port" --listen-address=127.0.0.1 \
		--bind-interfaces --conf-file=/dev/null --user="$(id -un)" --pid-file="$PWD/pid" \
		--txt-record=one.example.org,"$MARKER-one" --txt-record=two.example.org,"$MARKER-two"
	server_is_up
	answered
}

start_unbound() { # PORT LINES COMMAND…
	cat >unbound.conf <<-END
		server:
		  interface: 127.0.0.1@$1
		  port: $1
		  username: ""
		  chroot: ""
		  directory: "$PWD"
		  pidfile: "$PWD/unbound.pid"
		  use-syslog: no
		  do-daemonize: no
		  do-udp: no
		  module-config: "iterator"
		  tcp-upstream: yes
		  local-zone: example.org static
		  local-data: 'one.example.org TXT "$MARKER-one"'
		  local-data: 'two.example.org TXT "$MARKER-two"'
		  $2
		remote-control:
		  control-enable: no
	END
	start unbound "${@:3}" "$(command -v unbound)" -d -c "$PWD/unbound.conf"
	wait_listen "$1"
}

# Unbound with TLS of its own, for clients to ask.
start_tls_unbound() {
	client_ports 'truncation ignore'
	cp "$PKI/server.pem" "$PKI/server.key" .
	start_unbound "$port" "tls-port: $port
  tls-service-pem: $PWD/server.pem
  tls-service-key: $PWD/server.key"
	peer_is_up
}

@test "unbound: answers by TLS from its event loop" {
	needs unbound kdig
	server_ports 'truncation ignore'
	start_unbound "$port" '' "$TLSHIM" run --policy "$POLICY" --
	server_is_up
	answered
}

@test "dig: +tcp asks unbound's TLS port" {
	needs unbound dig
	start_tls_unbound
	run -0 shim dig +tcp +short -p "$tapped" @127.0.0.1 TXT one.example.org
	assert_output "\"$MARKER-one\""
	run -0 shim dig +tcp +short +keepopen -p "$tapped" @127.0.0.1 TXT one.example.org TXT two.example.org
	assert_line "\"$MARKER-two\""
	assert_protected
}

@test "kdig: +tcp asks unbound's TLS port" {
	needs unbound kdig
	start_tls_unbound
	run -0 shim kdig +tcp +short -p "$tapped" @127.0.0.1 TXT one.example.org
	assert_output "\"$MARKER-one\""
	assert_protected
}

@test "knotd: answers by TLS, and sends a whole zone" {
	needs knotd kdig
	server_ports 'truncation ignore'
	mkdir zones run
	{
		echo "example.org. 60 SOA ns.example.org. a.example.org. 1 60 60 60 60"
		echo "example.org. 60 NS ns.example.org."
		echo "ns.example.org. 60 A 127.0.0.1"
		echo "one.example.org. 60 TXT $MARKER-one"
		echo "two.example.org. 60 TXT $MARKER-two"
		seq 1 3000 | sed "s/.*/n&.example.org. 60 TXT $MARKER-n&/"
	} >zones/example.org.zone
	cat >knot.conf <<-END
		server:
		  rundir: "$PWD/run"
		  user: "$(id -un)"
		  listen: 127.0.0.1@$port
		  udp-workers: 1
		  tcp-workers: 2
		  background-workers: 1
		database:
		  storage: "$PWD/run"
		log:
		- target: stderr
		  any: warning
		acl:
		- id: all
		  address: 127.0.0.1
		  action: transfer
		zone:
		- domain: example.org
		  storage: "$PWD/zones"
		  acl: all
	END
	start_shim knotd knotd -c "$PWD/knot.conf"
	server_is_up
	answered
	limited kdig +tls +tls-ca="$PKI/ca.pem" +tls-hostname=localhost -p "$tapped" @127.0.0.1 example.org AXFR >zone
	assert_equal "$(grep -c "$MARKER-n" zone)" 3000
}

@test "whois: sends a name and reads to the end" {
	needs whois
	client_ports 'truncation ignore'
	printf '#!/bin/sh\nread -r line\necho "$line" | tr -d "\\r" | rev\n' >answer
	chmod 755 answer
	start answers socat "OPENSSL-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,cert=$PKI/server.pem,key=$PKI/server.key,verify=0" \
		"EXEC:$PWD/answer"
	peer_is_up
	run -0 shim whois -h 127.0.0.1 -p "$tapped" "$MARKER"
	assert_output --partial "$(rev <<<"$MARKER")"
	assert_protected
}
