//! `lunatic::networking`: TCP listeners and streams, over the loopback interface.

use lunatic_engine::ExitReason;

use crate::common::{passes, passes_limited, reason_limited, traps};

/// Tells the parent, given as parameter, the port of listener 0.
const TELL_PORT: &str = "(drop (call $listen))
    (call $tell (local.get $parent) (i64.const 0)
        (i64.extend_i32_u (call $listener_port (i64.const 0))))";

#[test]
fn two_processes_talk_over_a_connection() {
    passes(&format!(
        r#"(func (export "server") (param $parent i64) (local $stream i64) (local $count i32)
            {TELL_PORT}
            (local.set $stream (call $accept (i64.const 0)))
            (loop $echo
                (call $is (call $tcp_read (local.get $stream) (i32.const 100)) (i32.const 0))
                (local.set $count (i32.wrap_i64 (call $out)))
                (if (local.get $count) (then
                    (call $put (local.get $stream) (i32.const 0) (local.get $count))
                    (br $echo)))))
        (func (export "_start") (local $server i64) (local $stream i64)
            (local.set $server (call $spawn_for_me (i64.const 1) @"server"))
            (call $is (call $next) (i32.const 0))
            (local.set $stream (call $connect (i32.wrap_i64 (call $value))))
            (call $put (local.get $stream) @"hello")
            (call $get (local.get $stream) @"hello")
            (call $put (local.get $stream) @"again")
            (call $get (local.get $stream) @"again")
            (call $process.monitor (local.get $server))
            (call $networking.drop_tcp_stream (local.get $stream))
            (call $is (call $next) (i32.const 2)))"#
    ));
}

#[test]
fn both_ends_know_each_other_by_address() {
    passes(
        r#"(func (export "_start") (local $port i32)
            (local.set $port (call $listener_port (call $listen)))
            ;; What is above 16 bits of a port says nothing.
            (call $is64
                (call $connect (i32.or (local.get $port) (i32.const 0x70000))) (i64.const 0))
            (call $is64 (call $accept (i64.const 0)) (i64.const 1))
            (call $is
                (call $networking.tcp_peer_addr (i64.const 0) (i32.const 0x3010))
                (i32.const 0))
            (call $is (call $port (call $out)) (local.get $port))
            (call $is
                (call $networking.tcp_peer_addr (i64.const 1) (i32.const 0x3010))
                (i32.const 0))
            (call $is (call $port (call $out)) (global.get $peer_port)))"#,
    );
}

#[test]
fn a_refused_connection_and_a_taken_port_are_errors_with_their_cause() {
    passes(
        r#"(func (export "_start") (local $port i32)
            (local.set $port (call $listener_port (call $listen)))
            (call $is (call $bind (local.get $port)) (i32.const 1))
            (call $is (call $error_has (call $out) @"cannot listen at 127.0.0.1:") (i32.const 1))
            (call $networking.drop_tcp_listener (i64.const 0))
            (call $is (call $connect_code (local.get $port) (i64.const -1)) (i32.const 1))
            (call $is (call $error_has (call $out) @"cannot connect to 127") (i32.const 1))
            (call $is (call $error_has (call $out) @"refused") (i32.const 1)))"#,
    );
}

// 31
#[test]
fn a_read_times_out_without_a_trace_and_gets_what_comes_later() {
    passes(
        r#"(func (export "_start")
            (call $pair)
            (i64.store (i32.const 0x3010) (i64.const 55))
            (call $networking.set_read_timeout (i64.const 1) (i64.const 1))
            (call $is (call $tcp_read (i64.const 1) (i32.const 9)) (i32.const 9027))
            (call $is64 (call $out) (i64.const 55))
            (call $error.drop (i64.const 0))
            (call $put (i64.const 0) @"late")
            ;; Now it is there: what can be done at once is done, whatever the timeout.
            (call $is (call $tcp_peek (i64.const 1) (i32.const 1)) (i32.const 0))
            (call $networking.set_read_timeout (i64.const 1) (i64.const 0))
            (call $get (i64.const 1) @"late")
            (call $is (call $tcp_read (i64.const 1) (i32.const 9)) (i32.const 9027))
            (call $networking.set_read_timeout (i64.const 1) (i64.const -1))
            (call $networking.drop_tcp_stream (i64.const 0))
            (call $get_end (i64.const 1))
            (call $get_end (i64.const 1)))"#,
    );
}

// 30
#[test]
fn a_peek_consumes_nothing_with_a_timeout_or_without() {
    passes(
        r#"(func (export "_start")
            (call $pair)
            (call $networking.set_peek_timeout (i64.const 1) (i64.const 1))
            (call $is (call $tcp_peek (i64.const 1) (i32.const 9)) (i32.const 9027))
            (call $put (i64.const 0) @"seen")
            (call $networking.set_peek_timeout (i64.const 1) (i64.const -1))
            (call $is (call $tcp_peek (i64.const 1) (i32.const 2)) (i32.const 0))
            (call $is64 (call $out) (i64.const 2))
            (call $is (call $same (i32.const 0) @"se") (i32.const 1))
            (call $networking.set_peek_timeout (i64.const 1) (i64.const 0))
            (call $is (call $tcp_peek (i64.const 1) (i32.const 9)) (i32.const 0))
            (call $is64 (call $out) (i64.const 4))
            (call $get (i64.const 1) @"seen")
            (call $is (call $tcp_peek (i64.const 1) (i32.const 9)) (i32.const 9027))
            (call $networking.drop_tcp_stream (i64.const 0))
            (call $networking.set_peek_timeout (i64.const 1) (i64.const -1))
            (call $is (call $tcp_peek (i64.const 1) (i32.const 9)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0)))"#,
    );
}

// 32: the child waits in a read of the same connection all the time.
#[test]
fn while_one_clone_reads_others_write_and_change_timeouts() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (drop (call $take_stream))
            (call $is64 (call $networking.get_write_timeout (i64.const 0)) (i64.const 1234))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (call $get (i64.const 0) @"answer")
            (call $is64 (call $networking.get_read_timeout (i64.const 0)) (i64.const 55555))
            (call $is64 (call $networking.get_peek_timeout (i64.const 0)) (i64.const 66666)))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn_for_me (i64.const 1) @"child"))
            (call $pair)
            (call $is64 (call $networking.get_read_timeout (i64.const 1)) (i64.const -1))
            (call $is64 (call $networking.get_peek_timeout (i64.const 1)) (i64.const -1))
            (call $is64 (call $networking.get_write_timeout (i64.const 1)) (i64.const -1))
            (call $networking.set_write_timeout (i64.const 1) (i64.const 1234))
            (call $give_stream
                (call $networking.clone_tcp_stream (i64.const 1)) (local.get $child))
            (call $expect (i64.const 1))
            ;; The child reads as soon as this process waits for the first time.
            (call $process.sleep_ms (i64.const 1))
            (call $networking.set_read_timeout (i64.const 1) (i64.const 55555))
            (call $networking.set_peek_timeout (i64.const 1) (i64.const 66666))
            (call $is64 (call $networking.get_read_timeout (i64.const 1)) (i64.const 55555))
            (call $put (i64.const 1) @"question")
            (call $get (i64.const 0) @"question")
            (call $process.monitor (local.get $child))
            (call $put (i64.const 0) @"answer")
            (call $is (call $next) (i32.const 2)))"#,
    );
}

#[test]
fn a_reader_that_waits_for_its_turn_keeps_to_its_own_timeout() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (drop (call $take_stream))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (drop (call $tcp_read (i64.const 0) (i32.const 1))))
        (func (export "_start") (local $child i64)
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $pair)
            (call $give_stream
                (call $networking.clone_tcp_stream (i64.const 1)) (local.get $child))
            (call $expect (i64.const 1))
            (call $process.sleep_ms (i64.const 1))
            (call $networking.set_read_timeout (i64.const 1) (i64.const 1))
            (call $is (call $tcp_read (i64.const 1) (i32.const 9)) (i32.const 9027))
            (call $process.monitor (local.get $child))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 2))
            ;; Who was killed does not keep the turn.
            (call $networking.set_read_timeout (i64.const 1) (i64.const -1))
            (call $put (i64.const 0) @"mine")
            (call $get (i64.const 1) @"mine"))"#,
    );
}

#[test]
fn a_write_times_out_when_nobody_reads_and_goes_on_when_somebody_does() {
    passes(
        r#"(func (export "_start") (local $written i64) (local $code i32)
            (call $pair)
            (call $networking.set_write_timeout (i64.const 0) (i64.const 20))
            (loop $more
                (local.set $code (call $tcp_write (i64.const 0) (i32.const 0) (i32.const 0x10000)))
                (if (i32.eqz (local.get $code)) (then
                    (call $is (i64.gt_u (call $out) (i64.const 0)) (i32.const 1))
                    (local.set $written (i64.add (local.get $written) (call $out)))
                    (br $more))))
            (call $is (local.get $code) (i32.const 9027))
            ;; Not a byte was lost, and none was written by a call that timed out.
            (loop $more
                (call $is
                    (call $networking.tcp_read (i64.const 1)
                        (i32.const 0x5000) (i32.const 0xb000) (i32.const 0x3010))
                    (i32.const 0))
                (local.set $written (i64.sub (local.get $written) (call $out)))
                (br_if $more (i64.gt_s (local.get $written) (i64.const 0))))
            (call $is64 (local.get $written) (i64.const 0))
            (call $put (i64.const 0) @"more")
            (call $get (i64.const 1) @"more"))"#,
    );
}

#[test]
fn buffers_of_a_list_are_written_in_order() {
    passes(
        r#"(func (export "_start")
            (call $pair)
            (i32.store (i32.const 0x200) (i32.const 0x300)) ;; "ab"
            (i32.store (i32.const 0x204) (i32.const 2))
            (i32.store (i32.const 0x208) (i32.const 0x10000)) ;; nothing, at the very end
            (i32.store (i32.const 0x20c) (i32.const 0))
            (i32.store (i32.const 0x210) (i32.const 0x301)) ;; "bc"
            (i32.store (i32.const 0x214) (i32.const 2))
            (i32.store (i32.const 0x300) (i32.const 0x636261))
            (call $is
                (call $networking.tcp_write_vectored (i64.const 0)
                    (i32.const 0x200) (i32.const 3) (i32.const 0x3010))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 4))
            (call $get (i64.const 1) @"abbc")
            (call $is (call $networking.tcp_flush (i64.const 0) (i32.const 0x3010)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0)))"#,
    );
}

#[test]
fn nothing_is_read_or_written_at_once() {
    passes(
        r#"(func (export "_start")
            (call $pair)
            (call $is (call $tcp_read (i64.const 0) (i32.const 0)) (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $is (call $tcp_peek (i64.const 0) (i32.const 0)) (i32.const 0))
            (call $is
                (call $tcp_write (i64.const 0) (i32.const 0x10000) (i32.const 0))
                (i32.const 0))
            (call $is64 (call $out) (i64.const 0))
            (call $is
                (call $networking.tcp_write_vectored (i64.const 0)
                    (i32.const 0x10000) (i32.const 0) (i32.const 0x3010))
                (i32.const 0)))"#,
    );
}

#[test]
fn a_connection_closes_with_its_last_handle() {
    passes(
        r#"(table funcref (elem $use))
        (func $use (drop (call $networking.clone_tcp_stream (i64.const 0))))
        (func (export "_start")
            (call $pair)
            (call $is64 (call $networking.clone_tcp_stream (i64.const 0)) (i64.const 2))
            (call $networking.drop_tcp_stream (i64.const 0))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $put (i64.const 2) @"still here")
            (call $get (i64.const 1) @"still here")
            (call $networking.drop_tcp_stream (i64.const 2))
            (call $get_end (i64.const 1)))"#,
    );
}

#[test]
fn clones_in_two_processes_get_one_part_each() {
    passes(
        r#"(func (export "child") (param $parent i64)
            (drop (call $take_stream))
            (call $is (call $tcp_read (i64.const 0) (i32.const 1)) (i32.const 0))
            (call $is64 (call $out) (i64.const 1))
            (call $tell (local.get $parent) (i64.const 0) (i64.load8_u (i32.const 0))))
        (func (export "_start")
            (call $pair)
            (call $give_stream (call $networking.clone_tcp_stream (i64.const 1))
                (call $spawn_for_me (i64.const 1) @"child"))
            (call $give_stream (i64.const 1) (call $spawn_for_me (i64.const 1) @"child"))
            (call $put (i64.const 0) @"ab")
            (call $is (call $next) (i32.const 0))
            (i64.store (i32.const 0) (call $value))
            (call $is (call $next) (i32.const 0))
            (call $is64
                (i64.add (i64.load (i32.const 0)) (call $value)) (i64.const 195))
            (call $get_end (i64.const 0)))"#,
    );
}

#[test]
fn a_stream_in_a_message_leaves_the_process_and_is_taken_once() {
    passes(
        r#"(table funcref (elem $use $take $take_socket))
        (func $use (drop (call $networking.get_read_timeout (i64.const 1))))
        (func $take (drop (call $message.take_tcp_stream (i64.const 0))))
        (func $take_socket (drop (call $message.take_udp_socket (i64.const 0))))
        (func (export "child")
            (call $is (call $next) (i32.const 0))
            ;; One of another kind stays in its place.
            (call $is (call $try (i32.const 2)) (i32.const 0))
            (call $is64 (call $message.take_tcp_stream (i64.const 0)) (i64.const 0))
            (call $is (call $try (i32.const 1)) (i32.const 0))
            (call $put (i64.const 0) @"moved"))
        (func (export "_start")
            (call $pair)
            (call $give_stream (i64.const 1) (call $spawn (i64.const 1) @"child"))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $get (i64.const 0) @"moved")
            (call $get_end (i64.const 0)))"#,
    );
}

// 19
#[test]
fn a_push_that_traps_leaves_the_stream_with_its_process() {
    let program = r#"(table funcref (elem $push))
        (func $push (drop (call $message.push_tcp_stream (i64.const 0))))
        (func (export "_start")
            (call $pair)
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $message.create_data (i64.const 0) (i64.const 0))
            (call $is64 (call $message.push_tcp_stream (i64.const 1)) (i64.const 0))
            ;; One more than the message may hold.
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $is64 (call $message.take_tcp_stream (i64.const 0)) (i64.const 2))
            (call $put (i64.const 0) @"here")
            (call $get (i64.const 2) @"here"))"#;
    passes_limited(program, |limits, _| limits.message_resources_max = 1);
}

#[test]
fn a_stream_that_nobody_takes_closes_with_its_message() {
    passes(
        r#"(func (export "child") (call $process.sleep_ms (i64.const -1)))
        (func (export "_start") (local $child i64)
            (call $pair)
            (local.set $child (call $spawn (i64.const 0) @"child"))
            (call $give_stream (i64.const 1) (local.get $child))
            (call $process.kill (local.get $child))
            (call $get_end (i64.const 0))
            (call $give_stream (i64.const 0) (local.get $child))
            (call $message.create_data (i64.const 0) (i64.const 0)))"#,
    );
}

#[test]
fn whoever_hears_of_the_end_of_a_server_can_use_its_port_at_once() {
    let server = format!(
        r#"(func (export "server") (param $parent i64)
            {TELL_PORT}
            (drop (call $accept (i64.const 0)))
            (call $tell (local.get $parent) (i64.const 0) (i64.const 1))
            (drop (call $accept (i64.const 0))))"#
    );
    passes(&format!(
        r#"{server}
        (func (export "_start") (local $server i64) (local $port i32) (local $stream i64)
            (local $i i32)
            (call $process.die_when_link_dies (i32.const 0))
            (loop $again
                (local.set $server (call $spawn_for_me (i64.const 0) @"server"))
                (call $process.monitor (local.get $server))
                (call $is (call $next) (i32.const 0))
                (local.set $port (i32.wrap_i64 (call $value)))
                (local.set $stream (call $connect (local.get $port)))
                (call $expect (i64.const 1))
                (call $process.kill (local.get $server))
                (call $is (call $next) (i32.const 2))
                (call $is (call $bind (local.get $port)) (i32.const 0))
                (call $networking.drop_tcp_listener (call $out))
                (call $get_end (local.get $stream))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 20)))))"#
    ));
}

#[test]
fn more_handles_than_the_limit_end_the_process() {
    for body in [
        "(loop $more (drop (call $networking.clone_tcp_stream (i64.const 0))) (br $more))",
        "(loop $more (drop (call $listen)) (br $more))",
    ] {
        let program = format!(r#"(func (export "_start") (call $pair) {body})"#);
        let reason = reason_limited(&program, |limits, _| limits.resources_max = 10);
        assert_eq!(reason, ExitReason::Limit("resources_max"));
    }
}

#[test]
fn unknown_streams_and_listeners_trap() {
    let (n, out) = ("(i64.const 5)", "(i32.const 0)");
    for (function, arguments, result) in [
        ("tcp_peer_addr", out, true),
        ("drop_tcp_stream", "", false),
        ("clone_tcp_stream", "", true),
        ("tcp_write_vectored", "(i32.const 0) (i32.const 0) (i32.const 0)", true),
        ("tcp_peek", "(i32.const 0) (i32.const 0) (i32.const 0)", true),
        ("tcp_read", "(i32.const 0) (i32.const 0) (i32.const 0)", true),
        ("set_read_timeout", "(i64.const 1)", false),
        ("set_write_timeout", "(i64.const 1)", false),
        ("set_peek_timeout", "(i64.const 1)", false),
        ("get_read_timeout", "", true),
        ("get_write_timeout", "", true),
        ("get_peek_timeout", "", true),
        ("tcp_flush", out, true),
    ] {
        let call = format!("(call $networking.{function} {n} {arguments})");
        let body = if result { format!("(drop {call})") } else { call };
        traps(&body, "this process has no TCP stream with id 5");
    }
    let missing = "this process has no TCP listener with id 5";
    traps("(call $networking.drop_tcp_listener (i64.const 5))", missing);
    traps("(drop (call $networking.tcp_local_addr (i64.const 5) (i32.const 0)))", missing);
    let zeros = "(i32.const 0) (i32.const 0)";
    traps(&format!("(drop (call $networking.tcp_accept (i64.const 5) {zeros}))"), missing);
    let message = "(call $message.create_data (i64.const 0) (i64.const 0))";
    let push = "(drop (call $message.push_tcp_stream (i64.const 5)))";
    traps(&format!("{message} {push}"), "this process has no TCP stream with id 5");
    let take = "(drop (call $message.take_tcp_stream (i64.const 0)))";
    traps(&format!("{message} {take}"), "the message has no TCP stream at index 0");
}

#[test]
fn bad_pointers_trap_before_anything_is_begun() {
    let outside = "outside of the memory";
    for call in [
        "tcp_read (i64.const 0) (i32.const 0xffff) (i32.const 2) (i32.const 0)",
        "tcp_read (i64.const 0) (i32.const 0) (i32.const -1) (i32.const 0)",
        "tcp_read (i64.const 0) (i32.const 0) (i32.const 1) (i32.const 0xfff9)",
        "tcp_peek (i64.const 0) (i32.const 0xffff) (i32.const 2) (i32.const 0)",
        "tcp_peek (i64.const 0) (i32.const 0) (i32.const 1) (i32.const -8)",
        "tcp_write_vectored (i64.const 0) (i32.const 0xfff9) (i32.const 1) (i32.const 0)",
        "tcp_write_vectored (i64.const 0) (i32.const 0) (i32.const 0x20000000) (i32.const 0)",
        "tcp_write_vectored (i64.const 0) (i32.const 0) (i32.const -1) (i32.const 0)",
        "tcp_write_vectored (i64.const 0) (i32.const 8) (i32.const 2) (i32.const 0)",
        "tcp_write_vectored (i64.const 0) (i32.const 0) (i32.const 1) (i32.const -1)",
        "tcp_flush (i64.const 0) (i32.const -1)",
        "tcp_peer_addr (i64.const 0) (i32.const -1)",
    ] {
        // Two entries at 8, of which the second is bad.
        let entries = "(i64.store (i32.const 16) (i64.const 0x0000_0002_0000_ffff))";
        traps(&format!("(call $pair) {entries} (drop (call $networking.{call}))"), outside);
    }
    let listen = "(drop (call $listen))";
    for places in ["(i32.const -1) (i32.const 0)", "(i32.const 0) (i32.const -1)"] {
        let call = format!("(drop (call $networking.tcp_accept (i64.const 0) {places}))");
        traps(&format!("{listen} {call}"), outside);
    }
    traps(
        &format!("{listen} (drop (call $networking.tcp_local_addr (i64.const 0) (i32.const -1)))"),
        outside,
    );
}

#[test]
fn addresses_that_are_none_trap() {
    for (address, text) in [
        ("(i32.const 5) (i32.const 0)", "the type of an address is 4 or 6, not 5"),
        ("(i32.const 0) (i32.const 0)", "the type of an address is 4 or 6, not 0"),
        ("(i32.const 4) (i32.const 0xfffd)", "outside of the memory"),
        ("(i32.const 6) (i32.const 0xfff1)", "outside of the memory"),
    ] {
        let rest = "(i32.const 0) (i32.const 0) (i32.const 0)";
        traps(&format!("(drop (call $networking.tcp_bind {address} {rest} (i32.const 0)))"), text);
        let rest = format!("{rest} (i64.const 0)");
        traps(
            &format!("(drop (call $networking.tcp_connect {address} {rest} (i32.const 0)))"),
            text,
        );
    }
    let loopback = "(i32.const 4) (call $loopback) (i32.const 0) (i32.const 0) (i32.const 0)";
    traps(
        &format!("(drop (call $networking.tcp_bind {loopback} (i32.const -1)))"),
        "outside of the memory",
    );
    traps(
        &format!("(drop (call $networking.tcp_connect {loopback} (i64.const 0) (i32.const -1)))"),
        "outside of the memory",
    );
}
