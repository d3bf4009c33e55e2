# SPDX-License-Identifier: GPL-2.0-or-later
# Sends standard input, half-closes, prints what comes back: call.tcl PORT
set connection [socket 127.0.0.1 [lindex $argv 0]]
fconfigure $connection -translation binary -blocking 0
fconfigure stdin -translation binary
fconfigure stdout -translation binary
proc sent {bytes {message {}}} {
	close $::connection write
}
proc received {bytes {message {}}} {
	set ::done 1
}
fcopy stdin $connection -command sent
fcopy $connection stdout -command received
vwait done
flush stdout
