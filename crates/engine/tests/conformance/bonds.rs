//! Links, monitors and aliases by pid and reference.

use lunatic_engine::ExitReason;

use crate::common::{passes, reason, reason_limited, traps};

const TRAP_EXITS: &str = "(drop (call $flag (i32.const 0) (i64.const 1)))";
const WAITS: &str = r#"(func (export "waits") (call $comes (i32.const 0)))"#;

#[test]
fn a_link_tells_who_ended_and_why_and_no_more_once_it_is_removed() {
    passes(&format!(
        r#"{WAITS}
        (func $end (param $child i64)
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 11) @"gone"))
        (func (export "_start") (local $child i64)
            {TRAP_EXITS}
            (local.set $child (call $child (i32.const 0) @"waits"))
            (call $process.link_pid (i64.const 0) (local.get $child) (i64.const 5) (i32.const 0))
            (call $end (local.get $child))
            (call $comes (i32.const 1))
            (call $is64 (call $from) (local.get $child))
            (call $is64 (i64.load (i32.const 0x3288)) (i64.const 5))
            (call $is64 (call $message.get_tag) (i64.const 5))
            (call $is (call $why) (i32.const 11))
            (call $reads @"gone")
            (local.set $child (call $child (i32.const 3) @"waits"))
            (call $process.unlink_pid (i64.const 0) (local.get $child))
            (call $end (local.get $child))
            (call $comes (i32.const 2))
            (call $is (call $come (i64.const 0)) (i32.const 9027)))"#
    ));
}

#[test]
fn a_pid_of_another_node_is_nobody() {
    passes(&format!(
        r#"(func (export "_start") (local $me i64)
            {TRAP_EXITS}
            (local.set $me (call $process.process_id))
            (call $process.link_pid (i64.const 7) (local.get $me) (i64.const 5) (i32.const 0))
            (call $comes (i32.const 1))
            (call $is (call $why) (i32.const 4))
            (call $is64 (i64.load (i32.const 0x3290)) (i64.const 7))
            (call $process.monitor_pid (i64.const 0x100000000) (local.get $me) (i32.const 0)
                (i32.const 0x33c0))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 4))
            (call $is64 (i64.load (i32.const 0x3290)) (i64.const 0x100000000))
            (call $is (call $process.is_alive (i64.const 7) (local.get $me)) (i32.const 0))
            (call $is (call $process.is_alive (i64.const 0) (local.get $me)) (i32.const 1))
            (call $draft (i64.const 1))
            (call $is (call $message.send_pid (i64.const 7) (local.get $me) (i64.const 0))
                (i32.const 0))
            (call $is (call $come (i64.const 0)) (i32.const 9027)))"#
    ));
}

#[test]
fn each_monitor_has_a_reference_by_which_its_down_is_known() {
    passes(&format!(
        r#"{WAITS}
        (func (export "_start") (local $child i64) (local $one i64) (local $two i64)
            (local.set $child (call $child (i32.const 0) @"waits"))
            (call $process.monitor_pid (i64.const 0) (local.get $child) (i32.const 0)
                (i32.const 0x33c0))
            (local.set $one (call $ref))
            (call $process.monitor_pid (i64.const 0) (local.get $child) (i32.const 0)
                (i32.const 0x33c0))
            (local.set $two (call $ref))
            (call $is (call $process.demonitor (i64.const 0) (local.get $one) (i32.const 0))
                (i32.const 1))
            (call $is (call $process.demonitor (i64.const 0) (local.get $one) (i32.const 1))
                (i32.const 0))
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 1)
                (i32.const 0) (i32.const 0))
            (call $comes (i32.const 2))
            (call $is64 (call $of) (local.get $two))
            (call $is64 (call $from) (local.get $child))
            (call $is (call $come (i64.const 0)) (i32.const 9027))
            ;; Of a dead one, at once; flushed before anybody receives it.
            (call $process.monitor_pid (i64.const 0) (local.get $child) (i32.const 0)
                (i32.const 0x33c0))
            (call $is (call $process.demonitor (i64.const 0) (call $ref) (i32.const 1))
                (i32.const 0))
            (call $is (call $come (i64.const 0)) (i32.const 9027))
            (call $is (call $process.demonitor (i64.const 0) (i64.const -1) (i32.const 1))
                (i32.const 0)))"#
    ));
}

#[test]
fn a_monitor_by_name_tells_the_name() {
    passes(&format!(
        r#"{WAITS}
        (func $named (param $wanted i32)
            (call $comes (i32.const 2))
            (call $is (i32.load (i32.const 0x32bc)) (i32.const 5))
            (call $is (call $message.monitored_name (i32.const 0x3400) (i32.const 0x20))
                (i32.const 5))
            (call $is (call $same (i32.const 0x3400) @"clock") (i32.const 1))
            (call $is (call $why) (local.get $wanted)))
        (func (export "_start") (local $child i64)
            (call $process.monitor_name @"clock" (i32.const 0) (i32.const 0x33c0))
            (call $named (i32.const 4))
            (call $is64 (call $from) (i64.const 0))
            (local.set $child (call $child (i32.const 0) @"waits"))
            (call $is (call $registry.register @"clock" (i64.const 0) (local.get $child))
                (i32.const 0))
            (call $process.monitor_name @"clock" (i32.const 0) (i32.const 0x33c0))
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 1)
                (i32.const 0) (i32.const 0))
            (call $named (i32.const 1))
            (call $is64 (call $from) (local.get $child))
            ;; As much as there is room for.
            (i32.store (i32.const 0x3400) (i32.const 0))
            (call $is (call $message.monitored_name (i32.const 0x3400) (i32.const 2))
                (i32.const 5))
            (call $is (i32.load (i32.const 0x3400)) (i32.const 0x6c63))
            (call $draft (i64.const 0))
            (call $is (call $message.monitored_name (i32.const 0) (i32.const 0))
                (i32.const 0)))"#
    ));
}

#[test]
fn an_alias_is_sent_to_until_it_is_ended() {
    passes(
        r#"(func $send (param $of i64) (param $tag i64)
            (call $draft (local.get $tag))
            (call $is
                (call $message.send_alias (i64.const 0) (local.get $of) (i32.const 0)
                    (i64.const -1))
                (i32.const 0)))
        (func (export "_start") (local $of i64)
            (call $process.alias (i32.const 0) (i32.const 0x33c0))
            (local.set $of (call $ref))
            (call $send (local.get $of) (i64.const 1))
            (call $send (local.get $of) (i64.const 2))
            (call $is (call $process.unalias (i64.const 0) (local.get $of)) (i32.const 1))
            (call $is (call $process.unalias (i64.const 0) (local.get $of)) (i32.const 0))
            (call $send (local.get $of) (i64.const 3))
            (call $comes (i32.const 0))
            (call $is64 (call $of) (local.get $of))
            (call $is64 (call $from) (call $process.process_id))
            (call $comes (i32.const 0))
            (call $is64 (call $message.get_tag) (i64.const 2))
            (call $is (call $come (i64.const 0)) (i32.const 9027))
            ;; One reply.
            (call $process.alias (i32.const 1) (i32.const 0x33c0))
            (call $send (call $ref) (i64.const 4))
            (call $send (call $ref) (i64.const 5))
            (call $comes (i32.const 0))
            (call $is64 (call $message.get_tag) (i64.const 4))
            (call $is (call $come (i64.const 0)) (i32.const 9027))
            (call $is (call $process.unalias (i64.const 0) (call $ref)) (i32.const 0)))"#,
    );
}

#[test]
fn a_call_is_a_monitor_whose_reference_is_an_alias() {
    // Flags 3: the reply ends the monitor, and a down the alias.
    passes(
        r#"(func (export "serves") (param $client i64) (local $of i64)
            (call $comes (i32.const 0))
            (local.set $of (call $value))
            (call $draft (i64.const 7))
            (drop (call $message.send_alias (i64.const 0) (local.get $of) (i32.const 0)
                (i64.const -1)))
            (call $draft (i64.const 8))
            (drop (call $message.send_alias (i64.const 0) (local.get $of) (i32.const 0)
                (i64.const -1))))
        (func (export "dies") (param $client i64) (call $comes (i32.const 0)))
        (func $call (param $server i64)
            (call $process.monitor_pid (i64.const 0) (local.get $server) (i32.const 3)
                (i32.const 0x33c0))
            (call $tell (local.get $server) (i64.const 0) (call $ref))
            (call $pattern (i32.const 0) (i32.const 5) (i32.const 4)
                (i64.const 0) (i64.const 0) (call $ref))
            (call $is (call $match (i32.const 1) (i32.const 0) (i64.const -1)) (i32.const 0)))
        (func (export "_start") (local $server i64)
            (call $options (i32.const 0) @"serves")
            (call $for_me)
            (local.set $server (call $spawn_it))
            (call $process.monitor_pid (i64.const 0) (local.get $server) (i32.const 0)
                (i32.const 0x33d0))
            (call $call (local.get $server))
            (call $is (i32.load (i32.const 0x3280)) (i32.const 0))
            (call $is64 (call $message.get_tag) (i64.const 7))
            ;; The other monitor tells of the end; nothing else comes.
            (call $comes (i32.const 2))
            (call $is64 (call $of) (i64.load (i32.const 0x33d8)))
            (call $is (call $come (i64.const 0)) (i32.const 9027))
            (call $options (i32.const 0) @"dies")
            (call $for_me)
            (local.set $server (call $spawn_it))
            (call $call (local.get $server))
            (call $is (i32.load (i32.const 0x3280)) (i32.const 2))
            (call $is (call $process.unalias (i64.const 0) (call $ref)) (i32.const 0)))"#,
    );
}

#[test]
fn priority_messages_and_downs_go_first_where_the_receiver_asked_for_that() {
    passes(
        r#"(func $send (param $flags i32) (param $tag i64)
            (call $draft (local.get $tag))
            (drop (call $message.send_alias (i64.const 0) (call $ref) (local.get $flags)
                (i64.const -1))))
        (func $tagged (param $tag i64)
            (call $comes (i32.const 0))
            (call $is64 (call $message.get_tag) (local.get $tag)))
        (func (export "_start")
            (call $process.alias (i32.const 2) (i32.const 0x33c0))
            (call $send (i32.const 0) (i64.const 1))
            (call $send (i32.const 1) (i64.const 2))
            (call $send (i32.const 0) (i64.const 3))
            (call $send (i32.const 1) (i64.const 4))
            (call $tagged (i64.const 2))
            (call $tagged (i64.const 4))
            (call $tagged (i64.const 1))
            (call $process.monitor_pid (i64.const 0) (i64.const 0) (i32.const 4)
                (i32.const 0x33d0))
            (call $comes (i32.const 2))
            (call $tagged (i64.const 3))
            ;; An alias that takes none.
            (call $process.alias (i32.const 0) (i32.const 0x33c0))
            (call $send (i32.const 0) (i64.const 5))
            (call $send (i32.const 1) (i64.const 6))
            (call $tagged (i64.const 5))
            ;; A link.
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (call $process.link_pid (i64.const 0) (i64.const 0) (i64.const 9) (i32.const 1))
            (call $comes (i32.const 1))
            (call $tagged (i64.const 6)))"#,
    );
}

#[test]
fn flags_that_do_not_exist_and_places_outside_of_the_memory_trap() {
    let flags = "some that do not exist";
    let outside = "outside of the memory";
    for (call, text) in [
        ("(call $process.link_pid (i64.const 0) (i64.const 0) (i64.const 1) (i32.const 2))", flags),
        ("(call $process.alias (i32.const 4) (i32.const 0))", flags),
        ("(drop (call $process.demonitor (i64.const 0) (i64.const 0) (i32.const 2)))", flags),
        (
            "(call $process.monitor_pid (i64.const 0) (i64.const 0) (i32.const 16) (i32.const 0))",
            flags,
        ),
        (
            "(call $process.monitor_pid (i64.const 0) (i64.const 0) (i32.const -1) (i32.const 0))",
            flags,
        ),
        (
            "(call $process.monitor_pid (i64.const 0) (i64.const 0) (i32.const 0)
                (i32.const 0xfff1))",
            outside,
        ),
        ("(call $process.alias (i32.const 0) (i32.const -1))", outside),
        ("(call $process.monitor_name @\"clock\" (i32.const 0) (i32.const 0xfff1))", outside),
        (
            "(call $process.monitor_name (i32.const 0xffff) (i32.const 2) (i32.const 0)
                (i32.const 0))",
            outside,
        ),
        (
            "(call $process.monitor_name (i32.const 0) (i32.const 4097) (i32.const 0)
                (i32.const 0))",
            "name_bytes_max",
        ),
        ("(call $process.monitor_name @\"\\ff\" (i32.const 0) (i32.const 0))", "UTF-8"),
        ("(drop (call $message.monitored_name (i32.const 0) (i32.const -1)))", outside),
    ] {
        traps(call, text);
    }
}

#[test]
fn a_start_section_makes_no_bonds() {
    for call in [
        "(call $process.link_pid (i64.const 0) (i64.const 0) (i64.const 1) (i32.const 0))",
        "(call $process.monitor_pid (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0))",
        "(call $process.monitor_name @\"a\" (i32.const 0) (i32.const 0))",
        "(call $process.alias (i32.const 0) (i32.const 0))",
        "(drop (call $process.suspend (i64.const 0) (i64.const 0) (i32.const 0)))",
    ] {
        let source = format!(r#"(func $begin {call}) (start $begin) (func (export "_start"))"#);
        let module = crate::common::guest::module(&source);
        let config = crate::common::config(|_, _| {});
        let refused = crate::common::run_with(&module, config).expect_err("it traps");
        assert!(refused.to_string().contains("start section"), "{call}: {refused}");
    }
}

#[test]
fn at_its_limits_of_bonds_a_process_ends() {
    let call = r#"(loop $more
        (call $process.alias (i32.const 0) (i32.const 0x33c0))
        (call $process.monitor_pid (i64.const 0) (i64.const -2) (i32.const 0)
            (i32.const 0x33c0))
        (br $more))"#;
    let source = format!(r#"(func (export "_start") {call})"#);
    let ended = reason_limited(&source, |limits, _| limits.aliases_max = 10);
    assert_eq!(ended, ExitReason::Limit("aliases_max"));
    let ended = reason_limited(&source, |limits, _| limits.monitors_max = 10);
    assert_eq!(ended, ExitReason::Limit("monitors_max"));
    let normal = reason(r#"(func (export "_start") (drop (call $process.process_id)))"#);
    assert_eq!(normal, ExitReason::Normal);
}
