//! Programs that nobody wrote: what runners do is within the model.
//!
//! 2,000 of a fixed seed on each runner, and some of a new seed each time. `LUNATIC_OTP_PROGRAMS`
//! sets how many, `LUNATIC_OTP_SEED` the first of the second part.

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use lunatic_otp::campaign::{difference, is_refused};
use lunatic_otp::generator::generate;
use lunatic_otp::program::{Program, Trace};

const PROGRAMS: u64 = 2_000;
/// How many of a new seed, for each of the fixed one.
const NEW_ONE_IN: u64 = 10;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("it is set to a number"))
}

/// The programs, with the seeds that made them.
fn programs() -> Vec<(Program, u64)> {
    let count = number("LUNATIC_OTP_PROGRAMS").unwrap_or(PROGRAMS);
    let seed = number("LUNATIC_OTP_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_secs() << 20
    });
    println!("LUNATIC_OTP_SEED={seed}");
    let seeds = (0..count).chain(seed..seed + count / NEW_ONE_IN);
    seeds.map(|seed| (generate(seed), seed)).collect()
}

fn on(runner: &'static str, play: impl Fn(&Program, u64) -> Trace) {
    for (program, seed) in &programs() {
        let trace = play(program, *seed);
        let again = |program: &Program, seed| Some(play(program, seed));
        if let Some(difference) = difference(runner, (program, *seed), &trace, again) {
            panic!("{difference}");
        }
    }
}

#[test]
fn native_bodies_stay_within_the_model() {
    let native = common::native();
    on("native bodies", |program, seed| native.play(program, seed));
}

#[test]
fn guests_stay_within_the_model() {
    let Some(wasm) = common::wasm() else { return };
    on("guests", |program, seed| wasm.play(program, seed));
}

#[test]
fn erl_stays_within_the_model() {
    let Some(mut erl) = common::erl() else { return };
    let programs = programs();
    let cases: Vec<_> = programs.iter().map(|(program, seed)| (program, *seed)).collect();
    let mut suspects = Vec::new();
    let played = erl.play(&cases, |index, trace| {
        if is_refused(cases[index].0, &trace) {
            suspects.push((cases[index], trace));
        }
    });
    played.expect("erl plays every program");
    for (case, trace) in suspects {
        let again = |program: &Program, seed| {
            let mut found = None;
            erl.play(&[(program, seed)], |_, trace| found = Some(trace)).ok()?;
            found
        };
        if let Some(difference) = difference("erl", case, &trace, again) {
            panic!("{difference}");
        }
    }
}
