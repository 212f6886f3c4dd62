//! Filters: which messages a receive takes.
//!
//! A filter looks at one envelope at a time and at nothing else, so that the order in which a
//! mailbox is searched decides alone which of several matches is taken.

use std::ops::BitOr;
use std::sync::Arc;

use crate::{Envelope, Message, Pid, Ref, Tag};

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
    /// The oldest that one of these patterns takes.
    Patterns(Arc<[Pattern]>),
}

/// A set of kinds of envelopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kinds(u8);

impl Kinds {
    /// Messages of processes and timers.
    pub const MESSAGE: Kinds = Kinds(1);
    /// Trapped exits.
    pub const EXIT: Kinds = Kinds(1 << 1);
    /// Ends of monitored processes.
    pub const DOWN: Kinds = Kinds(1 << 2);
    /// All.
    pub const ALL: Kinds = Kinds(0b111);

    /// The set with these bits; `None` if it is empty or has others.
    pub fn from_bits(bits: u32) -> Option<Kinds> {
        let bits = u8::try_from(bits).ok()?;
        (bits != 0 && bits & !Kinds::ALL.0 == 0).then_some(Kinds(bits))
    }

    fn contains(self, kind: Kinds) -> bool {
        self.0 & kind.0 != 0
    }
}

impl BitOr for Kinds {
    type Output = Kinds;

    fn bitor(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}

/// Takes an envelope of one of its kinds if everything that it names is equal there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// Of which kind.
    pub kinds: Kinds,
    /// The tag; [`Tag::NONE`] means that there is none. A down carries none.
    pub tag: Option<Tag>,
    /// Who sent, ended or asked to exit; of a timer's message, who set the timer.
    pub from: Option<Pid>,
    /// The monitor of a down; the alias through which a message came, or its timer.
    pub reference: Option<Ref>,
}

impl Pattern {
    /// Takes everything.
    pub const ANY: Pattern = Pattern { kinds: Kinds::ALL, tag: None, from: None, reference: None };

    fn matches(&self, envelope: &Envelope) -> bool {
        let (kind, tag, from, reference) = match envelope {
            Envelope::Message(Message { tag, from, reference, .. }) => {
                (Kinds::MESSAGE, *tag, *from, reference.as_deref().copied())
            }
            Envelope::Exit { from, tag, .. } => (Kinds::EXIT, *tag, Some(*from), None),
            Envelope::Down { reference, from, .. } => {
                (Kinds::DOWN, Tag::NONE, Some(*from), Some(*reference))
            }
        };
        self.kinds.contains(kind)
            && self.tag.is_none_or(|wanted| wanted == tag)
            && self.from.is_none_or(|wanted| from == Some(wanted))
            && self.reference.is_none_or(|wanted| reference == Some(wanted))
    }
}

impl Filter {
    /// What one of these patterns takes. No pattern at all means [`Filter::Any`], and so does one
    /// that takes everything: who waits for anything is served by senders in their order.
    pub fn patterns(patterns: impl Into<Arc<[Pattern]>>) -> Filter {
        let patterns = patterns.into();
        if patterns.is_empty() || patterns.contains(&Pattern::ANY) {
            return Filter::Any;
        }
        Filter::Patterns(patterns)
    }

    /// Whether a receive with this filter takes the envelope.
    #[inline]
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
            (Filter::Patterns(patterns), _) => matches_any(patterns, envelope),
            (Filter::Tags(_), Envelope::Down { .. })
            | (Filter::Reply(_), Envelope::Exit { .. } | Envelope::Down { .. }) => false,
        }
    }
}

/// Not inlined: the searches by tag stay small enough to be fast.
#[inline(never)]
fn matches_any(patterns: &[Pattern], envelope: &Envelope) -> bool {
    patterns.iter().any(|pattern| pattern.matches(envelope))
}
