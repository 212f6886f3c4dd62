//! Whether a test passed: a pure function of what was expected, how its root process ended, and
//! what that process printed.
//!
//! A panic leaves no trace but its printed report, whose form changed over the years. All of them
//! are read here, since guests are built by compilers of any age.

use crate::report;
use crate::runtime::Ending;

/// The result of one test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Not as expected, and what there is to say about it beyond the test's own output.
    Failed(String),
}

/// Judges a test that ended as `ending` after printing `output`.
pub fn verdict(expected_panic: Option<&str>, ending: &Ending, output: &str) -> Verdict {
    let Some(expected) = expected_panic else {
        return match ending {
            Ending::Normal => Verdict::Passed,
            // The panic's own report says it all; the trap behind it is only how a guest stops.
            Ending::Failed(_) if !panic_messages(output).is_empty() => {
                Verdict::Failed(String::new())
            }
            other => Verdict::Failed(other.to_string()),
        };
    };
    if *ending == Ending::Normal {
        return Verdict::Failed("note: test did not panic as expected".into());
    }
    let messages = panic_messages(output);
    if messages.iter().any(|message| message.contains(expected)) {
        return Verdict::Passed;
    }
    match messages.last() {
        Some(message) => Verdict::Failed(format!(
            "note: panic did not contain expected string\n      panic message: \"{}\"\n \
             expected substring: \"{}\"",
            report::printable(message),
            report::printable(expected),
        )),
        None if expected.is_empty() => Verdict::Passed,
        None => Verdict::Failed(format!(
            "{ending}\nnote: the test failed without a panic message\n expected substring: \"{}\"",
            report::printable(expected),
        )),
    }
}

/// The messages of all panic reports in a program's output, in order.
///
/// Before Rust 1.73 a report was `thread 'main' panicked at 'message', src/lib.rs:1:2`; since then
/// it is `thread 'main' panicked at src/lib.rs:1:2:` with the message from the next line on, and
/// newer compilers put a thread id in parentheses behind the name. A message may have many lines.
fn panic_messages(output: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(head) = panic_head(line) else {
            continue;
        };
        // What stands below the head line: up to std's own notes or the next report.
        let mut below = Vec::new();
        while let Some(line) = lines.next_if(|line| !is_end(line)) {
            below.push(line);
        }
        messages.push(match head.strip_prefix('\'') {
            Some(quoted) => quoted_message(quoted, &below),
            None => below.join("\n"),
        });
    }
    messages
}

/// What follows "panicked at " on the line that starts a report.
fn panic_head(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("thread '")?;
    let (_, rest) = rest.split_once('\'')?;
    // `thread 'a'b' panicked` is as legal as `thread 'main' (1) panicked`: the first mark decides.
    let (_, head) = rest.split_once("panicked at ")?;
    Some(head)
}

fn is_end(line: &str) -> bool {
    line.starts_with("note: run with `RUST_BACKTRACE")
        || line == "stack backtrace:"
        || panic_head(line).is_some()
}

/// The message of the old form, which starts behind a quote and ends before `', file:line:column`,
/// maybe lines later. Where no such end is found, the line is all there is.
fn quoted_message(first: &str, below: &[&str]) -> String {
    let mut message = String::new();
    for line in std::iter::once(&first).chain(below) {
        match line.rsplit_once("', ").filter(|(_, place)| is_place(place)) {
            Some((text, _)) => return message + text,
            None => message = message + line + "\n",
        }
    }
    first.to_owned()
}

fn is_place(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next());
    column.is_some_and(is_number) && line.is_some_and(is_number) && file.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOTE: &str = "note: run with `RUST_BACKTRACE=1` environment variable to display a \
                        backtrace";

    #[test]
    fn every_form_of_a_panic_report_is_read() {
        let cases: [(&str, &[&str]); 12] = [
            ("thread 'main' panicked at 'no way', src/lib.rs:1:2\nnote: x", &["no way"]),
            ("thread '<unnamed>' panicked at 'it's', src/a.rs:10:20", &["it's"]),
            ("thread 'main' panicked at 'a\n  left: `1`', s.rs:1:2\nrest", &["a\n  left: `1`"]),
            ("thread 'main' panicked at 'a', b.rs:1:2', s.rs:1:2", &["a', b.rs:1:2"]),
            ("thread 'main' panicked at src/main.rs:2:5:\nno way\n{NOTE}", &["no way"]),
            ("thread 'main' (1) panicked at src/main.rs:2:5:\nno way\n{NOTE}", &["no way"]),
            ("\nthread '<unnamed>' (1) panicked at a:2:5:\nl: 1\nr: 2\n{NOTE}", &["l: 1\nr: 2"]),
            ("thread 'm' panicked at a:2:5:\nx\nstack backtrace:\n 0: y", &["x"]),
            ("thread 'm' panicked at a:2:5:\nno end", &["no end"]),
            ("thread 'm' panicked at a:1:1:\nx\nthread 'm' panicked at a:2:2:\ny", &["x", "y"]),
            ("the thread 'm' panicked at a:1:1:\nx", &[]),
            ("", &[]),
        ];
        for (output, messages) in cases {
            assert_eq!(panic_messages(&output.replace("{NOTE}", NOTE)), messages, "{output}");
        }
    }

    #[test]
    fn a_test_without_expectation_passes_exactly_if_it_ends_normally() {
        let endings = [
            (Ending::Normal, true),
            (Ending::Exit(1), false),
            (Ending::Killed, false),
            (Ending::Shutdown, false),
            (Ending::Failed("trap".into()), false),
        ];
        for (ending, passes) in endings {
            let verdict = verdict(None, &ending, "thread 'm' panicked at a:1:1:\nx");
            assert_eq!(verdict == Verdict::Passed, passes, "{ending:?}");
        }
    }

    #[test]
    fn an_expected_panic_is_compared_with_the_report() {
        let trap = || Ending::Failed("trap".into());
        let report = "thread 'm' (1) panicked at a.rs:1:1:\nWord contained is present\n";
        let cases = [
            ("", trap(), report, true),
            ("contained", trap(), report, true),
            ("missing", trap(), report, false),
            // The place of the panic is not part of its message.
            ("a.rs", trap(), report, false),
            // No report: a link killed it, or it trapped. Only "any failure" passes.
            ("", trap(), "", true),
            ("", Ending::Killed, "printed", true),
            ("printed", trap(), "printed", false),
            // It was to fail and did not, whatever it printed.
            ("", Ending::Normal, report, false),
            ("contained", Ending::Normal, report, false),
            ("", Ending::Exit(3), "", true),
        ];
        for (expected, ending, output, passes) in cases {
            let verdict = verdict(Some(expected), &ending, output);
            assert_eq!(verdict == Verdict::Passed, passes, "{expected:?} {ending:?} {output:?}");
        }
    }

    #[test]
    fn a_failed_expectation_says_what_was_found() {
        let output = "thread 'm' panicked at a:1:1:\nfound\n";
        let Verdict::Failed(note) = verdict(Some("wanted"), &Ending::Failed("t".into()), output)
        else {
            panic!("passed")
        };
        assert!(note.contains("\"found") && note.contains("\"wanted\""), "{note}");
    }

    proptest! {
        #[test]
        fn messages_of_one_line_survive_all_forms(message in "[^\r\n']{1,40}") {
            prop_assume!(!is_end(&message));
            for output in [
                format!("thread 'm' panicked at '{message}', src/a.rs:1:2\n"),
                format!("thread 'm' panicked at src/a.rs:1:2:\n{message}\n{NOTE}\n"),
                format!("\nthread 'm' (7) panicked at src/a.rs:1:2:\n{message}\n{NOTE}\n"),
            ] {
                prop_assert_eq!(panic_messages(&output), vec![message.clone()]);
            }
        }

        #[test]
        fn no_output_is_too_strange_to_judge(output in ".*", more in "(?s)thread '.*") {
            let _ = panic_messages(&(output + "\n" + &more));
        }
    }
}
