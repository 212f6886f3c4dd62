//! SQL that goes for the program itself: its memory, its settings, its stack.

use lunatic_sqlite::{Key, Value, limits};

use crate::support::*;

// With bound parameters it is open even where SQLite's documentation calls it closed.
#[test]
fn addresses_of_code_cannot_be_read_or_set() {
    let mut connection = memory();
    for sql in ["SELECT fts3_tokenizer(?)", "SELECT fts3_tokenizer(?, ?)"] {
        let error = connection.prepare(0, sql, false).expect_err(sql);
        assert!([AUTH, ERROR].contains(&error.code), "{error}");
        let values = [(Key::Index(1), Value::Text(b"simple"))].into_iter();
        connection.bind(0, values).expect("there is nothing to bind to");
        connection.step(0, false).expect_err(sql);
    }
    for table in ["fts3", "fts4", "fts3tokenize", "dbstat", "csv"] {
        let error = fails(&mut connection, &format!("CREATE VIRTUAL TABLE t USING {table}(a)"));
        assert!(error.message.contains("no such module"), "{error}");
    }
    for sql in ["SELECT load_extension('a')", "SELECT load_extension('a', 'b')"] {
        fails(&mut connection, sql);
    }
}

#[test]
fn settings_of_the_whole_program_are_out_of_reach() {
    let mut connection = memory();
    for pragma in
        ["temp_store_directory", "data_store_directory", "soft_heap_limit", "hard_heap_limit"]
    {
        for sql in [
            format!("PRAGMA {pragma}"),
            format!("PRAGMA {pragma} = '1000'"),
            format!("PRAGMA {}(1000)", pragma.to_uppercase()),
            format!("SELECT * FROM pragma_{pragma}"),
            format!("SELECT * FROM pragma_{pragma}('1000')"),
        ] {
            // Unknown pragmas do nothing, and not every pragma is a table.
            if let Ok(rows) = try_rows(&mut connection, &sql) {
                assert!(rows.is_empty(), "{sql}: {rows:?}");
                assert_eq!(pragma, "data_store_directory", "{sql}");
            }
        }
    }
    run(&mut connection, "PRAGMA threads = 8");
    assert_eq!(try_rows(&mut connection, "PRAGMA threads"), Ok(Vec::new()));
}

#[test]
fn the_schema_table_cannot_be_written_and_journals_cannot_be_turned_off() {
    let place = Place::new();
    let mut connection = place.connect("a.db");
    run(&mut connection, "CREATE TABLE t (x); PRAGMA writable_schema = ON");
    fails(&mut connection, "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (x, y)'");
    assert_eq!(one(&mut connection, "PRAGMA journal_mode = OFF"), Cell::Text("delete".into()));
}

/// Text that nests a thing in itself.
fn nested(depth: usize, before: &str, core: &str, after: &str) -> String {
    format!("{}{core}{}", before.repeat(depth), after.repeat(depth))
}

// Run on a thread with the stack that threads for blocking work have.
#[test]
fn nesting_ends_in_an_error_and_not_with_the_stack() {
    let run_all = || {
        let mut connection = memory();
        let deep = 100_000;
        for sql in [
            format!("SELECT {}", nested(deep, "(", "1", ")")),
            format!("SELECT {}", nested(deep, "NOT ", "1", "")),
            format!("SELECT {}", nested(deep, "-", "1", "")),
            format!("SELECT {}", nested(deep, "abs(", "1", ")")),
            format!("SELECT {}", nested(deep, "(SELECT ", "1", ")")),
            format!("SELECT {}", nested(deep, "1 + (", "1", ")")),
            format!("SELECT 1 {}", "AND 1 ".repeat(deep)),
            format!("SELECT 1 {}", "|| 1 ".repeat(deep)),
            format!("SELECT {}", nested(deep, "CASE WHEN 1 THEN ", "1", " END")),
            format!("SELECT {}", nested(deep, "EXISTS (SELECT ", "1", ")")),
            nested(deep, "SELECT * FROM (", "SELECT 1", ")"),
            nested(deep, "WITH a AS (", "SELECT 1", ") SELECT * FROM a"),
            format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(deep)),
            format!("SELECT json('{}')", nested(deep, "[", "", "]")),
            format!("SELECT * FROM json_tree('{}')", nested(deep, "[", "", "]")),
            format!("SELECT 'a' LIKE '{}'", "%a".repeat(20_000)),
            format!("SELECT 'a' GLOB '{}'", "*a".repeat(20_000)),
        ] {
            let _ = connection.execute(&sql, false);
        }
        run(&mut connection, "SELECT 1");
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run_all);
    thread.expect("a thread").join().expect("it neither panics nor overflows");
}

#[test]
fn chains_of_views_and_triggers_end_in_an_error_and_not_with_the_stack() {
    let run_all = || {
        let mut connection = memory();
        run(&mut connection, "CREATE VIEW v0 AS SELECT 1 AS x; BEGIN");
        for number in 1..3000 {
            let before = number - 1;
            let view = format!("CREATE VIEW v{number} AS SELECT x FROM v{before}");
            run(&mut connection, &view);
        }
        run(&mut connection, "COMMIT");
        let error = fails(&mut connection, "SELECT x FROM v2999");
        assert!(error.message.contains("nested too deep"), "{error}");
        run(&mut connection, "SELECT x FROM v100");
        run(&mut connection, "CREATE TABLE t (x); PRAGMA recursive_triggers = ON");
        run(
            &mut connection,
            "CREATE TRIGGER again AFTER INSERT ON t BEGIN INSERT INTO t VALUES (new.x + 1); END",
        );
        fails(&mut connection, "INSERT INTO t VALUES (1)");
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run_all);
    thread.expect("a thread").join().expect("it neither panics nor overflows");
}

#[test]
fn texts_and_values_have_limits() {
    let mut connection = memory();
    let long = " ".repeat(limits::SQL_BYTES_MAX + 1);
    assert_eq!(fails(&mut connection, &long).code, TOOBIG);
    assert_eq!(connection.prepare(0, &long, false).map_err(|error| error.code), Err(TOOBIG));
    let more = limits::VALUE_BYTES_MAX + 1;
    assert_eq!(fails(&mut connection, &format!("SELECT zeroblob({more})")).code, TOOBIG);
    run(&mut connection, "ATTACH ':memory:' AS a0");
    for number in 1..limits::ATTACHED_MAX {
        run(&mut connection, &format!("ATTACH ':memory:' AS a{number}"));
    }
    let error = fails(&mut connection, "ATTACH ':memory:' AS one_more");
    assert!(error.message.contains("too many attached"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let place = Place::new();
    std::fs::write(place.path("inside/a.db"), "not a database, whatever it is".repeat(100))
        .unwrap();
    let mut connection = place.connect("a.db");
    assert_eq!(fails(&mut connection, "SELECT * FROM sqlite_schema").code, 26);
}
