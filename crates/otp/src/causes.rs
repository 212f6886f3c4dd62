//! What can no longer come about: worlds of the checker that lack the cause of something that was
//! seen are left at once, not after every order of what is left was tried.
//!
//! What must stay true: `false` is said only when no continuation gives what was seen. When in
//! doubt, a cause may still come.

use std::collections::BTreeSet;

use lunatic_model::{ExitReason, Signal, TrapExit};

use crate::codec::name_text;
use crate::program::{
    End, Item, Name, Outcome, Program, Query, Reason, Step, Timer, To, Trace, Watch, Who,
};
use crate::words::{pid, reason_of, reference, who_of};
use crate::world::World;

/// How an exit signal is to be heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// As a message.
    Trapped,
    /// As the end of who hears it; `by_link` if the end of its sender may be the cause.
    Ends { by_link: bool },
}

/// What was seen, with the number of the step that each process takes last.
pub(crate) struct Causes<'a> {
    pub(crate) program: &'a Program,
    pub(crate) trace: &'a Trace,
    pub(crate) seen: &'a [Vec<Outcome>],
}

impl Causes<'_> {
    /// Whether everything that this living process is still to see may come about.
    pub(crate) fn may_come(&self, world: &World, who: Who) -> bool {
        let slot = world.slot(who);
        let seen = &self.seen[usize::from(who.0)];
        let steps = self.program.steps(who);
        let heard = (slot.at..seen.len()).all(|at| match (&steps[at], &seen[at]) {
            (Step::Alive(other), Outcome::Is(true)) => !has_ended(world, *other),
            (Step::Info { of, query }, Outcome::Is(_) | Outcome::Count(_)) => {
                !has_ended(world, *of) && self.may_tell(world, *of, *query, seen[at])
            }
            (Step::Left(timer) | Step::Cancel(timer), Outcome::Is(true)) => {
                world.runs(*timer) || self.sets_later(world, who, *timer)
            }
            (Step::Send { to: To::Name(name), .. } | Step::Unregister(name), Outcome::Ok) => {
                self.name_may_be_taken(world, *name)
            }
            (Step::Register { name, to }, Outcome::Badarg) => {
                self.name_may_be_taken(world, *name)
                    || has_ended(world, *to)
                    || self.may_have_a_name(world, *to)
            }
            (_, Outcome::Leads(Some(other))) => !has_ended(world, *other),
            (_, Outcome::Got(item @ Item::Exit { from, reason })) => {
                slot.mailbox.contains(item)
                    || self.exit_may_come(world, *from, who, *reason, Heard::Trapped)
            }
            (_, Outcome::Got(item @ Item::Down { watch, reason })) => {
                slot.mailbox.contains(item) || self.down_may_come(world, who, *watch, *reason)
            }
            _ => true,
        });
        heard && !self.must_die(world, who)
    }

    /// Whether a process that was seen to wait in the end will be ended by what is on its way.
    fn must_die(&self, world: &World, who: Who) -> bool {
        if self.end(who) != End::Stuck {
            return false;
        }
        let state = &world.slot(who).state;
        let left = &self.program.steps(who)[world.slot(who).at..];
        let traps = state.trap_exit() != TrapExit::Off || left.contains(&Step::Trap(true));
        let keeps_link = |other: Who| !left.contains(&Step::Unlink(other));
        let linked = |other: Who| state.links().any(|link| link == pid(other));
        // One that does no harm may come first, and take the link away.
        let harmless = |other: Who| {
            world.on_the_way_to(who).any(|(_, signal)| {
                matches!(signal, Signal::Exit { from, reason: ExitReason::Normal, link: true }
                    if *from == pid(other))
            })
        };
        let fatal = world.on_the_way_to(who).any(|(_, signal)| {
            let Signal::Exit { from, reason, link } = signal else { return false };
            let from = who_of(*from);
            match (reason, link) {
                (ExitReason::Kill, false) => true,
                (ExitReason::Normal, _) => false,
                (_, false) => !traps,
                (_, true) => !traps && keeps_link(from) && linked(from) && !harmless(from),
            }
        });
        let seen = self.seen[usize::from(who.0)].len() - world.slot(who).at;
        let will_ask = |other: Who| left[..seen].contains(&Step::Link(other)) && !linked(other);
        let asked = |other: Who| {
            world
                .on_the_way_to(other)
                .any(|(_, signal)| matches!(signal, Signal::Link { from, .. } if *from == pid(who)))
        };
        let links_to_the_dead = |other: Who| {
            other != who
                && has_ended(world, other)
                && keeps_link(other)
                && !harmless(other)
                && (will_ask(other) || asked(other) && linked(other))
        };
        fatal || !traps && self.program.everybody().any(links_to_the_dead)
    }

    /// Whether a question about a process can still be answered so.
    fn may_tell(&self, world: &World, of: Who, query: Query, answer: Outcome) -> bool {
        let Some(now) = world.slot(of).state.snapshot() else { return true };
        let left = |who| self.steps_left(world, who).iter();
        let mut everybody = self.program.everybody();
        let (count, more) = match (query, answer) {
            (Query::Traps, Outcome::Is(traps)) => {
                return (now.trap_exit != TrapExit::Off) == traps
                    || left(of).any(|step| *step == Step::Trap(traps));
            }
            (Query::Links, _) => {
                let links = |who: Who, step: &Step| match step {
                    Step::Link(_) | Step::Spawn { link: true, .. } if who == of => true,
                    Step::Link(to) => *to == of,
                    Step::Spawn { child, link, .. } => *link && *child == of,
                    _ => false,
                };
                let coming = |(_, signal): (_, &Signal)| matches!(signal, Signal::Link { .. });
                let more = world.on_the_way_to(of).any(coming)
                    || everybody.any(|who| left(who).any(|step| links(who, step)));
                (now.links.len(), more)
            }
            (Query::Watchers, _) => {
                let watches = |step: &Step| match step {
                    Step::Monitor { to: To::Process(to), .. } => *to == of,
                    Step::Monitor { .. } => true,
                    Step::Spawn { child, monitor, .. } => *child == of && monitor.is_some(),
                    _ => false,
                };
                let coming = |(_, signal): (_, &Signal)| matches!(signal, Signal::Monitor { .. });
                let more = world.on_the_way_to(of).any(coming)
                    || everybody.any(|who| left(who).any(watches));
                (now.monitored_by.len(), more)
            }
            (Query::Messages | Query::Monitors | Query::Traps, _) => return true,
        };
        more || !matches!(answer, Outcome::Count(wanted) if usize::from(wanted) > count)
    }

    /// Whether a timer is still to be set.
    fn sets_later(&self, world: &World, who: Who, timer: Timer) -> bool {
        let sets = |step: &Step| matches!(step, Step::Timer { timer: set, .. } if *set == timer);
        self.steps_left(world, who).iter().any(sets)
    }

    fn name_may_be_taken(&self, world: &World, name: Name) -> bool {
        let registers =
            |step: &Step| matches!(step, Step::Register { name: taken, .. } if *taken == name);
        let mut all = self.program.everybody();
        world.names.whereis(&name_text(name)).is_some()
            || all.any(|who| self.steps_left(world, who).iter().any(registers))
    }

    fn may_have_a_name(&self, world: &World, who: Who) -> bool {
        let registers = |step: &Step| matches!(step, Step::Register { to, .. } if *to == who);
        let mut all = self.program.everybody();
        !world.names.names_of(pid(who)).is_empty()
            || all.any(|by| {
                let left = self.steps_left(world, by).iter();
                // The step that is refused does not count.
                left.filter(|step| registers(step)).count() > usize::from(by == who)
            })
    }

    fn end(&self, who: Who) -> End {
        self.trace.ends.get(usize::from(who.0)).copied().unwrap_or(End::Unborn)
    }

    /// The steps that a process is still to do, with the one that may have been done unseen.
    fn steps_left(&self, world: &World, who: Who) -> &[Step] {
        let slot = world.slot(who);
        let steps = self.program.steps(who);
        let last = (self.seen[usize::from(who.0)].len() + 1).min(steps.len());
        if slot.end.is_some() { &[] } else { &steps[slot.at.min(last)..last] }
    }

    /// Whether the ends that were seen may all come about. Two linked processes that end with the
    /// same reason are no cause for each other: some end must come first.
    pub(crate) fn ends_may_come(&self, world: &World) -> bool {
        let everybody = || self.program.everybody();
        let mut explained: BTreeSet<Who> = BTreeSet::new();
        loop {
            let more: Vec<Who> = everybody()
                .filter(|who| !explained.contains(who))
                .filter(|who| self.end_may_come(world, *who, &explained))
                .collect();
            if more.is_empty() {
                return explained.len() == self.program.scripts.len();
            }
            explained.extend(more);
        }
    }

    /// Whether the end of a process may come about, if the ends of those that are explained do.
    fn end_may_come(&self, world: &World, who: Who, explained: &BTreeSet<Who>) -> bool {
        let End::Ended(reason) = self.end(who) else { return true };
        if has_ended(world, who) {
            return true;
        }
        let seen = self.seen[usize::from(who.0)].len();
        let ends_itself = match self.program.steps(who).get(seen) {
            None => reason == Reason::Normal,
            Some(Step::Raise(own)) => *own == reason,
            Some(Step::Crash) => reason == Reason::Crash,
            Some(Step::Grow) => reason == Reason::Killed,
            Some(Step::Exit { to, .. }) => *to == who,
            Some(_) => false,
        };
        ends_itself
            || self.program.everybody().any(|by| {
                let heard = Heard::Ends { by_link: explained.contains(&by) };
                self.exit_may_come(world, by, who, reason, heard)
            })
    }

    /// Whether an exit signal of `from` may still give `to` this reason, as a message or as its
    /// own end.
    fn exit_may_come(
        &self,
        world: &World,
        from: Who,
        to: Who,
        reason: Reason,
        heard: Heard,
    ) -> bool {
        let gives = |asked: Reason| {
            let ends = heard != Heard::Trapped;
            asked == reason || (ends && asked == Reason::Kill && reason == Reason::Killed)
        };
        let from_pid = pid(from);
        let mut linking = false;
        for (_, signal) in world.on_the_way_to(to) {
            match signal {
                Signal::Exit { from, reason, .. }
                    if *from == from_pid && gives(reason_of(reason)) =>
                {
                    return true;
                }
                Signal::Link { from, .. } => linking |= *from == from_pid,
                _ => {}
            }
        }
        let mut asking = world
            .on_the_way_to(from)
            .any(|(_, signal)| matches!(signal, Signal::Link { from, .. } if *from == pid(to)));
        for step in self.steps_left(world, from) {
            match step {
                Step::Exit { to: other, reason } if *other == to && gives(*reason) => return true,
                Step::Link(other) => linking |= *other == to,
                Step::Spawn { child, link: true, .. } => linking |= *child == to,
                _ => {}
            }
        }
        for step in self.steps_left(world, to) {
            match step {
                Step::Link(other) => asking |= *other == from,
                Step::Spawn { child, link: true, .. } => linking |= *child == from,
                _ => {}
            }
        }
        // A link to itself is none.
        if from == to {
            return false;
        }
        if asking && reason == Reason::Noproc {
            return true;
        }
        let linked = || world.slot(to).state.links().any(|link| link == from_pid);
        let ends_so = match self.end(from) {
            End::Ended(end) => end == reason,
            End::Gone => true,
            End::Stuck | End::Unborn => false,
        };
        ends_so
            && heard != Heard::Ends { by_link: false }
            && !has_ended(world, from)
            && (linking || asking || linked())
    }

    fn down_may_come(&self, world: &World, who: Who, watch: Watch, reason: Reason) -> bool {
        let mut steps = self.program.steps(who).iter();
        let target = steps.find_map(|step| match step {
            Step::Monitor { to, watch: made, .. } if *made == watch => Some(*to),
            Step::Spawn { child, monitor: Some(made), .. } if *made == watch => {
                Some(To::Process(*child))
            }
            _ => None,
        });
        let Some(To::Process(target)) = target else { return true };
        let still_to_make = self.steps_left(world, who).iter().any(|step| match step {
            Step::Monitor { watch: made, .. } => *made == watch,
            Step::Spawn { monitor, .. } => *monitor == Some(watch),
            _ => false,
        });
        let reference = reference(watch);
        let asking = still_to_make
            || world.on_the_way_to(target).any(|(_, signal)| {
                matches!(signal, Signal::Monitor { reference: asked, .. } if *asked == reference)
            });
        if asking && reason == Reason::Noproc {
            return true;
        }
        let ends_so = match self.end(target) {
            End::Ended(end) => end == reason,
            End::Gone => true,
            End::Stuck | End::Unborn => false,
        };
        (ends_so && !has_ended(world, target))
            || world.on_the_way_to(who).any(|(_, signal)| match signal {
                Signal::Down { reference: told, reason: why, .. } => {
                    *told == reference && reason_of(why) == reason
                }
                _ => false,
            })
    }
}

fn has_ended(world: &World, who: Who) -> bool {
    world.slot(who).end.is_some()
}
