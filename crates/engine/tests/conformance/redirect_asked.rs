//! Processes as the input and the clock of others.

use crate::common::passes;
use crate::redirect_process::with_child;

/// A poll of one subscription, which is at 0x200; its event is at 0x240.
const POLL: &str = "(call $is (call $p1.poll_oneoff (i32.const 0x200) (i32.const 0x240)
        (i32.const 1) (i32.const 0x280)) (i32.const 0))
    (call $is (i32.load (i32.const 0x280)) (i32.const 1))
    (call $is (i32.load16_u (i32.const 0x248)) (i32.const 0))";

#[test]
fn a_process_is_the_input_of_another_until_it_says_that_this_is_the_end() {
    let child = r#"(call $is (call $read (i32.const 0)) (i32.const 0))
        (call $is (i32.load (i32.const 16)) (i32.const 3))
        (call $is (call $same (i32.const 0x100) @"abc") (i32.const 1))
        (call $is (call $read (i32.const 0)) (i32.const 0))
        (call $is (i32.load (i32.const 16)) (i32.const 0))
        ;; The end is known by now, and nobody is asked.
        (call $is (call $read (i32.const 0)) (i32.const 0))
        (call $is (i32.load (i32.const 16)) (i32.const 0))"#;
    let rest = r#"(call $serve @"\18\05stdin\00\0a" @"\00\03abc")
        (call $serve @"\18\05stdin\03\0a" @"\00\00")"#;
    passes(&with_child("stdin", 2, child, rest));
}

#[test]
fn a_poll_of_input_asks_for_it_and_keeps_what_comes() {
    let child = format!(
        r#"(i32.store8 (i32.const 0x208) (i32.const 1))
        {POLL}
        (call $is64 (i64.load (i32.const 0x250)) (i64.const 12))
        (call $is (call $read (i32.const 0)) (i32.const 0))
        (call $is (call $same (i32.const 0x100) @"hello worl") (i32.const 1))
        (call $is (call $read (i32.const 0)) (i32.const 0))
        (call $is (i32.load (i32.const 16)) (i32.const 2))
        (call $is (call $same (i32.const 0x100) @"d!") (i32.const 1))"#
    );
    let rest = r#"(call $serve @"\18\05stdin\00\80\20" @"\00\0chello world!")"#;
    passes(&with_child("stdin", 2, &child, rest));
}

#[test]
fn input_that_was_not_waited_for_is_asked_for_again() {
    // A descriptor that does not wait has nothing yet; the answer to what was given up is lost.
    let child = r#"(call $is (call $p1.fd_fdstat_set_flags (i32.const 0) (i32.const 4))
            (i32.const 0))
        (call $is (call $read (i32.const 0)) (i32.const 6))
        (call $is (call $p1.fd_fdstat_set_flags (i32.const 0) (i32.const 0)) (i32.const 0))
        (call $is (call $read (i32.const 0)) (i32.const 0))
        (call $is (call $same (i32.const 0x100) @"x") (i32.const 1))"#;
    let rest = r#"(call $serve @"\18\05stdin\00\0a" @"\00\01x")
        (call $serve @"\18\05stdin\00\0a" @"\00\01x")"#;
    passes(&with_child("stdin", 2, child, rest));
}

#[test]
fn odd_input_is_an_error() {
    // More than was asked for, bytes that are left over, no such variant, an error of the server's.
    for (reply, errno) in
        [(r"\00\0b01234567890", 29), (r"\00\00\00", 29), (r"\07", 29), (r"\01\3a", 58)]
    {
        let child = format!("(call $is (call $read (i32.const 0)) (i32.const {errno}))");
        let rest = format!(r#"(call $serve @"\18\05stdin\00\0a" @"{reply}")"#);
        passes(&with_child("stdin", 2, &child, &rest));
    }
}

/// Looks at a clock, which must show that.
fn shows(clock: u32, time: u64) -> String {
    format!(
        "(call $is (call $p1.clock_time_get (i32.const {clock}) (i64.const 0) (i32.const 0x300))
            (i32.const 0))
        (call $is64 (i64.load (i32.const 0x300)) (i64.const {time}))"
    )
}

#[test]
fn a_process_shows_the_time_and_its_monotonic_clock_never_goes_back() {
    let child = [shows(0, 5000), shows(1, 9), shows(1, 9), shows(0, 3)].concat();
    let rest = r#"(call $serve @"\19" @"\00\88\27\07")
        (call $serve @"\19" @"\00\00\09")
        (call $serve @"\19" @"\00\00\04")
        (call $serve @"\19" @"\00\03\04")"#;
    passes(&with_child("clock", 2, &child, rest));
}

#[test]
fn a_sleep_lasts_until_the_process_says_that_it_is_time() {
    // A relative timeout of 100, then an absolute one, to which the answer comes too early once.
    let child = format!(
        r#"(i64.store (i32.const 0x218) (i64.const 100))
        (i32.store (i32.const 0x210) (i32.const 1))
        {POLL} {}
        (i64.store (i32.const 0x218) (i64.const 120))
        (i32.store16 (i32.const 0x228) (i32.const 1))
        {POLL}"#,
        shows(1, 111)
    );
    let rest = r#"(call $serve @"\19" @"\00\00\0a")
        (call $serve @"\1a\6e" @"\00\00\6e")
        (call $serve @"\19" @"\00\00\6f")
        (call $serve @"\19" @"\00\00\6f")
        (call $serve @"\1a\78" @"\00\00\70")
        (call $serve @"\1a\78" @"\00\00\78")"#;
    passes(&with_child("clock", 2, &child, rest));
}

#[test]
fn a_clock_that_nobody_shows_any_more_is_an_error_and_ends_sleeps() {
    let child = format!(
        r#"(call $is (call $p1.clock_time_get (i32.const 0) (i64.const 0) (i32.const 0x300))
            (i32.const 58))
        (call $is (call $p1.clock_time_get (i32.const 7) (i64.const 0) (i32.const 0x300))
            (i32.const 28))
        (i64.store (i32.const 0x218) (i64.const 1000000000000))
        (i32.store (i32.const 0x210) (i32.const 1))
        {POLL}"#
    );
    let rest = r#"(call $serve @"\19" @"\01\3a")
        (call $serve @"\19" @"\00\00\00")
        (call $serve @"\1a\80\a0\94\a5\8d\1d" @"\01\3a")"#;
    passes(&with_child("clock", 2, &child, rest));
}

#[test]
fn a_running_process_cannot_be_given_a_clock_that_is_asked() {
    passes(
        r#"(func (export "child") (param i64) (drop (call $next)))
        (func (export "_start")
            (call $is (call $spawn_code (i64.const 1) (i64.const -1) (i64.const -1) @"child")
                (i32.const 0))
            (call $is
                (call $process.redirect_to_process (i64.const 0) (i64.load (i32.const 0x3f00))
                    @"clock" (i64.const 0) (call $process.process_id) (i64.const 0)
                    (i32.const 2) (i32.const 0x3f10))
                (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x3f10)) @"from the spawn on")
                (i32.const 1)))"#,
    );
}

#[test]
fn a_clock_that_is_asked_can_be_audited_too() {
    let child = shows(0, 7);
    let rest = r#"(call $serve @"\19" @"\00\07\07")
        ;; The call is heard when it is over: its tag is 6.
        (call $is (call $next_tagged (i64.const 6) (i64.const -1)) (i32.const 0))"#;
    let source = with_child("clock", 2, &child, rest);
    let spawn = "(call $is
                (call $spawn_code";
    let audit = "(call $is (call $process.config_audit (local.get $config) (i64.const 6)
            (i32.const 4) (i32.const 0x3f10)) (i32.const 0))";
    let ends = "(call $expect (i64.const 1))";
    let end = "(call $is (call $next_tagged (i64.const 1) (i64.const -1)) (i32.const 0))";
    assert!(source.contains(spawn) && source.contains(ends));
    passes(&source.replacen(spawn, &format!("{audit} {spawn}"), 1).replace(ends, end));
}

#[test]
fn a_directory_that_a_process_serves_has_no_unix_sockets() {
    let child = r#"(call $is (call $networking.unix_bind @"data/socket" (i32.const 0x3010))
            (i32.const 1))
        (call $is (call $error_has (call $out) @"are not supported") (i32.const 1))
        (call $is (call $networking.unix_connect @"data/socket" (i64.const -1)
            (i32.const 0x3010)) (i32.const 1))
        (call $is (call $error_has (call $out) @"are not supported") (i32.const 1))"#;
    passes(&with_child("dir:data", 2, child, ""));
}

#[test]
fn listeners_and_unix_sockets_are_not_redirected_and_the_error_says_what_to_do() {
    let asks = |what: &str, says: &str| {
        format!(
            r#"(call $is
                (call $process.config_redirect_to_process (local.get $config) @"{what}"
                    (i64.const 0) (call $process.process_id) (i64.const 0) (i32.const 2)
                    (i32.const 0x3010))
                (i32.const 1))
            (call $is (call $error_has (call $out) @"{says}") (i32.const 1))"#
        )
    };
    passes(&format!(
        r#"(func (export "_start") (local $config i64)
            (local.set $config (call $process.create_config)) {} {})"#,
        asks("bind:tcp:127.0.0.1:80", "in a message"),
        asks("unix:data/socket", "the directories"),
    ));
}
