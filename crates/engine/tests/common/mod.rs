//! Runs a guest as the first process of a runtime of its own.

use lunatic_engine::{CachePolicy, ExitReason, Options, ProcessConfig, Runtime};
use lunatic_wasi::WasiConfig;

/// A runtime with two workers that keeps nothing on disk.
pub fn runtime() -> Runtime {
    let options = Options { workers: Some(2), cache: CachePolicy::Off, ..Options::default() };
    Runtime::new(options).expect("a runtime starts on every test machine")
}

/// Runs `_start` of a module in text form and gives its reason to end.
pub fn run(wat: &str) -> ExitReason {
    let runtime = runtime();
    let module = runtime.compile(wat.as_bytes()).expect("the test's module is valid");
    let environment = runtime.environment(1);
    let config = ProcessConfig::root(WasiConfig::default());
    let root = runtime
        .spawn_root(&environment, &module, "_start", config)
        .expect("the test's module can be spawned");
    root.wait()
}
