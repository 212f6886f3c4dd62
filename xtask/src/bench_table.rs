//! What the benchmark makes of its samples: medians beside their spread, ratios, a table for
//! people and a file for programs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::bench_sides::{Side, Sides};
use crate::workspace::target_dir;

/// One line of the table.
pub struct Line {
    row: &'static str,
    name: &'static str,
    unit: &'static str,
    /// One list for each side, in the order of [`Side::ALL`].
    pub samples: [Vec<f64>; Side::ALL.len()],
}

/// What the samples of one side come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    median: f64,
    min: f64,
    max: f64,
}

/// The whole table.
#[derive(Default)]
pub struct Table {
    /// In the order of asking.
    pub lines: Vec<Line>,
}

/// The file's form: what a program may rely on.
#[derive(Serialize)]
struct File {
    cores: usize,
    processor: String,
    system: String,
    repetitions: usize,
    lines: Vec<FileLine>,
}

#[derive(Serialize)]
struct FileLine {
    row: &'static str,
    name: &'static str,
    unit: &'static str,
    sides: BTreeMap<&'static str, Summary>,
    ratios: BTreeMap<String, f64>,
}

impl Line {
    /// A line without samples.
    pub fn new(row: &'static str, name: &'static str, unit: &'static str) -> Self {
        Self { row, name, unit, samples: Default::default() }
    }

    fn summary(&self, side: Side) -> Option<Summary> {
        summary(&self.samples[side.index()])
    }

    /// How many times the peer's value one of our sides has.
    fn ratio(&self, ours: Side, peer: Side) -> Option<f64> {
        let (ours, peer) = (self.summary(ours)?.median, self.summary(peer)?.median);
        (peer > 0.0).then(|| ours / peer)
    }
}

/// Our sides beside the peers that they are compared with.
const RATIOS: [(Side, Side); 5] = [
    (Side::Rust, Side::Erl),
    (Side::Raw, Side::Erl),
    (Side::Rust, Side::Bare),
    (Side::Raw, Side::Bare),
    (Side::Rust, Side::Native),
];

impl Table {
    /// The table for people.
    pub fn text(&self, sides: &Sides) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(&format!("{}\n", line.name));
            for side in Side::ALL {
                let Some(summary) = line.summary(side) else {
                    continue;
                };
                text.push_str(&format!("    {:14}{}", side.name(), cell(summary, line.unit)));
                for (_, peer) in RATIOS.iter().filter(|(ours, _)| *ours == side) {
                    if let Some(ratio) = line.ratio(side, *peer) {
                        text.push_str(&format!("   {ratio:.2} x {}", peer.name()));
                    }
                }
                text.push('\n');
            }
            let peers = [Side::Erl, Side::Bare, Side::Native];
            if peers.iter().all(|peer| line.summary(*peer).is_none()) {
                text.push_str("    no peer has this\n");
            }
        }
        for side in Side::ALL {
            if let Some(reason) = sides.absent(side) {
                text.push_str(&format!("without {}: {reason}\n", side.name()));
            }
        }
        text
    }

    /// Writes target/bench.json and returns its path.
    pub fn write_json(&self, sides: &Sides, repetitions: usize) -> Result<PathBuf> {
        debug_assert!(sides.absent(Side::Rust).is_none(), "this runtime is always there");
        let lines = self.lines.iter().map(|line| {
            let present = Side::ALL.into_iter().filter_map(|side| {
                let summary = line.summary(side)?;
                Some((side.name(), summary))
            });
            let ratios = RATIOS.into_iter().filter_map(|(ours, peer)| {
                let ratio = line.ratio(ours, peer)?;
                Some((format!("{} / {}", ours.name(), peer.name()), ratio))
            });
            let (row, name, unit) = (line.row, line.name, line.unit);
            FileLine { row, name, unit, sides: present.collect(), ratios: ratios.collect() }
        });
        let file = File {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: processor(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            repetitions,
            lines: lines.collect(),
        };
        let path = target_dir().join("bench.json");
        fs::write(&path, serde_json::to_string_pretty(&file)?)?;
        Ok(path)
    }
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".into(), |(_, name)| name.to_owned())
}

fn summary(samples: &[f64]) -> Option<Summary> {
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

fn cell(summary: Summary, unit: &str) -> String {
    let Summary { median, min, max } = summary;
    let (factor, unit) = scale(median, unit);
    let digits = if unit.is_empty() || unit == "/s" { 0 } else { 2 };
    let [median, min, max] = [median, min, max].map(|value| value / factor);
    format!("{median:>10.digits$} {unit:3} ({min:.digits$} .. {max:.digits$})")
}

/// A unit in which the value is easy to read.
fn scale(value: f64, unit: &str) -> (f64, &'static str) {
    match unit {
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
    use super::{Line, cell, summary};
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
    }

    #[test]
    fn a_ratio_needs_both_sides() {
        let mut line = Line::new("row", "a line", "ns");
        line.samples[Side::Rust.index()].push(6.0);
        assert_eq!(line.ratio(Side::Rust, Side::Erl), None);
        line.samples[Side::Erl.index()].push(2.0);
        assert_eq!(line.ratio(Side::Rust, Side::Erl), Some(3.0));
    }
}
