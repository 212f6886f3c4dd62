//! What the benchmark makes of its samples: medians beside their spread, ratios with theirs, and
//! whether goals are met; as text for people.

use crate::bench_file::{File, Judged, Line, Summary};
use crate::bench_rows::{Kind, Row};
use crate::bench_sides::Side;

/// Our sides beside what they are compared with.
pub const RATIOS: [(Side, Side); 7] = [
    (Side::Rust, Side::Erl),
    (Side::Own, Side::Erl),
    (Side::Raw, Side::Erl),
    (Side::Raw, Side::Bare),
    (Side::Raw, Side::Bounds),
    (Side::Guarded, Side::Bare),
    (Side::Rust, Side::Native),
];

/// What was measured for one line of the table.
pub struct Samples {
    /// One list for each side, in the order of [`Side::ALL`]. A repetition adds to all lists of
    /// sides that answer, so that the same places belong together.
    pub sides: [Vec<f64>; Side::ALL.len()],
}

impl Samples {
    /// None yet.
    pub fn new() -> Self {
        Self { sides: Default::default() }
    }

    /// What it comes to.
    pub fn line(&self, row: &Row, kind: &Kind, commit: &str, repetitions: usize) -> Line {
        let sides = Side::ALL
            .into_iter()
            .filter_map(|side| Some((side.name().to_owned(), summary(&self.sides[side.index()])?)));
        // Numbers of things, such as mappings, are compared with nothing.
        let ratios = RATIOS
            .into_iter()
            .filter(|_| !kind.unit.is_empty())
            .filter_map(|(ours, peer)| Some((ratio_name(ours, peer), self.ratio(ours, peer)?)));
        Line {
            row: row.name.to_owned(),
            name: kind.name.to_owned(),
            unit: kind.unit.to_owned(),
            commit: commit.to_owned(),
            repetitions,
            sides: sides.collect(),
            ratios: ratios.collect(),
            goals: Vec::new(),
        }
    }

    /// How many times the peer's value one of our sides has: the ratio of the medians, and the
    /// least and largest ratio within one repetition, in which both had the same machine.
    fn ratio(&self, ours: Side, peer: Side) -> Option<Summary> {
        let (ours, peer) = (&self.sides[ours.index()], &self.sides[peer.index()]);
        if peer.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let each: Vec<f64> = ours.iter().zip(peer).map(|(ours, peer)| ours / peer).collect();
        let Summary { min, max, .. } = summary(&each)?;
        let median = summary(ours)?.median / summary(peer)?.median;
        Some(Summary { median, min: min.min(median), max: max.max(median) })
    }
}

/// The name of a ratio in the file.
pub fn ratio_name(ours: Side, peer: Side) -> String {
    format!("{} / {}", ours.name(), peer.name())
}

/// The table for people.
pub fn text(file: &File) -> String {
    let mut text = String::new();
    for line in &file.lines {
        text.push_str(&format!("{} [{}]\n", line.name, line.row));
        for side in Side::ALL {
            let Some(summary) = line.sides.get(side.name()) else { continue };
            text.push_str(&format!("    {:20}{}", side.name(), cell(*summary, &line.unit)));
            for (_, peer) in RATIOS.iter().filter(|(ours, _)| *ours == side) {
                if let Some(ratio) = line.ratios.get(&ratio_name(side, *peer)) {
                    text.push_str(&format!("   {} x {}", plain(*ratio), peer.name()));
                }
            }
            text.push('\n');
        }
        for goal in &line.goals {
            text.push_str(&format!("    goal: {}\n", goal_text(goal)));
        }
    }
    text
}

/// A goal and what became of it.
pub fn goal_text(goal: &Judged) -> String {
    let Judged { text, met, .. } = goal;
    format!("{text}: {}", if *met { "met" } else { "NOT met" })
}

pub fn summary(samples: &[f64]) -> Option<Summary> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    };
    Some(Summary { median, min, max })
}

/// A value with its spread, in a unit in which it is easy to read.
pub fn cell(summary: Summary, unit: &str) -> String {
    let Summary { median, min, max } = summary;
    let (factor, unit) = scale(median, unit);
    let digits = if unit.is_empty() || unit == "/s" { 0 } else { 2 };
    let [median, min, max] = [median, min, max].map(|value| value / factor);
    format!("{median:>10.digits$} {unit:3} ({min:.digits$} .. {max:.digits$})")
}

/// A ratio with its spread.
pub fn plain(ratio: Summary) -> String {
    let Summary { median, min, max } = ratio;
    format!("{median:.2} ({min:.2} .. {max:.2})")
}

/// One value in such a unit.
pub fn readable(value: f64, unit: &str) -> String {
    let (factor, unit) = scale(value, unit);
    let digits = if unit.is_empty() || unit == "/s" { 0 } else { 2 };
    format!("{:.digits$} {unit}", value / factor).trim_end().to_owned()
}

fn scale(value: f64, unit: &str) -> (f64, &'static str) {
    match unit {
        "ns" if value >= 1e9 => (1e9, "s"),
        "ns" if value >= 1e6 => (1e6, "ms"),
        "ns" if value >= 1e3 => (1e3, "µs"),
        "ns" => (1.0, "ns"),
        "B" if value >= 1024.0 => (1024.0, "KiB"),
        "B" => (1.0, "B"),
        "/s" => (1.0, "/s"),
        _ => (1.0, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{Samples, cell, readable, summary};
    use crate::bench_sides::Side;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both_middles() {
        assert_eq!(summary(&[]), None);
        assert_eq!(summary(&[3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(summary(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
    }

    #[test]
    fn a_value_is_shown_in_a_readable_unit_with_its_spread() {
        let shown = cell(summary(&[1500.0, 2500.0, 2000.0]).unwrap(), "ns");
        assert_eq!(shown.trim_start(), "2.00 µs  (1.50 .. 2.50)");
        assert_eq!(cell(summary(&[78.0]).unwrap(), "").trim_start(), "78     (78 .. 78)");
        assert_eq!(readable(20_480.0, "B"), "20.00 KiB");
    }

    #[test]
    fn a_ratio_needs_both_sides_and_spreads_within_repetitions() {
        let mut samples = Samples::new();
        samples.sides[Side::Rust.index()].extend([6.0, 12.0, 9.0]);
        assert_eq!(samples.ratio(Side::Rust, Side::Erl), None);
        samples.sides[Side::Erl.index()].extend([2.0, 4.0, 1.0]);
        let ratio = samples.ratio(Side::Rust, Side::Erl).unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (4.5, 3.0, 9.0));
    }
}
