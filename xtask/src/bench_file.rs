//! The benchmark's results as a file, docs/performance.json: what a program may rely on, what the
//! next run is compared with, and where docs/performance.md has its figures from.
//!
//! What must stay true: goals are judged from what stands in the file, so that lines which were
//! measured at different times are held against each other as they stand there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::bench_rows::{Goal, Kind, ROWS};
use crate::bench_sides::Side;
use crate::bench_table::{plain, ratio_name, readable};
use crate::workspace::root;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub machine: Machine,
    /// In the order of the rows.
    pub lines: Vec<Line>,
}

/// What the last run ran on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub cores: usize,
    pub processor: String,
    pub memory_gib: u64,
    pub system: String,
    /// What it was compared with.
    pub erl: String,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub row: String,
    pub name: String,
    /// `ns`, `B`, `/s`, or nothing for a number.
    pub unit: String,
    /// What was measured.
    pub commit: String,
    pub repetitions: usize,
    pub sides: BTreeMap<String, Summary>,
    /// Under names of the form `ours / peer`.
    pub ratios: BTreeMap<String, Summary>,
    pub goals: Vec<Judged>,
}

/// What samples come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

/// A goal, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    pub text: String,
    pub value: f64,
    pub max: f64,
    pub met: bool,
}

/// Where the committed results lie.
pub fn committed() -> PathBuf {
    root().join("docs/performance.json")
}

impl File {
    /// Reads a file; none if there is none.
    pub fn read(path: &Path) -> Result<Option<File>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(path)?;
        let file = serde_json::from_str(&text)
            .with_context(|| format!("{} is no file of this benchmark", path.display()))?;
        Ok(Some(file))
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The lines of another run over these, each in the place of its row; goals are judged anew.
    /// Lines that no row has any more are gone.
    pub fn with(&self, newer: &File) -> File {
        let lines = kinds().filter_map(|(row, kind)| {
            let of = |file: &File| file.line(row, kind.name).cloned();
            of(newer).or_else(|| of(self))
        });
        let mut file = File { machine: newer.machine.clone(), lines: lines.collect() };
        file.judge();
        file
    }

    /// The line of a row under a name.
    pub fn line(&self, row: &str, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.row == row && line.name == name)
    }

    /// Judges all goals for which there are figures.
    pub fn judge(&mut self) {
        let judged: Vec<Vec<Judged>> = self.lines.iter().map(|line| self.goals_of(line)).collect();
        for (line, goals) in self.lines.iter_mut().zip(judged) {
            line.goals = goals;
        }
    }

    fn goals_of(&self, line: &Line) -> Vec<Judged> {
        let kind = kinds().find(|(row, kind)| *row == line.row && kind.name == line.name);
        let goals = kind.map_or(&[][..], |(_, kind)| kind.goals);
        goals.iter().filter_map(|goal| self.judged(line, goal)).collect()
    }

    fn judged(&self, line: &Line, goal: &Goal) -> Option<Judged> {
        let ratio = |line: &Line, ours, peer| {
            line.ratios.get(&ratio_name(ours, peer)).map(|ratio| ratio.median)
        };
        let (value, max, text) = match *goal {
            Goal::Ratio(ours, peer, max) => (
                ratio(line, ours, peer)?,
                max,
                format!("{} at most {max:.2} x {}", ours.name(), peer.name()),
            ),
            Goal::Value(side, max) => (
                line.sides.get(side.name())?.median,
                max,
                format!("{} at most {}", side.name(), readable(max, &line.unit)),
            ),
            Goal::Flat(row, max) => {
                let base = ratio(self.line(row, &line.name)?, Side::Rust, Side::Erl)?;
                let times = ratio(line, Side::Rust, Side::Erl)? / base;
                (times, max, format!("ratio at most {max:.2} x that of {row} ({times:.2})"))
            }
        };
        // So that what is written is read again as the same number.
        let value = (value * 1e4).round() / 1e4;
        Some(Judged { text, value, max, met: value <= max })
    }

    /// What is better or worse than in an older file, beyond the spread of both.
    pub fn changes_since(&self, older: &File) -> Vec<String> {
        let same_machine = self.machine == older.machine;
        let mut changes = Vec::new();
        for line in &self.lines {
            let Some(before) = older.line(&line.row, &line.name) else { continue };
            let more_is_better = line.unit == "/s";
            for (name, now) in &line.ratios {
                let Some(then) = before.ratios.get(name) else { continue };
                if let Some(word) = change(then, now, more_is_better) {
                    let (then, now) = (plain(*then), plain(*now));
                    changes.push(format!("{word}: {}: {name}: {then} -> {now}", line.name));
                }
            }
            // Sizes are the same everywhere; times only say something on the same machine.
            if same_machine || matches!(line.unit.as_str(), "B" | "") {
                changes.extend(changed_values(before, line, more_is_better));
            }
        }
        changes
    }
}

/// Values of sides that have no ratio, which would say the same.
fn changed_values(before: &Line, line: &Line, more_is_better: bool) -> Vec<String> {
    let ours = [Side::Rust, Side::Own, Side::Raw, Side::Guarded].map(Side::name);
    let compared = |side: &str| line.ratios.keys().any(|name| name.starts_with(side));
    let sides = ours.into_iter().filter(|side| !compared(side));
    sides
        .filter_map(|side| {
            let (then, now) = (before.sides.get(side)?, line.sides.get(side)?);
            let word = change(then, now, more_is_better)?;
            let [then, now] = [then, now].map(|summary| readable(summary.median, &line.unit));
            Some(format!("{word}: {}: {side}: {then} -> {now}", line.name))
        })
        .collect()
}

/// Whether all that was seen now lies on one side of all that was seen then.
fn change(then: &Summary, now: &Summary, more_is_better: bool) -> Option<&'static str> {
    let (less, more) = if more_is_better { ("worse", "better") } else { ("better", "worse") };
    if now.max < then.min {
        return Some(less);
    }
    (now.min > then.max).then_some(more)
}

fn kinds() -> impl Iterator<Item = (&'static str, &'static Kind)> {
    ROWS.iter().flat_map(|row| row.lines.iter().map(|kind| (row.name, kind)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{File, Line, Machine, Summary};

    fn exactly(median: f64) -> Summary {
        Summary { median, min: median * 0.9, max: median * 1.1 }
    }

    fn line(row: &str, name: &str, ratio: f64) -> Line {
        Line {
            row: row.into(),
            name: name.into(),
            unit: "ns".into(),
            commit: "none".into(),
            repetitions: 5,
            sides: BTreeMap::new(),
            ratios: [("rust guest / erl".into(), exactly(ratio))].into(),
            goals: Vec::new(),
        }
    }

    fn file(lines: Vec<Line>) -> File {
        File { machine: Machine::default(), lines }
    }

    const TRIP: (&str, &str) = ("round_trip", "round trip between two processes");
    const BESIDE: &str = "round trip beside them";

    #[test]
    fn a_ratio_is_held_against_its_goal() {
        for (ratio, met) in [(0.9, true), (1.0, true), (1.1, false)] {
            let judged = File::default().with(&file(vec![line(TRIP.0, TRIP.1, ratio)]));
            assert_eq!(judged.lines[0].goals[0].met, met, "{ratio}");
        }
    }

    #[test]
    fn a_cost_is_flat_if_its_ratio_hardly_worsens_with_numbers() {
        for (ratio, met) in [(2.2, true), (2.4, false)] {
            let lines = vec![line("crowd_1k", BESIDE, 2.0), line("crowd_100k", BESIDE, ratio)];
            let judged = File::default().with(&file(lines));
            assert_eq!(judged.lines[1].goals[0].met, met, "{ratio}");
        }
    }

    #[test]
    fn lines_that_were_not_measured_again_stay_and_are_judged_with_the_new_ones() {
        let old = file(vec![line(TRIP.0, TRIP.1, 0.9), line("crowd_100k", BESIDE, 2.0)]);
        let new = file(vec![line("crowd_1k", BESIDE, 1.0), line("gone", "no row has it", 1.0)]);
        let both = old.with(&new);
        let rows: Vec<&str> = both.lines.iter().map(|line| line.row.as_str()).collect();
        assert_eq!(rows, ["round_trip", "crowd_1k", "crowd_100k"]);
        assert!(!both.lines[2].goals[0].met);
    }

    #[test]
    fn only_what_lies_beyond_the_spread_of_both_runs_is_a_change() {
        let at = |ratio| file(vec![line(TRIP.0, TRIP.1, ratio)]);
        assert_eq!(at(1.1).changes_since(&at(1.0)), [""; 0]);
        assert!(at(1.5).changes_since(&at(1.0))[0].starts_with("worse: round trip"));
        assert!(at(0.5).changes_since(&at(1.0))[0].starts_with("better: round trip"));
    }
}
