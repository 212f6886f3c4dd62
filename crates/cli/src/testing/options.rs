//! The flags of the test harness: libtest's usual ones, under their usual names.
//!
//! What Cargo, nextest and people's fingers pass must mean here what it means to libtest. A flag
//! that has no meaning here is refused with its name, never ignored.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::name::Test;
use crate::args;

/// Longest that a test may take where nothing else is said.
const TIMEOUT_DEFAULT_SECONDS: &str = "300";
/// Tests at once, whatever is asked for; each has an environment and a buffer of its own.
const TESTS_AT_ONCE_MAX: usize = 10_000;

/// Flags of the test harness, which stand after TARGET
#[derive(Parser, Debug)]
#[command(name = "lunatic test TARGET", no_binary_name = true, disable_version_flag = true)]
pub struct Options {
    /// Run only tests whose name contains one of these texts
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// A filter must be the whole name
    #[arg(long)]
    pub exact: bool,
    /// Leave out tests whose name contains this text (repeatable)
    #[arg(long, value_name = "FILTER")]
    pub skip: Vec<String>,
    /// Print the names of the tests instead of running them
    #[arg(long)]
    pub list: bool,
    /// Run only the ignored tests
    #[arg(long, conflicts_with = "include_ignored")]
    pub ignored: bool,
    /// Run the ignored tests too
    #[arg(long)]
    pub include_ignored: bool,
    /// Print what tests print at once
    #[arg(long, visible_alias = "no-capture")]
    pub nocapture: bool,
    /// Print the output of tests that pass, too
    #[arg(long)]
    pub show_output: bool,
    /// How many tests run at once (one for each CPU)
    #[arg(long, value_name = "N", env = "RUST_TEST_THREADS", hide_env_values = true,
        value_parser = clap::value_parser!(u32).range(1..))]
    test_threads: Option<u32>,
    /// One line for each test, or one letter
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    /// The same as --format terse
    #[arg(short, long)]
    quiet: bool,
    /// When to use colours
    #[arg(long, value_enum, default_value = "auto")]
    color: Color,
    /// How long one test may take; 0 for ever
    #[arg(long, value_name = "SECONDS", env = "LUNATIC_TEST_TIMEOUT", hide_env_values = true,
        default_value = TIMEOUT_DEFAULT_SECONDS, value_parser = args::seconds)]
    test_timeout: Duration,
    /// Let the tests use a directory, as the flag of `lunatic run` (repeatable)
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    pub dirs: Vec<OsString>,
    /// Accepted as libtest does: tests are run, not benchmarks
    #[arg(long, hide = true)]
    test: bool,
}

/// How results are printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One line for each test.
    Pretty,
    /// One letter for each test.
    Terse,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Color {
    Auto,
    Always,
    Never,
}

/// What happens to one test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// It runs.
    Run,
    /// It is named as ignored.
    Ignore,
    /// It counts as filtered out.
    FilterOut,
}

impl Options {
    /// Reads the flags. The error prints itself, help included.
    pub fn parse_from_args(args: &[String]) -> Result<Options, clap::Error> {
        Options::try_parse_from(args)
    }

    /// What these flags mean for one test.
    pub fn choice(&self, test: &Test) -> Choice {
        let matches = |filter: &String| {
            if self.exact { test.name == *filter } else { test.name.contains(filter.as_str()) }
        };
        let wanted = self.filters.is_empty() || self.filters.iter().any(matches);
        if !wanted || self.skip.iter().any(matches) || (self.ignored && !test.ignored) {
            Choice::FilterOut
        } else if test.ignored && !self.ignored && !self.include_ignored {
            Choice::Ignore
        } else {
            Choice::Run
        }
    }

    /// The form of the output.
    pub fn format(&self) -> Format {
        if self.quiet { Format::Terse } else { self.format }
    }

    /// Whether the output has colours.
    pub fn coloured(&self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::io::stdout().is_terminal(),
        }
    }

    /// How many tests run at once: one for each CPU, as libtest has it. More would be faster, but
    /// published suites expect signals and timers within 10 ms, and at four for each CPU a third
    /// of the runs of one such suite failed.
    pub fn at_once(&self) -> usize {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let asked = self.test_threads.map(|number| number as usize);
        asked.unwrap_or(cpus).min(TESTS_AT_ONCE_MAX)
    }

    /// How long one test may take; `None` for ever.
    pub fn timeout(&self) -> Option<Duration> {
        (!self.test_timeout.is_zero()).then_some(self.test_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let args: Vec<String> = line.split_whitespace().map(String::from).collect();
        Options::parse_from_args(&args).expect(line)
    }

    fn test(name: &str, ignored: bool) -> Test {
        let ignore = if ignored { "#ignore_" } else { "" };
        Test::from_export(&format!("#lunatic_test_{ignore}{name}")).unwrap()
    }

    #[test]
    fn flags_choose_tests_as_libtest_does() {
        use Choice::{FilterOut, Ignore, Run};
        // The choices for a::one, a::two and the ignored b::one.
        let cases = [
            ("", [Run, Run, Ignore]),
            ("one", [Run, FilterOut, Ignore]),
            ("a::", [Run, Run, FilterOut]),
            ("one two", [Run, Run, Ignore]),
            ("none", [FilterOut, FilterOut, FilterOut]),
            ("--exact one", [FilterOut, FilterOut, FilterOut]),
            ("--exact a::one", [Run, FilterOut, FilterOut]),
            ("--exact a::one a::two", [Run, Run, FilterOut]),
            ("--skip one", [FilterOut, Run, FilterOut]),
            ("--skip a::one --skip b", [FilterOut, Run, FilterOut]),
            ("--exact --skip one", [Run, Run, Ignore]),
            ("one --skip b", [Run, FilterOut, FilterOut]),
            ("--ignored", [FilterOut, FilterOut, Run]),
            ("--ignored two", [FilterOut, FilterOut, FilterOut]),
            ("--include-ignored", [Run, Run, Run]),
            ("--include-ignored one", [Run, FilterOut, Run]),
        ];
        let tests = [test("a::one", false), test("a::two", false), test("b::one", true)];
        for (line, choices) in cases {
            let options = options(line);
            assert_eq!(tests.each_ref().map(|test| options.choice(test)), choices, "{line}");
        }
    }

    #[test]
    fn what_cargo_and_nextest_pass_is_understood() {
        for line in [
            "--list --format terse",
            "--list --format terse --ignored",
            "a::one --exact --nocapture",
            "--no-capture --show-output --test-threads=1 --color always -q",
            "--test --test-threads 2 --quiet",
        ] {
            options(line);
        }
        assert_eq!(options("-q").format(), Format::Terse);
        assert_eq!(options("--format=pretty").format(), Format::Pretty);
        assert_eq!(options("--test-threads 3").at_once(), 3);
        assert!(options("--color always").coloured() && !options("--color never").coloured());
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for line in ["--format json", "--shuffle", "--logfile x", "--test-threads 0", "--bench"] {
            let args: Vec<String> = line.split_whitespace().map(String::from).collect();
            let error = Options::parse_from_args(&args).expect_err(line);
            let flag = line.split(' ').next_back().unwrap();
            assert!(error.to_string().contains(flag), "{line}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn a_timeout_of_zero_means_for_ever() {
        assert_eq!(options("--test-timeout 0").timeout(), None);
        assert_eq!(options("--test-timeout 1.5").timeout(), Some(Duration::from_millis(1500)));
    }
}
