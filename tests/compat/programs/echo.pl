# SPDX-License-Identifier: GPL-2.0-or-later
# Sends back what comes until the client half-closes, a process for each connection: echo.pl PORT
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], Listen => 64, ReuseAddr => 1)
	or die "listen: $!";
while (1) {
	my $connection = $listener->accept or next;
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if ($pid == 0) {
		close $listener;
		while (sysread($connection, my $data, 20000)) {
			print $connection $data;
		}
		close $connection;
		exit 0;
	}
	close $connection;
}
