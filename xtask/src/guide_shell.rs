//! The guide's transcripts: commands that a reader types, in a folder of the page's own, with
//! `lunatic` on the PATH; and the one server that a page may start.
//!
//! What must stay true: a server ends with its page, whatever happens; what it printed and the page
//! does not show is an error.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::guide_match::Examples;
use crate::guide_page::{self, Step};
use crate::guide_rust::unlike;
use crate::workspace::{guests_dir, target_dir};
use crate::{c_guests, shell};

/// How long anything may take that a reader types: building a project is a part of it.
const LIMIT: Duration = Duration::from_secs(300);
/// How often is looked again where only looking tells.
const POLL: Duration = Duration::from_millis(5);
/// Tools that a machine may lack, and what brings them. Those of C are looked for by `c_guests`.
const TOOLS: &[(&str, &str)] = &[("curl", "curl"), ("npm", "npm")];

/// The state of a page that is being followed.
struct Reader<'a> {
    page: &'a str,
    lunatic: &'a Path,
    folder: PathBuf,
    /// Where the next command is typed.
    current: PathBuf,
    examples: Examples,
    server: Option<Running>,
}

/// Follows a page. Gives what is wrong with it.
pub fn follow(lunatic: &Path, page: &str, steps: &[Step]) -> Result<Vec<String>> {
    let typed = |step: &Step| matches!(step, Step::Commands(_) | Step::Server(_));
    if !steps.iter().any(typed) {
        return Ok(Vec::new());
    }
    if let Some(reason) = missing(steps) {
        println!("  SKIPPED docs/guide/{page}: {reason}");
        return Ok(Vec::new());
    }
    let folder = target_dir().join("tmp/guide/pages").join(page.trim_end_matches(".md"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let current = folder.clone();
    let examples = Examples::default();
    let mut reader = Reader { page, lunatic, folder, current, examples, server: None };
    let mut failures = Vec::new();
    for step in steps {
        // What comes after a failure would only fail because of it.
        if !failures.is_empty() {
            break;
        }
        failures.extend(reader.step(step)?);
    }
    if let Some(server) = reader.server.take() {
        let rest = server.stop()?;
        if failures.is_empty() && !rest.is_empty() {
            failures.push(format!("docs/guide/{page}: the server also said\n{rest}"));
        }
    }
    println!("  docs/guide/{page} was followed");
    Ok(failures)
}

/// Why a page cannot be followed on this machine.
fn missing(steps: &[Step]) -> Option<String> {
    for step in steps {
        let commands = match step {
            Step::File { path, .. } if path.ends_with(".c") && !c_guests::can_build() => {
                return Some("it needs the compiler for C".into());
            }
            Step::File { path, .. } if path.ends_with(".ts") && !shell::exists("npm") => {
                return Some("npm is missing; next: apt-get install npm".into());
            }
            Step::Commands(commands) => commands,
            _ => continue,
        };
        for command in commands {
            let first = command.text.split(' ').next().unwrap_or_default();
            let tool = TOOLS.iter().find(|(name, _)| *name == first && !shell::exists(name));
            if let Some((name, package)) = tool {
                return Some(format!("{name} is missing; next: apt-get install {package}"));
            }
        }
    }
    None
}

impl Reader<'_> {
    fn step(&mut self, step: &Step) -> Result<Option<String>> {
        match step {
            Step::Program(_) | Step::Refused { .. } | Step::Erlang { .. } => Ok(None),
            Step::File { path, text } => {
                let file = self.folder.join(path);
                let there = file.parent().is_some_and(Path::is_dir);
                ensure!(there, "{}: the folder of {path} is not there", self.page);
                fs::write(file, text)?;
                Ok(None)
            }
            Step::Commands(commands) => {
                for command in commands {
                    if let Some(failure) = self.command(command)? {
                        return Ok(Some(failure));
                    }
                }
                Ok(None)
            }
            Step::Server(command) => {
                ensure!(self.server.is_none(), "{}: one server is enough", self.page);
                let typed = self.examples.fill_in(&command.text);
                println!("$ {typed}");
                self.server = Some(Running::start(self.shell(&format!("exec {typed}"))?)?);
                self.server_says(command.line, &command.output)
            }
            Step::ServerSays { line, output } => self.server_says(*line, output),
        }
    }

    fn command(&mut self, command: &guide_page::Command) -> Result<Option<String>> {
        let typed = self.examples.fill_in(&command.text);
        println!("$ {typed}");
        if let Some(folder) = typed.strip_prefix("cd ") {
            self.current.push(folder);
            return Ok(None);
        }
        let (said, ended) = Running::start(self.shell(&typed)?)?.wait()?;
        let said: String = said.split_inclusive('\n').filter(|line| !is_left_out(line)).collect();
        if ended && self.examples.fit(&command.output, &said) {
            return Ok(None);
        }
        let late = if ended { "" } else { "it did not end\n" };
        let unlike = unlike("output", &command.output, &said);
        let place = format!("docs/guide/{}:{}", self.page, command.line);
        Ok(Some(format!("{place}\n  {typed}\n{late}{unlike}")))
    }

    fn server_says(&mut self, line: usize, shown: &str) -> Result<Option<String>> {
        let server = self.server.as_mut().context("the page has not started a server")?;
        let said = server.next_lines(shown.lines().count())?;
        let fits = self.examples.fit(shown, &said);
        let place = format!("docs/guide/{}:{line}: the server", self.page);
        Ok((!fits).then(|| format!("{place}\n{}", unlike("output", shown, &said))))
    }

    /// A shell in which the command is typed.
    fn shell(&self, typed: &str) -> Result<Command> {
        let mut shell = Command::new("sh");
        shell.current_dir(&self.current).args(["-c", typed]).stdin(Stdio::null());
        // What cargo told this chore would change what it does for a reader.
        for (name, _) in std::env::vars_os() {
            let of_cargo = name.to_str().is_some_and(|name| name.starts_with("CARGO_"));
            if of_cargo && name != "CARGO_HOME" {
                shell.env_remove(name);
            }
        }
        let mut path = OsString::from(self.lunatic.parent().context("it lies in a folder")?);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        shell.env("PATH", path).env("CARGO_TARGET_DIR", guests_dir());
        // What npm says now and then.
        for setting in ["update_notifier", "fund", "audit"] {
            shell.env(format!("npm_config_{setting}"), "false");
        }
        Ok(shell)
    }
}

/// Lines with names of files, or with times, that differ from machine to machine.
fn is_left_out(line: &str) -> bool {
    line.starts_with("     Running ") || line.starts_with("added ")
}

/// A program, and what it has printed to both outputs until now.
struct Running {
    child: Child,
    printed: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// How much of it was looked at.
    taken: usize,
}

impl Running {
    /// Starts it with both outputs in one pipe, as on a terminal.
    fn start(mut command: Command) -> Result<Self> {
        let (mut output, input) = std::io::pipe()?;
        command.stdout(input.try_clone()?).stderr(input);
        let child = command.spawn().context("cannot start a shell")?;
        // It holds the pipe open.
        drop(command);
        let printed = Arc::new(Mutex::new(Vec::new()));
        let place = printed.clone();
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error ends the reading; what came until then is still worth showing.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                place.lock().expect("nobody panics with it").extend_from_slice(&bytes[..count]);
            }
        });
        Ok(Self { child, printed, reader: Some(reader), taken: 0 })
    }

    /// Waits for its end, or ends it at the limit. Gives the rest of what it printed, and whether
    /// it ended by itself.
    fn wait(mut self) -> Result<(String, bool)> {
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begin.elapsed() > LIMIT {
                return Ok((self.stop()?, false));
            }
            thread::sleep(POLL);
        }
        Ok((self.stop()?, true))
    }

    /// Waits until it has printed so many more lines, or has ended, or the limit has come.
    fn next_lines(&mut self, count: usize) -> Result<String> {
        let begin = Instant::now();
        loop {
            let ended = self.child.try_wait()?.is_some() || begin.elapsed() > LIMIT;
            let printed = self.printed.lock().expect("nobody panics with it");
            let rest = String::from_utf8_lossy(&printed[self.taken..]).into_owned();
            drop(printed);
            let lines: String = rest.split_inclusive('\n').take(count).collect();
            if ended || (lines.ends_with('\n') && lines.lines().count() == count) {
                self.taken += lines.len();
                return Ok(lines);
            }
            thread::sleep(POLL);
        }
    }

    /// Ends it, and gives what it printed that was not looked at.
    fn stop(mut self) -> Result<String> {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait()?;
        let reader = self.reader.take().expect("only taken here");
        reader.join().expect("the reader only reads, and has no reason to panic");
        let printed = self.printed.lock().expect("nobody panics with it");
        Ok(String::from_utf8_lossy(&printed[self.taken..]).into_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `stop` both fail, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
