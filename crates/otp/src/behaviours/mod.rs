//! OTP's behaviours as scenarios: played with OTP's own supervisor, gen_server, gen_statem and the
//! others in `erl`, and with the Rust library for guests on this runtime.
//!
//! A [`script`] is lines of words: declarations, then steps. Both [`players`] wait after each step
//! until nothing moves any more, so that a trace has one form: what was told, what the step gave,
//! who ended. The traces must be equal, line for line, and what a scenario says of a step must be
//! in both.
//!
//! What must stay true: neither side reads a clock; nothing that the library's guest wrote is shown
//! to `erl`; where OTP promises no order the scenario says so, and only then it is left out.

pub mod generator;
mod generator_machines;
pub mod mutants;
pub mod players;
pub mod script;
mod shrink;
mod words;

use std::fs;
use std::path::Path;

use crate::scenarios::LoadError;
use players::{Library, Oracle};
use script::Script;
pub use shrink::smallest_difference;

/// What was seen of each step.
pub type Trace = Vec<String>;

/// Reads all scenarios, with their names, sorted by them.
pub fn load() -> Result<Vec<(String, Script)>, LoadError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("behaviours");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            files.push((name.to_owned(), path.clone()));
        }
    }
    files.sort();
    let read = |(name, path): (String, std::path::PathBuf)| match Script::parse(
        &fs::read_to_string(path)?,
    ) {
        Ok(script) => Ok((name, script)),
        Err(error) => Err(LoadError::Behaviour { name, error }),
    };
    files.into_iter().map(read).collect()
}

/// Plays scenarios on both sides, or on the library alone where there is no `erl`; gives what went
/// wrong.
pub fn failures(
    scenarios: &[(String, Script)],
    oracle: Option<&mut Oracle>,
    library: &Library,
) -> Vec<String> {
    let scripts: Vec<&Script> = scenarios.iter().map(|(_, script)| script).collect();
    let played = match oracle.map(|oracle| oracle.play(&scripts)).transpose() {
        Ok(played) => played,
        Err(error) => return vec![error.to_string()],
    };
    let mut failures = Vec::new();
    for (at, (name, script)) in scenarios.iter().enumerate() {
        let guest = match library.play(script, 0) {
            Ok(guest) => guest,
            Err(text) => {
                failures.push(format!("{name}: {text}"));
                continue;
            }
        };
        let erl = played.as_ref().map(|played| &played[at]);
        if let Some(text) = erl.and_then(|erl| unexpected(script, erl)) {
            failures.push(format!("{name} on erl: {text}"));
        } else if let Some(text) = erl.and_then(|erl| difference(script, erl, &guest)) {
            failures.push(format!("{name}:\n{text}"));
        } else if let Some(text) = unexpected(script, &guest) {
            failures.push(format!("{name} on the library: {text}"));
        }
    }
    failures
}

/// What of a trace is otherwise than the scenario says; none if it is as it says.
pub fn unexpected(script: &Script, trace: &[String]) -> Option<String> {
    let wrong = script.steps().zip(trace).find(|(step, seen)| {
        step.expected.as_ref().is_some_and(|expected| script.canonical(expected) != **seen)
    });
    match wrong {
        Some((step, seen)) => {
            let expected = step.expected.as_deref().unwrap_or_default();
            Some(format!("`{}`\n  is to give {expected}\n  and gave   {seen}", step.text()))
        }
        None if trace.len() != script.steps().count() => {
            Some(format!("it has {} steps, and not {}", script.steps().count(), trace.len()))
        }
        None => None,
    }
}

/// Where two traces of a scenario differ; none if they are equal.
pub fn difference(script: &Script, erl: &[String], guest: &[String]) -> Option<String> {
    if erl == guest {
        return None;
    }
    let mut text = String::new();
    let nothing = "(nothing)".to_owned();
    for (at, step) in script.steps().enumerate() {
        let (left, right) = (erl.get(at).unwrap_or(&nothing), guest.get(at).unwrap_or(&nothing));
        text += &format!("`{}`\n", step.text());
        if left == right {
            text += &format!("    both   {left}\n");
        } else {
            text += &format!("    erl    {left}\n    guest  {right}\n");
            break;
        }
    }
    Some(text)
}
