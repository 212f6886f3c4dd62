//! The mailbox against a plain list: selective receive takes what a search of the whole list would
//! take, leaves the rest in order, and counts bytes exactly.

mod support;

use lunatic_model::{
    Envelope, ExitReason, Filter, MESSAGE_OVERHEAD_BYTES, Mailbox, Message, Position, Resource,
    SCAN_MAX, Scan, Tag,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, pid, reference, tags};

const START: Position = Position::START;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Message,
    Exit,
    Down,
}

/// What the list knows of one envelope; `id` says which it is, also when it comes out again.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Entry {
    id: u64,
    kind: Kind,
    tag: i64,
    size: usize,
    resources: usize,
}

impl Entry {
    fn plain(id: u64, kind: Kind, tag: i64) -> Entry {
        Entry { id, kind, tag, size: 0, resources: 0 }
    }

    fn envelope(self) -> Envelope {
        let reason = ExitReason::Shutdown;
        match self.kind {
            Kind::Message => Envelope::Message(Message {
                tag: Tag(self.tag),
                from: Some(pid(self.id)),
                data: vec![1; self.size],
                resources: (0..self.resources).map(|n| Some(Resource(Box::new(n)))).collect(),
                ..Message::default()
            }),
            Kind::Exit => Envelope::Exit { from: pid(self.id), reason, tag: Tag(self.tag) },
            Kind::Down => {
                let (reference, from) = (reference(self.id), pid(0));
                Envelope::Down { reference, from, name: None, reason }
            }
        }
    }

    fn bytes(self) -> usize {
        let resources = self.resources * size_of::<Option<Resource>>();
        MESSAGE_OVERHEAD_BYTES + if self.kind == Kind::Message { self.size + resources } else { 0 }
    }

    /// The rule of the filters, said once more in other words.
    fn is_taken_by(self, filter: &Filter) -> bool {
        match filter {
            Filter::Any => true,
            Filter::Tags(tags) => {
                self.kind != Kind::Down && self.tag != 0 && tags.iter().any(|t| t.0 == self.tag)
            }
            Filter::Reply(tag) => self.kind == Kind::Message && self.tag != 0 && tag.0 == self.tag,
            Filter::Patterns(_) => unreachable!("patterns have a test file of their own"),
        }
    }
}

fn id(envelope: &Envelope) -> u64 {
    match envelope {
        Envelope::Message(message) => message.from.expect("every test message has one").serial,
        Envelope::Exit { from, .. } => from.serial,
        Envelope::Down { reference, .. } => reference.serial,
    }
}

/// Searches to the end as a receive does, however many scans that takes.
fn take(mailbox: &mut Mailbox, filter: &Filter, mut from: Position) -> Result<u64, Position> {
    loop {
        match mailbox.scan(filter, from) {
            Scan::Found(envelope) => return Ok(id(&envelope)),
            Scan::Unfinished(next) => from = next,
            Scan::Nothing(next) => return Err(next),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(Kind, i64, usize, usize),
    /// Receive; a receive that finds nothing goes on where it stopped when the next has its filter.
    Receive(Filter),
    /// Remove those whose id is a multiple of this.
    Discard(u64),
}

fn filter() -> impl Strategy<Value = Filter> {
    prop_oneof![
        1 => Just(Filter::Any),
        4 => vec(0i64..4, 0..3).prop_map(|list| tags(&list)),
        2 => (0i64..4).prop_map(|tag| Filter::Reply(Tag(tag))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![3 => Just(Kind::Message), 1 => Just(Kind::Exit), 1 => Just(Kind::Down)];
    prop_oneof![
        6 => (kind, 0i64..4, 0usize..50, 0usize..3).prop_map(|(k, t, s, r)| Step::Push(k, t, s, r)),
        6 => filter().prop_map(Step::Receive),
        1 => (2u64..9).prop_map(Step::Discard),
    ]
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn receive_takes_the_oldest_match_and_keeps_the_others_in_order(
        steps in vec(step(), 0..120),
    ) {
        let (mut mailbox, mut list) = (Mailbox::default(), Vec::<Entry>::new());
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(kind, tag, size, resources) => {
                    let entry = Entry { id: n as u64, kind, tag, size, resources };
                    mailbox.push(entry.envelope());
                    list.push(entry);
                }
                Step::Receive(filter) => {
                    let first = list.iter().position(|entry| entry.is_taken_by(&filter));
                    let expected = match first {
                        Some(position) => Ok(list.remove(position).id),
                        None => Err(mailbox.end()),
                    };
                    prop_assert_eq!(take(&mut mailbox, &filter, START), expected, "{:?}", filter);
                }
                Step::Discard(k) => {
                    mailbox.discard(|envelope| id(envelope).is_multiple_of(k));
                    list.retain(|entry| !entry.id.is_multiple_of(k));
                }
            }
            prop_assert_eq!(mailbox.len(), list.len());
            prop_assert_eq!(mailbox.is_empty(), list.is_empty());
            let bytes: usize = list.iter().map(|entry| entry.bytes()).sum();
            prop_assert_eq!(mailbox.bytes(), bytes);
        }
        for entry in list {
            prop_assert_eq!(take(&mut mailbox, &Filter::Any, START), Ok(entry.id));
        }
        prop_assert_eq!(mailbox.bytes(), 0);
    }

    #[test]
    fn a_receive_that_goes_on_where_it_stopped_finds_what_one_from_the_start_would(
        filter in filter(),
        arrivals in vec(vec((0i64..4, any::<bool>()), 0..12), 1..10),
    ) {
        let (mut mailbox, mut list) = (Mailbox::default(), Vec::<Entry>::new());
        let mut searched = START;
        for arrival in arrivals {
            for (tag, exit) in arrival {
                let kind = if exit { Kind::Exit } else { Kind::Message };
                let entry = Entry::plain(list.len() as u64, kind, tag);
                mailbox.push(entry.envelope());
                list.push(entry);
            }
            let whole = list.iter().find(|entry| entry.is_taken_by(&filter));
            match take(&mut mailbox, &filter, searched) {
                Ok(found) => {
                    prop_assert_eq!(Some(found), whole.map(|entry| entry.id));
                    break;
                }
                Err(end) => {
                    prop_assert_eq!(whole, None);
                    prop_assert_eq!(end, mailbox.end());
                    searched = end;
                }
            }
        }
    }
}

#[test]
fn one_scan_looks_at_no_more_than_its_maximum() {
    // How many messages lie before the match, and how many scans it takes to reach it.
    let table = [
        (0, 1),
        (SCAN_MAX - 1, 1),
        (SCAN_MAX, 2),
        (SCAN_MAX + 1, 2),
        (2 * SCAN_MAX - 1, 2),
        (2 * SCAN_MAX, 3),
    ];
    for (before, scans) in table {
        let mut mailbox = Mailbox::default();
        for n in 0..before {
            mailbox.push(Entry::plain(n as u64, Kind::Message, 1).envelope());
        }
        mailbox.push(Entry::plain(before as u64, Kind::Message, 2).envelope());
        let (mut from, mut done) = (START, 1);
        let found = loop {
            match mailbox.scan(&tags(&[2]), from) {
                Scan::Found(envelope) => break id(&envelope),
                Scan::Unfinished(next) => from = next,
                Scan::Nothing(_) => panic!("the match behind {before} messages was missed"),
            }
            done += 1;
        };
        assert_eq!((found, done), (before as u64, scans), "{before} before the match");
        assert_eq!(mailbox.len(), before);
    }
}

#[test]
fn a_scan_that_reaches_the_end_says_so_also_at_its_maximum() {
    let mut mailbox = Mailbox::default();
    for n in 0..SCAN_MAX {
        mailbox.push(Entry::plain(n as u64, Kind::Message, 1).envelope());
    }
    let wanted = tags(&[2]);
    assert!(matches!(mailbox.scan(&wanted, START), Scan::Nothing(end) if end == mailbox.end()));
    mailbox.push(Entry::plain(0, Kind::Message, 1).envelope());
    assert!(matches!(mailbox.scan(&wanted, START), Scan::Unfinished(_)));
}

#[test]
fn a_scan_from_behind_the_end_finds_nothing() {
    let mut mailbox = Mailbox::default();
    mailbox.push(Entry::plain(1, Kind::Message, 1).envelope());
    let end = mailbox.end();
    mailbox.push(Entry::plain(2, Kind::Message, 1).envelope());
    let behind = mailbox.end();
    assert_eq!(take(&mut mailbox, &Filter::Any, START), Ok(1));
    for from in [end, behind] {
        assert_eq!(take(&mut mailbox, &Filter::Any, from), Err(end), "from {from:?}");
    }
}

#[test]
fn a_search_of_what_is_still_to_come_passes_over_what_is_there() {
    let mut mailbox = Mailbox::default();
    mailbox.push(Entry::plain(1, Kind::Message, 7).envelope());
    let from = mailbox.end();
    mailbox.push(Entry::plain(2, Kind::Message, 7).envelope());
    assert_eq!(take(&mut mailbox, &Filter::Reply(Tag(7)), from), Ok(2));
    assert_eq!(take(&mut mailbox, &Filter::Any, START), Ok(1));
}

#[test]
fn a_filter_takes_what_the_table_says() {
    let (message, exit, down) = (Kind::Message, Kind::Exit, Kind::Down);
    #[rustfmt::skip]
    let table = [
        // filter                    kind     tag  taken
        (Filter::Any,                message, 0,   true),
        (Filter::Any,                exit,    0,   true),
        (Filter::Any,                down,    0,   true),
        (tags(&[7, 8]),              message, 8,   true),
        (tags(&[7, 8]),              exit,    8,   true),
        (tags(&[7, 8]),              message, 9,   false),
        (tags(&[7, 8]),              message, 0,   false),
        (tags(&[7, 8]),              down,    0,   false),
        (tags(&[0]),                 message, 0,   false),
        (tags(&[0]),                 exit,    0,   false),
        (tags(&[0]),                 down,    0,   false),
        (tags(&[]),                  message, 7,   false),
        (Filter::Reply(Tag(7)),      message, 7,   true),
        (Filter::Reply(Tag(7)),      message, 8,   false),
        (Filter::Reply(Tag(7)),      exit,    7,   false),
        (Filter::Reply(Tag(7)),      down,    0,   false),
        (Filter::Reply(Tag::NONE),   message, 0,   false),
        (Filter::Reply(Tag::NONE),   down,    0,   false),
    ];
    for (filter, kind, tag, taken) in table {
        let envelope = Entry::plain(1, kind, tag).envelope();
        assert_eq!(filter.matches(&envelope), taken, "{filter:?}, {kind:?}, tag {tag}");
    }
}
