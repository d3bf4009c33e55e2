# SPDX-License-Identifier: GPL-2.0-or-later
# Sends standard input, half-closes, prints what comes back: call.pl PORT
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my $connection = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ARGV[0], Proto => 'tcp') or die "connect: $!";
binmode STDIN;
binmode STDOUT;
$connection->blocking(0);
local $/;
my $out = <STDIN>;
my ($readers, $writers) = (IO::Select->new($connection), IO::Select->new($connection));
while (1) {
	my ($readable, $writable) = IO::Select->select($readers, $writers, undef, 20) or die 'nothing happens';
	if (@$writable) {
		my $sent = syswrite($connection, $out, 40000);
		substr($out, 0, $sent) = '' if $sent;
		if (!length $out) {
			shutdown($connection, 1) or die "shutdown: $!";
			$writers->remove($connection);
		}
	}
	if (@$readable) {
		my $got = sysread($connection, my $data, 30000);
		if (!defined $got) {
			die "read: $!" unless $!{EAGAIN};
		} elsif ($got == 0) {
			last;
		} else {
			print $data;
		}
	}
}
