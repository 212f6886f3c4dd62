//! What the tests of the model share: short names for identities, messages and proptest's settings.
//!
//! Only this file knows how they are spelled, so that a test reads as the rule that it checks.
#![allow(dead_code, reason = "every test file compiles this module and uses a part of it")]

use lunatic_model::{
    Envelope, ExitReason, Filter, Limits, Message, Pid, Position, Process, Ref, Scan, Signal, Tag,
};
use proptest::test_runner::{Config, FileFailurePersistence};

/// A process of this node.
pub fn pid(serial: u64) -> Pid {
    Pid { node: 0, incarnation: 1, serial }
}

/// A reference of this node.
pub fn reference(serial: u64) -> Ref {
    Ref { node: 0, incarnation: 1, serial }
}

/// A process with the default limits.
pub fn process(serial: u64) -> Process {
    Process::new(pid(serial), Limits::default())
}

/// A message of the process `from` with `size` bytes of data.
pub fn message(from: u64, tag: i64, size: usize) -> Message {
    Message { tag: Tag(tag), from: Some(pid(from)), data: vec![7; size], ..Message::default() }
}

/// An exit signal through a link.
pub fn link_exit(from: u64, reason: ExitReason) -> Signal {
    Signal::Exit { from: pid(from), reason, link: true }
}

/// A filter for these tags.
pub fn tags(tags: &[i64]) -> Filter {
    Filter::Tags(tags.iter().copied().map(Tag).collect())
}

/// Takes everything out of a mailbox, oldest first, and leaves the process not waiting.
pub fn drain(process: &mut Process) -> Vec<Envelope> {
    let mut all = Vec::new();
    while let Scan::Found(envelope) = process.receive(&Filter::Any, Position::START) {
        all.push(envelope);
    }
    process.stop_waiting();
    all
}

/// The senders and reasons of trapped exits; anything else fails the test.
pub fn exits(envelopes: Vec<Envelope>) -> Vec<(Pid, ExitReason, Tag)> {
    let exit = |envelope| match envelope {
        Envelope::Exit { from, reason, tag } => (from, reason, tag),
        other => panic!("expected a trapped exit, found {other:?}"),
    };
    envelopes.into_iter().map(exit).collect()
}

/// The references of downs; anything else fails the test.
pub fn downs(envelopes: Vec<Envelope>) -> Vec<Ref> {
    let down = |envelope| match envelope {
        Envelope::Down { reference, .. } => reference,
        other => panic!("expected a down, found {other:?}"),
    };
    envelopes.into_iter().map(down).collect()
}

/// Settings for properties; a failing case is kept beside its test file and tried first next time.
pub fn cases(cases: u32) -> Config {
    let persistence = FileFailurePersistence::WithSource("regressions");
    Config { cases, failure_persistence: Some(Box::new(persistence)), ..Config::default() }
}
