//! `lunatic::sqlite`: what each function gives, and each trap.

use lunatic_engine::ExitReason;
use lunatic_wasi::Access;

use crate::common::sqlite::{
    Place, ends_limited, guest, integers, list, passes, passes_limited, text, traps, value,
};
use crate::common::{check, run, run_with};

// 42: the published library opens at address 0, and takes 0 for the id.
#[test]
fn the_first_connection_has_id_0_which_may_be_stored_at_address_0() {
    passes(
        r#"(i64.store (i32.const 0) (i64.const -1))
        (call $is64 (call $sqlite.open @"" (i32.const 0)) (i64.const 0))
        (call $is64 (i64.load (i32.const 0)) (i64.const 0))
        (call $run @"SELECT \22Hello\22")
        (call $is64 (call $open @":memory:") (i64.const 1))
        (call $is64 (call $prepare @"SELECT 1") (i64.const 0))
        (call $is64 (call $prepare @"SELECT 2") (i64.const 1))"#,
    );
}

#[test]
fn rows_come_as_they_were_written() {
    let place = Place::new();
    let row = list(&[
        value(4, &(-7_i64).to_le_bytes()),
        value(3, &0.5_f64.to_le_bytes()),
        value(2, "grün".as_bytes()),
        value(1, &[0, 255]),
        value(0, &[]),
    ]);
    place.passes(&format!(
        r#"(drop (call $open @"a.db"))
        (call $run @"CREATE TABLE t (a, b, c, d, e)")
        (call $run @"INSERT INTO t VALUES (-7, 0.5, 'grün', x'00ff', NULL)")
        (call $is (call $sqlite.sqlite3_changes (i64.const 0)) (i32.const 1))
        (call $query @"SELECT * FROM t" {row})"#,
    ));
    // Another process finds them, too.
    place.passes(&format!(
        r#"(drop (call $open @"./a.db"))
        (call $query @"SELECT * FROM t" {row})"#,
    ));
}

// 37
#[test]
fn lengths_have_four_bytes() {
    // `$gives` checks what stands behind them.
    passes(&format!(
        r#"(drop (call $open @""))
        (drop (call $prepare @"SELECT 1 AS one, 2"))
        (call $is (call $sqlite.column_count (i64.const 0)) (i32.const 2))
        (call $gives
            (call $sqlite.column_names (i64.const 0) (call $length))
            @"\02\00\00\00\00\00\00\00\03\00\00\00\00\00\00\00one\01\00\00\00\00\00\00\002")
        (call $gives
            (call $sqlite.column_name (i64.const 0) (i32.const 0) (call $length)) @"one")
        (call $gives
            (call $sqlite.read_column (i64.const 0) (i32.const 1) (call $length))
            @"\00\00\00\00")
        (call $row (i64.const 0) {one_two})
        (call $gives
            (call $sqlite.read_column (i64.const 0) (i32.const 1) (call $length))
            @"\04\00\00\00\02\00\00\00\00\00\00\00")
        (call $done (i64.const 0))"#,
        one_two = integers(&[1, 2]),
    ));
}

#[test]
fn statements_start_anew_after_their_end_and_keep_what_is_bound() {
    let bind = list(&[[value(0, &[]), value(4, &9_i32.to_le_bytes())].concat()]);
    passes(&format!(
        r#"(drop (call $open @""))
        (drop (call $prepare @"SELECT ? UNION ALL SELECT 1"))
        (call $sqlite.bind_value (i64.const 0) {bind})
        (call $row (i64.const 0) {nine})
        (call $sqlite.statement_reset (i64.const 0))
        (call $row (i64.const 0) {nine})
        (call $row (i64.const 0) {one})
        (call $done (i64.const 0))
        (call $row (i64.const 0) {nine})
        ;; The published library always binds, be it nothing.
        (call $sqlite.bind_value (i64.const 0) @"\00\00\00\00\00\00\00\00")
        (call $row (i64.const 0) {nine})"#,
        nine = integers(&[9]),
        one = integers(&[1]),
    ));
}

// 40: all of them were bound to parameter 1.
#[test]
fn parameters_are_bound_by_number_and_by_name_with_and_without_prefix() {
    let number = |index: u64, bound: i64| {
        [&1_u32.to_le_bytes()[..], &index.to_le_bytes(), &value(5, &bound.to_le_bytes())].concat()
    };
    let name = |name: &str, bound: i64| {
        [value(2, name.as_bytes()), value(5, &bound.to_le_bytes())].concat()
    };
    for entries in [
        [name("a", 10), name("b", 20), name("c", 30)],
        [name("$c", 30), name(":a", 10), name("@b", 20)],
        [number(2, 20), number(1, 10), number(3, 30)],
    ] {
        passes(&format!(
            r#"(drop (call $open @""))
            (drop (call $prepare @"SELECT :a, @b, $c, :a + @b"))
            (call $sqlite.bind_value (i64.const 0) {bind})
            (call $row (i64.const 0) {row})"#,
            bind = list(&entries),
            row = integers(&[10, 20, 30, 30]),
        ));
    }
}

#[test]
fn values_of_each_kind_are_bound_and_texts_may_hold_nuls() {
    let bound = [
        value(0, &[]),
        value(1, &[0, 1]),
        value(2, b"a\0b"),
        value(3, &1.5_f64.to_le_bytes()),
        value(4, &(-1_i32).to_le_bytes()),
        value(5, &i64::MIN.to_le_bytes()),
    ];
    let key = |index: u64| [&1_u32.to_le_bytes()[..], &index.to_le_bytes()].concat();
    let entries: Vec<_> =
        bound.iter().zip(1..).map(|(value, index)| [key(index), value.clone()].concat()).collect();
    let mut row = bound.to_vec();
    row[4] = value(4, &(-1_i64).to_le_bytes());
    row[5] = value(4, &i64::MIN.to_le_bytes());
    row.push(value(4, &3_i64.to_le_bytes()));
    passes(&format!(
        r#"(drop (call $open @""))
        (drop (call $prepare @"SELECT ?, ?, ?, ?, ?, ?, length(CAST(?3 AS BLOB))"))
        (call $sqlite.bind_value (i64.const 0) {})
        (call $row (i64.const 0) {})"#,
        list(&entries),
        list(&row),
    ));
}

/// Checks that the last error's record has this code and a text that begins so.
fn last_error(code: u8, begin: &str) -> String {
    let head = text(&[1, code, 0, 0, 0, 1]);
    format!(
        r#"(global.set $heap (i32.const 0xb000))
        (drop (call $sqlite.last_error (i64.const 0) (call $length)))
        (call $is (call $same (i32.const 0xb000) {head}) (i32.const 1))
        (call $is (call $same (i32.const 0xb00e) @"{begin}") (i32.const 1))"#
    )
}

const NO_ERROR: &str = r#"(call $gives
    (call $sqlite.last_error (i64.const 0) (call $length)) @"\00\00")"#;

// 39: all of these trapped.
#[test]
fn errors_of_sql_are_codes_and_records_and_never_traps() {
    passes(&format!(
        r#"(drop (call $open @""))
        {NO_ERROR}
        (call $is (call $code @"NONSENSE") (i32.const 1))
        {error}
        (call $run @"CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)")
        {NO_ERROR}
        ;; The published library binds and steps whatever it is given.
        (call $is64 (call $prepare @"SELECT b FROM t") (i64.const 0))
        (call $sqlite.bind_value (i64.const 0) @"\00\00\00\00\00\00\00\00")
        {no_column}
        (call $is (call $sqlite.sqlite3_step (i64.const 0)) (i32.const 1))
        (call $is (call $sqlite.sqlite3_step (i64.const 0)) (i32.const 1))
        {no_column}
        (call $is (call $sqlite.column_count (i64.const 0)) (i32.const 0))
        (call $gives
            (call $sqlite.read_row (i64.const 0) (call $length)) @"\00\00\00\00\00\00\00\00")
        (call $sqlite.statement_reset (i64.const 0))
        (call $sqlite.sqlite3_finalize (i64.const 0))
        (drop (call $prepare @"INSERT INTO t VALUES (1)"))
        {NO_ERROR}
        (call $is (call $sqlite.sqlite3_step (i64.const 1)) (i32.const 19))
        {constraint}
        (drop (call $prepare @"SELECT :a"))
        (call $sqlite.bind_value (i64.const 2) {bind})
        (call $is (call $sqlite.sqlite3_step (i64.const 2)) (i32.const 25))
        {range}"#,
        error = last_error(1, "near"),
        no_column = last_error(1, "no such column: b"),
        constraint = last_error(19, "UNIQUE constraint failed"),
        range = last_error(25, "the statement has no parameter"),
        bind = list(&[[value(2, b"b"), value(0, &[])].concat()]),
    ));
}

// 36
#[test]
fn no_path_leads_out_of_the_directories() {
    let place = Place::new();
    std::fs::write(place.path("secret.db"), "").expect("a file outside");
    let absolute = place.path("secret.db").display().to_string();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret.db", place.path("inside/link.db")).expect("a link");
    #[cfg(unix)]
    place.passes(r#"(call $no_open @"link.db")"#);
    place.passes(&format!(
        r#"(call $no_open @"../secret.db")
        (call $no_open @"{absolute}")
        (call $no_open @"file:{absolute}")
        (drop (call $open @"a.db"))
        (call $is (call $code @"ATTACH '../secret.db' AS s") (i32.const 14))
        (call $is (call $code @"ATTACH '{absolute}' AS s") (i32.const 14))
        (call $is (call $code @"VACUUM INTO '../copy.db'") (i32.const 14))
        (call $run @"ATTACH 'b.db' AS b; CREATE TABLE b.t (x)")"#
    ));
    assert!(!place.path("copy.db").exists());
    assert!(place.path("inside/b.db").exists());
}

#[test]
fn a_directory_for_reading_holds_databases_for_reading() {
    let place = Place::new();
    place.passes(r#"(drop (call $open @"a.db")) (call $run @"CREATE TABLE t (x)")"#);
    let program = r#"(func (export "_start")
        (call $no_open @"b.db")
        (drop (call $open @"a.db"))
        (call $run @"SELECT * FROM t")
        (call $is (call $code @"INSERT INTO t VALUES (1)") (i32.const 8)))"#;
    let reason = run_with(&guest(program), place.config(Access::READ));
    check(&reason.expect("it can be spawned"));
}

#[test]
fn who_has_no_directory_has_databases_in_memory() {
    passes(
        r#"(call $no_open @"a.db")
        (call $is
            (call $error_has (i64.load (i32.const 0x1800)) @"none of the directories")
            (i32.const 1))
        (drop (call $open @""))
        (drop (call $open @":memory:"))
        (call $run @"CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(5000)); VACUUM")"#,
    );
}

#[test]
fn a_child_has_the_databases_of_its_directories_and_no_others() {
    let place = Place::new();
    std::fs::create_dir(place.path("inside/data")).expect("a new directory");
    let reason = place.ends(
        r#"(func (export "child") (param $root i64)
            (call $no_open @"a.db")
            (call $no_open @"data/../a.db")
            (drop (call $open @"data/b.db"))
            (call $run @"CREATE TABLE t (x)")
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start") (local $config i64)
            (drop (call $open @"a.db"))
            (local.set $config (call $process.create_config))
            (call $wasi.config_preopen_dir (local.get $config) @"data")
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (call $expect (i64.const 1)))"#,
    );
    check(&reason);
    assert!(place.path("inside/data/b.db").exists());
}

// 41: there was no way to close a connection.
#[test]
fn closing_a_connection_ends_its_statements_and_what_is_not_committed() {
    let place = Place::new();
    place.passes(&format!(
        r#"(drop (call $open @"a.db"))
        (call $run @"CREATE TABLE t (x); BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)")
        (drop (call $prepare @"SELECT x FROM t"))
        (call $row (i64.const 0) {one})
        (call $is (call $sqlite.close (i64.const 0)) (i32.const 0))
        (call $is64 (call $open @"a.db") (i64.const 1))
        (call $is (call $sqlite.execute (i64.const 1) @"INSERT INTO t VALUES (2)") (i32.const 0))
        (call $is
            (call $sqlite.execute (i64.const 1) @"PRAGMA busy_timeout = 0") (i32.const 0))"#,
        one = integers(&[1]),
    ));
    let closed = r#"(drop (call $open @"")) (drop (call $prepare @"SELECT 1"))
        (drop (call $sqlite.close (i64.const 0)))"#;
    for (call, what) in [
        ("(drop (call $sqlite.sqlite3_step (i64.const 0)))", STATEMENT),
        ("(drop (call $sqlite.close (i64.const 0)))", CONNECTION),
    ] {
        traps(&format!("{closed} {call}"), what);
    }
}

const STATEMENT: &str = "this process has no SQLite statement with id 0";
const CONNECTION: &str = "this process has no SQLite connection with id 0";

#[test]
fn unknown_ids_trap() {
    for call in [
        "(drop (call $prepare @\"\"))",
        "(drop (call $code @\"\"))",
        "(drop (call $sqlite.sqlite3_changes (i64.const 0)))",
        "(drop (call $sqlite.last_error (i64.const 0) (i32.const 0)))",
        "(drop (call $sqlite.close (i64.const 0)))",
    ] {
        traps(call, CONNECTION);
    }
    for call in [
        "(call $sqlite.bind_value (i64.const 0) @\"\\00\\00\\00\\00\\00\\00\\00\\00\")",
        "(call $sqlite.statement_reset (i64.const 0))",
        "(call $sqlite.sqlite3_finalize (i64.const 0))",
        "(drop (call $sqlite.sqlite3_step (i64.const 0)))",
        "(drop (call $sqlite.read_column (i64.const 0) (i32.const 0) (i32.const 0)))",
        "(drop (call $sqlite.column_names (i64.const 0) (i32.const 0)))",
        "(drop (call $sqlite.read_row (i64.const 0) (i32.const 0)))",
        "(drop (call $sqlite.column_count (i64.const 0)))",
        "(drop (call $sqlite.column_name (i64.const 0) (i32.const 0) (i32.const 0)))",
    ] {
        traps(call, STATEMENT);
        let gone = "(drop (call $open @\"\")) (drop (call $prepare @\"SELECT 1\"))
            (call $sqlite.sqlite3_finalize (i64.const 0))";
        traps(&format!("{gone} {call}"), STATEMENT);
    }
}

#[test]
fn bad_pointers_texts_and_columns_trap() {
    let open = "(drop (call $open @\"\")) (drop (call $prepare @\"SELECT 1\"))";
    for (call, expected) in [
        ("(drop (call $open_code (i32.const 0xffff) (i32.const 2)))", "outside of the memory"),
        ("(drop (call $sqlite.open @\"\" (i32.const 0xfff9)))", "outside of the memory"),
        ("(drop (call $open_code @\"\\ff\"))", "UTF-8"),
        ("(drop (call $prepare (i32.const 0xffff) (i32.const 2)))", "outside of the memory"),
        ("(drop (call $prepare @\"\\ff\"))", "UTF-8"),
        ("(drop (call $prepare (i32.const 0) (i32.const -1)))", "it may have at most"),
        ("(drop (call $code (i32.const 0xffff) (i32.const 2)))", "outside of the memory"),
        ("(drop (call $code @\"\\ff\"))", "UTF-8"),
        ("(drop (call $code (i32.const 0) (i32.const -1)))", "it may have at most"),
        ("(drop (call $sqlite.last_error (i64.const 0) (i32.const 0xfffd)))", "outside of"),
        ("(drop (call $sqlite.read_row (i64.const 0) (i32.const -1)))", "outside of"),
        (
            "(drop (call $sqlite.read_column (i64.const 0) (i32.const 1) (i32.const 0)))",
            "no column 1",
        ),
        (
            "(drop (call $sqlite.read_column (i64.const 0) (i32.const -1) (i32.const 0)))",
            "no column",
        ),
        (
            "(drop (call $sqlite.column_name (i64.const 0) (i32.const 1) (i32.const 0)))",
            "no column 1",
        ),
    ] {
        traps(&format!("{open} {call}"), expected);
    }
    passes(
        r#"(call $no_open @"a\00b")
        (memory.fill (i32.const 0) (i32.const 97) (i32.const 5000))
        (call $is64 (call $open_code (i32.const 0) (i32.const 5000)) (i64.const 1))
        (call $is (call $error_has (i64.load (i32.const 0x1800)) @"at most 4096") (i32.const 1))"#,
    );
}

// 43, and item 2 of 7.1: it ended the whole runtime.
#[test]
fn a_malformed_list_of_values_traps_before_anything_is_bound_or_allocated() {
    let open = "(drop (call $open @\"\")) (drop (call $prepare @\"SELECT ?\"))";
    for (list, expected) in [
        (text(&[]), "cut off"),
        (text(&[1, 0, 0, 0, 0, 0, 0]), "cut off"),
        (text(&[255; 8]), "cut off"),
        (text(&[255; 64]), "of kind 0, 1 or 2"),
        (list(&[vec![3, 0, 0, 0]]), "of kind 0, 1 or 2"),
        (list(&[vec![0, 0, 0, 0, 6, 0, 0, 0]]), "of kind 0 to 5"),
        (list(&[[value(0, &[]), vec![1, 0, 0, 0], vec![255; 8]].concat()]), "cut off"),
        (list(&[[value(0, &[]), value(2, &[255])].concat()]), "UTF-8"),
        ("(i32.const 0xffff) (i32.const 2)".into(), "outside of the memory"),
    ] {
        traps(&format!("{open} (call $sqlite.bind_value (i64.const 0) {list})"), expected);
    }
}

/// A module with an allocator of its own.
fn with_alloc(alloc: &str, body: &str) -> ExitReason {
    let own = guest(&format!("{alloc} (func (export \"_start\") {body})"));
    let given = own.find("(func (export \"lunatic_alloc\")").expect("it is in the helpers");
    let end = own[given..].find("(func $open_code").expect("it comes after") + given;
    run(&format!("{}{}", &own[..given], &own[end..]))
}

const ROW: &str = r#"(drop (call $open @"")) (drop (call $prepare @"SELECT 1"))
    (drop (call $sqlite.sqlite3_step (i64.const 0)))
    (drop (call $sqlite.read_row (i64.const 0) (call $length)))"#;

#[test]
fn a_result_needs_an_allocator_that_gives_memory() {
    for (alloc, expected) in [
        ("", "exports no function `lunatic_alloc`"),
        ("(func (export \"lunatic_alloc\") (result i32) (i32.const 0))", "another type"),
        ("(func (export \"lunatic_alloc\") (param i32) (result i32) (i32.const -5))", "outside of"),
        ("(func (export \"lunatic_alloc\") (param i32) (result i32) unreachable)", "unreachable"),
    ] {
        let ExitReason::Trap(trap) = with_alloc(alloc, ROW) else { panic!("no trap: {alloc}") };
        assert!(trap.message.contains(expected), "{}", trap.message);
    }
}

#[test]
fn an_allocator_may_take_away_what_is_read() {
    let alloc = r#"(func (export "lunatic_alloc") (param i32) (result i32)
        (call $sqlite.sqlite3_finalize (i64.const 0))
        (drop (call $sqlite.close (i64.const 0)))
        (i32.const 0xa000))"#;
    let reason =
        with_alloc(alloc, &format!("{ROW} (call $gives (i32.const 0xa000) {})", integers(&[1])));
    check(&reason);
}

#[test]
fn an_allocator_that_reads_within_itself_ends_at_the_limit_of_nested_calls() {
    let alloc = r#"(func (export "lunatic_alloc") (param i32) (result i32)
        (call $sqlite.read_row (i64.const 0) (i32.const 0)))"#;
    let ExitReason::Trap(trap) = with_alloc(alloc, ROW) else { panic!("no trap") };
    assert!(trap.message.contains("catch_depth_max"), "{}", trap.message);
}

#[test]
fn memory_of_sqlite_is_limited_and_the_process_lives() {
    passes_limited(
        r#"(drop (call $open @""))
        (call $run @"CREATE TABLE t (x)")
        (call $is (call $code @"INSERT INTO t VALUES (zeroblob(9000000))") (i32.const 7))
        (call $run @"INSERT INTO t VALUES (zeroblob(1000))")"#,
        |limits, _| limits.sqlite_bytes_max = 4 << 20,
    );
    passes_limited(r#"(call $no_open @"")"#, |limits, _| limits.sqlite_bytes_max = 100);
}

#[test]
fn more_connections_or_statements_than_the_limit_end_the_process() {
    let open = r#"(func (export "_start") (loop $more (drop (call $open @"")) (br $more)))"#;
    let prepare = r#"(func (export "_start") (drop (call $open @""))
        (loop $more (drop (call $prepare @"SELECT 1")) (br $more)))"#;
    for program in [open, prepare] {
        let reason = ends_limited(program, |limits, _| limits.resources_max = 10);
        assert_eq!(reason, ExitReason::Limit("resources_max"));
    }
}

#[test]
fn what_belongs_to_the_whole_program_is_out_of_reach() {
    passes(
        r#"(drop (call $open @""))
        (call $is (call $code @"PRAGMA hard_heap_limit = 1") (i32.const 23))
        (call $is (call $code @"SELECT load_extension('a')") (i32.const 1))
        (drop (call $prepare @"SELECT fts3_tokenizer(?, ?)"))
        (call $is (i32.gt_s (call $sqlite.sqlite3_step (i64.const 0)) (i32.const 0)) (i32.const 1))
        (call $run @"SELECT 1")"#,
    );
}
