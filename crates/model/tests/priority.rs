//! Priority messages, marks and patterns against a plain list.
//!
//! The list holds all priority messages before all others. A receive takes what a search of the
//! list takes; one since the mark takes what a search of what came later takes.

mod support;

use lunatic_model::{
    Envelope, ExitReason, Filter, Kinds, Mailbox, Message, Pattern, Position, Scan, Tag,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, pid, reference};

#[derive(Clone, Copy, PartialEq, Debug)]
struct Entry {
    id: u64,
    kind: Kinds,
    tag: i64,
    from: u64,
    reference: Option<u64>,
    priority: bool,
    marked: bool,
}

const REASON: ExitReason = ExitReason::Shutdown;

impl Entry {
    /// The id goes where no pattern of these tests looks.
    fn envelope(self) -> Envelope {
        let (from, tag, id) = (pid(self.from), Tag(self.tag), self.id);
        let data = id.to_le_bytes().to_vec();
        match self.kind {
            Kinds::EXIT => {
                Envelope::Exit { from, tag, reason: ExitReason::Custom(data.as_slice().into()) }
            }
            Kinds::DOWN => Envelope::Down {
                reference: reference(self.reference.unwrap_or_default()),
                from,
                name: None,
                reason: ExitReason::Custom(data.as_slice().into()),
            },
            _ => Envelope::Message(Message {
                tag,
                from: Some(from),
                reference: self.reference.map(|serial| Box::new(reference(serial))),
                data,
                ..Message::default()
            }),
        }
    }

    /// The rule, said once more in other words.
    fn is_taken_by(&self, pattern: &Pattern) -> bool {
        let tag = if self.kind == Kinds::DOWN { 0 } else { self.tag };
        let reference = match self.kind {
            Kinds::EXIT => None,
            Kinds::DOWN => Some(self.reference.unwrap_or_default()),
            _ => self.reference,
        };
        let kind = pattern.kinds | self.kind == pattern.kinds;
        let tag = !matches!(pattern.tag, Some(wanted) if wanted.0 != tag);
        let from = !matches!(pattern.from, Some(wanted) if wanted.serial != self.from);
        let refers = match (pattern.reference, reference) {
            (None, _) => true,
            (Some(wanted), Some(own)) => wanted.serial == own,
            (Some(_), None) => false,
        };
        kind && tag && from && refers
    }
}

fn id(envelope: &Envelope) -> u64 {
    let data = match envelope {
        Envelope::Message(message) => &message.data[..],
        Envelope::Exit { reason: ExitReason::Custom(data), .. }
        | Envelope::Down { reason: ExitReason::Custom(data), .. } => data,
        other => panic!("no test made {other:?}"),
    };
    u64::from_le_bytes(data.try_into().expect("every test envelope has eight bytes"))
}

fn take(mailbox: &mut Mailbox, filter: &Filter, mut from: Position) -> Result<u64, Position> {
    loop {
        match mailbox.scan(filter, from) {
            Scan::Found(envelope) => return Ok(id(&envelope)),
            Scan::Unfinished(next) => from = next,
            Scan::Nothing(end) => return Err(end),
        }
    }
}

fn kind() -> impl Strategy<Value = Kinds> {
    prop_oneof![Just(Kinds::MESSAGE), Just(Kinds::EXIT), Just(Kinds::DOWN)]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let some = |range: std::ops::Range<u64>| proptest::option::of(range);
    ((1u32..8), some(0..3), some(0..3), some(0..3)).prop_map(|(kinds, tag, from, of)| Pattern {
        kinds: Kinds::from_bits(kinds).expect("1 to 7 are sets of kinds"),
        tag: tag.map(|tag| Tag(tag.cast_signed())),
        from: from.map(pid),
        reference: of.map(reference),
    })
}

#[derive(Clone, Debug)]
enum Step {
    Push(Entry),
    Mark,
    Receive(Vec<Pattern>, bool),
    Discard(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let entry = (kind(), 0i64..3, 0u64..3, proptest::option::of(0u64..3), any::<bool>()).prop_map(
        |(kind, tag, from, reference, priority)| Entry {
            id: 0,
            kind,
            tag,
            from,
            reference,
            priority,
            marked: false,
        },
    );
    prop_oneof![
        6 => entry.prop_map(Step::Push),
        1 => Just(Step::Mark),
        6 => (vec(pattern(), 0..3), any::<bool>()).prop_map(|(p, m)| Step::Receive(p, m)),
        1 => (2u64..9).prop_map(Step::Discard),
    ]
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn receives_take_what_a_search_of_the_list_takes(steps in vec(step(), 0..80)) {
        let (mut mailbox, mut list) = (Mailbox::default(), Vec::<Entry>::new());
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(entry) => {
                    let entry = Entry { id: n as u64, ..entry };
                    if entry.priority {
                        let place = list.iter().filter(|other| other.priority).count();
                        mailbox.push_priority(entry.envelope());
                        list.insert(place, entry);
                    } else {
                        mailbox.push(entry.envelope());
                        list.push(entry);
                    }
                }
                Step::Mark => {
                    mailbox.set_mark();
                    list.iter_mut().for_each(|entry| entry.marked = true);
                }
                Step::Receive(patterns, since_mark) => {
                    let first = list.iter().position(|entry| {
                        let taken = patterns.is_empty()
                            || patterns.iter().any(|pattern| entry.is_taken_by(pattern));
                        taken && !(since_mark && entry.marked)
                    });
                    let from = if since_mark { mailbox.mark() } else { Position::START };
                    let expected = match first {
                        Some(place) => Ok(list.remove(place).id),
                        None => Err(mailbox.end()),
                    };
                    let filter = Filter::patterns(patterns);
                    prop_assert_eq!(take(&mut mailbox, &filter, from), expected, "{:?}", filter);
                }
                Step::Discard(k) => {
                    mailbox.discard(|envelope| id(envelope).is_multiple_of(k));
                    list.retain(|entry| !entry.id.is_multiple_of(k));
                }
            }
            prop_assert_eq!(mailbox.len(), list.len());
            let bytes: usize = list.iter().map(|entry| entry.envelope().bytes()).sum();
            prop_assert_eq!(mailbox.bytes(), bytes);
        }
        for entry in list {
            prop_assert_eq!(take(&mut mailbox, &Filter::Any, Position::START), Ok(entry.id));
        }
    }

    #[test]
    fn a_receive_that_goes_on_misses_no_priority_message(
        wanted in pattern(),
        arrivals in vec(vec((kind(), 0i64..3, any::<bool>()), 0..8), 1..8),
    ) {
        let (mut mailbox, mut searched) = (Mailbox::default(), Position::START);
        let filter = Filter::patterns([wanted]);
        let mut next = 0;
        for arrival in arrivals {
            let mut takeable = Vec::new();
            for (kind, tag, priority) in arrival {
                let entry = Entry {
                    id: next, kind, tag, from: 1, reference: Some(1), priority, marked: false,
                };
                next += 1;
                if entry.is_taken_by(&wanted) {
                    takeable.push(entry);
                }
                if priority {
                    mailbox.push_priority(entry.envelope());
                } else {
                    mailbox.push(entry.envelope());
                }
            }
            // Stable: priority messages first, each group in its order.
            takeable.sort_by_key(|entry| !entry.priority);
            match take(&mut mailbox, &filter, searched) {
                Ok(found) => {
                    prop_assert_eq!(Some(found), takeable.first().map(|entry| entry.id));
                    break;
                }
                Err(end) => {
                    prop_assert_eq!(takeable, []);
                    searched = end;
                }
            }
        }
    }
}

#[test]
fn priority_messages_go_before_ordinary_ones_and_keep_their_own_order() {
    let mut mailbox = Mailbox::default();
    for (id, priority) in [(1, false), (2, true), (3, false), (4, true)] {
        let message = Message { data: u64::to_le_bytes(id).to_vec(), ..Message::default() };
        if priority {
            mailbox.push_priority(Envelope::Message(message));
        } else {
            mailbox.push(Envelope::Message(message));
        }
    }
    let order: Vec<_> =
        std::iter::from_fn(|| take(&mut mailbox, &Filter::Any, Position::START).ok()).collect();
    assert_eq!(order, [2, 4, 1, 3]);
}

#[test]
fn patterns_that_take_everything_are_any() {
    let down = Pattern { kinds: Kinds::DOWN, ..Pattern::ANY };
    assert_eq!(Filter::patterns([]), Filter::Any);
    assert_eq!(Filter::patterns([down, Pattern::ANY]), Filter::Any);
    assert_ne!(Filter::patterns([down]), Filter::Any);
}

#[test]
fn a_set_of_kinds_has_at_least_one_and_only_those_there_are() {
    for (bits, valid) in [(0, false), (1, true), (7, true), (8, false), (9, false), (256, false)] {
        assert_eq!(Kinds::from_bits(bits).is_some(), valid, "{bits}");
    }
}

#[test]
fn a_down_and_an_exit_count_with_what_their_reasons_carry() {
    let plain = Envelope::Exit { from: pid(1), reason: REASON, tag: Tag::NONE }.bytes();
    let reason = ExitReason::Custom(vec![0; 1000].into());
    let exit = Envelope::Exit { from: pid(1), reason: reason.clone(), tag: Tag::NONE };
    let name = Some("clock".into());
    let down = Envelope::Down { reference: reference(1), from: pid(1), name, reason };
    assert_eq!((exit.bytes(), down.bytes()), (plain + 1000, plain + 1005));
}
