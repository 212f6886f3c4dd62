//! The words of behaviour scenarios, and which line may have which.

/// What a place in a line takes.
enum Place {
    /// A name that the scenario chooses: lower-case letters.
    Name,
    /// The same, or a registered name behind an @.
    To,
    /// One of these words.
    Of(&'static [&'static str]),
    /// Attributes of a child, any number.
    Attributes,
    /// Attributes of a child and of a server by itself.
    Server,
    /// The name of a handler of events, and what it does.
    Handler,
    /// What a rule of a machine does.
    Actions,
    /// Any number of words that are said.
    Words,
    /// Nothing, or this word.
    Maybe(&'static str),
    /// Words of a supervisor, then attributes if it is a child.
    Supervisor,
}

use Place::{Actions, Attributes, Handler, Maybe, Name, Of, Server, Supervisor, To, Words};

const REASONS: &[&str] = &["normal", "shutdown", "shutdown:x", "oops", "late"];
const STRATEGIES: &[&str] = &["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"];
const PLANS: &[&str] = &["ignore", "fail", "crash"];
const SHUTDOWNS: &[&str] = &["kill", "short", "far", "infinity"];
const FLAGS: &[&str] = &["permanent", "transient", "temporary", "traps", "stubborn", "significant"];

/// What a call asks a server to do.
const CALLS: &[&str] =
    &["echo", "early", "later", "then", "zero", "far", "stop", "leave", "crash", "state", "myself"];
/// What is said to servers: words, and reasons for calls that stop them.
const WORDS: &[&str] =
    &["one", "two", "three", "four", "five", "bad", "normal", "shutdown", "shutdown:x", "oops"];

/// What happens to a machine, and what that can be.
const EVENTS: &[&str] = &[
    "enter",
    "cast",
    "internal",
    "info",
    "call",
    "exit",
    "state_timeout",
    "event_timeout",
    "timeout",
];
const CONTENTS: &[&str] = &["any", "one", "two", "three", "four", "five", "first", "second"];

/// Each line, with its first word.
const LINES: &[(&str, &[Place])] = &[
    ("supervisor", &[Name, Of(STRATEGIES), Supervisor]),
    ("child", &[Name, Of(&["in"]), Name, Attributes]),
    ("start", &[Name]),
    ("start_child", &[Name, Name, Attributes]),
    ("start_dynamic", &[Name, Name]),
    ("terminate_child", &[Name, Name]),
    ("terminate_dynamic", &[Name, Name]),
    ("restart_child", &[Name, Name]),
    ("delete_child", &[Name, Name]),
    ("which", &[Name]),
    ("count", &[Name]),
    ("spec", &[Name, Name]),
    ("stop", &[Name]),
    ("exit", &[Name, Of(REASONS)]),
    ("crash", &[Name]),
    ("kill", &[Name]),
    ("signal", &[Name, Of(REASONS)]),
    ("server", &[Name, Server]),
    ("call", &[To, Of(CALLS), Of(WORDS), Maybe("zero")]),
    ("ask", &[Name, Name, Of(CALLS), Of(WORDS)]),
    ("release", &[Name, Of(WORDS)]),
    ("hand_on", &[Name, Of(WORDS)]),
    ("cast", &[To, Of(WORDS)]),
    ("info", &[To, Of(WORDS)]),
    ("halt", &[Name, Of(REASONS)]),
    ("hear", &[Name]),
    ("mailbox", &[]),
    ("suspend", &[Name]),
    ("resume", &[Name]),
    ("state", &[Name]),
    ("replace", &[Name, Of(WORDS)]),
    ("change", &[Name, Of(WORDS)]),
    ("rule", &[Name, Name, Of(EVENTS), Of(CONTENTS), Actions]),
    ("machine", &[Name, Name, Maybe("traps")]),
    ("push", &[Name, Of(WORDS), Words]),
    ("drop", &[Name, Of(WORDS)]),
    ("query", &[Name, Of(WORDS), Maybe("zero")]),
    ("query_by", &[Name, Name, Of(WORDS)]),
    ("manager", &[Name]),
    ("add", &[Name, Handler]),
    ("supervise", &[Name, Name, Handler]),
    ("notify", &[Name, Of(WORDS), Words]),
    ("note", &[Name, Of(WORDS)]),
    ("sync", &[Name, Of(WORDS)]),
    ("ask_handler", &[Name, Name, Of(WORDS)]),
    ("delete", &[Name, Name, Of(WORDS)]),
    ("swap", &[Name, Name, Of(WORDS), Handler]),
    ("handlers", &[Name]),
    ("stop_manager", &[Name]),
    ("hear_handler", &[Name]),
    ("groups", &[Name]),
    ("registry", &[Name]),
    ("join", &[Name, Name, Name]),
    ("leave", &[Name, Name, Name]),
    ("members", &[Name, Name]),
    ("keys", &[Name]),
];

/// Whether a line with this first word only says what there is.
pub(super) fn is_declaration(verb: &str) -> bool {
    matches!(verb, "supervisor" | "child" | "rule")
}

/// Whether a line has the words that it may have.
pub(super) fn check_line(words: &[&str]) -> Result<(), String> {
    let Some((verb, rest)) = words.split_first() else { return Err("it is empty".into()) };
    let found = LINES.iter().find(|(name, _)| name == verb);
    let (_, places) = found.ok_or_else(|| format!("`{verb}` is no line of a scenario"))?;
    let mut rest = rest;
    for place in *places {
        match place {
            Attributes => return check_attributes(rest).map(|_| ()),
            Server => return check_server(rest),
            Supervisor => return check_supervisor(rest),
            Actions => return check_actions(rest),
            Words => return check_words(rest),
            Handler => return check_handler(rest),
            Maybe(_) if rest.is_empty() => return Ok(()),
            Name | To | Of(_) | Maybe(_) => {}
        }
        let Some((word, more)) = rest.split_first() else {
            return Err(format!("`{verb}` wants more words"));
        };
        match place {
            Name if !is_name(word) => return Err(format!("`{word}` is no name")),
            To if !is_name(word.strip_prefix('@').unwrap_or(word)) => {
                return Err(format!("`{word}` is no name"));
            }
            Maybe(wanted) if word != wanted => return Err(format!("`{word}` is not {wanted}")),
            Of(words) if !words.contains(word) => {
                return Err(format!("`{word}` is none of {}", words.join(", ")));
            }
            _ => {}
        }
        rest = more;
    }
    match rest {
        [] => Ok(()),
        [word, ..] => Err(format!("`{word}` is one word too many")),
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn check_supervisor(words: &[&str]) -> Result<(), String> {
    let (mut rest, child) = match words {
        ["in", name, rest @ ..] if is_name(name) => (rest, true),
        _ => (words, false),
    };
    while let Some((word, more)) = rest.split_first() {
        rest = match (*word, more) {
            ("intensity", [count, more @ ..]) if count.parse::<u32>().is_ok() => more,
            ("auto", ["any" | "all", more @ ..]) | ("zero_period", more) => more,
            _ if child => return check_attributes(rest).map(|_| ()),
            _ => return Err(format!("`{word}` says nothing of a supervisor")),
        };
    }
    Ok(())
}

fn check_words(words: &[&str]) -> Result<(), String> {
    match words.iter().find(|word| !WORDS.contains(word)) {
        Some(word) => Err(format!("`{word}` is nothing that is said")),
        None => Ok(()),
    }
}

fn check_actions(words: &[&str]) -> Result<(), String> {
    let (mut rest, mut targets) = (words, 0);
    while let [action, more @ ..] = rest {
        rest = match (*action, more) {
            ("to", [state, more @ ..]) if is_name(state) => more,
            ("stop", [reason, more @ ..]) if REASONS.contains(reason) => more,
            ("repeat" | "postpone" | "hold", more) => more,
            ("next" | "reply" | "answer", [word, more @ ..]) if WORDS.contains(word) => more,
            ("state_timeout" | "event_timeout", ["zero" | "far", more @ ..]) => more,
            ("timeout", ["first" | "second", "zero" | "far", more @ ..]) => more,
            ("cancel", ["first" | "second", more @ ..]) => more,
            _ => return Err(format!("`{action}` is no action of a machine")),
        };
        targets += usize::from(matches!(*action, "to" | "stop" | "repeat"));
    }
    if targets > 1 { Err("a rule leads to one state".into()) } else { Ok(()) }
}

fn check_handler(words: &[&str]) -> Result<(), String> {
    let words = words.strip_prefix(&["supervised"]).unwrap_or(words);
    let Some((name, mut rest)) = words.split_first().filter(|(name, _)| is_name(name)) else {
        return Err("there is no name of a handler".into());
    };
    while let Some((word, more)) = rest.split_first() {
        rest = match (*word, more) {
            ("refuse" | "broken", more) => more,
            ("on", [word, "remove" | "crash", more @ ..]) if WORDS.contains(word) => more,
            ("on", [word, "swap", new, more @ ..]) if WORDS.contains(word) && is_name(new) => more,
            _ => return Err(format!("`{word}` says nothing of the handler {name}")),
        };
    }
    Ok(())
}

fn check_server(words: &[&str]) -> Result<(), String> {
    let hangs = words.contains(&"hang");
    let rest: Vec<&str> =
        words.iter().copied().filter(|word| !["continue", "zero", "hang"].contains(word)).collect();
    match &rest[..] {
        ["within", "short", rest @ ..] => check_attributes(rest).map(|_| ()),
        _ if hangs => Err("a server that hangs needs `within short`".into()),
        rest => check_attributes(rest).map(|_| ()),
    }
}

/// Whether a child may have these attributes; gives whether it is stubborn.
pub(super) fn check_attributes(words: &[&str]) -> Result<bool, String> {
    let (mut rest, mut stubborn, mut ends) = (words, false, false);
    while let Some((word, more)) = rest.split_first() {
        rest = more;
        match (*word, more) {
            (flag, _) if FLAGS.contains(&flag) => stubborn |= flag == "stubborn",
            ("shutdown", [how, more @ ..]) if SHUTDOWNS.contains(how) => {
                ends = matches!(*how, "kill" | "short");
                rest = more;
            }
            ("name", [name, more @ ..]) if is_name(name) => rest = more,
            ("at", [count, how, more @ ..])
                if count.parse::<u32>().is_ok() && PLANS.contains(how) =>
            {
                rest = more;
            }
            _ => return Err(format!("`{word}` says nothing of a child")),
        }
    }
    if stubborn && !ends {
        return Err("a stubborn child needs `shutdown short` or `shutdown kill`".into());
    }
    Ok(stubborn)
}
