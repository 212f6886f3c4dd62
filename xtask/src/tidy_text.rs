//! What a source file looks like: its header, its length, and what must not be in it. The limits
//! are for reading, so tests do not count towards them.

use crate::tidy::Source;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;

/// Files that may break a limit, and why. An entry without need is a finding too.
const EXEMPT: &[(&str, &str)] = &[];

/// What must not stand at the beginning of a line or after a blank, and what to do instead.
/// The words are put together here, so that this file does not find itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("dbg", "!("), "remove it, or use tracing"),
    (concat!("todo", "!("), "finish it; nothing on main is a stub"),
    (concat!("FIX", "ME"), "mend it, or open an issue"),
    (concat!("#[ign", "ore"), "assert the present behaviour with a note instead"),
];

/// Words of other vocabularies for things that have a name here (docs/glossary or ARCHITECTURE).
const SYNONYMS: &[(&str, &str)] = &[
    (concat!("Death", "Reason"), "exit reason"),
    (concat!("scratch", "_area"), "draft or current message"),
];

/// Checks every Rust file, and the lengths of lines of the text format too.
pub fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let mut found = Vec::new();
        if source.path.ends_with(".rs") {
            found.extend(header(source));
            found.extend(lengths(source));
            if !source.path.starts_with("examples/") {
                found.extend(words(source));
            }
        }
        if !source.path.ends_with(".md") {
            found.extend(line_lengths(source));
        }
        let exempt = EXEMPT.iter().any(|(path, _)| *path == source.path);
        match (exempt, found.is_empty()) {
            (true, true) => findings.push(format!("{}: needs no exemption any more", source.path)),
            (true, false) | (false, true) => {}
            (false, false) => findings.append(&mut found),
        }
    }
    findings
}

fn header(source: &Source) -> Option<String> {
    let first = source.text.lines().next().unwrap_or("");
    let path = &source.path;
    (!first.starts_with("//!"))
        .then(|| format!("{path}:1: begins without a //! header that says what the file owns"))
}

/// The part of a file that is not its own tests.
fn without_tests(source: &Source) -> &str {
    let in_tests = source.path.contains("/tests/") || source.path.ends_with("tests.rs");
    if in_tests {
        return "";
    }
    source.text.find("#[cfg(test)]\nmod ").map_or(&source.text, |end| &source.text[..end])
}

fn lengths(source: &Source) -> Vec<String> {
    let text = without_tests(source);
    let path = &source.path;
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        findings.push(format!("{path}: {lines} lines without tests; split it by concern"));
    }
    for (begin, length) in long_functions(text) {
        findings.push(format!("{path}:{begin}: a function of {length} lines; split it"));
    }
    findings
}

/// First line and length of each function over the limit. Formatted code closes a function at the
/// indentation at which it began, which is all that this looks at.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (begin, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        if !is_function(code) {
            continue;
        }
        let end = lines[begin..].iter().position(|line| {
            let rest = line.strip_prefix(indent);
            // A body ends at its brace, a declaration without one at its semicolon.
            rest.is_some_and(|rest| rest.starts_with('}') || is_declaration(rest))
        });
        let length = end.map_or(0, |end| end + 1);
        if length > FUNCTION_LINES_MAX {
            found.push((begin + 1, length));
        }
    }
    found
}

fn is_function(code: &str) -> bool {
    let before = code.split("fn ").next().unwrap_or("");
    code.contains("fn ")
        && before.split_whitespace().all(|word| {
            let words = ["pub", "async", "const", "unsafe", "extern", "\"C\""];
            words.contains(&word) || word.starts_with("pub(")
        })
}

fn is_declaration(rest: &str) -> bool {
    rest.ends_with(';') && (is_function(rest) || rest.starts_with(')'))
}

fn line_lengths(source: &Source) -> Vec<String> {
    let path = &source.path;
    let long = source.text.lines().enumerate().filter(|(_, line)| {
        // A string or an address that cannot be broken is not worth a finding.
        line.chars().count() > LINE_CHARS_MAX && !line.contains("\\n") && !line.contains("://")
    });
    long.map(|(index, line)| {
        let length = line.chars().count();
        format!("{path}:{}: a line of {length} characters", index + 1)
    })
    .collect()
}

fn words(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for (word, instead) in FORBIDDEN {
            if starts_a_word(line, word) {
                findings.push(format!("{path}:{}: `{word}`: {instead}", index + 1));
            }
        }
        for (word, ours) in SYNONYMS {
            if line.contains(word) {
                findings.push(format!("{path}:{}: we say {ours}, not {word}", index + 1));
            }
        }
    }
    findings
}

fn starts_a_word(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| line[..at].chars().all(|c| c.is_whitespace() || c == '/'))
        || line.contains(&format!(" {word}")) && !line.contains('`') && !line.contains('"')
}

#[cfg(test)]
mod tests {
    use super::{FORBIDDEN, check, is_function, long_functions};
    use crate::tidy::Source;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&[Source { path: path.into(), text: text.into() }])
    }

    #[test]
    fn a_file_begins_with_its_header() {
        assert_eq!(findings("crates/a/src/b.rs", "//! Owns it.\n").len(), 0);
        assert_eq!(findings("crates/a/src/b.rs", "use std::fs;\n").len(), 1);
        assert_eq!(findings("crates/a/src/b.rs", "").len(), 1);
    }

    #[test]
    fn tests_do_not_count_towards_the_length_of_a_file() {
        let long = "fn a() {}\n".repeat(600);
        let within = format!("//! h\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(findings("crates/a/src/b.rs", &within).len(), 0);
        assert_eq!(findings("crates/a/tests/b.rs", &format!("//! h\n{long}")).len(), 0);
        assert_eq!(findings("crates/a/src/b.rs", &format!("//! h\n{long}")).len(), 1);
    }

    #[test]
    fn a_long_function_is_found_where_it_begins() {
        let body = "        work();\n".repeat(70);
        let text = format!("impl A {{\n    pub async fn b(&self) {{\n{body}    }}\n}}\n");
        assert_eq!(long_functions(&text), [(2, 72)]);
        let short = "trait A {\n    fn b(&self);\n    fn c(&self);\n}\n";
        assert_eq!(long_functions(&short.repeat(40)), []);
    }

    #[test]
    fn a_function_is_told_from_a_mention_of_one() {
        assert!(is_function("pub(crate) unsafe extern \"C\" fn a() {"));
        assert!(!is_function("let f: fn (u8) = a;"));
        assert!(!is_function("// calls fn a"));
    }

    #[test]
    fn leftovers_are_found_and_mentions_of_them_are_not() {
        for (word, _) in FORBIDDEN {
            let text = format!("//! h\n    {word}\n");
            assert_eq!(findings("crates/a/src/b.rs", &text).len(), 1, "{word}");
            let text = format!("//! h\n    let words = [\"{word}\"];\n");
            assert_eq!(findings("crates/a/src/b.rs", &text).len(), 0, "{word}");
        }
    }
}
