//! `lunatic::error`: ids, texts, the permanent error of a timeout.

use crate::common::{passes, traps};

#[test]
fn ids_begin_at_1_and_are_never_used_again() {
    passes(
        r#"(func (export "_start")
            (call $is64 (call $an_error) (i64.const 1))
            (call $is64 (call $an_error) (i64.const 2))
            (call $error.drop (i64.const 2))
            (call $error.drop (i64.const 1))
            (call $is64 (call $an_error) (i64.const 3)))"#,
    );
}

#[test]
fn the_text_fills_exactly_its_size() {
    passes(
        r#"(func (export "_start") (local $id i64) (local $size i32)
            (local.set $id (call $an_error))
            (local.set $size (call $error.string_size (local.get $id)))
            (memory.fill (i32.const 0x100) (i32.const 1) (i32.const 0x1000))
            (call $error.to_string (local.get $id) (i32.const 0x101))
            (call $is (i32.load8_u (i32.const 0x100)) (i32.const 1))
            (call $is (i32.load8_u (i32.add (i32.const 0x101) (local.get $size))) (i32.const 1))
            (call $is (i32.gt_u (local.get $size) (i32.const 10)) (i32.const 1))
            ;; It may end where the memory ends.
            (call $error.to_string
                (local.get $id) (i32.sub (i32.const 0x10000) (local.get $size))))"#,
    );
}

// 1.4: guest libraries drop error 0 after a timeout, which made none.
#[test]
fn error_0_is_a_timeout_that_can_be_read_and_dropped_for_ever() {
    passes(
        r#"(func (export "_start")
            (call $error.drop (i64.const 0))
            (call $error.drop (i64.const 0))
            (call $is (call $error.string_size (i64.const 0)) (i32.const 19))
            (call $is (call $error_has (i64.const 0) @"timed out") (i32.const 1)))"#,
    );
}

// 23
#[test]
fn the_text_names_the_cause() {
    passes(
        r#"(func (export "_start") (local $id i64)
            (call $is
                (call $process.compile_module
                    @"(module (import \22lunatic::nowhere\22 \22f\22 (func)))" (i32.const 0))
                (i32.const 1))
            (local.set $id (i64.load (i32.const 0)))
            (call $is (call $error_has (local.get $id) @"does not provide") (i32.const 1))
            (call $is (call $error_has (local.get $id) @"lunatic::nowhere") (i32.const 1)))"#,
    );
}

#[test]
fn an_id_that_is_unknown_or_dropped_traps() {
    for body in [
        "(drop (call $error.string_size (i64.const 1)))",
        "(drop (call $error.string_size (i64.const -1)))",
        "(call $error.to_string (i64.const 1) (i32.const 0))",
        "(call $error.drop (i64.const 1))",
        "(drop (call $an_error)) (call $error.drop (i64.const 1)) (call $error.drop (i64.const 1))",
    ] {
        traps(body, "this process has no error with id");
    }
}

#[test]
fn a_text_that_does_not_fit_into_the_memory_traps_and_stays() {
    traps("(call $error.to_string (i64.const 0) (i32.const 0xffff))", "outside of the memory");
    traps("(call $error.to_string (i64.const 0) (i32.const -1))", "outside of the memory");
    passes(
        r#"(table funcref (elem $bad))
        (func $bad (call $error.to_string (call $an_error) (i32.const 0xfff0)))
        (func (export "_start")
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $error.drop (i64.const 1)))"#,
    );
}
