//! Test mode: what `lunatic test`, and Cargo through `lunatic run`, make of a module's tests.

use crate::{Outcome, Sandbox};

/// Tests of every sort. Those that panic write a report and trap, as Rust's do.
const TESTS: &str = r##"
    (data (i32.const 64) "said\n")
    (data (i32.const 128) "thread '<unnamed>' (1) panicked at src/lib.rs:1:2:\nbad luck\n")
    (func $say (call $write (i32.const 1) (i32.const 64) (i32.const 5)))
    (func $panic
        (call $write (i32.const 2) (i32.const 128) (i32.const 60))
        unreachable)
    (func (export "_start") (call $say))
    (func (export "#lunatic_test_t::passes") (call $say))
    (func (export "#lunatic_test_t::fails") (call $say) (call $panic))
    (func (export "#lunatic_test_#panic_bad#t::panics") (call $panic))
    (func (export "#lunatic_test_#panic_good#t::panics_otherwise") (call $panic))
    (func (export "#lunatic_test_#panic_#t::traps") unreachable)
    (func (export "#lunatic_test_#panic_#t::should_have_panicked"))
    (func (export "#lunatic_test_#ignore_t::later") (call $panic))
    (func (export "#lunatic_test_t::environment")
        (if (i64.ne (call $environment_id) (i64.const 0)) (then unreachable)))
    (func (export "#lunatic_test_t::exits") (call $proc_exit (i32.const 0)))
    (func (export "#lunatic_test_t::no_test") (param i32))"##;

fn sandbox() -> Sandbox {
    Sandbox::with(TESTS)
}

fn test(sandbox: &Sandbox, line: &str) -> Outcome {
    let args: Vec<&str> =
        ["test", "--no-cache", "a.wat"].into_iter().chain(line.split_whitespace()).collect();
    sandbox.lunatic(&args)
}

/// Standard output with its lines of results sorted and its time taken out.
fn sorted(run: &Outcome) -> String {
    let mut results: Vec<&str> = run.stdout.lines().filter(|l| l.starts_with("test t::")).collect();
    results.sort();
    let summary = run.stdout.lines().find(|line| line.starts_with("test result")).unwrap_or("");
    let summary = summary.split("; finished in").next().unwrap_or_default();
    format!("{}\n{summary}", results.join("\n"))
}

#[test]
fn each_test_gets_its_verdict() {
    let run = test(&sandbox(), "");
    let expected = "\
test t::environment ... ok
test t::exits ... ok
test t::fails ... FAILED
test t::later ... ignored
test t::panics - should panic ... ok
test t::panics_otherwise - should panic ... FAILED
test t::passes ... ok
test t::should_have_panicked - should panic ... FAILED
test t::traps - should panic ... ok
test result: FAILED. 5 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
    assert_eq!(sorted(&run), expected);
    assert_eq!((run.status, run.stderr.as_str()), (101, ""));
    assert!(run.stdout.starts_with("\nrunning 9 tests\n"));
    assert!(
        run.stdout.contains("---- t::fails stdout ----\nsaid\nthread '<unnamed>' (1) panicked")
    );
    assert!(run.stdout.contains("note: test did not panic as expected"));
    assert!(run.stdout.contains("panic did not contain expected string"));
    assert!(!run.stdout.contains("---- t::passes"));
}

#[test]
fn flags_choose_tests_and_what_is_shown_of_them() {
    let cases = [
        ("passes", "test t::passes ... ok", "1 passed; 0 failed; 0 ignored", 8),
        ("--exact t::passes", "test t::passes ... ok", "1 passed; 0 failed; 0 ignored", 8),
        ("-- --exact t::passes", "test t::passes ... ok", "1 passed; 0 failed; 0 ignored", 8),
        ("--exact passes", "", "0 passed; 0 failed; 0 ignored", 9),
        ("passes --test-threads 1", "test t::passes ... ok", "1 passed; 0 failed", 8),
        ("later", "test t::later ... ignored", "0 passed; 0 failed; 1 ignored", 8),
    ];
    let sandbox = sandbox();
    for (line, results, counts, filtered) in cases {
        let run = test(&sandbox, line);
        let text = sorted(&run);
        assert!(text.starts_with(results) && text.contains(counts), "{line}: {text}");
        assert!(text.ends_with(&format!("{filtered} filtered out")), "{line}: {text}");
        assert_eq!(run.status, 0, "{line}");
    }
    let run = test(&sandbox, "passes --show-output");
    assert!(run.stdout.contains("---- t::passes stdout ----\nsaid\n"), "{}", run.stdout);
    let run = test(&sandbox, "passes --nocapture");
    assert!(run.stdout.contains("said\n") && !run.stdout.contains("----"), "{}", run.stdout);
    let run = test(&sandbox, "passes -q");
    assert!(run.stdout.starts_with("\nrunning 1 test\n.\n\ntest result: ok."), "{}", run.stdout);
    assert_eq!(test(&sandbox, "--ignored").status, 101);
}

#[test]
fn tests_are_listed_for_tools() {
    let sandbox = sandbox();
    let list = "t::environment: test\nt::exits: test\nt::fails: test\nt::later: test\n\
                t::panics: test\nt::panics_otherwise: test\nt::passes: test\n\
                t::should_have_panicked: test\nt::traps: test\n";
    test(&sandbox, "--list --format terse").expect(0, list);
    test(&sandbox, "--list --format terse --ignored").expect(0, "t::later: test\n");
    test(&sandbox, "--list").expect(0, &format!("{list}\n9 tests, 0 benchmarks\n"));
}

#[test]
fn flags_that_are_not_supported_are_refused() {
    let sandbox = sandbox();
    for line in ["--format json", "--logfile x", "--test-threads 0"] {
        let run = test(&sandbox, line);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{line}");
    }
}

#[test]
fn a_test_that_never_ends_is_ended() {
    let sandbox = Sandbox::with(
        r##"(func (export "#lunatic_test_t::spins") (loop (br 0)))
        (func (export "#lunatic_test_t::waits") (call $sleep_ms (i64.const 3600000)))
        (func (export "#lunatic_test_t::passes"))"##,
    );
    let run = test(&sandbox, "--test-timeout 0.2");
    assert!(sorted(&run).contains("1 passed; 2 failed"), "{}", run.stdout);
    assert!(run.stdout.contains("test was ended after 0.2 s"), "{}", run.stdout);
    assert_eq!(run.status, 101);
}

#[test]
fn what_a_test_leaves_running_does_not_outlive_it() {
    let sandbox = Sandbox::with(
        r##"(data (i32.const 64) "loop")
        (func (export "loop") (loop (br 0)))
        (func (export "#lunatic_test_t::a")
            (call $spawn (i64.const 0) (i32.const 64) (i32.const 4)))
        (func (export "#lunatic_test_t::b"))"##,
    );
    assert_eq!(test(&sandbox, "--test-threads 1").status, 0);
}

#[test]
fn cargo_gets_test_mode_from_run_by_the_modules_exports() {
    let sandbox = sandbox();
    let under_cargo = |args: &[&str]| {
        let mut command = sandbox.command(&[&["run", "--no-cache"], args].concat());
        crate::outcome(command.env("CARGO_MANIFEST_DIR", sandbox.path()).output().unwrap())
    };
    let run = under_cargo(&["a.wat", "--exact", "t::passes"]);
    assert!(sorted(&run).contains("1 passed; 0 failed"), "{}", run.stdout);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    under_cargo(&["a.wat", "--bench"]).expect(0, "said\n");
    // Without Cargo it is a program like any other.
    sandbox.run("a.wat").expect(0, "said\n");
    // And a program without tests stays one under Cargo.
    sandbox.write("b.wat", r#"(module (func (export "_start")))"#);
    under_cargo(&["b.wat"]).expect(0, "");
}

#[test]
fn a_module_without_tests_is_an_error_for_the_test_command() {
    let sandbox = Sandbox::with(r#"(func (export "_start"))"#);
    test(&sandbox, "").expect_error(66, &["exports no tests", "lunatic run"]);
}
