//! The laws of monitors: each fires exactly once, whatever the others of the same pair do, and not
//! at all once it is removed.

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use lunatic_model::{Delivery, Envelope, ExitReason, Limits, Process, Signal, Tag};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, downs, drain, message, pid, process, reference};

fn down(serial: u64, from: u64) -> Signal {
    Signal::Down { reference: reference(serial), from: pid(from), reason: ExitReason::Shutdown }
}

#[test]
fn a_down_tells_which_monitor_and_who_and_why() {
    let mut watcher = process(1);
    watcher.monitor(reference(10), pid(2));
    watcher.deliver(down(10, 2));
    let found = drain(&mut watcher);
    let [Envelope::Down { reference: which, from, reason, name: None }] = &found[..] else {
        panic!("expected one down, found {found:?}");
    };
    assert_eq!((*which, *from, reason), (reference(10), pid(2), &ExitReason::Shutdown));
}

#[test]
fn a_monitor_fires_once() {
    let mut watcher = process(1);
    watcher.monitor(reference(10), pid(2));
    watcher.deliver(down(10, 2));
    watcher.deliver(down(10, 2));
    assert_eq!(downs(drain(&mut watcher)), [reference(10)]);
}

#[test]
fn a_down_that_nobody_asked_for_is_dropped() {
    let mut watcher = process(1);
    watcher.deliver(down(10, 2));
    assert!(drain(&mut watcher).is_empty());
}

#[test]
fn a_down_never_ends_its_receiver() {
    let mut watcher = process(1);
    watcher.monitor(reference(10), pid(2));
    let reason = ExitReason::Kill;
    watcher.deliver(Signal::Down { reference: reference(10), from: pid(2), reason });
    assert!(watcher.is_alive());
}

#[test]
fn monitors_of_one_pair_are_independent() {
    let mut watcher = process(1);
    for serial in [10, 11, 12] {
        watcher.monitor(reference(serial), pid(2));
    }
    watcher.monitor(reference(13), pid(3));
    assert_eq!(watcher.demonitor(reference(11), false), Some(pid(2)));
    assert_eq!(watcher.monitors_of(pid(2)), [reference(10), reference(12)]);
    for serial in [12, 11, 10] {
        watcher.deliver(down(serial, 2));
    }
    assert_eq!(downs(drain(&mut watcher)), [reference(12), reference(10)]);
    assert_eq!(watcher.monitors_of(pid(3)), [reference(13)]);
}

#[test]
fn demonitor_drops_a_down_that_is_under_way() {
    for flush in [false, true] {
        let mut watcher = process(1);
        watcher.monitor(reference(10), pid(2));
        assert_eq!(watcher.demonitor(reference(10), flush), Some(pid(2)));
        watcher.deliver(down(10, 2));
        assert!(drain(&mut watcher).is_empty(), "flush: {flush}");
    }
}

#[test]
fn demonitor_leaves_a_down_in_the_mailbox_unless_it_flushes() {
    for (flush, left) in [(false, vec![10, 11]), (true, vec![11])] {
        let mut watcher = process(1);
        for serial in [10, 11] {
            watcher.monitor(reference(serial), pid(2));
            watcher.deliver(down(serial, 2));
        }
        assert_eq!(watcher.demonitor(reference(10), flush), None, "it has fired");
        let left: Vec<_> = left.into_iter().map(reference).collect();
        assert_eq!(downs(drain(&mut watcher)), left, "flush: {flush}");
    }
}

#[test]
fn flush_takes_nothing_but_its_own_down_out_of_the_mailbox() {
    let mut watcher = process(1);
    watcher.monitor(reference(10), pid(2));
    watcher.deliver(Signal::Message(message(2, 1, 0)));
    watcher.deliver(down(10, 2));
    watcher.deliver(Signal::Message(message(2, 2, 0)));
    watcher.demonitor(reference(10), true);
    let found = drain(&mut watcher);
    let [Envelope::Message(first), Envelope::Message(second)] = &found[..] else {
        panic!("expected the two messages, found {found:?}");
    };
    assert_eq!((first.tag.0, second.tag.0), (1, 2));
}

#[test]
fn one_monitor_more_than_the_limit_ends_the_process() {
    let mut watcher = Process::new(pid(1), Limits { monitors_max: 2, ..Limits::default() });
    assert!(watcher.monitor(reference(10), pid(2)).is_some());
    assert!(watcher.monitor(reference(11), pid(2)).is_some());
    watcher.demonitor(reference(10), false);
    assert!(watcher.monitor(reference(12), pid(2)).is_some(), "a removed one gives room back");
    assert!(watcher.monitor(reference(13), pid(2)).is_none());
    assert_eq!(watcher.exiting(), Some(&ExitReason::Limit("monitors_max")));
}

#[test]
fn a_dead_process_hands_a_monitor_back() {
    let mut target = process(2);
    target.die();
    let signal = Signal::Monitor { from: pid(1), reference: reference(10) };
    let delivery = target.deliver(signal);
    let Delivery::Dead(Signal::Monitor { from, reference: which }) = delivery else {
        panic!("expected the monitor back, found {delivery:?}");
    };
    assert_eq!((from, which), (pid(1), reference(10)));
}

#[test]
fn an_obituary_names_watchers_own_monitors_waiting_senders_and_what_was_not_read() {
    let mut process = process(2);
    for (serial, from) in [(10, 1), (11, 1), (12, 3), (13, 4)] {
        process.deliver(Signal::Monitor { from: pid(from), reference: reference(serial) });
    }
    process.deliver(Signal::Demonitor { reference: reference(12) });
    process.monitor(reference(20), pid(5));
    process.monitor(reference(21), pid(6));
    process.demonitor(reference(20), false);
    process.deliver(Signal::Message(message(1, 1, 0)));
    process.wait_for_room(pid(8), 0, None);
    process.wait_for_room(pid(7), 0, None);

    let obituary = process.die();
    let watchers = [(reference(10), pid(1)), (reference(11), pid(1)), (reference(13), pid(4))];
    assert_eq!(obituary.watchers, watchers);
    assert_eq!(obituary.monitors, [(reference(21), pid(6))]);
    assert_eq!(obituary.senders, [pid(8), pid(7)]);
    assert_eq!(obituary.unread.len(), 1);

    let again = process.die();
    assert!(again.watchers.is_empty() && again.monitors.is_empty(), "told once");
}

#[derive(Clone, Debug)]
enum Step {
    Monitor,
    /// Remove one of the monitors made so far.
    Demonitor(usize, bool),
    Receive,
    Die,
    /// Deliver the oldest signal to the watched process, or else to the watcher.
    Deliver(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Monitor),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(pick, flush)| Step::Demonitor(pick, flush)),
        1 => Just(Step::Receive),
        1 => Just(Step::Die),
        6 => any::<bool>().prop_map(Step::Deliver),
    ]
}

/// A watcher, the process that it watches, and the signals under way between them.
struct World {
    watcher: Process,
    target: Process,
    dead: bool,
    to_target: VecDeque<Signal>,
    to_watcher: VecDeque<Signal>,
    made: u64,
    removed: BTreeSet<u64>,
    heard: BTreeMap<u64, usize>,
}

impl World {
    fn new() -> World {
        World {
            watcher: process(1),
            target: process(2),
            dead: false,
            to_target: VecDeque::new(),
            to_watcher: VecDeque::new(),
            made: 0,
            removed: BTreeSet::new(),
            heard: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Monitor => {
                self.made += 1;
                self.to_target.extend(self.watcher.monitor(reference(self.made), pid(2)));
            }
            Step::Demonitor(pick, flush) if self.made > 0 => {
                let serial = pick as u64 % self.made + 1;
                if self.watcher.demonitor(reference(serial), flush).is_some() {
                    self.to_target.push_back(Signal::Demonitor { reference: reference(serial) });
                    self.removed.insert(serial);
                } else if flush && !self.heard.contains_key(&serial) {
                    self.removed.insert(serial);
                }
            }
            Step::Receive => {
                for reference in downs(drain(&mut self.watcher)) {
                    let removed = self.removed.contains(&reference.serial);
                    assert!(!removed, "a down of the removed monitor {}", reference.serial);
                    *self.heard.entry(reference.serial).or_default() += 1;
                }
            }
            Step::Die if !self.dead => {
                self.dead = true;
                for (reference, _) in self.target.die().watchers {
                    let down = Signal::Down { reference, from: pid(2), reason: ExitReason::Killed };
                    self.to_watcher.push_back(down);
                }
            }
            Step::Deliver(true) => {
                let delivery = self.to_target.pop_front().map(|signal| self.target.deliver(signal));
                if let Some(Delivery::Dead(Signal::Monitor { reference, .. })) = delivery {
                    let reason = ExitReason::NoProcess;
                    let down = Signal::Down { reference, from: pid(2), reason };
                    self.to_watcher.push_back(down);
                }
            }
            Step::Deliver(false) => {
                self.to_watcher.pop_front().map(|signal| self.watcher.deliver(signal));
            }
            Step::Demonitor(..) | Step::Die => {}
        }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn each_monitor_fires_exactly_once_unless_it_is_removed(steps in vec(step(), 0..60)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(step));
        world.step(&Step::Die);
        while !world.to_target.is_empty() {
            world.step(&Step::Deliver(true));
        }
        while !world.to_watcher.is_empty() {
            world.step(&Step::Deliver(false));
        }
        world.step(&Step::Receive);
        for serial in 1..=world.made {
            let heard = world.heard.get(&serial).copied().unwrap_or(0);
            let due = usize::from(!world.removed.contains(&serial));
            prop_assert_eq!(heard, due, "monitor {}", serial);
        }
        prop_assert!(world.watcher.monitors_of(pid(2)).is_empty());
    }
}

#[test]
fn who_links_or_monitors_after_the_end_has_begun_is_answered_as_by_the_dead() {
    let mut ending = process(1);
    ending.deliver(Signal::Monitor { from: pid(2), reference: reference(1) });
    ending.deliver(Signal::Exit { from: pid(2), reason: ExitReason::Kill, link: false });
    for late in [2, 3, 4] {
        ending.deliver(Signal::Monitor { from: pid(2), reference: reference(late) });
        ending.deliver(Signal::Link { from: pid(late), tag: Tag::NONE });
        ending.deliver(Signal::Link { from: pid(late), tag: Tag::NONE });
    }
    ending.deliver(Signal::Demonitor { reference: reference(3) });
    let obituary = ending.die();
    assert_eq!(obituary.watchers, [(reference(1), pid(2))], "it asked before");
    assert_eq!(obituary.links, []);
    let late = obituary.leftovers.expect("there are questions to answer").late;
    let asked = late.iter().map(|question| match question {
        Signal::Monitor { reference, .. } => (reference.serial, "monitor"),
        Signal::Link { from, .. } => (from.serial, "link"),
        other => panic!("nobody asked {other:?}"),
    });
    let asked: Vec<_> = asked.collect();
    assert_eq!(asked, [(2, "monitor"), (2, "link"), (3, "link"), (4, "monitor"), (4, "link")]);
}
