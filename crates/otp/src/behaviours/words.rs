//! The words of behaviour scenarios, and which line may have which.

/// What a place in a line takes.
enum Place {
    /// A name that the scenario chooses: lower-case letters.
    Name,
    /// One of these words.
    Of(&'static [&'static str]),
    /// Attributes of a child, any number.
    Attributes,
    /// Words of a supervisor, then attributes if it is a child.
    Supervisor,
}

use Place::{Attributes, Name, Of, Supervisor};

const REASONS: &[&str] = &["normal", "shutdown", "shutdown:x", "oops", "late"];
const STRATEGIES: &[&str] = &["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"];
const PLANS: &[&str] = &["ignore", "fail", "crash"];
const SHUTDOWNS: &[&str] = &["kill", "short", "far", "infinity"];
const FLAGS: &[&str] =
    &["permanent", "transient", "temporary", "traps", "stubborn", "significant"];

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
];

/// Whether a line with this first word only says what there is.
pub(super) fn is_declaration(verb: &str) -> bool {
    matches!(verb, "supervisor" | "child")
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
            Supervisor => return check_supervisor(rest),
            Name | Of(_) => {}
        }
        let Some((word, more)) = rest.split_first() else {
            return Err(format!("`{verb}` wants more words"));
        };
        match place {
            Name if !is_name(word) => return Err(format!("`{word}` is no name")),
            Of(words) if !words.contains(word) => {
                return Err(format!("`{word}` is none of {}", words.join(", ")));
            }
            Name | Of(_) | Attributes | Supervisor => {}
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
