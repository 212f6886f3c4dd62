%% State machines in behaviour scenarios: a gen_statem whose transitions are rules of the scenario.
%%
%% What must stay true: each rule is what the callback returns, nothing else; every event that the
%% callback gets is told; a step is over when the machine has answered a system message, which it
%% receives only after all that need not be received.

-module(behaviour_machine).
-export([declare/2, do/2, quiesce/0]).
-export([init/1, callback_mode/0, handle_event/4, terminate/3]).

-define(FAR, 3600000).
-import(behaviour_words, [reason/1, term/1]).
-import(behaviour_recorder,
    [last/1, begins/1, event/1, ending/1, answered/2, await/1, await_end/1]).

declare(rule, [Name | Rule]) ->
    put({rules, Name}, rules(Name) ++ [Rule]),
    true;
declare(_, _) -> false.

rules(Name) -> case get({rules, Name}) of undefined -> []; Rules -> Rules end.

do(machine, [Name, State | Words]) ->
    case gen_statem:start_link(?MODULE, {Name, State, Words, rules(Name)}, []) of
        {ok, Pid} -> settle(Pid), "ok";
        {error, Reason} -> ["error ", reason(Reason)]
    end;
do(push, [Name | Words]) ->
    Pid = last(Name),
    [gen_statem:cast(Pid, Word) || Word <- Words],
    settle(Pid),
    nothing;
do(drop, [Name, Word]) ->
    Pid = last(Name),
    catch Pid ! Word,
    settle(Pid),
    nothing;
do(query, [Name, Word | Rest]) ->
    Pid = last(Name),
    Result = query(Pid, Word, case Rest of [zero] -> 0; [] -> infinity end),
    settle(Pid),
    Result;
do(query_by, [Client, Name, Word]) ->
    Pid = last(Name),
    spawn(fun() ->
        begins(Client),
        %% Nobody answers before this is written down.
        event([atom_to_list(Client), " asks"]),
        Result = query(Pid, Word, infinity),
        ending([atom_to_list(Client), " ", Result])
    end),
    await([atom_to_list(Client), " asks"]),
    await([atom_to_list(Name), " was asked ", atom_to_list(Word)]),
    put({asks, Client}, {last(Client), Pid}),
    settle(Pid),
    nothing;
do(_, _) -> unknown.

query(Pid, Word, Time) ->
    try gen_statem:call(Pid, Word, Time) of Answer -> ["got ", atom_to_list(Answer)]
    catch
        exit:{timeout, {gen_statem, call, _}} -> "timeout";
        exit:{Reason, {gen_statem, call, _}} -> ["down ", reason(Reason)]
    end.

%% The machine has handled all that came before, or has ended.
settle(Pid) ->
    try sys:get_state(Pid) of _ -> ok catch exit:_ -> await_end(Pid) end.

%% Waits for the end of those whose machine has ended.
quiesce() ->
    [begin erase({asks, Name}), await_end(Client) end ||
        {{asks, Name}, {Client, Machine}} <- get(), not is_process_alive(Machine)],
    ok.

callback_mode() -> [handle_event_function, state_enter].

init({Name, State, Words, Rules}) ->
    process_flag(trap_exit, lists:member(traps, Words)),
    begins(Name),
    Text = atom_to_list(Name),
    event(["start ", Text]),
    {ok, State, #{name => Text, rules => Rules, held => #{}, asked => []}}.

handle_event(Type, Content, State, #{name := Name} = Data) ->
    {Kind, Word} = kind(Type, Content),
    Known = case Type of
        {call, {From, _}} ->
            %% It may come again, when it was postponed.
            case lists:member({From, Word}, maps:get(asked, Data)) of
                true -> Data;
                false ->
                    event([Name, " was asked ", atom_to_list(Word)]),
                    Data#{asked := [{From, Word} | maps:get(asked, Data)]}
            end;
        _ -> Data
    end,
    event([Name, " ", atom_to_list(State), " ", atom_to_list(Kind) |
        [[" ", atom_to_list(Word)] || Word =/= '']]),
    Actions = case [Rest || [S, K, W | Rest] <- maps:get(rules, Data),
            S =:= any orelse S =:= State, K =:= Kind, W =:= any orelse W =:= Word] of
        [First | _] -> First;
        [] -> []
    end,
    act(Actions, Type, Word, State, keep, [], Known).

kind(enter, Old) -> {enter, Old};
kind(cast, Word) -> {cast, Word};
kind(internal, Word) -> {internal, Word};
kind(info, {'EXIT', _, Reason}) -> {exit, list_to_atom(lists:flatten(reason(Reason)))};
kind(info, Word) -> {info, Word};
kind({call, _}, Word) -> {call, Word};
kind(state_timeout, _) -> {state_timeout, ''};
kind(timeout, _) -> {event_timeout, ''};
kind({timeout, Name}, _) -> {timeout, Name}.

act([], _, _, _, To, Actions, Data) ->
    Ordered = lists:reverse(Actions),
    case To of
        keep -> {keep_state, Data, Ordered};
        repeat -> {repeat_state, Data, Ordered};
        {to, Next} -> {next_state, Next, Data, Ordered};
        {stop, Reason} -> {stop, Reason, Data}
    end;
act([to, Next | Rest], T, W, S, _, A, D) -> act(Rest, T, W, S, {to, Next}, A, D);
act([repeat | Rest], T, W, S, _, A, D) -> act(Rest, T, W, S, repeat, A, D);
act([stop, Reason | Rest], T, W, S, _, A, D) -> act(Rest, T, W, S, {stop, term(Reason)}, A, D);
act([postpone | Rest], T, W, S, To, A, D) -> act(Rest, T, W, S, To, [postpone | A], D);
act([next, Word | Rest], T, W, S, To, A, D) ->
    act(Rest, T, W, S, To, [{next_event, internal, Word} | A], D);
act([state_timeout, Time | Rest], T, W, S, To, A, D) ->
    act(Rest, T, W, S, To, [{state_timeout, time(Time), x} | A], D);
act([event_timeout, Time | Rest], T, W, S, To, A, D) ->
    act(Rest, T, W, S, To, [{timeout, time(Time), x} | A], D);
act([timeout, Name, Time | Rest], T, W, S, To, A, D) ->
    act(Rest, T, W, S, To, [{{timeout, Name}, time(Time), x} | A], D);
act([cancel, Name | Rest], T, W, S, To, A, D) ->
    act(Rest, T, W, S, To, [{{timeout, Name}, cancel} | A], D);
act([reply, Word | Rest], {call, From} = T, W, S, To, A, D) ->
    reply(From, Word, D),
    act(Rest, T, W, S, To, A, D);
act([hold | Rest], {call, From} = T, W, S, To, A, #{held := Held} = D) ->
    act(Rest, T, W, S, To, A, D#{held := Held#{W => From}});
act([answer, Word | Rest], T, W, S, To, A, #{held := Held} = D) ->
    case maps:take(Word, Held) of
        {From, Others} ->
            reply(From, Word, D),
            act(Rest, T, W, S, To, A, D#{held := Others});
        error -> act(Rest, T, W, S, To, A, D)
    end.

reply({Pid, _} = From, Word, #{name := Name}) ->
    answered(Pid, [Name, " answers ", atom_to_list(Word)]),
    gen_statem:reply(From, Word).

time(zero) -> 0;
time(far) -> ?FAR.

terminate({crash, _}, _, _) -> ok;
terminate(Reason, State, #{name := Name}) ->
    ending(["stop ", Name, " ", reason(Reason), " in ", atom_to_list(State)]).
