%% Event managers in behaviour scenarios: OTP's `gen_event` and handlers that tell what they hear.
%%
%% What must stay true: each step names its function of `gen_event`; a step is over when the manager
%% has answered; a handler whose supervising process is dead is waited for.

-module(behaviour_events).
-export([do/2, quiesce/0]).
-export([init/1, handle_event/2, handle_call/2, handle_info/2, terminate/2]).

-import(behaviour_words, [reason/1]).
-import(behaviour_recorder, [last/1, begins/1, event/1, await/1, await_end/1]).

do(manager, [Name]) ->
    {ok, Pid} = gen_event:start_link(),
    put({manager, Name}, Pid),
    "ok";
do(add, [Manager, supervised, Name | Words]) ->
    added(gen_event:add_sup_handler(pid(Manager), id(Name), {Name, Words}));
do(add, [Manager, Name | Words]) ->
    added(gen_event:add_handler(pid(Manager), id(Name), {Name, Words}));
do(supervise, [Process, Manager, Name | Words]) ->
    {Pid, Driver} = {pid(Manager), self()},
    spawn(fun() ->
        begins(Process),
        Result = added(gen_event:add_sup_handler(Pid, id(Name), {Name, Words})),
        Driver ! {self(), Result},
        receive never -> ok end
    end),
    receive {Added, Result} when is_pid(Added) ->
        put({supervises, Process}, {Added, Name}),
        Result
    end;
do(notify, [Manager | Words]) ->
    [gen_event:notify(pid(Manager), Word) || Word <- Words],
    settle(Manager);
do(note, [Manager, Word]) ->
    pid(Manager) ! Word,
    settle(Manager);
do(sync, [Manager, Word]) ->
    atom_to_list(gen_event:sync_notify(pid(Manager), Word));
do(ask_handler, [Manager, Name, Word]) ->
    case gen_event:call(pid(Manager), id(Name), Word) of
        {error, bad_module} -> "not_found";
        {error, {'EXIT', {crash, _}}} -> "crash";
        Answer -> ["got ", atom_to_list(Answer)]
    end;
do(delete, [Manager, Name, Word]) ->
    [erase(Key) || {{supervises, _} = Key, {_, N}} <- get(), N =:= Name],
    case gen_event:delete_handler(pid(Manager), id(Name), Word) of
        {error, module_not_found} -> "not_found";
        Given -> ["gave ", atom_to_list(Given)]
    end;
do(swap, [Manager, Old, Word, New | Words]) ->
    added(gen_event:swap_handler(pid(Manager), {id(Old), Word}, {id(New), {New, Words}}));
do(handlers, [Manager]) ->
    case gen_event:which_handlers(pid(Manager)) of
        [] -> "nobody";
        Handlers -> lists:join(" ", [atom_to_list(Name) || {_, Name} <- Handlers])
    end;
do(stop_manager, [Manager]) -> atom_to_list(gen_event:stop(pid(Manager)));
do(hear_handler, [Name]) ->
    receive {gen_event_EXIT, {_, Name}, Reason} -> ["gone ", gone(Reason)] end;
do(_, _) -> unknown.

pid(Manager) -> get({manager, Manager}).

id(Name) -> {?MODULE, Name}.

added(ok) -> "ok";
added({error, Reason}) -> ["error ", reason(Reason)];
added({'EXIT', {crash, _}}) -> "crash".

gone({'EXIT', {crash, _}}) -> "crash";
gone({swapped, {_, Name}, _}) -> ["swapped ", atom_to_list(Name)];
gone(Reason) -> reason(Reason).

settle(Manager) ->
    gen_event:which_handlers(pid(Manager)),
    nothing.

quiesce() ->
    [begin erase({supervises, P}), await([atom_to_list(Name), " terminate supervisor"]) end ||
        {{supervises, P}, {Pid, Name}} <- get(), not is_process_alive(Pid)],
    ok.

%% Handlers

init({{Name, Words}, Given}) ->
    event([atom_to_list(Name), " init after ", atom_to_list(case Given of
        error -> nothing;
        Word -> Word
    end)]),
    {ok, {Name, Words, new}};
init({Name, Words}) ->
    event([atom_to_list(Name), " init"]),
    case {lists:member(refuse, Words), lists:member(broken, Words)} of
        {true, _} -> {error, oops};
        {_, true} -> error(crash);
        _ -> {ok, {Name, Words, new}}
    end.

handle_event(Word, {Name, Words, _}) ->
    event([atom_to_list(Name), " event ", atom_to_list(Word)]),
    happens(Word, {Name, Words, Word}).

handle_info(Word, {Name, Words, _}) when is_atom(Word) ->
    event([atom_to_list(Name), " info ", atom_to_list(Word)]),
    happens(Word, {Name, Words, Word});
handle_info(_, State) ->
    {ok, State}.

handle_call(Word, {Name, Words, Before}) ->
    event([atom_to_list(Name), " call ", atom_to_list(Word)]),
    case happens(Word, {Name, Words, Word}) of
        {ok, State} -> {ok, Before, State};
        remove_handler -> {remove_handler, Before};
        {swap_handler, A, S, H, B} -> {swap_handler, Before, A, S, H, B}
    end.

happens(Word, {_, Words, _} = State) ->
    case what(Word, Words) of
        [remove | _] -> remove_handler;
        [crash | _] -> error(crash);
        [swap, New | _] -> {swap_handler, swapped, State, id(New), {New, []}};
        [] -> {ok, State}
    end.

what(Word, [on, Word | Rest]) -> Rest;
what(Word, [_ | Rest]) -> what(Word, Rest);
what(_, []) -> [].

terminate(Why, {Name, _, Word}) ->
    event([atom_to_list(Name), " terminate ", case Why of
        stop -> "stop";
        remove_handler -> "removed";
        {stop, _} -> "supervisor";
        {error, _} -> "crash";
        Argument -> ["of ", atom_to_list(Argument)]
    end]),
    Word.
