//! The harness against itself: programs, the checker, the laws of the model, what it would notice.

mod common;

use lunatic_otp::checker::{Verdict, check};
use lunatic_otp::generator::generate;
use lunatic_otp::mutation::Mutation;
use lunatic_otp::program::{Item, Outcome, Program, Reason, Step, Watch};
use lunatic_otp::scenarios::{judge, load};
use lunatic_otp::shrink::shrink;
use lunatic_otp::text::Scenario;
use lunatic_otp::walk::{check_laws, walk};

const PROGRAMS: u64 = 10_000;
/// The checker may give up on so many of them: a walk lets signals wait far longer than any runner
/// does, and what it did can be too hard to explain.
const UNDECIDED_MAX: u64 = 5;
/// How often a scenario is played under a broken rule.
const WALKS: u64 = 50;

#[test]
fn whatever_the_order_of_events_the_laws_hold_and_the_checker_allows_it() {
    let mut undecided = 0;
    for seed in 0..PROGRAMS {
        let program = generate(seed);
        let (trace, world) = walk(&program, seed, None);
        let shown = || format!("seed {seed}\n{}", program.with(&trace));
        if let Err(law) = check_laws(&world, &trace) {
            panic!("{law}: {}", shown());
        }
        match check(&program, &trace, None) {
            Verdict::Allowed => {}
            Verdict::Undecided => undecided += 1,
            Verdict::Refused(text) => panic!("{text}: {}", shown()),
        }
    }
    assert!(undecided <= UNDECIDED_MAX, "the checker gave up {undecided} times");
}

#[test]
fn what_was_seen_otherwise_is_refused() {
    let mut changed = 0;
    for seed in 0..PROGRAMS / 100 {
        let program = generate(seed);
        let (trace, _) = walk(&program, seed, None);
        let timeout = trace.events.iter().position(|(_, outcome)| *outcome == Outcome::Timeout);
        // A poll that found nothing cannot have taken the down of a monitor that nobody has made.
        if let Some(at) = timeout {
            let mut other = trace.clone();
            let item = Item::Down { watch: Watch(u8::MAX), reason: Reason::Normal };
            other.events[at].1 = Outcome::Got(item);
            assert_ne!(check(&program, &other, None), Verdict::Allowed, "seed {seed}");
            changed += 1;
        }
    }
    assert!(changed > 10, "few programs poll");
}

#[test]
fn a_runtime_that_breaks_a_rule_is_noticed() {
    let scenarios = load().expect("the scenarios can be read");
    for mutation in Mutation::ALL {
        let noticed = scenarios.iter().any(|(_, scenario)| {
            (0..WALKS).any(|seed| {
                let (trace, _) = walk(&scenario.program, seed, Some(mutation));
                check(&scenario.program, &trace, None) != Verdict::Allowed
            })
        });
        assert!(noticed, "{mutation:?}");
    }
}

#[test]
fn a_model_with_a_broken_rule_cannot_explain_what_erl_does() {
    let Some(mut erl) = common::erl() else { return };
    let scenarios = load().expect("the scenarios can be read");
    let runs: Vec<_> = scenarios.iter().map(|(_, scenario)| (&scenario.program, 1)).collect();
    let mut traces = Vec::new();
    erl.play(&runs, |_, trace| traces.push(trace)).expect("erl plays every program");
    for mutation in Mutation::ALL.into_iter().filter(|mutation| !mutation.only_adds()) {
        let mut played = runs.iter().zip(&traces);
        let noticed = played.any(|((program, _), trace)| {
            matches!(check(program, trace, Some(mutation)), Verdict::Refused(_))
        });
        assert!(noticed, "{mutation:?}");
    }
}

#[test]
fn what_a_scenario_expects_is_asked_of_a_trace() {
    let text = "process p\n  trap on => true\n";
    let scenario = Scenario::parse(text).expect("it is a scenario");
    let (trace, _) = walk(&scenario.program, 1, None);
    assert_eq!(check(&scenario.program, &trace, None), Verdict::Allowed);
    assert!(judge(&scenario, &trace).is_err(), "it gives false");
}

#[test]
fn every_program_can_be_written_down_and_read_back() {
    for seed in 0..PROGRAMS {
        let text = generate(seed).to_string();
        let read = Scenario::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read.program.to_string(), text);
    }
}

#[test]
fn a_program_that_makes_no_sense_is_refused_with_its_line() {
    for (text, line) in [
        ("process p\n  jump q", "line 2"),
        ("process p\n  send q 1", "line 2"),
        ("process p\n  send p 0", "line 2"),
        ("process p\n  trap on off", "line 2"),
        ("send p 1", "line 1"),
        ("process p\n  demonitor m", "line 0"),
        ("process p\n  spawn p", "line 0"),
        ("process p\n  spawn q\n  spawn q\nprocess q", "line 0"),
        ("process p\n  link r\n  spawn q\nprocess q\n  spawn r\nprocess r", "line 0"),
    ] {
        let error = Scenario::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(line), "{text}: {error}");
    }
}

#[test]
fn a_failure_shrinks_to_the_step_that_makes_it() {
    let crashes = |program: &Program| {
        program.scripts.iter().any(|script| script.steps.contains(&Step::Crash))
    };
    let with_crash = (0..PROGRAMS).map(generate).find(|program| crashes(program));
    let smallest = shrink(&with_crash.expect("some program crashes"), crashes);
    let steps: Vec<_> = smallest.scripts.iter().flat_map(|script| &script.steps).collect();
    assert_eq!(steps, [&Step::Crash]);
}
