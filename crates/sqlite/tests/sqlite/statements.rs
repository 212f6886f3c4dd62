//! Preparing, binding, running, reading, and what goes wrong with each.

use lunatic_sqlite::{Key, Step, Value};

use crate::support::*;

#[test]
fn values_of_each_kind_come_back_as_they_were_bound() {
    let mut connection = memory();
    connection.prepare(0, "SELECT ?, ?, ?, ?, ?, ?", false).unwrap();
    let values = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Real(-0.5),
        Value::Text(b"with a NUL\0 within"),
        Value::Blob(&[0, 255, 0]),
        Value::Blob(&[]),
    ];
    let numbered = values.iter().zip(1..).map(|(value, index)| (Key::Index(index), *value));
    connection.bind(0, numbered).unwrap();
    assert_eq!(connection.step(0, false), Ok(Step::Row));
    for (column, value) in values.iter().enumerate() {
        assert_eq!(connection.column(0, column), Ok(Some(*value)), "column {column}");
    }
    assert_eq!(connection.column(0, 6), Ok(None));
    assert_eq!(connection.step(0, false), Ok(Step::Done));
    assert_eq!(connection.column(0, 1), Ok(Some(Value::Null)), "no row, no values");
}

#[test]
fn parameters_are_found_by_name_with_and_without_prefix() {
    let mut connection = memory();
    connection.prepare(0, "SELECT :one, @two, $three, ?7", false).unwrap();
    for names in [["one", "two", "three"], [":one", "@two", "$three"]] {
        let keys = names.map(Key::Name).into_iter().chain([Key::Name("?7")]);
        let values = (1..).map(Value::Integer);
        connection.bind(0, keys.zip(values)).unwrap();
        assert_eq!(connection.step(0, false), Ok(Step::Row));
        assert_eq!(row(&mut connection, 0), [1, 2, 3, 4].map(Cell::Integer));
    }
}

#[test]
fn a_parameter_that_does_not_exist_is_the_result_of_each_step_until_binding_succeeds() {
    let mut connection = memory();
    connection.prepare(0, "SELECT :a", false).unwrap();
    for key in [
        Key::Index(0),
        Key::Index(2),
        Key::Index(u64::MAX),
        Key::Name("b"),
        Key::Name("@a"),
        Key::Name("a\0"),
        Key::Name(""),
    ] {
        let bound = connection.bind(0, [(key, Value::Null)].into_iter());
        assert_eq!(bound.as_ref().map_err(|error| error.code), Err(RANGE), "{key:?}");
        assert_eq!(connection.last_error(), bound.as_ref().err());
        assert_eq!(connection.step(0, false).map_err(|error| error.code), Err(RANGE));
    }
    connection.bind(0, [(Key::Name("a"), Value::Integer(3))].into_iter()).unwrap();
    assert_eq!(connection.step(0, false), Ok(Step::Row));
    assert_eq!(connection.last_error(), None);
}

#[test]
fn what_is_wrong_with_a_text_is_the_result_of_each_step() {
    let mut connection = memory();
    let error = connection.prepare(0, "SELEC 1", false).unwrap_err();
    assert_eq!(error.code, ERROR);
    assert!(error.message.contains("SELEC"), "{error}");
    assert_eq!(connection.last_error(), Some(&error));
    connection.bind(0, std::iter::empty()).unwrap();
    assert_eq!(connection.last_error(), Some(&error), "binding nothing hides nothing");
    for _ in 0..2 {
        assert_eq!(connection.step(0, false), Err(error.clone()));
    }
    assert_eq!((connection.column_count(0), connection.column(0, 0)), (0, Ok(None)));
    connection.reset(0);
    connection.finalize(0);
}

#[test]
fn a_statement_starts_anew_after_its_end_a_reset_or_a_binding() {
    let mut connection = memory();
    connection.prepare(0, "SELECT column1 FROM (VALUES (1), (2))", false).unwrap();
    let first = |connection: &mut lunatic_sqlite::Connection| {
        assert_eq!(connection.step(0, false), Ok(Step::Row));
        assert_eq!(row(connection, 0), [Cell::Integer(1)]);
    };
    first(&mut connection);
    assert!(connection.is_running(0));
    connection.reset(0);
    assert!(!connection.is_running(0));
    first(&mut connection);
    connection.bind(0, std::iter::empty()).unwrap();
    first(&mut connection);
    assert_eq!(connection.step(0, false), Ok(Step::Row));
    assert_eq!(connection.step(0, false), Ok(Step::Done));
    assert!(!connection.is_running(0), "it holds no lock after its end");
    first(&mut connection);
}

#[test]
fn a_text_without_a_statement_is_done_at_once() {
    let mut connection = memory();
    for sql in ["", "  -- nothing", ";", "\0SELECT 1"] {
        connection.prepare(0, sql, false).unwrap();
        assert_eq!(connection.step(0, false), Ok(Step::Done), "{sql:?}");
        run(&mut connection, sql);
    }
}

#[test]
fn a_script_runs_all_statements_up_to_the_first_that_fails() {
    let mut connection = memory();
    run(&mut connection, "CREATE TABLE t (x); ; INSERT INTO t VALUES (1); SELECT 1; -- end");
    let error = fails(&mut connection, "INSERT INTO t VALUES (2); NONSENSE; DELETE FROM t");
    assert!(error.message.contains("NONSENSE"), "{error}");
    assert_eq!(connection.last_error(), Some(&error));
    assert_eq!(integer(&mut connection, "SELECT sum(x) FROM t"), 3);
    run(&mut connection, "UPDATE t SET x = 9");
    assert_eq!((connection.changes(), connection.last_error()), (2, None));
}

#[test]
fn columns_have_names() {
    let mut connection = memory();
    connection.prepare(0, "SELECT 1 AS one, 2 AS \"\", 3 AS \"ä\"", false).unwrap();
    let names: Vec<_> = (0..4).map(|column| connection.column_name(0, column).unwrap()).collect();
    assert_eq!(names, [Some("one".into()), Some(String::new()), Some("ä".into()), None]);
    assert_eq!(connection.column_name(7, 0), Ok(None));
}

#[test]
fn text_is_given_as_it_is_even_if_it_is_no_utf_8() {
    let mut connection = memory();
    connection.prepare(0, "SELECT CAST(x'41ff' AS TEXT)", false).unwrap();
    assert_eq!(connection.step(0, false), Ok(Step::Row));
    assert_eq!(connection.column(0, 0), Ok(Some(Value::Text(b"A\xff"))));
}

#[test]
fn a_database_in_utf_16_reads_as_utf_8() {
    let mut connection = memory();
    run(&mut connection, "PRAGMA encoding = 'UTF-16'; CREATE TABLE t (x)");
    run(&mut connection, "INSERT INTO t VALUES ('grün')");
    assert_eq!(one(&mut connection, "SELECT x FROM t"), Cell::Text("grün".into()));
}

#[test]
fn a_connection_may_be_dropped_with_statements_in_the_middle() {
    let place = Place::new();
    let mut connection = place.connect("a.db");
    run(&mut connection, "CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
    run(&mut connection, "BEGIN; INSERT INTO t VALUES (3)");
    connection.prepare(0, "SELECT x FROM t", false).unwrap();
    assert_eq!(connection.step(0, false), Ok(Step::Row));
    drop(connection);
    assert_eq!(place.names("inside"), ["a.db"], "the journal is gone");
    assert_eq!(integer(&mut place.connect("a.db"), "SELECT count(*) FROM t"), 2);
}

#[test]
fn foreign_keys_are_off_unless_asked_for() {
    let mut connection = memory();
    assert_eq!(integer(&mut connection, "PRAGMA foreign_keys"), 0);
    run(&mut connection, "PRAGMA foreign_keys = ON");
    assert_eq!(integer(&mut connection, "PRAGMA foreign_keys"), 1);
}

#[test]
fn what_programs_use_of_sqlite_is_there() {
    let mut connection = memory();
    for sql in [
        "SELECT \"double quotes\"",
        "SELECT json_extract('{\"a\": 1}', '$.a'), value FROM json_each('[1]')",
        "CREATE VIRTUAL TABLE f USING fts5(a)",
        "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
        "SELECT row_number() OVER (), strftime('%Y', 'now'), date('now', 'localtime')",
        "SELECT * FROM pragma_table_info('f')",
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b GENERATED ALWAYS AS (a + 1))",
    ] {
        run(&mut connection, sql);
    }
}
