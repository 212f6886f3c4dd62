//! Auditing: every call of a host function is told, and nothing else changes.

use std::sync::{Arc, Mutex};

use lunatic_engine::{
    Audit, Call, ExitReason, Hears, LISTENERS_MAX, Listener, Outcome, ProcessConfig,
};
use lunatic_node::Status;
use lunatic_wasi::WasiConfig;

use crate::common::guest::module;
use crate::common::{check, run_with, shared};

/// Keeps what it hears as texts.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Listener for Heard {
    fn hears(&self) -> Hears {
        Hears { calls: true, ..Hears::NONE }
    }

    fn called(&self, call: &Call<'_>) {
        let ending = match call.outcome {
            Outcome::Returned(results) => format!("{results:?}"),
            Outcome::Failed(why) => format!("failed: {why}"),
            Outcome::Ended => "ended".into(),
        };
        let text = format!("{} {:?} {ending}", call.name, call.arguments);
        self.0.lock().expect("no test panics here").push(text);
    }
}

impl Heard {
    fn texts(&self) -> Vec<String> {
        self.0.lock().expect("no test panics here").clone()
    }
}

fn audited(heard: &Arc<Heard>) -> ProcessConfig {
    let audit = Audit::default().with(heard.clone()).expect("there is room");
    ProcessConfig::root(WasiConfig::default()).audited(audit)
}

/// Runs a guest and gives what it called, with why it ended.
fn heard(source: &str) -> (Vec<String>, ExitReason) {
    let heard = Arc::new(Heard::default());
    let reason = run_with(&module(source), audited(&heard)).expect("the module can be spawned");
    (heard.texts(), reason)
}

#[test]
fn each_call_is_told_with_texts_and_results() {
    let (calls, reason) = heard(
        r#"(func (export "_start")
            (call $registry.put @"me" (i64.const 0) (call $process.process_id))
            (call $is (call $registry.get @"nobody" (i32.const 0) (i32.const 8)) (i32.const 1)))"#,
    );
    check(&reason);
    assert_eq!(calls.len(), 3, "{calls:#?}");
    assert!(calls[0].starts_with("process_id [] [Integer("), "{}", calls[0]);
    assert!(calls[1].starts_with(r#"put [Text("me"), Integer(0), Integer("#), "{}", calls[1]);
    let get = r#"get [Text("nobody"), Integer(0), Integer(8)] [Integer(1)]"#;
    assert_eq!(calls[2], get);
}

#[test]
fn a_text_outside_of_the_memory_is_told_as_numbers_and_traps_as_ever() {
    let (calls, reason) =
        heard(r#"(func (export "_start") (call $registry.remove (i32.const -1) (i32.const 5)))"#);
    assert!(matches!(reason, ExitReason::Trap(_)), "{reason}");
    let [call] = &calls[..] else { panic!("{calls:#?}") };
    assert!(call.starts_with("remove [Integer(-1), Integer(5)] failed: 5 bytes"), "{call}");
}

#[test]
fn the_call_that_ends_the_process_is_told() {
    let (calls, reason) = heard(r#"(func (export "_start") (call $p1.proc_exit (i32.const 3)))"#);
    assert_eq!(reason, ExitReason::Exit(3));
    let [call] = &calls[..] else { panic!("{calls:#?}") };
    assert!(call.starts_with("proc_exit [Integer(3)] failed: the process ends"), "{call}");
}

#[test]
fn a_call_that_never_came_back_is_told() {
    let source = r#"(func (export "_start")
        (drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const -1))))"#;
    let heard = Arc::new(Heard::default());
    let runtime = shared();
    let compiled = runtime.compile(module(source).as_bytes()).expect("the module is valid");
    let environment = runtime.environment(1);
    let root = runtime.spawn_root(&environment, &compiled, "_start", audited(&heard));
    let root = root.expect("the module can be spawned");
    let process = environment.find(root.pid()).expect("nothing ends it but this test");
    let waits = || environment.info(root.pid()).is_some_and(|info| info.status == Status::Waiting);
    while process.turns() == 0 || !waits() {
        std::thread::yield_now();
    }
    root.kill();
    assert_eq!(root.wait(), ExitReason::Killed);
    assert_eq!(heard.texts(), ["receive [Integer(0), Integer(0), Integer(-1)] ended"]);
}

#[test]
fn children_are_told_of_too_whatever_their_config() {
    let (calls, reason) = heard(
        r#"(func (export "child") (call $process.sleep_ms (i64.const 0)))
        (func (export "_start") (local $config i64)
            (local.set $config (call $process.create_config))
            (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
            (call $is
                (call $process.spawn (i64.const 5) (local.get $config) (i64.const -1) @"child"
                    (i32.const 0) (i32.const 0) (i32.const 0))
                (i32.const 0))
            (call $process.die_when_link_dies (i32.const 0))
            (drop (call $message.receive (i32.const 0) (i32.const 0) (i64.const 50))))"#,
    );
    check(&reason);
    assert!(calls.iter().any(|call| call.starts_with("sleep_ms [Integer(0)]")), "{calls:#?}");
    let spawn = r#"spawn [Integer(5), Integer(0), Integer(-1), Text("child")"#;
    assert!(calls.iter().any(|call| call.starts_with(spawn)), "{calls:#?}");
}

#[test]
fn what_calls_the_guest_back_works_as_ever() {
    let (calls, reason) = heard(
        r#"(func (export "_lunatic_catch_trap") (param i32 i32) (result i32)
            (if (i32.eqz (local.get 0)) (then unreachable))
            (call $error.drop (i64.const 0))
            (local.get 1))
        (func (export "_start")
            (call $is (call $trap.catch (i32.const 0) (i32.const 7)) (i32.const 0))
            (call $is (call $trap.catch (i32.const 1) (i32.const 7)) (i32.const 7)))"#,
    );
    check(&reason);
    let expected = [
        "catch [Integer(0), Integer(7)] [Integer(0)]",
        "drop [Integer(0)] []",
        "catch [Integer(1), Integer(7)] [Integer(7)]",
    ];
    assert_eq!(calls, expected);
}

#[test]
fn a_start_section_is_told_of() {
    let (calls, reason) = heard(
        r#"(func $begin (call $registry.remove @"early")) (start $begin)
        (func (export "_start"))"#,
    );
    check(&reason);
    assert_eq!(calls, [r#"remove [Text("early")] []"#]);
}

#[test]
fn listeners_are_bounded_and_all_hear() {
    let heard: Vec<_> = (0..LISTENERS_MAX).map(|_| Arc::new(Heard::default())).collect();
    let full = heard.iter().try_fold(Audit::default(), |audit, one| audit.with(one.clone()));
    let full = full.expect("there is room for so many");
    assert!(full.with(heard[0].clone()).is_none());
    let config = ProcessConfig::root(WasiConfig::default()).audited(full);
    let source = r#"(func (export "_start") (drop (call $process.process_id)))"#;
    let reason = run_with(&module(source), config).expect("the module can be spawned");
    check(&reason);
    assert!(heard.iter().all(|one| one.texts().len() == 1));
}
