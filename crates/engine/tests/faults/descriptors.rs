//! Descriptors: running out of them, and having as many as the system allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::common::{passes, runtime};
use crate::service::{Service, alone, descriptors, leaves_nothing};

/// Sets the limit of descriptors until it is dropped.
struct Limit(Rlimit);

impl Limit {
    fn set(current: u64) -> Limit {
        let before = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: Some(current), maximum: before.maximum };
        setrlimit(Resource::Nofile, limit).expect("it can always be lowered");
        Limit(before)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).expect("it may be what it was");
    }
}

/// Connects to itself until there are no descriptors; tries what needs one; then gives some back.
const GUEST: &str = r#"
    (func $accept_code (param $listener i64) (result i32)
        (call $networking.tcp_accept
            (local.get $listener) (i32.const 0x3010) (i32.const 0x3018)))
    (func (export "acceptor") (param $parent i64) (local $listener i64) (local $errors i64)
        (local.set $listener (call $take_listener))
        (loop $more
            (call $is (call $accept_code (local.get $listener)) (i32.const 1))
            (call $error.drop (call $out))
            (local.set $errors (i64.add (local.get $errors) (i64.const 1)))
            (br_if $more (i32.eq (i32.const 9027)
                (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0)))))
        (call $tell (local.get $parent) (i64.const 0) (local.get $errors)))
    (func (export "_start") (local $port i32) (local $code i32) (local $child i64)
        (local $errors i64)
        (call $hello (call $listen))
        (local.set $port (call $listener_port (i64.const 0)))
        (call $wait_for_go)
        (loop $more
            (local.set $code (call $connect_code (local.get $port) (i64.const -1)))
            (br_if $more (i32.eqz (local.get $code))))
        (call $is (local.get $code) (i32.const 1))
        (call $is (call $error_has (call $out) @"cannot connect") (i32.const 1))
        (call $is (call $error_has (call $out) @"open files") (i32.const 1))
        (call $is (call $bind (i32.const 0)) (i32.const 1))
        (call $is
            (call $networking.udp_bind (i32.const 4) (call $loopback) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0x3010))
            (i32.const 1))
        (i64.store (i32.const 0x3018) (i64.const 55))
        (call $is (call $accept_code (i64.const 0)) (i32.const 1))
        (call $is64 (i64.load (i32.const 0x3018)) (i64.const 0))
        (call $is (call $error_has (call $out) @"cannot accept") (i32.const 1))
        (call $is (call $error_has (call $out) @"open files") (i32.const 1))
        ;; Who tries again and again is slowed down: left alone, it would be hundreds of thousands.
        (local.set $child (call $spawn_for_me (i64.const 0) @"acceptor"))
        (call $give_listener
            (call $networking.clone_tcp_listener (i64.const 0)) (local.get $child))
        (call $process.sleep_ms (i64.const 300))
        (call $tell (local.get $child) (i64.const 0) (i64.const 0))
        (call $is (call $next) (i32.const 0))
        (local.set $errors (call $value))
        (call $is (i64.gt_u (local.get $errors) (i64.const 0)) (i32.const 1))
        (call $is (i64.lt_u (local.get $errors) (i64.const 1000)) (i32.const 1))
        ;; With descriptors everything works again. Stream 0 leads to the test.
        (call $networking.drop_tcp_stream (i64.const 1))
        (call $networking.drop_tcp_stream (i64.const 2))
        (call $networking.drop_tcp_stream (i64.const 3))
        (call $is (call $accept_code (i64.const 0)) (i32.const 0))
        (call $is (call $connect_code (local.get $port) (i64.const -1)) (i32.const 0))
        (call $done)
        (call $process.sleep_ms (i64.const -1)))"#;

#[test]
fn without_descriptors_calls_give_errors_and_with_them_they_work_again() {
    let _turn = alone();
    leaves_nothing(|| {
        let mut service = Service::start(GUEST);
        let limit = Limit::set(descriptors() as u64 + 40);
        service.go();
        service.wait_until_done();
        drop(limit);
    });
}

#[test]
fn a_process_needs_no_descriptor() {
    let _turn = alone();
    let spawns = || {
        passes(
            r#"(func (export "child") (param $root i64)
                (call $tell (local.get $root) (i64.const 0) (i64.const 5)))
            (func (export "_start") (local $i i32)
                (loop $more
                    (drop (call $spawn_for_me (i64.const 0) @"child"))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $more (i32.lt_u (local.get $i) (i32.const 300))))
                (loop $more
                    (call $expect (i64.const 5))
                    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                    (br_if $more (local.get $i))))"#,
        );
    };
    // What is opened once is open.
    spawns();
    let _limit = Limit::set(0);
    spawns();
}

#[test]
fn a_runtime_may_have_as_many_descriptors_as_the_system_allows() {
    let _turn = alone();
    let _limit = Limit::set(descriptors() as u64 + 100);
    drop(runtime());
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if cfg!(target_os = "linux") {
        assert_eq!(current, maximum);
    } else {
        assert!(current.is_none_or(|current| current >= 10_240 || Some(current) == maximum));
    }
}
