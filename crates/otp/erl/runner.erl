%% Plays programs on Erlang/OTP and tells what they did.
%%
%% Frames come in on stdin and go out on stdout, each behind its length as four bytes. A frame that
%% comes in is a seed (eight bytes) and a program, one that goes out is a trace; src/codec.rs says
%% what they look like. Programs are played one after the other.
%%
%% What must stay true:
%% * a step is done with the BIF that it is named after, and a receive is one `receive`;
%% * the log survives whatever happens to a process: it is a table, and ends are told by tracing;
%% * a program is at rest when every live process has answered two probes in an infinite receive
%%   without a step in between, the second while a single scheduler runs, on which all others have
%%   had their turns. Then no process is in the middle of its end, where it still tells others, and
%%   signals between local processes are in the queue of their receiver before their sender goes on.

-module(runner).
-export([main/0, root/2, child/2, wake/2]).

-define(FAR, 3600000).
%% Near: nothing depends on how late it is.
-define(NAP, 3).
-define(SOCKET, [binary, {active, false}, {ip, {127, 0, 0, 1}}]).

main() ->
    logger:set_primary_config(level, none),
    [ets:new(Table, [named_table, public, Kind]) || {Table, Kind} <-
        [{log, ordered_set}, {pids, set}, {scripts, set}, {timers, set}, {aliases, set}, {ports, set}]],
    loop(open_port({fd, 0, 1}, [binary, {packet, 4}, eof])).

loop(Port) ->
    receive
        {Port, {data, <<Seed:64, Count, Program/binary>>}} ->
            Driver = self(),
            {Pid, Ref} = spawn_monitor(fun() ->
                Driver ! {self(), run(decode(0, Count, Program), Seed)}
            end),
            receive
                {Pid, Trace} ->
                    demonitor(Ref, [flush]),
                    port_command(Port, Trace);
                {'DOWN', Ref, process, Pid, Reason} ->
                    io:format(standard_error, "the runner failed: ~p~n", [Reason]),
                    halt(1)
            end,
            loop(Port);
        {Port, eof} ->
            halt(0)
    end.

%% Programs

decode(Count, Count, <<>>) -> [];
decode(Who, Count, <<Root, Steps, Rest/binary>>) ->
    {Script, More} = steps(Steps, Rest, []),
    [{Who, Root, Script} | decode(Who + 1, Count, More)].

steps(0, Rest, Steps) -> {lists:reverse(Steps), Rest};
steps(Left, <<4, Wait, Patterns, _:16, Rest/binary>>, Steps) ->
    Size = Patterns * 3,
    <<Bytes:Size/binary, More/binary>> = Rest,
    steps(Left - 1, More, [{4, Wait, [{K, A, B} || <<K, A, B>> <= Bytes]} | Steps]);
steps(Left, <<Op, A, B, C, D, Rest/binary>>, Steps) ->
    steps(Left - 1, Rest, [{Op, A, B, C, D} | Steps]).

%% The driver

run(Scripts, Seed) ->
    [ets:delete_all_objects(Table) || Table <- [log, pids, scripts, timers, aliases, ports]],
    ets:insert(scripts, [{Who, Script} || {Who, _, Script} <- Scripts]),
    Live = maps:from_list([{start_root(Who, Seed), Who} || {Who, 1, _} <- Scripts]),
    [Pid ! {go, self()} || Pid <- maps:keys(Live)],
    Rest = settle(Live, 0),
    [log(Who, 21, 0, 0) || Who <- maps:values(Rest)],
    Events = encode(ets:tab2list(log)),
    [exit(Pid, kill) || Pid <- maps:keys(Rest)],
    [receive {trace, Pid, exit, _} -> ok end || Pid <- maps:keys(Rest)],
    [erlang:cancel_timer(Timer) || {Timer, _} <- ets:tab2list(timers)],
    Events.

start_root(Who, Seed) ->
    Pid = spawn(?MODULE, root, [Who, Seed]),
    erlang:trace(Pid, true, [procs, set_on_spawn]),
    known(Who, Pid),
    Pid.

known(Who, Pid) -> ets:insert(pids, [{Who, Pid}, {Pid, Who}]).

%% Goes on until two rounds of probes were answered alike.
settle(Live, Round) ->
    {Now, Acks} = round(Live, Round),
    fire_timers(),
    erlang:system_flag(multi_scheduling, block_normal),
    %% Whoever is at its end has its turns before this process has three.
    [erlang:yield() || _ <- [1, 2, 3]],
    Result = round(Now, Round + 1),
    erlang:system_flag(multi_scheduling, unblock_normal),
    case Result of
        {Rest, Acks} -> Rest;
        {Rest, _} -> settle(Rest, Round + 2)
    end.

round(Live, Round) ->
    [Pid ! {probe, self(), Round} || Pid <- maps:keys(Live)],
    collect(Live, Round, Live, []).

collect(Live, Round, Pending, Acks) when map_size(Pending) =:= 0 ->
    case [{Pid, Who} || {Who, Pid} <- ets:tab2list(pids), is_integer(Who), is_new(Pid, Live)] of
        [] -> {Live, lists:sort(Acks)};
        New -> add(New, Live, Round, Pending, Acks)
    end;
collect(Live, Round, Pending, Acks) ->
    receive
        {ack, Pid, Round, Count} ->
            collect(Live, Round, maps:remove(Pid, Pending), [{Pid, Count} | Acks]);
        {trace, Pid, exit, Reason} when is_map_key(Pid, Live) ->
            ended(Pid, Reason, Live),
            collect(maps:remove(Pid, Live), Round, maps:remove(Pid, Pending), Acks);
        {trace, _, spawn, Pid, {?MODULE, child, [Who, _]}} when not is_map_key(Pid, Live) ->
            case is_new(Pid, Live) of
                true ->
                    known(Who, Pid),
                    add([{Pid, Who}], Live, Round, Pending, Acks);
                false ->
                    collect(Live, Round, Pending, Acks)
            end
    end.

add(New, Live, Round, Pending, Acks) ->
    [Pid ! {probe, self(), Round} || {Pid, _} <- New],
    Map = maps:from_list(New),
    collect(maps:merge(Live, Map), Round, maps:merge(Pending, Map), Acks).

%% Neither alive nor known to have ended.
is_new(Pid, Live) -> not is_map_key(Pid, Live) andalso get({ended, Pid}) =:= undefined.

ended(Pid, Reason, Live) ->
    put({ended, Pid}, true),
    log(maps:get(Pid, Live), 20, reason_code(Reason), 0).

fire_timers() ->
    case [Timer || {Timer, 0} <- ets:tab2list(timers), erlang:read_timer(Timer) =/= false] of
        [] -> ok;
        _ -> erlang:yield(), fire_timers()
    end.

encode(Log) ->
    [<<Who, Code, (operand(A)), (operand(B)), 0>> || {_, Who, Code, A, B} <- Log].

operand(Pid) when is_pid(Pid) ->
    case ets:lookup(pids, Pid) of
        [{_, Who}] -> Who;
        [] -> 255
    end;
operand(Number) -> Number.

%% The processes of a program

root(Who, Seed) ->
    receive {go, _} -> ok end,
    begin_script(Who, Seed).

child(Who, Seed) ->
    known(Who, self()),
    begin_script(Who, Seed).

begin_script(Who, Seed) ->
    put(random, (Seed + Who * 7919) band 16#7FFFFFFF),
    put(count, 0),
    %% Not low: what is at its end must not wait for all others.
    random(8) =:= 0 andalso process_flag(priority, high),
    [{_, Script}] = ets:lookup(scripts, Who),
    play(Script, Who).

play([], _) -> ok;
play([{29, _, _, _, _} | Rest], Who) ->
    stumble(random(10)),
    erlang:hibernate(?MODULE, wake, [Rest, Who]);
play([Step | Rest], Who) ->
    stumble(random(10)),
    case do(Step, Who) of
        {Code, A, B} -> seen(Who, Code, A, B);
        Code -> seen(Who, Code, 0, 0)
    end,
    play(Rest, Who).

%% There is a message. What the driver sends is none of the program.
wake(Rest, Who) ->
    %% Brings in all that has arrived: process_info alone overlooks some of it in OTP 25.
    receive nothing -> ok after 0 -> ok end,
    case process_info(self(), messages) of
        {_, All} ->
            case [M || M <- All, lists:member(element(1, M), [m, 'EXIT', 'DOWN'])] of
                [] ->
                    receive {probe, Driver, Round} -> Driver ! {ack, self(), Round, get(count)} end,
                    erlang:hibernate(?MODULE, wake, [Rest, Who]);
                _ ->
                    seen(Who, 0, 0, 0),
                    play(Rest, Who)
            end
    end.

%% Lets others run at random.
stumble(0) -> erlang:yield();
stumble(1) -> erlang:yield(), erlang:yield(), erlang:yield();
stumble(2) -> erlang:bump_reductions(4000);
stumble(3) -> [erlang:yield() || _ <- lists:seq(1, random(20))];
stumble(_) -> ok.

random(Below) ->
    Next = (get(random) * 1103515245 + 12345) band 16#7FFFFFFF,
    put(random, Next),
    (Next bsr 12) rem Below.

seen(Who, Code, A, B) ->
    log(Who, Code, A, B),
    put(count, get(count) + 1).

log(Who, Code, A, B) ->
    ets:insert(log, {erlang:unique_integer([monotonic]), Who, Code, A, B}).

pid(Who, Who) -> self();
pid(Other, _) -> ets:lookup_element(pids, Other, 2).

%% The code of what the step did, with operands if it has any.
do({1, Child, Link, Monitor, Watch}, _) ->
    Options = [link || Link =:= 1] ++ [monitor || Monitor =:= 1],
    case spawn_opt(?MODULE, child, [Child, get(random)], Options) of
        {Pid, Ref} ->
            watch(Watch, Ref),
            known(Child, Pid);
        Pid ->
            known(Child, Pid)
    end,
    0;
do({2, To, Tag, _, _}, Who) -> pid(To, Who) ! {m, Who, Tag}, 0;
do({3, Name, Tag, _, _}, Who) -> refused(fun() -> name(Name) ! {m, Who, Tag} end);
do({4, Wait, Patterns}, Who) ->
    Wanted = maps:from_list([{pattern(Pattern, Who), true} || Pattern <- Patterns]),
    wait(Wanted, case Wait of 0 -> 0; 1 -> ?FAR; 2 -> infinity end);
do({5, To, _, _, _}, Who) ->
    %% The exit signal `noproc` of a link to nothing comes at once here, as an error.
    try link(pid(To, Who)) of true -> 0 catch error:noproc -> exit(noproc) end;
do({6, To, _, _, _}, Who) -> unlink(pid(To, Who)), 0;
do({7, To, Watch, Alias, Mode}, Who) -> watch(Watch, monitor_as(pid(To, Who), Alias, Mode)), 0;
do({8, Name, Watch, Alias, Mode}, _) -> watch(Watch, monitor_as(name(Name), Alias, Mode)), 0;
do({9, Watch, 0, _, _}, _) -> demonitor(get({watch, Watch})), 0;
do({9, Watch, 1, _, _}, _) -> demonitor(get({watch, Watch}), [flush]), 0;
do({10, To, Reason, _, _}, Who) ->
    %% Nothing that this catches: an exit signal is no exception, not even to oneself.
    try exit(pid(To, Who), reason(Reason)) of true -> 0 catch _:_ -> 3 end;
do({11, Reason, _, _, _}, _) -> exit(reason(Reason));
do({12, _, _, _, _}, _) -> hd(get(nothing));
do({13, On, _, _, _}, _) -> boolean(process_flag(trap_exit, On =:= 1));
do({14, Name, To, _, _}, Who) ->
    Pid = pid(To, Who),
    refused(fun() -> register(name(Name), Pid) end);
do({15, Name, _, _, _}, _) -> refused(fun() -> unregister(name(Name)) end);
do({16, Name, _, _, _}, _) ->
    case whereis(name(Name)) of
        undefined -> 9;
        Pid -> {8, Pid, 0}
    end;
do({17, Timer, To, Tag, Wait}, Who) -> timer(Timer, pid(To, Who), Tag, Wait, Who), 0;
do({28, Timer, Name, Tag, Wait}, Who) -> timer(Timer, name(Name), Tag, Wait, Who), 0;
do({18, Timer, _, _, _}, _) -> boolean(erlang:cancel_timer(get({timer, Timer})) =/= false);
do({27, Timer, _, _, _}, _) -> boolean(erlang:read_timer(get({timer, Timer})) =/= false);
do({19, To, _, _, _}, Who) -> boolean(is_process_alive(pid(To, Who)));
do({20, Alias, Reply, _, _}, _) ->
    made(Alias, alias([case Reply of 0 -> explicit_unalias; 1 -> reply end])),
    0;
do({21, Alias, _, _, _}, _) -> boolean(unalias(ets:lookup_element(aliases, Alias, 2)));
do({22, Alias, Tag, _, _}, Who) -> ets:lookup_element(aliases, Alias, 2) ! {m, Who, Tag}, 0;
do({23, To, _, _, _}, Who) -> refused(fun() -> erlang:suspend_process(pid(To, Who)) end);
do({24, To, _, _, _}, Who) -> refused(fun() -> erlang:resume_process(pid(To, Who)) end);
do({25, Of, Query, _, _}, Who) -> info(pid(Of, Who), Query);
do({26, Priority, _, _, _}, _) ->
    refused(fun() -> process_flag(priority, priority(Priority)) end);
do({30, Place, _, _, _}, _) ->
    refused(fun() -> process_flag(message_queue_data, queue_data(Place)) end);
do({31, _, _, _, _}, _) ->
    process_flag(max_heap_size, #{size => 1000000, kill => true, error_logger => false}),
    0;
do({32, _, _, _, _}, _) -> _ = grow(), 0;
do({33, _, _, _, _}, _) ->
    %% One of high priority would let nobody else run.
    process_flag(priority, normal),
    spin(0);
do({34, _, _, _, _}, _) ->
    Begin = erlang:monotonic_time(),
    Ref = erlang:start_timer(?NAP, self(), nap),
    receive {timeout, Ref, nap} -> ok end,
    boolean(erlang:monotonic_time() - Begin >= erlang:convert_time_unit(?NAP, millisecond, native));
do({36, Port, _, _, _}, _) ->
    {ok, Listener} = gen_tcp:listen(0, ?SOCKET),
    {ok, Number} = inet:port(Listener),
    ets:insert(ports, {Port, Number}),
    put({listener, Port}, Listener),
    0;
do({37, Port, _, _, _}, _) ->
    Number = ets:lookup_element(ports, Port, 2),
    {ok, Stream} = gen_tcp:connect({127, 0, 0, 1}, Number, ?SOCKET),
    put({stream, Port}, Stream),
    0;
do({38, Port, _, _, _}, _) ->
    {ok, Stream} = gen_tcp:accept(get({listener, Port})),
    put({stream, Port}, Stream),
    0;
do({39, Port, _, _, _}, _) ->
    case gen_tcp:recv(get({stream, Port}), 0) of
        {ok, _} -> 2;
        {error, _} -> 1
    end;
do({35, Of, _, _, _}, Who) -> boolean(lists:member(pid(Of, Who), processes())).

spin(Count) -> spin(Count + 1).

timer(Timer, To, Tag, Wait, Who) ->
    Ref = erlang:send_after(case Wait of 0 -> 0; _ -> ?FAR end, To, {m, Who, Tag}),
    ets:insert(timers, {Ref, Wait}),
    put({timer, Timer}, Ref).

monitor_as(To, 255, _) -> monitor(process, To);
monitor_as(To, Alias, Mode) ->
    Option = element(Mode + 1, {explicit_unalias, demonitor, reply_demonitor}),
    made(Alias, monitor(process, To, [{alias, Option}])).

made(Alias, Ref) ->
    ets:insert(aliases, {Alias, Ref}),
    Ref.

priority(Number) -> element(Number + 1, {low, normal, high, 3, 4, 5, 6, 7, 8, wrong}).

%% Words are eight bytes: eight megabytes, and far more.
grow() -> length(lists:seq(1, 4000000)).

queue_data(0) -> on_heap;
queue_data(1) -> off_heap;
queue_data(_) -> wrong.

%% What the driver sends is no message of the program.
info(Pid, 0) ->
    case process_info(Pid, messages) of
        {_, All} ->
            {10, length([M || M <- All, lists:member(element(1, M), [m, 'EXIT', 'DOWN'])]), 0};
        undefined -> 9
    end;
info(Pid, 4) ->
    case process_info(Pid, trap_exit) of
        {_, Traps} -> boolean(Traps);
        undefined -> 9
    end;
info(Pid, Query) ->
    case process_info(Pid, element(Query, {links, monitors, monitored_by})) of
        {_, List} -> {10, length(List), 0};
        undefined -> 9
    end.

boolean(true) -> 1;
boolean(false) -> 2.

refused(Fun) ->
    try Fun() of _ -> 0 catch error:badarg -> 3 end.

watch(Watch, Ref) ->
    put({watch, Watch}, Ref),
    put({ref, Ref}, Watch).

name(Name) -> lists:nth(Name + 1, [n0, n1, n2, n3, n4, n5, n6, n7]).

pattern({0, _, _}, _) -> any;
pattern({1, Tag, _}, _) -> {tag, Tag};
pattern({2, From, _}, _) -> {from, From};
pattern({3, From, Tag}, _) -> {from, From, Tag};
pattern({4, _, _}, _) -> exit;
pattern({5, From, _}, Who) -> {exit, pid(From, Who)};
pattern({6, _, _}, _) -> down;
pattern({7, Watch, _}, _) -> {down, get({watch, Watch})}.

wait(Wanted, Time) ->
    receive
        {m, From, Tag} when
            is_map_key(any, Wanted);
            is_map_key({tag, Tag}, Wanted);
            is_map_key({from, From}, Wanted);
            is_map_key({from, From, Tag}, Wanted)
        ->
            {5, From, Tag};
        {'EXIT', From, Reason} when
            is_map_key(any, Wanted);
            is_map_key(exit, Wanted);
            is_map_key({exit, From}, Wanted)
        ->
            {6, From, reason_code(Reason)};
        {'DOWN', Ref, process, _, Reason} when
            is_map_key(any, Wanted);
            is_map_key(down, Wanted);
            is_map_key({down, Ref}, Wanted)
        ->
            {7, get({ref, Ref}), reason_code(Reason)};
        {probe, Driver, Round} when Time =/= 0 ->
            Driver ! {ack, self(), Round, get(count)},
            wait(Wanted, Time)
    after Time -> 4
    end.

reason(0) -> normal;
reason(1) -> kill;
reason(2) -> killed;
reason(3) -> shutdown;
reason(4) -> noproc;
reason(5) -> crash;
reason(16) -> oops;
reason(17) -> done;
reason(18) -> late.

reason_code(normal) -> 0;
reason_code(kill) -> 1;
reason_code(killed) -> 2;
reason_code(shutdown) -> 3;
reason_code(noproc) -> 4;
reason_code(oops) -> 16;
reason_code(done) -> 17;
reason_code(late) -> 18;
%% A run-time error comes with the calls that led there.
reason_code({badarg, Stack}) when is_list(Stack) -> 5;
reason_code(_) -> 255.
