//! The mailbox: messages in the order of their arrival, and selective receive that never reorders.
//!
//! Only the owner removes; others append. So a position in the queue that the owner has searched up
//! to stays valid while it waits, and no message is looked at twice by one receive.

use std::collections::VecDeque;

use crate::message::MESSAGE_OVERHEAD_BYTES;
use crate::{ExitReason, Message, Pid, Ref, Tag};

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
        /// Who ended.
        from: Pid,
        /// Why.
        reason: ExitReason,
    },
}

impl Envelope {
    /// What it counts for in the mailbox's bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Envelope::Message(message) => message.bytes(),
            Envelope::Exit { .. } | Envelope::Down { .. } => MESSAGE_OVERHEAD_BYTES,
        }
    }
}

/// Which messages a receive takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    /// The oldest of any kind.
    Any,
    /// The oldest message or trapped exit that carries one of these tags. [`Tag::NONE`] in the list
    /// matches nothing; a down carries no tag.
    Tags(Box<[Tag]>),
    /// The oldest message, and nothing but a message, that carries this tag: a reply.
    Reply(Tag),
}

impl Filter {
    /// Whether a receive with this filter takes the envelope.
    pub fn matches(&self, envelope: &Envelope) -> bool {
        match (self, envelope) {
            (Filter::Any, _) => true,
            (Filter::Tags(tags), Envelope::Message(Message { tag, .. }))
            | (Filter::Tags(tags), Envelope::Exit { tag, .. }) => {
                tag.is_some() && tags.contains(tag)
            }
            (Filter::Reply(wanted), Envelope::Message(message)) => {
                wanted.is_some() && message.tag == *wanted
            }
            (Filter::Tags(_), Envelope::Down { .. })
            | (Filter::Reply(_), Envelope::Exit { .. } | Envelope::Down { .. }) => false,
        }
    }
}

/// The result of one search.
#[derive(Debug)]
pub enum Scan {
    /// The first match, removed.
    Found(Envelope),
    /// No match so far; search on from here.
    Unfinished(usize),
    /// No match in the whole mailbox; when more has arrived, search on from here.
    Nothing(usize),
}

/// Messages in the order of their arrival.
#[derive(Debug, Default)]
pub struct Mailbox {
    queue: VecDeque<Envelope>,
    bytes: usize,
    exits: usize,
    downs: usize,
}

impl Mailbox {
    /// The number of messages.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
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
        self.queue.push_back(envelope);
    }

    /// Removes the first match at or after position `from`, looking at no more than [`SCAN_MAX`]
    /// messages. The cost of a receive is linear in the number of messages that it skips.
    pub fn scan(&mut self, filter: &Filter, from: usize) -> Scan {
        let end = self.queue.len().min(from.saturating_add(SCAN_MAX));
        for position in from..end {
            if filter.matches(&self.queue[position]) {
                let Some(envelope) = self.queue.remove(position) else { break };
                self.uncount(&envelope);
                if self.queue.is_empty() && self.queue.capacity() > 64 {
                    // A burst must not pin its memory for the rest of the process's life.
                    self.queue = VecDeque::new();
                }
                return Scan::Found(envelope);
            }
        }
        if end < self.queue.len() { Scan::Unfinished(end) } else { Scan::Nothing(end) }
    }

    /// Removes every envelope for which `unwanted` holds, keeping the order of the others.
    pub fn discard(&mut self, mut unwanted: impl FnMut(&Envelope) -> bool) {
        let all = std::mem::take(self);
        for envelope in all.queue {
            if !unwanted(&envelope) {
                self.push(envelope);
            }
        }
    }
}
