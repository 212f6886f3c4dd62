//! Linking: which functions a module can import, and with which types alone.

use crate::common::abi::{Function, additions, functions};
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
