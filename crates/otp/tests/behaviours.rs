//! OTP's behaviours: the Rust library for guests does what OTP's own modules do.
//!
//! `LUNATIC_OTP_PROGRAMS` sets how many scenarios are generated, `LUNATIC_OTP_SEED` the seed of the
//! second part of them.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lunatic_otp::behaviours::generator::generate;
use lunatic_otp::behaviours::mutants::MUTATIONS;
use lunatic_otp::behaviours::script::Script;
use lunatic_otp::behaviours::{failures, load, smallest_difference, unexpected};

/// Scenarios of a fixed seed.
const GENERATED: u64 = 400;
/// How many of a new seed, for each of the fixed one.
const NEW_ONE_IN: u64 = 10;
/// A broken library may hang, which is noticed.
const PATIENCE: Duration = Duration::from_secs(5);

fn scenarios() -> Vec<(String, Script)> {
    load().expect("the scenarios can be read")
}

#[test]
fn otp_and_the_library_do_what_every_scenario_says() {
    let Some(library) = common::library() else { return };
    let failures = failures(&scenarios(), common::oracle().as_mut(), &library);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn generated_scenarios_have_the_same_traces() {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().expect("it is set to a number"))
    };
    let count = number("LUNATIC_OTP_PROGRAMS").unwrap_or(GENERATED);
    let seed = number("LUNATIC_OTP_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_secs() << 20
    });
    println!("LUNATIC_OTP_SEED={seed}");
    let (Some(mut oracle), Some(library)) = (common::oracle(), common::library()) else { return };
    for seeds in [0..count, seed..seed + count / NEW_ONE_IN] {
        if let Some(text) = smallest_difference(&mut oracle, &library, seeds) {
            panic!("{text}");
        }
    }
}

#[test]
fn a_library_that_breaks_a_rule_is_noticed() {
    let Some(library) = common::mutated_library() else { return };
    let scenarios = scenarios();
    for (name, script) in &scenarios {
        let trace = library.play(script, 0).unwrap_or_else(|text| panic!("{name}: {text}"));
        assert_eq!(unexpected(script, &trace), None, "{name}: no rule is broken");
    }
    let mut unnoticed = BTreeSet::new();
    for (index, mutation) in MUTATIONS.iter().enumerate() {
        let noticed = scenarios.iter().find(|(_, script)| {
            let trace = library.play_within(script, index + 1, PATIENCE);
            !trace.is_ok_and(|trace| unexpected(script, &trace).is_none())
        });
        match noticed {
            Some((name, _)) => println!("{}: noticed by {name}", mutation.name),
            None => drop(unnoticed.insert(mutation.name)),
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

#[test]
fn every_generated_scenario_is_valid_and_can_be_read_back() {
    for seed in 0..10_000 {
        let script = generate(seed);
        let read = Script::parse(&script.to_string());
        let read = read.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{script}"));
        assert_eq!(read.to_string(), script.to_string());
    }
}

#[test]
fn a_scenario_that_makes_no_sense_is_refused_with_its_line() {
    for (text, line) in [
        ("jump top", "line 1"),
        ("start top", "line 1"),
        ("supervisor top one_for_none", "line 1"),
        ("supervisor top one_for_one\nchild a in sub", "line 2"),
        ("supervisor top one_for_one\nchild a in top stubborn", "line 2"),
        ("supervisor top one_for_one\nchild a in top at x fail", "line 2"),
        ("supervisor top one_for_one\nstart top again", "line 2"),
        ("supervisor top one_for_one\n=> ok", "line 2"),
    ] {
        let error = Script::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(line), "{text}: {error}");
    }
}
