//! Listeners as additions to the old ABI know them: accepting with a timeout, several processes at
//! one listener, listeners in messages.

use crate::common::{passes, traps};

/// Sends a listener to a process, and takes the one in the next message.
const GIVE_LISTENER: &str = "(func $give_listener (param $listener i64) (param $to i64)
    (call $message.create_data (i64.const 0) (i64.const 0))
    (call $is64 (call $message.push_tcp_listener (local.get $listener)) (i64.const 0))
    (call $is (call $message.send (local.get $to)) (i32.const 0)))
(func $take_listener (result i64)
    (call $is (call $next) (i32.const 0))
    (call $message.take_tcp_listener (i64.const 0)))";

/// The code of an accept.
const ACCEPT_CODE: &str = "(func $accept_code (param $listener i64) (result i32)
    (call $networking.tcp_accept
        (local.get $listener) (i32.const 0x3010) (i32.const 0x3018)))";

// 34
#[test]
fn an_accept_times_out_without_a_trace_and_takes_what_is_there_whatever_the_timeout() {
    passes(&format!(
        r#"{ACCEPT_CODE}
        (func (export "_start") (local $port i32) (local $i i32)
            (local.set $port (call $listener_port (call $listen)))
            (call $is64 (call $networking.get_accept_timeout (i64.const 0)) (i64.const -1))
            (call $networking.set_accept_timeout (i64.const 0) (i64.const 1))
            (call $is64 (call $networking.get_accept_timeout (i64.const 0)) (i64.const 1))
            (i64.store (i32.const 0x3010) (i64.const 55))
            (i64.store (i32.const 0x3018) (i64.const 66))
            (call $is (call $accept_code (i64.const 0)) (i32.const 9027))
            (call $is64 (call $out) (i64.const 55))
            (call $is64 (i64.load (i32.const 0x3018)) (i64.const 66))
            (call $networking.set_accept_timeout (i64.const 0) (i64.const 0))
            ;; Over the loopback interface, a connection is there when it is made.
            (loop $again
                (call $networking.drop_tcp_stream (call $connect (local.get $port)))
                (call $networking.drop_tcp_stream (call $accept (i64.const 0)))
                (call $is (call $accept_code (i64.const 0)) (i32.const 9027))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 100)))))"#
    ));
}

#[test]
fn a_timeout_of_a_listener_belongs_to_all_its_clones() {
    passes(&format!(
        r#"{ACCEPT_CODE}
        (func (export "_start")
            (drop (call $listen))
            (call $is64 (call $networking.clone_tcp_listener (i64.const 0)) (i64.const 1))
            (call $networking.set_accept_timeout (i64.const 1) (i64.const 3))
            (call $is64 (call $networking.get_accept_timeout (i64.const 0)) (i64.const 3))
            (call $is (call $accept_code (i64.const 0)) (i32.const 9027)))"#
    ));
}

#[test]
fn several_processes_accept_at_one_listener_and_each_connection_goes_to_one() {
    passes(&format!(
        r#"{GIVE_LISTENER}
        (func (export "acceptor") (param $parent i64) (local $listener i64) (local $stream i64)
            (local.set $listener (call $take_listener))
            (loop $more
                (local.set $stream (call $accept (local.get $listener)))
                (call $put (local.get $stream) @"served")
                (call $networking.drop_tcp_stream (local.get $stream))
                (br $more)))
        (func (export "_start") (local $i i32) (local $port i32) (local $stream i64)
            (local.set $port (call $listener_port (call $listen)))
            (loop $more
                (call $give_listener (call $networking.clone_tcp_listener (i64.const 0))
                    (call $spawn_for_me (i64.const 1) @"acceptor"))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 4))))
            (call $networking.drop_tcp_listener (i64.const 0))
            (loop $more
                (local.set $stream (call $connect (local.get $port)))
                (call $get (local.get $stream) @"served")
                (call $get_end (local.get $stream))
                (call $networking.drop_tcp_stream (local.get $stream))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $i) (i32.const 40)))))"#
    ));
}

#[test]
fn a_listener_in_a_message_leaves_its_process_and_keeps_its_port_until_nobody_has_it() {
    passes(&format!(
        r#"{GIVE_LISTENER} {ACCEPT_CODE}
        (table funcref (elem $use $take_stream_instead))
        (func $use (drop (call $accept_code (i64.const 0))))
        (func $take_stream_instead (drop (call $message.take_tcp_stream (i64.const 0))))
        (func (export "server")
            (call $is (call $next) (i32.const 0))
            (call $is (call $try (i32.const 1)) (i32.const 0))
            (call $is64 (call $message.take_tcp_listener (i64.const 0)) (i64.const 0))
            (call $put (call $accept (i64.const 0)) @"from there"))
        (func (export "idle") (call $process.sleep_ms (i64.const -1)))
        (func (export "_start") (local $port i32) (local $server i64)
            (local.set $port (call $listener_port (call $listen)))
            (local.set $server (call $spawn (i64.const 0) @"server"))
            (call $process.monitor (local.get $server))
            (call $give_listener (i64.const 0) (local.get $server))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $get (call $connect (local.get $port)) @"from there")
            (call $is (call $next) (i32.const 2))
            ;; In a message that nobody takes it goes with the message.
            (call $is (call $bind (local.get $port)) (i32.const 0))
            (local.set $server (call $spawn (i64.const 0) @"idle"))
            (call $process.monitor (local.get $server))
            (call $give_listener (i64.const 1) (local.get $server))
            (call $is (call $bind (local.get $port)) (i32.const 1))
            (call $process.kill (local.get $server))
            (call $is (call $next) (i32.const 2))
            (call $is (call $bind (local.get $port)) (i32.const 0)))"#
    ));
}

#[test]
fn unknown_listeners_trap() {
    let missing = "this process has no TCP listener with id 5";
    for call in [
        "(drop (call $networking.clone_tcp_listener (i64.const 5)))",
        "(call $networking.set_accept_timeout (i64.const 5) (i64.const 1))",
        "(drop (call $networking.get_accept_timeout (i64.const 5)))",
        "(call $message.create_data (i64.const 0) (i64.const 0))
            (drop (call $message.push_tcp_listener (i64.const 5)))",
    ] {
        traps(call, missing);
    }
    let take = "(call $message.create_data (i64.const 0) (i64.const 0))
        (drop (call $message.take_tcp_listener (i64.const 0)))";
    traps(take, "the message has no TCP listener at index 0");
}
