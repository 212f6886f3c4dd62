//! The world of one program: scripts at their positions, processes of the pure model, and the
//! signals that are on their way between them.
//!
//! What must stay true: a signal between two processes stays behind those that were sent before it,
//! and nothing else decides when it arrives; a process that ends frees its names and hands out
//! what is to be told in one step, when the signal or step that ends it is handled. Reading a
//! mailbox is this file's own: the runtime's search is what is compared with it.

use std::collections::VecDeque;
use std::sync::Arc;

use lunatic_model::{
    Delivery, ExitReason, Filter, Limits, Message, Names, Pid, Process, Ref, Scan, Signal,
};

use crate::mutation::Mutation;
use crate::program::{Alias, Item, NOBODY, Program, Reason, Step, Timer, Who};
use crate::words::{item, pid, reason_of, reference, who_of};

/// Where signals come from, each with an order of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// A process.
    Process(Who),
    /// One timer: nothing is promised between timers.
    Timer(Timer),
    /// The node, where it answers for a process that is not there: at once, whatever that process
    /// sent in its last moments.
    Node(Who),
}

/// The next thing to arrive at the end of a line.
#[derive(Debug)]
enum Cargo {
    Signal(Signal),
    /// A message through an alias.
    ByAlias(Alias, Message),
    /// What one process is told of an end, or what the node answers it for the dead: nothing is
    /// promised among these.
    AnyOf(Vec<Signal>),
}

#[derive(Debug)]
struct Flight {
    /// The time at which it was sent: [`World::now`].
    sent: usize,
    cargo: Cargo,
}

/// The signals from one source to one process, oldest first.
#[derive(Debug)]
struct Line {
    source: Source,
    to: Who,
    flights: VecDeque<Flight>,
}

/// One process of the world.
#[derive(Debug)]
pub struct Slot {
    pub(crate) state: Process,
    /// What it has received and not taken, oldest first.
    pub mailbox: Vec<Item>,
    /// It has been spawned.
    pub started: bool,
    /// The number of its next step.
    pub at: usize,
    /// It has a limit of memory that kills.
    pub limited: bool,
    /// Why it ended.
    pub end: Option<Reason>,
    /// Stands for all that has happened to it, in order.
    pub history: u64,
}

/// A world.
#[derive(Debug)]
pub struct World<'a> {
    pub(crate) program: &'a Program,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) slots: Vec<Slot>,
    lines: Vec<Line>,
    pub(crate) names: Names,
    /// Stands for all changes of names, in order.
    pub(crate) names_history: u64,
    /// Stamped on what is sent; means nothing to the model.
    pub(crate) now: usize,
    /// Some step asks for what others have.
    pub(crate) observed: bool,
    pub(crate) far_timers: Vec<(Timer, Option<Who>)>,
}

/// One of the things that can happen next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Arrival {
    /// Where the signal comes from.
    pub source: Source,
    /// Where it arrives.
    pub to: Who,
    /// Which of those that may come next in their line.
    pub choice: usize,
    /// The time at which it was sent.
    pub sent: usize,
}

impl<'a> World<'a> {
    /// The world before the first step.
    pub fn new(program: &'a Program, mutation: Option<Mutation>) -> World<'a> {
        let limits = Arc::new(Limits::default());
        let mut slots: Vec<Slot> = program
            .everybody()
            .map(|who| Slot {
                state: Process::new(pid(who), limits.clone()),
                mailbox: Vec::new(),
                started: false,
                at: 0,
                limited: false,
                end: None,
                history: 0,
            })
            .collect();
        for root in program.roots() {
            slots[usize::from(root.0)].started = true;
        }
        World {
            program,
            mutation,
            slots,
            lines: Vec::new(),
            names: Names::default(),
            names_history: 0,
            now: 0,
            observed: program
                .scripts
                .iter()
                .any(|script| script.steps.iter().any(|step| matches!(step, Step::Info { .. }))),
            far_timers: Vec::new(),
        }
    }

    /// One process.
    pub fn slot(&self, who: Who) -> &Slot {
        &self.slots[usize::from(who.0)]
    }

    pub(crate) fn slot_mut(&mut self, who: Who) -> &mut Slot {
        &mut self.slots[usize::from(who.0)]
    }

    pub(crate) fn breaks(&self, rule: Mutation) -> bool {
        self.mutation == Some(rule)
    }

    /// The step that a process would do next; `None` at the end of its steps.
    pub fn next_step(&self, who: Who) -> Option<&'a Step> {
        self.program.steps(who).get(self.slot(who).at)
    }

    /// Whether the process is there and has not ended.
    pub fn lives(&self, who: Who) -> bool {
        let slot = self.slot(who);
        slot.started && slot.end.is_none()
    }

    /// Everything that may arrive next.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for Line { source, to, flights } in &self.lines {
            let Some(Flight { sent, cargo }) = flights.front() else { continue };
            let choices = match cargo {
                Cargo::Signal(_) | Cargo::ByAlias(..) => 1,
                Cargo::AnyOf(signals) => signals.len(),
            };
            let arrival = |choice| Arrival { source: *source, to: *to, choice, sent: *sent };
            arrivals.extend((0..choices).map(arrival));
        }
        arrivals
    }

    /// Whether nothing is on its way.
    pub fn is_still(&self) -> bool {
        self.lines.iter().all(|line| line.flights.is_empty())
    }

    /// The signals that are on their way to a process, in no order.
    pub(crate) fn on_the_way_to(&self, to: Who) -> impl Iterator<Item = (Source, &Signal)> {
        let lines = self.lines.iter().filter(move |line| line.to == to);
        lines.flat_map(|line| {
            line.flights
                .iter()
                .flat_map(|flight| match &flight.cargo {
                    Cargo::Signal(signal) => std::slice::from_ref(signal),
                    Cargo::AnyOf(signals) => signals,
                    Cargo::ByAlias(..) => &[],
                })
                .map(|signal| (line.source, signal))
        })
    }

    /// Whether nothing is on its way from one process to another.
    pub(crate) fn is_still_between(&self, from: Who, to: Who) -> bool {
        let source = Source::Process(from);
        let between = |line: &&Line| line.source == source && line.to == to;
        self.lines.iter().find(between).is_none_or(|line| line.flights.is_empty())
    }

    /// Whether a request to exit is on its way from one process to another.
    pub(crate) fn asks_to_exit(&self, from: Who, to: Who) -> bool {
        self.on_the_way_to(to).any(|(source, signal)| {
            source == Source::Process(from) && matches!(signal, Signal::Exit { link: false, .. })
        })
    }

    /// Lets a signal arrive.
    pub fn arrive(&mut self, arrival: Arrival) {
        let Arrival { source, to, choice, sent } = arrival;
        self.now = sent;
        let last_first = self.breaks(Mutation::LastInFirstOut);
        let line = self.lines.iter_mut().find(|line| line.source == source && line.to == to);
        let Some(flights) = line.map(|line| &mut line.flights) else { return };
        let next = if last_first { flights.back_mut() } else { flights.front_mut() };
        let cargo = match next {
            None => return,
            Some(Flight { cargo: Cargo::AnyOf(signals), .. }) if signals.len() > 1 => {
                Cargo::Signal(signals.remove(choice.min(signals.len() - 1)))
            }
            Some(_) => {
                let flight = if last_first { flights.pop_back() } else { flights.pop_front() };
                match flight {
                    Some(Flight { cargo: Cargo::AnyOf(mut signals), .. }) => {
                        Cargo::Signal(signals.remove(0))
                    }
                    Some(Flight { cargo, .. }) => cargo,
                    None => return,
                }
            }
        };
        let code = match source {
            Source::Process(Who(who)) => u64::from(who),
            Source::Timer(Timer(timer)) => 0x100 + u64::from(timer),
            Source::Node(Who(who)) => 0x200 + u64::from(who),
        };
        self.note(to, code << 16 | (choice as u64) << 8 | 1);
        match cargo {
            Cargo::Signal(signal) => self.handle(to, signal),
            Cargo::ByAlias(alias, message) => self.handle_by_alias(to, alias, message),
            Cargo::AnyOf(_) => {}
        }
    }

    /// Sends a message through an alias.
    pub(crate) fn put_by_alias(&mut self, from: Who, owner: Who, alias: Alias, message: Message) {
        self.push(Source::Process(from), owner, Cargo::ByAlias(alias, message));
    }

    fn handle_by_alias(&mut self, to: Who, alias: Alias, message: Message) {
        let reference = self.alias_reference(alias);
        let done = self.slot_mut(to).state.deliver_by_alias(reference, message, false, None);
        if let Some(target) = done.demonitor {
            let target = who_of(target);
            if target != NOBODY {
                self.put(Source::Process(to), target, Signal::Demonitor { reference });
            }
        }
        self.read_mailbox(to);
    }

    /// The reference of an alias: its own, or that of its monitor.
    pub(crate) fn alias_reference(&self, alias: Alias) -> Ref {
        match self.program.origin(alias) {
            Some((_, Some(watch))) => reference(watch),
            Some((_, None)) | None => {
                Ref { node: 0, incarnation: 0, serial: 1 << 16 | u64::from(alias.0) }
            }
        }
    }

    /// Writes into the history of a process.
    pub(crate) fn note(&mut self, who: Who, what: u64) {
        let slot = self.slot_mut(who);
        slot.history = mix(slot.history, what);
    }

    /// Stands for this world: equal numbers mean equal worlds.
    pub fn fingerprint(&self) -> u128 {
        let mut low = self.names_history;
        let mut high = 0x5DEE_CE66;
        for slot in &self.slots {
            low = mix(low, slot.history);
            high = mix(high, slot.history.rotate_left(17) ^ low);
        }
        u128::from(high) << 64 | u128::from(low)
    }

    fn line(&mut self, source: Source, to: Who) -> &mut VecDeque<Flight> {
        let at = self.lines.iter().position(|line| line.source == source && line.to == to);
        let at = at.unwrap_or_else(|| {
            self.lines.push(Line { source, to, flights: VecDeque::new() });
            self.lines.len() - 1
        });
        &mut self.lines[at].flights
    }

    fn push(&mut self, source: Source, to: Who, cargo: Cargo) {
        let sent = self.now;
        self.line(source, to).push_back(Flight { sent, cargo });
    }

    /// Sends a signal.
    pub(crate) fn put(&mut self, source: Source, to: Who, signal: Signal) {
        if let Signal::Message(message) = &signal
            && !self.line(source, to).is_empty()
        {
            if self.breaks(Mutation::DropsMessage) {
                return;
            }
            if self.breaks(Mutation::DoublesMessage) {
                let (tag, from) = (message.tag, message.from);
                let copy = Message { tag, from, ..Message::default() };
                self.push(source, to, Cargo::Signal(Signal::Message(copy)));
            }
        }
        if let Source::Node(_) = source {
            let sent = self.now;
            match self.line(source, to).back_mut() {
                Some(Flight { cargo: Cargo::AnyOf(signals), .. }) => signals.push(signal),
                Some(_) | None => {
                    let cargo = Cargo::AnyOf(vec![signal]);
                    self.line(source, to).push_back(Flight { sent, cargo });
                }
            }
        } else {
            self.push(source, to, Cargo::Signal(signal));
        }
    }

    /// Lets everything arrive that a process has sent to itself.
    pub(crate) fn arrive_from_itself(&mut self, who: Who) {
        let own = |arrival: &Arrival| arrival.source == Source::Process(who) && arrival.to == who;
        while let Some(arrival) = self.arrivals().into_iter().find(own) {
            self.arrive(arrival);
        }
    }

    /// Takes a timer's message back; false if it is not on its way.
    pub(crate) fn take_back(&mut self, timer: Timer) -> bool {
        let on_its_way = |line: &&mut Line| line.source == Source::Timer(timer);
        let line = self.lines.iter_mut().find(on_its_way);
        line.is_some_and(|line| line.flights.pop_front().is_some())
    }

    /// Whether a timer may still be running.
    pub(crate) fn runs(&self, timer: Timer) -> bool {
        self.has_not_arrived(timer) || self.far_timers.iter().any(|(far, _)| *far == timer)
    }

    /// Whether a timer's message is on its way.
    pub(crate) fn has_not_arrived(&self, timer: Timer) -> bool {
        let source = Source::Timer(timer);
        self.lines.iter().any(|line| line.source == source && !line.flights.is_empty())
    }

    /// Two processes at once; they are not the same.
    pub(crate) fn both(&mut self, one: Who, other: Who) -> (&mut Slot, &mut Slot) {
        let (one, other) = (usize::from(one.0), usize::from(other.0));
        if one < other {
            let (before, behind) = self.slots.split_at_mut(other);
            (&mut before[one], &mut behind[0])
        } else {
            let (before, behind) = self.slots.split_at_mut(one);
            (&mut behind[0], &mut before[other])
        }
    }

    /// Handles a signal at a process, as the model does.
    pub(crate) fn handle(&mut self, to: Who, signal: Signal) {
        let Some(signal) = self.twisted(to, signal) else { return };
        let was_down = matches!(signal, Signal::Down { .. });
        let before = self.slot(to).mailbox.len();
        match self.slot_mut(to).state.deliver(signal) {
            // A mailbox of a program is never full.
            Delivery::Done | Delivery::Wake | Delivery::Full(_) => {}
            Delivery::Answer(asker, answer) => self.put(Source::Process(to), who_of(asker), answer),
            Delivery::Dead(signal) => self.answer_for_the_dead(to, signal),
        }
        self.read_mailbox(to);
        let slot = self.slot_mut(to);
        if was_down
            && slot.mailbox.len() > before
            && let Some(item) = slot.mailbox.last().copied()
            && self.breaks(Mutation::DownTwice)
        {
            self.slot_mut(to).mailbox.push(item);
        }
        self.bury_if_ended(to);
    }

    /// What a process that does not exist any more answers.
    fn answer_for_the_dead(&mut self, dead: Who, signal: Signal) {
        let from_dead = pid(dead);
        let (to, answer) = match signal {
            Signal::Link { from, .. } => {
                let reason = ExitReason::NoProcess;
                (from, Signal::Exit { from: from_dead, reason, link: true })
            }
            Signal::Unlink { from, id } => (from, Signal::UnlinkAck { from: from_dead, id }),
            Signal::Monitor { from, reference } => {
                let reason = ExitReason::NoProcess;
                (from, Signal::Down { reference, from: from_dead, reason })
            }
            Signal::Message(_)
            | Signal::Timer(_)
            | Signal::Exit { .. }
            | Signal::UnlinkAck { .. }
            | Signal::Demonitor { .. }
            | Signal::Down { .. } => return,
        };
        self.put(Source::Node(dead), who_of(to), answer);
    }

    /// Moves what the model has put into its mailbox into that of the slot.
    pub(crate) fn read_mailbox(&mut self, to: Who) {
        let slot = self.slot_mut(to);
        if slot.end.is_some() {
            return;
        }
        while let Scan::Found(envelope) = slot.state.receive(&Filter::Any, Default::default()) {
            slot.mailbox.push(item(&envelope));
        }
        slot.state.stop_waiting();
    }

    /// Ends a process whose end the model has decided.
    pub(crate) fn bury_if_ended(&mut self, dead: Who) {
        let slot = self.slot_mut(dead);
        let Some(reason) = slot.state.exiting().cloned() else { return };
        if slot.end.is_some() {
            return;
        }
        slot.end = Some(reason_of(&reason));
        let obituary = slot.state.die();
        if !self.breaks(Mutation::NameOutlives) && !self.names.clear(pid(dead)).is_empty() {
            self.names_history = mix(self.names_history, u64::from(dead.0) << 8 | 0xFF);
        }
        for freed in obituary.leftovers.iter().flat_map(|left| &left.suspending) {
            self.slot_mut(who_of(*freed)).state.forget_suspender(pid(dead));
        }
        let from = pid(dead);
        let mut told: Vec<(Who, Vec<Signal>)> = Vec::new();
        let mut tell = |to: Pid, signal: Signal| {
            let to = who_of(to);
            match told.iter_mut().find(|(other, _)| *other == to) {
                Some((_, signals)) => signals.push(signal),
                None => told.push((to, vec![signal])),
            }
        };
        for link in obituary.links {
            tell(link, Signal::Exit { from, reason: reason.clone(), link: true });
        }
        for (reference, watcher) in obituary.watchers {
            tell(watcher, Signal::Down { reference, from, reason: reason.clone() });
        }
        let targets = obituary.monitors.into_iter().filter(|(_, target)| *target != pid(NOBODY));
        for (reference, target) in targets {
            tell(target, Signal::Demonitor { reference });
        }
        for (to, signals) in told {
            self.push(Source::Process(dead), to, Cargo::AnyOf(signals));
        }
    }
}

/// Mixes a number into a history.
pub(crate) fn mix(history: u64, what: u64) -> u64 {
    let mixed = (history ^ what).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ history.rotate_left(7)
}
