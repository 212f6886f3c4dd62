%% Plays behaviour scenarios with OTP's own behaviours and tells what they did.
%%
%% Frames come in on stdin and go out on stdout, each behind its length as four bytes. A frame that
%% comes in is a scenario, lines of words (src/behaviours/script.rs says which); one that goes out
%% has a line for each step: what was told, what the step gave, who ended.
%%
%% What must stay true: after each step this waits until nothing moves any more, and never for a
%% time; whatever a scenario leaves behind is gone before the next begins.

-module(behaviours).
-export([main/0]).

-define(MODULES,
    [behaviour_supervision, behaviour_server, behaviour_machine, behaviour_groups,
        behaviour_events]).

main() ->
    logger:set_primary_config(level, none),
    application:set_env(kernel, global_multi_name_action, allow),
    loop(open_port({fd, 0, 1}, [binary, {packet, 4}, eof])).

loop(Port) ->
    receive
        {Port, {data, Text}} ->
            Main = self(),
            {Pid, Ref} = spawn_monitor(fun() -> Main ! {self(), run(Text)} end),
            receive
                {Pid, Trace} ->
                    receive {'DOWN', Ref, process, Pid, _} -> ok end,
                    port_command(Port, Trace);
                {'DOWN', Ref, process, Pid, Reason} ->
                    io:format(standard_error, "~s~nfailed: ~p~n", [Text, Reason]),
                    halt(1)
            end,
            loop(Port);
        {Port, eof} ->
            halt(0)
    end.

run(Text) ->
    process_flag(trap_exit, true),
    behaviour_recorder:start(),
    Lines = [words(Line) || Line <- binary:split(Text, <<"\n">>, [global])],
    Trace = [play(Line) || Line <- Lines],
    behaviour_recorder:stop(),
    behaviour_groups:clean(),
    lists:join("\n", [Step || Step <- Trace, Step =/= declared]).

words(Line) -> [binary_to_atom(Word) || Word <- binary:split(Line, <<" ">>, [global])].

play([Verb | Rest]) ->
    case behaviour_supervision:declare(Verb, Rest) orelse
        behaviour_machine:declare(Verb, Rest) of
        true -> declared;
        false ->
            Result = do(Verb, Rest),
            behaviour_supervision:quiesce(),
            behaviour_server:quiesce(),
            behaviour_machine:quiesce(),
            behaviour_events:quiesce(),
            {Log, Ends} = behaviour_recorder:settle(),
            lists:join("; ", Log ++ [Result || Result =/= nothing] ++ Ends)
    end.

do(Verb, Rest) -> do(Verb, Rest, ?MODULES).

do(Verb, Rest, [Module | Others]) ->
    case Module:do(Verb, Rest) of
        unknown -> do(Verb, Rest, Others);
        Result -> Result
    end.
