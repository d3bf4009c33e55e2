#!/usr/bin/env escript
%% SPDX-License-Identifier: GPL-2.0-or-later
%% Sends back what comes until the client half-closes, a process for each connection: echo.erl PORT
main([Port]) ->
    {ok, Listener} = gen_tcp:listen(list_to_integer(Port), [binary, {ip, {127, 0, 0, 1}}, {active, false},
                                                            {reuseaddr, true}, {backlog, 64}, {exit_on_close, false}]),
    accept(Listener).

accept(Listener) ->
    {ok, Connection} = gen_tcp:accept(Listener),
    Pid = spawn(fun() -> receive go -> serve(Connection) end end),
    ok = gen_tcp:controlling_process(Connection, Pid),
    Pid ! go,
    accept(Listener).

serve(Connection) ->
    case gen_tcp:recv(Connection, 0) of
        {ok, Data} ->
            ok = gen_tcp:send(Connection, Data),
            serve(Connection);
        {error, _} ->
            gen_tcp:close(Connection)
    end.
