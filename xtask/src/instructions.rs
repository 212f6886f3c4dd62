//! `cargo xtask instructions`: how many instructions the hot paths take, as valgrind counts them,
//! held against xtask/bench/instructions.json. Times cannot guard a hot path where machines differ
//! and are shared; instructions can.
//!
//! Each question is asked with two sizes, and the difference is what the operations between them
//! took: starting and ending the program is in both. Native bodies (the room `lunatic-node` alone)
//! are built as a release is. Guests run on the build that the tests have made, since another build
//! of the engine would take longer than all tests: their figures are only good for comparing them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::bench_sides::write_raw;
use crate::shell;
use crate::workspace::{self, Profile, cargo, root, target_dir};

/// How much more than its bound a count may be, in percent: layouts of hash tables and the pulse,
/// which beats by the clock, move counts by one or two.
const TOLERANCE_PERCENT: u64 = 5;

/// The file of the bounds.
#[derive(Serialize, Deserialize)]
struct Bounds {
    /// The compiler that the counts are of: another one makes other code.
    rustc: String,
    /// Instructions for one operation.
    counts: BTreeMap<String, u64>,
}

/// What is counted: a program with its first arguments, and the two sizes that come last.
pub struct Question {
    pub name: &'static str,
    pub command: Vec<PathBuf>,
    pub sizes: [u64; 2],
}

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    match args {
        [] => check(Profile::Dev),
        [flag] if flag == "--update" => update(Profile::Dev),
        _ => bail!("the only argument here is --update, which writes the bounds anew"),
    }
}

/// Counts, and fails where a count is above its bound.
pub fn check(profile: Profile) -> Result<()> {
    if let Some(reason) = skipped() {
        println!("SKIPPED: {reason}");
        return Ok(());
    }
    let bounds: Bounds = serde_json::from_str(&fs::read_to_string(file())?).with_context(|| {
        format!("{} is not as xtask/src/instructions.rs says", file().display())
    })?;
    let rustc = rustc()?;
    if bounds.rustc != rustc {
        println!(
            "SKIPPED: the bounds are of {}, this is {rustc}; next, at a commit that is known to be \
             good: cargo xtask instructions --update",
            bounds.rustc
        );
        return Ok(());
    }
    let mut above = Vec::new();
    for (name, count) in count_all(profile)? {
        let bound = bounds.counts.get(&name).copied();
        let bound = bound.with_context(|| format!("`{name}` has no bound; next: --update"))?;
        let verdict = verdict(count, bound);
        println!("  {name:24} {count:>8} instructions, bound {bound:>8}: {verdict}");
        if verdict == ABOVE {
            above.push(name);
        }
    }
    ensure!(
        above.is_empty(),
        "{} took more instructions than before\n  if that is what a change is worth: \
         cargo xtask instructions --update, and say why in its commit",
        above.join(", ")
    );
    Ok(())
}

const ABOVE: &str = "above it";

fn verdict(count: u64, bound: u64) -> &'static str {
    if count * 100 > bound * (100 + TOLERANCE_PERCENT) {
        ABOVE
    } else if count * 100 < bound * (100 - TOLERANCE_PERCENT) {
        "below it; next: cargo xtask instructions --update, so that it stays so"
    } else {
        "kept"
    }
}

fn update(profile: Profile) -> Result<()> {
    if let Some(reason) = skipped() {
        bail!("nothing can be counted here: {reason}");
    }
    let bounds = Bounds { rustc: rustc()?, counts: count_all(profile)? };
    for (name, count) in &bounds.counts {
        println!("  {name:24} {count:>8} instructions");
    }
    fs::write(file(), serde_json::to_string_pretty(&bounds)? + "\n")?;
    println!("written to {}; commit it", file().display());
    Ok(())
}

fn file() -> PathBuf {
    root().join("xtask/bench/instructions.json")
}

/// Why nothing is counted here, if nothing is.
pub fn skipped() -> Option<String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Some("the bounds are for Linux on x86-64".into());
    }
    let missing = !shell::exists("valgrind");
    missing.then(|| "no valgrind on this machine; next: apt-get install valgrind".into())
}

fn rustc() -> Result<String> {
    let text = shell::output(Command::new("rustc").current_dir(root()).arg("--version"))?;
    Ok(text.trim().to_owned())
}

fn count_all(profile: Profile) -> Result<BTreeMap<String, u64>> {
    let lunatic = workspace::lunatic(profile)?;
    let mut build = cargo();
    build.args(["build", "--release", "--package", "lunatic-node", "--example", "hot_paths"]);
    shell::run(&mut build)?;
    let native = target_dir().join("release/examples/hot_paths");
    let folder = target_dir().join("bench");
    fs::create_dir_all(&folder)?;
    let raw = write_raw(&folder, "raw.wat", false)?;
    let questions = questions(&native, &lunatic, &raw, &cache(&folder)?);
    questions.iter().map(|question| Ok((question.name.to_owned(), question.count()?))).collect()
}

fn questions(native: &Path, lunatic: &Path, raw: &Path, cache: &Path) -> [Question; 4] {
    let native = |name, question: &str, sizes| Question {
        name,
        command: vec![native.into(), question.into()],
        sizes,
    };
    let guest = |name, letter: &str, sizes| Question {
        name,
        // One worker, so that no two take turns by chance; and nothing is compiled when it counts.
        command: [lunatic, Path::new("run"), Path::new("--workers"), Path::new("1")]
            .into_iter()
            .chain([Path::new("--cache-dir"), cache, raw, Path::new(letter)])
            .map(Path::to_path_buf)
            .collect(),
        sizes,
    };
    [
        native("native spawn", "spawn", [2_000, 6_000]),
        native("native round trip", "round_trip", [2_000, 6_000]),
        guest("guest spawn", "t", [500, 2_000]),
        guest("guest round trip", "r", [1_000, 5_000]),
    ]
}

/// A directory that only its owner can write to, as compiled code needs it.
pub fn cache(folder: &Path) -> Result<PathBuf> {
    let cache = folder.join("instructions-cache");
    fs::create_dir_all(&cache)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o700))?;
    }
    Ok(cache)
}

impl Question {
    /// Instructions for one operation.
    pub fn count(&self) -> Result<u64> {
        // The processor under valgrind is another one, for which code is compiled by this run.
        shell::output(self.valgrind("none").arg("10"))?;
        let [few, many] = self.sizes;
        let (less, more) = (self.collected(few)?, self.collected(many)?);
        Ok(more.saturating_sub(less) / (many - few))
    }

    fn collected(&self, size: u64) -> Result<u64> {
        // Not callgrind, which cannot follow the signals with which pages of memories come.
        let mut command = self.valgrind("lackey");
        let output = command.arg(size.to_string()).output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed\n{text}", shell::printable(&command));
        collected(&text)
            .with_context(|| format!("{} told no count\n{text}", shell::printable(&command)))
    }

    fn valgrind(&self, tool: &str) -> Command {
        let mut command = Command::new("valgrind");
        command.arg(format!("--tool={tool}"));
        command.args(&self.command);
        command
    }
}

/// The number in `==123==   guest instrs:  4,567`.
fn collected(text: &str) -> Option<u64> {
    let (_, count) = text.lines().find_map(|line| line.split_once("guest instrs:"))?;
    count.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{ABOVE, collected, verdict};

    #[test]
    fn the_count_is_read_from_what_valgrind_says() {
        let text = "==7==   total:  8,086\n==7==   guest instrs:  48,839,811\n==7== \n";
        assert_eq!(collected(text), Some(48_839_811));
        assert_eq!(collected("==7== no such thing"), None);
    }

    #[test]
    fn five_percent_more_is_kept_and_what_is_beyond_is_not() {
        assert_eq!((verdict(105, 100), verdict(106, 100)), ("kept", ABOVE));
        assert!(verdict(90, 100).starts_with("below"));
    }
}
