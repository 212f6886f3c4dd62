%% Groups and registries in behaviour scenarios: OTP's `pg`, and `global` of one node for keys that
%% one process has.
%%
%% What must stay true: a look at members is over when none of them is dead.

-module(behaviour_groups).
-export([do/2, clean/0]).

-import(behaviour_recorder, [last/1, name/1]).

do(groups, [Scope]) ->
    {ok, Pid} = pg:start_link(Scope),
    put({groups, Scope}, Pid),
    "ok";
do(registry, [Scope]) ->
    put({groups, Scope}, global),
    "ok";
do(join, [Scope, Key, Name]) ->
    case get({groups, Scope}) of
        global ->
            case global:register_name({Scope, Key}, last(Name)) of
                yes -> "ok";
                no -> ["taken ", name(global:whereis_name({Scope, Key}))]
            end;
        _ -> atom_to_list(pg:join(Scope, Key, last(Name)))
    end;
do(leave, [Scope, Key, Name]) ->
    Pid = last(Name),
    case get({groups, Scope}) of
        global ->
            case global:whereis_name({Scope, Key}) of
                Pid -> global:unregister_name({Scope, Key}), "ok";
                _ -> "not_joined"
            end;
        _ -> atom_to_list(pg:leave(Scope, Key, Pid))
    end;
do(members, [Scope, Key]) ->
    shown([name(Pid) || Pid <- alive(fun() -> members(Scope, Key) end)]);
do(keys, [Scope]) ->
    Keys = fun() ->
        case get({groups, Scope}) of
            %% A name that is still listed may be that of a process that has just ended.
            global ->
                [Key || {S, Key} <- global:registered_names(), S =:= Scope,
                    is_pid(global:whereis_name({S, Key}))];
            _ -> pg:which_groups(Scope)
        end
    end,
    %% Whoever has a key and is dead goes first.
    [alive(fun() -> members(Scope, Key) end) || Key <- Keys()],
    shown([atom_to_list(Key) || Key <- Keys()]);
do(_, _) -> unknown.

members(Scope, Key) ->
    case get({groups, Scope}) of
        global -> [Pid || Pid <- [global:whereis_name({Scope, Key})], is_pid(Pid)];
        _ -> pg:get_members(Scope, Key)
    end.

alive(Members) ->
    Pids = Members(),
    case lists:all(fun is_process_alive/1, Pids) of
        true -> Pids;
        false -> erlang:yield(), alive(Members)
    end.

shown([]) -> "nobody";
shown(Names) -> lists:join(" ", lists:sort(Names)).

%% Ends what a scenario leaves behind.
clean() -> [gen_server:stop(Pid) || {{groups, _}, Pid} <- get(), is_pid(Pid)].
