//! Running the examples and comparing them with their headers: the text that a reader sees is the
//! expectation, so the two can't drift apart. Those that serve are asked by real clients instead
//! (examples_network.rs, examples_web.rs).
//!
//! A header names one command, in backticks, `lunatic run [FLAGS] PATH [ARGS]`, and after it shows
//! what the program prints in the first fenced block of the kind `text`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::examples_network::{self, Skipped};
use crate::shell::{self, Finished};
use crate::workspace::{Profile, lunatic, root};
use crate::{examples_log, examples_web, guests, tidy};

/// How long one example may take; the largest spawns a hundred thousand processes.
const LIMIT: Duration = Duration::from_secs(180);

/// Asks an example that serves, which it starts with this runtime.
type Clients = fn(&Path) -> Result<Skipped>;

/// The examples that serve, and who asks them.
const SERVING: &[(&str, Clients)] = &[
    ("examples/tcp_echo", examples_network::tcp_echo),
    ("examples/udp_ping", examples_network::udp_ping),
    ("examples/chat", examples_network::chat),
    ("examples/tls_echo", examples_network::tls_echo),
    ("examples/log_file", examples_log::log_file),
    ("examples/web", examples_web::correctness),
    ("examples/web under load", examples_web::load),
];

/// What a header promises.
#[derive(Debug, PartialEq, Eq)]
pub struct Promise {
    /// PATH of the command, relative to the repository.
    path: String,
    /// ARGS of the command.
    args: Vec<String>,
    /// What is printed to standard output, exactly.
    pub prints: String,
}

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    run_all(Profile::from_args(args)?)
}

/// Builds and runs all examples on the runtime of this profile.
pub fn run_all(profile: Profile) -> Result<()> {
    guests::build(&[])?;
    let lunatic = lunatic(profile)?;
    keep_promises(&lunatic)?;
    for (example, ask) in SERVING {
        let skipped = ask(&lunatic).with_context(|| format!("clients of {example}"))?;
        match skipped {
            None => println!("  {example:32} serves its clients"),
            Some(reason) => println!("  SKIPPED {example}: {reason}"),
        }
    }
    Ok(())
}

/// Runs all that print, and tells all differences at once.
fn keep_promises(lunatic: &Path) -> Result<()> {
    let mut failures = Vec::new();
    let mut passed = 0;
    for source in sources()? {
        let text = fs::read_to_string(&source)?;
        let promise = promise(&text).with_context(|| {
            let source = source.strip_prefix(root()).unwrap_or(&source);
            format!("the header of {} is not as xtask/src/examples.rs says", source.display())
        })?;
        // Nothing to compare: `bench` prints times, and servers have clients.
        let Some(promise) = promise else { continue };
        match run_one(lunatic, &promise)? {
            None => {
                println!("  {:32} prints what it promises", promise.path);
                passed += 1;
            }
            Some(difference) => {
                println!("  {:32} FAILED", promise.path);
                failures.push(difference);
            }
        }
    }
    println!("{passed} examples print what their headers promise");
    if !failures.is_empty() {
        bail!(
            "{} examples do not print what their headers promise\n\n{}",
            failures.len(),
            failures.join("\n\n")
        );
    }
    ensure!(passed > 0, "no example was found; is examples/ complete?");
    Ok(())
}

/// Every file whose header may promise an output, in the order of their names. Those of
/// examples/languages are tested against each other (languages.rs).
fn sources() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    let others = guests::examples_dir().join("languages");
    for file in tidy::files_below(&guests::examples_dir())? {
        let main = file.ends_with("src/main.rs");
        if file.starts_with(&others) {
            continue;
        }
        if main || file.extension().is_some_and(|extension| extension == "wat") {
            sources.push(file);
        }
    }
    Ok(sources)
}

/// Runs one example; returns what is wrong with it, if anything.
fn run_one(lunatic: &Path, promise: &Promise) -> Result<Option<String>> {
    let path = root().join(&promise.path);
    let module = if path.is_dir() {
        let name = path.file_name().and_then(|name| name.to_str());
        guests::module(name.context("an example's folder is named like its package")?)
    } else {
        path
    };
    let mut command = Command::new(lunatic);
    command.current_dir(root()).arg("run").arg(module).args(&promise.args);
    let finished = shell::run_limited(&mut command, LIMIT)?;
    if finished.success() && finished.stdout == promise.prints {
        return Ok(None);
    }
    Ok(Some(difference(&shell::printable(&command), promise, &finished)))
}

fn difference(command: &str, promise: &Promise, finished: &Finished) -> String {
    format!(
        "to see it alone: {command}\n-- promised\n{}-- printed ({})\n{}-- standard error\n{}",
        promise.prints,
        finished.ending(),
        finished.stdout,
        finished.stderr
    )
}

/// Reads a header; none if it shows no output.
///
/// # Errors
///
/// If it shows an output, and no command or no end of it.
pub fn promise(text: &str) -> Result<Option<Promise>> {
    let header: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!").or_else(|| line.strip_prefix(";;")))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let Some(begin) = header.iter().position(|line| *line == "```text") else {
        return Ok(None);
    };
    let block = &header[begin + 1..];
    let end = block.iter().position(|line| *line == "```").context("its ```text has no end")?;
    let prints = block[..end].iter().map(|line| format!("{line}\n")).collect();

    let line = header.iter().find_map(|line| line.split_once("`lunatic run "));
    let (_, after) = line.context("it names no command `lunatic run PATH`")?;
    let (command, _) = after.split_once('`').context("its command has no closing backtick")?;
    let mut words = command.split_whitespace().skip_while(|word| word.starts_with("--"));
    let path = words.next().context("its command names no path")?.to_owned();
    Ok(Some(Promise { path, args: words.map(str::to_owned).collect(), prints }))
}

#[cfg(test)]
mod tests {
    use super::promise;

    #[test]
    fn a_header_promises_the_output_of_its_command() {
        let text = "//! Says much.\n//!\n//! Run it: `lunatic run --release a/b 1 x` (so).\n//!\n\
                    //! ```text\n//! one\n//!   two\n//! ```\n\nfn main() {}\n";
        let promise = promise(text).unwrap().unwrap();
        assert_eq!(promise.path, "a/b");
        assert_eq!(promise.args, ["1", "x"]);
        assert_eq!(promise.prints, "one\n  two\n");
    }

    #[test]
    fn a_header_of_the_text_format_is_read_alike() {
        let text = ";; `lunatic run e.wat`\n;; ```text\n;; one\n;; ```\n(module)\n";
        assert_eq!(promise(text).unwrap().unwrap().prints, "one\n");
    }

    #[test]
    fn a_header_without_an_output_promises_nothing() {
        assert_eq!(promise("//! Prints times.\nfn main() {}\n").unwrap(), None);
    }

    #[test]
    fn an_output_without_a_command_is_an_error() {
        assert!(promise("//! ```text\n//! one\n//! ```\n").is_err());
        assert!(promise("//! `lunatic run a\n//! ```text\n//! ```\n").is_err());
        assert!(promise("//! `lunatic run a`\n//! ```text\n").is_err());
    }
}
