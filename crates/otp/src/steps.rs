//! What each step does in a world.

use lunatic_model::{AliasMode as ModelMode, MonitorOptions, Names, Signal, Tag, TrapExit};

use crate::codec::name_text;
use crate::mutation::Mutation;
use crate::program::{
    Alias, AliasMode, Item, NOBODY, Name, Outcome, Pattern, Priority, Query, QueueData, Reason,
    STEPS_MAX, Socket, Step, Timer, To, Wait, Watch, Who,
};
use crate::words::{exit_reason, message, pid, reference, who_of};
use crate::world::{Source, World, mix};

/// What became of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Did {
    /// It cannot be done now, and nothing has changed.
    Waits,
    /// It ended its process.
    Ended,
    /// It is done.
    Done(Outcome),
}

impl World<'_> {
    /// Does the next step of a live process. Where the model leaves a choice, `wanted` decides.
    pub fn step(&mut self, who: Who, wanted: Option<&Outcome>) -> Did {
        let at = self.slot(who).at;
        if self.slot(who).state.is_suspended() {
            return Did::Waits;
        }
        let did = match self.next_step(who) {
            None => self.end(who, Reason::Normal),
            Some(step) => self.perform(who, step, wanted),
        };
        if did != Did::Waits {
            self.slot_mut(who).at = at + 1;
            let kept = u64::from(did == Did::Done(Outcome::Is(false)));
            self.note(who, (at as u64) << 16 | kept << 8 | 2);
        }
        did
    }

    /// Whether the next step neither reads what signals change nor ends the process: when it is
    /// done makes no difference, so it is done at once.
    pub fn next_is_free(&self, who: Who) -> bool {
        match self.next_step(who) {
            _ if self.slot(who).state.is_suspended() => false,
            Some(
                Step::Send { to: To::Process(_), .. } | Step::Timer { to: To::Process(_), .. },
            ) => true,
            Some(Step::Exit { to, .. }) => *to != who,
            Some(
                Step::Spawn { link: false, monitor: None, .. }
                | Step::Priority(_)
                | Step::QueueData(_),
            ) => true,
            // Others can see these two.
            Some(Step::Spawn { .. } | Step::Monitor { to: To::Process(_), .. }) => !self.observed,
            _ => false,
        }
    }

    fn end(&mut self, who: Who, reason: Reason) -> Did {
        self.slot_mut(who).state.end(exit_reason(reason));
        self.bury_if_ended(who);
        Did::Ended
    }

    fn done_if_alive(&self, who: Who) -> Did {
        if self.lives(who) { Did::Done(Outcome::Ok) } else { Did::Ended }
    }

    fn perform(&mut self, who: Who, step: &Step, wanted: Option<&Outcome>) -> Did {
        match step {
            Step::Spawn { child, link, monitor } => self.spawn(who, *child, *link, *monitor),
            Step::Send { to: To::Process(to), tag } => self.send(who, *to, *tag),
            Step::Send { to: To::Name(name), tag } => match named(&self.names, *name) {
                Some(to) => self.send(who, to, *tag),
                None => Did::Done(Outcome::Badarg),
            },
            Step::Send { to: To::Alias(alias), tag } => {
                if let Some((owner, _)) = self.program.origin(*alias) {
                    self.put_by_alias(who, owner, *alias, message(who, *tag));
                }
                Did::Done(Outcome::Ok)
            }
            Step::Receive { patterns, wait } => self.receive(who, patterns, *wait),
            Step::Link(to) => {
                if let Some(signal) = self.slot_mut(who).state.link(pid(*to), Tag::NONE) {
                    self.put(Source::Process(who), *to, signal);
                }
                Did::Done(Outcome::Ok)
            }
            Step::Unlink(to) => self.unlink(who, *to),
            Step::Monitor { to, watch, alias } => self.monitor(who, *to, *watch, *alias),
            Step::Demonitor { watch, flush } => self.demonitor(who, *watch, *flush),
            Step::Exit { to, reason } => self.exit(who, *to, *reason),
            Step::Raise(reason) => self.end(who, *reason),
            Step::Crash => self.end(who, Reason::Crash),
            Step::Trap(on) => {
                let state = &mut self.slot_mut(who).state;
                let old = state.trap_exit() == TrapExit::All;
                state.set_trap_exit(if *on { TrapExit::All } else { TrapExit::Off });
                Did::Done(Outcome::Is(old))
            }
            Step::Register { .. } | Step::Unregister(_) => self.names(who, step),
            Step::Whereis(name) => Did::Done(Outcome::Leads(named(&self.names, *name))),
            Step::Timer { timer, to, tag, wait } => self.timer(who, *timer, *to, *tag, *wait),
            Step::Cancel(timer) => self.cancel(*timer, wanted),
            Step::Left(timer) => self.left(*timer, wanted),
            Step::Alias { alias, reply } => {
                let mode = if *reply { ModelMode::Reply } else { ModelMode::ExplicitUnalias };
                let reference = self.alias_reference(*alias);
                self.slot_mut(who).state.alias(reference, mode, false);
                Did::Done(Outcome::Ok)
            }
            Step::Unalias(alias) => {
                let reference = self.alias_reference(*alias);
                Did::Done(Outcome::Is(self.slot_mut(who).state.unalias(reference)))
            }
            // One that is ending may still be there.
            Step::Listed(of) => {
                let lives = self.lives(*of);
                Did::Done(wanted.copied().filter(|_| !lives).unwrap_or(Outcome::Is(lives)))
            }
            // What was sent before is in its queue, and a request to exit counts from there.
            Step::Alive(to) if *to != who && self.asks_to_exit(who, *to) => Did::Waits,
            Step::Alive(to) => Did::Done(Outcome::Is(self.lives(*to))),
            // A question about another process is answered after what was sent to it before.
            Step::Info { of, .. } if *of != who && !self.is_still_between(who, *of) => Did::Waits,
            Step::Info { of, query } => Did::Done(self.info(*of, *query)),
            Step::Suspend(to) | Step::Resume(to) if !self.is_still_between(who, *to) => Did::Waits,
            Step::Suspend(to) => self.suspend(who, *to),
            Step::Resume(to) => self.resume(who, *to),
            step => self.alone(who, step),
        }
    }

    /// A step that is about nobody else.
    fn alone(&mut self, who: Who, step: &Step) -> Did {
        match step {
            Step::Nap => Did::Done(Outcome::Is(true)),
            Step::Spin => Did::Waits,
            // The end of a process closes what it has, and nothing else does.
            Step::Socket(Socket::Closed(port)) => match self.program.listener(*port) {
                Some(other) if self.slot(other).end.is_none() => Did::Waits,
                Some(_) | None => Did::Done(Outcome::Is(true)),
            },
            Step::Limit => {
                self.slot_mut(who).limited = true;
                Did::Done(Outcome::Ok)
            }
            Step::Grow if self.slot(who).limited => self.end(who, Reason::Killed),
            Step::Hibernate if self.slot(who).mailbox.is_empty() => Did::Waits,
            Step::Priority(Priority::Wrong) | Step::QueueData(QueueData::Wrong) => {
                Did::Done(Outcome::Badarg)
            }
            _ => Did::Done(Outcome::Ok),
        }
    }

    fn exit(&mut self, who: Who, to: Who, reason: Reason) -> Did {
        let signal = Signal::Exit { from: pid(who), reason: exit_reason(reason), link: false };
        // A request to itself is handled at once, but for one that it traps.
        let traps = self.slot(who).state.trap_exit() != TrapExit::Off;
        if to == who && (!traps || reason == Reason::Kill) {
            self.arrive_from_itself(who);
            self.handle(who, signal);
        } else {
            self.put(Source::Process(who), to, signal);
        }
        self.done_if_alive(who)
    }

    /// Changes names.
    fn names(&mut self, who: Who, step: &Step) -> Did {
        let changed = match step {
            Step::Register { name, to } => {
                let free = self.lives(*to) && self.names.names_of(pid(*to)).is_empty();
                free && self.names.register(&name_text(*name), pid(*to)).is_ok()
            }
            Step::Unregister(name) => self.names.remove(&name_text(*name)).is_some(),
            _ => false,
        };
        if !changed {
            return Did::Done(Outcome::Badarg);
        }
        let at = self.slot(who).at as u64;
        self.names_history = mix(self.names_history, u64::from(who.0) << 8 | at);
        Did::Done(Outcome::Ok)
    }

    fn spawn(&mut self, who: Who, child: Who, link: bool, monitor: Option<Watch>) -> Did {
        self.slot_mut(child).started = true;
        if link {
            let signal = Signal::Link { from: pid(who), tag: Tag::NONE };
            self.slot_mut(who).state.link(pid(child), Tag::NONE);
            self.handle(child, signal);
        }
        if let Some(watch) = monitor
            && let Some(signal) = self.slot_mut(who).state.monitor(reference(watch), pid(child))
        {
            self.handle(child, signal);
        }
        Did::Done(Outcome::Ok)
    }

    fn send(&mut self, who: Who, to: Who, tag: u8) -> Did {
        let signal = Signal::Message(message(who, tag));
        self.put(Source::Process(who), to, signal);
        Did::Done(Outcome::Ok)
    }

    fn receive(&mut self, who: Who, patterns: &[Pattern], wait: Wait) -> Did {
        let latest = self.breaks(Mutation::TakesLatest);
        let mailbox = &mut self.slot_mut(who).mailbox;
        let takes = |item: &Item| patterns.iter().any(|pattern| pattern.takes(item));
        let found =
            if latest { mailbox.iter().rposition(takes) } else { mailbox.iter().position(takes) };
        match (found, wait) {
            (Some(position), _) => Did::Done(Outcome::Got(mailbox.remove(position))),
            (None, Wait::Zero) => Did::Done(Outcome::Timeout),
            (None, Wait::Far | Wait::Infinite) => Did::Waits,
        }
    }

    fn unlink(&mut self, who: Who, to: Who) -> Did {
        if self.breaks(Mutation::UnlinkForgets) {
            let signal = Signal::Unlink { from: pid(who), id: STEPS_MAX as u64 };
            self.put(Source::Process(who), to, signal);
        } else if let Some(signal) = self.slot_mut(who).state.unlink(pid(to)) {
            self.put(Source::Process(who), to, signal);
        }
        Did::Done(Outcome::Ok)
    }

    fn monitor(
        &mut self,
        who: Who,
        to: To,
        watch: Watch,
        alias: Option<(Alias, AliasMode)>,
    ) -> Did {
        let target = match to {
            To::Process(to) => Some(to),
            To::Name(name) => named(&self.names, name),
            To::Alias(_) => None,
        };
        let alias = alias.map(|(_, mode)| match mode {
            AliasMode::Explicit => (ModelMode::ExplicitUnalias, false),
            AliasMode::Demonitor => (ModelMode::Demonitor, false),
            AliasMode::Reply => (ModelMode::ReplyDemonitor, false),
        });
        let options = MonitorOptions { alias, ..MonitorOptions::default() };
        let state = &mut self.slot_mut(who).state;
        let asked = state.monitor_with(reference(watch), pid(target.unwrap_or(NOBODY)), options);
        match (target, asked) {
            (Some(target), Some(signal)) => self.put(Source::Process(who), target, signal),
            // For a name that nobody has, the node answers.
            (None, Some(_)) => {
                let (reference, reason) = (reference(watch), exit_reason(Reason::Noproc));
                let down = Signal::Down { reference, from: pid(NOBODY), reason };
                self.put(Source::Node(who), who, down);
            }
            (Some(_) | None, None) => {}
        }
        Did::Done(Outcome::Ok)
    }

    fn demonitor(&mut self, who: Who, watch: Watch, flush: bool) -> Did {
        let slot = self.slot_mut(who);
        let target = slot.state.demonitor(reference(watch), flush);
        if flush {
            slot.mailbox
                .retain(|item| !matches!(item, Item::Down { watch: other, .. } if *other == watch));
        }
        if let Some(target) = target {
            let target = who_of(target);
            if target != NOBODY {
                let signal = Signal::Demonitor { reference: reference(watch) };
                self.put(Source::Process(who), target, signal);
            }
        }
        Did::Done(Outcome::Ok)
    }

    fn timer(&mut self, who: Who, timer: Timer, to: To, tag: u8, wait: Wait) -> Did {
        // A name is looked up when it is time, which for no time is now.
        let to = match to {
            To::Process(to) => Some(to),
            To::Name(name) => named(&self.names, name),
            To::Alias(_) => None,
        };
        match (wait, to) {
            (Wait::Zero, Some(to)) => {
                self.put(Source::Timer(timer), to, Signal::Timer(message(who, tag)));
            }
            (Wait::Zero, None) => {}
            (Wait::Far | Wait::Infinite, to) => self.far_timers.push((timer, to)),
        }
        Did::Done(Outcome::Ok)
    }

    /// A timer whose time has come may have fired, although its message has not arrived.
    fn cancel(&mut self, timer: Timer, wanted: Option<&Outcome>) -> Did {
        let late = wanted == Some(&Outcome::Is(false));
        if let Some(at) = self.far_timers.iter().position(|(far, _)| *far == timer) {
            // A timer to the dead may have gone with its receiver, at some time.
            let (_, to) = self.far_timers.swap_remove(at);
            let lives = to.is_none_or(|to| self.lives(to));
            return Did::Done(Outcome::Is(lives || !late));
        }
        Did::Done(Outcome::Is(!late && self.take_back(timer)))
    }

    fn left(&mut self, timer: Timer, wanted: Option<&Outcome>) -> Did {
        let late = wanted == Some(&Outcome::Is(false));
        let left = match self.far_timers.iter().find(|(far, _)| *far == timer) {
            Some((_, to)) => to.is_none_or(|to| self.lives(to)) || !late,
            None => !late && self.has_not_arrived(timer),
        };
        Did::Done(Outcome::Is(left))
    }

    fn info(&self, of: Who, query: Query) -> Outcome {
        let slot = self.slot(of);
        let Some(snapshot) = slot.state.snapshot() else { return Outcome::Leads(None) };
        let count = match query {
            Query::Traps => return Outcome::Is(snapshot.trap_exit == TrapExit::All),
            Query::Messages => slot.mailbox.len(),
            Query::Links => snapshot.links.len(),
            Query::Monitors => snapshot.monitors.len(),
            Query::Watchers => snapshot.monitored_by.len(),
        };
        Outcome::Count(u8::try_from(count).unwrap_or(u8::MAX))
    }

    fn suspend(&mut self, who: Who, to: Who) -> Did {
        if who == to || !self.lives(to) {
            return Did::Done(Outcome::Badarg);
        }
        let (one, other) = self.both(who, to);
        one.state.suspend(&mut other.state);
        Did::Done(Outcome::Ok)
    }

    fn resume(&mut self, who: Who, to: Who) -> Did {
        if who == to || !self.lives(to) {
            return Did::Done(Outcome::Badarg);
        }
        let (one, other) = self.both(who, to);
        let resumed = one.state.resume(&mut other.state).is_ok();
        Did::Done(if resumed { Outcome::Ok } else { Outcome::Badarg })
    }
}

/// The process that a name leads to.
fn named(names: &Names, name: Name) -> Option<Who> {
    names.whereis(&name_text(name)).map(who_of)
}
