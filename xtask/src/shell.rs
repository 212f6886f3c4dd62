//! Running other programs: each is printed before it runs, and a failure says what failed and
//! what to type next.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a program with a limit is asked whether it has ended.
const POLL: Duration = Duration::from_millis(2);

/// What a program left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its status; none if it was killed at its limit.
    pub status: Option<ExitStatus>,
    /// What it wrote, with invalid UTF-8 replaced.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl Finished {
    /// Whether it ended by itself with status 0.
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, for people.
    pub fn ending(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => format!("killed after {} s without an end", self.took.as_secs()),
        }
    }
}

/// Runs a named part of a chore, and says how long it took.
pub fn step(title: &str, part: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {title}");
    let begin = Instant::now();
    part().with_context(|| format!("step `{title}` failed"))?;
    println!("== {title}: done in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Runs a program with our own input and output; a status other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", printable(command));
    // Our lines go through a buffer, the program's do not: keep their order.
    std::io::stdout().flush()?;
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!(
            "a command ended with {status}\n  to see it alone:{} {}",
            folder_note(command),
            printable(command)
        );
    }
    Ok(())
}

/// Runs a program and takes what it prints; a status other than 0 is an error that shows it.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        bail!(
            "a command ended with {}\n  to see it alone:{} {}\n{}",
            output.status,
            folder_note(command),
            printable(command),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program to its end, or kills it at `limit`. Any status is an answer, not an error.
pub fn run_limited(command: &mut Command, limit: Duration) -> Result<Finished> {
    let begin = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    // Both pipes are emptied beside the wait, or a program that prints much would never end.
    let stdout = collect(child.stdout.take().expect("stdout is piped"));
    let stderr = collect(child.stderr.take().expect("stderr is piped"));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begin.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(POLL);
    };
    let took = begin.elapsed();
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        let bytes = reader.join().expect("the reader only reads, and has no reason to panic");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Finished { status, stdout: text(stdout), stderr: text(stderr), took })
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // An error ends the reading; what came until then is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// Whether a program of this name is to be found.
pub fn exists(name: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).any(|folder| folder.join(&file).is_file())
}

/// Resident bytes of a program with the page tables, which RSS does not count, and the number of
/// its mappings. Only Linux tells.
pub fn memory(pid: u32) -> Result<(u64, usize)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |key: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .with_context(|| format!("/proc/{pid}/status has no {key}"))
    };
    let mappings = fs::read_to_string(format!("/proc/{pid}/maps"))?.lines().count();
    Ok(((kib("VmRSS:")? + kib("VmPTE:")?) * 1024, mappings))
}

/// The command as one could type it.
pub fn printable(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| {
            let word = word.to_string_lossy();
            let path = Path::new(word.as_ref());
            let short = path.strip_prefix(crate::workspace::root()).unwrap_or(path);
            let short = short.to_string_lossy();
            // The full path of cargo says nothing that its name does not say.
            if short.ends_with("/cargo") {
                return String::from("cargo");
            }
            if short.contains(' ') { format!("'{short}'") } else { short.into_owned() }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn folder_note(command: &Command) -> String {
    let folder = command.get_current_dir().unwrap_or(Path::new("."));
    match folder.strip_prefix(crate::workspace::root()) {
        Ok(inside) if !inside.as_os_str().is_empty() => format!(" cd {} &&", inside.display()),
        _ => String::new(),
    }
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`: is it installed?", command.get_program().to_string_lossy())
}
