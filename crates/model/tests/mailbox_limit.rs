//! What happens at a full mailbox: a message of another process waits at its sender, one to oneself
//! ends the process, and nothing else ever waits.

mod support;

use lunatic_model::{
    Delivery, Envelope, ExitReason, Filter, Limits, MESSAGE_OVERHEAD_BYTES, Position, Process,
    Scan, Signal, Tag, TrapExit,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, drain, link_exit, message, pid, reference, tags};

const RECEIVER: u64 = 1;
const SENDER: u64 = 2;

fn receiver(messages: usize, bytes: usize) -> Process {
    let limits =
        Limits { mailbox_messages_max: messages, mailbox_bytes_max: bytes, ..Limits::default() };
    Process::new(pid(RECEIVER), limits)
}

fn send(receiver: &mut Process, tag: i64, size: usize) -> Delivery {
    receiver.deliver(Signal::Message(message(SENDER, tag, size)))
}

fn take(receiver: &mut Process) {
    assert!(matches!(receiver.receive(&Filter::Any, Position::START), Scan::Found(_)));
}

#[test]
fn a_message_that_does_not_fit_comes_back_unchanged() {
    let mut receiver = receiver(2, usize::MAX);
    assert!(matches!(send(&mut receiver, 1, 0), Delivery::Done));
    assert!(matches!(send(&mut receiver, 2, 0), Delivery::Done));
    let Delivery::Full(back) = send(&mut receiver, 3, 5) else {
        panic!("the third message found room for two");
    };
    assert_eq!((back.tag, back.data.len(), back.from), (Tag(3), 5, Some(pid(SENDER))));
    assert_eq!(receiver.mailbox_len(), 2);
    assert!(receiver.is_alive());
}

#[test]
fn bytes_count_with_the_overhead_of_each_message_and_up_to_the_limit() {
    let one = MESSAGE_OVERHEAD_BYTES + 4;
    for (limit, fits) in [(2 * one - 1, false), (2 * one, true), (2 * one + 1, true)] {
        let mut receiver = receiver(usize::MAX, limit);
        send(&mut receiver, 1, 4);
        let second = send(&mut receiver, 2, 4);
        assert_eq!(matches!(second, Delivery::Done), fits, "limit {limit}: {second:?}");
        assert_eq!(matches!(second, Delivery::Full(_)), !fits, "limit {limit}: {second:?}");
    }
}

#[test]
fn a_message_that_is_taken_makes_room() {
    let mut receiver = receiver(1, usize::MAX);
    send(&mut receiver, 1, 0);
    assert!(matches!(send(&mut receiver, 2, 0), Delivery::Full(_)));
    take(&mut receiver);
    assert!(matches!(send(&mut receiver, 2, 0), Delivery::Done));
}

#[test]
fn a_message_to_oneself_that_does_not_fit_ends_the_process() {
    let mut receiver = receiver(1, usize::MAX);
    let own = || Signal::Message(message(RECEIVER, 1, 0));
    assert!(matches!(receiver.deliver(own()), Delivery::Done));
    assert!(matches!(receiver.deliver(own()), Delivery::Wake));
    assert_eq!(receiver.exiting(), Some(&ExitReason::Limit("mailbox_limit")));
}

#[test]
fn what_the_process_waits_for_gets_in_although_the_mailbox_is_full() {
    for filter in [tags(&[7]), Filter::Reply(Tag(7))] {
        let mut receiver = receiver(1, usize::MAX);
        send(&mut receiver, 1, 0);
        let Scan::Nothing(end) = receiver.receive(&filter, Position::START) else { panic!() };
        assert!(matches!(send(&mut receiver, 8, 0), Delivery::Full(_)), "not what it waits for");
        assert!(matches!(send(&mut receiver, 7, 0), Delivery::Wake), "{filter:?}");
        assert!(matches!(send(&mut receiver, 7, 0), Delivery::Full(_)), "one is enough");
        assert!(matches!(receiver.receive(&filter, end), Scan::Found(_)));
    }
}

#[test]
fn a_process_that_no_longer_waits_admits_nothing_more() {
    let mut receiver = receiver(1, usize::MAX);
    send(&mut receiver, 1, 0);
    receiver.receive(&tags(&[7]), Position::START);
    receiver.stop_waiting();
    assert!(matches!(send(&mut receiver, 7, 0), Delivery::Full(_)));
}

#[test]
fn a_message_larger_than_the_whole_mailbox_reaches_a_process_that_waits() {
    let mut receiver = receiver(usize::MAX, 10);
    assert!(matches!(send(&mut receiver, 1, 100), Delivery::Full(_)));
    assert!(matches!(receiver.receive(&Filter::Any, Position::START), Scan::Nothing(_)));
    assert!(matches!(send(&mut receiver, 1, 100), Delivery::Wake));
}

#[test]
fn exits_downs_and_timers_never_wait_and_are_never_dropped() {
    let mut receiver = receiver(1, 0);
    receiver.set_trap_exit(TrapExit::All);
    receiver.deliver(Signal::Link { from: pid(3), tag: Tag(5) });
    receiver.monitor(reference(10), pid(4));
    receiver.deliver(Signal::Timer(message(RECEIVER, 1, 100)));

    let reason = ExitReason::Shutdown;
    let signals = [
        link_exit(3, reason.clone()),
        Signal::Exit { from: pid(5), reason: reason.clone(), link: false },
        Signal::Exit { from: pid(RECEIVER), reason: reason.clone(), link: false },
        Signal::Down { reference: reference(10), from: pid(4), reason },
        Signal::Timer(message(RECEIVER, 2, 100)),
    ];
    for signal in signals {
        let text = format!("{signal:?}");
        assert!(matches!(receiver.deliver(signal), Delivery::Done), "{text}");
    }
    let kinds: String = drain(&mut receiver)
        .iter()
        .map(|envelope| match envelope {
            Envelope::Message(_) => 'm',
            Envelope::Exit { .. } => 'e',
            Envelope::Down { .. } => 'd',
        })
        .collect();
    assert_eq!(kinds, "meeedm");
    assert!(receiver.is_alive());
}

#[test]
fn signals_that_leave_no_message_pass_a_full_mailbox() {
    let mut receiver = receiver(0, 0);
    receiver.deliver(Signal::Link { from: pid(3), tag: Tag(5) });
    assert_eq!(receiver.links().count(), 1);
    let unlink = receiver.deliver(Signal::Unlink { from: pid(3), id: 1 });
    assert!(matches!(unlink, Delivery::Answer(..)));
    receiver.deliver(Signal::Monitor { from: pid(3), reference: reference(1) });
    let kill = Signal::Exit { from: pid(3), reason: ExitReason::Kill, link: false };
    assert!(matches!(receiver.deliver(kill), Delivery::Wake));
    assert_eq!(receiver.die().watchers.len(), 1);
}

#[test]
fn waiting_senders_are_woken_in_the_order_in_which_they_came() {
    let mut receiver = receiver(1, usize::MAX);
    send(&mut receiver, 1, 0);
    for sender in [5, 3, 4] {
        receiver.wait_for_room(pid(sender), 0, None);
    }
    assert_eq!(receiver.next_sender(), None, "no room yet");
    take(&mut receiver);
    assert_eq!(receiver.next_sender(), Some(pid(5)));
    assert_eq!(receiver.next_sender(), Some(pid(3)));
    send(&mut receiver, 1, 0);
    assert_eq!(receiver.next_sender(), None, "full again");
    take(&mut receiver);
    assert_eq!(receiver.next_sender(), Some(pid(4)));
    assert_eq!(receiver.next_sender(), None, "each is woken once");
}

#[test]
fn all_senders_are_handed_out_in_order_and_once() {
    let mut receiver = receiver(1, usize::MAX);
    send(&mut receiver, 1, 0);
    for sender in [5, 3, 4] {
        receiver.wait_for_room(pid(sender), 0, None);
    }
    assert_eq!(receiver.all_senders(), [pid(5), pid(3), pid(4)]);
    assert!(receiver.all_senders().is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Send { tag: i64, size: usize },
    Receive(i64),
    StopWaiting,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1i64..4, 0usize..300).prop_map(|(tag, size)| Step::Send { tag, size }),
        2 => (1i64..4).prop_map(Step::Receive),
        1 => Just(Step::StopWaiting),
    ]
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_message_gets_in_exactly_if_it_fits_or_is_waited_for(
        messages_max in 0usize..5,
        bytes_max in 0usize..1500,
        steps in vec(step(), 0..60),
    ) {
        let mut receiver = receiver(messages_max, bytes_max);
        let mut list = Vec::<(i64, usize)>::new();
        let mut waits_for = None;
        for step in steps {
            match step {
                Step::Send { tag, size } => {
                    let bytes = MESSAGE_OVERHEAD_BYTES + size;
                    let held: usize = list.iter().map(|(_, bytes)| bytes).sum();
                    let wanted = waits_for == Some(tag);
                    let fits = list.len() < messages_max && held + bytes <= bytes_max;
                    let delivery = send(&mut receiver, tag, size);
                    prop_assert_eq!(matches!(delivery, Delivery::Wake), wanted);
                    prop_assert_eq!(matches!(delivery, Delivery::Full(_)), !wanted && !fits);
                    if wanted || fits {
                        list.push((tag, bytes));
                    }
                    if wanted {
                        waits_for = None;
                    }
                }
                Step::Receive(tag) => {
                    let position = list.iter().position(|entry| entry.0 == tag);
                    let scan = receiver.receive(&tags(&[tag]), Position::START);
                    prop_assert_eq!(matches!(scan, Scan::Found(_)), position.is_some());
                    waits_for = position.is_none().then_some(tag);
                    position.map(|position| list.remove(position));
                }
                Step::StopWaiting => {
                    receiver.stop_waiting();
                    waits_for = None;
                }
            }
            prop_assert_eq!(receiver.mailbox_len(), list.len());
        }
    }
}
