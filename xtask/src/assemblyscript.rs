//! The AssemblyScript library in guest/assemblyscript: its tests and the listings of its README,
//! compiled by the real compiler from npm and run on the runtime.
//!
//! What must stay true: nothing is checked in that a compiler made, and a machine without npm says
//! what it skips.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::shell;
use crate::tidy;
use crate::workspace::{Profile, lunatic, root};

const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// How long one program may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    run_all(Profile::from_args(args)?)
}

/// Compiles and runs everything, or says why not.
pub fn run_all(profile: Profile) -> Result<()> {
    if !shell::exists(NPM) {
        println!("SKIPPED: npm is missing; next: apt-get install npm (node 20 or later)");
        return Ok(());
    }
    let folder = root().join("guest/assemblyscript");
    shell::run(Command::new(NPM).current_dir(&folder).args(["ci", "--no-audit", "--no-fund"]))?;
    let build = folder.join("build");
    fs::create_dir_all(&build)?;
    let mut programs = tests(&folder.join("tests"))?;
    programs.extend(listings(&folder.join("README.md"), &build)?);
    let lunatic = lunatic(profile)?;
    for program in &programs {
        run_one(&folder, program, &lunatic)?;
    }
    println!("{} programs in AssemblyScript do what they promise", programs.len());
    Ok(())
}

fn tests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = tidy::files_below(folder)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ts"));
    ensure!(!files.is_empty(), "there are no tests in {}", folder.display());
    Ok(files)
}

/// Writes each listing of a page, which is a whole program, into a file.
fn listings(page: &Path, build: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (index, text) in blocks(&fs::read_to_string(page)?).iter().enumerate() {
        let file = build.join(format!("listing_{}.ts", index + 1));
        fs::write(&file, text)?;
        files.push(file);
    }
    ensure!(!files.is_empty(), "there are no listings in {}", page.display());
    Ok(files)
}

/// The fenced blocks of the kind `ts`.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    for part in page.split("```ts\n").skip(1) {
        let text = part.split("```").next().unwrap_or_default();
        blocks.push(text.to_owned());
    }
    blocks
}

/// A program holds its promises if it ends with status 0 and said something.
fn run_one(folder: &Path, program: &Path, lunatic: &Path) -> Result<()> {
    let program = program.strip_prefix(folder).unwrap_or(program);
    let name = program.file_stem().and_then(|name| name.to_str()).context("a name in UTF-8")?;
    let module = format!("build/{name}.wasm");
    let mut compile = Command::new("node");
    compile.current_dir(folder).arg("node_modules/assemblyscript/bin/asc.js").arg(program);
    compile.args(["--config", "asconfig.json", "-O", "--outFile", &module]);
    shell::run(&mut compile)?;
    let mut run = Command::new(lunatic);
    run.current_dir(folder).arg("run").arg(&module);
    let finished = shell::run_limited(&mut run, LIMIT)?;
    if !finished.success() || finished.stdout.is_empty() {
        bail!(
            "{} failed: {}\n  to see it alone: {}\n{}{}",
            program.display(),
            finished.ending(),
            shell::printable(&run),
            finished.stdout,
            finished.stderr
        );
    }
    print!("{}", finished.stdout);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn the_listings_of_a_page_are_its_blocks_of_the_language() {
        let page = "a\n```ts\none\n```\nb\n```sh\nno\n```\n```ts\ntwo\n```\n";
        assert_eq!(blocks(page), ["one\n", "two\n"]);
    }
}
