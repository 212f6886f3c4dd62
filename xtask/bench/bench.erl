%% The BEAM's side of `cargo xtask bench`: the same questions, in the same words and with the same
%% answers as examples/bench/src/main.rs.
%%
%% erl -noshell -run bench main spawn_turn 10000
-module(bench).
-export([main/1, echo/0, forward/1]).

-define(RING_PROCESSES, 1000).
-define(SENDERS, 10).
-define(BUSY_LOOPS, 4).

main([Question, SizeText]) ->
    Size = list_to_integer(SizeText),
    case Question of
        "spawn_turn" -> cold_and_warm(1 + Size div 50, Size, fun spawn_turn/1);
        "spawn_many" -> cold_and_warm(Size, Size, fun spawn_many/1);
        "round_trip" -> timed(Size, fun round_trip/1);
        "ring" -> timed(Size, fun ring/1);
        "fan_in" -> timed(Size, fun fan_in/1);
        "fib" -> timed(1, fun(_) -> true = fib(Size) > 0 end);
        "waiting" -> waiting(Size);
        "crowd" -> crowd(Size);
        "late" -> late(Size)
    end,
    halt(0).

timed(Size, Work) ->
    io:format("{\"total_ns\": ~b, \"ops\": ~b}~n", [took(fun() -> Work(Size) end), Size]).

cold_and_warm(ColdSize, Size, Work) ->
    Cold = took(fun() -> Work(ColdSize) end),
    Warm = took(fun() -> Work(Size) end),
    io:format("{\"total_ns\": ~b, \"ops\": ~b, \"cold_ns\": ~b, \"cold_ops\": ~b}~n",
              [Warm, Size, Cold, ColdSize]).

took(Work) ->
    Begin = erlang:monotonic_time(nanosecond),
    Work(),
    erlang:monotonic_time(nanosecond) - Begin.

spawn_turn(0) -> ok;
spawn_turn(Size) ->
    Root = self(),
    spawn(fun() -> Root ! done end),
    receive done -> ok end,
    spawn_turn(Size - 1).

spawn_many(Size) ->
    Root = self(),
    [spawn(fun() -> Root ! done end) || _ <- lists:seq(1, Size)],
    collect(Size).

collect(0) -> ok;
collect(Size) -> receive _ -> collect(Size - 1) end.

round_trip(Size) -> round_trip(spawn(?MODULE, echo, []), Size).

round_trip(_, 0) -> ok;
round_trip(Echo, Size) ->
    Echo ! {self(), Size},
    receive Size -> round_trip(Echo, Size - 1) end.

echo() -> receive {From, Number} -> From ! Number, echo() end.

ring(Size) ->
    First = lists:foldl(fun(_, Next) -> spawn(?MODULE, forward, [Next]) end,
                        self(), lists:seq(2, ?RING_PROCESSES)),
    laps(First, Size div ?RING_PROCESSES).

laps(_, 0) -> ok;
laps(First, Laps) ->
    First ! Laps,
    receive Laps -> laps(First, Laps - 1) end.

forward(Next) -> receive Token -> Next ! Token, forward(Next) end.

fan_in(Size) ->
    Root = self(),
    Each = Size div ?SENDERS,
    [spawn(fun() -> [Root ! Number || Number <- lists:seq(1, Each)] end)
     || _ <- lists:seq(1, ?SENDERS)],
    collect(Each * ?SENDERS).

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

waiting(Size) ->
    ready(),
    Begin = erlang:monotonic_time(nanosecond),
    Processes = start_waiting(Size),
    Start = erlang:monotonic_time(nanosecond) - Begin,
    ready(),
    End = took(fun() -> wake_and_end(Processes) end),
    io:format("{\"start_ns\": ~b, \"end_ns\": ~b, \"ended\": ~b}~n",
              [Start, End, length(Processes)]).

start_waiting(Size) ->
    Root = self(),
    [begin
         Process = spawn(fun() -> Root ! up, receive stop -> Root ! down end end),
         receive up -> Process end
     end || _ <- lists:seq(1, Size)].

wake_and_end(Processes) ->
    [Process ! stop || Process <- Processes],
    collect(length(Processes)).

crowd(Size) ->
    Spawns = 20000,
    Trips = 100000,
    Begin = erlang:monotonic_time(nanosecond),
    Processes = start_waiting(Size),
    Start = (erlang:monotonic_time(nanosecond) - Begin) div Size,
    Spawn = took(fun() -> spawn_turn(Spawns) end) div Spawns,
    Trip = took(fun() -> round_trip(Trips) end) div Trips,
    Wake = took(fun() -> wake_and_end(Processes) end) div Size,
    io:format("{\"start_ns\": ~b, \"spawn_ns\": ~b, \"trip_ns\": ~b, \"wake_ns\": ~b}~n",
              [Start, Spawn, Trip, Wake]).

ready() ->
    io:format("ready~n"),
    io:get_line("").

late(Size) ->
    [spawn(fun Spin() -> Spin() end) || _ <- lists:seq(1, ?BUSY_LOOPS)],
    Late = lists:sort([late_once() || _ <- lists:seq(1, Size)]),
    At = fun(Percent) -> lists:nth(min(Size, Size * Percent div 100 + 1), Late) end,
    io:format("{\"p50_ns\": ~b, \"p99_ns\": ~b, \"max_ns\": ~b}~n", [At(50), At(99), At(100)]).

late_once() ->
    Begin = erlang:monotonic_time(nanosecond),
    receive after 1 -> ok end,
    max(0, erlang:monotonic_time(nanosecond) - Begin - 1000000).
