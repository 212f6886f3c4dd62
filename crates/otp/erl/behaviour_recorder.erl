%% Writes down what the processes of a behaviour scenario do, in the order of its causes.
%%
%% What must stay true:
%% * whoever tells something goes on only when it is written down, so that the log has the order of
%%   causes although only the order of a pair of processes is promised;
%% * a step is settled when all that must have ended by then have: those that have said that they
%%   end, those that are dead already, and those whose supervisor is dead.

-module(behaviour_recorder).
-export([start/0, stop/0]).
-export([begins/1, attempt/1, born/3, event/1, ending/1, failing/1, answered/2, await/1, await_end/1, settle/0, pid/1, last/1, name/1, ended/0]).

start() ->
    Driver = self(),
    Pid = spawn_link(fun() ->
        register(recorder, self()),
        Driver ! {self(), ready},
        loop(#{log => [], instances => [], counts => #{}, waits => []})
    end),
    receive {Pid, ready} -> ok end.

%% Ends the recorder and all that it knows of.
stop() -> call(stop).

%% The calling process is another one of this name: tells which, counted from 1.
begins(Name) ->
    Count = attempt(Name),
    call({born, Name, Count, self(), parent()}),
    Count.
%% The same in two steps, for a process that cannot tell of itself: its parent does both.
attempt(Name) -> call({attempt, Name}).
born(Name, Count, Pid) -> call({born, Name, Count, Pid, self()}).
event(Text) -> call({event, lists:flatten(Text), self(), #{}}).
%% The same, and the caller ends now.
ending(Text) -> call({event, lists:flatten(Text), self(), #{ending => true}}).
%% The same, and its start has failed: with what reason it ends is not told, since whoever started
%% it may hear of the failure, and end, before.
failing(Text) -> call({event, lists:flatten(Text), self(), #{ending => true, told => true}}).
%% The calling process is about to answer another one, which ends then.
answered(Pid, Text) -> call({event, lists:flatten(Text), Pid, #{ending => true}}).
%% Waits until this has been told since the last step.
await(Text) -> call({await, lists:flatten(Text)}).
await_end(Pid) -> call({await_end, Pid}).
%% What was told since the last step, and who ended why, the oldest first.
settle() -> call(settle).
%% The process that has the name: the last that began and has not ended.
pid(Name) -> call({pid, Name}).
%% The same, be it alive or not.
last(Name) -> call({last, Name}).
name(Pid) -> call({name, Pid}).

%% All that have ended.
ended() -> call(ended).

call(Request) ->
    Ref = monitor(process, recorder),
    recorder ! {self(), Ref, Request},
    receive
        {Ref, Answer} -> demonitor(Ref, [flush]), Answer;
        {'DOWN', Ref, _, _, Reason} -> exit({recorder, Reason})
    end.

parent() ->
    case get('$ancestors') of
        [Pid | _] when is_pid(Pid) -> Pid;
        [Name | _] when is_atom(Name) -> whereis(Name);
        undefined -> none
    end.

loop(State) ->
    receive
        {From, Ref, stop} ->
            Live = [Pid || #{pid := Pid, ended := no} <- maps:get(instances, State)],
            Refs = [begin exit(Pid, kill), monitor(process, Pid) end || Pid <- Live],
            [receive {'DOWN', R, _, _, _} -> ok end || R <- Refs],
            unregister(recorder),
            From ! {Ref, ok};
        {From, Ref, Request} ->
            loop(serve(handle(Request, From, Ref, State)));
        {'DOWN', _, process, Pid, Reason} ->
            loop(serve(ended(Pid, behaviour_words:reason(Reason), State)))
    end.

handle({attempt, Name}, From, Ref, #{counts := Counts} = State) ->
    Count = maps:get(Name, Counts, 0) + 1,
    From ! {Ref, Count},
    State#{counts := Counts#{Name => Count}};
handle({born, Name, Count, Pid, Parent}, From, Ref, #{instances := Instances} = State) ->
    monitor(process, Pid),
    Instance = #{name => Name, count => Count, pid => Pid, parent => Parent,
                 ending => false, ended => no, told => false},
    From ! {Ref, ok},
    State#{instances := [Instance | Instances]};
handle({event, Text, Of, Marks}, From, Ref, State) ->
    #{log := Log, instances := Instances} = State,
    From ! {Ref, ok},
    Mark = fun
        (#{pid := Pid} = I) when Pid =:= Of -> maps:merge(I, Marks);
        (I) -> I
    end,
    State#{log := [Text | Log], instances := lists:map(Mark, Instances)};
handle({pid, Name}, From, Ref, State) ->
    Live = [Pid || #{name := N, pid := Pid, ended := no} <- maps:get(instances, State), N =:= Name],
    From ! {Ref, case Live of [Pid | _] -> Pid; [] -> undefined end},
    State;
handle({last, Name}, From, Ref, State) ->
    All = [Pid || #{name := N, pid := Pid} <- maps:get(instances, State), N =:= Name],
    From ! {Ref, case All of [Pid | _] -> Pid; [] -> undefined end},
    State;
handle(ended, From, Ref, State) ->
    From ! {Ref, [Pid || #{pid := Pid, ended := E} <- maps:get(instances, State), E =/= no]},
    State;
handle({name, Pid}, From, Ref, State) ->
    Names = [io_lib:format("~s#~b", [N, C]) ||
        #{name := N, count := C, pid := P} <- maps:get(instances, State), P =:= Pid],
    From ! {Ref, case Names of [Name | _] -> Name; [] -> "somebody" end},
    State;
handle(Wait, From, Ref, #{waits := Waits} = State) ->
    State#{waits := [{From, Ref, Wait} | Waits]}.

ended(Pid, Reason, #{instances := Instances} = State) ->
    State#{instances := [
        case I of
            #{pid := Pid, ended := no} -> I#{ended := Reason};
            _ -> I
        end
     || I <- Instances]}.

serve(#{waits := Waits} = State) ->
    lists:foldl(fun({From, Ref, Wait}, S) ->
        case answer(Wait, S) of
            wait -> S#{waits := [{From, Ref, Wait} | maps:get(waits, S)]};
            {Answer, Next} -> From ! {Ref, Answer}, Next
        end
    end, State#{waits := []}, Waits).

answer({await, Text}, #{log := Log} = State) ->
    case lists:member(Text, Log) of
        true -> {ok, State};
        false -> wait
    end;
answer({await_end, Pid}, #{instances := Instances} = State) ->
    case [I || #{pid := P, ended := no} = I <- Instances, P =:= Pid] of
        [] -> {ok, State};
        _ -> wait
    end;
answer(settle, #{log := Log, instances := Instances} = State) ->
    case lists:any(fun must_end/1, Instances) of
        true -> wait;
        false ->
            Ends = [io_lib:format("~s ~s", [Name, Reason]) ||
                #{name := Name, ended := Reason, told := false} <- lists:reverse(Instances),
                Reason =/= no],
            Told = [I#{told := maps:get(told, I) orelse maps:get(ended, I) =/= no} || I <- Instances],
            {{lists:reverse(Log), Ends}, State#{log := [], instances := Told}}
    end.

must_end(#{ended := no, ending := true}) -> true;
must_end(#{ended := no, pid := Pid, parent := Parent}) ->
    not is_process_alive(Pid) orelse (is_pid(Parent) andalso not is_process_alive(Parent));
must_end(_) -> false.
