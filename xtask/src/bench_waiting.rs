//! Memory of processes that wait: a program says `ready` without them and with them, its memory is
//! looked at both times from outside, and then it wakes and ends them all.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench_sides::number;
use crate::shell;

/// What one look found, and how long starting and ending took.
pub struct Waited {
    /// Bytes of each process, resident and in page tables.
    pub bytes: f64,
    /// Mappings of the program while they wait.
    pub mappings: f64,
    pub start_ns: f64,
    pub end_ns: f64,
}

/// Asks a program about `size` processes; none where the system does not tell about memory.
pub fn ask(command: &mut Command, size: u64) -> Result<Option<Waited>> {
    if !Path::new("/proc/self/status").exists() {
        return Ok(None);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let waited = look(&mut child, size);
    if waited.is_err() {
        // It may have ended by itself, which its status tells.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let waited =
        waited.with_context(|| format!("`{}` failed ({status})", shell::printable(command)))?;
    Ok(Some(waited))
}

/// Bytes of memory that programs can still take.
pub fn available_bytes() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("the system tells nothing of memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("/proc/meminfo has no MemAvailable")? << 10)
}

struct Asked {
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

fn look(child: &mut Child, size: u64) -> Result<Waited> {
    let input = child.stdin.take().context("stdin is piped")?;
    let output = child.stdout.take().context("stdout is piped")?;
    let mut asked = Asked { input, lines: BufReader::new(output).lines() };
    let (before, _) = asked.memory_when_ready(child.id())?;
    let (during, mappings) = asked.memory_when_ready(child.id())?;
    let answer: Value = serde_json::from_str(&asked.line()?).context("the answer is no JSON")?;
    let ended = number(&answer, "ended")?;
    ensure!(ended == size as f64, "{ended} of {size} processes were woken and ended");
    Ok(Waited {
        bytes: during.saturating_sub(before) as f64 / size as f64,
        mappings: mappings as f64,
        start_ns: number(&answer, "start_ns")?,
        end_ns: number(&answer, "end_ns")?,
    })
}

impl Asked {
    fn memory_when_ready(&mut self, pid: u32) -> Result<(u64, usize)> {
        let line = self.line()?;
        ensure!(line == "ready", "it printed `{line}` instead of `ready`");
        let memory = shell::memory(pid)?;
        self.input.write_all(b"\n")?;
        Ok(memory)
    }

    fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().context("it ended too soon")??)
    }
}
