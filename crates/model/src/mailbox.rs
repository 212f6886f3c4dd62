//! The mailbox: messages in the order of their arrival, and selective receive that never reorders.
//!
//! Only the owner removes; others append. So a position that the owner has searched up to stays
//! valid while it waits, and no message is looked at twice by one receive.
//!
//! Priority messages have a queue of their own, which is searched first. A [`Position`] counts in
//! both, so that neither queue moves the other's.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::MESSAGE_OVERHEAD_BYTES;
use crate::{ExitReason, Filter, Message, Pid, Ref, Tag};

/// How many messages one call of [`Mailbox::scan`] looks at, so that senders never wait long for
/// the lock that guards the mailbox.
pub const SCAN_MAX: usize = 4096;

/// What lies in a mailbox.
#[derive(Debug)]
pub enum Envelope {
    /// A message of a process or a timer.
    Message(Message),
    /// An exit signal that the process traps.
    Exit {
        /// Who ended, or who asked.
        from: Pid,
        /// Why.
        reason: ExitReason,
        /// The tag of the link.
        tag: Tag,
    },
    /// A monitored process has ended.
    Down {
        /// Names the monitor.
        reference: Ref,
        /// Who ended; the serial is 0 if the name led to nobody.
        from: Pid,
        /// The name, where it was a name that was monitored.
        name: Option<Arc<str>>,
        /// Why.
        reason: ExitReason,
    },
}

impl Envelope {
    /// What it counts for in the mailbox's bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Envelope::Message(message) => message.bytes(),
            Envelope::Exit { reason, .. } => MESSAGE_OVERHEAD_BYTES.saturating_add(reason.bytes()),
            Envelope::Down { name, reason, .. } => MESSAGE_OVERHEAD_BYTES
                .saturating_add(reason.bytes())
                .saturating_add(name.as_ref().map_or(0, |name| name.len())),
        }
    }
}

/// How far a search has come: so many priority messages and so many ordinary ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    priority: usize,
    ordinary: usize,
}

impl Position {
    /// Where a search begins.
    pub const START: Position = Position { priority: 0, ordinary: 0 };
}

/// The result of one search.
#[derive(Debug)]
pub enum Scan {
    /// The first match, removed.
    Found(Envelope),
    /// No match so far; search on from here.
    Unfinished(Position),
    /// No match in the whole mailbox; when more has arrived, search on from here.
    Nothing(Position),
}

/// Messages in the order of their arrival.
#[derive(Debug, Default)]
pub struct Mailbox {
    queue: VecDeque<Envelope>,
    bytes: usize,
    exits: usize,
    downs: usize,
    rare: Option<Box<Rare>>,
}

/// What few mailboxes have.
#[derive(Debug, Default)]
struct Rare {
    /// Priority messages, in the order of their arrival.
    priority: VecDeque<Envelope>,
    /// What lies before it was there when the owner set the mark.
    mark: Position,
}

impl Mailbox {
    /// The number of messages.
    pub fn len(&self) -> usize {
        self.queue.len() + self.priority_len()
    }

    fn priority_len(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.priority.len())
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all messages together count for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Trapped exits that nobody has received.
    pub fn exits(&self) -> usize {
        self.exits
    }

    /// Downs that nobody has received.
    pub fn downs(&self) -> usize {
        self.downs
    }

    fn count(&mut self, envelope: &Envelope) {
        self.bytes = self.bytes.saturating_add(envelope.bytes());
        match envelope {
            Envelope::Message(_) => {}
            Envelope::Exit { .. } => self.exits += 1,
            Envelope::Down { .. } => self.downs += 1,
        }
    }

    fn uncount(&mut self, envelope: &Envelope) {
        self.bytes = self.bytes.saturating_sub(envelope.bytes());
        match envelope {
            Envelope::Message(_) => {}
            Envelope::Exit { .. } => self.exits -= 1,
            Envelope::Down { .. } => self.downs -= 1,
        }
    }

    /// Appends. Limits are the caller's business.
    pub fn push(&mut self, envelope: Envelope) {
        self.count(&envelope);
        if self.queue.capacity() == 0 {
            // Most processes that wait have got one message at a time so far.
            self.queue.reserve_exact(1);
        }
        self.queue.push_back(envelope);
    }

    /// Puts a priority message before all ordinary ones and behind all other priority messages.
    pub fn push_priority(&mut self, envelope: Envelope) {
        self.count(&envelope);
        self.rare.get_or_insert_default().priority.push_back(envelope);
    }

    /// Where a search that looks only at what is still to come starts.
    pub fn end(&self) -> Position {
        Position { priority: self.priority_len(), ordinary: self.queue.len() }
    }

    /// Remembers what is here now. There is one mark; it stays until it is set again.
    pub fn set_mark(&mut self) {
        let end = self.end();
        self.rare.get_or_insert_default().mark = end;
    }

    /// Where what has arrived since the mark begins; without a mark, the start.
    pub fn mark(&self) -> Position {
        self.rare.as_ref().map_or(Position::START, |rare| rare.mark)
    }

    /// Removes the first match at or after `from`, looking at no more than [`SCAN_MAX`] messages.
    /// The cost of a receive is linear in the number of messages that it skips.
    pub fn scan(&mut self, filter: &Filter, from: Position) -> Scan {
        let (mut room, mut searched) = (SCAN_MAX, from);
        if let Some(rare) = &mut self.rare {
            let end = rare.priority.len().min(from.priority.saturating_add(room));
            if let Some(place) = find(&rare.priority, filter, from.priority, end)
                && let Some(envelope) = rare.priority.remove(place)
            {
                rare.mark.priority -= usize::from(place < rare.mark.priority);
                self.uncount(&envelope);
                return Scan::Found(envelope);
            }
            room -= end.saturating_sub(from.priority);
            searched.priority = end;
        }
        let end = self.queue.len().min(from.ordinary.saturating_add(room));
        if let Some(place) = find(&self.queue, filter, from.ordinary, end)
            && let Some(envelope) = self.queue.remove(place)
        {
            if let Some(rare) = &mut self.rare {
                rare.mark.ordinary -= usize::from(place < rare.mark.ordinary);
            }
            self.uncount(&envelope);
            if self.queue.is_empty() && self.queue.capacity() > 64 {
                // A burst must not pin its memory for the rest of the process's life.
                self.queue = VecDeque::new();
            }
            return Scan::Found(envelope);
        }
        searched.ordinary = end;
        if searched == self.end() { Scan::Nothing(searched) } else { Scan::Unfinished(searched) }
    }

    /// Removes every envelope for which `unwanted` holds, keeping the order of the others.
    pub fn discard(&mut self, mut unwanted: impl FnMut(&Envelope) -> bool) {
        let all = std::mem::take(self);
        if let Some(rare) = all.rare {
            let mark = rare.mark.priority;
            let kept = keep(rare.priority, mark, &mut unwanted, |envelope| {
                self.push_priority(envelope);
            });
            let own = self.rare.get_or_insert_default();
            own.mark = Position { priority: kept, ordinary: rare.mark.ordinary };
        }
        let mark = self.mark().ordinary;
        let kept = keep(all.queue, mark, &mut unwanted, |envelope| self.push(envelope));
        if let Some(rare) = &mut self.rare {
            rare.mark.ordinary = kept;
        }
    }
}

/// The first match between two positions.
#[inline]
fn find(queue: &VecDeque<Envelope>, filter: &Filter, from: usize, end: usize) -> Option<usize> {
    (from..end).find(|position| filter.matches(&queue[*position]))
}

/// Hands on what is not unwanted; says how much of it lay before `mark`.
fn keep(
    queue: VecDeque<Envelope>,
    mark: usize,
    mut unwanted: impl FnMut(&Envelope) -> bool,
    mut push: impl FnMut(Envelope),
) -> usize {
    let mut before_mark = 0;
    for (position, envelope) in queue.into_iter().enumerate() {
        if !unwanted(&envelope) {
            before_mark += usize::from(position < mark);
            push(envelope);
        }
    }
    before_mark
}
