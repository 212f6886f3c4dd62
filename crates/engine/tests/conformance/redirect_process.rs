//! Processes as targets: told what is written, or asked. What a server answers is never believed
//! beyond what the call permits.

use crate::common::{passes, passes_limited};

/// The root redirects something of a child to itself; `flags` 2 lets it answer.
pub fn with_child(what: &str, flags: u32, child: &str, rest: &str) -> String {
    format!(
        r#"(func (export "child") (param $root i64) (local $fd i32)
            {child} (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        ;; Writes bytes to a descriptor; the errno.
        (func $write (param $fd i32) (param $at i32) (param $length i32) (result i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $length))
            (call $p1.fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 16)))
        ;; Reads ten bytes from a descriptor to 0x100; the errno.
        (func $read (param $fd i32) (result i32)
            (i32.store (i32.const 0) (i32.const 0x100)) (i32.store (i32.const 4) (i32.const 10))
            (call $p1.fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 16)))
        ;; Opens a path below descriptor 3 for reading and writing; the errno.
        (func $open (param $path i32) (param $length i32) (param $oflags i32) (result i32)
            (call $p1.path_open (i32.const 3) (i32.const 1) (local.get $path) (local.get $length)
                (local.get $oflags) (i64.const 0x6fffff) (i64.const 0) (i32.const 0)
                (i32.const 20)))
        ;; The next message, which must have this tag; its data is at 0x400, its length is given.
        (func $comes_tagged (param $tag i64) (result i32)
            (call $is (call $next) (i32.const 0))
            (call $is64 (call $message.get_tag) (local.get $tag))
            (call $message.read_data (i32.const 0x400) (i32.const 0x400)))
        ;; Answers the next request, which must be that.
        (func $serve (param $wanted i32) (param $wanted_length i32)
            (param $reply i32) (param $length i32)
            (call $is
                (call $comes_tagged (i64.const -1))
                (i32.add (i32.const 16) (local.get $wanted_length)))
            (call $is
                (call $same (i32.const 0x410) (local.get $wanted) (local.get $wanted_length))
                (i32.const 1))
            (call $message.create_data (i64.const -3) (i64.const 0))
            (drop (call $message.write_data (local.get $reply) (local.get $length)))
            (call $is
                (call $message.send_alias (i64.load (i32.const 0x400)) (i64.load (i32.const 0x408))
                    (i32.const 0) (i64.const -1))
                (i32.const 0)))
        (func (export "_start") (local $config i64) (local $child i64)
            (local.set $config (call $process.create_config))
            (call $is
                (call $process.config_redirect_to_process (local.get $config) @"{what}"
                    (i64.const 0) (call $process.process_id) (i64.const {tag})
                    (i32.const {flags}) (i32.const 0x3f10))
                (i32.const 0))
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"child")
                (i32.const 0))
            (local.set $child (i64.load (i32.const 0x3f00)))
            {rest}
            (call $expect (i64.const 1)))"#,
        tag = if flags & 2 == 0 { 5 } else { 0 },
    )
}

#[test]
fn what_is_written_arrives_as_messages_with_its_source() {
    let child = r#"(call $is (call $write (i32.const 1) @"one\0a") (i32.const 0))
        (call $is (i32.load (i32.const 16)) (i32.const 4))
        (call $is (call $write (i32.const 1) @"") (i32.const 0))
        (call $is (call $write (i32.const 1) @"two") (i32.const 0))"#;
    let rest = r#"(call $is (call $comes_tagged (i64.const 5)) (i32.const 12))
        (call $is (call $same (i32.const 0x400) @"\06stdout\04one\0a") (i32.const 1))
        (call $is (call $comes_tagged (i64.const 5)) (i32.const 11))
        (call $is (call $same (i32.const 0x400) @"\06stdout\03two") (i32.const 1))"#;
    passes(&with_child("stdout", 0, child, rest));
}

#[test]
fn a_full_mailbox_holds_the_writer_up_and_loses_nothing() {
    let child = r#"(call $is (call $write (i32.const 2) @"1") (i32.const 0))
        (call $is (call $write (i32.const 2) @"2") (i32.const 0))
        (call $is (call $write (i32.const 2) @"3") (i32.const 0))"#;
    let one = |n: u8| {
        format!(
            r#"(call $is (call $comes_tagged (i64.const 5)) (i32.const 9))
            (call $is (call $same (i32.const 0x400) @"\06stderr\01{n}") (i32.const 1))"#
        )
    };
    let rest = format!(
        ";; The child fills the mailbox meanwhile, and waits there.
        (call $process.sleep_ms (i64.const 5)) {}{}{}",
        one(1),
        one(2),
        one(3)
    );
    passes_limited(&with_child("stderr", 0, child, &rest), |limits, _| {
        limits.mailbox_messages_max = 1;
    });
}

#[test]
fn a_writer_that_waits_at_a_full_mailbox_can_be_killed() {
    let child = r#"(call $is (call $write (i32.const 1) @"1") (i32.const 0))
        (call $is (call $write (i32.const 1) @"2") (i32.const 0))
        (call $is (call $write (i32.const 1) @"3") (i32.const 0))"#;
    let rest = r#"(call $process.die_when_link_dies (i32.const 0))
        (call $is (call $comes_tagged (i64.const 5)) (i32.const 9))
        (call $process.kill (local.get $child))
        ;; What it has sent by then may come first: one message, for which there was room.
        (loop $more
            (br_if $more (i32.eqz (call $next))))
        (return)"#;
    passes_limited(&with_child("stdout", 0, child, rest), |limits, _| {
        limits.mailbox_messages_max = 1;
    });
}

/// Writes to a process that has ended; `asked` or told.
fn after_the_end(flags: u32) -> String {
    format!(
        r#"(func (export "sink") (drop (call $next)))
        (func (export "writer") (param $root i64)
            (call $expect (i64.const 2))
            (i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const 1))
            (call $is
                (call $p1.fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))
                (i32.const 64))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func (export "_start") (local $config i64) (local $sink i64) (local $writer i64)
            (local.set $sink (call $spawn (i64.const 0) @"sink"))
            (local.set $config (call $process.create_config))
            (call $is
                (call $process.config_redirect_to_process (local.get $config) @"stdout"
                    (i64.const 0) (local.get $sink) (i64.const 0) (i32.const {flags})
                    (i32.const 0x3f10))
                (i32.const 0))
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"writer")
                (i32.const 0))
            (local.set $writer (i64.load (i32.const 0x3f00)))
            (call $process.monitor (local.get $sink))
            (call $process.kill (local.get $sink))
            (call $is (call $next) (i32.const 2))
            (call $tell (local.get $writer) (i64.const 1) (i64.const 2))
            (call $expect (i64.const 1))
            ;; Nothing can be redirected to it any more.
            (call $is
                (call $process.config_redirect_to_process (local.get $config) @"stderr"
                    (i64.const 0) (local.get $sink) (i64.const 0) (i32.const 0)
                    (i32.const 0x3f10))
                (i32.const 1)))"#
    )
}

#[test]
fn the_end_of_a_sink_is_a_broken_pipe_to_who_writes() {
    passes(&after_the_end(0));
    passes(&after_the_end(2));
}

#[test]
fn a_writer_that_waits_at_a_full_mailbox_hears_of_the_end_of_the_sink() {
    passes_limited(
        r#"(func (export "sink")
            ;; Of what it is sent it takes nothing.
            (drop (call $next_tagged (i64.const 99) (i64.const -1))))
        (func (export "writer") (param $root i64) (local $errno i32)
            (i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const 1))
            ;; The first message fits; then it waits.
            (loop $more
                (local.set $errno
                    (call $p1.fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
                (call $tell (local.get $root) (i64.const 1)
                    (i64.extend_i32_u (local.get $errno)))
                (br_if $more (i32.eqz (local.get $errno)))))
        (func (export "_start") (local $config i64) (local $sink i64)
            (local.set $sink (call $spawn (i64.const 0) @"sink"))
            (local.set $config (call $process.create_config))
            (call $is
                (call $process.config_redirect_to_process (local.get $config) @"stdout"
                    (i64.const 0) (local.get $sink) (i64.const 5) (i32.const 0)
                    (i32.const 0x3f10))
                (i32.const 0))
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"writer")
                (i32.const 0))
            (call $expect (i64.const 0))
            (call $process.kill (local.get $sink))
            (call $expect (i64.const 64)))"#,
        |limits, _| limits.mailbox_messages_max = 1,
    );
}

#[test]
fn a_process_serves_as_the_files_of_another() {
    let child = r#"(call $is (call $open @"a/../b.txt" (i32.const 9)) (i32.const 0))
        (local.set $fd (i32.load (i32.const 20)))
        (call $is (call $write (local.get $fd) @"hello") (i32.const 0))
        (call $is (i32.load (i32.const 16)) (i32.const 3))
        (call $is (call $read (local.get $fd)) (i32.const 0))
        (call $is (i32.load (i32.const 16)) (i32.const 2))
        (call $is (call $same (i32.const 0x100) @"ok") (i32.const 1))
        (call $is (call $p1.fd_filestat_get (local.get $fd) (i32.const 0x100)) (i32.const 0))
        (call $is (i32.load8_u (i32.const 0x110)) (i32.const 4))
        (call $is64 (i64.load (i32.const 0x120)) (i64.const 300))
        (call $is (call $p1.fd_close (local.get $fd)) (i32.const 0))
        (call $is (call $p1.path_unlink_file (i32.const 3) @"b.txt") (i32.const 44))
        (call $is
            (call $p1.fd_readdir (i32.const 3) (i32.const 0x200) (i32.const 0x200) (i64.const 0)
                (i32.const 16))
            (i32.const 0))
        ;; Of three entries the last one has a name of one byte.
        (call $is (i32.load (i32.const 16)) (i32.const 76))
        (call $is (i32.load8_u (i32.const 0x24b)) (i32.const 0x78))
        (call $is (call $open @"../out" (i32.const 0)) (i32.const 63))
        (call $is (call $open @"/out" (i32.const 0)) (i32.const 63))"#;
    // Flags of the open: read, write, create, truncate, follow.
    let rest = r#"(call $serve @"\00\0adata/b.txt\57" @"\00\00\07")
        (call $serve @"\03\07\00\05hello" @"\00\03")
        (call $serve @"\02\07\03\0a" @"\00\02ok")
        (call $serve @"\05\07" @"\00\04\ac\02\01\00\00\00\09")
        (call $is (call $comes_tagged (i64.const -2)) (i32.const 2))
        (call $is (call $same (i32.const 0x400) @"\01\07") (i32.const 1))
        (call $serve @"\0f\0adata/b.txt" @"\01\2c")
        (call $serve @"\0b\04data\01" @"\00\03\00\01\00\00\00\00")
        (call $serve @"\0a\04data" @"\00\01\01x\05\04")"#;
    passes(&with_child("dir:data", 2, child, rest));
}

#[test]
fn the_server_hears_of_files_that_a_killed_process_had_open() {
    let child = r#"(call $is (call $open @"a" (i32.const 0)) (i32.const 0))
        (drop (call $read (i32.load (i32.const 20))))"#;
    // It is killed while it waits for an answer.
    let rest = r#"(call $process.die_when_link_dies (i32.const 0))
        (call $serve @"\00\06data/a\43" @"\00\00\07")
        (call $is (call $comes_tagged (i64.const -1)) (i32.const 20))
        (call $process.kill (local.get $child))
        (call $is (call $comes_tagged (i64.const -2)) (i32.const 2))
        (return)"#;
    passes(&with_child("dir:data", 2, child, rest));
}

#[test]
fn no_answer_gives_more_than_was_asked_for_or_harms_the_node() {
    // What a read of ten bytes is answered, and the errno that the reader sees.
    let cases = [
        (r"\00\0a0123456789", 0),
        (r"\00\00", 0),
        (r"\00\0b0123456789a", 29),
        (r"\00\0512", 29),
        (r"\00\02okmore", 29),
        (r"\00\ff\ff\ff\ff\ff\ff\ff\ff\ff\01", 29),
        (r"\00\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff", 29),
        (r"\01\2c", 44),
        (r"\01\00", 29),
        (r"\01\4d", 29),
        (r"\01\80\80\04", 29),
        (r"\02", 29),
        ("", 29),
    ];
    for (answer, errno) in cases {
        let child = format!(
            r#"(call $is (call $open @"a" (i32.const 0)) (i32.const 0))
            (call $is (call $read (i32.load (i32.const 20))) (i32.const {errno}))
            (call $is (i32.load8_u (i32.const 0x10a)) (i32.const 0))"#
        );
        let rest = format!(
            r#"(call $serve @"\00\06data/a\43" @"\00\00\07")
            (call $serve @"\02\07\00\0a" @"{answer}")
            (call $is (call $comes_tagged (i64.const 1)) (i32.const 8))
            (return)"#
        );
        passes(&with_child("dir:data", 2, &child, &rest));
    }
}

#[test]
fn odd_answers_about_files_and_directories_are_errors() {
    let list = r"\0a\04data";
    let stat = r"\0b\04data\01";
    let good = r"\00\03\00\01\00\00\00\00";
    let cases = [
        // A kind that files do not have, a size beyond all offsets.
        (stat, r"\00\06\00\01\00\00\00\00", "", 29),
        (stat, r"\00\04\ff\ff\ff\ff\ff\ff\ff\ff\ff\01\01\00\00\00\00", "", 29),
        // Names that are none.
        (stat, good, r"\00\01\00\05\04", 29),
        (stat, good, r"\00\01\02..\05\04", 29),
        (stat, good, r"\00\01\03a/b\05\04", 29),
        (stat, good, r"\00\01\03a\00b\05\04", 29),
        // More entries than there are bytes for.
        (stat, good, r"\00\ff\ff\3f", 29),
        (stat, good, r"\00\00", 0),
    ];
    for (first, answer, listed, errno) in cases {
        let child = format!(
            "(call $is
                (call $p1.fd_readdir (i32.const 3) (i32.const 0x200) (i32.const 0x200)
                    (i64.const 0) (i32.const 16))
                (i32.const {errno}))"
        );
        let mut rest = format!(r#"(call $serve @"{first}" @"{answer}")"#);
        if !listed.is_empty() {
            rest += &format!(r#"(call $serve @"{list}" @"{listed}")"#);
        }
        passes(&with_child("dir:data", 2, &child, &rest));
    }
}

#[test]
fn a_server_that_ends_without_an_answer_is_an_error_to_who_asked() {
    passes(
        r#"(func (export "server") (drop (call $next)))
        (func (export "client") (param $root i64)
            (call $is
                (call $p1.path_open (i32.const 3) (i32.const 0) @"a" (i32.const 0) (i64.const 2)
                    (i64.const 0) (i32.const 0) (i32.const 20))
                (i32.const 29))
            (call $is (call $p1.random_get (i32.const 0) (i32.const 4)) (i32.const 29))
            ;; Nothing of it is in the mailbox.
            (call $is
                (call $message.receive (i32.const 0) (i32.const 0) (i64.const 0))
                (i32.const 9027))
            (call $tell (local.get $root) (i64.const 1) (i64.const 1)))
        (func $to_server (param $config i64) (param $what i32) (param $length i32)
            (param $server i64)
            (call $is
                (call $process.config_redirect_to_process (local.get $config) (local.get $what)
                    (local.get $length) (i64.const 0) (local.get $server) (i64.const 0)
                    (i32.const 2) (i32.const 0x3f10))
                (i32.const 0)))
        (func (export "_start") (local $config i64) (local $server i64)
            (local.set $server (call $spawn (i64.const 0) @"server"))
            (local.set $config (call $process.create_config))
            (call $to_server (local.get $config) @"dir:data" (local.get $server))
            (call $to_server (local.get $config) @"random" (local.get $server))
            (call $is
                (call $spawn_code (i64.const 1) (local.get $config) (i64.const -1) @"client")
                (i32.const 0))
            (call $expect (i64.const 1)))"#,
    );
}

#[test]
fn files_of_a_pattern_are_told_or_served() {
    // Below a served directory, some names are told to the same process.
    let child = r#"(call $is (call $p1.random_get (i32.const 0x100) (i32.const 4)) (i32.const 0))
        (call $is (call $same (i32.const 0x100) @"abcd") (i32.const 1))
        (call $is (call $p1.random_get (i32.const 0x100) (i32.const 4)) (i32.const 29))"#;
    let rest = r#"(call $serve @"\15\04" @"\00\04abcd")
        (call $serve @"\15\04" @"\00\03abc")"#;
    passes(&with_child("random", 2, child, rest));
}

#[test]
fn circles_are_refused_when_they_would_be_closed() {
    let to = |whom: &str, target: &str, code: u32| {
        format!(
            r#"(call $is
            (call $process.redirect_to_process (i64.const 0) {whom} @"stderr" (i64.const 0)
                {target} (i64.const 0) (i32.const 0) (i32.const 0x3f10))
            (i32.const {code}))"#
        )
    };
    let (root, child) = ("(call $process.process_id)", "(local.get $child)");
    // The child's output is the root's already.
    let rest = format!(
        r#"{} {} {}
        (call $is (call $error_has (i64.load (i32.const 0x3f10)) @"circle") (i32.const 1))
        (call $tell (local.get $child) (i64.const 1) (i64.const 2))
        (call $expect (i64.const 1))
        (call $process.sleep_ms (i64.const 0))
        (return)"#,
        to(root, root, 1),
        to(child, child, 1),
        to(root, child, 1),
    );
    passes(&with_child("stdout", 0, "(call $expect (i64.const 2))", &rest));
}
