//! The state machine of one process: links, monitors, the mailbox, and what each signal does.
//!
//! [`Process::deliver`] is OTP's table of what a received signal does, as match arms in the order
//! of the table. It runs under the lock of its process, calls nobody, and returns what is to be
//! done. The life of a process is: running → exiting (the first reason that ends it is kept, later
//! ones are ignored) → dead ([`Process::die`]); from then on every signal comes back to its
//! sender's side undelivered, which answers with `noproc`.

mod alias;
mod bonds;
mod hibernate;
mod late;
mod obituary;
mod snapshot;
mod suspend;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use alias::{AliasDelivery, AliasMode};
pub use bonds::MonitorOptions;
pub use obituary::{Leftovers, Obituary};
pub use snapshot::Snapshot;
pub use suspend::NotSuspended;

use crate::message::MESSAGE_OVERHEAD_BYTES;
use crate::{
    Envelope, ExitReason, Filter, Limits, Mailbox, Message, Pid, Position, Ref, Scan, Signal, Tag,
};
use alias::Alias;
use bonds::{Link, MonitorNote};
use late::Late;

/// Which exit signals become messages instead of ending the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TrapExit {
    /// None.
    #[default]
    Off,
    /// All but those with reason `normal`, which are dropped: the old ABI's
    /// `die_when_link_dies(0)`.
    Failures,
    /// All, as OTP's `trap_exit`.
    All,
}

/// What a signal did.
#[derive(Debug)]
pub enum Delivery {
    /// It is handled, and the process need not run for it.
    Done,
    /// The process waits for what has come, or must end: let it run.
    Wake,
    /// It is handled, and this process is owed an answer.
    Answer(Pid, Signal),
    /// The mailbox is full. The sender keeps the message and waits.
    Full(Message),
    /// The process is dead. The sender's side answers.
    Dead(Signal),
}

/// What an exit signal through a link did at the other end, for reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkOutcome {
    /// The linked process ends with the same reason.
    Died,
    /// It traps exits and has a message.
    Told,
    /// Nothing happens: the reason is normal, or the link was removed at that end.
    Ignored,
    /// It had ended already.
    Gone,
}

/// What few processes have.
#[derive(Debug, Default)]
struct Rare {
    aliases: BTreeMap<Ref, Alias>,
    /// Of monitors that are more than a reference and a target.
    monitor_notes: BTreeMap<Ref, MonitorNote>,
    /// How often it has suspended others.
    suspending: BTreeMap<Pid, u64>,
    suspenders: BTreeSet<Pid>,
    label: Option<Arc<str>>,
    late: Late,
    /// What the mailbox may hold by the budgets of memory, once that is known.
    allowance: Option<usize>,
}

#[derive(Debug)]
struct Exiting {
    reason: ExitReason,
    /// Whose exit signal it was; `None` if the process ends on its own account.
    by: Option<Pid>,
}

/// Added to the place in line of messages that are larger than the whole mailbox.
const LAST_PLACES: u64 = 1 << 63;

/// One process.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    limits: Arc<Limits>,
    trap_exit: TrapExit,
    links: BTreeMap<Pid, Link>,
    unlinks: u64,
    monitors: BTreeMap<Ref, Pid>,
    watchers: BTreeMap<Ref, Pid>,
    mailbox: Mailbox,
    /// What the process waits for, while it waits.
    waiting: Option<Filter>,
    /// Processes that wait at the full mailbox, by their place in line.
    senders: BTreeMap<u64, Pid>,
    /// Places of those that were woken and have not tried again yet: nobody behind overtakes them.
    called: BTreeSet<u64>,
    places: u64,
    exiting: Option<Exiting>,
    dead: bool,
    rare: Option<Box<Rare>>,
}

impl Process {
    /// A process that runs, with nothing in its mailbox.
    pub fn new(pid: Pid, limits: impl Into<Arc<Limits>>) -> Process {
        Process {
            pid,
            limits: limits.into(),
            trap_exit: TrapExit::Off,
            links: BTreeMap::new(),
            unlinks: 0,
            monitors: BTreeMap::new(),
            watchers: BTreeMap::new(),
            mailbox: Mailbox::default(),
            waiting: None,
            senders: BTreeMap::new(),
            called: BTreeSet::new(),
            places: 0,
            exiting: None,
            dead: false,
            rare: None,
        }
    }

    /// Its identity.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Handles one signal.
    pub fn deliver(&mut self, signal: Signal) -> Delivery {
        if self.dead {
            return Delivery::Dead(signal);
        }
        match signal {
            Signal::Link { from, .. } if self.exiting.is_some() => {
                self.rare.get_or_insert_default().late.link(from);
                Delivery::Done
            }
            Signal::Monitor { from, reference } if self.exiting.is_some() => {
                self.rare.get_or_insert_default().late.monitor(from, reference);
                Delivery::Done
            }
            Signal::Message(message) => self.message(message, true, false),
            Signal::Timer(message) => self.append(Envelope::Message(message), false),
            Signal::Exit { from, reason, link: true } => self.link_exit(from, reason),
            Signal::Exit { from, reason, link: false } => self.exit_request(from, reason, false),
            Signal::Link { from, tag } => {
                // One that was sent before our unlink arrived goes with it at the other end, too.
                let outdated = |link: &Link| link.unlinking.is_some() && !link.relinked;
                if !self.links.get(&from).is_some_and(outdated) {
                    self.insert_link(from, tag);
                }
                Delivery::Done
            }
            Signal::Unlink { from, id } => {
                // While our own unlink of this pair is on its way, the entry must outlive theirs.
                if let Some(link) = self.links.get_mut(&from) {
                    link.active = false;
                    if link.unlinking.is_none() {
                        self.links.remove(&from);
                    }
                }
                Delivery::Answer(from, Signal::UnlinkAck { from: self.pid, id })
            }
            Signal::UnlinkAck { from, id } => {
                if let Some(link) = self.links.get_mut(&from)
                    && link.unlinking == Some(id)
                {
                    link.unlinking = None;
                    if !link.active {
                        self.links.remove(&from);
                    }
                }
                Delivery::Done
            }
            Signal::Monitor { from, reference } => {
                self.watchers.insert(reference, from);
                Delivery::Done
            }
            Signal::Demonitor { reference } => {
                self.watchers.remove(&reference);
                if let Some(rare) = &mut self.rare {
                    rare.late.demonitor(reference);
                }
                Delivery::Done
            }
            Signal::Down { reference, from, reason } => self.down(reference, from, reason),
        }
    }

    /// Handles a message whose sender can wait, in the order of the line: `place` is the sender's,
    /// if it has one. Only a reply that the process waits for passes those who are ahead.
    pub fn deliver_in_line(&mut self, message: Message, place: Option<u64>) -> Delivery {
        if self.dead {
            return Delivery::Dead(Signal::Message(message));
        }
        let first_in_line = self.is_first_in_line(place);
        self.message(message, first_in_line, false)
    }

    fn is_first_in_line(&self, place: Option<u64>) -> bool {
        let first = [self.senders.keys().next(), self.called.first()].into_iter().flatten().min();
        first.is_none_or(|first| place.is_some_and(|own| own <= *first))
    }

    fn message(&mut self, message: Message, first_in_line: bool, priority: bool) -> Delivery {
        let to_self = message.from == Some(self.pid);
        let envelope = Envelope::Message(message);
        // What the process waits for gets in although the mailbox is full: else a flood of other
        // messages would keep the one reply out that lets the process go on. One that waits for
        // any message gets it from whoever is first.
        let wanted = self.waiting.as_ref().is_some_and(|filter| filter.matches(&envelope));
        let passes_others = first_in_line || to_self || self.waiting != Some(Filter::Any);
        let room = !self.is_full_for(envelope.bytes());
        if wanted && passes_others || room && (first_in_line || to_self) {
            return self.append(envelope, priority);
        }
        if to_self {
            // It cannot wait for itself to make room.
            return self.end(ExitReason::Limit("mailbox_limit"));
        }
        match envelope {
            Envelope::Message(message) => Delivery::Full(message),
            Envelope::Exit { .. } | Envelope::Down { .. } => Delivery::Done,
        }
    }

    fn exit_request(&mut self, from: Pid, reason: ExitReason, priority: bool) -> Delivery {
        match (self.trap_exit, &reason) {
            (_, ExitReason::Kill) => self.end_by(Some(from), ExitReason::Killed),
            (TrapExit::All, _) => self.trap_request(from, reason, priority),
            (TrapExit::Off | TrapExit::Failures, ExitReason::Normal) if from != self.pid => {
                Delivery::Done
            }
            (TrapExit::Failures, ExitReason::Normal) => self.end_by(Some(from), reason),
            (TrapExit::Failures, _) => self.trap_request(from, reason, priority),
            (TrapExit::Off, _) => self.end_by(Some(from), reason),
        }
    }

    fn trap_request(&mut self, from: Pid, reason: ExitReason, priority: bool) -> Delivery {
        // Nothing bounds who asks, and nobody who asks may have to wait. Whoever can ask this
        // process to exit can end it anyway.
        if self.mailbox.exits() >= self.limits.links_max {
            return self.end_by(Some(from), ExitReason::Limit("links_max"));
        }
        self.notice(Envelope::Exit { from, reason, tag: Tag::NONE }, priority)
    }

    /// Appends what never waits. Its number is bounded where it is made; the data that it may carry
    /// is bounded here.
    fn notice(&mut self, envelope: Envelope, priority: bool) -> Delivery {
        let data = envelope.bytes() - MESSAGE_OVERHEAD_BYTES;
        let max = self.limits.mailbox_bytes_max.saturating_mul(2);
        if data > 0 && self.mailbox.bytes().saturating_add(data) > max {
            return self.end(ExitReason::Limit("mailbox_limit"));
        }
        self.append(envelope, priority)
    }

    fn append(&mut self, envelope: Envelope, priority: bool) -> Delivery {
        let wanted = self.waiting.as_ref().is_some_and(|filter| filter.matches(&envelope));
        if priority {
            self.mailbox.push_priority(envelope);
        } else {
            self.mailbox.push(envelope);
        }
        if wanted {
            self.waiting = None;
            Delivery::Wake
        } else {
            Delivery::Done
        }
    }

    fn is_full_for(&self, bytes: usize) -> bool {
        let allowance = self.rare.as_ref().and_then(|rare| rare.allowance).unwrap_or(usize::MAX);
        self.mailbox.len() >= self.limits.mailbox_messages_max
            || self.mailbox.bytes().saturating_add(bytes)
                > self.limits.mailbox_bytes_max.min(allowance)
    }

    /// So many bytes more are left in the budgets of memory: beyond them the mailbox is full.
    pub fn allow(&mut self, room: usize) {
        let allowance = self.mailbox.bytes().saturating_add(room);
        self.rare.get_or_insert_default().allowance = Some(allowance);
    }

    /// Starts the end of the process on its own account, unless its end has started: the first
    /// reason wins.
    pub fn end(&mut self, reason: ExitReason) -> Delivery {
        self.end_by(None, reason)
    }

    fn end_by(&mut self, by: Option<Pid>, reason: ExitReason) -> Delivery {
        self.exiting.get_or_insert(Exiting { reason, by });
        Delivery::Wake
    }

    /// Whose exit signal ends the process; `None` if it ends on its own account, or not at all.
    pub fn ended_by(&self) -> Option<Pid> {
        self.exiting.as_ref()?.by
    }

    /// The reason with which the process must end, as soon as it is known.
    pub fn exiting(&self) -> Option<&ExitReason> {
        self.exiting.as_ref().map(|exiting| &exiting.reason)
    }

    /// Whether the process neither ends nor has ended.
    pub fn is_alive(&self) -> bool {
        !self.dead && self.exiting.is_none()
    }

    /// Removes the first message that a receive with `filter` takes, from position `from` on. When
    /// there is none, the process waits for one: the next match wakes it. Once its end has begun it
    /// receives nothing more: who asked it to exit must get no answer to a later message.
    pub fn receive(&mut self, filter: &Filter, from: Position) -> Scan {
        if self.exiting.is_some() {
            return Scan::Nothing(from);
        }
        self.waiting = None;
        let scan = self.mailbox.scan(filter, from);
        if let Scan::Nothing(_) = scan {
            self.waiting = Some(filter.clone());
        }
        scan
    }

    /// Ends the wait that [`Process::receive`] began: its deadline has passed.
    pub fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    /// The number of messages in the mailbox.
    pub fn mailbox_len(&self) -> usize {
        self.mailbox.len()
    }

    /// What the messages in the mailbox count for, in bytes.
    pub fn mailbox_bytes(&self) -> usize {
        self.mailbox.bytes()
    }

    /// Where a receive that looks only at what is still to come starts.
    pub fn mailbox_end(&self) -> Position {
        self.mailbox.end()
    }

    /// Remembers what is in the mailbox now, for [`Process::mark`]. There is one mark.
    pub fn set_mark(&mut self) {
        self.mailbox.set_mark();
    }

    /// Where a receive that looks only at what has come since the mark starts.
    pub fn mark(&self) -> Position {
        self.mailbox.mark()
    }

    /// Whether the mailbox has room: who sets a timer for a message waits for that, since the
    /// message itself never waits.
    pub fn has_room(&self) -> bool {
        self.dead || !self.is_full_for(0)
    }

    /// A sender whose message of `bytes` came back as [`Delivery::Full`] waits until it is woken.
    /// Returns its place in line; when it has tried again in vain, it keeps that `place`.
    pub fn wait_for_room(&mut self, sender: Pid, bytes: usize, place: Option<u64>) -> u64 {
        let place = place.unwrap_or_else(|| {
            self.places += 1;
            // What fits only while the process waits for it must not hold up the others.
            let fits = bytes <= self.limits.mailbox_bytes_max;
            if fits { self.places } else { self.places | LAST_PLACES }
        });
        self.called.remove(&place);
        self.senders.insert(place, sender);
        place
    }

    /// A sender has sent its message or gave up: it waits no more. There may be room for the next,
    /// so the caller wakes [`Process::next_sender`].
    pub fn leave_line(&mut self, place: u64) {
        self.senders.remove(&place);
        self.called.remove(&place);
    }

    /// Whether anybody waits for room.
    #[inline]
    pub fn has_senders(&self) -> bool {
        !self.senders.is_empty()
    }

    /// The sender that may try again, now that there is room: the one that has waited longest.
    pub fn next_sender(&mut self) -> Option<Pid> {
        if self.senders.is_empty() || self.is_full_for(0) {
            return None;
        }
        let (place, sender) = self.senders.pop_first()?;
        self.called.insert(place);
        Some(sender)
    }

    /// All waiting senders, when the process begins to wait behind a full mailbox: one of them may
    /// hold what it waits for.
    pub fn all_senders(&mut self) -> VecDeque<Pid> {
        let senders = std::mem::take(&mut self.senders);
        self.called.extend(senders.keys());
        senders.into_values().collect()
    }

    /// Which exit signals become messages.
    pub fn trap_exit(&self) -> TrapExit {
        self.trap_exit
    }

    /// Takes effect for the signals that are handled from now on.
    pub fn set_trap_exit(&mut self, trap_exit: TrapExit) {
        self.trap_exit = trap_exit;
    }

    /// A text by which people know the process.
    pub fn set_label(&mut self, label: Option<Arc<str>>) {
        self.rare.get_or_insert_default().label = label;
    }

    /// Makes the process dead and hands out what is to be told. Everything that it owned must be
    /// released before: whoever hears of the end finds names and ports free.
    pub fn die(&mut self) -> Obituary {
        self.dead = true;
        self.waiting = None;
        let links = std::mem::take(&mut self.links);
        Obituary {
            links: links.into_iter().filter(|(_, link)| link.active).map(|(pid, _)| pid).collect(),
            watchers: std::mem::take(&mut self.watchers).into_iter().collect(),
            monitors: std::mem::take(&mut self.monitors).into_iter().collect(),
            senders: self.all_senders(),
            unread: std::mem::take(&mut self.mailbox),
            leftovers: self.rare.take().map(|rare| Box::new(rare.leftovers())),
        }
    }
}
