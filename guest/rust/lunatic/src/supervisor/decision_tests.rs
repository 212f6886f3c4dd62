//! Tests of the decisions of a supervisor with specifications, without a runtime. Random sequences
//! print the seed that replays them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ExitReason;

use super::children::Children;
use super::decisions::{Event, Outcome};
use super::spec::{AutoShutdown, ChildKind, Flags, Restart, Shutdown, SpecError, Strategy};
use super::stand::{Stand, child, failure, orderly_with_detail};
use super::{ChildState, ManageError, StartError, Started};

fn flags(strategy: Strategy, intensity: u32) -> Flags {
    Flags { strategy, intensity, ..Flags::default() }
}

fn started(strategy: Strategy, intensity: u32, names: &str) -> (Children, Stand) {
    let mut stand = Stand::default();
    let specs = names.chars().map(child).collect();
    let mut children = Children::new(flags(strategy, intensity), specs).expect("valid");
    children.start_all(&mut stand).expect("nothing fails");
    stand.take_log();
    (children, stand)
}

#[test]
fn children_start_in_order_and_stop_in_reverse() {
    let mut stand = Stand::default();
    let specs = "abc".chars().map(child).collect();
    let mut children = Children::new(Flags::default(), specs).expect("valid");
    children.start_all(&mut stand).expect("nothing fails");
    assert_eq!(stand.take_log(), "+a +b +c");
    children.stop_all(&mut stand);
    assert_eq!(stand.take_log(), "-c -b -a");
}

#[test]
fn each_strategy_restarts_whom_it_names_and_stops_them_first_in_reverse() {
    let cases = [
        (Strategy::OneForOne, "+b"),
        (Strategy::RestForOne, "-d -c +b +c +d"),
        (Strategy::OneForAll, "-d -c -a +a +b +c +d"),
    ];
    for (strategy, expected) in cases {
        let (mut children, mut stand) = started(strategy, 1, "abcd");
        assert_eq!(stand.ends(&mut children, 'b', &failure()), Outcome::Continue);
        assert_eq!(stand.take_log(), expected, "{strategy:?}");
    }
}

#[test]
fn the_restart_type_and_the_reason_say_whether_a_child_comes_back() {
    let reasons = [ExitReason::Normal, ExitReason::Shutdown, orderly_with_detail(), failure()];
    let cases = [
        (Restart::Permanent, ["+a", "+a", "+a", "+a"], true),
        (Restart::Transient, ["", "", "", "+a"], true),
        (Restart::Temporary, ["", "", "", ""], false),
    ];
    for (restart, expected, stays) in cases {
        for (reason, expected) in reasons.iter().zip(expected) {
            let mut stand = Stand::default();
            let specs = vec![child('a').restart(restart)];
            let mut children = Children::new(Flags::default(), specs).expect("valid");
            children.start_all(&mut stand).expect("nothing fails");
            stand.take_log();
            assert_eq!(stand.ends(&mut children, 'a', reason), Outcome::Continue);
            assert_eq!(stand.take_log(), expected, "{restart:?} after {reason}");
            assert_eq!(children.spec("a").is_ok(), stays, "{restart:?} after {reason}");
        }
    }
}

#[test]
fn a_failed_start_stops_those_before_it_in_reverse_and_tells_which() {
    let mut stand = Stand::default();
    stand.failing.insert('c', 1);
    let specs = "abcd".chars().map(child).collect();
    let mut children = Children::new(Flags::default(), specs).expect("valid");
    let (id, error) = children.start_all(&mut stand).expect_err("c fails");
    assert_eq!(id, "c");
    assert!(matches!(error, StartError::Exit(ExitReason::Error(_))));
    assert_eq!(stand.take_log(), "+a +b c! -b -a");
    assert!(stand.reports.contains(&(Event::StartError, "c".to_string())));
}

#[test]
fn an_ignored_start_is_no_error_and_only_a_temporary_child_is_forgotten_for_it() {
    let mut stand = Stand::default();
    stand.ignoring.extend("ab".chars());
    let specs = vec![child('a'), child('b').restart(Restart::Temporary), child('c')];
    let mut children = Children::new(Flags::default(), specs).expect("valid");
    children.start_all(&mut stand).expect("nothing fails");
    assert_eq!(stand.take_log(), "a? b? +c");
    assert!(children.spec("a").is_ok());
    assert_eq!(children.spec("b").err(), Some(ManageError::NotFound));
    assert_eq!(children.restart_child("a", &mut stand), Ok(Started::Ignore));
}

#[test]
fn more_restarts_than_the_intensity_end_the_supervisor() {
    let (mut children, mut stand) = started(Strategy::OneForOne, 2, "ab");
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Continue);
    assert_eq!(stand.ends(&mut children, 'b', &failure()), Outcome::Continue);
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Shutdown);
    assert_eq!(stand.reports.last(), Some(&(Event::MaxIntensity, "a".to_string())));
    children.stop_all(&mut stand);
    assert_eq!(stand.take_log(), "+a +b -b");
}

#[test]
fn a_restart_that_fails_is_tried_again_and_counts() {
    let (mut children, mut stand) = started(Strategy::OneForOne, 3, "a");
    stand.failing.insert('a', 2);
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Continue);
    assert_eq!(stand.take_log(), "a!");
    assert_eq!(children.iter().next().map(|(_, state)| state), Some(ChildState::Restarting));
    assert_eq!(children.restart_child("a", &mut stand), Err(ManageError::Restarting));
    assert_eq!(children.delete_child("a"), Err(ManageError::Restarting));
    assert_eq!(stand.settle(&mut children), Outcome::Continue);
    assert_eq!(stand.take_log(), "a! +a");
    stand.failing.insert('a', 9);
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Shutdown);
    assert_eq!(stand.take_log(), "", "three restarts were made already");
}

#[test]
fn a_child_that_fails_in_its_restart_keeps_those_before_it_until_the_next_try() {
    let (mut children, mut stand) = started(Strategy::OneForAll, 5, "abc");
    stand.failing.insert('b', 1);
    assert_eq!(stand.ends(&mut children, 'c', &failure()), Outcome::Continue);
    assert_eq!(stand.take_log(), "-b -a +a b!");
    assert_eq!(stand.settle(&mut children), Outcome::Continue);
    assert_eq!(stand.take_log(), "-a +a +b +c");
}

#[test]
fn a_child_that_was_stopped_while_it_was_tried_again_stays_stopped() {
    let (mut children, mut stand) = started(Strategy::OneForOne, 5, "a");
    stand.failing.insert('a', 1);
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Continue);
    assert_eq!(children.terminate_child("a", &mut stand), Ok(()));
    stand.take_log();
    assert_eq!(stand.settle(&mut children), Outcome::Continue);
    assert_eq!(stand.take_log(), "");
}

#[test]
fn temporary_siblings_are_stopped_and_forgotten_when_all_restart() {
    let mut stand = Stand::default();
    let specs = vec![child('a'), child('b').restart(Restart::Temporary), child('c')];
    let mut children = Children::new(flags(Strategy::OneForAll, 1), specs).expect("valid");
    children.start_all(&mut stand).expect("nothing fails");
    stand.take_log();
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Continue);
    assert_eq!(stand.take_log(), "-c -b +a +c");
    assert_eq!(children.spec("b").err(), Some(ManageError::NotFound));
}

#[test]
fn children_are_added_stopped_started_again_and_deleted() {
    let (mut children, mut stand) = started(Strategy::OneForOne, 1, "a");
    let added = children.start_child(child('b'), &mut stand).expect("nothing fails");
    let Started::Running(pid) = added else { panic!("it runs") };
    let again = children.start_child(child('b'), &mut stand);
    assert_eq!(again, Err(ManageError::AlreadyStarted(pid)));
    assert_eq!(children.delete_child("b"), Err(ManageError::Running));
    assert_eq!(children.restart_child("b", &mut stand), Err(ManageError::Running));
    assert_eq!(children.terminate_child("b", &mut stand), Ok(()));
    assert_eq!(children.terminate_child("b", &mut stand), Ok(()), "twice is no error");
    assert_eq!(children.start_child(child('b'), &mut stand), Err(ManageError::AlreadyPresent));
    assert!(matches!(children.restart_child("b", &mut stand), Ok(Started::Running(_))));
    assert_eq!(children.terminate_child("b", &mut stand), Ok(()));
    assert_eq!(children.delete_child("b"), Ok(()));
    for gone in [
        children.delete_child("b"),
        children.terminate_child("b", &mut stand),
        children.restart_child("b", &mut stand).map(|_| ()),
    ] {
        assert_eq!(gone, Err(ManageError::NotFound));
    }
    stand.failing.insert('c', 1);
    let failed = children.start_child(child('c'), &mut stand);
    assert!(matches!(failed, Err(ManageError::Start(_))));
    assert_eq!(children.spec("c").err(), Some(ManageError::NotFound), "nothing is left of it");
}

#[test]
fn specifications_that_make_no_sense_are_refused() {
    let significant = Flags { auto_shutdown: AutoShutdown::AnySignificant, ..Flags::default() };
    let a = || child('a');
    let id = || "a".to_string();
    let cases = [
        (Flags::default(), vec![a(), a()], SpecError::DuplicateId(id())),
        (
            Flags::default(),
            vec![a().restart(Restart::Transient).significant()],
            SpecError::SignificantWithoutAutoShutdown(id()),
        ),
        (significant, vec![a().significant()], SpecError::SignificantPermanent(id())),
        (Flags { period: Duration::ZERO, ..Flags::default() }, vec![a()], SpecError::ZeroPeriod),
    ];
    for (flags, specs, error) in cases {
        assert_eq!(Children::new(flags, specs).err(), Some(error));
    }
    let good = vec![a().restart(Restart::Temporary).significant()];
    assert!(Children::new(significant, good).is_ok());
}

#[test]
fn significant_children_end_the_supervisor_when_they_end_by_themselves() {
    let two = |auto_shutdown| {
        let significant = |name| child(name).restart(Restart::Transient).significant();
        let flags = Flags { auto_shutdown, ..Flags::default() };
        let mut stand = Stand::default();
        let specs = vec![significant('a'), significant('b'), child('c')];
        let mut children = Children::new(flags, specs).expect("valid");
        children.start_all(&mut stand).expect("nothing fails");
        (children, stand)
    };
    let (mut children, mut stand) = two(AutoShutdown::AnySignificant);
    assert_eq!(children.terminate_child("b", &mut stand), Ok(()), "this is no end by itself");
    assert_eq!(stand.ends(&mut children, 'a', &ExitReason::Normal), Outcome::Shutdown);

    let (mut children, mut stand) = two(AutoShutdown::AllSignificant);
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Continue, "it is restarted");
    assert_eq!(stand.ends(&mut children, 'a', &ExitReason::Normal), Outcome::Continue);
    assert_eq!(stand.ends(&mut children, 'b', &ExitReason::Shutdown), Outcome::Shutdown);
}

#[test]
fn what_ends_otherwise_than_asked_is_reported() {
    let cases = [
        (Shutdown::Infinity, Restart::Permanent, ExitReason::Shutdown, true),
        (Shutdown::Infinity, Restart::Permanent, ExitReason::Normal, false),
        (Shutdown::Infinity, Restart::Transient, ExitReason::Normal, true),
        (Shutdown::Infinity, Restart::Transient, orderly_with_detail(), true),
        (Shutdown::Infinity, Restart::Permanent, orderly_with_detail(), false),
        (Shutdown::Timeout(Duration::ZERO), Restart::Temporary, ExitReason::Killed, false),
        (Shutdown::BrutalKill, Restart::Permanent, ExitReason::Killed, true),
        (Shutdown::BrutalKill, Restart::Permanent, ExitReason::Shutdown, false),
        (Shutdown::BrutalKill, Restart::Temporary, ExitReason::Shutdown, true),
    ];
    for (how, restart, reason, well) in cases {
        let verdict = super::decisions::stopped_well(&reason, how, restart);
        assert_eq!(verdict, well, "{how:?}, {restart:?}, {reason}");
    }
    let (mut children, mut stand) = started(Strategy::OneForOne, 1, "ab");
    stand.stubborn.insert('b');
    children.stop_all(&mut stand);
    let errors: Vec<_> =
        stand.reports.iter().filter(|(event, _)| *event == Event::ShutdownError).collect();
    assert_eq!(errors, [&(Event::ShutdownError, "b".to_string())]);
}

#[test]
fn children_are_listed_last_first_and_counted() {
    let mut stand = Stand::default();
    let specs = vec![child('a'), child('b').kind(ChildKind::Supervisor), child('c')];
    let mut children = Children::new(Flags::default(), specs).expect("valid");
    children.start_all(&mut stand).expect("nothing fails");
    children.terminate_child("c", &mut stand).expect("it is there");
    let ids: Vec<_> = children.iter().map(|(spec, _)| spec.id().to_string()).collect();
    assert_eq!(ids, ["c", "b", "a"]);
    let counts = children.count(&mut stand);
    let figures = (counts.specs, counts.active, counts.supervisors, counts.workers);
    assert_eq!(figures, (3, 2, 1, 2));
}

#[test]
fn a_change_of_specifications_keeps_the_processes() {
    let (mut children, mut stand) = started(Strategy::OneForOne, 1, "ab");
    let running = children.iter().find(|(spec, _)| spec.id() == "b").map(|(_, state)| state);
    let specs = vec![child('c'), child('b').restart(Restart::Transient)];
    children.change(flags(Strategy::OneForAll, 9), specs).expect("valid");
    let now: Vec<_> = children.iter().map(|(spec, state)| (spec.id().to_string(), state)).collect();
    let ids: Vec<_> = now.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"], "those that are no more in the list come last");
    assert_eq!(Some(now[1].1), running);
    assert_eq!(now[2].1, ChildState::Stopped);
    let duplicate = vec![child('c'), child('c')];
    assert!(children.change(Flags::default(), duplicate).is_err());
    assert_eq!(stand.ends(&mut children, 'a', &failure()), Outcome::Continue);
    assert_eq!(stand.take_log(), "-b +c +b +a");
}

/// A random number generator that needs nothing (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn random_children(random: &mut Random) -> Children {
    let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
    let restarts = [Restart::Permanent, Restart::Transient, Restart::Temporary];
    let specs = "abcde"
        .chars()
        .map(|name| child(name).restart(restarts[random.below(3) as usize]))
        .collect();
    let strategy = strategies[random.below(3) as usize];
    Children::new(flags(strategy, 1_000_000), specs).expect("valid")
}

/// The order of those that run is that of the list: a sibling never starts before one that stands
/// before it in the list and was stopped with it.
fn check(children: &Children, stand: &Stand, seed: u64) {
    let mut running = BTreeMap::new();
    for (spec, state) in children.iter() {
        if let ChildState::Running(pid) = state {
            running.insert(pid, spec.id().chars().next().expect("a name"));
        }
        let forgotten = spec.restart_type() == Restart::Temporary && state == ChildState::Stopped;
        assert!(!forgotten, "seed {seed}: a temporary child that does not run is listed");
    }
    assert_eq!(running, stand.alive, "seed {seed}: what runs is what is listed as running");
}

#[test]
fn whatever_happens_what_is_listed_as_running_runs() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let mut children = random_children(&mut random);
        let mut stand = Stand::default();
        children.start_all(&mut stand).expect("nothing fails");
        for _ in 0..40 {
            let name = char::from(b'a' + random.below(5) as u8);
            let id = name.to_string();
            match random.below(6) {
                0 => drop(children.terminate_child(&id, &mut stand)),
                1 => drop(children.restart_child(&id, &mut stand)),
                2 => drop(children.delete_child(&id)),
                3 => drop(children.start_child(child(name), &mut stand)),
                4 => drop(stand.failing.insert(name, random.below(3) as u32)),
                _ if stand.alive.values().any(|other| *other == name) => {
                    let reasons = [ExitReason::Normal, failure()];
                    let reason = &reasons[random.below(2) as usize];
                    let outcome = stand.ends(&mut children, name, reason);
                    assert_eq!(outcome, Outcome::Continue, "seed {seed}");
                    check(&children, &stand, seed);
                    assert_eq!(stand.settle(&mut children), Outcome::Continue, "seed {seed}");
                }
                _ => {}
            }
            check(&children, &stand, seed);
        }
        children.stop_all(&mut stand);
        assert!(stand.alive.is_empty(), "seed {seed}: nothing runs after the end");
    }
}
