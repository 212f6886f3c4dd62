//! The scenarios that people wrote, and what is asked of a trace of one.

use std::fs;
use std::io;
use std::path::Path;

use crate::behaviours::script::ScriptError;
use crate::checker::{Verdict, check};
use crate::program::Trace;
use crate::text::{ParseError, Scenario};

/// Why the scenarios cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder or a file cannot be read.
    #[error("crates/otp/scenarios cannot be read: {0}")]
    System(#[from] io::Error),
    /// A file is no scenario.
    #[error("{name}.txt, {error}")]
    Parse {
        /// The file's name.
        name: String,
        /// What is wrong.
        error: ParseError,
    },
    /// A file is no behaviour scenario.
    #[error("crates/otp/behaviours/{name}.txt, {error}")]
    Behaviour {
        /// The file's name.
        name: String,
        /// What is wrong.
        error: ScriptError,
    },
}

/// All scenarios with their names, in the order of these.
pub fn load() -> Result<Vec<(String, Scenario)>, LoadError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
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
    let read = |(name, path): (String, std::path::PathBuf)| {
        let scenario = Scenario::parse(&fs::read_to_string(path)?);
        match scenario {
            Ok(scenario) => Ok((name, scenario)),
            Err(error) => Err(LoadError::Parse { name, error }),
        }
    };
    files.into_iter().map(read).collect()
}

/// Whether a run did what the scenario is about, and nothing that the model forbids. The text says
/// what was wrong.
pub fn judge(scenario: &Scenario, trace: &Trace) -> Result<(), String> {
    let program = &scenario.program;
    for (who, at, wanted) in &scenario.expected {
        let seen = trace.of(*who).nth(*at);
        if seen != Some(*wanted) {
            let step = program.step(&program.steps(*who)[*at]);
            let wanted = program.outcome(wanted);
            let seen = seen.map_or("nothing".into(), |outcome| program.outcome(&outcome));
            let who = program.who(*who);
            return Err(format!("{who}: `{step}` was to give {wanted}, and gave {seen}"));
        }
    }
    for (who, wanted) in &scenario.ends {
        let seen = trace.ends.get(usize::from(who.0));
        if seen != Some(wanted) {
            let who = program.who(*who);
            return Err(format!("{who} was last seen {seen:?} instead of {wanted:?}"));
        }
    }
    match check(program, trace, None) {
        Verdict::Allowed => Ok(()),
        Verdict::Refused(text) => Err(format!("the model does not allow this: {text}")),
        Verdict::Undecided => Err("the checker gave up".into()),
    }
}
