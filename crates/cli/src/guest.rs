//! What the root process is given: arguments, environment variables, directories, rights, as flags
//! and policy say. Decisions only; `runtime` opens the directories.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::args::GuestArgs;
use crate::error::CliError;
use crate::policy::{BudgetLine, Policy};
use crate::report::printable;
use crate::runtime::{FileAccess, Grant, Redirection};

/// A directory for the guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preopen {
    /// Where it is.
    pub host: PathBuf,
    /// What the guest calls it.
    pub guest: String,
    /// What it may do there.
    pub access: FileAccess,
}

/// Everything the root process is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuestSpec {
    /// Its arguments; the first is the program's name, except in tests.
    pub args: Vec<String>,
    /// Its environment variables in order.
    pub env: Vec<(String, String)>,
    /// Its directories in the order of their descriptors, from 3 on.
    pub preopens: Vec<Preopen>,
    /// What it may do by itself.
    pub grant: Grant,
    /// What goes elsewhere, or comes from there; of two for the same, the later one counts.
    pub redirections: Vec<Redirection>,
    /// Limits that are not the default, by name.
    pub limits: Vec<(String, u64)>,
    /// Budgets of a policy file; limits of the same names are the last word.
    pub budgets: Vec<BudgetLine>,
}

/// The guest's environment variables. `host` is this command's environment. What is left out goes
/// to `note`, one sentence each.
pub fn environment(
    flags: &GuestArgs,
    policy: &Policy,
    host: impl Iterator<Item = (OsString, OsString)>,
    mut note: impl FnMut(String),
) -> Result<Vec<(String, String)>, CliError> {
    let host: Vec<_> = host.collect();
    let mut env = Vec::new();
    if !flags.no_inherit_env {
        let inherited = |name: &OsString| name.to_str().is_none_or(|name| policy.inherits(name));
        for (name, value) in host.iter().filter(|(name, _)| inherited(name)) {
            match (name.to_str(), value.to_str()) {
                (Some(name), Some(value)) => set(&mut env, name, value),
                _ => note(format!(
                    "the environment variable `{}` is not Unicode, so the guest does not get it",
                    printable(&name.to_string_lossy())
                )),
            }
        }
    }
    for flag in &flags.env {
        let text = flag.to_str().ok_or_else(|| not_unicode("--env", flag))?;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, named(&host, text)?),
        };
        if name.is_empty() {
            let message = format!("`--env {}` names no variable", printable(text));
            return Err(CliError::usage(message).hint("write --env NAME or --env NAME=VALUE"));
        }
        match value {
            Some(value) => set(&mut env, name, &value),
            None => note(format!("`--env {name}`: there is no variable `{name}` to pass on")),
        }
    }
    env.retain(|(name, _)| !policy.denies(name));
    Ok(env)
}

fn named(host: &[(OsString, OsString)], name: &str) -> Result<Option<String>, CliError> {
    let Some((_, value)) = host.iter().find(|(known, _)| known == name) else {
        return Ok(None);
    };
    match value.to_str() {
        Some(value) => Ok(Some(value.to_owned())),
        None => Err(not_unicode(&format!("the value of `--env {name}`,"), value)),
    }
}

fn set(env: &mut Vec<(String, String)>, name: &str, value: &str) {
    match env.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => value.clone_into(old),
        None => env.push((name.to_owned(), value.to_owned())),
    }
}

fn not_unicode(what: &str, text: &OsStr) -> CliError {
    let text = printable(&text.to_string_lossy());
    CliError::usage(format!("{what} `{text}` is not Unicode"))
        .hint("WebAssembly programs get their environment as UTF-8")
}

/// The guest's directories. `default_dir` comes first under the name ".", since published
/// programs count on descriptor 3 being the working directory.
pub fn directories(
    flags: &GuestArgs,
    policy: &Policy,
    default_dir: &Path,
) -> Result<Vec<Preopen>, CliError> {
    let mut preopens = Vec::new();
    if !flags.no_default_dir && !policy.sandboxed {
        let (host, guest) = (default_dir.to_owned(), ".".into());
        preopens.push(Preopen { host, guest, access: FileAccess::FULL });
    }
    for flag in &flags.dirs {
        preopens.push(preopen(flag)?);
    }
    policy.change_directories(&mut preopens)?;
    Ok(preopens)
}

/// Reads `HOST[::GUEST]`; without a second part the guest uses the host's name.
pub fn preopen(flag: &OsStr) -> Result<Preopen, CliError> {
    let text = flag.to_str().ok_or_else(|| not_unicode("--dir", flag))?;
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        let message = format!("`--dir {}` names no directory", printable(text));
        return Err(CliError::usage(message).hint("write --dir HOST or --dir HOST::GUEST"));
    }
    let (host, guest) = (PathBuf::from(host), guest.to_owned());
    Ok(Preopen { host, guest, access: FileAccess::FULL })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status;

    fn environment_of(
        flags: &[&str],
        inherit: bool,
        host: &[(&str, &str)],
    ) -> (Vec<(String, String)>, usize) {
        let flags = GuestArgs {
            env: flags.iter().map(OsString::from).collect(),
            no_inherit_env: !inherit,
            ..GuestArgs::default()
        };
        let host = host.iter().map(|(name, value)| (name.into(), value.into()));
        let mut notes = 0;
        let env = environment(&flags, &Policy::default(), host, |_| notes += 1).unwrap();
        (env, notes)
    }

    #[test]
    fn variables_are_inherited_replaced_and_added_in_order() {
        type Pairs<'a> = &'a [(&'a str, &'a str)];
        let host: Pairs = &[("A", "1"), ("B", "2")];
        let cases: [(&[&str], bool, Pairs, usize); 8] = [
            (&[], true, host, 0),
            (&[], false, &[], 0),
            (&["C=3"], true, &[("A", "1"), ("B", "2"), ("C", "3")], 0),
            (&["A=9"], true, &[("A", "9"), ("B", "2")], 0),
            (&["B"], false, &[("B", "2")], 0),
            (&["C"], false, &[], 1),
            (&["A=x=y", "E="], false, &[("A", "x=y"), ("E", "")], 0),
            (&["A=1", "A=2"], false, &[("A", "2")], 0),
        ];
        for (flags, inherit, expected, notes) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            assert_eq!(environment_of(flags, inherit, host), (expected, notes), "{flags:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_unicode_is_left_out_with_a_note() {
        use std::os::unix::ffi::OsStringExt;
        let odd = || OsString::from_vec(vec![b'x', 0xff]);
        let host = || [(odd(), "v".into()), ("N".into(), odd()), ("A".into(), "1".into())];
        let mut notes = Vec::new();
        let (flags, policy) = (GuestArgs::default(), Policy::default());
        let env = environment(&flags, &policy, host().into_iter(), |note| notes.push(note));
        let env = env.unwrap();
        assert_eq!(env, [("A".to_string(), "1".to_string())]);
        assert_eq!(notes.len(), 2);
        let named = GuestArgs { env: vec!["N".into()], no_inherit_env: true, ..Default::default() };
        let error = environment(&named, &policy, host().into_iter(), |_| ()).unwrap_err();
        assert_eq!(error.status(), status::USAGE);
    }

    #[test]
    fn a_nameless_variable_is_refused() {
        for flag in ["=v", ""] {
            let flags = GuestArgs { env: vec![flag.into()], ..GuestArgs::default() };
            let error =
                environment(&flags, &Policy::default(), std::iter::empty(), |_| ()).unwrap_err();
            assert_eq!(error.status(), status::USAGE);
        }
    }

    #[test]
    fn the_working_directory_comes_first_unless_it_is_refused() {
        let flags = GuestArgs { dirs: vec!["/a::b".into(), "c".into()], ..GuestArgs::default() };
        let names = |flags: &GuestArgs| -> Vec<(String, String)> {
            directories(flags, &Policy::default(), Path::new("/work"))
                .unwrap()
                .into_iter()
                .map(|preopen| (preopen.host.display().to_string(), preopen.guest))
                .collect()
        };
        let pair = |host: &str, guest: &str| (host.to_owned(), guest.to_owned());
        assert_eq!(names(&flags), [pair("/work", "."), pair("/a", "b"), pair("c", "c")]);
        let flags = GuestArgs { no_default_dir: true, ..flags };
        assert_eq!(names(&flags), [pair("/a", "b"), pair("c", "c")]);
    }

    #[test]
    fn a_directory_without_a_name_is_refused() {
        for flag in ["", "::x", "x::"] {
            assert_eq!(preopen(OsStr::new(flag)).unwrap_err().status(), status::USAGE, "{flag}");
        }
    }
}
