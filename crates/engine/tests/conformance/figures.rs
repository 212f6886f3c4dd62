//! What a runtime says about the modules that it compiled and the memory that it holds.

use lunatic_engine::{CachePolicy, ExitReason, Options, Runtime};

use crate::common::config;

fn runtime(cache: CachePolicy) -> Runtime {
    let options = Options { workers: Some(1), cache, ..Options::default() };
    Runtime::new(options).expect("a runtime starts")
}

#[test]
fn compilations_are_told_from_hits_of_the_cache() {
    let directory = tempfile::tempdir().expect("a directory");
    let wat = br#"(module (func (export "_start")))"#;
    for (compiled, cache_hits, cache_misses) in [(1, 0, 1), (0, 1, 0)] {
        let runtime = runtime(CachePolicy::Directory(directory.path().join("cache")));
        runtime.compile(wat).expect("it is valid");
        let figures = runtime.figures().compiling;
        assert_eq!(figures.compiled, compiled);
        assert_eq!((figures.cache_hits, figures.cache_misses), (cache_hits, cache_misses));
        assert_eq!(figures.time.is_zero(), compiled == 0);
    }
    let runtime = runtime(CachePolicy::Off);
    runtime.compile(wat).expect("it is valid");
    runtime.compile(b"(module (func unreachable drop drop)").expect_err("it does not parse");
    let figures = runtime.figures().compiling;
    assert_eq!((figures.compiled, figures.cache_hits, figures.cache_misses), (1, 0, 0));
}

#[test]
fn memory_is_in_use_as_long_as_its_process_lives() {
    let runtime = runtime(CachePolicy::Off);
    let wat = br#"(module
        (import "lunatic::process" "sleep_ms" (func $sleep_ms (param i64)))
        (memory (export "memory") 2)
        (func (export "_start") (call $sleep_ms (i64.const 86400000))))"#;
    let module = runtime.compile(wat).expect("it is valid");
    let environment = runtime.environment(1);
    let root = runtime
        .spawn_root(&environment, &module, "_start", config(|_, _| {}))
        .expect("it can be spawned");
    while runtime.figures().node.timers == 0 {
        std::thread::yield_now();
    }
    let figures = runtime.figures();
    assert_eq!((figures.node.spawns, figures.memories.live), (1, 1));
    assert!(figures.memories.used_bytes >= 2 << 16, "{figures:?}");
    assert!(figures.memories.reserved_bytes >= figures.memories.used_bytes, "{figures:?}");
    root.kill();
    assert_eq!(root.wait(), ExitReason::Killed);
    let figures = runtime.figures();
    assert_eq!((figures.memories.live, figures.memories.used_bytes), (0, 0));
    assert_eq!((figures.stacks.live, figures.stacks.used_bytes), (0, 0));
}
