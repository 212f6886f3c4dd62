//! The guide's listings in Rust: written into one generated workspace, built by one call of cargo,
//! and run.
//!
//! A listing with a `main` is a program. One without is the body of one: those of a page are tests
//! of a single program, each in its line, so that errors name the lines of the page; but one that
//! has an output is a program by itself.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::guide_match::Examples;
use crate::guide_page::{Program, Step};
use crate::shell::{self, Finished};
use crate::workspace::{WASM_TARGET, guest_cargo, guests_dir, root, target_dir};

/// Every listing ends by itself; this is only for the day when one does not.
const LIMIT: Duration = Duration::from_secs(60);

/// One program of the workspace.
struct Built<'a> {
    /// The page, and where in it.
    place: String,
    binary: String,
    /// Its source below the workspace, and what it contains.
    source: String,
    text: String,
    /// What the page shows.
    shows: Shows<'a>,
}

enum Shows<'a> {
    Outputs(&'a Program),
    /// Nothing: so many listings are tests.
    Tests(usize),
    /// What the compiler says, among others.
    Refusal(&'a str),
}

/// Builds and runs the listings of these pages. Gives what is wrong with them.
pub fn run_all(lunatic: &Path, pages: &[(String, Vec<Step>)]) -> Result<Vec<String>> {
    let programs: Vec<Built<'_>> =
        pages.iter().flat_map(|(page, steps)| programs(page, steps)).collect();
    if programs.is_empty() {
        return Ok(Vec::new());
    }
    build(&programs)?;
    let waiting = Mutex::new(programs.iter());
    let failures = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from).min(4);
    thread::scope(|scope| -> Result<()> {
        let worker = || -> Result<()> {
            loop {
                let next = waiting.lock().expect("nobody panics with it").next();
                let Some(program) = next else { return Ok(()) };
                if let Some(failure) = run_one(lunatic, program)? {
                    failures.lock().expect("nobody panics with it").push(failure);
                }
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            worker.join().expect("a worker gives its errors back")?;
        }
        Ok(())
    })?;
    println!("{} programs in Rust were run", programs.len());
    Ok(failures.into_inner().expect("nobody panics with it"))
}

/// The programs of a page.
fn programs<'a>(page: &str, steps: &'a [Step]) -> Vec<Built<'a>> {
    let mut programs = Vec::new();
    let mut tests = String::from("#![allow(unused)] fn main() {}");
    let stem = page.trim_end_matches(".md").replace(['-', '.'], "_");
    let (mut lines, mut count) = (1, 0);
    for step in steps {
        if let Step::Refused { line, text, words } = step {
            let (binary, text) = (format!("guide_{stem}_{line}"), text.clone());
            let source = format!("{binary}/src/main.rs");
            let place = format!("docs/guide/{page}:{line}");
            programs.push(Built { place, binary, source, text, shows: Shows::Refusal(words) });
        }
        let Step::Program(listing) = step else { continue };
        let whole = listing.text.contains("fn main(");
        if whole || listing.stdout.is_some() {
            let binary = format!("guide_{stem}_{}", listing.line);
            let text = match whole {
                true => listing.text.clone(),
                false => format!("fn main() {{ lunatic::run_main(|| {{\n{}}}) }}\n", listing.text),
            };
            let source = format!("{binary}/src/main.rs");
            let place = format!("docs/guide/{page}:{}", listing.line);
            programs.push(Built { place, binary, source, text, shows: Shows::Outputs(listing) });
            continue;
        }
        count += 1;
        let line = listing.line;
        tests.push_str(&"\n".repeat(line - lines));
        // What `#[lunatic::test]` makes of a function, in one line.
        write!(
            tests,
            "#[unsafe(export_name = \"#lunatic_test_line {line}\")] extern \"C\" fn line_{line}() \
             {{ lunatic::run_main(|| {{\n{}}}) }}",
            listing.text
        )
        .expect("a string grows");
        lines = line + 1 + listing.text.lines().count();
    }
    if count > 0 {
        let (binary, source) = (format!("guide_{stem}"), format!("{page}.rs"));
        let place = format!("docs/guide/{page}");
        let shows = Shows::Tests(count);
        programs.push(Built { place, binary, source, text: tests, shows });
    }
    programs
}

/// The generated workspace.
fn workspace() -> PathBuf {
    target_dir().join("tmp/guide/listings")
}

fn build(programs: &[Built<'_>]) -> Result<()> {
    let folder = workspace();
    let library = root().join("guest/rust");
    let mut manifest = format!(
        "[package]\nname = \"guide\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nlog = \"0.4\"\nlunatic = {{ path = {:?} }}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\n\n\
         [lints.rust]\nwarnings = \"deny\"\n\n\
         [features]\nrefused = []\n\n\
         [profile.dev.package.guide]\ndebug = false\n\n[workspace]\n",
        library.join("lunatic")
    );
    for Built { binary, source, text, shows, .. } in programs {
        write!(manifest, "\n[[bin]]\nname = {binary:?}\npath = {source:?}\n")?;
        if let Shows::Refusal(_) = shows {
            manifest.push_str("required-features = [\"refused\"]\n");
        }
        write_changed(&folder.join(source), text)?;
    }
    write_changed(&folder.join("Cargo.toml"), &manifest)?;
    // The library's own settings and versions, so that what it depends on is built once.
    let settings = ".cargo/config.toml";
    write_changed(&folder.join(settings), &fs::read_to_string(library.join(settings))?)?;
    let (theirs, ours) = (library.join("Cargo.lock"), folder.join("Cargo.lock"));
    let changed = |file: &Path| fs::metadata(file).and_then(|metadata| metadata.modified());
    let is_old = match changed(&ours) {
        Ok(ours) => ours < changed(&theirs)?,
        Err(_) => true,
    };
    if is_old {
        fs::write(&ours, fs::read_to_string(&theirs)?)?;
    }
    let mut build = guest_cargo(&folder);
    shell::run(build.args(["build", "--quiet", "--bins", "--target", WASM_TARGET]))
}

/// Leaves a file that is as it should be alone, so that cargo does, too.
fn write_changed(file: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::create_dir_all(file.parent().context("a file has a folder")?)?;
    Ok(fs::write(file, text)?)
}

fn module(binary: &str) -> PathBuf {
    guests_dir().join(WASM_TARGET).join("debug").join(format!("{binary}.wasm"))
}

/// Runs one program; gives what is wrong with it, if anything.
fn run_one(lunatic: &Path, program: &Built<'_>) -> Result<Option<String>> {
    if let Shows::Refusal(words) = program.shows {
        return refused(program, words);
    }
    let mut run = Command::new(lunatic);
    run.current_dir(target_dir().join("tmp/guide"));
    let command = if let Shows::Tests(_) = program.shows { "test" } else { "run" };
    run.arg(command).arg(module(&program.binary));
    let mut finished = shell::run_limited(&mut run, LIMIT)?;
    // A reader has it in a project of its own.
    let place = &program.source;
    for output in [&mut finished.stdout, &mut finished.stderr] {
        *output = output.replace(place.as_str(), "src/main.rs");
    }
    let wrong = match program.shows {
        Shows::Outputs(listing) => differences(listing, &finished),
        Shows::Tests(count) => {
            let all = finished.stdout.contains(&format!("test result: ok. {count} passed; 0 "));
            let printed =
                || format!("not all {count} passed\n{}{}", finished.stdout, finished.stderr);
            (!all).then(printed)
        }
        Shows::Refusal(_) => unreachable!("it was not built"),
    };
    let command = shell::printable(&run);
    Ok(wrong.map(|wrong| format!("{}\n  to see it alone: {command}\n{wrong}", program.place)))
}

/// Compiles what the compiler is to refuse; gives what is wrong with that, if anything.
fn refused(program: &Built<'_>, words: &str) -> Result<Option<String>> {
    let mut build = guest_cargo(&workspace());
    build.args(["build", "--quiet", "--features", "refused", "--target", WASM_TARGET]);
    build.args(["--bin", &program.binary]);
    let finished = shell::run_limited(&mut build, LIMIT * 5)?;
    let said = words.lines().all(|line| finished.stderr.contains(line));
    let as_shown = !finished.success() && !words.is_empty() && said;
    Ok((!as_shown).then(|| {
        let unlike = unlike("the compiler", words, &finished.stderr);
        format!("{}\n{}\n{unlike}", program.place, finished.ending())
    }))
}

fn differences(listing: &Program, finished: &Finished) -> Option<String> {
    let mut examples = Examples::default();
    let stdout = listing.stdout.as_deref().unwrap_or_default();
    let stderr = match &listing.stderr {
        Some(stderr) => Some(stderr.as_str()),
        None if listing.fails => None,
        None => Some(""),
    };
    let mut wrong = String::new();
    if !finished.success() {
        wrong.push_str(&format!("it ended with {}\n", finished.ending()));
    }
    if !examples.fit(stdout, &finished.stdout) {
        wrong.push_str(&unlike("standard output", stdout, &finished.stdout));
    }
    if let Some(stderr) = stderr
        && !examples.fit(stderr, &finished.stderr)
    {
        wrong.push_str(&unlike("standard error", stderr, &finished.stderr));
    } else if !wrong.is_empty() {
        wrong.push_str(&finished.stderr);
    }
    (!wrong.is_empty()).then_some(wrong)
}

/// Shows both outputs of one kind.
pub fn unlike(what: &str, shown: &str, real: &str) -> String {
    format!("-- {what}, in the page\n{shown}-- {what}, really\n{real}")
}

#[cfg(test)]
mod tests {
    use super::programs;
    use crate::guide_page::steps;

    #[test]
    fn listings_without_a_main_are_tests_in_the_lines_of_their_page() {
        let page = "# A\n\n```rust\nlet a = 1;\n```\n\n```rust\nfn main() {}\n```\n\n```rust\n\
                    let b =\n    2;\n```\n";
        let steps = steps(page).unwrap();
        let programs = programs("a-b.md", &steps);
        assert_eq!(programs.len(), 2);
        assert_eq!(programs[0].binary, "guide_a_b_7");
        let lines: Vec<_> = programs[1].text.lines().collect();
        assert_eq!(lines[3], "let a = 1;");
        assert_eq!((lines[11], lines[12]), ("let b =", "    2;"));
        assert!(lines[10].contains("fn line_11()"), "{}", lines[10]);
    }
}
