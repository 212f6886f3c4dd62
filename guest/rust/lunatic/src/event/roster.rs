//! The handlers of an event manager in their order, and whom their ends are told to: decisions
//! without host calls.
//!
//! What must stay true, as in OTP: the handler that was added last comes first; several may have
//! the same id, of which the first is meant; one that takes the place of another while that handles
//! something stands where that stood.

use serde::{Deserialize, Serialize};

use crate::{ExitReason, Pid};

/// Why a handler is no longer there, as its supervising process is told.
///
/// ```
/// use lunatic::event::Gone;
///
/// fn is_to_be_added_again(why: &Gone) -> bool {
///     matches!(why, Gone::Crashed(_))
/// }
///
/// assert!(is_to_be_added_again(&Gone::Crashed("out of paper".into())));
/// assert!(!is_to_be_added_again(&Gone::Swapped("new".into(), None)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gone {
    /// It was deleted, or removed itself.
    Normal,
    /// The event manager has ended.
    Shutdown,
    /// Another one has its place; and who supervises that one.
    Swapped(String, Option<Pid>),
    /// It crashed: the panic's message and place.
    Crashed(ExitReason),
}

/// A handler as the manager keeps it.
pub(super) struct Entry<T> {
    pub(super) id: String,
    /// Who is told of its end.
    pub(super) supervisor: Option<Pid>,
    pub(super) handler: T,
}

/// What a handler wants after a callback.
pub(super) enum Wish<N> {
    Keep,
    Remove,
    /// Another one is to take its place.
    Swap(N),
    Crashed(ExitReason),
}

/// All handlers, the one that was added last first.
pub(super) struct Roster<T> {
    entries: Vec<Entry<T>>,
}

impl<T> Roster<T> {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new() }
    }

    pub(super) fn add(&mut self, entry: Entry<T>) {
        self.entries.insert(0, entry);
    }

    /// Where the handler of this id stands that is meant.
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.id == id)
    }

    /// Takes out the handler of this id.
    pub(super) fn take(&mut self, id: &str) -> Option<Entry<T>> {
        self.position(id).map(|at| self.entries.remove(at))
    }

    /// Takes out all handlers that a process supervises, in their order.
    pub(super) fn take_supervised_by(&mut self, pid: Pid) -> Vec<Entry<T>> {
        let taken = |entry: &mut Entry<T>| entry.supervisor == Some(pid);
        self.entries.extract_if(.., taken).collect()
    }

    /// Takes out all.
    pub(super) fn take_all(&mut self) -> Vec<Entry<T>> {
        core::mem::take(&mut self.entries)
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.id.clone()).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<T>> {
        self.entries.iter_mut()
    }

    /// Lets each handler do something, in their order. Each that is not kept is given to `leave`,
    /// which may give the one that takes its place; that one is not asked.
    pub(super) fn each<N>(
        &mut self,
        mut act: impl FnMut(&mut T) -> Wish<N>,
        mut leave: impl FnMut(Entry<T>, Wish<N>) -> Option<Entry<T>>,
    ) {
        let mut at = 0;
        while at < self.entries.len() {
            let wish = act(&mut self.entries[at].handler);
            at += self.follow(at, wish, &mut leave);
        }
    }

    /// Lets one handler do something.
    pub(super) fn one<N>(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut T) -> Wish<N>,
        mut leave: impl FnMut(Entry<T>, Wish<N>) -> Option<Entry<T>>,
    ) {
        let wish = act(&mut self.entries[at].handler);
        self.follow(at, wish, &mut leave);
    }

    /// Does what the handler at this place wants; gives how many stand there afterwards.
    fn follow<N>(
        &mut self,
        at: usize,
        wish: Wish<N>,
        leave: &mut impl FnMut(Entry<T>, Wish<N>) -> Option<Entry<T>>,
    ) -> usize {
        if let Wish::Keep = wish {
            return 1;
        }
        let entry = self.entries.remove(at);
        match leave(entry, wish) {
            Some(entry) => {
                self.entries.insert(at, entry);
                1
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(ids: &[&str]) -> Roster<u32> {
        let mut roster = Roster::new();
        for (number, id) in ids.iter().enumerate() {
            let supervisor = number.is_multiple_of(2).then_some(Pid::new(0, 7));
            roster.add(Entry { id: (*id).into(), supervisor, handler: number as u32 });
        }
        roster
    }

    #[test]
    fn the_last_one_added_comes_first_and_is_meant_by_its_id() {
        let mut roster = roster(&["a", "b", "a"]);
        assert_eq!(roster.ids(), ["a", "b", "a"]);
        let mut seen = Vec::new();
        roster.each(
            |handler| {
                seen.push(*handler);
                Wish::<()>::Keep
            },
            |_, _| None,
        );
        assert_eq!(seen, [2, 1, 0]);
        assert_eq!(roster.take("a").map(|entry| entry.handler), Some(2));
        assert_eq!(roster.take("a").map(|entry| entry.handler), Some(0));
        assert!(roster.take("a").is_none() && roster.position("b") == Some(0));
    }

    #[test]
    fn who_takes_a_place_stands_there_and_is_not_asked_again() {
        let mut roster = roster(&["a", "b", "c"]);
        let mut asked = Vec::new();
        roster.each(
            |handler| {
                asked.push(*handler);
                match handler {
                    1 => Wish::Swap("new"),
                    2 => Wish::Crashed(ExitReason::Kill),
                    _ => Wish::Keep,
                }
            },
            |entry, wish| match wish {
                Wish::Swap(id) => Some(Entry { id: id.into(), handler: 9, ..entry }),
                Wish::Keep | Wish::Remove | Wish::Crashed(_) => None,
            },
        );
        assert_eq!(asked, [2, 1, 0]);
        assert_eq!(roster.ids(), ["new", "a"]);
    }

    #[test]
    fn handlers_of_a_process_that_ended_are_found_in_their_order() {
        let mut roster = roster(&["a", "b", "c", "d"]);
        let taken = roster.take_supervised_by(Pid::new(0, 7));
        assert_eq!(taken.iter().map(|entry| &*entry.id).collect::<Vec<_>>(), ["c", "a"]);
        assert_eq!(roster.ids(), ["d", "b"]);
        assert!(roster.take_supervised_by(Pid::new(0, 8)).is_empty());
    }
}
