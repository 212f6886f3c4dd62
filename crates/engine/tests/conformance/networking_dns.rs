//! `lunatic::networking`: names, and iterators over addresses.

use lunatic_engine::ExitReason;

use crate::common::{passes, reason_limited, traps};

const NEXT: &str = "(func $next_address (param i64) (result i32)
    (call $networking.resolve_next (local.get 0) (i32.const 0x100)
        (i32.const 0x110) (i32.const 0x130) (i32.const 0x138) (i32.const 0x140)))";

// 1.7: as-lunatic resolves with 0 by default.
#[test]
fn a_literal_address_resolves_at_once_and_ids_are_never_used_again() {
    passes(&format!(
        r#"{NEXT}
        (func (export "_start")
            (call $is
                (call $networking.resolve @"192.0.2.7:65535" (i64.const 0) (i32.const 0))
                (i32.const 0))
            (call $is64 (i64.load (i32.const 0)) (i64.const 0))
            (i64.store (i32.const 0x138) (i64.const 77))
            (i64.store (i32.const 0x140) (i64.const 88))
            (call $is (call $next_address (i64.const 0)) (i32.const 0))
            (call $is (i32.load (i32.const 0x100)) (i32.const 4))
            (call $is (i32.load (i32.const 0x110)) (i32.const 0x070200c0))
            (call $is (i32.load (i32.const 0x130)) (i32.const 65535))
            ;; These two are for addresses of the other kind.
            (call $is64 (i64.load (i32.const 0x138)) (i64.const 77))
            (call $is64 (i64.load (i32.const 0x140)) (i64.const 88))
            (i32.store (i32.const 0x100) (i32.const 99))
            (call $is (call $next_address (i64.const 0)) (i32.const 1))
            (call $is (call $next_address (i64.const 0)) (i32.const 1))
            (call $is (i32.load (i32.const 0x100)) (i32.const 99))
            (call $networking.drop_dns_iterator (i64.const 0))
            (call $is
                (call $networking.resolve @"192.0.2.7:1" (i64.const 0) (i32.const 0))
                (i32.const 0))
            (call $is64 (i64.load (i32.const 0)) (i64.const 1)))"#
    ));
}

#[test]
fn an_address_of_16_octets_has_all_its_parts() {
    passes(&format!(
        r#"{NEXT}
        (func (export "_start")
            (call $is
                (call $networking.resolve @"[fe80::102%7]:80" (i64.const 0) (i32.const 0))
                (i32.const 0))
            (i32.store (i32.const 0x138) (i32.const 5))
            (call $is (call $next_address (i64.const 0)) (i32.const 0))
            (call $is (i32.load (i32.const 0x100)) (i32.const 6))
            (call $is64 (i64.load (i32.const 0x110)) (i64.const 0x80fe))
            (call $is64 (i64.load (i32.const 0x118)) (i64.const 0x0201000000000000))
            (call $is (i32.load16_u (i32.const 0x130)) (i32.const 80))
            (call $is (i32.load (i32.const 0x138)) (i32.const 0))
            (call $is (i32.load (i32.const 0x140)) (i32.const 7)))"#
    ));
}

#[test]
fn a_name_resolves_to_at_least_one_address() {
    passes(&format!(
        r#"{NEXT}
        (func (export "_start")
            (call $is
                (call $networking.resolve @"localhost:81" (i64.const -1) (i32.const 0))
                (i32.const 0))
            (call $is (call $next_address (i64.load (i32.const 0))) (i32.const 0))
            (call $is (i32.load16_u (i32.const 0x130)) (i32.const 81)))"#
    ));
}

// 31: guest libraries drop the error whose id they then find.
#[test]
fn a_timeout_stores_the_id_of_the_error_of_timeouts() {
    passes(
        r#"(func (export "_start") (local $code i32)
            (i64.store (i32.const 0) (i64.const -1))
            (local.set $code
                (call $networking.resolve @"localhost:81" (i64.const 0) (i32.const 0)))
            ;; The system may have been quick.
            (if (local.get $code) (then (call $is (local.get $code) (i32.const 9027))))
            (call $is64 (i64.load (i32.const 0)) (i64.const 0))
            (if (local.get $code) (then (call $error.drop (i64.load (i32.const 0))))))"#,
    );
}

#[test]
fn what_is_not_a_host_and_a_port_is_an_error_that_says_so() {
    for name in ["127.0.0.1", "localhost", "", "localhost:http", "localhost:65536", "a\\00b:80"] {
        passes(&format!(
            r#"(func (export "_start")
                (call $is
                    (call $networking.resolve @"{name}" (i64.const -1) (i32.const 0))
                    (i32.const 1))
                (call $is (call $error_has (i64.load (i32.const 0)) @"host:port") (i32.const 1)))"#
        ));
    }
    passes(
        r#"(func (export "_start")
            (memory.fill (i32.const 0x100) (i32.const 97) (i32.const 2000))
            (call $is
                (call $networking.resolve
                    (i32.const 0x100) (i32.const 2000) (i64.const -1) (i32.const 0))
                (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0)) @"at most") (i32.const 1)))"#,
    );
}

#[test]
fn bad_names_pointers_and_ids_trap() {
    let resolve = |name: &str, id: i32| {
        format!("(drop (call $networking.resolve {name} (i64.const 0) (i32.const {id})))")
    };
    traps(&resolve(r#"@"\ff:80""#, 0), "UTF-8");
    traps(&resolve("(i32.const 0xffff) (i32.const 2)", 0), "outside of the memory");
    traps(&resolve(r#"@"127.0.0.1:80""#, 0xfff9), "outside of the memory");
    let missing = "this process has no DNS iterator with id";
    let next = |places: &str| format!("(drop (call $networking.resolve_next {places}))");
    let zeros = "(i32.const 0) ".repeat(5);
    traps("(call $networking.drop_dns_iterator (i64.const 0))", missing);
    traps(&next(&format!("(i64.const 0) {zeros}")), missing);
    for place in 0..3 {
        let mut places = ["(i32.const 0)"; 5];
        places[place] = "(i32.const -1)";
        let body = resolve(r#"@"127.0.0.1:80""#, 0)
            + &next(&format!("(i64.const 0) {}", places.join(" ")));
        traps(&body, "outside of the memory");
    }
}

#[test]
fn a_trap_does_not_use_up_the_address() {
    passes(&format!(
        r#"{NEXT}
        (table funcref (elem $bad))
        (func $bad
            (drop (call $networking.resolve_next (i64.const 0) (i32.const 0)
                (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0))))
        (func (export "_start")
            (drop (call $networking.resolve @"127.0.0.1:80" (i64.const 0) (i32.const 0)))
            (call $is (call $try (i32.const 0)) (i32.const 0))
            (call $is (call $next_address (i64.const 0)) (i32.const 0))
            (call $is (call $next_address (i64.const 0)) (i32.const 1)))"#
    ));
}

#[test]
fn more_iterators_than_the_limit_end_the_process() {
    let program = r#"(func (export "_start")
        (loop $more
            (drop (call $networking.resolve @"127.0.0.1:80" (i64.const 0) (i32.const 0)))
            (br $more)))"#;
    let reason = reason_limited(program, |limits, _| limits.resources_max = 10);
    assert_eq!(reason, ExitReason::Limit("resources_max"));
}
