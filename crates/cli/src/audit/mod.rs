//! `--audit`: what a program does, or tries to do, told when it has ended or written while it runs.

mod calls;
mod rights;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use lunatic_engine::Listener;

use crate::error::CliError;
use crate::guest::Preopen;
use crate::target::shown;
use calls::CallLog;
pub use rights::Recorder;

/// Where a policy goes unless a file is named.
const POLICY_FILE: &str = "policy.toml";

/// What `--audit` is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    /// A table of the rights that were used or lacked.
    Rights,
    /// A policy that grants them, in this new file.
    Policy(PathBuf),
    /// Every call, as lines of JSON in this file.
    Calls(PathBuf),
}

impl FromStr for Wish {
    type Err = String;

    fn from_str(text: &str) -> Result<Wish, String> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("rights", "") if text == "rights" => Ok(Wish::Rights),
            ("policy", "") if text == "policy" => Ok(Wish::Policy(POLICY_FILE.into())),
            ("policy", file) if !file.is_empty() => Ok(Wish::Policy(file.into())),
            ("calls", file) if !file.is_empty() => Ok(Wish::Calls(file.into())),
            _ => Err("expected rights, policy, policy:FILE or calls:FILE".into()),
        }
    }
}

/// A running audit.
pub enum Audit {
    /// Of rights, for a table.
    Rights(Arc<Recorder>),
    /// Of rights, for a policy.
    Policy(Arc<Recorder>, PathBuf, File),
    /// Of calls.
    Calls(CallLog, PathBuf),
}

impl Audit {
    /// Opens what is written: whatever is refused is refused before the program runs.
    pub fn start(wish: &Wish) -> Result<Audit, CliError> {
        Ok(match wish {
            Wish::Rights => Audit::Rights(Arc::default()),
            Wish::Policy(path) => {
                let file = File::create_new(path).map_err(|error| {
                    unwritable(path, &error).hint("name a new file: --audit=policy:FILE")
                })?;
                Audit::Policy(Arc::default(), path.clone(), file)
            }
            Wish::Calls(path) => {
                let log = CallLog::create(path).map_err(|error| unwritable(path, &error))?;
                Audit::Calls(log, path.clone())
            }
        })
    }

    /// Who hears of what the processes do.
    pub fn listener(&self) -> Arc<dyn Listener> {
        match self {
            Audit::Rights(recorder) | Audit::Policy(recorder, ..) => recorder.clone(),
            Audit::Calls(log, _) => log.listener(),
        }
    }

    /// Who hears of what they are denied, if anybody wants to.
    pub fn recorder(&self) -> Option<Arc<Recorder>> {
        match self {
            Audit::Rights(recorder) | Audit::Policy(recorder, ..) => Some(recorder.clone()),
            Audit::Calls(..) => None,
        }
    }

    /// Completes what is written about a program, to which these directories were given, when it
    /// has ended. Gives a text for the user.
    pub fn finish(self, program: &str, directories: &[Preopen]) -> Result<String, CliError> {
        Ok(match self {
            Audit::Rights(recorder) => recorder.table(),
            Audit::Policy(recorder, path, mut file) => {
                let text = recorder.policy(program, directories);
                file.write_all(text.as_bytes()).map_err(|error| unwritable(&path, &error))?;
                let path = shown(&path);
                format!("the policy is in `{path}`: lunatic run --policy {path} ...\n")
            }
            Audit::Calls(log, path) => match log.finish() {
                Ok(0) => String::new(),
                Ok(left_out) => format!(
                    "{left_out} calls are missing in `{}`: they came faster than it is written\n",
                    shown(&path)
                ),
                Err(error) => return Err(unwritable(&path, &error)),
            },
        })
    }
}

fn unwritable(file: &Path, error: &std::io::Error) -> CliError {
    CliError::failure(format!("the audit cannot be written to `{}`", shown(file))).because(error)
}
