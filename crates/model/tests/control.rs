//! Suspending, requests to exit with data, snapshots, and the size of a process.

mod support;

use lunatic_model::{
    Envelope, ExitReason, Limits, MonitorOptions, NotSuspended, Process, Signal, Tag, TrapExit,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, drain, link_exit, message, pid, process, reference};

fn request(from: u64, reason: ExitReason) -> Signal {
    Signal::Exit { from: pid(from), reason, link: false }
}

fn custom(bytes: usize) -> ExitReason {
    ExitReason::Custom(vec![1; bytes].into())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_process_is_suspended_while_anybody_has_more_suspends_than_resumes(
        steps in vec((0usize..3, any::<bool>()), 0..40),
    ) {
        let mut target = process(9);
        let mut suspenders = [process(1), process(2), process(3)];
        let mut counts = [0u32; 3];
        for (n, suspend) in steps {
            if suspend {
                suspenders[n].suspend(&mut target);
                counts[n] += 1;
            } else {
                let expected = if counts[n] == 0 { Err(NotSuspended) } else { Ok(()) };
                prop_assert_eq!(suspenders[n].resume(&mut target), expected);
                counts[n] = counts[n].saturating_sub(1);
            }
            prop_assert_eq!(target.is_suspended(), counts.iter().any(|count| *count > 0));
            prop_assert_eq!(
                target.suspenders().count(),
                counts.iter().filter(|count| **count > 0).count(),
            );
        }
    }
}

#[test]
fn the_end_of_either_side_of_a_suspension_names_the_other() {
    let (mut suspender, mut target) = (process(1), process(2));
    suspender.suspend(&mut target);
    suspender.suspend(&mut target);
    let left = suspender.die().leftovers.expect("it suspended one");
    assert_eq!((left.suspending, left.suspenders), (vec![pid(2)], vec![]));
    target.forget_suspender(pid(1));
    assert!(!target.is_suspended());

    let (mut suspender, mut target) = (process(1), process(2));
    suspender.suspend(&mut target);
    let left = target.die().leftovers.expect("it was suspended");
    assert_eq!((left.suspending, left.suspenders), (vec![], vec![pid(1)]));
    suspender.forget_suspended(pid(2));
    assert_eq!(suspender.snapshot().map(|snapshot| snapshot.suspending), Some(vec![]));
}

#[test]
fn a_suspended_process_handles_signals() {
    let (mut suspender, mut target) = (process(1), process(2));
    suspender.suspend(&mut target);
    target.deliver(Signal::Message(message(3, 1, 0)));
    assert_eq!(target.mailbox_len(), 1);
    target.deliver(request(3, ExitReason::Kill));
    assert_eq!(target.exiting(), Some(&ExitReason::Killed));
}

#[test]
fn a_request_to_exit_carries_its_data_to_the_mailbox_or_the_end() {
    let mut trapping = process(1);
    trapping.set_trap_exit(TrapExit::All);
    trapping.deliver(request(2, custom(3)));
    let [Envelope::Exit { reason, tag: Tag::NONE, .. }] = &drain(&mut trapping)[..] else {
        panic!("one trapped exit");
    };
    assert_eq!(*reason, custom(3));

    let mut plain = process(1);
    plain.deliver(request(2, custom(3)));
    assert_eq!(plain.exiting(), Some(&custom(3)));
}

#[test]
fn trapped_requests_that_nobody_receives_are_bounded_by_the_limit_of_links() {
    let limits = Limits { links_max: 3, ..Limits::default() };
    let mut receiver = Process::new(pid(1), limits);
    receiver.set_trap_exit(TrapExit::All);
    for _ in 0..3 {
        receiver.deliver(request(2, ExitReason::Shutdown));
    }
    assert!(receiver.is_alive());
    receiver.deliver(request(2, ExitReason::Shutdown));
    assert_eq!(receiver.exiting(), Some(&ExitReason::Limit("links_max")));
}

#[test]
fn the_data_of_reasons_that_nobody_receives_is_bounded_by_twice_the_mailbox() {
    let limits = Limits { mailbox_bytes_max: 1000, ..Limits::default() };
    let told: [fn(&mut Process); 3] = [
        |one| drop(one.deliver(request(2, custom(1500)))),
        |one| {
            one.link(pid(2), Tag(1));
            one.deliver(link_exit(2, custom(1500)));
        },
        |one| {
            one.monitor(reference(1), pid(2));
            let (reference, from) = (reference(1), pid(2));
            one.deliver(Signal::Down { reference, from, reason: custom(1500) });
        },
    ];
    for tell in told {
        let mut receiver = Process::new(pid(1), limits);
        receiver.set_trap_exit(TrapExit::All);
        tell(&mut receiver);
        assert!(receiver.is_alive(), "the first fits");
        tell(&mut receiver);
        assert_eq!(receiver.exiting(), Some(&ExitReason::Limit("mailbox_limit")));
    }
}

#[test]
fn a_snapshot_shows_all_of_one_moment_and_nothing_of_one_that_ends() {
    let mut one = process(1);
    one.set_trap_exit(TrapExit::All);
    one.link(pid(2), Tag(1));
    one.monitor_with(reference(5), pid(3), MonitorOptions::default());
    one.deliver(Signal::Monitor { from: pid(4), reference: reference(6) });
    one.deliver(Signal::Message(message(2, 7, 10)));
    one.set_label(Some("clock".into()));
    one.suspend(&mut process(8));
    one.suspend(&mut process(8));
    let seen = one.snapshot().expect("it lives");
    assert_eq!((seen.trap_exit, seen.messages), (TrapExit::All, 1));
    assert_eq!(seen.message_bytes, message(2, 7, 10).bytes());
    assert_eq!(seen.links, [pid(2)]);
    assert_eq!(seen.monitors, [(reference(5), pid(3))]);
    assert_eq!(seen.monitored_by, [(reference(6), pid(4))]);
    assert_eq!(seen.suspending, [(pid(8), 2)]);
    assert_eq!(seen.label.as_deref(), Some("clock"));
    assert!(!seen.suspended && !seen.waiting);
    one.end(ExitReason::Normal);
    assert_eq!(one.snapshot(), None);
}

#[test]
fn what_few_processes_have_costs_the_others_two_pointers() {
    // Every process pays for this; what is rare goes behind one of the two boxes.
    let fixed = size_of::<Process>();
    assert!(fixed <= 312, "a process grew to {fixed} bytes");
}
