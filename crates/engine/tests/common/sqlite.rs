//! Helper functions of guests that use SQLite, and places for their databases.
//!
//! The functions use the bytes from 0x1800 to 0x1fff; what the host hands out lies from 0xa000 on.

use lunatic_engine::{ExitReason, Limits, ProcessConfig, Rights};
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Preopen, WasiConfig};

use super::guest::module;
use super::{check, config, run_with};

/// Beginning of each of these guests.
pub const HELPERS: &str = r#"
    (global $heap (mut i32) (i32.const 0xa000))
    (func (export "lunatic_alloc") (param $length i32) (result i32)
        (global.get $heap)
        (global.set $heap (i32.add (global.get $heap) (local.get $length))))
    (func $open_code (param i32 i32) (result i64)
        (call $sqlite.open (local.get 0) (local.get 1) (i32.const 0x1800)))
    ;; The id of a connection.
    (func $open (param i32 i32) (result i64)
        (call $is64 (call $open_code (local.get 0) (local.get 1)) (i64.const 0))
        (i64.load (i32.const 0x1800)))
    ;; Checks that opening fails.
    (func $no_open (param i32 i32)
        (call $is64 (call $open_code (local.get 0) (local.get 1)) (i64.const 1))
        (call $is
            (call $error_has (i64.load (i32.const 0x1800)) @"cannot open the database")
            (i32.const 1)))
    ;; Executes on connection 0.
    (func $run (param i32 i32)
        (call $is
            (call $sqlite.execute (i64.const 0) (local.get 0) (local.get 1))
            (i32.const 0)))
    (func $code (param i32 i32) (result i32)
        (call $sqlite.execute (i64.const 0) (local.get 0) (local.get 1)))
    (func $prepare (param i32 i32) (result i64)
        (call $sqlite.query_prepare (i64.const 0) (local.get 0) (local.get 1)))
    ;; Checks that a result is this, with its length in four bytes and no more.
    (func $gives (param $got i32) (param $wanted i32) (param $length i32)
        (call $is (i32.load (i32.const 0x1810)) (local.get $length))
        (call $is (i32.load (i32.const 0x1814)) (i32.const 0x55667788))
        (call $is
            (call $same (local.get $got) (local.get $wanted) (local.get $length))
            (i32.const 1)))
    ;; Where the length of a result goes.
    (func $length (result i32)
        (i64.store (i32.const 0x1810) (i64.const 0x5566778811223344))
        (i32.const 0x1810))
    ;; The row of a statement is this.
    (func $row (param $statement i64) (param $wanted i32) (param $length i32)
        (call $is (call $sqlite.sqlite3_step (local.get $statement)) (i32.const 100))
        (call $gives
            (call $sqlite.read_row (local.get $statement) (call $length))
            (local.get $wanted) (local.get $length)))
    (func $done (param $statement i64)
        (call $is (call $sqlite.sqlite3_step (local.get $statement)) (i32.const 101)))
    ;; The one row of a query, and nothing else, is this.
    (func $query (param i32 i32) (param $wanted i32) (param $length i32)
        (local $statement i64)
        (local.set $statement (call $prepare (local.get 0) (local.get 1)))
        (call $row (local.get $statement) (local.get $wanted) (local.get $length))
        (call $done (local.get $statement))
        (call $sqlite.sqlite3_finalize (local.get $statement)))
"#;

/// A guest that begins with the helpers, of which only those go in that it uses.
pub fn guest(source: &str) -> String {
    module(&format!("{HELPERS}{source}"))
}

/// A temporary directory with a directory `inside`, which processes know as `.`.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(folder.path().join("inside")).expect("a new directory");
        Place(folder)
    }

    pub fn path(&self, below: &str) -> std::path::PathBuf {
        self.0.path().join(below)
    }

    pub fn config(&self, access: Access) -> ProcessConfig {
        let directory = HostDirectory::open_ambient(&self.path("inside")).expect("it is there");
        let mut wasi = WasiConfig::default();
        let preopen = Preopen::new(".", directory, access).expect("a good name");
        wasi.push_preopen(preopen).expect("the first one");
        ProcessConfig::root(wasi)
    }

    /// Runs the body of `_start`, whose checks must hold.
    pub fn passes(&self, body: &str) {
        check(&self.ends(&format!(r#"(func (export "_start") {body})"#)));
    }

    /// The reason for which a guest ends.
    pub fn ends(&self, source: &str) -> ExitReason {
        run_with(&guest(source), self.config(Access::FULL)).expect("it can be spawned")
    }
}

/// Runs the body of `_start` without directories.
pub fn passes(body: &str) {
    passes_limited(body, |_, _| {});
}

/// The same with limits.
pub fn passes_limited(body: &str, change: impl FnOnce(&mut Limits, &mut Rights)) {
    check(&ends_limited(&format!(r#"(func (export "_start") {body})"#), change));
}

/// The reason for which a limited guest ends.
pub fn ends_limited(source: &str, change: impl FnOnce(&mut Limits, &mut Rights)) -> ExitReason {
    run_with(&guest(source), config(change)).expect("it can be spawned")
}

/// The body of `_start` traps with a text that contains `expected`.
pub fn traps(body: &str, expected: &str) {
    let reason = ends_limited(&format!(r#"(func (export "_start") {body})"#), |_, _| {});
    let ExitReason::Trap(trap) = &reason else { panic!("no trap in {body}: {reason}") };
    assert!(trap.message.contains(expected), "{body}\n{}", trap.message);
}

/// Bytes as the text of a guest, `@"…"`.
pub fn text(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("@\"{escaped}\"")
}

/// What guests' encoding makes of a value: its kind and its bytes, those of texts and blobs with
/// their length before them.
pub fn value(kind: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    if matches!(kind, 1 | 2) {
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    }
    out.extend_from_slice(bytes);
    out
}

/// A list of encoded entries, as the text of a guest.
pub fn list(entries: &[Vec<u8>]) -> String {
    text(&[&(entries.len() as u64).to_le_bytes()[..], &entries.concat()].concat())
}

/// A row of integers, as the text of a guest.
pub fn integers(row: &[i64]) -> String {
    let entries: Vec<_> = row.iter().map(|number| value(4, &number.to_le_bytes())).collect();
    list(&entries)
}
