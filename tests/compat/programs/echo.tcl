# SPDX-License-Identifier: GPL-2.0-or-later
# Sends back what comes until the client half-closes: echo.tcl PORT
proc accepted {connection host port} {
	fconfigure $connection -translation binary -blocking 0 -buffersize 20000
	fcopy $connection $connection -command [list finished $connection]
}
proc finished {connection bytes {message {}}} {
	close $connection
}
socket -server accepted -myaddr 127.0.0.1 [lindex $argv 0]
vwait forever
