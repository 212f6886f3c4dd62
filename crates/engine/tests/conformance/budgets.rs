//! Budgets in configurations: what a child may use, what its parent can read of that, and bombs
//! that end or are held at their limits while the node's memory stays where it was.

use crate::common::{passes, traps};

/// Sets a budget of `$config`: scope, kind, amount, policy.
fn set(scope: u32, kind: u32, amount: i64, policy: u32) -> String {
    format!(
        "(call $is (call $process.config_set_budget (local.get $config) (i32.const {scope})
            (i32.const {kind}) (i64.const {amount}) (i32.const {policy}) (i32.const 0x3f00))
            (i32.const 0))"
    )
}

/// A first process that spawns `child` with these budgets, allowed to spawn, and is linked to it;
/// then it does the rest with the child's id in `$child`.
fn parent(budgets: &str, child: &str, rest: &str) -> String {
    format!(
        r#"(func (export "child") (param i64) (local $i i32) {child})
        (func (export "idle") (drop (call $next)))
        (func (export "_start") (local $config i64) (local $child i64)
            ;; Of the child it is told; it does not end with it.
            (call $process.die_when_link_dies (i32.const 0))
            (local.set $config (call $process.create_config))
            (call $process.config_set_can_spawn_processes (local.get $config) (i32.const 1))
            (call $process.config_set_can_compile_modules (local.get $config) (i32.const 1))
            {budgets}
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (local.set $child (i64.load (i32.const 0x3f00)))
            {rest})"#
    )
}

/// Bytes of this program that lie in memory; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// What a bomb may leave of the node's memory, with all that other tests do meanwhile. Each of the
/// bombs would take gigabytes if nothing stopped it.
const RESIDENT_GROWTH_MAX: u64 = 512 << 20;

/// The child must end with the limit's name as its reason.
fn explodes(budgets: &str, child: &str, limit: &str) {
    let before = resident();
    let told = format!(
        r#"(call $is (call $next) (i32.const 1))
        (call $is (call $message.read_data (i32.const 0x2000) (i32.const 64))
            (i32.const {}))
        (call $is (call $same (i32.const 0x2000) @"{limit}") (i32.const 1))"#,
        limit.len()
    );
    passes(&parent(budgets, child, &told));
    if let (Some(before), Some(after)) = (before, resident()) {
        let grown = after.saturating_sub(before);
        assert!(grown < RESIDENT_GROWTH_MAX, "{limit}: the node grew by {grown} bytes");
    }
}

#[test]
fn a_hog_ends_when_its_processor_time_is_used_up() {
    let hog = "(loop br 0)";
    explodes(&set(0, 1, 3, 2), hog, "cpu_time_max");
    explodes(&set(1, 1, 3, 2), hog, "tree_cpu_time_max");
}

#[test]
fn bulk_memory_instructions_count_as_processor_time() {
    let fills = "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x2000)) (br 0))";
    explodes(&set(0, 1, 3, 2), fills, "cpu_time_max");
}

#[test]
fn a_lifetime_ends_who_waits_and_who_loops() {
    for child in ["(drop (call $next))", "(loop br 0)"] {
        explodes(&set(0, 4, 1, 2), child, "lifetime_max");
        explodes(&set(1, 4, 1, 2), child, "tree_lifetime_max");
    }
}

#[test]
fn a_memory_bomb_ends_or_is_refused_as_its_budget_says() {
    let bomb = "(loop (drop (memory.grow (i32.const 16))) (br 0))";
    explodes(&set(0, 0, 1 << 20, 2), bomb, "total_memory_max");
    explodes(&set(1, 0, 1 << 20, 2), bomb, "tree_total_memory_max");
    // Half a megabyte is seven pages beside the first, and what the process itself counts for.
    let refused = "(local.set $i (i32.const 0))
        (loop $more
            (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $more))))
        (call $is (local.get $i) (i32.const 6))
        (call $tell (local.get 0) (i64.const 1) (i64.const 7))";
    passes(&parent(&set(0, 0, 1 << 19, 0), refused, "(call $expect (i64.const 7))"));
}

#[test]
fn processes_of_a_subtree_share_its_memory() {
    // Each has a page and 16 KiB: of 4 MiB, 52 have room, the first one included.
    let bomb = r#"(loop $more
        (if (i32.eqz (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) @"idle"
                (i32.const 0) (i32.const 0) (i32.const 0x3f00))) (then
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $more))))
        (call $tell (local.get 0) (i64.const 1) (i64.extend_i32_u (local.get $i)))
        (drop (call $next))"#;
    let rest = "(call $is (call $next) (i32.const 0))
        (call $is64 (call $value) (i64.const 50))
        (call $is (call $process.account (i64.const 0) (local.get $child) (i32.const 1)
            (i32.const 0x2000) (i32.const 80)) (i32.const 0))
        (call $is (i64.le_u (i64.load (i32.const 0x2000)) (i64.const 0x400000)) (i32.const 1))";
    passes(&parent(&set(1, 0, 4 << 20, 0), bomb, rest));
}

#[test]
fn a_spawn_bomb_ends_or_is_refused_as_its_budget_says() {
    let bomb = r#"(loop $more (drop (call $spawn (i64.const 0) @"idle")) (br $more))"#;
    explodes(&set(0, 3, 20, 2), bomb, "children_max");
    explodes(&set(1, 3, 20, 2), bomb, "tree_children_max");
    let refused = r#"(loop $more
        (if (i32.eqz (call $process.spawn (i64.const 0) (i64.const -1) (i64.const -1) @"idle"
                (i32.const 0) (i32.const 0) (i32.const 0x3f00))) (then
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $more))))
        (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"tree_children_max")
            (i32.const 1))
        (call $tell (local.get 0) (i64.const 1) (i64.extend_i32_u (local.get $i)))"#;
    passes(&parent(&set(1, 3, 20, 0), refused, "(call $expect (i64.const 20))"));
}

#[test]
fn a_timer_bomb_ends_at_its_memory() {
    let bomb = "(loop
        (call $message.create_data (i64.const 1) (i64.const 0))
        (drop (call $message.write_data (i32.const 0) (i32.const 0x4000)))
        (drop (call $timer.send_after (local.get 0) (i64.const 1000000000)))
        (br 0))";
    explodes(&set(0, 0, 1 << 20, 2), bomb, "total_memory_max");
    explodes(&set(1, 0, 1 << 20, 2), bomb, "tree_total_memory_max");
}

#[test]
fn a_message_that_grows_beyond_the_memory_traps_or_ends_its_writer() {
    let writes = "(call $message.create_data (i64.const 1) (i64.const 0))
        (loop (drop (call $message.write_data (i32.const 0) (i32.const 0x4000))) (br 0))";
    explodes(&set(0, 0, 1 << 20, 2), writes, "total_memory_max");
    let trapped = parent(
        &set(0, 0, 1 << 20, 0),
        writes,
        r#"(call $is (call $next) (i32.const 1))
        (call $is (i32.gt_u
            (call $message.read_data (i32.const 0x2000) (i32.const 4096)) (i32.const 16))
            (i32.const 1))"#,
    );
    passes(&trapped);
}

#[test]
fn a_module_counts_until_its_last_handle_goes() {
    let compiles = r#"(loop $more
        (drop (call $compiled @"(module)"))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $i) (i32.const 3))))
        (call $is (call $process.account (i64.const 0) (call $process.process_id) (i32.const 0)
            (i32.const 0x2000) (i32.const 80)) (i32.const 0))
        ;; Its page, 16 KiB, and eight times the eight bytes of each module.
        (call $is64 (i64.load (i32.const 0x2000)) (i64.const 82112))
        (call $process.drop_module (i64.const 0))
        (call $is (call $process.account (i64.const 0) (call $process.process_id) (i32.const 0)
            (i32.const 0x2000) (i32.const 80)) (i32.const 0))
        (call $is64 (i64.load (i32.const 0x2000)) (i64.const 82048))
        (call $tell (local.get 0) (i64.const 1) (i64.const 7))"#;
    passes(&parent(&set(0, 0, 1 << 20, 0), compiles, "(call $expect (i64.const 7))"));
}

#[test]
fn a_flood_waits_at_the_memory_of_the_flooded_and_others_answer() {
    let before = resident();
    // The parent's timeout passes while it waits at the child's full mailbox, and the message is
    // still there.
    let flood = r#"(loop $more
            (call $message.create_data (i64.const 5) (i64.const 0))
            (drop (call $message.write_data (i32.const 0) (i32.const 0x8000)))
            (br_if $more (i32.eqz
                (call $message.send_pid (i64.const 0) (local.get $child) (i64.const 1)))))
        (call $is64 (call $message.data_size) (i64.const 0x8000))
        (call $is (call $process.account (i64.const 0) (local.get $child) (i32.const 0)
            (i32.const 0x2000) (i32.const 80)) (i32.const 0))
        (call $is (i64.le_u (i64.load (i32.const 0x2000)) (i64.const 0x100000)) (i32.const 1))
        (call $process.kill (local.get $child))
        (call $is (call $next) (i32.const 1))"#;
    let deaf = "(call $process.sleep_ms (i64.const 1000000000))";
    passes(&parent(&set(0, 0, 1 << 20, 0), deaf, flood));
    if let (Some(before), Some(after)) = (before, resident()) {
        assert!(after.saturating_sub(before) < RESIDENT_GROWTH_MAX);
    }
}

#[test]
fn a_hog_beyond_its_share_is_held_while_its_parent_goes_on_and_can_kill_it() {
    for scope in [0, 1] {
        let rest = format!(
            "(loop $more
                (call $is (call $process.account (i64.const 0) (local.get $child)
                    (i32.const {scope}) (i32.const 0x2000) (i32.const 80)) (i32.const 0))
                (call $process.sleep_ms (i64.const 1))
                (br_if $more (i64.lt_u (i64.load (i32.const 0x2020)) (i64.const 3))))
            (call $is64 (i64.load (i32.const 0x2028)) (i64.const 100))
            (call $process.kill (local.get $child))
            (call $is (call $next) (i32.const 1))"
        );
        passes(&parent(&set(scope, 2, 100, 1), "(loop br 0)", &rest));
    }
}

#[test]
fn an_account_is_for_ancestors_and_only_where_there_is_one() {
    let budgets = set(1, 3, -1, 0);
    let child = r#"
        ;; The parent has no account, and is none of its.
        (call $is (call $process.account (i64.const 0) (local.get 0) (i32.const 0)
            (i32.const 0x2000) (i32.const 80)) (i32.const 2))
        (drop (call $spawn (i64.const 0) @"idle"))
        (call $tell (local.get 0) (i64.const 1) (i64.load (i32.const 0x3f00)))
        (drop (call $next))"#;
    let rest = r#"(local.set $config (i64.const 0))
        (call $is (call $next) (i32.const 0))
        (local.set $config (call $value))
        (call $is (call $process.account (i64.const 0) (local.get $child) (i32.const 1)
            (i32.const 0x2000) (i32.const 80)) (i32.const 0))
        (call $is64 (i64.load (i32.const 0x2030)) (i64.const 1))
        (call $is64 (i64.load (i32.const 0x2038)) (i64.const -1))
        ;; A grandchild, which is the first of no subtree.
        (call $is (call $process.account (i64.const 0) (local.get $config) (i32.const 0)
            (i32.const 0x2000) (i32.const 80)) (i32.const 0))
        (call $is (call $process.account (i64.const 0) (local.get $config) (i32.const 1)
            (i32.const 0x2000) (i32.const 80)) (i32.const 3))
        ;; Itself, and nobody.
        (call $is (call $process.account (i64.const 0) (call $process.process_id) (i32.const 0)
            (i32.const 0x2000) (i32.const 80)) (i32.const 3))
        (call $is (call $process.account (i64.const 0) (i64.const -5) (i32.const 0)
            (i32.const 0x2000) (i32.const 80)) (i32.const 1))"#;
    passes(&parent(&budgets, child, rest));
}

#[test]
fn a_child_cannot_give_more_than_it_has() {
    // The child asks for twice its own time for its child, which ends all the same.
    let child = r#"(local $config i64)
        (local.set $config (call $process.create_config))"#;
    let child = format!(
        "{child} {} (call $is
            (call $spawn_code (i64.const 0) (local.get $config) (i64.const -1) @\"hog\")
            (i32.const 0))
        (call $process.monitor (i64.load (i32.const 0x3f00)))
        (call $is (call $next) (i32.const 2))
        (call $is (call $message.read_data (i32.const 0x2000) (i32.const 64)) (i32.const 12))
        (call $is (call $same (i32.const 0x2000) @\"cpu_time_max\") (i32.const 1))
        (call $tell (local.get 0) (i64.const 1) (i64.const 7))",
        set(0, 1, 1 << 40, 2)
    );
    let source = parent(
        &format!(
            "(call $process.config_set_can_create_configs (local.get $config) (i32.const 1)) {}",
            set(0, 1, 50, 2)
        ),
        &child,
        "(call $expect (i64.const 7))",
    );
    passes(&format!(r#"{source} (func (export "hog") (param i64) (loop br 0))"#));
}

#[test]
fn a_policy_that_a_kind_cannot_have_is_an_error_and_what_does_not_exist_traps() {
    passes(
        r#"(func (export "_start") (local $config i64)
            (local.set $config (call $process.create_config))
            (call $is (call $process.config_set_budget (local.get $config) (i32.const 0)
                (i32.const 1) (i64.const 5) (i32.const 0) (i32.const 0x3f00)) (i32.const 1))
            (call $is (call $error_has (i64.load (i32.const 0x3f00)) @"cpu_time_max")
                (i32.const 1)))"#,
    );
    let config = "(drop (call $process.create_config))";
    for (arguments, expected) in [
        ("(i64.const 0) (i32.const 2) (i32.const 0) (i64.const 1) (i32.const 0)", "scope"),
        ("(i64.const 0) (i32.const 0) (i32.const 9) (i64.const 1) (i32.const 0)", "kind 9"),
        ("(i64.const 0) (i32.const 0) (i32.const 0) (i64.const 1) (i32.const 3)", "policy 3"),
        ("(i64.const 9) (i32.const 0) (i32.const 0) (i64.const 1) (i32.const 0)", "no config"),
    ] {
        let call = format!(
            "{config} (drop (call $process.config_set_budget {arguments} (i32.const 0x3f00)))"
        );
        traps(&call, expected);
    }
    for (scope, place, length, expected) in [(2, 0, 80, "scope"), (0, 0xffff, 80, "")] {
        let call = format!(
            "(drop (call $process.account (i64.const 0) (i64.const 1) (i32.const {scope})
                (i32.const {place}) (i32.const {length})))"
        );
        traps(&call, expected);
    }
}

#[test]
fn an_account_is_stored_as_far_as_there_is_room_for_whole_entries() {
    let rest = "(i64.store (i32.const 0x2008) (i64.const 99))
        (i64.store (i32.const 0x2010) (i64.const 99))
        (call $is (call $process.account (i64.const 0) (local.get $child) (i32.const 0)
            (i32.const 0x2000) (i32.const 31)) (i32.const 0))
        (call $is64 (i64.load (i32.const 0x2008)) (i64.const 0x100000))
        (call $is64 (i64.load (i32.const 0x2010)) (i64.const 99))
        ;; What there is no kind for stays as it was.
        (i64.store (i32.const 0x2090) (i64.const 99))
        (call $is (call $process.account (i64.const 0) (local.get $child) (i32.const 0)
            (i32.const 0x2000) (i32.const 0x1000)) (i32.const 0))
        (call $is64 (i64.load (i32.const 0x2088)) (i64.const -1))
        (call $is64 (i64.load (i32.const 0x2090)) (i64.const 99))";
    passes(&parent(&set(0, 0, 1 << 20, 0), "(drop (call $next))", rest));
}

#[test]
fn who_may_send_no_message_has_a_timeout_and_keeps_it() {
    let child = "(call $message.create_data (i64.const 1) (i64.const 0))
        (drop (call $message.write_data (i32.const 0) (i32.const 5)))
        (call $is (call $message.send_pid (i64.const 0) (local.get 0) (i64.const 0))
            (i32.const 9027))
        (call $is64 (call $message.data_size) (i64.const 5))";
    let ended = "(call $process.monitor (local.get $child))
        (call $is (call $next) (i32.const 2))
        (call $is64 (call $message.data_size) (i64.const 0))";
    passes(&parent(&set(0, 5, 0, 1), child, ended));
}

#[test]
fn who_sends_to_a_process_that_may_receive_nothing_has_a_timeout() {
    let rest = "(call $message.create_data (i64.const 1) (i64.const 0))
        (call $is (call $message.send_pid (i64.const 0) (local.get $child) (i64.const 1))
            (i32.const 9027))
        (call $process.kill (local.get $child))
        (call $is (call $next) (i32.const 1))";
    passes(&parent(&set(1, 6, 0, 1), "(drop (call $next))", rest));
}

#[test]
fn bytes_on_the_network_are_refused_or_end_the_process_when_they_are_used_up() {
    let sends = r#"(drop (call $udp)) (drop (call $udp))
        (call $is (call $udp_connect (i64.const 0) (call $udp_port (i64.const 1))) (i32.const 0))
        (call $is (call $networking.udp_send (i64.const 0) @"ping" (i32.const 0x3010))
            (i32.const 0))
        (call $udp_get (i64.const 1) @"ping")
        (call $is (call $networking.udp_send (i64.const 0) @"ping" (i32.const 0x3010))
            (i32.const 1))
        (call $is (call $error_has (i64.load (i32.const 0x3010)) @"network_bytes_max")
            (i32.const 1))
        (call $tell (local.get 0) (i64.const 1) (i64.const 7))"#;
    passes(&parent(&set(0, 7, 8, 0), sends, "(call $expect (i64.const 7))"));
    explodes(&set(1, 7, 8, 2), sends, "tree_network_bytes_max");
}
