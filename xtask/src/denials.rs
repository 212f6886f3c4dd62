//! `cargo xtask denials`: what a call costs that is denied, beside the same call where it is
//! allowed, in instructions as valgrind counts them. A program that tries what it may not must
//! not be dearer for the node than one that does it.
//!
//! The build is the one that the tests have made, so only the ratios mean something. What the
//! system does is not counted: of a bind, that is most of what is allowed, and nothing of what is
//! denied.

use std::path::Path;

use anyhow::{Result, bail, ensure};

use crate::instructions::{Question, cache, skipped};
use crate::workspace::{self, Profile, root, target_dir};

/// How often the call is made: the difference is counted.
const SIZES: [u64; 2] = [1_000, 5_000];

/// One call, by the letter that denied.wat has for it.
struct Row {
    what: &'static str,
    letter: &'static str,
    /// Flags of both runs.
    flags: &'static [&'static str],
    /// What is taken away in the second.
    denied: &'static str,
    /// How much of the allowed call the denied one may take, in percent.
    share_max: u64,
}

const ROWS: [Row; 6] = [
    Row { what: "look up a name", letter: "n", flags: &[], denied: "names", share_max: 125 },
    Row { what: "read the clock", letter: "c", flags: &[], denied: "clocks", share_max: 125 },
    Row { what: "8 random bytes", letter: "r", flags: &[], denied: "random", share_max: 125 },
    Row {
        what: "write a byte to null",
        letter: "w",
        flags: &["--redirect", "stdout=null"],
        denied: "stdout",
        share_max: 125,
    },
    Row {
        what: "is a process alive",
        letter: "i",
        flags: &[],
        denied: "inspect:descendants",
        share_max: 125,
    },
    Row { what: "bind and close UDP", letter: "u", flags: &[], denied: "bind:*", share_max: 160 },
];

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "there are no arguments here");
    if let Some(reason) = skipped() {
        println!("SKIPPED: {reason}");
        return Ok(());
    }
    let lunatic = workspace::lunatic(Profile::Dev)?;
    let folder = target_dir().join("bench");
    std::fs::create_dir_all(&folder)?;
    let cache = cache(&folder)?;
    let mut dearer = Vec::new();
    println!("  {:22} {:>8} {:>8}  denied of allowed", "instructions of", "allowed", "denied");
    for row in &ROWS {
        let allowed = row.question(&lunatic, &cache, &[]).count()?;
        let denied = row.question(&lunatic, &cache, &["--deny", row.denied]).count()?;
        ensure!(allowed > 0, "nothing was counted of: {}", row.what);
        let share = denied * 100 / allowed;
        println!("  {:22} {allowed:>8} {denied:>8}  {share} %", row.what);
        if share > row.share_max {
            dearer.push(row.what);
        }
    }
    if dearer.is_empty() {
        return Ok(());
    }
    bail!("dearer than it should be beside what is allowed: {}", dearer.join(", "))
}

impl Row {
    fn question(&self, lunatic: &Path, cache: &Path, more: &[&str]) -> Question {
        let program = root().join("xtask/bench/denied.wat");
        let head = [lunatic, Path::new("run"), Path::new("--workers"), Path::new("1")];
        // What was denied is told once, and nothing of that is counted.
        let fixed = [Path::new("--quiet"), Path::new("--cache-dir"), cache];
        let flags = self.flags.iter().chain(more).map(Path::new);
        let call = [program.as_path(), Path::new(self.letter)];
        let command = head.into_iter().chain(fixed).chain(flags).chain(call);
        Question {
            name: self.what,
            command: command.map(Path::to_path_buf).collect(),
            sizes: SIZES,
        }
    }
}
