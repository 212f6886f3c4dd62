//! `cargo xtask bench`: what this runtime costs beside `erl`, bare Wasmtime and a native server, on
//! the same machine in the same run; bench_rows.rs has the questions and the goals.
//!
//! All sides run in turn within each repetition, so that a machine that gets slower gets slower
//! for all. Every number is a median beside its spread, and what counts are the ratios: nothing
//! here passes or fails by a time. A side that has no such thing, or is not installed, says so.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::bench_file::{self, File, Line, Machine};
use crate::bench_page;
use crate::bench_rows::{Ask, ROWS, Row};
use crate::bench_sides::{Side, Sides};
use crate::bench_table::{self, Samples};
use crate::examples_web::NO_WRK;
use crate::shell;
use crate::workspace::{Profile, root, target_dir};

const USAGE: &str = "\
cargo xtask bench [ROW...] [OPTIONS]
  --million          also the rows with a million processes (24 GiB of memory, half an hour)
  --repetitions N    how often each side is asked (5; rows with a million: at most 3)
  --quick            a look: one repetition, a tenth of the size
  --smoke            ask each question once, tiny, on the tests' build, for the form of its answer
  --as-built         take the programs in the release build directory as they are
  --publish          write docs/performance.json, and docs/performance.md and .svg from it
  --refresh          only make these two from docs/performance.json again
  --list             the names of the rows";

/// How often a row with a million processes is repeated at most.
const MILLION_REPETITIONS_MAX: usize = 3;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    rows: Vec<String>,
    million: bool,
    repetitions: usize,
    quick: bool,
    as_built: bool,
    publish: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options> {
        let mut options = Options {
            rows: Vec::new(),
            million: false,
            repetitions: 5,
            quick: false,
            as_built: false,
            publish: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--million" => options.million = true,
                "--quick" => (options.quick, options.repetitions) = (true, 1),
                "--as-built" => options.as_built = true,
                "--publish" => options.publish = true,
                "--repetitions" => {
                    let count = args.next().and_then(|count| count.parse().ok());
                    let count = count.filter(|count| *count > 0);
                    options.repetitions = count
                        .with_context(|| format!("--repetitions needs a number\n\n{USAGE}"))?;
                }
                flag if flag.starts_with('-') => bail!("there is no option {flag}\n\n{USAGE}"),
                row => options.rows.push(row.to_owned()),
            }
        }
        for row in &options.rows {
            ensure!(ROWS.iter().any(|known| known.name == row), "no row `{row}`\n\n{}", list());
        }
        ensure!(!(options.quick && options.publish), "what --quick measures is not published");
        Ok(options)
    }

    fn wants(&self, row: &Row) -> bool {
        if self.rows.is_empty() {
            return !row.on_demand || self.million;
        }
        self.rows.iter().any(|name| name == row.name)
    }

    fn repetitions(&self, row: &Row) -> usize {
        if row.on_demand { self.repetitions.min(MILLION_REPETITIONS_MAX) } else { self.repetitions }
    }
}

fn list() -> String {
    let names = ROWS.iter().map(|row| {
        let demand = if row.on_demand { "  (with --million)" } else { "" };
        format!("  {:12} {}{demand}\n", row.name, row.lines[0].name)
    });
    format!("rows:\n{}", names.collect::<String>())
}

/// The chore.
pub fn run(args: &[String]) -> Result<()> {
    let text = match args {
        [flag] if flag == "--refresh" => return bench_page::refresh(),
        [flag] if flag == "--smoke" => return smoke(Profile::Dev),
        [flag] if flag == "--help" => Some(format!("{USAGE}\n\n{}", list())),
        [flag] if flag == "--list" => Some(list()),
        _ => None,
    };
    if let Some(text) = text {
        print!("{text}");
        return Ok(());
    }
    let options = Options::parse(args)?;
    let sides = Sides::prepare(Profile::Release, options.as_built)?;
    let mut measured = File { machine: machine(&sides), lines: Vec::new() };
    let mut failed = Vec::new();
    // Nobody knows what was built then.
    let commit = if options.as_built { String::from("as built") } else { commit() };
    for row in ROWS.iter().filter(|row| options.wants(row)) {
        println!("measuring {} ...", row.name);
        let ask = if options.quick { row.ask.quick() } else { row.ask };
        // An hour of measuring is not lost for one row.
        match measure(&sides, row, ask, options.repetitions(row), &commit) {
            Ok(lines) => measured.lines.extend(lines),
            Err(error) => failed.push(format!("{}: {error:#}", row.name)),
        }
    }
    tell(&sides, measured, options.publish)?;
    ensure!(failed.is_empty(), "rows without an answer:\n{}", failed.join("\n"));
    Ok(())
}

/// Prints what was measured and what has changed, and writes it down.
fn tell(sides: &Sides, measured: File, publish: bool) -> Result<()> {
    let before = File::read(&bench_file::committed())?.unwrap_or_default();
    let both = before.with(&measured);
    let mut measured = measured;
    for line in &mut measured.lines {
        if let Some(judged) = both.line(&line.row, &line.name) {
            line.goals.clone_from(&judged.goals);
        }
    }
    print!("\n{}", bench_table::text(&measured));
    for side in Side::ALL {
        if let Some(reason) = sides.absent(side) {
            println!("SKIPPED {}: {reason}", side.name());
        }
    }
    println!("\nagainst the last committed result, beyond the spread of both:");
    let changes = measured.changes_since(&before);
    for change in &changes {
        println!("  {change}");
    }
    if changes.is_empty() {
        println!("  no change");
    }
    let file = target_dir().join("bench.json");
    measured.write(&file)?;
    println!("\nwritten to {}", file.display());
    if publish {
        both.write(&bench_file::committed())?;
        bench_page::refresh()?;
        println!("published in docs/performance.json, docs/performance.md and .svg; commit them");
    }
    Ok(())
}

fn measure(
    sides: &Sides,
    row: &Row,
    ask: Ask,
    repetitions: usize,
    commit: &str,
) -> Result<Vec<Line>> {
    let mut samples: Vec<Samples> = row.lines.iter().map(|_| Samples::new()).collect();
    for _ in 0..repetitions {
        for side in Side::ALL {
            let Some(values) = sides.ask(side, ask)? else {
                continue;
            };
            for (samples, value) in samples.iter_mut().zip(values) {
                samples.sides[side.index()].push(value);
            }
        }
    }
    let lines = row.lines.iter().zip(&samples);
    Ok(lines.map(|(kind, samples)| samples.line(row, kind, commit, repetitions)).collect())
}

fn machine(sides: &Sides) -> Machine {
    let first = |file: &str, key: &str| -> Option<String> {
        let text = fs::read_to_string(file).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned())
    };
    let memory = first("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    Machine {
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        processor: first("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
        memory_gib: kib.div_ceil(1 << 20),
        system: format!("{system} {}", release.trim()).trim_end().to_owned(),
        erl: erl_version(sides),
    }
}

fn erl_version(sides: &Sides) -> String {
    if sides.absent(Side::Erl).is_some() {
        return "none".into();
    }
    let ask = "io:format(\"OTP ~s\", [erlang:system_info(otp_release)]), halt().";
    let answer = shell::output(Command::new("erl").args(["-noshell", "-eval", ask]));
    answer.unwrap_or_else(|_| "unknown".into())
}

/// What is measured, as far as the repository tells.
fn commit() -> String {
    let mut ask = Command::new("git");
    ask.current_dir(root()).args(["describe", "--always", "--dirty", "--exclude", "*"]);
    shell::output(&mut ask).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

/// Asks each question once, with small sizes, and only looks at the form of the answers: so that
/// a guest of the benchmark that no longer works is noticed before somebody needs it.
pub fn smoke(profile: Profile) -> Result<()> {
    let sides = Sides::prepare(profile, false)?;
    for row in ROWS {
        let ask = row.ask.tiny();
        let answered = Side::ALL
            .into_iter()
            .map(|side| Ok(sides.ask(side, ask)?.map(|values| values.len())))
            .collect::<Result<Vec<Option<usize>>>>()
            .with_context(|| format!("the row `{}`", row.name))?;
        let complete = answered.iter().flatten().all(|lines| *lines == row.lines.len());
        if matches!(ask, Ask::Web(..)) && !shell::exists("wrk") {
            println!("  {:12} SKIPPED: {}", row.name, NO_WRK);
            continue;
        }
        if !complete || answered.iter().all(Option::is_none) {
            bail!("the row `{}` is not answered in its form: {answered:?}", row.name);
        }
        println!("  {:12} is answered", row.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Options, ROWS};

    fn parse(line: &str) -> Result<Options, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_with_a_million_are_asked_on_demand_only() {
        let wanted = |line: &str| {
            let options = parse(line).unwrap();
            ROWS.iter().filter(|row| options.wants(row)).count()
        };
        let all = ROWS.len();
        assert_eq!((wanted(""), wanted("--million"), wanted("million")), (all - 2, all, 1));
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_what_can() {
        assert!(parse("no_such_row").unwrap_err().contains("round_trip"));
        assert!(parse("--fast").unwrap_err().contains("--quick"));
        assert!(parse("--repetitions 0").unwrap_err().contains("a number"));
        assert!(parse("--quick --publish").is_err());
    }
}
