//! `examples/languages`: each program alone in each language, the chats against each other, and
//! processes of all languages in one node (`mix`).
//!
//! What must stay true: what is printed is compared with the page, byte for byte.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::languages_mix::{self, Blocks};
use crate::languages_table::{self, Language};
use crate::shell::Finished;
use crate::workspace::{Profile, guests_dir, lunatic};
use crate::{examples, languages_chat, shell};

/// Every run ends by itself; this is only for the day when one does not.
const LIMIT: Duration = Duration::from_secs(120);

/// Builds the programs, runs them, and compares what they print.
pub fn run_all(profile: Profile) -> Result<()> {
    let languages = languages_table::build_all()?;
    let lunatic = lunatic(profile)?;
    let blocks = blocks()?;
    for language in &languages {
        alone(&lunatic, language, &blocks)?;
    }
    languages_chat::run_all(&lunatic, &languages)?;
    mix(&lunatic, &languages, blocks)?;
    without_fear(&lunatic)?;
    let names: Vec<&str> = languages.iter().map(|language| language.name).collect();
    println!(
        "servers and clients of {} programs in {} understand each other, in all {} pairs",
        languages_table::PROGRAMS.len(),
        names.join(", "),
        names.len().pow(2)
    );
    Ok(())
}

/// What the page says that the programs print.
fn blocks() -> Result<Blocks> {
    let page = fs::read_to_string(languages_table::folder().join("README.md"))?;
    let block = |title| last_block(&page, title).with_context(|| format!("no output for {title}"));
    Ok(Blocks { counter: block("counter")?, pool: block("pool")?, pubsub: block("pubsub")? })
}

/// Each program by itself. A header in Rust that shows an output shows this one.
fn alone(lunatic: &Path, language: &Language, blocks: &Blocks) -> Result<()> {
    let pool = format!("{}the pool is closed\n", blocks.pool);
    let programs = [("counter", &blocks.counter), ("pool", &pool), ("pubsub", &blocks.pubsub)];
    for (program, expected) in programs {
        let finished = run(lunatic, &language.module(program), &[])?;
        expect(&format!("{program} in {}", language.name), &finished, expected)?;
        let header = languages_table::folder().join(program).join("rust/src/main.rs");
        let promise = examples::promise(&fs::read_to_string(header)?)?;
        let promised = promise.map(|promise| promise.prints);
        ensure!(
            promised.as_ref().is_none_or(|promised| promised == expected),
            "the header of {program} in Rust shows another output than the page"
        );
    }
    Ok(())
}

/// All languages in one node. The modules that `mix` reads lie where its current directory is.
fn mix(lunatic: &Path, languages: &[&Language], mut blocks: Blocks) -> Result<()> {
    let (client, _) = blocks.counter.split_once("counter has ended").context("the last line")?;
    blocks.counter = client.to_owned();
    let folders: Vec<String> = languages
        .iter()
        .map(|language| format!("{}={}", language.name, language.modules().display()))
        .collect();
    let finished = run(lunatic, &languages_table::build_rust("mix")?, &folders)?;
    expect("mix", &finished, &languages_mix::expected(languages, &blocks)?)?;
    languages_mix::check_dropped(languages, &finished.stderr)
}

/// A C library goes wrong in processes of a program in Rust, whose header says what comes of it.
fn without_fear(lunatic: &Path) -> Result<()> {
    let header = languages_table::folder().join("without_fear/src/main.rs");
    let promise = examples::promise(&fs::read_to_string(header)?)?;
    let expected = promise.context("its header shows no output")?.prints;
    let Some(module) = languages_table::build_without_fear()? else { return Ok(()) };
    expect("without_fear", &run(lunatic, &module, &[])?, &expected)
}

fn run(lunatic: &Path, module: &Path, args: &[String]) -> Result<Finished> {
    let mut run = Command::new(lunatic);
    run.current_dir(guests_dir()).arg("run").arg(module).args(args);
    println!("$ {}", shell::printable(&run));
    shell::run_limited(&mut run, LIMIT)
}

/// Compares what was printed; shows the first line that differs, since there may be many.
fn expect(what: &str, finished: &Finished, expected: &str) -> Result<()> {
    if finished.success() && finished.stdout == expected {
        return Ok(());
    }
    let (mut printed, mut wanted) = (finished.stdout.lines(), expected.lines());
    let mut number = 0;
    let (printed, wanted) = loop {
        number += 1;
        match (printed.next(), wanted.next()) {
            (Some(printed), Some(wanted)) if printed == wanted => {}
            (None, None) => break ("the end", "the end"),
            (printed, wanted) => break (printed.unwrap_or("the end"), wanted.unwrap_or("the end")),
        }
    };
    anyhow::bail!(
        "{what} ended with {}; line {number} is `{printed}`, and not `{wanted}`\n{}",
        finished.ending(),
        finished.stderr
    )
}

/// The last block of text in the section with this title.
fn last_block(page: &str, title: &str) -> Option<String> {
    let (_, from) = page.split_once(&format!("\n## {title}\n"))?;
    let section = from.split_once("\n## ").map_or(from, |(section, _)| section);
    let (_, block) = section.rsplit_once("```text\n")?;
    Some(block.split_once("```")?.0.to_owned())
}
