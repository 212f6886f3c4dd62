%% The words of behaviour scenarios: reasons, and what else both sides write in the same way.

-module(behaviour_words).
-export([reason/1, term/1, number/1]).

%% Why something ended, as a word.
reason(normal) -> "normal";
reason(shutdown) -> "shutdown";
reason({shutdown, {failed_to_start_child, Id, Reason}}) ->
    io_lib:format("failed ~s (~s)", [Id, reason(Reason)]);
reason({shutdown, Word}) when is_atom(Word) -> io_lib:format("shutdown:~s", [Word]);
reason({crash, Stack}) when is_list(Stack) -> "crash";
reason(Word) when is_atom(Word) -> atom_to_list(Word);
%% What `start_child` gives names the child, too.
reason({Reason, Child}) when element(1, Child) =:= child -> reason(Reason);
reason({start_spec, Error}) -> reason(Error);
reason({duplicate_child_name, Id}) -> io_lib:format("duplicate ~s", [Id]);
reason({supervisor_data, Error}) -> reason(Error);
reason({invalid_period, _}) -> "zero_period";
reason({bad_combination, Fields}) ->
    case lists:keymember(auto_shutdown, 1, Fields) of
        true -> "significant_without_auto_shutdown";
        false -> "significant_permanent"
    end.

%% The reason that a word of a scenario means.
term('shutdown:x') -> {shutdown, x};
term(Word) -> Word.

number(Word) -> list_to_integer(atom_to_list(Word)).
