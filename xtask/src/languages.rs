//! `examples/languages`: the programs in Rust, and processes of several languages in one node. That
//! programs in C do alone what the page says is tested in `c_guests.rs`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::workspace::{Profile, WASM_TARGET, guest_cargo, guests_dir, lunatic, root};
use crate::{c_guests, shell};

/// Every run ends by itself; this is only for the day when one does not.
const LIMIT: Duration = Duration::from_secs(60);

/// Builds the programs, runs them, and compares what they print.
pub fn run_all(profile: Profile) -> Result<()> {
    let folder = root().join("examples/languages");
    let mut build = guest_cargo(&folder);
    shell::run(build.args(["build", "--release", "--locked", "--target", WASM_TARGET]))?;
    let page = fs::read_to_string(folder.join("README.md"))?;
    let block = |title| {
        c_guests::last_block(&page, title).with_context(|| format!("no output for {title}"))
    };
    let lunatic = lunatic(profile)?;
    expect(&lunatic, &module("counter"), &[], &block("counter")?)?;

    let mut counters = vec![("rust", module("counter"))];
    if c_guests::can_build() {
        let module = guests_dir().join("languages_counter_in_c.wasm");
        c_guests::build_library()?;
        c_guests::build(&folder.join("counter/c/counter.c"), &module)?;
        counters.push(("c", module));
    }
    let args: Vec<_> = counters
        .iter()
        .map(|(language, module)| format!("{language}={}", module.display()))
        .collect();
    let languages: Vec<_> = counters.iter().map(|(language, _)| *language).collect();
    let answers = block("counter")?;
    let (answers, _) = answers.split_once("counter has ended").context("the last line")?;
    expect(&lunatic, &module("mix"), &args, &mixed(&languages, answers))
}

/// What `mix` prints.
fn mixed(languages: &[&str], answers: &str) -> String {
    let mut text = String::new();
    for round in 1..=2 {
        for language in languages {
            writeln!(text, "counter.{language} is up").expect("a string grows");
        }
        for language in languages {
            for asking in languages {
                write!(text, "round {round}: {asking} asks {language}\n{answers}")
                    .expect("a string grows");
            }
        }
    }
    text
}

fn module(name: &str) -> PathBuf {
    guests_dir().join(WASM_TARGET).join("release").join(format!("languages_{name}.wasm"))
}

fn expect(lunatic: &Path, module: &Path, args: &[String], expected: &str) -> Result<()> {
    let mut run = Command::new(lunatic);
    // The modules that `mix` reads lie where its current directory is.
    run.current_dir(guests_dir()).arg("run").arg(module);
    for arg in args {
        let (language, file) = arg.split_once('=').context("LANGUAGE=FILE")?;
        let inside = Path::new(file).strip_prefix(guests_dir())?;
        run.arg(format!("{language}={}", inside.display()));
    }
    println!("$ {}", shell::printable(&run));
    let finished = shell::run_limited(&mut run, LIMIT)?;
    ensure!(
        finished.success() && finished.stdout == expected,
        "it ended with {}, and printed\n{}\nand not\n{expected}\n{}",
        finished.ending(),
        finished.stdout,
        finished.stderr
    );
    Ok(())
}
