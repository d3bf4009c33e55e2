# SPDX-License-Identifier: GPL-2.0-or-later
# Sends back what comes until the client half-closes, a thread for each connection: echo.rb PORT
require "socket"

server = TCPServer.new("127.0.0.1", Integer(ARGV[0]))
loop do
  Thread.new(server.accept) do |connection|
    while (data = connection.readpartial(20_000))
      connection.write(data)
    end
  rescue EOFError
    connection.close
  end
end
