//! The laws of links: at most one for a pair, removed for good by `unlink`, and the same at both
//! ends as soon as every signal is delivered.

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lunatic_model::{Delivery, ExitReason, Limits, Pid, Process, Signal, Tag, TrapExit};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, drain, exits, link_exit, pid, process};

fn trapping(serial: u64) -> Process {
    let mut process = process(serial);
    process.set_trap_exit(TrapExit::All);
    process
}

fn linked(process: &Process, peer: u64) -> bool {
    process.links().any(|other| other == pid(peer))
}

fn unlink_id(signal: Option<Signal>) -> u64 {
    match signal {
        Some(Signal::Unlink { id, .. }) => id,
        other => panic!("expected an unlink to send, found {other:?}"),
    }
}

fn ack(from: u64, id: u64) -> Signal {
    Signal::UnlinkAck { from: pid(from), id }
}

#[test]
fn a_pair_has_one_link_and_a_repeated_link_replaces_its_tag() {
    let mut process = trapping(1);
    process.link(pid(2), Tag(7));
    let again = process.link(pid(2), Tag(8));
    assert!(matches!(again, Some(Signal::Link { tag: Tag(8), .. })), "the other end hears of it");
    process.deliver(Signal::Link { from: pid(2), tag: Tag(9) });
    assert_eq!(process.links().collect::<Vec<_>>(), [pid(2)]);

    process.deliver(link_exit(2, ExitReason::Shutdown));
    process.deliver(link_exit(2, ExitReason::Shutdown));
    let told = exits(drain(&mut process));
    assert_eq!(told, [(pid(2), ExitReason::Shutdown, Tag(9))], "one exit, with the last tag");
}

#[test]
fn a_link_to_itself_is_nothing() {
    let mut process = process(1);
    assert!(process.link(pid(1), Tag(1)).is_none());
    assert_eq!(process.links().count(), 0);
    assert!(process.is_alive());
}

#[test]
fn one_link_more_than_the_limit_ends_the_process() {
    let limits = Limits { links_max: 2, ..Limits::default() };
    let mut process = Process::new(pid(1), limits);
    process.link(pid(2), Tag::NONE);
    process.link(pid(3), Tag::NONE);
    assert!(process.link(pid(3), Tag(1)).is_some(), "a repeated link needs no room");
    assert!(process.is_alive());
    assert!(process.link(pid(4), Tag::NONE).is_none());
    assert_eq!(process.exiting(), Some(&ExitReason::Limit("links_max")));
}

#[test]
fn an_acknowledged_unlink_gives_its_room_back() {
    let limits = Limits { links_max: 1, ..Limits::default() };
    let mut process = Process::new(pid(1), limits);
    process.link(pid(2), Tag::NONE);
    let id = unlink_id(process.unlink(pid(2)));
    process.deliver(ack(2, id));
    assert!(process.link(pid(3), Tag::NONE).is_some());
    assert!(process.is_alive());
}

#[test]
fn unlink_of_what_is_not_linked_sends_nothing() {
    let mut process = process(1);
    assert!(process.unlink(pid(2)).is_none());
    process.link(pid(2), Tag::NONE);
    assert!(process.unlink(pid(2)).is_some());
    assert!(process.unlink(pid(2)).is_none(), "removed already");
}

#[test]
fn an_exit_that_is_under_way_during_unlink_has_no_effect() {
    for trap_exit in [TrapExit::Off, TrapExit::Failures, TrapExit::All] {
        let mut process = process(1);
        process.set_trap_exit(trap_exit);
        process.link(pid(2), Tag(7));
        let id = unlink_id(process.unlink(pid(2)));
        process.deliver(link_exit(2, ExitReason::Exit(1)));
        process.deliver(ack(2, id));
        assert!(process.is_alive(), "{trap_exit:?}");
        assert!(drain(&mut process).is_empty(), "{trap_exit:?}");
        assert_eq!(process.links().count(), 0, "{trap_exit:?}");
    }
}

#[test]
fn an_exit_of_the_old_link_does_not_count_for_the_new_one() {
    let mut process = trapping(1);
    process.link(pid(2), Tag(7));
    let id = unlink_id(process.unlink(pid(2)));
    process.link(pid(2), Tag(8));
    process.deliver(link_exit(2, ExitReason::Exit(1)));
    assert!(drain(&mut process).is_empty(), "it comes from the link that was removed");

    // The other end was dead when the new link reached it.
    process.deliver(ack(2, id));
    process.deliver(link_exit(2, ExitReason::NoProcess));
    assert_eq!(exits(drain(&mut process)), [(pid(2), ExitReason::NoProcess, Tag(8))]);
}

#[test]
fn an_old_acknowledgement_does_not_end_a_later_unlink() {
    let mut process = trapping(1);
    process.link(pid(2), Tag(7));
    let first = unlink_id(process.unlink(pid(2)));
    process.link(pid(2), Tag(8));
    let second = unlink_id(process.unlink(pid(2)));
    assert_ne!(first, second);
    process.deliver(ack(2, first));
    process.deliver(link_exit(2, ExitReason::Exit(1)));
    assert!(drain(&mut process).is_empty());
    process.deliver(ack(2, second));
    process.link(pid(2), Tag(9));
    process.deliver(link_exit(2, ExitReason::NoProcess));
    assert_eq!(drain(&mut process).len(), 1, "the third link counts");
}

#[test]
fn a_link_that_crosses_an_unlink_does_not_bring_the_link_back() {
    let mut process = trapping(1);
    process.link(pid(2), Tag(7));
    let id = unlink_id(process.unlink(pid(2)));
    process.deliver(Signal::Link { from: pid(2), tag: Tag(8) });
    process.deliver(ack(2, id));
    assert!(!linked(&process, 2), "the other end removed it when the unlink came");
}

#[test]
fn an_unlink_is_answered_with_its_id_whether_linked_or_not() {
    let mut process = process(1);
    process.deliver(Signal::Link { from: pid(2), tag: Tag(7) });
    for id in [5, 6] {
        let delivery = process.deliver(Signal::Unlink { from: pid(2), id });
        let Delivery::Answer(to, Signal::UnlinkAck { from, id: acknowledged }) = delivery else {
            panic!("expected an acknowledgement, found {delivery:?}");
        };
        assert_eq!((to, from, acknowledged), (pid(2), pid(1), id));
        assert!(!linked(&process, 2));
    }
}

#[test]
fn a_dead_process_hands_link_and_unlink_back() {
    let mut process = process(1);
    process.die();
    let link = process.deliver(Signal::Link { from: pid(2), tag: Tag(7) });
    assert!(matches!(link, Delivery::Dead(Signal::Link { tag: Tag(7), .. })));
    let unlink = process.deliver(Signal::Unlink { from: pid(2), id: 1 });
    assert!(matches!(unlink, Delivery::Dead(Signal::Unlink { id: 1, .. })));
    assert_eq!(process.links().count(), 0);
}

#[test]
fn an_obituary_names_every_link_but_removed_ones() {
    let mut process = process(1);
    for peer in [2, 3, 4] {
        process.link(pid(peer), Tag::NONE);
    }
    process.unlink(pid(3));
    assert_eq!(process.die().links, [pid(2), pid(4)]);
    assert!(process.die().links.is_empty(), "told once");
}

const PROCESSES: u64 = 3;

/// What one process last did about its link to another.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Deed {
    Link,
    Unlink,
}

#[derive(Clone, Debug)]
enum Step {
    Link(u64, u64),
    Unlink(u64, u64),
    Die(u64),
    /// Deliver the oldest signal of one pair; which pair, the number says.
    Deliver(usize),
}

/// Processes, and for each ordered pair the signals under way, oldest first.
struct World {
    processes: BTreeMap<u64, Process>,
    under_way: BTreeMap<(u64, u64), VecDeque<(Signal, usize)>>,
    /// Who called `unlink` for whom, how often; and how many of these have arrived.
    unlinks: BTreeMap<(u64, u64), usize>,
    arrived: BTreeMap<(u64, u64), usize>,
    deeds: BTreeMap<(u64, u64), Deed>,
    dead: BTreeSet<u64>,
    /// Real ends (not `noproc`) of the first that the second felt.
    felt: BTreeMap<(u64, u64), usize>,
}

impl World {
    fn new(traps: [bool; PROCESSES as usize]) -> World {
        let make = |(serial, traps)| {
            let mut process = process(serial);
            process.set_trap_exit(if traps { TrapExit::All } else { TrapExit::Off });
            (serial, process)
        };
        World {
            processes: (1..=PROCESSES).zip(traps).map(make).collect(),
            under_way: BTreeMap::new(),
            unlinks: BTreeMap::new(),
            arrived: BTreeMap::new(),
            deeds: BTreeMap::new(),
            dead: BTreeSet::new(),
            felt: BTreeMap::new(),
        }
    }

    fn at(&mut self, serial: u64) -> &mut Process {
        self.processes.get_mut(&serial).expect("every serial of a step is a process")
    }

    /// Each signal remembers how many unlinks of its receiver its sender had handled.
    fn send(&mut self, from: u64, to: u64, signal: Signal) {
        let handled = self.arrived.get(&(to, from)).copied().unwrap_or(0);
        self.under_way.entry((from, to)).or_default().push_back((signal, handled));
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Link(a, b) if a != b && !self.dead.contains(&a) => {
                let signal = self.at(a).link(pid(b), Tag(1)).expect("far from the limit");
                self.deeds.insert((a, b), Deed::Link);
                self.send(a, b, signal);
            }
            Step::Unlink(a, b) if a != b && !self.dead.contains(&a) => {
                self.deeds.insert((a, b), Deed::Unlink);
                if let Some(signal) = self.at(a).unlink(pid(b)) {
                    *self.unlinks.entry((a, b)).or_default() += 1;
                    self.send(a, b, signal);
                }
                assert!(!linked(&self.processes[&a], b), "unlink has returned");
            }
            Step::Die(a) if !self.dead.contains(&a) => {
                self.at(a).end(ExitReason::Exit(1));
                self.die(a);
            }
            Step::Deliver(pick) => {
                let busy: Vec<_> = self.under_way.keys().copied().collect();
                if !busy.is_empty() {
                    self.deliver(busy[pick % busy.len()]);
                }
            }
            Step::Link(..) | Step::Unlink(..) | Step::Die(_) => {}
        }
    }

    fn die(&mut self, a: u64) {
        self.dead.insert(a);
        let reason = self.at(a).exiting().cloned().expect("only an exiting process dies");
        for Pid { serial: peer, .. } in self.at(a).die().links {
            self.send(a, peer, link_exit(a, reason.clone()));
        }
    }

    fn deliver(&mut self, (from, to): (u64, u64)) {
        let queue = self.under_way.get_mut(&(from, to)).expect("a pair with signals");
        let (signal, handled) = queue.pop_front().expect("no empty queue is kept");
        if queue.is_empty() {
            self.under_way.remove(&(from, to));
        }
        let is_unlink = matches!(signal, Signal::Unlink { .. });
        if is_unlink {
            *self.arrived.entry((from, to)).or_default() += 1;
        }
        let (is_exit, is_noproc) = match &signal {
            Signal::Exit { reason, .. } => (true, *reason == ExitReason::NoProcess),
            _ => (false, false),
        };
        let removed = handled < self.unlinks.get(&(to, from)).copied().unwrap_or(0);

        let receiver = self.at(to);
        let before = (receiver.mailbox_len(), receiver.is_alive());
        let delivery = receiver.deliver(signal);
        let felt = before != (receiver.mailbox_len(), receiver.is_alive());
        assert!(is_exit || !felt, "nothing but an exit is felt");
        assert!(!(removed && felt), "an exit of a link that {to} had removed was felt");
        if felt && !is_noproc {
            *self.felt.entry((from, to)).or_default() += 1;
        }
        match delivery {
            Delivery::Done | Delivery::Wake => {}
            Delivery::Answer(asker, answer) => self.send(to, asker.serial, answer),
            Delivery::Dead(Signal::Link { .. }) => {
                self.send(to, from, link_exit(to, ExitReason::NoProcess));
            }
            Delivery::Dead(Signal::Unlink { id, .. }) => self.send(to, from, ack(to, id)),
            Delivery::Dead(_) => assert!(self.dead.contains(&to)),
            Delivery::Full(_) => unreachable!("no messages are sent"),
        }
        let ends = self.at(to).exiting().is_some() && !self.dead.contains(&to);
        if ends {
            self.die(to);
        }
    }

    fn settle(&mut self, picks: &[usize]) {
        let mut picks = picks.iter().copied().cycle();
        while !self.under_way.is_empty() {
            let pick = picks.next().unwrap_or(0);
            self.step(&Step::Deliver(pick));
        }
    }

    fn check(&self) {
        for (&a, process) in &self.processes {
            for (&b, peer) in self.processes.iter().filter(|(b, _)| **b != a) {
                let (here, there) = (linked(process, b), linked(peer, a));
                assert_eq!(here, there, "{a} and {b} disagree about their link");
                assert!(!(here && self.dead.contains(&b)), "{a} is linked to the dead {b}");
                let felt = self.felt.get(&(b, a)).copied().unwrap_or(0);
                assert!(felt <= 1, "{a} felt the end of {b} {felt} times");
                if self.dead.contains(&a) || self.dead.contains(&b) {
                    continue;
                }
                match (self.deeds.get(&(a, b)), self.deeds.get(&(b, a))) {
                    (Some(Deed::Link), Some(Deed::Link) | None) => {
                        assert!(here, "linking was the last that {a} and {b} did");
                    }
                    (Some(Deed::Unlink), None) => {
                        assert!(!here, "{a} alone acted, and unlinked last");
                    }
                    // Who acted last is not known, or the mirrored pair is looked at, too.
                    (None, _) | (Some(_), Some(_)) => {}
                }
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let one = || 1..=PROCESSES;
    prop_oneof![
        6 => (one(), one()).prop_map(|(a, b)| Step::Link(a, b)),
        6 => (one(), one()).prop_map(|(a, b)| Step::Unlink(a, b)),
        1 => one().prop_map(Step::Die),
        10 => any::<usize>().prop_map(Step::Deliver),
    ]
}

/// Two processes only, so that short runs cross many signals of the one pair.
fn step_of_two() -> impl Strategy<Value = Step> {
    let pair = || prop_oneof![Just((1, 2)), Just((2, 1))];
    prop_oneof![
        6 => pair().prop_map(|(a, b)| Step::Link(a, b)),
        6 => pair().prop_map(|(a, b)| Step::Unlink(a, b)),
        8 => any::<usize>().prop_map(Step::Deliver),
    ]
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn both_ends_agree_and_no_removed_link_is_felt(
        traps in any::<[bool; PROCESSES as usize]>(),
        steps in vec(step(), 0..60),
        picks in vec(any::<usize>(), 1..20),
    ) {
        let mut world = World::new(traps);
        steps.iter().for_each(|step| world.step(step));
        world.settle(&picks);
        world.check();
    }

    #[test]
    fn a_pair_that_links_and_unlinks_at_once_agrees(
        steps in vec(step_of_two(), 0..25),
        picks in vec(any::<usize>(), 1..10),
        dies in proptest::option::of(1u64..=2),
    ) {
        let mut world = World::new([true; PROCESSES as usize]);
        steps.iter().for_each(|step| world.step(step));
        if let Some(serial) = dies {
            world.step(&Step::Die(serial));
        }
        world.settle(&picks);
        world.check();
    }
}

#[test]
fn both_may_unlink_at_once_and_link_again() {
    for again in [false, true] {
        let mut world = World::new([true; PROCESSES as usize]);
        world.step(&Step::Link(1, 2));
        world.settle(&[0]);
        for (a, b) in [(1, 2), (2, 1)] {
            world.step(&Step::Unlink(a, b));
            if again {
                world.step(&Step::Link(a, b));
            }
        }
        world.settle(&[0, 1]);
        world.check();
        assert_eq!(linked(&world.processes[&1], 2), again);
    }
}
