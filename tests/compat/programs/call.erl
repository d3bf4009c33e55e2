#!/usr/bin/env escript
%% SPDX-License-Identifier: GPL-2.0-or-later
%% Sends standard input, half-closes, prints what comes back: call.erl PORT
main([Port]) ->
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    {ok, Connection} = gen_tcp:connect({127, 0, 0, 1}, list_to_integer(Port), [binary, {active, once}]),
    spawn_link(fun() -> send(Connection) end),
    receive_all(Connection).

send(Connection) ->
    case file:read(standard_io, 30000) of
        {ok, Data} ->
            ok = gen_tcp:send(Connection, Data),
            send(Connection);
        eof ->
            ok = gen_tcp:shutdown(Connection, write)
    end.

receive_all(Connection) ->
    receive
        {tcp, Connection, Data} ->
            ok = file:write(standard_io, Data),
            ok = inet:setopts(Connection, [{active, once}]),
            receive_all(Connection);
        {tcp_closed, Connection} ->
            ok
    end.
