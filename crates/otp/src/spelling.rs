//! How the values of steps are written.

use std::fmt;

use crate::program::{AliasMode, Priority, Query, QueueData, Reason};

pub(crate) const ALIAS_MODES: &[(&str, AliasMode)] = &[
    ("explicit", AliasMode::Explicit),
    ("demonitor", AliasMode::Demonitor),
    ("reply", AliasMode::Reply),
];

pub(crate) const QUERIES: &[(&str, Query)] = &[
    ("messages", Query::Messages),
    ("links", Query::Links),
    ("monitors", Query::Monitors),
    ("watchers", Query::Watchers),
    ("traps", Query::Traps),
];

pub(crate) const PRIORITIES: &[(&str, Priority)] = &[
    ("low", Priority::Low),
    ("normal", Priority::Normal),
    ("high", Priority::High),
    ("wrong", Priority::Wrong),
];

pub(crate) const QUEUE_DATA: &[(&str, QueueData)] = &[
    ("on_heap", QueueData::OnHeap),
    ("off_heap", QueueData::OffHeap),
    ("wrong", QueueData::Wrong),
];

/// How a value of such a table is written.
pub(crate) fn word_of<T: PartialEq>(choices: &[(&'static str, T)], value: &T) -> &'static str {
    choices.iter().find(|(_, choice)| choice == value).map_or("unknown", |(word, _)| word)
}

pub(crate) fn reason_of(word: &str) -> Option<Reason> {
    let plain = [
        Reason::Normal,
        Reason::Kill,
        Reason::Killed,
        Reason::Shutdown,
        Reason::Noproc,
        Reason::Crash,
    ];
    let custom = (0..Reason::CUSTOM.len()).map(|index| Reason::Custom(index as u8));
    plain.into_iter().chain(custom).find(|reason| reason.to_string() == word)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Normal => "normal",
            Reason::Kill => "kill",
            Reason::Killed => "killed",
            Reason::Shutdown => "shutdown",
            Reason::Noproc => "noproc",
            Reason::Crash => "crash",
            Reason::Custom(index) => {
                Reason::CUSTOM.get(usize::from(*index)).copied().unwrap_or("unknown")
            }
            Reason::Unknown => "unknown",
        })
    }
}
