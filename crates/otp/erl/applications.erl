%% Plays one scenario of applications with OTP's own `application`, and tells what happens.
%%
%% A frame comes in on stdin, the lines of the scenario (src/applications.rs says which); frames go
%% out on stdout: what callbacks tell and what steps give, in their order.
%%
%% What must stay true: whoever tells something goes on only when it is written; when all is played,
%% or an application has ended all, this `erl` ends, and is not asked again.

-module(applications).
-behaviour(application).
-export([main/0, start/2, start_phase/3, prep_stop/1, stop/1]).

main() ->
    logger:set_primary_config(level, none),
    Port = open_port({fd, 0, 1}, [binary, {packet, 4}, eof]),
    Text = receive {Port, {data, Data}} -> Data end,
    Player = spawn(fun() ->
        receive begin_now -> ok end,
        try [play(words(Line)) || Line <- binary:split(Text, <<"\n">>, [global])] of
            _ -> tell("all is played")
        catch
            _:Reason -> tell(io_lib:format("failed: ~p", [Reason]))
        end,
        halt(0)
    end),
    register(teller, self()),
    Player ! begin_now,
    write(Port).

write(Port) ->
    receive
        {From, Ref, Text} -> port_command(Port, Text), From ! Ref, write(Port);
        {Port, eof} -> halt(0)
    end.

tell(Text) ->
    Ref = make_ref(),
    teller ! {self(), Ref, Text},
    receive Ref -> ok end.

words(Line) -> [binary_to_atom(Word) || Word <- binary:split(Line, <<" ">>, [global])].

%% ---- steps ----

play([app, Name | Words]) ->
    #{on := On, phases := Phases, plan := Plan} =
        attributes(Words, #{on => [], phases => [], plan => good}),
    Keys = [{start_phases, [{Phase, []} || Phase <- Phases]} || Phases =/= []],
    put({app, Name}, {On, {application, Name, [
        {description, ""}, {vsn, "1"}, {modules, []}, {registered, []},
        {applications, [kernel, stdlib | On]}, {mod, {?MODULE, {Name, Plan}}} | Keys]}});
play([load, Name]) ->
    {_, Specification} = get({app, Name}),
    result(application:load(Specification));
play([start, Name, Kind]) ->
    load(Name),
    result(application:start(Name, Kind));
play([ensure, Name, Kind]) ->
    load_all(Name),
    result(application:ensure_all_started(Name, Kind));
play([stop, Name]) -> result(application:stop(Name));
play([unload, Name]) -> result(application:unload(Name));
play([set, Name, Key, Value]) -> result(application:set_env(Name, Key, Value));
play([get, Name, Key]) -> result(application:get_env(Name, Key));
play([running]) -> tell(names(running()));
play(['end', Name, Reason]) ->
    Name ! {finish, Reason},
    gone(Name).

attributes([on, Name | Rest], #{on := On} = All) -> attributes(Rest, All#{on := On ++ [Name]});
attributes([phase, Name | Rest], #{phases := Phases} = All) ->
    attributes(Rest, All#{phases := Phases ++ [Name]});
attributes([Plan | Rest], All) -> attributes(Rest, All#{plan := Plan});
attributes([], All) -> All.

%% As with an .app file, which these have not.
load(Name) ->
    {_, Specification} = get({app, Name}),
    application:load(Specification).

load_all(Name) ->
    {On, _} = get({app, Name}),
    load(Name),
    [load_all(Other) || Other <- On].

running() -> [Name || {Name, _, _} <- application:which_applications(), get({app, Name}) =/= undefined].

%% Until it does not run any more; for ever if it ends all, with which this `erl` ends.
gone(Name) ->
    try lists:member(Name, running()) of
        true -> erlang:yield(), gone(Name);
        false -> ok
    catch
        exit:_ -> receive never -> ok end
    end.

result(ok) -> tell("ok");
result({ok, Names}) when is_list(Names) -> tell(["ok ", names(Names)]);
result({ok, Value}) -> tell(["ok ", atom_to_list(Value)]);
result(undefined) -> tell("nothing");
result({error, {already_loaded, {application, Name, _}}}) ->
    result({error, {already_loaded, Name}});
result({error, {What, Name}}) when
    What =:= already_started; What =:= not_started; What =:= already_loaded;
    What =:= not_loaded; What =:= running ->
    tell([atom_to_list(What), " ", atom_to_list(Name)]);
result({error, _}) -> tell("failed").

names(Names) -> lists:join(" ", [atom_to_list(Name) || Name <- Names]).

%% ---- callbacks ----

start(_, {Name, Plan}) ->
    tell([atom_to_list(Name), " starts"]),
    case Plan of
        refuses -> {error, refused};
        crashes -> error(crashed);
        _ ->
            Tree = proc_lib:spawn_link(fun tree/0),
            register(Name, Tree),
            {ok, Tree, {Name, Plan}}
    end.

tree() ->
    process_flag(trap_exit, true),
    receive
        {finish, Reason} -> exit(Reason);
        {'EXIT', _, Reason} -> exit(Reason)
    end.

start_phase(Phase, _, _) ->
    tell(["phase ", atom_to_list(Phase)]),
    ok.

prep_stop({Name, _} = State) ->
    Tree = case whereis(Name) of undefined -> "without"; _ -> "with" end,
    tell([atom_to_list(Name), " is to stop ", Tree, " its tree"]),
    State.

stop({Name, _}) -> tell([atom_to_list(Name), " stops"]).
