%% Servers in behaviour scenarios: a gen_server that tells of its start and its end, holds calls and
%% answers them later, those that call it, and `sys`.
%%
%% What must stay true: each step names its function of `gen_server` or `sys`; a caller whose server
%% has ended is waited for.

-module(behaviour_server).
-export([do/2, quiesce/0, planned/2, start_worker/2, start_template/2]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([code_change/3]).

-define(FAR, 3600000).
-import(behaviour_words, [reason/1, term/1, number/1]).
-import(behaviour_recorder,
    [pid/1, last/1, name/1, begins/1, event/1, ending/1, failing/1, await/1, await_end/1]).

%% Steps

do(server, [Name | Words]) ->
    put({attributes, Name}, Words),
    put({own, Name}, true),
    Started = start_worker(Name, Words),
    case Started of
        {ok, _} ->
            [await([atom_to_list(Name), " continue first"]) || lists:member(continue, Words)],
            [await([atom_to_list(Name), " timeout"]) || lists:member(zero, Words)],
            "ok";
        ignore -> "ignored";
        {error, {already_started, Pid}} -> ["already_started ", name(Pid)];
        {error, Reason} -> ["error ", reason(Reason)]
    end;
do(call, [Server, Kind, Word | Rest]) ->
    Result = call(Server, Kind, Word, case Rest of [zero] -> 0; [] -> infinity end),
    [await([atom_to_list(Server), " ", Text, " ", atom_to_list(Word)]) ||
        {K, Text} <- [{early, "went on"}, {then, "continue"}], K =:= Kind],
    [await([atom_to_list(Server), " timeout"]) || Kind =:= zero],
    Result;
do(ask, [Client, Server, Kind, Word]) ->
    Pid = spawn(fun() ->
        begins(Client),
        Result = call(Server, Kind, Word, infinity),
        ending([atom_to_list(Client), " ", Result])
    end),
    case lists:member(Kind, [later, hand]) of
        true ->
            await([atom_to_list(Server), " holds ", atom_to_list(Word)]),
            put({held, Word}, {Pid, pid(Server)});
        false -> await_end_of(Pid, Client)
    end,
    nothing;
do(release, [Server, Word]) -> answer(Server, release, Word);
do(hand_on, [Server, Word]) -> answer(Server, hand_on, Word);
do(cast, [Server, Word]) -> told(Server, fun(To) -> gen_server:cast(To, {word, Word}) end);
do(info, [Server, Word]) -> told(Server, fun(To) -> catch To ! {word, Word} end);
do(halt, [Server, Reason]) ->
    Pid = pid(Server),
    Result = try gen_server:stop(Pid, term(Reason), infinity) of ok -> "ok"
    catch exit:Why -> reason(Why)
    end,
    await_end(Pid),
    Result;
do(hear, [Name]) ->
    Pid = last(Name),
    receive {'EXIT', Pid, Reason} -> ["exit ", reason(Reason)] end;
do(mailbox, []) ->
    %% What the dead have sent is here when this has been answered.
    [false = is_process_alive(Pid) || Pid <- behaviour_recorder:ended()],
    case flush() of
        [] -> "empty";
        Items -> lists:join(", ", lists:sort(Items))
    end;
do(suspend, [Server]) -> system(Server, fun(Pid) -> sys:suspend(Pid), "ok" end);
do(resume, [Server]) -> system(Server, fun(Pid) -> sys:resume(Pid), sys:get_state(Pid), "ok" end);
do(state, [Server]) ->
    system(Server, fun(Pid) -> atom_to_list(maps:get(state, sys:get_state(Pid))) end);
do(replace, [Server, Word]) ->
    system(Server, fun(Pid) ->
        try sys:replace_state(Pid, fun(State) -> changed(State, Word) end) of _ -> "ok"
        catch error:_ -> "refused"
        end
    end);
do(change, [Server, Word]) ->
    system(Server, fun(Pid) ->
        case sys:change_code(Pid, ?MODULE, old, Word) of
            ok -> "ok";
            {error, _} -> "refused"
        end
    end);
do(_, _) -> unknown.

%% Whoever was started may not have said yet that it is there.
await_end_of(Pid, Client) ->
    Ref = monitor(process, Pid),
    receive {'DOWN', Ref, process, Pid, _} -> await_end(last(Client)) end.

system(Server, Fun) ->
    case pid(Server) of
        undefined -> "not running";
        Pid -> Fun(Pid)
    end.

%% A name with @ is a registered one.
destination(Server) ->
    case atom_to_list(Server) of
        "@" ++ Name -> list_to_atom(Name);
        _ -> last(Server)
    end.

call(Server, Kind, Word, Time) ->
    try gen_server:call(destination(Server), {ask, Kind, Word}, Time) of
        Answer -> ["got ", atom_to_list(Answer)]
    catch
        exit:{Reason, {gen_server, call, _}} -> why(Reason)
    end.

why(timeout) -> "timeout";
why(Reason) -> ["down ", reason(Reason)].

answer(Server, How, Word) ->
    gen_server:cast(destination(Server), {How, Word}),
    case erase({held, Word}) of
        {Client, _} -> await_end(Client);
        undefined -> await([atom_to_list(Server), " answers ", atom_to_list(Word)])
    end,
    nothing.

%% Tells a server something, and waits until it has taken it, or has ended.
told(Server, Tell) ->
    Destination = destination(Server),
    Tell(Destination),
    try sys:get_state(Destination) of _ -> nothing catch exit:_ -> nothing end.

flush() ->
    receive
        {'EXIT', Pid, Reason} -> [["exit ", name(Pid), " ", reason(Reason)] | flush()];
        _ -> ["message" | flush()]
    after 0 -> []
    end.

%% Waits for the end of those whose server has ended.
quiesce() ->
    [begin erase({held, Word}), await_end(Client) end ||
        {{held, Word}, {Client, Server}} <- get(), not is_process_alive(Server)],
    ok.

%% What is started

start_worker(Name, Words) ->
    Options = [{timeout, 1} || lists:member(short, options(within, Words))],
    case options(name, Words) of
        [] -> gen_server:start_link(?MODULE, {Name, Words}, Options);
        [Registered | _] ->
            gen_server:start_link({local, Registered}, ?MODULE, {Name, Words}, Options)
    end.

start_template(Words, Name) -> start_worker(Name, Words).

options(Option, [Option, Value | Rest]) -> [Value | options(Option, Rest)];
options(Option, [_ | Rest]) -> options(Option, Rest);
options(_, []) -> [].

%% How the start of this number goes.
planned(Count, [at, Number, How | Rest]) ->
    case number(Number) of
        Count -> How;
        _ -> planned(Count, Rest)
    end;
planned(Count, [_ | Rest]) -> planned(Count, Rest);
planned(_, []) -> ok.

init({Name, Words}) ->
    process_flag(trap_exit, lists:member(traps, Words)),
    [receive never -> ok end || lists:member(hang, Words)],
    Text = atom_to_list(Name),
    case planned(begins(Name), Words) of
        ok ->
            event(["start ", Text]),
            State = #{name => Text, words => Words, held => [], state => new},
            case {lists:member(continue, Words), lists:member(zero, Words)} of
                {true, _} -> {ok, State, {continue, first}};
                {_, true} -> {ok, State, 0};
                _ -> {ok, State}
            end;
        ignore ->
            failing(["ignore ", Text]),
            ignore;
        fail ->
            failing(["fail ", Text]),
            {stop, oops};
        crash ->
            failing(["fail ", Text]),
            error(crash)
    end.

handle_continue(Word, #{name := Name} = State) ->
    event([Name, " continue ", atom_to_list(Word)]),
    {noreply, State}.

handle_call({ask, Kind, Word}, From, #{name := Name, held := Held} = State) ->
    case Kind of
        echo -> {reply, Word, State};
        early ->
            gen_server:reply(From, Word),
            event([Name, " went on ", atom_to_list(Word)]),
            {noreply, State};
        later ->
            event([Name, " holds ", atom_to_list(Word)]),
            {noreply, State#{held := Held ++ [{Word, From}]}};
        then -> {reply, Word, State, {continue, Word}};
        zero -> {reply, Word, State, 0};
        far -> {reply, Word, State, ?FAR};
        stop -> {stop, term(Word), Word, State};
        leave -> {stop, term(Word), State};
        crash -> error(crash);
        state -> {reply, maps:get(state, State), State};
        myself ->
            Answer = try gen_server:call(self(), {ask, echo, Word}, infinity)
            catch exit:{calling_self, _} -> calling_self
            end,
            {reply, Answer, State}
    end.

handle_cast({stop, Reason}, State) -> {stop, term(Reason), State};
handle_cast(crash, _) -> error(crash);
handle_cast({word, Word}, #{name := Name} = State) ->
    event([Name, " cast ", atom_to_list(Word)]),
    {noreply, State#{state := Word}};
handle_cast({How, Word}, #{name := Name, held := Held} = State) ->
    {value, {_, From}, Rest} = lists:keytake(Word, 1, Held),
    event([Name, " answers ", atom_to_list(Word)]),
    case How of
        release -> gen_server:reply(From, Word);
        hand_on -> spawn(fun() -> gen_server:reply(From, Word) end)
    end,
    {noreply, State#{held := Rest}}.

handle_info({'EXIT', _, Reason}, #{name := Name} = State) ->
    event(["signal ", Name, " ", reason(Reason)]),
    {noreply, State};
handle_info({word, Word}, #{name := Name} = State) ->
    event([Name, " info ", atom_to_list(Word)]),
    {noreply, State};
handle_info(timeout, #{name := Name} = State) ->
    event([Name, " timeout"]),
    {noreply, State}.

%% A run-time error leads here in OTP; in other languages it may not.
terminate({crash, _}, _) -> ok;
terminate(Reason, #{name := Name, words := Words}) ->
    case lists:member(stubborn, Words) of
        true -> receive never -> ok end;
        false -> ending(["stop ", Name, " ", reason(Reason)])
    end.

code_change(old, State, Word) -> {ok, changed(State, Word)}.

changed(_, bad) -> error(refused);
changed(State, Word) -> State#{state := Word}.
