#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# Mail, chat, messages and logs: servers that speak first, privilege separation, daemons that pass connections on.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
	export HOME=$PWD
	# A mail of 200 KB whose lines can be told from each other.
	{
		printf 'From: a@example.org\nTo: b@example.org\nSubject: %s\n\n' "$MARKER"
		seq 1 4000 | sed "s/.*/line & of the mail $MARKER/"
	} >mail
	mail_sum=$(grep '^line' mail | sha256sum)
}
teardown() { e2e_teardown; }

# The lines of the mail are all in FILE, in order.
has_mail() { [ -e "$1" ] && [ "$(tr -d '\r' 2>/dev/null <"$1" | grep -a '^line' | sha256sum)" = "$mail_sum" ]; }

exim_config() { # PORT [LINE…]
	mkdir -p spool store
	chmod 777 spool store
	cat >exim.conf <<-END
		exim_user = $(id -un)
		exim_group = $(id -gn)
		primary_hostname = localhost
		spool_directory = $PWD/spool
		log_file_path = $PWD/exim-%slog
		pid_file_path = $PWD/exim.pid
		daemon_smtp_ports = $1
		local_interfaces = 127.0.0.1
		domainlist local_domains = example.org
		acl_smtp_rcpt = accept
		rfc1413_query_timeout = 0s
		never_users =
		keep_environment =
		smtp_accept_max = 20
		$(printf '%s\n' "${@:2}")
		begin routers
		all:
		  driver = accept
		  transport = file
		begin transports
		file:
		  driver = appendfile
		  file = $PWD/store/mail
		  user = nobody
		  group = nogroup
	END
}

@test "exim: takes a mail of 200 KB by smtps from curl" {
	needs exim4
	needs_root
	server_ports 'truncation ignore'
	exim_config "$port"
	start_shim exim exim4 -C "$PWD/exim.conf" -bdf -oX "127.0.0.1.$port"
	server_is_up
	run -0 tls_curl "smtps://localhost:$tapped" --mail-from a@example.org --mail-rcpt b@example.org --crlf -T mail
	until_true 15 has_mail store/mail
	assert_protected
}

# An SMTP server with TLS of its own for clients.
start_smtps() {
	exim_config "$port" "tls_on_connect_ports = $port" "tls_advertise_hosts = *" "tls_certificate = $PWD/server.pem" \
		"tls_privatekey = $PWD/server.key"
	cp "$PKI/server.pem" "$PKI/server.key" .
	start exim exim4 -C "$PWD/exim.conf" -bdf -oX "127.0.0.1.$port"
	peer_is_up
}

@test "msmtp: sends a mail of 200 KB to exim's TLS port" {
	needs msmtp exim4
	needs_root
	client_ports
	start_smtps
	run -0 shim msmtp --host=127.0.0.1 --port="$tapped" --tls=off --auth=off --from=a@example.org b@example.org <mail
	until_true 15 has_mail store/mail
	assert_protected
}

@test "swaks: sends a mail to exim's TLS port" {
	needs swaks exim4
	needs_root
	client_ports
	start_smtps
	run -0 shim swaks --server "127.0.0.1:$tapped" --from a@example.org --to b@example.org --helo localhost \
		--data @mail --suppress-data
	until_true 15 has_mail store/mail
	assert_protected
}

start_dovecot() { # PORTOPTION… then a blank-free COMMAND… behind --
	local settings=()
	while [ "$1" != -- ]; do
		settings+=("$1")
		shift
	done
	shift
	mkdir -p run home
	cat >dovecot.conf <<-END
		base_dir = $PWD/run
		log_path = $PWD/dovecot.log
		protocols = imap pop3
		listen = 127.0.0.1
		disable_plaintext_auth = no
		mail_location = maildir:$PWD/home/Maildir
		first_valid_uid = 0
		default_internal_user = $dovecot_user
		default_login_user = $dovenull_user
		import_environment = LD_PRELOAD TLSHIM_POLICY TLSHIM_LOG TLSHIM_LOG_FILE
		passdb {
		  driver = static
		  args = password=secret
		}
		userdb {
		  driver = static
		  args = uid=65534 gid=65534 home=$PWD/home
		}
		service anvil {
		  chroot =
		}
		service stats {
		  chroot =
		}
		$(printf '%s\n' "${settings[@]}")
	END
	chown -R 65534:65534 home
	start dovecot "$@" "$(command -v dovecot)" -F -c "$PWD/dovecot.conf"
}

@test "dovecot: a mail of 200 KB is appended and fetched by imaps; POP3 as well" {
	needs dovecot
	needs_root
	dovecot_user=dovecot dovenull_user=dovenull
	id dovenull >/dev/null || skip "no user dovenull"
	server_ports 'truncation ignore'
	free_port pop
	accept_tls "$pop" 'truncation ignore'
	start_dovecot 'ssl = no' "service imap-login {
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = 0
  }
}" "service pop3-login {
  inet_listener pop3 {
    port = $pop
  }
  inet_listener pop3s {
    port = 0
  }
}" -- "$TLSHIM" run --policy "$POLICY" --
	server_is_up
	run -0 tls_curl "imaps://localhost:$tapped/INBOX" --user tester:secret -T mail
	tls_curl "imaps://localhost:$tapped/INBOX;MAILINDEX=1" --user tester:secret >got
	assert has_mail got
	tls_curl "pop3s://localhost:$pop/1" --user tester:secret >got.pop
	assert has_mail got.pop
	assert_protected
}

@test "mpop: fetches a mail of 200 KB from dovecot's TLS port" {
	needs dovecot mpop
	needs_root
	dovecot_user=dovecot dovenull_user=dovenull
	id dovenull >/dev/null || skip "no user dovenull"
	client_ports 'truncation ignore'
	cp "$PKI/server.pem" "$PKI/server.key" .
	start_dovecot 'ssl = yes' "ssl_cert = <$PWD/server.pem" "ssl_key = <$PWD/server.key" "service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 0
  }
}" "service pop3-login {
  inet_listener pop3 {
    port = 0
  }
  inet_listener pop3s {
    port = $port
    ssl = yes
  }
}" --
	peer_is_up
	mkdir -p home/Maildir/{cur,new,tmp} got
	cp mail home/Maildir/new/1.one.localhost
	chown -R 65534:65534 home
	run -0 shim mpop --host=127.0.0.1 --port="$tapped" --tls=off --auth=user --user=tester --passwordeval='echo secret' \
		--delivery="mbox,$PWD/got/mbox" --uidls-file="$PWD/got/uidls" --received-header=off
	assert has_mail got/mbox
	assert_protected
}

@test "ngircd: two people in a channel, each by TLS of another stack" {
	needs ngircd
	server_ports 'truncation ignore'
	cat >ngircd.conf <<-END
		[Global]
		Name = irc.example.org
		Info = test
		Listen = 127.0.0.1
		Ports = $port
		[Options]
		DNS = no
		Ident = no
		PAM = no
		ServerUID = $(id -u)
		ServerGID = $(id -g)
	END
	chmod 644 ngircd.conf
	start_shim ngircd ngircd -n -f "$PWD/ngircd.conf"
	server_is_up
	mkfifo say
	IN=say start listener openssl s_client -connect "127.0.0.1:$tapped" -CAfile "$PKI/ca.pem" -verify_return_error -quiet
	exec 7>say
	printf 'NICK one\r\nUSER one 0 * :one\r\nJOIN #room\r\n' >&7
	wait_text listener.out '366|End of NAMES'
	{
		printf 'NICK two\r\nUSER two 0 * :two\r\nJOIN #room\r\n'
		for i in {1..5}; do printf 'PRIVMSG #room :%s-%d\r\n' "$MARKER" "$i"; done
		printf 'QUIT\r\n'
	} >commands
	limited gnutls-cli --x509cafile "$PKI/ca.pem" --port "$tapped" localhost <commands >two.log || true
	wait_text listener.out "PRIVMSG #room :$MARKER-5"
	for i in {1..5}; do assert file_has listener.out "PRIVMSG #room :$MARKER-$i"; done
	exec 7>&-
	assert_protected
}

@test "mosquitto: messages of 300 KB and retained ones go through the broker" {
	needs mosquitto mosquitto_pub mosquitto_sub
	server_ports 'truncation ignore'
	printf 'listener %d 127.0.0.1\nallow_anonymous true\nuser %s\n' "$port" "$(id -un)" >mosquitto.conf
	start_shim mosquitto mosquitto -c "$PWD/mosquitto.conf"
	server_is_up
	tls=(-h localhost -p "$tapped" --cafile "$PKI/ca.pem")
	random_file payload 300000
	limited mosquitto_pub "${tls[@]}" -t kept -r -q 1 -f payload
	limited mosquitto_sub "${tls[@]}" -t kept -C 1 -N -W 20 >got
	assert_same payload got
	assert_protected
}

@test "mosquitto_pub, mosquitto_sub: 300 KB by way of a broker with TLS of its own" {
	needs mosquitto mosquitto_pub mosquitto_sub
	client_ports
	cp "$PKI/server.pem" "$PKI/server.key" .
	printf 'listener %d 127.0.0.1\nallow_anonymous true\nuser %s\ncertfile %s\nkeyfile %s\n' "$port" "$(id -un)" \
		"$PWD/server.pem" "$PWD/server.key" >mosquitto.conf
	start mosquitto mosquitto -c "$PWD/mosquitto.conf"
	peer_is_up
	random_file payload 300000
	run -0 shim mosquitto_pub -h 127.0.0.1 -p "$tapped" -t kept -r -q 1 -f payload
	shim mosquitto_sub -h 127.0.0.1 -p "$tapped" -t kept -C 1 -N -W 20 >got
	assert_same payload got
	assert_protected
}

@test "rsyslogd: sends 500 messages to a TLS server and receives 500 by TLS" {
	needs rsyslogd
	needs_root
	server_ports 'truncation ignore'
	free_port sink
	connect_tls "$sink" 'truncation ignore'
	start_peer sink sink "$sink"
	cat >rsyslog.conf <<-END
		global(workDirectory="$PWD")
		module(load="imtcp")
		input(type="imtcp" port="$port" address="127.0.0.1")
		template(name="line" type="string" string="%msg%\n")
		action(type="omfile" file="$PWD/received" template="line" asyncWriting="off")
		action(type="omfwd" target="127.0.0.1" port="$sink" protocol="tcp" template="line")
	END
	start_shim rsyslog rsyslogd -n -f "$PWD/rsyslog.conf" -i "$PWD/rsyslog.pid"
	server_is_up
	seq 1 500 | sed "s/^/<13>Jan  1 00:00:00 host test: $MARKER-/" >messages
	limited openssl s_client -connect "127.0.0.1:$tapped" -CAfile "$PKI/ca.pem" -verify_return_error -nocommands \
		<messages >/dev/null
	has_all() { [ "$(grep -c "$MARKER" received 2>/dev/null)" = 500 ]; }
	until_true 15 has_all
	sum=$(sha256sum <received)
	stop rsyslog
	# it has flushed its queue to the sink, which says what came
	wait_text sink.out "^TLSv1.3 [a-z]+ [0-9]+ ${sum%% *}"
	assert_protected
}
