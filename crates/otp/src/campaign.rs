//! Many programs on one runner: what goes wrong is played again and made as small as it gets.

use crate::checker::{Verdict, check};
use crate::program::{Program, Trace};
use crate::shrink::shrink;

/// How often a smaller program is played before it counts as one that does not fail.
const TRIES: u64 = 50;
/// How often a program is played for a trace that the checker can decide. Few traces are beyond it,
/// and those of the same program differ: a program with which it never succeeds is a failure.
const PLAYS_MAX: u64 = 20;

/// A program on which a runner did what the model does not allow.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed} on {runner}: {verdict}\n{shown}\nmade smaller:\n{smallest}")]
pub struct Difference {
    /// Makes the program again.
    pub seed: u64,
    runner: &'static str,
    verdict: String,
    shown: String,
    smallest: String,
}

/// Whether the model does not allow the trace, or the checker gave up.
pub fn is_refused(program: &Program, trace: &Trace) -> bool {
    check(program, trace, None) != Verdict::Allowed
}

/// What is wrong with a trace, with the smallest program that goes wrong as well. A trace with
/// which the checker gave up tells nothing: the program is played again.
pub fn difference(
    runner: &'static str,
    (program, seed): (&Program, u64),
    trace: &Trace,
    mut play: impl FnMut(&Program, u64) -> Option<Trace>,
) -> Option<Difference> {
    let mut trace = trace.clone();
    let mut verdict = check(program, &trace, None);
    for more in 1..PLAYS_MAX {
        if verdict != Verdict::Undecided {
            break;
        }
        trace = play(program, seed.wrapping_add(more))?;
        verdict = check(program, &trace, None);
    }
    let verdict = match verdict {
        Verdict::Allowed => return None,
        Verdict::Refused(text) => text,
        Verdict::Undecided => format!("the checker gave up on each of {PLAYS_MAX} traces"),
    };
    // What depends on luck is tried more than once.
    let mut fails = |program: &Program| {
        (0..TRIES).find_map(|more| {
            let trace = play(program, seed.wrapping_add(more))?;
            is_refused(program, &trace).then_some(trace)
        })
    };
    let mut last = None;
    let smallest = shrink(program, |program| {
        let found = fails(program);
        let failed = found.is_some();
        last = found.or(last.take());
        failed
    });
    let smallest = match last {
        Some(trace) => smallest.with(&trace),
        None => "it did not fail again".into(),
    };
    let shown = program.with(&trace);
    Some(Difference { seed, runner, verdict, shown, smallest })
}
