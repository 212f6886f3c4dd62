//! What a test run prints, in libtest's format, so that editors, Cargo and nextest understand it.
//!
//! Everything goes to one writer (standard output). A test's captured output is printed as it is:
//! it is the user's own. The only state is what the summary at the end needs.

use std::io::{self, Write};
use std::time::Duration;

use super::name::Test;
use super::options::Format;
use super::verdict::Verdict;

/// Letters on one line of the terse format.
const TERSE_COLUMNS: usize = 88;

/// A test that ran.
#[derive(Debug)]
pub struct Finished {
    /// The test's name.
    pub name: String,
    /// Whether it was to panic.
    pub should_panic: bool,
    /// How it went.
    pub verdict: Verdict,
    /// What it printed, unless that was shown at once.
    pub output: String,
}

/// The printed side of a test run.
pub struct Printer<W> {
    out: W,
    format: Format,
    coloured: bool,
    show_output: bool,
    total: usize,
    done: usize,
    ignored: usize,
    passed: Vec<Finished>,
    failed: Vec<Finished>,
}

/// How the run is to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Lines or letters.
    pub format: Format,
    /// ANSI colours.
    pub coloured: bool,
    /// Whether the output of tests that pass is printed too.
    pub show_output: bool,
}

impl<W: Write> Printer<W> {
    /// Starts the output of a run of `total` tests, ignored ones among them.
    pub fn start(mut out: W, style: Style, total: usize) -> io::Result<Printer<W>> {
        let noun = if total == 1 { "test" } else { "tests" };
        writeln!(out, "\nrunning {total} {noun}")?;
        out.flush()?;
        let Style { format, coloured, show_output } = style;
        let (passed, failed) = (Vec::new(), Vec::new());
        let (done, ignored) = (0, 0);
        Ok(Printer { out, format, coloured, show_output, total, done, ignored, passed, failed })
    }

    /// Prints a test that does not run.
    pub fn ignored(&mut self, test: &Test) -> io::Result<()> {
        self.ignored += 1;
        let should_panic = test.expected_panic.is_some();
        self.result(&test.name, should_panic, Word::Ignored)
    }

    /// Prints the result of a test, and keeps what the end of the run has to say about it.
    pub fn finished(&mut self, test: Finished) -> io::Result<()> {
        if test.verdict == Verdict::Passed {
            self.result(&test.name, test.should_panic, Word::Passed)?;
            if self.show_output {
                self.passed.push(test);
            } else {
                self.passed.push(Finished { output: String::new(), ..test });
            }
        } else {
            self.result(&test.name, test.should_panic, Word::Failed)?;
            self.failed.push(test);
        }
        Ok(())
    }

    /// Says that a test takes unusually long.
    pub fn slow(&mut self, name: &str, running: Duration) -> io::Result<()> {
        let seconds = running.as_secs();
        writeln!(self.out, "test {name} has been running for over {seconds} seconds")?;
        self.out.flush()
    }

    /// Ends the run. Gives whether all tests passed.
    pub fn finish(mut self, filtered_out: usize, took: Duration) -> io::Result<bool> {
        if self.format == Format::Terse && !self.done.is_multiple_of(TERSE_COLUMNS) {
            writeln!(self.out)?;
        }
        // Tests end in any order; a list that is read later is sorted.
        self.passed.sort_by(|a, b| a.name.cmp(&b.name));
        self.failed.sort_by(|a, b| a.name.cmp(&b.name));
        if self.show_output {
            section(&mut self.out, "successes", &self.passed)?;
        }
        if !self.failed.is_empty() {
            section(&mut self.out, "failures", &self.failed)?;
        }
        let all_passed = self.failed.is_empty();
        let word = if all_passed { Word::Passed } else { Word::Failed };
        let result = self.coloured_text(if all_passed { "ok" } else { "FAILED" }, word);
        writeln!(
            self.out,
            "\ntest result: {result}. {} passed; {} failed; {} ignored; 0 measured; \
             {filtered_out} filtered out; finished in {:.2}s\n",
            self.passed.len(),
            self.failed.len(),
            self.ignored,
            took.as_secs_f64(),
        )?;
        self.out.flush()?;
        Ok(all_passed)
    }

    fn result(&mut self, name: &str, should_panic: bool, word: Word) -> io::Result<()> {
        self.done += 1;
        match self.format {
            Format::Pretty => {
                let panics = if should_panic { " - should panic" } else { "" };
                let text = self.coloured_text(word.text(), word);
                writeln!(self.out, "test {name}{panics} ... {text}")?;
            }
            Format::Terse => {
                let text = self.coloured_text(word.letter(), word);
                write!(self.out, "{text}")?;
                if self.done.is_multiple_of(TERSE_COLUMNS) {
                    writeln!(self.out, " {}/{}", self.done, self.total)?;
                }
            }
        }
        self.out.flush()
    }

    fn coloured_text(&self, text: &str, word: Word) -> String {
        if self.coloured {
            format!("\x1b[{}m{text}\x1b[0m", word.colour())
        } else {
            text.to_owned()
        }
    }
}

/// Prints the names of tests, as `--list` does.
pub fn list<'a>(
    mut out: impl Write,
    format: Format,
    tests: impl Iterator<Item = &'a Test>,
) -> io::Result<()> {
    let mut count = 0;
    for test in tests {
        writeln!(out, "{}: test", test.name)?;
        count += 1;
    }
    if format == Format::Pretty {
        let gap = if count == 0 { "" } else { "\n" };
        let noun = if count == 1 { "test" } else { "tests" };
        writeln!(out, "{gap}{count} {noun}, 0 benchmarks")?;
    }
    out.flush()
}

/// The outputs of some tests, and then their names.
fn section(out: &mut impl Write, title: &str, tests: &[Finished]) -> io::Result<()> {
    writeln!(out, "\n{title}:\n")?;
    for test in tests {
        let mut text = test.output.clone();
        if let Verdict::Failed(note) = &test.verdict {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(note);
        }
        if !text.is_empty() {
            writeln!(out, "---- {} stdout ----\n{}\n", test.name, text.trim_end_matches('\n'))?;
        }
    }
    writeln!(out, "\n{title}:")?;
    tests.iter().try_for_each(|test| writeln!(out, "    {}", test.name))
}

#[derive(Clone, Copy)]
enum Word {
    Passed,
    Failed,
    Ignored,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Passed => "ok",
            Word::Failed => "FAILED",
            Word::Ignored => "ignored",
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Word::Passed => ".",
            Word::Failed => "F",
            Word::Ignored => "i",
        }
    }

    fn colour(self) -> u8 {
        match self {
            Word::Passed => 32,
            Word::Failed => 31,
            Word::Ignored => 33,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(export: &str) -> Test {
        Test::from_export(&format!("#lunatic_test_{export}")).unwrap()
    }

    fn finished(name: &str, verdict: Verdict, output: &str) -> Finished {
        Finished { name: name.into(), should_panic: false, verdict, output: output.into() }
    }

    fn failed(note: &str) -> Verdict {
        Verdict::Failed(note.into())
    }

    fn printed(style: Style, results: Vec<Finished>, filtered_out: usize) -> (String, bool) {
        let mut out = Vec::new();
        let mut printer = Printer::start(&mut out, style, results.len() + 1).unwrap();
        printer.ignored(&test("#ignore_a::later")).unwrap();
        for result in results {
            printer.finished(result).unwrap();
        }
        let passed = printer.finish(filtered_out, Duration::from_millis(1234)).unwrap();
        (String::from_utf8(out).unwrap(), passed)
    }

    const PLAIN: Style = Style { format: Format::Pretty, coloured: false, show_output: false };

    #[test]
    fn a_run_that_passes_prints_one_line_for_each_test() {
        let panics = Finished { should_panic: true, ..finished("a::p", Verdict::Passed, "gone") };
        let results = vec![finished("a::one", Verdict::Passed, "not shown"), panics];
        let (text, passed) = printed(PLAIN, results, 4);
        assert!(passed);
        let expected = "
running 3 tests
test a::later ... ignored
test a::one ... ok
test a::p - should panic ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 1.23s

";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_run_that_fails_ends_with_outputs_and_names_in_order() {
        let results = vec![
            finished("a::z", failed("note: z"), "printed"),
            finished("a::ok", Verdict::Passed, ""),
            finished("a::b", failed("trap: x"), "line\n"),
        ];
        let (text, passed) = printed(PLAIN, results, 0);
        assert!(!passed);
        let expected = "
running 4 tests
test a::later ... ignored
test a::z ... FAILED
test a::ok ... ok
test a::b ... FAILED

failures:

---- a::b stdout ----
line
trap: x

---- a::z stdout ----
printed
note: z


failures:
    a::b
    a::z

test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; \
finished in 1.23s

";
        assert_eq!(text, expected);
    }

    #[test]
    fn show_output_prints_what_passing_tests_said() {
        let style = Style { show_output: true, ..PLAIN };
        let (text, _) = printed(style, vec![finished("a", Verdict::Passed, "hello\n")], 0);
        assert!(
            text.contains("\nsuccesses:\n\n---- a stdout ----\nhello\n\n\nsuccesses:\n    a\n")
        );
    }

    #[test]
    fn the_terse_format_prints_letters_and_breaks_long_lines() {
        let style = Style { format: Format::Terse, ..PLAIN };
        let results = (0..TERSE_COLUMNS).map(|_| finished("a", Verdict::Passed, "")).collect();
        let (text, _) = printed(style, results, 0);
        let dots = ".".repeat(TERSE_COLUMNS - 1);
        assert!(text.starts_with(&format!("\nrunning 89 tests\ni{dots} 88/89\n.\n\ntest result")));
    }

    #[test]
    fn colours_appear_only_if_asked_for() {
        let results = || vec![finished("a", failed("n"), ""), finished("b", Verdict::Passed, "")];
        assert!(!printed(PLAIN, results(), 0).0.contains('\x1b'));
        let (text, _) = printed(Style { coloured: true, ..PLAIN }, results(), 0);
        assert!(text.contains("\x1b[31mFAILED\x1b[0m") && text.contains("\x1b[32mok\x1b[0m"));
        assert!(text.contains("\x1b[33mignored\x1b[0m"));
    }

    #[test]
    fn lists_are_those_of_libtest() {
        let tests = [test("a::one"), test("#ignore_a::two")];
        let listed = |format, tests: &[Test]| {
            let mut out = Vec::new();
            list(&mut out, format, tests.iter()).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(listed(Format::Terse, &tests), "a::one: test\na::two: test\n");
        let pretty = "a::one: test\na::two: test\n\n2 tests, 0 benchmarks\n";
        assert_eq!(listed(Format::Pretty, &tests), pretty);
        assert_eq!(listed(Format::Pretty, &[]), "0 tests, 0 benchmarks\n");
    }
}
