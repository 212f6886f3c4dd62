//! The hostile guests in `tests/guests/`, each held to what its header says.

use std::sync::Arc;

use lunatic_engine::{
    CachePolicy, ExitReason, NodeLimits, Options, ProcessConfig, Root, Runtime, SpawnError,
};
use lunatic_wasi::WasiConfig;
use lunatic_wasi::provider::capture::Capture;

use crate::common::{config, passes, run, run_with, shared};

macro_rules! guest {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/guests/", $name))
    };
}

/// A guest that runs until it is killed.
fn start(guest: &str, config: ProcessConfig) -> Root {
    let runtime = shared();
    let module = runtime.compile(guest.as_bytes()).expect("the guest is valid");
    runtime
        .spawn_root(&runtime.environment(1), &module, "_start", config)
        .expect("the guest can be spawned")
}

/// Runs forever beside others that are answered, and dies when it is killed.
fn is_held(guest: &str, config: ProcessConfig) {
    let root = start(guest, config);
    passes(r#"(func (export "_start") (call $process.sleep_ms (i64.const 5)))"#);
    root.kill();
    assert_eq!(root.wait(), ExitReason::Killed);
}

#[test]
fn absurd_sizes_are_answered_or_trap_and_the_node_lives() {
    let output = Arc::new(Capture::new(1 << 16));
    let mut wasi = WasiConfig::default();
    wasi.set_stdout(output.clone());
    let reason = run_with(guest!("absurd.wat"), ProcessConfig::root(wasi));
    assert_eq!(reason.expect("it can be spawned"), ExitReason::Normal);
    assert_eq!(output.contents(), "the node is alive\n");
}

#[test]
fn an_endless_loop_holds_nobody() {
    is_held(guest!("loop_for_ever.wat"), config(|_, _| {}));
}

#[test]
fn bulk_instructions_over_a_gigabyte_hold_nobody() {
    is_held(guest!("bulk.wat"), config(|_, _| {}));
}

#[test]
fn bulk_instructions_without_the_memory_for_them_trap() {
    let config = config(|limits, _| limits.memory_bytes_max = 1 << 20);
    let reason = run_with(guest!("bulk.wat"), config).expect("it can be spawned");
    assert!(matches!(reason, ExitReason::Trap(_)), "{reason}");
}

#[test]
fn a_flood_suspends_its_sender_who_can_be_killed() {
    is_held(guest!("mailbox_flood.wat"), config(|limits, _| limits.mailbox_bytes_max = 4 << 20));
}

#[test]
fn endless_recursion_traps_and_names_the_function() {
    let ExitReason::Trap(trap) = run(guest!("deep_recursion.wat")) else { panic!("no trap") };
    assert!(trap.message.contains("call stack exhausted"), "{}", trap.message);
    assert!(trap.frames.iter().any(|frame| frame.function.contains("deeper")), "{trap:?}");
}

#[test]
fn a_module_without_a_memory_traps_with_the_cause() {
    let ExitReason::Trap(trap) = run(guest!("no_memory.wat")) else { panic!("no trap") };
    assert!(trap.message.contains("exports no memory named `memory`"), "{}", trap.message);
}

#[test]
fn a_trap_in_the_start_section_leaves_no_process() {
    let before = shared().environment(1);
    let config = ProcessConfig::root(WasiConfig::default());
    let error = run_with(guest!("trap_in_start.wat"), config).expect_err("it cannot be spawned");
    assert!(matches!(error, SpawnError::Instantiate(_)), "{error}");
    assert!(before.processes().is_empty());
}

#[test]
fn a_start_section_that_never_ends_holds_nobody() {
    // Nobody can end the wait from outside of the node, so a thread of its own keeps it until the
    // program ends.
    std::thread::spawn(|| start(guest!("start_loop.wat"), config(|_, _| {})));
    passes(r#"(func (export "_start") (call $process.sleep_ms (i64.const 5)))"#);
}

#[test]
fn a_bomb_of_spawns_is_refused_at_the_limit_of_the_node() {
    let limits = NodeLimits { processes_max: 500, ..NodeLimits::default() };
    let cache = CachePolicy::Off;
    let options = Options { workers: Some(2), cache, limits, ..Options::default() };
    let runtime = Runtime::new(options).expect("a runtime starts");
    let module = runtime.compile(guest!("spawn_bomb.wat").as_bytes()).expect("it is valid");
    let environment = runtime.environment(1);
    let root = runtime
        .spawn_root(&environment, &module, "_start", config(|_, _| {}))
        .expect("it can be spawned");
    while runtime.usage().processes < limits.processes_max {
        std::thread::yield_now();
    }
    environment.kill_all();
    assert_eq!(root.wait(), ExitReason::Killed);
    while runtime.usage().processes > 1 {
        std::thread::yield_now();
    }
}
