//! `--audit`: what a program does, or tries to do, told while it runs and when it has ended.

mod calls;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use lunatic_engine::Listener;

use crate::error::CliError;
use crate::target::shown;
use calls::CallLog;

/// What `--audit` is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Every call, as lines of JSON in this file.
    Calls(PathBuf),
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Wish, String> {
        match text.split_once(':') {
            Some(("calls", file)) if !file.is_empty() => Ok(Wish::Calls(file.into())),
            _ => Err("expected calls:FILE, such as calls:out.jsonl".into()),
        }
    }
}

/// A running audit.
pub struct Audit {
    log: CallLog,
    file: PathBuf,
}

impl Audit {
    /// Opens what is written.
    pub fn start(wish: &Wish) -> Result<Audit, CliError> {
        let Wish::Calls(file) = wish;
        let log = CallLog::create(file).map_err(|error| unwritable(file, &error))?;
        Ok(Audit { log, file: file.clone() })
    }

    /// Who hears of the calls.
    pub fn listener(&self) -> Arc<dyn Listener> {
        self.log.listener()
    }

    /// Completes what is written, when no process runs any more. Gives a sentence for the user if
    /// something is missing.
    pub fn finish(&self) -> Result<Option<String>, CliError> {
        let left_out = self.log.finish().map_err(|error| unwritable(&self.file, &error))?;
        let shown = shown(&self.file);
        Ok((left_out > 0).then(|| {
            format!(
                "{left_out} calls are missing in `{shown}`: they came faster than it is written"
            )
        }))
    }
}

fn unwritable(file: &Path, error: &std::io::Error) -> CliError {
    CliError::failure(format!("the audit cannot be written to `{}`", shown(file))).because(error)
}
