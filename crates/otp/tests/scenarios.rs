//! The scenarios that people wrote, on every runner that there is.

mod common;

use lunatic_otp::program::{Program, Trace};
use lunatic_otp::scenarios::{judge, load};

/// How often each is played, with other pauses each time.
const RUNS: u64 = 20;

/// Plays every scenario, and fails with all that went wrong.
fn on(mut play: impl FnMut(&str, &Program, u64) -> Trace) {
    let mut failures = String::new();
    for (name, scenario) in load().expect("the scenarios can be read") {
        for seed in 0..RUNS {
            let trace = play(&name, &scenario.program, seed);
            if let Err(text) = judge(&scenario, &trace) {
                let shown = scenario.program.with(&trace);
                failures += &format!("{name}, seed {seed}: {text}\n{shown}\n");
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn erl_does_what_every_scenario_says() {
    let Some(mut erl) = common::erl() else { return };
    on(|name, program, seed| {
        let mut found = None;
        let played = erl.play(&[(program, seed)], |_, trace| found = Some(trace));
        played.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
        found.expect("a program has a trace")
    });
}

#[test]
fn native_bodies_do_what_every_scenario_says() {
    let native = common::native();
    on(|_, program, seed| native.play(program, seed));
}

#[test]
fn guests_do_what_every_scenario_says() {
    let Some(wasm) = common::wasm() else { return };
    on(|_, program, seed| wasm.play(program, seed));
}
