//! The state machine of one process: links, monitors, the mailbox, and what each signal does.
//!
//! [`Process::deliver`] is OTP's table of what a received signal does, as match arms in the order
//! of the table. It runs under the lock of its process, calls nobody, and returns what is to be
//! done. The life of a process is: running → exiting (the first reason that ends it is kept, later
//! ones are ignored) → dead ([`Process::die`]); from then on every signal comes back to its
//! sender's side undelivered, which answers with `noproc`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::{Envelope, ExitReason, Filter, Limits, Mailbox, Message, Pid, Ref, Scan, Signal, Tag};

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

/// What a dead process leaves to be told, in this order.
#[derive(Debug)]
pub struct Obituary {
    /// Linked processes: each gets an exit signal.
    pub links: Vec<Pid>,
    /// Monitors that watch it: each gets a down.
    pub watchers: Vec<(Ref, Pid)>,
    /// Its own monitors: each is removed at the other end.
    pub monitors: Vec<(Ref, Pid)>,
    /// Senders that wait at its full mailbox, to be woken.
    pub senders: VecDeque<Pid>,
    /// What was never received; resources are released with it.
    pub unread: Mailbox,
}

#[derive(Debug)]
struct Link {
    tag: Tag,
    /// The link counts. False only while an unlink waits for its acknowledgement.
    active: bool,
    /// The latest unlink of this pair that is not acknowledged: until then, exits come from the
    /// link that was removed and are dropped.
    unlinking: Option<u64>,
    /// Linked again from here since that unlink.
    relinked: bool,
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
            Signal::Message(message) => self.message(message, true),
            Signal::Timer(message) => self.append(Envelope::Message(message)),
            Signal::Exit { from, reason, link: true } => self.link_exit(from, reason),
            Signal::Exit { from, reason, link: false } => self.exit_request(from, reason),
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
                Delivery::Done
            }
            Signal::Down { reference, from, reason } => match self.monitors.remove(&reference) {
                Some(_) => self.append(Envelope::Down { reference, from, reason }),
                None => Delivery::Done,
            },
        }
    }

    /// Handles a message whose sender can wait, in the order of the line: `place` is the sender's,
    /// if it has one. Only a reply that the process waits for passes those who are ahead.
    pub fn deliver_in_line(&mut self, message: Message, place: Option<u64>) -> Delivery {
        if self.dead {
            return Delivery::Dead(Signal::Message(message));
        }
        let first = [self.senders.keys().next(), self.called.first()].into_iter().flatten().min();
        let first_in_line = first.is_none_or(|first| place.is_some_and(|own| own <= *first));
        self.message(message, first_in_line)
    }

    fn message(&mut self, message: Message, first_in_line: bool) -> Delivery {
        let to_self = message.from == Some(self.pid);
        let envelope = Envelope::Message(message);
        // What the process waits for gets in although the mailbox is full: else a flood of other
        // messages would keep the one reply out that lets the process go on. One that waits for
        // any message gets it from whoever is first.
        let wanted = self.waiting.as_ref().is_some_and(|filter| filter.matches(&envelope));
        let passes_others = first_in_line || to_self || self.waiting != Some(Filter::Any);
        let room = !self.is_full_for(envelope.bytes());
        if wanted && passes_others || room && (first_in_line || to_self) {
            return self.append(envelope);
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

    fn link_exit(&mut self, from: Pid, reason: ExitReason) -> Delivery {
        // An exit of a link that was removed here counts no more, also while the unlink is not
        // acknowledged yet: that is what `unlink` promises.
        let tag = match self.links.get(&from) {
            Some(Link { tag, active: true, unlinking: None, .. }) => *tag,
            Some(_) | None => return Delivery::Done,
        };
        self.links.remove(&from);
        match (self.trap_exit, &reason) {
            (TrapExit::All, _) => self.append(Envelope::Exit { from, reason, tag }),
            (TrapExit::Off | TrapExit::Failures, ExitReason::Normal) => Delivery::Done,
            (TrapExit::Failures, _) => self.append(Envelope::Exit { from, reason, tag }),
            // Not rewritten to `killed`, even if it is `kill`: only a direct request is.
            (TrapExit::Off, _) => self.end_by(Some(from), reason),
        }
    }

    fn exit_request(&mut self, from: Pid, reason: ExitReason) -> Delivery {
        match (self.trap_exit, &reason) {
            (_, ExitReason::Kill) => self.end_by(Some(from), ExitReason::Killed),
            (TrapExit::All, _) => self.append(Envelope::Exit { from, reason, tag: Tag::NONE }),
            (TrapExit::Off | TrapExit::Failures, ExitReason::Normal) if from != self.pid => {
                Delivery::Done
            }
            (TrapExit::Failures, ExitReason::Normal) => self.end_by(Some(from), reason),
            (TrapExit::Failures, _) => self.append(Envelope::Exit { from, reason, tag: Tag::NONE }),
            (TrapExit::Off, _) => self.end_by(Some(from), reason),
        }
    }

    fn append(&mut self, envelope: Envelope) -> Delivery {
        let wanted = self.waiting.as_ref().is_some_and(|filter| filter.matches(&envelope));
        self.mailbox.push(envelope);
        if wanted {
            self.waiting = None;
            Delivery::Wake
        } else {
            Delivery::Done
        }
    }

    fn is_full_for(&self, bytes: usize) -> bool {
        self.mailbox.len() >= self.limits.mailbox_messages_max
            || self.mailbox.bytes().saturating_add(bytes) > self.limits.mailbox_bytes_max
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
    /// there is none, the process waits for one: the next match wakes it.
    pub fn receive(&mut self, filter: &Filter, from: usize) -> Scan {
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

    /// The number of messages in the mailbox: where a receive that looks only at what is still to
    /// come starts.
    pub fn mailbox_len(&self) -> usize {
        self.mailbox.len()
    }

    /// What the messages in the mailbox count for, in bytes.
    pub fn mailbox_bytes(&self) -> usize {
        self.mailbox.bytes()
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

    /// This end of a link; the caller sends [`Signal::Link`] to the other. At most one link for a
    /// pair: a repeated one only replaces the tag. At the limit the process ends.
    pub fn link(&mut self, to: Pid, tag: Tag) -> Option<Signal> {
        if to == self.pid {
            return None;
        }
        // A trapped exit that nobody has received counts as the link that it came from: links to
        // the dead would fill the mailbox otherwise.
        let links = self.links.len() + self.mailbox.exits();
        if links >= self.limits.links_max && !self.links.contains_key(&to) {
            self.end(ExitReason::Limit("links_max"));
            return None;
        }
        self.insert_link(to, tag).relinked = true;
        Some(Signal::Link { from: self.pid, tag })
    }

    fn insert_link(&mut self, peer: Pid, tag: Tag) -> &mut Link {
        let new = Link { tag, active: true, unlinking: None, relinked: false };
        let link = self.links.entry(peer).or_insert(new);
        link.tag = tag;
        link.active = true;
        link
    }

    /// Removes this end of a link; the caller sends what it returns to the other. From now on no
    /// exit signal of this link has an effect here.
    pub fn unlink(&mut self, peer: Pid) -> Option<Signal> {
        let link = self.links.get_mut(&peer).filter(|link| link.active)?;
        self.unlinks += 1;
        link.active = false;
        link.unlinking = Some(self.unlinks);
        link.relinked = false;
        Some(Signal::Unlink { from: self.pid, id: self.unlinks })
    }

    /// This end of a new monitor; the caller sends [`Signal::Monitor`] to the other. At the limit
    /// the process ends.
    pub fn monitor(&mut self, reference: Ref, target: Pid) -> Option<Signal> {
        // So does a down that nobody has received.
        if self.monitors.len() + self.mailbox.downs() >= self.limits.monitors_max {
            self.end(ExitReason::Limit("monitors_max"));
            return None;
        }
        self.monitors.insert(reference, target);
        Some(Signal::Monitor { from: self.pid, reference })
    }

    /// Removes a monitor; from now on its down is dropped. With `flush`, one that lies in the
    /// mailbox goes, too. The caller sends [`Signal::Demonitor`] to the process that it returns.
    pub fn demonitor(&mut self, reference: Ref, flush: bool) -> Option<Pid> {
        let target = self.monitors.remove(&reference);
        if flush && target.is_none() {
            self.mailbox.discard(|envelope| {
                matches!(envelope, Envelope::Down { reference: other, .. } if *other == reference)
            });
        }
        target
    }

    /// The references of all monitors of `target`.
    pub fn monitors_of(&self, target: Pid) -> Vec<Ref> {
        let of_target = self.monitors.iter().filter(|(_, pid)| **pid == target);
        of_target.map(|(reference, _)| *reference).collect()
    }

    /// The processes that it is linked to.
    pub fn links(&self) -> impl Iterator<Item = Pid> + '_ {
        self.links.iter().filter(|(_, link)| link.active).map(|(pid, _)| *pid)
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
        }
    }
}
