%% Supervisors in behaviour scenarios: OTP's `supervisor`, with the servers of behaviour_server.erl.
%%
%% What must stay true: each step names its function of `supervisor`; it is over when no supervisor
%% lists a process that is dead, or a child that is being restarted.

-module(behaviour_supervision).
-export([declare/2, do/2, quiesce/0]).
-export([start_supervisor/3, init/1]).

-define(FAR, 3600000).
-import(behaviour_words, [reason/1, term/1, number/1]).
-import(behaviour_recorder, [pid/1, name/1, event/1, await/1, await_end/1]).

%% Declarations

declare(supervisor, [Name, Strategy | Words]) ->
    put({supervisor, Name}, {Strategy, Words}),
    put({children, Name}, []),
    case Words of
        [in, Above | Rest] -> add(Above, Name, Rest);
        _ -> true
    end;
declare(child, [Name, in, Above | Words]) -> add(Above, Name, Words);
declare(_, _) -> false.

add(Above, Name, Words) ->
    put({attributes, Name}, Words),
    put({children, Above}, get({children, Above}) ++ [Name]),
    true.

%% {Flags, Specs}, as `init` of a supervisor gives them.
definition(Name) ->
    {Strategy, Words} = get({supervisor, Name}),
    {_, Auto} = lists:keyfind(option(auto, Words, no), 1,
        [{no, never}, {any, any_significant}, {all, all_significant}]),
    Flags = #{
        strategy => Strategy,
        intensity => number(option(intensity, Words, '1')),
        period => case lists:member(zero_period, Words) of true -> 0; false -> 3600 end,
        auto_shutdown => Auto
    },
    {Flags, [spec(Child, get({attributes, Child}), Strategy) || Child <- get({children, Name})]}.

option(Option, Words, Default) ->
    case lists:dropwhile(fun(Word) -> Word =/= Option end, Words) of
        [Option, Value | _] -> Value;
        [] -> Default
    end.

spec(Name, Words, Strategy) ->
    Restart = [Word || Word <- Words, lists:member(Word, [permanent, transient, temporary])],
    {Type, Start} = case get({supervisor, Name}) of
        undefined when Strategy =:= simple_one_for_one ->
            {worker, {behaviour_server, start_template, [Words]}};
        undefined ->
            {worker, {behaviour_server, start_worker, [Name, Words]}};
        _ ->
            {supervisor, {?MODULE, start_supervisor, [Name, Words, definition(Name)]}}
    end,
    #{
        id => Name,
        restart => hd(Restart ++ [permanent]),
        significant => lists:member(significant, Words),
        shutdown => shutdown(option(shutdown, Words, infinity)),
        type => Type,
        start => Start
    }.

shutdown(kill) -> brutal_kill;
shutdown(short) -> 1;
shutdown(far) -> ?FAR;
shutdown(infinity) -> infinity.

shutdown_word(brutal_kill) -> kill;
shutdown_word(1) -> short;
shutdown_word(?FAR) -> far;
shutdown_word(infinity) -> infinity.

%% Steps

do(start, [Name]) ->
    case start_supervisor(Name, [], definition(Name)) of
        {ok, Pid} ->
            put({top, Name}, Pid),
            "ok";
        Other -> started(Other)
    end;
do(start_child, [Above, Name | Words]) ->
    managed(Above, fun(Pid) ->
        put({attributes, Name}, Words),
        started(supervisor:start_child(Pid, spec(Name, Words, none)))
    end);
do(start_dynamic, [Above, Name]) ->
    managed(Above, fun(Pid) ->
        [Template] = get({children, Above}),
        put({attributes, Name}, get({attributes, Template})),
        started(supervisor:start_child(Pid, [Name]))
    end);
do(terminate_child, [Above, Name]) ->
    managed(Above, fun(Pid) -> done(supervisor:terminate_child(Pid, Name)) end);
do(terminate_dynamic, [Above, Name]) ->
    managed(Above, fun(Pid) ->
        managed(Name, fun(Child) -> done(supervisor:terminate_child(Pid, Child)) end)
    end);
do(restart_child, [Above, Name]) ->
    managed(Above, fun(Pid) -> started(supervisor:restart_child(Pid, Name)) end);
do(delete_child, [Above, Name]) ->
    managed(Above, fun(Pid) -> done(supervisor:delete_child(Pid, Name)) end);
do(which, [Name]) ->
    managed(Name, fun(Pid) ->
        lists:join(" ", case supervisor:which_children(Pid) of
            [{undefined, _, _, _} | _] = Children -> lists:sort([shown(Child) || Child <- Children]);
            Children -> [shown(Child) || Child <- Children]
        end)
    end);
do(count, [Name]) ->
    managed(Name, fun(Pid) ->
        Counts = supervisor:count_children(Pid),
        lists:join(" ", [io_lib:format("~s ~b", [Key, proplists:get_value(Key, Counts)]) ||
            Key <- [specs, active, supervisors, workers]])
    end);
do(spec, [Above, Name]) ->
    managed(Above, fun(Pid) ->
        case supervisor:get_childspec(Pid, Name) of
            {ok, #{restart := Restart, shutdown := Shutdown, type := Type} = Spec} ->
                io_lib:format("~s ~s ~s~s", [Restart, Type, shutdown_word(Shutdown),
                    case Spec of #{significant := true} -> " significant"; _ -> "" end]);
            Error -> done(Error)
        end
    end);
do(stop, [Name]) ->
    managed(Name, fun(Pid) ->
        Result = try sys:terminate(Pid, shutdown, infinity) catch exit:Why -> Why end,
        await_end(Pid),
        atom_to_list(Result)
    end);
do(exit, [Name, Reason]) -> ends(Name, fun(Pid) -> gen_server:cast(Pid, {stop, Reason}) end);
do(crash, [Name]) -> ends(Name, fun(Pid) -> gen_server:cast(Pid, crash) end);
do(kill, [Name]) -> ends(Name, fun(Pid) -> exit(Pid, kill) end);
do(signal, [Name, Reason]) ->
    Attributes = case get({attributes, Name}) of undefined -> []; Words -> Words end,
    Supervisor = get({supervisor, Name}) =/= undefined,
    Own = get({own, Name}),
    case lists:member(traps, Attributes) of
        Traps when Supervisor; Traps, Own =:= true -> ends(Name, fun(Pid) -> exit(Pid, term(Reason)) end);
        true ->
            running(Name, fun(Pid) ->
                exit(Pid, term(Reason)),
                await(["signal ", atom_to_list(Name), " ", reason(term(Reason))]),
                nothing
            end);
        false when Reason =:= normal -> running(Name, fun(Pid) -> exit(Pid, normal), nothing end);
        false -> ends(Name, fun(Pid) -> exit(Pid, term(Reason)) end)
    end;
do(_, _) -> unknown.

running(Name, Fun) ->
    case pid(Name) of
        undefined -> "not running";
        Pid -> Fun(Pid)
    end.

managed(Name, Fun) -> running(Name, Fun).

ends(Name, Fun) ->
    running(Name, fun(Pid) ->
        Fun(Pid),
        await_end(Pid),
        nothing
    end).

started({ok, undefined}) -> "ignored";
started({ok, Pid}) -> ["ok ", name(Pid)];
started(ignore) -> "ignored";
started({error, _} = Error) -> done(Error).

done(ok) -> "ok";
done({error, {already_started, Pid}}) -> ["already_started ", name(Pid)];
done({error, simple_one_for_one}) -> "wrong_kind";
done({error, Reason}) -> ["error ", reason(Reason)].

shown({undefined, Pid, Type, _}) -> shown({name(Pid), Pid, Type, []});
shown({Id, undefined, Type, _}) -> io_lib:format("~s:stopped:~s", [Id, Type]);
shown({Id, restarting, Type, _}) -> io_lib:format("~s:restarting:~s", [Id, Type]);
shown({_, Pid, Type, _}) -> io_lib:format("~s:~s", [name(Pid), Type]).

%% Waits until all supervisors are at rest.
quiesce() ->
    Tops = [Pid || {{top, _}, Pid} <- get()],
    case lists:all(fun at_rest/1, Tops) of
        true -> ok;
        false -> erlang:yield(), quiesce()
    end.

%% One that is dead is at rest; one below another is seen in the list of that one.
at_rest(Supervisor) ->
    try supervisor:which_children(Supervisor) of
        Children -> lists:all(fun child_at_rest/1, Children)
    catch exit:_ -> not is_process_alive(Supervisor)
    end.

child_at_rest({_, undefined, _, _}) -> true;
child_at_rest({_, restarting, _, _}) -> false;
child_at_rest({_, Pid, worker, _}) -> is_process_alive(Pid);
child_at_rest({_, Pid, supervisor, _}) -> at_rest(Pid) andalso is_process_alive(Pid).

%% A supervisor below another one
start_supervisor(Name, Words, Definition) ->
    Count = behaviour_recorder:attempt(Name),
    case behaviour_server:planned(Count, Words) of
        ok ->
            event(["start ", atom_to_list(Name)]),
            Result = supervisor:start_link(?MODULE, {supervisor, Definition}),
            [behaviour_recorder:born(Name, Count, Pid) || {ok, Pid} <- [Result]],
            Result;
        ignore ->
            event(["ignore ", atom_to_list(Name)]),
            ignore;
        fail ->
            event(["fail ", atom_to_list(Name)]),
            {error, oops}
    end.

init({supervisor, Definition}) ->
    {ok, Definition}.
