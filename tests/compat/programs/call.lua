-- SPDX-License-Identifier: GPL-2.0-or-later
-- Sends standard input, half-closes, prints what comes back: call.lua PORT
local socket = require("socket")

local connection = assert(socket.connect("127.0.0.1", tonumber(arg[1])))
connection:settimeout(0)
local out, at, open = io.read("a"), 1, true
while true do
	local readable, writable = socket.select({ connection }, open and { connection } or {}, 20)
	if writable[1] then
		local last, reason, partial = connection:send(out, at, math.min(at + 40000, #out))
		assert(last or reason == "timeout", reason)
		at = (last or partial) + 1
		if at > #out then
			connection:shutdown("send")
			open = false
		end
	end
	if readable[1] then
		local data, message, part = connection:receive(30000)
		io.write(data or part)
		if message == "closed" then
			break
		end
	end
end
