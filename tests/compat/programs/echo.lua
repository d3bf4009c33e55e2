-- SPDX-License-Identifier: GPL-2.0-or-later
-- Sends back what comes until the client half-closes, a coroutine for each connection: echo.lua PORT
local socket = require("socket")

local listener = assert(socket.bind("127.0.0.1", tonumber(arg[1]), 64))
listener:settimeout(0)
local connections, wanted = {}, { listener }

local function serve(connection)
	while true do
		local data, message, part = connection:receive(8192)
		data = data or part
		local at = 1
		while at <= #data do
			local last, reason, partial = connection:send(data, at)
			at = (last or partial) + 1
			if not last then
				if reason ~= "timeout" then
					return
				end
				coroutine.yield("write")
			end
		end
		if message == "closed" then
			return
		elseif message == "timeout" then
			coroutine.yield("read")
		end
	end
end

local function step(connection)
	local _, wish = coroutine.resume(connections[connection].thread, connection)
	if coroutine.status(connections[connection].thread) == "dead" then
		connections[connection] = nil
		connection:close()
	else
		connections[connection].wish = wish
	end
end

while true do
	local readers, writers = { listener }, {}
	for connection, state in pairs(connections) do
		table.insert(state.wish == "write" and writers or readers, connection)
	end
	local readable, writable = socket.select(readers, writers)
	for _, one in ipairs(readable) do
		if one == listener then
			local connection = listener:accept()
			if connection then
				connection:settimeout(0)
				connections[connection] = { thread = coroutine.create(serve), wish = "read" }
			end
		else
			step(one)
		end
	end
	for _, one in ipairs(writable) do
		step(one)
	end
end
