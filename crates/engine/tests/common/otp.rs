//! Helper functions of guests that use the process model beyond the old ABI, by name. They use the
//! bytes from 0x3200 to 0x35ff: options of a spawn at 0x3200, its result at 0x3260, the header of a
//! receive at 0x3280, patterns from 0x32c0 on, a reference at 0x33c0, data from 0x3400 on.

/// By name.
pub const OTP_HELPERS: &[(&str, &str)] = &[
    // Options of a spawn: these flags, the own config and module, this entry.
    (
        "$options",
        r#"(func $options (param $flags i32) (param $name i32) (param $length i32)
            (memory.fill (i32.const 0x3200) (i32.const 0) (i32.const 0x60))
            (i32.store (i32.const 0x3200) (local.get $flags))
            (i64.store (i32.const 0x3208) (i64.const -1))
            (i64.store (i32.const 0x3210) (i64.const -1))
            (i32.store (i32.const 0x3218) (local.get $name))
            (i32.store (i32.const 0x321c) (local.get $length)))"#,
    ),
    // Spawns with what lies at 0x3200; the child's id.
    (
        "$spawn_it",
        r#"(func $spawn_it (result i64)
            (call $is
                (call $process.spawn_with (i32.const 0x3200) (i32.const 72) (i32.const 0x3260))
                (i32.const 0))
            (i64.load (i32.const 0x3268)))"#,
    ),
    // Spawns with these flags: 1 to link, 2 to monitor.
    (
        "$child",
        r#"(func $child (param $flags i32) (param $name i32) (param $length i32) (result i64)
            (call $options (local.get $flags) (local.get $name) (local.get $length))
            (call $spawn_it))"#,
    ),
    ("$child_ref", r#"(func $child_ref (result i64) (i64.load (i32.const 0x3278)))"#),
    // The parameter of the entry that `$options` prepared: the own pid.
    (
        "$for_me",
        r#"(func $for_me
            (i32.store8 (i32.const 0x3250) (i32.const 0x7e))
            (i64.store (i32.const 0x3251) (call $process.process_id))
            (i32.store (i32.const 0x3220) (i32.const 0x3250))
            (i32.store (i32.const 0x3224) (i32.const 17)))"#,
    ),
    // Receives anything; the code.
    (
        "$come",
        r#"(func $come (param $timeout i64) (result i32)
            (call $message.receive_with (i32.const 0) (i32.const 0) (i32.const 0)
                (local.get $timeout) (i32.const 0x3280)))"#,
    ),
    // Waits for something of this kind: 0 a message, 1 an exit, 2 a down.
    (
        "$comes",
        r#"(func $comes (param $kind i32)
            (call $is (call $come (i64.const -1)) (i32.const 0))
            (call $is (i32.load (i32.const 0x3280)) (local.get $kind)))"#,
    ),
    // What came: the kind of its reason, its sender, its reference.
    ("$why", r#"(func $why (result i32) (i32.load (i32.const 0x3284)))"#),
    ("$from", r#"(func $from (result i64) (i64.load (i32.const 0x3298)))"#),
    ("$of", r#"(func $of (result i64) (i64.load (i32.const 0x32a8)))"#),
    // The data of what came must be this text.
    (
        "$reads",
        r#"(func $reads (param $text i32) (param $length i32)
            (call $is64 (i64.load (i32.const 0x32b0)) (i64.extend_i32_u (local.get $length)))
            (call $is64 (call $message.data_size) (i64.extend_i32_u (local.get $length)))
            (call $is (call $message.read_data (i32.const 0x3400) (i32.const 0x200))
                (local.get $length))
            (call $is
                (call $same (i32.const 0x3400) (local.get $text) (local.get $length))
                (i32.const 1)))"#,
    ),
    // Pattern number $n.
    (
        "$pattern",
        r#"(func $pattern (param $n i32) (param $kinds i32) (param $compared i32)
            (param $tag i64) (param $from i64) (param $of i64) (local $at i32)
            (local.set $at (i32.add (i32.const 0x32c0)
                (i32.mul (local.get $n) (i32.const 48))))
            (memory.fill (local.get $at) (i32.const 0) (i32.const 48))
            (i32.store (local.get $at) (local.get $kinds))
            (i32.store offset=4 (local.get $at) (local.get $compared))
            (i64.store offset=8 (local.get $at) (local.get $tag))
            (i64.store offset=24 (local.get $at) (local.get $from))
            (i64.store offset=40 (local.get $at) (local.get $of)))"#,
    ),
    // Receives by so many patterns.
    (
        "$match",
        r#"(func $match (param $count i32) (param $flags i32) (param $timeout i64) (result i32)
            (call $message.receive_with (i32.const 0x32c0) (local.get $count)
                (local.get $flags) (local.get $timeout) (i32.const 0x3280)))"#,
    ),
    // The reference that a function left at 0x33c0.
    ("$ref", r#"(func $ref (result i64) (i64.load (i32.const 0x33c8)))"#),
    // Puts an empty message with this tag into the slot.
    (
        "$draft",
        r#"(func $draft (param $tag i64)
            (call $message.create_data (local.get $tag) (i64.const 0)))"#,
    ),
    // Sets a process flag; the value of before.
    (
        "$flag",
        r#"(func $flag (param $flag i32) (param $value i64) (result i64)
            (call $is
                (call $process.set_flag (local.get $flag) (local.get $value)
                    (i32.const 0x33c0))
                (i32.const 0))
            (i64.load (i32.const 0x33c0)))"#,
    ),
];
