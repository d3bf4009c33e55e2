# SPDX-License-Identifier: GPL-2.0-or-later
# Sends standard input, half-closes, prints what comes back: call.rb PORT
require "socket"

connection = TCPSocket.new("127.0.0.1", Integer(ARGV[0]))
$stdout.binmode
sender = Thread.new do
  IO.copy_stream($stdin, connection)
  connection.close_write
end
IO.copy_stream(connection, $stdout)
sender.join
