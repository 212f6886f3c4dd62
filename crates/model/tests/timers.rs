//! The queue of deadlines against a plain list: never early, in order, each at most once.

mod support;

use lunatic_model::TimerQueue;
use proptest::collection::vec;
use proptest::prelude::*;
use support::cases;

#[derive(Clone, Debug)]
enum Step {
    Set(u64),
    /// Cancel one of those ever set, also if it is gone.
    Cancel(usize),
    /// Let time pass and fire at most so many.
    Advance(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let deadline = prop_oneof![8 => 0u64..40, 1 => Just(u64::MAX)];
    prop_oneof![
        4 => deadline.prop_map(Step::Set),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => (0u64..8, 0usize..6).prop_map(|(time, most)| Step::Advance(time, most)),
    ]
}

/// The place of the entry that is due first; of equal ones the one set first.
fn first(list: &[(u64, usize)]) -> Option<usize> {
    (0..list.len()).min_by_key(|place| list[*place])
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn timers_do_what_a_plain_list_does(steps in vec(step(), 0..100)) {
        let mut queue = TimerQueue::default();
        let (mut list, mut keys) = (Vec::<(u64, usize)>::new(), Vec::new());
        let mut now = 0;
        for step in steps {
            match step {
                Step::Set(deadline) => {
                    let key = queue.set(deadline, keys.len());
                    prop_assert_eq!(key.deadline, deadline);
                    list.push((deadline, keys.len()));
                    keys.push(key);
                }
                Step::Cancel(pick) if !keys.is_empty() => {
                    let which = pick % keys.len();
                    let place = list.iter().position(|entry| entry.1 == which);
                    let expected = place.map(|place| list.remove(place).1);
                    prop_assert_eq!(queue.cancel(keys[which]), expected);
                }
                Step::Advance(time, most) => {
                    now += time;
                    for _ in 0..most {
                        let due = first(&list).filter(|place| list[*place].0 <= now);
                        let expected = due.map(|place| list.remove(place).1);
                        prop_assert_eq!(queue.pop_due(now), expected, "at {}", now);
                    }
                }
                Step::Cancel(_) => {}
            }
            prop_assert_eq!(queue.len(), list.len());
            prop_assert_eq!(queue.is_empty(), list.is_empty());
            prop_assert_eq!(queue.next_deadline(), first(&list).map(|place| list[place].0));
        }
        let mut left = Vec::new();
        while let Some(value) = queue.pop_due(u64::MAX) {
            left.push(value);
        }
        list.sort_unstable();
        prop_assert_eq!(left, list.into_iter().map(|entry| entry.1).collect::<Vec<_>>());
    }
}

#[test]
fn a_timer_fires_at_its_deadline_and_not_before() {
    let mut queue = TimerQueue::default();
    queue.set(10, 'a');
    assert_eq!(queue.pop_due(9), None);
    assert_eq!(queue.pop_due(10), Some('a'));
    assert_eq!(queue.pop_due(10), None, "it fires once");
}

#[test]
fn timers_of_one_deadline_fire_in_the_order_in_which_they_were_set() {
    let mut queue = TimerQueue::default();
    for (deadline, name) in [(10, 'a'), (5, 'b'), (10, 'c'), (5, 'd')] {
        queue.set(deadline, name);
    }
    let fired: String = std::iter::from_fn(|| queue.pop_due(10)).collect();
    assert_eq!(fired, "bdac");
}

#[test]
fn a_timer_that_fired_or_was_cancelled_cannot_be_cancelled() {
    let mut queue = TimerQueue::default();
    let (fired, cancelled) = (queue.set(1, 'a'), queue.set(1, 'b'));
    queue.pop_due(1);
    assert_eq!(queue.cancel(fired), None);
    assert_eq!(queue.cancel(cancelled), Some('b'));
    assert_eq!(queue.cancel(cancelled), None);
    assert_eq!(queue.next_deadline(), None);
}
