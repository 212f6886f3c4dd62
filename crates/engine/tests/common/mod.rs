//! Runs guests as first processes of environments of their own.
//!
//! All tests share one runtime, as programs share a node: whatever a hostile guest does to it, the
//! tests that come after see. What is still alive when a first process ends is killed.

pub mod abi;
pub mod guest;
pub mod network;
pub mod otp;
pub mod sqlite;
pub mod tls;
pub mod tls_helpers;

use std::sync::OnceLock;

use lunatic_engine::{
    CachePolicy, ExitReason, Limits, Options, ProcessConfig, Rights, Runtime, SpawnError,
};
use lunatic_wasi::WasiConfig;

use guest::module;

/// A runtime with two workers that keeps nothing on disk.
pub fn runtime() -> Runtime {
    let options = Options { workers: Some(2), cache: CachePolicy::Off, ..Options::default() };
    Runtime::new(options).expect("a runtime starts on every test machine")
}

/// The runtime that all tests share.
pub fn shared() -> &'static Runtime {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    SHARED.get_or_init(runtime)
}

/// Runs `_start` of a module in text form and gives its reason to end.
pub fn run(wat: &str) -> ExitReason {
    run_with(wat, ProcessConfig::root(WasiConfig::default())).expect("the module can be spawned")
}

/// The same with a configuration.
pub fn run_with(wat: &str, config: ProcessConfig) -> Result<ExitReason, SpawnError> {
    let runtime = shared();
    let module = runtime
        .compile(wat.as_bytes())
        .unwrap_or_else(|error| panic!("the test's module is not valid: {error}\n{wat}"));
    let environment = runtime.environment(1);
    let root = runtime.spawn_root(&environment, &module, "_start", config)?;
    let reason = root.wait();
    environment.kill_all();
    Ok(reason)
}

/// What a test changes of a process's configuration.
pub fn config(change: impl FnOnce(&mut Limits, &mut Rights)) -> ProcessConfig {
    let mut config = ProcessConfig::root(WasiConfig::default());
    let mut limits = *config.limits;
    change(&mut limits, &mut config.rights);
    config.with_limits(limits)
}

/// Runs a guest whose own checks must hold.
pub fn passes(source: &str) {
    check(&run(&module(source)));
}

/// The same with texts that the guest reads under names of the form `@name`.
pub fn passes_with(source: &str, texts: &[(&str, &str)]) {
    check(&run(&guest::module_with(source, texts)));
}

/// The same with limits.
pub fn passes_limited(source: &str, change: impl FnOnce(&mut Limits, &mut Rights)) {
    let reason = run_with(&module(source), config(change));
    check(&reason.expect("the module can be spawned"));
}

/// Panics unless the guest ended normally.
pub fn check(reason: &ExitReason) {
    match reason {
        ExitReason::Normal => {}
        ExitReason::Exit(code) => {
            panic!("the guest's check {} failed: it got {}", code >> 16, code & 0xffff)
        }
        ExitReason::Trap(trap) => panic!("the guest trapped: {trap:?}"),
        other => panic!("the guest ended: {other}"),
    }
}

/// Runs the body of `_start`, which must trap with a text that contains `expected`.
pub fn traps(body: &str, expected: &str) {
    let reason = run(&module(&format!(r#"(func (export "_start") {body})"#)));
    let ExitReason::Trap(trap) = &reason else { panic!("no trap in {body}: {reason}") };
    assert!(trap.message.contains(expected), "{body}\n{}", trap.message);
}

/// The reason for which a guest ends.
pub fn reason(source: &str) -> ExitReason {
    run(&module(source))
}

/// The reason for which a limited guest ends.
pub fn reason_limited(source: &str, change: impl FnOnce(&mut Limits, &mut Rights)) -> ExitReason {
    run_with(&module(source), config(change)).expect("the module can be spawned")
}
