//! Rules of the model that can be broken on purpose: a harness that would not notice is worthless.
//!
//! A mutation is tried in both directions: a runtime that follows it must produce a trace that the
//! model refuses, and the traces of a real `erl` must be refused by a model that follows it.

use lunatic_model::{ExitReason, Process, Signal, TrapExit};

use crate::program::Who;
use crate::words::pid;
use crate::world::World;

/// One broken rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutation {
    /// A message that meets another on its way to the same process is lost.
    DropsMessage,
    /// A message that meets another on its way to the same process arrives twice.
    DoublesMessage,
    /// The latest signal of a pair arrives first.
    LastInFirstOut,
    /// A receive takes the latest match.
    TakesLatest,
    /// A request to exit with `normal` ends another process.
    NormalEnds,
    /// A process that traps exits gets a message for a request to be killed.
    KillIsTrapped,
    /// Who is killed ends with `kill`.
    KillIsKept,
    /// `kill` through a link cannot be trapped.
    LinkKills,
    /// The exit signal of a removed link still counts.
    UnlinkForgets,
    /// A link has one end only.
    LinkIsOneWay,
    /// A down comes twice.
    DownTwice,
    /// A monitor of a dead process is silent.
    DeadIsSilent,
    /// Names stay when their process ends.
    NameOutlives,
    /// trap_exit turns `normal` of a link into nothing, as if it were off.
    NormalIsDropped,
}

impl Mutation {
    /// Whether it only adds to what can happen. Then it explains all that `erl` does, too, and only
    /// a runtime that follows it can be noticed.
    pub fn only_adds(self) -> bool {
        matches!(self, Mutation::DropsMessage | Mutation::DoublesMessage | Mutation::LastInFirstOut)
    }

    /// All of them.
    pub const ALL: [Mutation; 14] = [
        Mutation::DropsMessage,
        Mutation::DoublesMessage,
        Mutation::LastInFirstOut,
        Mutation::TakesLatest,
        Mutation::NormalEnds,
        Mutation::KillIsTrapped,
        Mutation::KillIsKept,
        Mutation::LinkKills,
        Mutation::UnlinkForgets,
        Mutation::LinkIsOneWay,
        Mutation::DownTwice,
        Mutation::DeadIsSilent,
        Mutation::NameOutlives,
        Mutation::NormalIsDropped,
    ];
}

impl World<'_> {
    /// What becomes of a signal where a rule is broken; without one, the signal itself.
    pub(crate) fn twisted(&mut self, to: Who, signal: Signal) -> Option<Signal> {
        let Some(mutation) = self.mutation else { return Some(signal) };
        if self.slot(to).end.is_some() {
            let silent = mutation == Mutation::DeadIsSilent;
            return (!silent || !matches!(signal, Signal::Monitor { .. })).then_some(signal);
        }
        let state = &mut self.slot_mut(to).state;
        let traps = state.trap_exit() == TrapExit::All;
        let end = |state: &mut Process, reason| {
            state.end(reason);
            None
        };
        let twisted = match (mutation, signal) {
            (
                Mutation::NormalEnds,
                Signal::Exit { reason: ExitReason::Normal, link: false, .. },
            ) if !traps => end(state, ExitReason::Normal),
            (
                Mutation::KillIsTrapped,
                Signal::Exit { from, reason: ExitReason::Kill, link: false },
            ) if traps => Some(Signal::Exit { from, reason: ExitReason::Killed, link: false }),
            (Mutation::KillIsKept, Signal::Exit { reason: ExitReason::Kill, link: false, .. }) => {
                end(state, ExitReason::Kill)
            }
            (Mutation::LinkKills, Signal::Exit { reason: ExitReason::Kill, link: true, .. }) => {
                end(state, ExitReason::Killed)
            }
            (Mutation::NormalIsDropped, Signal::Exit { from, reason: ExitReason::Normal, .. })
                if traps && from != pid(to) =>
            {
                None
            }
            (Mutation::LinkIsOneWay, Signal::Link { .. }) => None,
            (_, signal) => Some(signal),
        };
        if twisted.is_none() {
            self.bury_if_ended(to);
        }
        twisted
    }
}
