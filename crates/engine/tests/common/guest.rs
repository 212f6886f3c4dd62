//! What makes guests in text form short to write.
//!
//! * Host functions are imported by use: `$message.send` imports `lunatic::message` `send`.
//! * Helper functions of [`HELPERS`] and the tables beside it ([`NETWORK_HELPERS`],
//!   [`OTP_HELPERS`], [`TLS_HELPERS`]) come along by use, too.
//! * `@"text"` stands for the pointer and length of that text; a byte is written `\ff`.
//! * Without a memory of its own, a guest has one page. Texts lie from 16 KiB on; helpers use the
//!   bytes from 8 KiB to there.

use std::fmt::Write;

use super::abi::functions;
use super::network::NETWORK_HELPERS;
use super::otp::OTP_HELPERS;
use super::tls_helpers::TLS_HELPERS;

const TEXTS_AT: usize = 0x4000;

/// Helper functions by name. `$is` numbers its calls and ends the process with that number and
/// what it got (in the lower 16 bits) as its status.
const HELPERS: &[(&str, &str)] = &[
    (
        "$is",
        r#"(global $is.count (mut i32) (i32.const 0))
        (func $is (param $got i32) (param $wanted i32)
            (global.set $is.count (i32.add (global.get $is.count) (i32.const 1)))
            (if (i32.ne (local.get $got) (local.get $wanted)) (then
                (call $p1.proc_exit (i32.or
                    (i32.shl (global.get $is.count) (i32.const 16))
                    (i32.and (local.get $got) (i32.const 0xffff)))))))"#,
    ),
    (
        "$is64",
        r#"(func $is64 (param $got i64) (param $wanted i64)
            (call $is
                (select (i32.const 1)
                    (i32.or (i32.wrap_i64 (local.get $got)) (i32.const 0x8000))
                    (i64.eq (local.get $got) (local.get $wanted)))
                (i32.const 1)))"#,
    ),
    // Calls the function with this index in table 0: 1 if it returns, 0 if it traps.
    (
        "$try",
        r#"(func $try (param i32) (result i32)
            (call $trap.catch (local.get 0) (i32.const 0)))
        (func (export "_lunatic_catch_trap") (param i32 i32) (result i32)
            (call_indirect 0 (local.get 0)) (i32.const 1))"#,
    ),
    // Spawns with the own config and module, without parameters.
    (
        "$spawn",
        r#"(func $spawn (param $tag i64) (param $name i32) (param $length i32) (result i64)
            (call $is
                (call $process.spawn (local.get $tag) (i64.const -1) (i64.const -1)
                    (local.get $name) (local.get $length) (i32.const 0) (i32.const 0)
                    (i32.const 0x3f00))
                (i32.const 0))
            (i64.load (i32.const 0x3f00)))"#,
    ),
    // The code of a spawn with this config and one parameter, the own pid. The pid or error is
    // at 0x3f00.
    (
        "$spawn_code",
        r#"(func $spawn_code
            (param $tag i64) (param $config i64) (param $module i64)
            (param $name i32) (param $length i32) (result i32)
            (i32.store8 (i32.const 0x3f20) (i32.const 0x7e))
            (i64.store (i32.const 0x3f21) (call $process.process_id))
            (call $process.spawn (local.get $tag) (local.get $config) (local.get $module)
                (local.get $name) (local.get $length) (i32.const 0x3f20) (i32.const 17)
                (i32.const 0x3f00)))"#,
    ),
    (
        "$spawn_for_me",
        r#"(func $spawn_for_me (param $tag i64) (param $name i32) (param $length i32) (result i64)
            (call $is
                (call $spawn_code (local.get $tag) (i64.const -1) (i64.const -1)
                    (local.get $name) (local.get $length))
                (i32.const 0))
            (i64.load (i32.const 0x3f00)))"#,
    ),
    // Sends a message with a tag and eight bytes.
    (
        "$tell",
        r#"(func $tell (param $to i64) (param $tag i64) (param $value i64)
            (call $message.create_data (local.get $tag) (i64.const 8))
            (i64.store (i32.const 0x3f40) (local.get $value))
            (drop (call $message.write_data (i32.const 0x3f40) (i32.const 8)))
            (call $is (call $message.send (local.get $to)) (i32.const 0)))"#,
    ),
    // The next message of any kind; its code.
    (
        "$next",
        r#"(func $next (result i32)
            (call $message.receive (i32.const 0) (i32.const 0) (i64.const -1)))"#,
    ),
    // The code of a receive of one tag.
    (
        "$next_tagged",
        r#"(func $next_tagged (param $tag i64) (param $timeout i64) (result i32)
            (i64.store (i32.const 0x3f48) (local.get $tag))
            (call $message.receive (i32.const 0x3f48) (i32.const 1) (local.get $timeout)))"#,
    ),
    // The eight bytes of the message in the slot.
    (
        "$value",
        r#"(func $value (result i64)
            (call $is (call $message.read_data (i32.const 0x3f50) (i32.const 8)) (i32.const 8))
            (i64.load (i32.const 0x3f50)))"#,
    ),
    // Takes the next message, which must carry these eight bytes.
    (
        "$expect",
        r#"(func $expect (param $wanted i64)
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $value) (local.get $wanted)))"#,
    ),
    // A fresh error resource.
    (
        "$an_error",
        r#"(func $an_error (result i64)
            (call $is
                (call $process.compile_module @"no module" (i32.const 0x3f08))
                (i32.const 1))
            (i64.load (i32.const 0x3f08)))"#,
    ),
    // The module of a text.
    (
        "$compiled",
        r#"(func $compiled (param $text i32) (param $length i32) (result i64)
            (call $is
                (call $process.compile_module
                    (local.get $text) (local.get $length) (i32.const 0x3f08))
                (i32.const 0))
            (i64.load (i32.const 0x3f08)))"#,
    ),
    // Whether `$length` bytes at both addresses are the same.
    (
        "$same",
        r#"(func $same (param $one i32) (param $two i32) (param $length i32) (result i32)
            (loop $more
                (if (i32.eqz (local.get $length)) (then (return (i32.const 1))))
                (local.set $length (i32.sub (local.get $length) (i32.const 1)))
                (br_if $more (i32.eq
                    (i32.load8_u (i32.add (local.get $one) (local.get $length)))
                    (i32.load8_u (i32.add (local.get $two) (local.get $length))))))
            (i32.const 0))"#,
    ),
    // Whether the text of an error contains another text.
    (
        "$error_has",
        r#"(func $error_has (param $id i64) (param $text i32) (param $length i32) (result i32)
            (local $at i32) (local $end i32)
            (call $error.to_string (local.get $id) (i32.const 0x2000))
            (local.set $at (i32.const 0x2000))
            (local.set $end (i32.sub
                (i32.add (i32.const 0x2000) (call $error.string_size (local.get $id)))
                (local.get $length)))
            (loop $more
                (if (i32.gt_s (local.get $at) (local.get $end)) (then (return (i32.const 0))))
                (if (call $same (local.get $at) (local.get $text) (local.get $length))
                    (then (return (i32.const 1))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $more))
            (i32.const 0))"#,
    ),
];

/// The module of a guest.
pub fn module(source: &str) -> String {
    module_with(source, &[])
}

/// The same with texts of given names: `@name` stands for the pointer and length.
pub fn module_with(source: &str, texts: &[(&str, &str)]) -> String {
    let mut used = source.to_owned();
    let tables = [HELPERS, NETWORK_HELPERS, OTP_HELPERS, TLS_HELPERS];
    let mut helpers: Vec<_> = tables.into_iter().flatten().collect();
    while let Some(index) = helpers.iter().position(|(name, _)| mentions(&used, name)) {
        used.push_str(helpers.swap_remove(index).1);
    }
    let mut data = Data::default();
    let body = data.replace(&used, texts);
    let imports: String = functions()
        .filter(|function| mentions(&body, &function.identifier()))
        .map(|function| function.import())
        .collect();
    let pages = (TEXTS_AT + data.bytes).div_ceil(0x1_0000);
    let memory = if source.contains("(export \"memory\")") || source.contains(";; no memory") {
        String::new()
    } else {
        format!("(memory (export \"memory\") {pages})\n{}", data.sections)
    };
    format!("(module\n{imports}{body}\n{memory})")
}

fn mentions(source: &str, identifier: &str) -> bool {
    let end = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.';
    source
        .match_indices(identifier)
        .any(|(at, _)| source[at + identifier.len()..].chars().next().is_none_or(end))
}

#[derive(Default)]
struct Data {
    sections: String,
    bytes: usize,
}

impl Data {
    fn replace(&mut self, source: &str, texts: &[(&str, &str)]) -> String {
        let mut out = String::new();
        let mut rest = source;
        while let Some(at) = rest.find('@') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let (pointer, length);
            if let Some(quoted) = rest.strip_prefix('"') {
                let end = quoted.find('"').expect("a text ends with a quote");
                (pointer, length) = self.add(&quoted[..end]);
                rest = &quoted[end + 1..];
            } else {
                let known = texts.iter().find(|(name, _)| rest.starts_with(name));
                let (name, text) = known.expect("a text is quoted or given by name");
                let escaped = text.bytes().fold(String::new(), |mut escaped, byte| {
                    write!(escaped, "\\{byte:02x}").expect("a String takes all");
                    escaped
                });
                (pointer, length) = self.add(&escaped);
                rest = &rest[name.len()..];
            }
            write!(out, "(i32.const {pointer}) (i32.const {length})").expect("a String takes all");
        }
        out.push_str(rest);
        out
    }

    fn add(&mut self, escaped: &str) -> (usize, usize) {
        let (pointer, escapes) = (TEXTS_AT + self.bytes, escaped.matches('\\').count());
        let length = escaped.len() - 2 * escapes;
        writeln!(self.sections, "(data (i32.const {pointer}) \"{escaped}\")")
            .expect("a String takes all");
        self.bytes += length;
        (pointer, length)
    }
}
