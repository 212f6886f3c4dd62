//! `cargo xtask compat`: the tests that ship inside the published package `lunatic`, run on this
//! runtime one by one, with a table of what passes.
//!
//! A test that does not pass has to stand in [`EXPECTED_FAILURES`] with its reason, and a test
//! that stands there has to fail: so the table is true on the day one reads it. Those of
//! [`NEED_THE_INTERNET`] may do either.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::compat_build::{self, PACKAGE, TestBinary};
use crate::shell;
use crate::workspace::{Profile, lunatic};

/// How long one test file may take, compilation of its module included.
const LIMIT: Duration = Duration::from_secs(240);

/// Test file, test, and why it can't pass. [`WHOLE_FILE`] as the test: its module does not load.
const EXPECTED_FAILURES: &[(&str, &str, &str)] = &[];

const GOOGLE: &str = "connects to google.com";

/// Test file, test, and what it needs of the internet: it passes where that can be reached.
const NEED_THE_INTERNET: &[(&str, &str, &str)] = &[
    ("serializers", "serializers::bincode_resource_serialization", GOOGLE),
    ("serializers", "serializers::json_resource_serialization", GOOGLE),
    ("serializers", "serializers::msgpack_resource_serialization", GOOGLE),
];

/// Stands for all tests of a file.
const WHOLE_FILE: &str = "*";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Ignored,
}

/// What one test file came to.
struct Report {
    name: String,
    tests: Vec<Verdict>,
    /// What went wrong beyond single tests: no verdict, a test that is missing from the output.
    trouble: Option<String>,
    output: String,
}

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    run_all(Profile::from_args(args)?)
}

/// Builds the tests and runs all of them on the runtime of this profile.
pub fn run_all(profile: Profile) -> Result<()> {
    let (binaries, folder) = compat_build::build()?;
    let lunatic = lunatic(profile)?;
    let mut reports = Vec::new();
    for binary in &binaries {
        let mut report = run_binary(&lunatic, binary, &folder)?;
        let found = surprises(&report);
        if !found.is_empty() {
            // The package's tests give a signal 10 ms to take effect, which a busy machine can
            // exceed. What fails twice is no matter of time.
            println!("running `{}` once more: {}", report.name, found.join("; "));
            report = run_binary(&lunatic, binary, &folder)?;
        }
        reports.push(report);
    }
    print_table(&reports);
    let surprises: Vec<String> = reports.iter().flat_map(surprises).collect();
    if surprises.is_empty() {
        return Ok(());
    }
    for report in reports.iter().filter(|report| !self::surprises(report).is_empty()) {
        println!("\n---- what `{}` printed\n{}", report.name, report.output);
    }
    bail!("{} surprises\n  {}", surprises.len(), surprises.join("\n  "))
}

fn run_binary(lunatic: &Path, binary: &TestBinary, folder: &Path) -> Result<Report> {
    let mut command = Command::new(lunatic);
    // One test at a time, so that they don't take each other's 10 ms.
    command.arg("run").arg(&binary.module).args(["--test-threads", "1"]);
    // What `cargo test` tells its runner.
    command.current_dir(folder).env("CARGO_MANIFEST_DIR", folder);
    let finished = shell::run_limited(&mut command, LIMIT)?;
    let (announced, tests) = read_output(&finished.stdout)
        .with_context(|| format!("the output of `{}` has an unexpected form", binary.name))?;
    let loaded = announced.is_some() || finished.success();
    let trouble = if !loaded && excuse(&binary.name, WHOLE_FILE).is_some() {
        None
    } else if announced != Some(tests.len()) {
        Some(format!(
            "announced {announced:?} tests, gave {} verdicts, {}",
            tests.len(),
            finished.ending()
        ))
    } else if finished.success() == tests.iter().any(|(_, outcome)| *outcome == Outcome::Failed) {
        Some(format!("the status does not fit the verdicts: {}", finished.ending()))
    } else {
        None
    };
    let output = format!("{}{}", finished.stdout, finished.stderr);
    Ok(Report { name: binary.name.clone(), tests, trouble, output })
}

/// A test's name and what became of it.
type Verdict = (String, Outcome);

/// The number of tests that were announced, and each test's verdict, from libtest's form.
fn read_output(output: &str) -> Result<(Option<usize>, Vec<Verdict>)> {
    let mut announced = None;
    let mut tests = Vec::new();
    for line in output.lines().map(without_colours) {
        if let Some(rest) = line.strip_prefix("running ") {
            let number = rest.split(' ').next().context("`running` is followed by a number")?;
            announced = Some(number.parse()?);
        }
        let Some(rest) = line.strip_prefix("test ") else {
            continue;
        };
        let Some((name, verdict)) = rest.rsplit_once(" ... ") else {
            continue;
        };
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        let outcome = match verdict.split(' ').next() {
            Some("ok") => Outcome::Passed,
            Some("ignored" | "ignored,") => Outcome::Ignored,
            _ => Outcome::Failed,
        };
        tests.push((name.to_owned(), outcome));
    }
    Ok((announced, tests))
}

/// A line without its terminal colours: from each escape to the letter that ends it.
fn without_colours(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| c.is_ascii_alphabetic()).map_or(piece.len(), |at| at + 1);
        plain.push_str(&piece[end..]);
    }
    plain
}

/// A list of tests, each with its file and with what is to be known of it.
type Known = [(&'static str, &'static str, &'static str)];

fn find(list: &Known, file: &str, test: &str) -> Option<&'static str> {
    list.iter().find(|entry| entry.0 == file && entry.1 == test).map(|entry| entry.2)
}

/// Why this test may fail, if it may.
fn excuse(file: &str, test: &str) -> Option<&'static str> {
    find(EXPECTED_FAILURES, file, test).or_else(|| find(NEED_THE_INTERNET, file, test))
}

/// Whatever differs from what is known.
fn surprises(report: &Report) -> Vec<String> {
    surprises_of(report, EXPECTED_FAILURES, NEED_THE_INTERNET)
}

fn surprises_of(report: &Report, failures: &Known, may_fail: &Known) -> Vec<String> {
    let file = report.name.as_str();
    let mut surprises: Vec<String> =
        report.trouble.iter().map(|trouble| format!("{file}: {trouble}")).collect();
    for (test, outcome) in &report.tests {
        let may_fail = find(may_fail, file, test).is_some();
        match (outcome, find(failures, file, test)) {
            (Outcome::Failed, None) if !may_fail => {
                surprises.push(format!("{file}: {test} fails"));
            }
            (Outcome::Passed, Some(_)) => {
                surprises.push(format!("{file}: {test} passes; take it out of EXPECTED_FAILURES"))
            }
            (Outcome::Failed | Outcome::Passed | Outcome::Ignored, _) => {}
        }
    }
    let known = failures.iter().chain(may_fail);
    for (_, test, _) in known.filter(|entry| entry.0 == file) {
        let exists = report.tests.iter().any(|(name, _)| name == test);
        if *test == WHOLE_FILE && !report.tests.is_empty() {
            surprises.push(format!("{file}: it loads; take it out of EXPECTED_FAILURES"));
        }
        if *test != WHOLE_FILE && !exists {
            surprises.push(format!("{file}: {test} may fail, and does not exist"));
        }
    }
    surprises
}

fn print_table(reports: &[Report]) {
    println!("\n{} {} on this runtime", PACKAGE.0, PACKAGE.1);
    println!("{:24} {:>6} {:>6} {:>7}", "test file", "passed", "failed", "ignored");
    let mut sums = [0; 3];
    for report in reports {
        let count = |wanted| report.tests.iter().filter(|(_, outcome)| *outcome == wanted).count();
        let row = [count(Outcome::Passed), count(Outcome::Failed), count(Outcome::Ignored)];
        println!("{:24} {:>6} {:>6} {:>7}", report.name, row[0], row[1], row[2]);
        for (test, outcome) in &report.tests {
            if *outcome == Outcome::Failed {
                let reason = excuse(&report.name, test).unwrap_or("UNEXPECTED");
                println!("  {test}: {reason}");
            }
        }
        for (sum, number) in sums.iter_mut().zip(row) {
            *sum += number;
        }
    }
    println!("{:24} {:>6} {:>6} {:>7}", "all", sums[0], sums[1], sums[2]);
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Report, WHOLE_FILE, read_output, surprises, surprises_of};

    const OUTPUT: &str = "\nrunning 4 tests\ntest a::b ... \u{1b}[32mok\u{1b}[0m\n\
        test a::c - should panic ... ok\ntest a::d ... FAILED\ntest a::e ... ignored\n\n\
        test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n";

    #[test]
    fn verdicts_are_read_with_and_without_colours() {
        let (announced, tests) = read_output(OUTPUT).unwrap();
        assert_eq!(announced, Some(4));
        let tests: Vec<_> = tests.iter().map(|(name, outcome)| (name.as_str(), *outcome)).collect();
        let expected = [
            ("a::b", Outcome::Passed),
            ("a::c", Outcome::Passed),
            ("a::d", Outcome::Failed),
            ("a::e", Outcome::Ignored),
        ];
        assert_eq!(tests, expected);
    }

    fn report(file: &str, tests: &[(&str, Outcome)]) -> Report {
        Report {
            name: file.into(),
            tests: tests.iter().map(|(name, outcome)| ((*name).into(), *outcome)).collect(),
            trouble: None,
            output: String::new(),
        }
    }

    #[test]
    fn a_failure_that_is_not_expected_is_a_surprise() {
        let tests = [("messaging::a", Outcome::Failed), ("messaging::b", Outcome::Passed)];
        assert_eq!(surprises(&report("messaging", &tests)).len(), 1);
        assert_eq!(surprises(&report("messaging", &tests[1..])).len(), 0);
    }

    #[test]
    fn a_file_that_is_not_expected_to_load_must_not_load() {
        let known = &[("a", WHOLE_FILE, "it does not load")];
        assert_eq!(surprises_of(&report("a", &[]), known, &[]).len(), 0);
        let loads = report("a", &[("a::b", Outcome::Passed)]);
        assert_eq!(surprises_of(&loads, known, &[]).len(), 1);
    }

    #[test]
    fn a_test_that_may_fail_may_pass_and_must_exist() {
        let known = &[("a", "b", "needs the internet")];
        for (tests, count) in
            [(&[("b", Outcome::Failed)][..], 0), (&[("b", Outcome::Passed)], 0), (&[], 1)]
        {
            assert_eq!(surprises_of(&report("a", tests), &[], known).len(), count);
        }
    }
}
