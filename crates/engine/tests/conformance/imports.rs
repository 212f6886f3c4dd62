//! Linking: which functions a module can import, and with which types alone.

use std::path::Path;

use crate::common::abi::{Function, additions, functions, functions_of_0_13};
use crate::common::shared;

fn refused(wat: &str) -> String {
    match shared().compile(wat.as_bytes()) {
        Ok(_) => panic!("this module was taken: {wat}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_module_that_imports_every_function_with_its_exact_type_is_taken() {
    let imports: String = functions().map(|function| function.import()).collect();
    let wat = format!("(module {imports} (memory (export \"memory\") 1))");
    shared().compile(wat.as_bytes()).expect("all functions are there");
}

#[test]
fn the_table_lists_all_46_functions_of_wasi_preview_1() {
    let preview1 = |function: &Function| function.namespace == "wasi_snapshot_preview1";
    assert_eq!(functions().filter(preview1).count(), 46);
}

#[test]
fn each_function_with_one_type_changed_is_refused_by_name() {
    for function in functions() {
        let places = function.params.len() + usize::from(function.result.is_some());
        for place in 0..places {
            let mut changed = function.clone();
            let ty = match changed.params.get_mut(place) {
                Some(ty) => ty,
                None => changed.result.as_mut().expect("the place after the parameters"),
            };
            *ty = if *ty == "i64" { "i32" } else { "i64" };
            let error = refused(&format!("(module {})", changed.import()));
            let named = error.contains(function.namespace) && error.contains(function.name);
            assert!(named, "{changed:?}: {error}");
        }
    }
}

#[test]
fn what_does_not_exist_is_refused_by_name() {
    for (import, name) in [
        (r#"(import "lunatic::message" "sned" (func (param i64)))"#, "sned"),
        (r#"(import "lunatic::nothing" "send" (func (param i64)))"#, "lunatic::nothing"),
        (r#"(import "wasi_unstable" "fd_close" (func (param i32) (result i32)))"#, "wasi_unstable"),
        (r#"(import "env" "memory" (memory 1))"#, "memory"),
        (r#"(import "env" "table" (table 1 funcref))"#, "table"),
        (r#"(import "env" "global" (global i32))"#, "global"),
    ] {
        let error = refused(&format!("(module {import})"));
        assert!(error.contains(name), "{error}");
    }
}

// Every row names the function, and a file with guests that call it.
#[test]
fn the_tables_of_the_abi_list_every_function_of_lunatic_and_where_it_is_called() {
    assert_eq!(functions_of_0_13().count(), 140);
    let document = include_str!("../../../../abi/README.md");
    let rows: Vec<(&str, &str)> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    let described: Vec<&str> = rows.iter().map(|(function, _)| *function).collect();
    let all: Vec<&str> = functions_of_0_13().chain(additions()).collect();
    assert_eq!(described, all, "abi/README.md and tests/common/abi.rs list the same functions");
    for heading in [140, additions().count()].map(|count| format!("The {count} ")) {
        assert!(document.contains(&heading), "abi/README.md counts wrong: no `{heading}`");
    }
    for (function, file) in rows {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
        let source = std::fs::read_to_string(path).expect("abi/README.md names files of tests");
        let called = Function::from_line(function).identifier();
        let calls = |at: usize| {
            let next = source[at + called.len()..].chars().next();
            !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let found = source.match_indices(&called).any(|(at, _)| calls(at));
        assert!(found, "abi/README.md says that {file} calls {called}, but it does not");
    }
}

#[test]
fn what_is_new_of_sockets_is_described_with_its_exact_type() {
    let document = include_str!("../../../../abi/networking.md");
    let described: Vec<_> = document.lines().filter(|line| line.starts_with("lunatic::")).collect();
    let new: Vec<_> = additions().collect();
    for line in &described {
        assert!(new.contains(line), "abi/networking.md describes `{line}`, which does not exist");
    }
    // TLS has a document of its own.
    let ours = |line: &&&str| line.contains("::networking") && !line.contains("tls");
    for line in new.iter().filter(ours) {
        assert!(described.contains(line), "abi/networking.md lacks `{line}`");
    }
}

/// The headings of `abi/process.md` as lines of the table.
fn documented(page: &str) -> Vec<String> {
    let mut namespace = "";
    let mut lines = Vec::new();
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            namespace = name;
        }
        let Some(signature) = line.strip_prefix("### ") else { continue };
        let (name, rest) = signature.split_once(" (").expect("a name and parameters");
        let (params, result) = rest.split_once(')').expect("parameters end");
        let types = params.split(", ").filter_map(|param| Some(param.split_once(": ")?.1));
        let result = result.strip_prefix(" -> ");
        let words = [namespace, name].into_iter().chain(types).chain(["->"]).chain(result);
        lines.push(words.collect::<Vec<_>>().join(" "));
    }
    lines
}

#[test]
fn each_function_of_the_page_on_processes_has_the_type_that_the_page_says() {
    let lines = documented(include_str!("../../../../abi/process.md"));
    assert!(lines.len() >= 30, "{} functions", lines.len());
    let line = |function: Function| {
        let words = [function.namespace, function.name].into_iter().chain(function.params);
        words.chain(["->"]).chain(function.result).collect::<Vec<_>>().join(" ")
    };
    let table: Vec<_> = functions().map(line).collect();
    for line in lines {
        assert!(table.contains(&line), "{line}");
    }
}
