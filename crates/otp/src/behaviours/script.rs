//! Behaviour scenarios as text, and what makes one valid.
//!
//! Owns the language: which lines there are and which words each takes. What must stay true: what a
//! script holds, both players understand, and no step of it waits for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::words::{check_attributes, check_line, is_declaration};

/// Why a text is no scenario.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct ScriptError {
    line: usize,
    text: String,
}

/// A line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its words.
    pub words: Vec<String>,
    /// What the step must do; only the players' agreement counts where it is missing.
    pub expected: Option<String>,
    /// Where it is in the file.
    number: usize,
}

impl Line {
    /// A line that nobody wrote.
    pub fn new(text: &str) -> Line {
        let words = text.split_whitespace().map(str::to_owned).collect();
        Line { words, expected: None, number: 0 }
    }

    /// The line as it is written.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// Whether it only says what there is, and does nothing.
    pub fn is_declaration(&self) -> bool {
        is_declaration(&self.words[0])
    }
}

/// A scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Rows of the table of guarantees that it speaks for.
    pub rows: Vec<u8>,
    /// Within a step, only what happened counts, not in which order.
    pub unordered: bool,
    /// Declarations and steps.
    pub lines: Vec<Line>,
}

impl Script {
    /// Reads a scenario, and checks it.
    pub fn parse(text: &str) -> Result<Script, ScriptError> {
        let mut script = Script { rows: Vec::new(), unordered: false, lines: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let wrong = |text: String| ScriptError { line: number, text };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(rows) = line.strip_prefix("rows:") {
                for row in rows.split(',') {
                    let row = row.trim().parse();
                    script.rows.push(row.map_err(|_| wrong("rows are numbers".into()))?);
                }
            } else if line == "order: any" {
                script.unordered = true;
            } else if let Some(expected) = line.strip_prefix("=>") {
                let step = script.lines.last_mut().filter(|line| !line.is_declaration());
                let step = step.ok_or_else(|| wrong("there is no step to say this of".into()))?;
                let expected = expected.trim();
                step.expected = Some(match step.expected.take() {
                    Some(before) => format!("{before}; {expected}"),
                    None => expected.to_owned(),
                });
            } else {
                script.lines.push(Line { number, ..Line::new(line) });
            }
        }
        match script.check() {
            Ok(()) => Ok(script),
            Err((number, text)) => Err(ScriptError { line: number, text }),
        }
    }

    /// The steps.
    pub fn steps(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.is_declaration())
    }

    /// What was seen of a step, in the one form that is compared.
    pub fn canonical(&self, seen: &str) -> String {
        if !self.unordered {
            return seen.to_owned();
        }
        let mut items: Vec<&str> = seen.split("; ").collect();
        items.sort_unstable();
        items.join("; ")
    }

    /// Whether it makes sense; if not, where not, and why.
    pub fn check(&self) -> Result<(), (usize, String)> {
        let mut declared = BTreeSet::new();
        let (mut nested, mut stubborn) = (BTreeSet::new(), BTreeMap::new());
        for line in &self.lines {
            let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
            let wrong = |text: String| (line.number, text);
            check_line(&words).map_err(wrong)?;
            match words[..] {
                ["supervisor", name, _, "in", above, ..] => {
                    need(&declared, above).map_err(wrong)?;
                    declared.insert(name);
                    nested.insert(name);
                }
                ["supervisor", name, ..] => drop(declared.insert(name)),
                ["child", name, _, above, ref rest @ ..] => {
                    need(&declared, above).map_err(wrong)?;
                    stubborn.insert(name, check_attributes(rest).map_err(wrong)?);
                }
                // The signal of a process that is not its parent says nothing to a supervisor.
                ["signal", name, _] if nested.contains(name) => {
                    return Err(wrong(format!("{name} is below another supervisor")));
                }
                ["start_child", above, name, ref rest @ ..] => {
                    need(&declared, above).map_err(wrong)?;
                    stubborn.insert(name, check_attributes(rest).map_err(wrong)?);
                }
                ["start_dynamic", above, name] => {
                    need(&declared, above).map_err(wrong)?;
                    stubborn.insert(name, false);
                }
                ["exit", name, _] if stubborn.get(name) == Some(&true) => {
                    return Err(wrong(format!("{name} is stubborn, and would never end")));
                }
                ["start" | "stop" | "which" | "count", name] => {
                    need(&declared, name).map_err(wrong)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn need(declared: &BTreeSet<&str>, name: &str) -> Result<(), String> {
    if declared.contains(name) { Ok(()) } else { Err(format!("{name} is not declared")) }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unordered {
            writeln!(f, "order: any")?;
        }
        for line in &self.lines {
            writeln!(f, "{}", line.text())?;
        }
        Ok(())
    }
}
