//! Aliases: what ends each kind, what comes through, and who may end them, as OTP 25 answers.

mod support;

use lunatic_model::{
    AliasMode, Delivery, Envelope, ExitReason, Filter, Limits, MonitorOptions, Position, Process,
    Ref, Scan, Signal,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{cases, drain, message, pid, process, reference};

const OWNER: u64 = 1;
const TARGET: u64 = 2;
const MODES: [AliasMode; 4] =
    [AliasMode::ExplicitUnalias, AliasMode::Reply, AliasMode::Demonitor, AliasMode::ReplyDemonitor];

fn by_alias(owner: &mut Process, alias: Ref, priority: bool) -> (bool, Option<u64>) {
    let before = owner.mailbox_len();
    let done = owner.deliver_by_alias(alias, message(3, 7, 0), priority, None);
    let arrived = owner.mailbox_len() > before;
    (arrived, done.demonitor.map(|pid| pid.serial))
}

fn down(reference: Ref) -> Signal {
    Signal::Down { reference, from: pid(TARGET), reason: ExitReason::Normal }
}

/// An owner with one alias, which came with a monitor where the mode has one.
fn owner(mode: AliasMode) -> (Process, Ref) {
    let (mut owner, alias) = (process(OWNER), reference(9));
    if mode == AliasMode::Reply {
        owner.alias(alias, mode, false);
    } else {
        let options = MonitorOptions { alias: Some((mode, false)), ..MonitorOptions::default() };
        assert!(owner.monitor_with(alias, pid(TARGET), options).is_some());
    }
    (owner, alias)
}

#[test]
fn each_kind_of_alias_ends_by_what_the_table_says() {
    #[rustfmt::skip]
    let table = [
        // mode             a message  a down  a demonitor
        (MODES[0],          false,     false,  false),
        (MODES[1],          true,      false,  false),
        (MODES[2],          false,     true,   true),
        (MODES[3],          true,      true,   true),
    ];
    for (mode, message, by_down, by_demonitor) in table {
        let (mut one, alias) = owner(mode);
        by_alias(&mut one, alias, false);
        assert_eq!(one.has_alias(alias), !message, "{mode:?}, a message");
        let (mut one, alias) = owner(mode);
        one.deliver(down(alias));
        assert_eq!(one.has_alias(alias), !by_down, "{mode:?}, a down");
        let (mut one, alias) = owner(mode);
        one.demonitor(alias, false);
        assert_eq!(one.has_alias(alias), !by_demonitor, "{mode:?}, a demonitor");
        let (mut one, alias) = owner(mode);
        assert!(one.unalias(alias), "{mode:?}");
        assert!(!one.unalias(alias), "{mode:?}, twice");
    }
}

#[test]
fn what_comes_after_the_end_is_dropped_and_what_was_queued_stays() {
    let (mut owner, alias) = owner(AliasMode::ExplicitUnalias);
    assert!(by_alias(&mut owner, alias, false).0);
    owner.unalias(alias);
    let late = owner.deliver_by_alias(alias, message(3, 8, 0), false, None);
    assert!(late.ended && matches!(late.delivery, Delivery::Dead(_)));
    let [Envelope::Message(queued)] = &drain(&mut owner)[..] else { panic!("one was queued") };
    assert_eq!(queued.reference.as_deref(), Some(&alias), "it says how it came");
}

#[test]
fn unalias_leaves_the_monitor_and_its_down() {
    let (mut owner, alias) = owner(AliasMode::ReplyDemonitor);
    owner.unalias(alias);
    assert_eq!(owner.monitors_of(pid(TARGET)), [alias]);
    owner.deliver(down(alias));
    assert!(matches!(&drain(&mut owner)[..], [Envelope::Down { .. }]));
}

#[test]
fn a_reply_ends_the_monitor_and_no_down_follows() {
    let (mut owner, alias) = owner(AliasMode::ReplyDemonitor);
    assert_eq!(by_alias(&mut owner, alias, false), (true, Some(TARGET)));
    assert!(owner.monitors_of(pid(TARGET)).is_empty());
    owner.deliver(down(alias));
    assert!(matches!(&drain(&mut owner)[..], [Envelope::Message(_)]));
}

#[test]
fn a_reply_to_a_full_mailbox_ends_nothing_until_it_is_in() {
    let limits = Limits { mailbox_messages_max: 1, ..Limits::default() };
    let (mut owner, alias) = (Process::new(pid(OWNER), limits), reference(9));
    owner.alias(alias, AliasMode::Reply, false);
    owner.deliver(Signal::Message(message(3, 1, 0)));
    let full = owner.deliver_by_alias(alias, message(4, 7, 0), false, None);
    assert!(!full.ended && matches!(full.delivery, Delivery::Full(_)));
    assert!(owner.has_alias(alias));
    drain(&mut owner);
    assert!(by_alias(&mut owner, alias, false).0);
    assert!(!owner.has_alias(alias));
}

#[test]
fn a_message_through_an_alias_wakes_who_waits_for_it() {
    let (mut owner, alias) = owner(AliasMode::Reply);
    assert!(matches!(owner.receive(&Filter::Any, Position::START), Scan::Nothing(_)));
    let done = owner.deliver_by_alias(alias, message(3, 7, 0), false, None);
    assert!(matches!(done.delivery, Delivery::Wake));
}

#[test]
fn a_priority_message_passes_others_only_where_the_alias_takes_such() {
    for (takes, asks, first) in
        [(true, true, 9), (true, false, 5), (false, true, 5), (false, false, 5)]
    {
        let mut owner = process(OWNER);
        let alias = reference(9);
        owner.alias(alias, AliasMode::ExplicitUnalias, takes);
        owner.deliver(Signal::Message(message(3, 5, 0)));
        owner.deliver_by_alias(alias, message(3, 9, 0), asks, None);
        let Envelope::Message(found) = &drain(&mut owner)[0] else { panic!("a message") };
        assert_eq!(found.tag.0, first, "the alias takes: {takes}, the sender asks: {asks}");
    }
}

#[test]
fn downs_and_exits_go_before_messages_where_it_was_asked_for() {
    for priority in [true, false] {
        let mut owner = process(OWNER);
        owner.set_trap_exit(lunatic_model::TrapExit::All);
        owner.deliver(Signal::Message(message(3, 5, 0)));
        let options = MonitorOptions { priority, ..MonitorOptions::default() };
        owner.monitor_with(reference(1), pid(TARGET), options);
        owner.link_with(pid(TARGET), lunatic_model::Tag(4), priority);
        owner.deliver(down(reference(1)));
        owner.deliver(support::link_exit(TARGET, ExitReason::Normal));
        let first = matches!(&drain(&mut owner)[0], Envelope::Message(_));
        assert_eq!(first, !priority);
    }
}

#[test]
fn a_dead_process_hands_out_its_aliases_and_takes_nothing() {
    let (mut owner, alias) = owner(AliasMode::ExplicitUnalias);
    let leftovers = owner.die().leftovers.expect("it had an alias");
    assert_eq!(leftovers.aliases, [alias]);
    assert!(owner.deliver_by_alias(alias, message(3, 7, 0), false, None).ended);
}

#[test]
fn at_the_limit_of_aliases_the_process_ends() {
    let limits = Limits { aliases_max: 1, ..Limits::default() };
    let mut owner = Process::new(pid(OWNER), limits);
    owner.alias(reference(1), AliasMode::Reply, false);
    assert!(owner.is_alive());
    owner.alias(reference(2), AliasMode::Reply, false);
    assert_eq!(owner.exiting(), Some(&ExitReason::Limit("aliases_max")));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Make(u64, usize),
    Unalias(u64),
    Send(u64),
    Demonitor(u64),
    Down(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let one = || 0u64..4;
    prop_oneof![
        (one(), 0usize..4).prop_map(|(n, mode)| Step::Make(n, mode)),
        one().prop_map(Step::Unalias),
        one().prop_map(Step::Send),
        one().prop_map(Step::Demonitor),
        one().prop_map(Step::Down),
    ]
}

proptest! {
    #![proptest_config(cases(1500))]

    /// Two flags for each reference say it all: whether it is an alias, whether it is a monitor.
    #[test]
    fn aliases_and_their_monitors_do_what_two_flags_do(steps in vec(step(), 0..60)) {
        let mut owner = process(OWNER);
        let mut flags = [(None, false); 4];
        for step in steps {
            match step {
                // References are never used twice: one is made only when both flags are down.
                Step::Make(n, mode) if flags[n as usize] == (None, false) => {
                    let mode = MODES[mode];
                    let monitored = mode != AliasMode::Reply;
                    if monitored {
                        let alias = Some((mode, false));
                        let options = MonitorOptions { alias, ..MonitorOptions::default() };
                        owner.monitor_with(reference(n), pid(TARGET), options);
                    } else {
                        owner.alias(reference(n), mode, false);
                    }
                    flags[n as usize] = (Some(mode), monitored);
                }
                Step::Make(..) => {}
                Step::Unalias(n) => {
                    let active = flags[n as usize].0.take().is_some();
                    prop_assert_eq!(owner.unalias(reference(n)), active);
                }
                Step::Send(n) => {
                    let (mode, monitored) = flags[n as usize];
                    let (arrived, demonitor) = by_alias(&mut owner, reference(n), false);
                    prop_assert_eq!(arrived, mode.is_some());
                    let ends = matches!(mode, Some(AliasMode::Reply | AliasMode::ReplyDemonitor));
                    prop_assert_eq!(demonitor.is_some(), ends && monitored);
                    if ends {
                        flags[n as usize] = (None, false);
                    }
                }
                Step::Demonitor(n) | Step::Down(n) => {
                    let (mode, monitored) = flags[n as usize];
                    if let Step::Down(_) = step {
                        let before = owner.mailbox_len();
                        owner.deliver(down(reference(n)));
                        prop_assert_eq!(owner.mailbox_len() > before, monitored);
                    } else {
                        let removed = owner.demonitor(reference(n), false).is_some();
                        prop_assert_eq!(removed, monitored);
                    }
                    let ends = mode.is_some_and(AliasMode::ends_with_monitor) && monitored;
                    flags[n as usize] = (mode.filter(|_| !ends), false);
                }
            }
            for n in 0..4 {
                prop_assert_eq!(owner.has_alias(reference(n)), flags[n as usize].0.is_some());
            }
        }
    }
}
