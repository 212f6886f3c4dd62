//! Generated scenarios on both sides, and the smallest one that goes wrong.

use std::ops::Range;

use super::difference;
use super::generator::generate;
use super::players::{Library, Oracle};
use super::script::Script;

/// Scenarios that are played in one go.
const BATCH: u64 = 500;

/// Plays the scenarios of these seeds on both sides. The first whose traces differ is made as small
/// as it gets, and told.
pub fn smallest_difference(
    oracle: &mut Oracle,
    library: &Library,
    seeds: Range<u64>,
) -> Option<String> {
    let mut from = seeds.start;
    while from < seeds.end {
        let to = seeds.end.min(from + BATCH);
        let scripts: Vec<Script> = (from..to).map(generate).collect();
        let borrowed: Vec<&Script> = scripts.iter().collect();
        let traces = match oracle.play(&borrowed) {
            Ok(traces) => traces,
            Err(error) => return Some(format!("seeds {from} to {to}: {error}")),
        };
        for ((script, erl), seed) in scripts.iter().zip(&traces).zip(from..) {
            let differs = match library.play(script, 0) {
                Ok(guest) => difference(script, erl, &guest),
                Err(text) => Some(text),
            };
            if let Some(text) = differs {
                let (smallest, less) = shrink(oracle, library, script);
                let less = less.unwrap_or(text);
                return Some(format!("seed {seed}\n{script}\nsmallest:\n{smallest}\n{less}"));
            }
        }
        from = to;
    }
    None
}

/// Leaves lines out as long as the traces differ.
fn shrink(oracle: &mut Oracle, library: &Library, script: &Script) -> (Script, Option<String>) {
    let (mut smallest, mut text) = (script.clone(), None);
    let mut at = smallest.lines.len();
    while at > 0 {
        at -= 1;
        let mut candidate = smallest.clone();
        candidate.lines.remove(at);
        if candidate.check().is_err() {
            continue;
        }
        let Ok(erl) = oracle.play(&[&candidate]) else { break };
        let differs = match library.play(&candidate, 0) {
            Ok(guest) => difference(&candidate, &erl[0], &guest),
            Err(text) => Some(text),
        };
        if differs.is_some() {
            (smallest, text) = (candidate, differs);
        }
    }
    (smallest, text)
}
