//! A process is killed wherever it waits: whoever watches hears of it, and its name is free.
//!
//! Where it waits for connections, names, locks of databases and budgets is tested beside these
//! (`tests/faults`, `sqlite_life.rs`, `crates/node/tests/budgets.rs`).

use std::future::pending;
use std::sync::Arc;

use lunatic_engine::{ExitReason, ProcessConfig};
use lunatic_wasi::WasiConfig;
use lunatic_wasi::provider::{Input, Output, Ready, Reply, StreamKind};

use crate::common::guest::module;
use crate::common::{check, config, run_with};

/// A stream from which nothing ever comes.
struct Silent;

impl Input for Silent {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, _length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(pending())
    }

    fn ready(&self) -> Reply<'_, Ready> {
        Box::pin(pending())
    }
}

/// A stream with a bug.
struct Broken;

impl Output for Broken {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, _data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async { panic!("on purpose") })
    }
}

fn with_streams(config: ProcessConfig) -> ProcessConfig {
    let mut wasi = WasiConfig::default();
    wasi.set_stdin(Arc::new(Silent));
    wasi.set_stdout(Arc::new(Broken));
    ProcessConfig { wasi: ProcessConfig::root(wasi).wasi, ..config }
}

/// Kills a process that waits in `call`, and looks at what is left. `$full` is a process with a
/// full mailbox, which has the name "full"; an alias of it is the reference at 0x3500.
fn killed_in(call: &str) {
    let source = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $waits)
        (func $waits (drop (call $message.receive_with (i32.const 0) (i32.const 0) (i32.const 0)
            (i64.const -1) (i32.const 0x3280))))
        (global $full (mut i64) (i64.const 0))
        (func (export "awake"))
        (func (export "full") (param $root i64)
            (call $process.alias (i32.const 0) (i32.const 0x33c0))
            (call $tell (local.get $root) (i64.const 1) (call $ref))
            (call $process.sleep_ms (i64.const -1)))
        (func (export "child") (param $root i64)
            (call $is (call $next) (i32.const 0))
            (i64.store (i32.const 0x3500) (call $value))
            (call $is (call $registry.get @"full" (i32.const 0x3510) (i32.const 0x3518))
                (i32.const 0))
            (global.set $full (i64.load (i32.const 0x3518)))
            (call $is (call $registry.register @"mine" (i64.const 0) (call $process.process_id))
                (i32.const 0))
            (call $tell (local.get $root) (i64.const 2) (i64.const 0))
            (call $draft (i64.const 3))
            {call}
            unreachable)
        (func $waits_now (param $child i64) (result i32)
            (drop (call $process.info (i64.const 0) (local.get $child) (i32.const 0x2000)
                (i32.const 0x400)))
            (i32.eqz (i32.load (i32.const 0x2000))))
        (func (export "_start") (local $child i64) (local $full i64) (local $alias i64)
            (local.set $full (call $spawn_for_me (i64.const 0) @"full"))
            (call $is (call $registry.register @"full" (i64.const 0) (local.get $full))
                (i32.const 0))
            (call $is (call $next) (i32.const 0))
            (local.set $alias (call $value))
            (call $tell (local.get $full) (i64.const 1) (i64.const 1))
            (local.set $child (call $spawn_for_me (i64.const 0) @"child"))
            (call $process.monitor (local.get $child))
            (call $tell (local.get $child) (i64.const 1) (local.get $alias))
            (call $is (call $next) (i32.const 0))
            (loop $until_it_waits
                (drop (call $p1.sched_yield))
                (br_if $until_it_waits (i32.eqz (call $waits_now (local.get $child)))))
            (call $process.exit (i64.const 0) (local.get $child) (i32.const 2)
                (i32.const 0) (i32.const 0))
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 3))
            (call $is64 (call $from) (local.get $child))
            (call $is (call $registry.unregister @"mine") (i32.const 1))
            (call $is (call $process.is_alive (i64.const 0) (local.get $child)) (i32.const 0)))"#
    );
    let config = with_streams(config(|limits, _| limits.mailbox_messages_max = 1));
    println!("{call}");
    check(&run_with(&module(&source), config).expect("it can be spawned"));
}

#[test]
fn a_process_is_killed_wherever_it_waits() {
    const HOUR: &str = "(i64.const 3600000)";
    for call in [
        "(drop (call $next))".into(),
        "(call $waits)".into(),
        "(drop (call $try (i32.const 0)))".into(),
        format!("(drop (call $message.receive (i32.const 0) (i32.const 0) {HOUR}))"),
        format!("(drop (call $come {HOUR}))"),
        "(drop (call $message.send_receive_skip_search (call $process.process_id) (i64.const 9)
            (i64.const -1)))"
            .into(),
        "(drop (call $process.hibernate @\"awake\" (i32.const 0) (i32.const 0)
            (i32.const 0x3e20)))"
            .into(),
        "(call $process.sleep_ms (i64.const -1))".into(),
        "(drop (call $message.send (global.get $full)))".into(),
        "(drop (call $message.send_pid (i64.const 0) (global.get $full) (i64.const -1)))".into(),
        format!("(drop (call $message.send_name @\"full\" {HOUR}))"),
        "(drop (call $message.send_alias (i64.const 0) (i64.load (i32.const 0x3500))
            (i32.const 0) (i64.const -1)))"
            .into(),
        "(drop (call $timer.send_after (global.get $full) (i64.const 0)))".into(),
        "(drop (call $timer.start (i64.const 0) (global.get $full) (i64.const 0)
            (i32.const 0x33c0)))"
            .into(),
        "(drop (call $timer.start_named @\"full\" (i64.const 0) (i32.const 0x33c0)))".into(),
        "(i32.store (i32.const 0x3600) (i32.const 0x3700))
            (i32.store (i32.const 0x3604) (i32.const 8))
            (drop (call $p1.fd_read (i32.const 0) (i32.const 0x3600) (i32.const 1)
                (i32.const 0x3608)))"
            .into(),
        "(i64.store (i32.const 0x3600) (i64.const 0))
            (i64.store (i32.const 0x3608) (i64.const 1))
            (drop (call $p1.poll_oneoff (i32.const 0x3600) (i32.const 0x3680) (i32.const 1)
                (i32.const 0x3700)))"
            .into(),
        "(drop (call $accept (call $listen)))".into(),
    ] {
        let call: String = call;
        killed_in(&call);
    }
}

#[test]
fn a_bug_of_the_host_ends_the_process_in_which_it_happens_and_no_other() {
    let source = r#"(func (export "child") (param i64)
            (i32.store (i32.const 0x3600) (i32.const 0x3700))
            (i32.store (i32.const 0x3604) (i32.const 8))
            (drop (call $p1.fd_write (i32.const 1) (i32.const 0x3600) (i32.const 1)
                (i32.const 0x3608))))
        (func (export "other") (param i64)
            (call $is (call $next) (i32.const 0))
            (call $tell (local.get 0) (i64.const 1) (i64.const 5)))
        (func (export "_start") (local $other i64)
            (drop (call $flag (i32.const 0) (i64.const 1)))
            (local.set $other (call $spawn_for_me (i64.const 0) @"other"))
            (call $options (i32.const 3) @"child")
            (call $for_me)
            (drop (call $spawn_it))
            (call $comes (i32.const 1))
            (call $is (call $why) (i32.const 9))
            (call $reads @"on purpose")
            (call $comes (i32.const 2))
            (call $is (call $why) (i32.const 9))
            (call $tell (local.get $other) (i64.const 1) (i64.const 1))
            (call $expect (i64.const 5)))"#;
    let config = with_streams(config(|_, _| {}));
    check(&run_with(&module(source), config).expect("it can be spawned"));
    // Also in the process that somebody waits for from outside.
    let alone = r#"(func (export "_start")
        (i32.store (i32.const 0x3600) (i32.const 0x3700))
        (i32.store (i32.const 0x3604) (i32.const 8))
        (drop (call $p1.fd_write (i32.const 1) (i32.const 0x3600) (i32.const 1)
            (i32.const 0x3608))))"#;
    let config = with_streams(crate::common::config(|_, _| {}));
    let reason = run_with(&module(alone), config).expect("it can be spawned");
    assert_eq!(reason, ExitReason::HostPanic("on purpose".into()));
}
