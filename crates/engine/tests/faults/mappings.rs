//! Running out of memory mappings, of which Linux allows some 65,000.

use std::process::Command;

use crate::service::{Service, alone};

/// Set in the program in which mappings run out: others must not notice.
const INSIDE: &str = "LUNATIC_TEST_MAPPINGS_RUN_OUT";
const NAME: &str = "mappings::without_mappings_a_spawn_is_an_error_and_with_them_it_works_again";

/// Spawns until that is an error, talks with who is there, and waits for mappings.
const GUEST: &str = r#"
    (func (export "waits") (param $root i64)
        (loop $more
            (call $is (call $next) (i32.const 0))
            (call $tell (local.get $root) (i64.const 0) (call $value))
            (br $more)))
    (func (export "_start") (local $first i64) (local $count i32)
        (call $hello (call $listen))
        (local.set $first (call $spawn_for_me (i64.const 0) @"waits"))
        (call $wait_for_go)
        (loop $more
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            ;; One chunk of stacks has room for this many.
            (call $is (i32.lt_u (local.get $count) (i32.const 1000)) (i32.const 1))
            (br_if $more (i32.eqz
                (call $spawn_code (i64.const 0) (i64.const -1) (i64.const -1) @"waits"))))
        (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"vm.max_map_count")
            (i32.const 1))
        (call $tell (local.get $first) (i64.const 0) (i64.const 5))
        (call $expect (i64.const 5))
        (call $is
            (call $spawn_code (i64.const 0) (i64.const -1) (i64.const -1) @"waits")
            (i32.const 1))
        (call $done)
        (call $wait_for_go)
        (local.set $count (i32.const 0))
        (loop $more
            (drop (call $spawn_for_me (i64.const 0) @"waits"))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $count) (i32.const 1000))))
        (call $done)
        (call $process.sleep_ms (i64.const -1)))"#;

/// Maps single pages of alternating protection, which the system cannot merge, until it refuses.
fn take_all_mappings() -> Vec<*mut libc::c_void> {
    let mut taken = Vec::with_capacity(1 << 17);
    loop {
        let protection = if taken.len() % 2 == 0 { libc::PROT_NONE } else { libc::PROT_READ };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the system's choice touches no other memory.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return taken;
        }
        taken.push(page);
    }
}

fn give_all_back(taken: Vec<*mut libc::c_void>) {
    for page in taken {
        // SAFETY: mapped above, and used by nobody.
        unsafe { libc::munmap(page, 4096) };
    }
}

fn inside() {
    let mut service = Service::start(GUEST);
    let taken = take_all_mappings();
    service.go();
    service.wait_until_done();
    give_all_back(taken);
    service.go();
    service.wait_until_done();
}

#[test]
fn without_mappings_a_spawn_is_an_error_and_with_them_it_works_again() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let _turn = alone();
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    let output = command.args(["--exact", NAME]).env(INSIDE, "1").output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
