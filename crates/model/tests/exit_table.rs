//! What a received exit signal does: OTP's table ("Receiving Exit Signals" in its reference
//! manual), with the third value of trapping exits that the old ABI needs.
//!
//! Every combination of trapping, way of the signal and reason is tried. `Failures` differs from
//! OTP in one thing: `normal` is handled as if exits were not trapped.

mod support;

use std::sync::Arc;

use lunatic_model::{
    Delivery, ExitReason, Filter, Position, Process, Scan, Signal, Tag, Trap, TrapExit,
};
use support::{drain, exits, link_exit, pid, process};

const RECEIVER: u64 = 1;
const SENDER: u64 = 2;
const LINK_TAG: Tag = Tag(42);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    /// Through a link that is there.
    Link,
    /// Through a link that was removed here, or never was.
    NoLink,
    /// Asked for by another process.
    Request,
    /// Asked for by the process itself.
    OwnRequest,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Reason {
    Normal,
    Kill,
    Other,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Effect {
    Dropped,
    /// The process ends with the reason of the signal.
    Ends,
    /// The process ends with `killed`.
    EndsKilled,
    /// The process finds a message with the reason of the signal.
    Message,
}

use Effect::*;
use Reason::*;
use Way::*;

#[rustfmt::skip]
const TABLE: [(TrapExit, Way, Reason, Effect); 36] = [
    (TrapExit::Off,      Link,       Normal, Dropped),
    (TrapExit::Off,      Link,       Kill,   Ends),
    (TrapExit::Off,      Link,       Other,  Ends),
    (TrapExit::Off,      NoLink,     Normal, Dropped),
    (TrapExit::Off,      NoLink,     Kill,   Dropped),
    (TrapExit::Off,      NoLink,     Other,  Dropped),
    (TrapExit::Off,      Request,    Normal, Dropped),
    (TrapExit::Off,      Request,    Kill,   EndsKilled),
    (TrapExit::Off,      Request,    Other,  Ends),
    (TrapExit::Off,      OwnRequest, Normal, Ends),
    (TrapExit::Off,      OwnRequest, Kill,   EndsKilled),
    (TrapExit::Off,      OwnRequest, Other,  Ends),

    (TrapExit::Failures, Link,       Normal, Dropped),
    (TrapExit::Failures, Link,       Kill,   Message),
    (TrapExit::Failures, Link,       Other,  Message),
    (TrapExit::Failures, NoLink,     Normal, Dropped),
    (TrapExit::Failures, NoLink,     Kill,   Dropped),
    (TrapExit::Failures, NoLink,     Other,  Dropped),
    (TrapExit::Failures, Request,    Normal, Dropped),
    (TrapExit::Failures, Request,    Kill,   EndsKilled),
    (TrapExit::Failures, Request,    Other,  Message),
    (TrapExit::Failures, OwnRequest, Normal, Ends),
    (TrapExit::Failures, OwnRequest, Kill,   EndsKilled),
    (TrapExit::Failures, OwnRequest, Other,  Message),

    (TrapExit::All,      Link,       Normal, Message),
    (TrapExit::All,      Link,       Kill,   Message),
    (TrapExit::All,      Link,       Other,  Message),
    (TrapExit::All,      NoLink,     Normal, Dropped),
    (TrapExit::All,      NoLink,     Kill,   Dropped),
    (TrapExit::All,      NoLink,     Other,  Dropped),
    (TrapExit::All,      Request,    Normal, Message),
    (TrapExit::All,      Request,    Kill,   EndsKilled),
    (TrapExit::All,      Request,    Other,  Message),
    (TrapExit::All,      OwnRequest, Normal, Message),
    (TrapExit::All,      OwnRequest, Kill,   EndsKilled),
    (TrapExit::All,      OwnRequest, Other,  Message),
];

fn reasons(kind: Reason) -> Vec<ExitReason> {
    match kind {
        Normal => vec![ExitReason::Normal],
        Kill => vec![ExitReason::Kill],
        Other => vec![
            ExitReason::Shutdown,
            ExitReason::Killed,
            ExitReason::NoProcess,
            ExitReason::NoConnection,
            ExitReason::Exit(1),
            ExitReason::Trap(Arc::new(Trap::default())),
            ExitReason::Error("no such entry".into()),
            ExitReason::HostPanic("index out of bounds".into()),
            ExitReason::Limit("links_max"),
            ExitReason::Custom(Arc::from(&b"data"[..])),
        ],
    }
}

/// The receiver of the signal and the signal.
fn scene(trap_exit: TrapExit, way: Way, reason: ExitReason) -> (Process, Signal) {
    let mut receiver = process(RECEIVER);
    receiver.set_trap_exit(trap_exit);
    let (from, link) = match way {
        Link => {
            receiver.deliver(Signal::Link { from: pid(SENDER), tag: LINK_TAG });
            (SENDER, true)
        }
        NoLink => (SENDER, true),
        Request => (SENDER, false),
        OwnRequest => (RECEIVER, false),
    };
    (receiver, Signal::Exit { from: pid(from), reason, link })
}

#[test]
fn the_table_names_every_combination_once() {
    for trap_exit in [TrapExit::Off, TrapExit::Failures, TrapExit::All] {
        for way in [Link, NoLink, Request, OwnRequest] {
            for reason in [Normal, Kill, Other] {
                let is_it = |row: &&_| {
                    let &&(t, w, r, _): &&(TrapExit, Way, Reason, Effect) = row;
                    (t, w, r) == (trap_exit, way, reason)
                };
                let rows = TABLE.iter().filter(is_it).count();
                assert_eq!(rows, 1, "{trap_exit:?}, {way:?}, {reason:?}");
            }
        }
    }
}

#[test]
fn an_exit_signal_does_what_the_table_says() {
    for (trap_exit, way, kind, effect) in TABLE {
        for reason in reasons(kind) {
            let row = format!("{trap_exit:?}, {way:?}, {reason:?} → {effect:?}");
            let (mut receiver, signal) = scene(trap_exit, way, reason.clone());
            let from = if way == OwnRequest { pid(RECEIVER) } else { pid(SENDER) };
            let delivery = receiver.deliver(signal);

            let ends = match effect {
                Dropped | Message => None,
                Ends => Some(&reason),
                EndsKilled => Some(&ExitReason::Killed),
            };
            assert_eq!(receiver.exiting(), ends, "{row}");
            assert_eq!(receiver.is_alive(), ends.is_none(), "{row}");
            let must_run = matches!(delivery, Delivery::Wake);
            assert_eq!(must_run, ends.is_some(), "{row}: {delivery:?}");

            let tag = if way == Link { LINK_TAG } else { Tag::NONE };
            let found = exits(drain(&mut receiver));
            let told = if effect == Message { vec![(from, reason, tag)] } else { Vec::new() };
            assert_eq!(found, told, "{row}");
        }
    }
}

#[test]
fn an_exit_through_a_link_removes_the_link_whatever_else_it_does() {
    for (trap_exit, way, kind, _) in TABLE {
        for reason in reasons(kind).into_iter().filter(|_| way == Link) {
            let (mut receiver, signal) = scene(trap_exit, way, reason.clone());
            receiver.deliver(signal);
            assert_eq!(receiver.links().count(), 0, "{trap_exit:?}, {reason:?}");
        }
    }
}

#[test]
fn an_exit_that_is_asked_for_leaves_a_link_of_the_two_in_place() {
    let mut receiver = process(RECEIVER);
    receiver.set_trap_exit(TrapExit::All);
    receiver.deliver(Signal::Link { from: pid(SENDER), tag: LINK_TAG });
    let reason = ExitReason::Shutdown;
    receiver.deliver(Signal::Exit { from: pid(SENDER), reason, link: false });
    assert_eq!(receiver.links().collect::<Vec<_>>(), [pid(SENDER)]);
}

#[test]
fn a_trapped_exit_wakes_a_process_that_waits_for_it() {
    for (filter, wakes) in [
        (Filter::Any, true),
        (support::tags(&[LINK_TAG.0]), true),
        (support::tags(&[LINK_TAG.0 + 1]), false),
        (Filter::Reply(LINK_TAG), false),
    ] {
        let (mut receiver, signal) = scene(TrapExit::All, Link, ExitReason::Shutdown);
        assert!(matches!(receiver.receive(&filter, Position::START), Scan::Nothing(_)));
        let delivery = receiver.deliver(signal);
        assert_eq!(matches!(delivery, Delivery::Wake), wakes, "{filter:?}");
    }
}

#[test]
fn the_first_reason_to_end_is_kept() {
    let kill = || Signal::Exit { from: pid(SENDER), reason: ExitReason::Kill, link: false };
    let exit = || Signal::Exit { from: pid(SENDER), reason: ExitReason::Exit(1), link: false };

    let mut receiver = process(RECEIVER);
    receiver.deliver(exit());
    receiver.deliver(kill());
    assert_eq!(receiver.exiting(), Some(&ExitReason::Exit(1)));
    assert_eq!(receiver.ended_by(), Some(pid(SENDER)));

    let mut receiver = process(RECEIVER);
    receiver.deliver(kill());
    receiver.deliver(exit());
    receiver.end(ExitReason::Normal);
    assert_eq!(receiver.exiting(), Some(&ExitReason::Killed));

    let mut receiver = process(RECEIVER);
    receiver.end(ExitReason::Normal);
    receiver.deliver(kill());
    assert_eq!(receiver.exiting(), Some(&ExitReason::Normal));
    assert_eq!(receiver.ended_by(), None, "it ended on its own account");
}

#[test]
fn trapping_counts_as_it_is_when_the_signal_is_received() {
    let mut receiver = process(RECEIVER);
    for peer in [2, 3] {
        receiver.deliver(Signal::Link { from: pid(peer), tag: LINK_TAG });
    }
    receiver.set_trap_exit(TrapExit::All);
    receiver.deliver(link_exit(2, ExitReason::Shutdown));
    assert!(receiver.is_alive());
    receiver.set_trap_exit(TrapExit::Off);
    receiver.deliver(link_exit(3, ExitReason::Shutdown));
    assert_eq!(receiver.exiting(), Some(&ExitReason::Shutdown));
    assert_eq!(receiver.mailbox_len(), 1, "what was trapped before stays a message");
    assert_eq!(drain(&mut receiver).len(), 0, "which nobody receives any more");
}

#[test]
fn every_exit_signal_to_a_dead_process_comes_back() {
    for (trap_exit, way, kind, _) in TABLE {
        for reason in reasons(kind) {
            let (mut receiver, signal) = scene(trap_exit, way, reason);
            receiver.end(ExitReason::Normal);
            receiver.die();
            assert!(matches!(receiver.deliver(signal), Delivery::Dead(Signal::Exit { .. })));
            assert_eq!(receiver.exiting(), Some(&ExitReason::Normal));
        }
    }
}
