//! Receiving by patterns, with the harness's probes in between.

use std::cell::Cell;
use std::collections::HashMap;

use crate::abi::{DOWN, EXIT, FROM, MESSAGE, REFERENCE, TAG, pattern};
use crate::wire::{self, Pair, Table};
use crate::{FAR, abi};

/// The tags of the harness's own messages.
const PROBE: i64 = i64::MIN;
const GO: i64 = i64::MIN + 1;

thread_local! {
    /// A probe that came where it could not be answered.
    static PROBED: Cell<Option<u64>> = const { Cell::new(None) };
}

fn tagged(tag: i64) -> Vec<u8> {
    pattern(MESSAGE, TAG, tag, (0, 0), (0, 0))
}

/// Waits until the harness lets the first processes begin.
pub fn go() {
    abi::receive(&tagged(GO), -1);
}

/// The process has come to where it answers probes.
pub fn begins_to_wait(who: u8) {
    wire::waits(who);
    if let Some(round) = PROBED.take() {
        wire::answer(who, round);
    }
}

/// Takes a probe, if there is one.
fn takes_probe(who: u8) -> bool {
    if abi::receive(&tagged(PROBE), 0).is_none() {
        return false;
    }
    wire::found(who);
    PROBED.set(Some(u64::from_le_bytes(abi::data())));
    true
}

/// Whether there is a message that is no probe. If not, a probe that was there is answered.
pub fn has_message(who: u8) -> bool {
    loop {
        takes_probe(who);
        let there = abi::info(abi::own_pid()).is_some_and(|info| info.messages > 0);
        // What was counted may be a probe that came in between; there is only one at a time.
        if there && takes_probe(who) {
            continue;
        }
        if !there && let Some(round) = PROBED.take() {
            wire::answer(who, round);
        }
        return there;
    }
}

/// Does a receive and tells what it took.
pub fn receive(
    who: u8,
    table: &Table,
    watches: &HashMap<Pair, u8>,
    wait: u8,
    patterns: &[[u8; 3]],
) {
    let none = (0, 0);
    let watch = |wanted: u8| {
        let made = watches.iter().find(|(_, made)| **made == wanted);
        made.map_or(none, |(reference, _)| *reference)
    };
    let encoded = patterns.iter().map(|[kind, a, b]| match kind {
        0 => pattern(MESSAGE | EXIT | DOWN, 0, 0, none, none),
        1 => tagged(i64::from(*a)),
        2 => pattern(MESSAGE, FROM, 0, table.pid(*a), none),
        3 => pattern(MESSAGE, TAG | FROM, i64::from(*b), table.pid(*a), none),
        4 => pattern(EXIT, 0, 0, none, none),
        5 => pattern(EXIT, FROM, 0, table.pid(*a), none),
        6 => pattern(DOWN, 0, 0, none, none),
        _ => pattern(DOWN, REFERENCE, 0, none, watch(*a)),
    });
    let mut encoded: Vec<u8> = encoded.flatten().collect();
    let timeout = [0, FAR, -1][usize::from(wait)];
    if wait != 0 {
        encoded.extend(tagged(PROBE));
        begins_to_wait(who);
    }
    loop {
        let Some(header) = abi::receive(&encoded, timeout) else {
            return wire::seen(who, 4, 0, 0, none);
        };
        match header.kind {
            0 if header.tag == PROBE => {
                wire::found(who);
                let round = u64::from_le_bytes(abi::data());
                match wait {
                    0 => PROBED.set(Some(round)),
                    _ => wire::answer(who, round),
                }
            }
            0 => return wire::seen(who, 5, header.tag as u8, 0, header.from),
            1 => return wire::seen(who, 6, 0, header.reason(), header.from),
            _ => {
                let watch = watches.get(&header.reference).copied().unwrap_or(u8::MAX);
                return wire::seen(who, 7, watch, header.reason(), none);
            }
        }
    }
}
