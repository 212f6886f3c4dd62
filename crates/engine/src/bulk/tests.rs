//! The rewritten module means what the original meant, and yields where that did not.

use super::{CHUNK_BYTES, bound_bulk_memory};
use proptest::prelude::*;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;
use wasmparser::{Parser, Payload};
use wasmtime::{Config, Engine, Instance, Memory, Module, Store, Trap, UpdateDeadline};

const MEMORY_PAGES: u32 = 20;
const OTHER_PAGES: u32 = 9;
const DATA_BYTES: usize = 600_000;

/// Two memories, one large passive segment and each instruction behind an export.
static MODULE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let text: String = (0..DATA_BYTES).map(|i| char::from(b'a' + (i % 25) as u8)).collect();
    let mut functions = String::new();
    for (name, instruction) in INSTRUCTIONS {
        writeln!(
            functions,
            r#"(func (export "{name}") (param i32 i32 i32)
                (nop) ({instruction} (local.get 0) (local.get 1) (local.get 2)) (nop))"#
        )
        .unwrap();
    }
    let source = format!(
        r#"(module (memory (export "a") {MEMORY_PAGES} 30) (memory (export "b") {OTHER_PAGES})
            (data $large "{text}") (data $small "small")
            {functions}
            (func (export "drop") (param i32 i32 i32) (data.drop $large))
            (func (export "grow") (param i32 i32 i32) (drop (memory.grow (i32.const 1)))))"#
    );
    wat::parse_str(source).unwrap()
});

const INSTRUCTIONS: [(&str, &str); 8] = [
    ("fill", "memory.fill 0"),
    ("fill_b", "memory.fill 1"),
    ("copy", "memory.copy 0 0"),
    ("copy_ab", "memory.copy 0 1"),
    ("copy_ba", "memory.copy 1 0"),
    ("init", "memory.init 0 $large"),
    ("init_b", "memory.init 1 $large"),
    ("init_small", "memory.init 0 $small"),
];

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config.epoch_interruption(true).wasm_multi_memory(true);
    Engine::new(&config).unwrap()
});

struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(wasm: &[u8]) -> Self {
        let module = Module::new(&ENGINE, wasm).unwrap();
        let mut store = Store::new(&ENGINE, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Self { store, instance }
    }

    fn call(&mut self, name: &str, arguments: (u32, u32, u32)) -> Option<Trap> {
        let function =
            self.instance.get_typed_func::<(u32, u32, u32), ()>(&mut self.store, name).unwrap();
        let outcome = function.call(&mut self.store, arguments);
        outcome.err().map(|trap| *trap.downcast_ref::<Trap>().unwrap())
    }

    fn contents(&mut self, name: &str) -> &[u8] {
        let memory: Memory = self.instance.get_memory(&mut self.store, name).unwrap();
        memory.data(&self.store)
    }
}

fn rewritten(wasm: &[u8]) -> Vec<u8> {
    match bound_bulk_memory(wasm).unwrap() {
        Cow::Owned(rewritten) => rewritten,
        Cow::Borrowed(_) => panic!("the module was not rewritten"),
    }
}

/// Addresses and lengths where it is interesting: chunks, ends of memories and of the segment.
fn interesting() -> impl Strategy<Value = u32> {
    let marks = [
        0,
        CHUNK_BYTES,
        2 * CHUNK_BYTES,
        4 * CHUNK_BYTES,
        DATA_BYTES as u32,
        OTHER_PAGES << 16,
        MEMORY_PAGES << 16,
        u32::MAX,
    ];
    let near = (prop::sample::select(marks.to_vec()), -2i32..=2)
        .prop_map(|(mark, offset)| mark.saturating_add_signed(offset));
    prop_oneof![near, 0..=MEMORY_PAGES << 16, 0..CHUNK_BYTES * 2]
}

fn step() -> impl Strategy<Value = (&'static str, (u32, u32, u32))> {
    let mut names: Vec<_> = INSTRUCTIONS.iter().map(|(name, _)| *name).collect();
    // Overlapping copies are where it is easiest to be wrong.
    names.extend(["copy", "copy", "grow"]);
    let any = (prop::sample::select(names), (interesting(), interesting(), interesting()));
    prop_oneof![20 => any, 1 => Just(("drop", (0, 0, 0)))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_instruction_does_and_traps_as_the_original(
        steps in prop::collection::vec(step(), 1..12),
    ) {
        static REWRITTEN: LazyLock<Vec<u8>> = LazyLock::new(|| rewritten(&MODULE));
        let (mut original, mut bounded) = (Guest::new(&MODULE), Guest::new(&REWRITTEN));
        let start = [("init", (1, 0, 600_000)), ("init", (700_000, 3, 599_000))];
        for (name, arguments) in start.into_iter().chain(steps) {
            let expected = original.call(name, arguments);
            prop_assert_eq!(bounded.call(name, arguments), expected, "{} {:?}", name, arguments);
            for memory in ["a", "b"] {
                let same = original.contents(memory) == bounded.contents(memory);
                prop_assert!(same, "{} {:?} left {} different", name, arguments, memory);
            }
        }
    }

    #[test]
    fn a_damaged_module_is_an_error_or_a_module_but_never_a_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length: prop::sample::Index,
    ) {
        let mut wasm = small_module();
        for (index, byte) in damage {
            let at = index.index(wasm.len());
            wasm[at] = byte;
        }
        let _ = bound_bulk_memory(&wasm);
        wasm.truncate(length.index(wasm.len()));
        let _ = bound_bulk_memory(&wasm);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, after_header: bool) {
        let header: &[u8] = if after_header { b"\0asm\x01\0\0\0" } else { b"" };
        let _ = bound_bulk_memory(&[header, &bytes].concat());
    }
}

fn small_module() -> Vec<u8> {
    wat::parse_str(
        r#"(module (import "env" "f" (func)) (import "env" "m" (memory 1)) (memory 1)
            (func (memory.fill (i32.const 0) (i32.const 0) (memory.size)))
            (func (memory.copy 0 1 (i32.const 0) (i32.const 0) (memory.size)))
            (func (memory.init 0 0 (i32.const 0) (i32.const 0) (memory.size)))
            (data "abc"))"#,
    )
    .unwrap()
}

/// Where each body of the original stands, counted from the start of the code section.
fn body_offsets(wasm: &[u8]) -> Vec<(usize, usize)> {
    let mut start = 0;
    let mut offsets = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::CodeSectionStart { range, .. } => start = range.start,
            Payload::CodeSectionEntry(body) => {
                offsets.push((body.range().start - start, body.range().len()));
            }
            _ => {}
        }
    }
    offsets
}

#[test]
fn code_offsets_and_other_sections_stay() {
    let wasm = small_module();
    let bounded = rewritten(&wasm);
    let (before, after) = (body_offsets(&wasm), body_offsets(&bounded));
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after.len(), before.len() + 2, "the small init needs no helper");
    assert!(Module::validate(&ENGINE, &bounded).is_ok());
    let names = |wasm: &[u8]| {
        wasm.windows(4).position(|bytes| bytes == b"name").map(|at| wasm[at..].to_vec())
    };
    assert_eq!(names(&bounded), names(&wasm));
}

#[test]
fn a_module_without_large_bulk_instructions_is_borrowed() {
    for source in [
        "(module)",
        r#"(module (import "env" "f" (func)))"#,
        r#"(module (memory 1) (data "x") (table 4 funcref)
            (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))
            (func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1))))"#,
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 262144))))",
        r#"(module (memory i64 1)
            (func (memory.fill (i64.const 0) (i32.const 0) (i64.const 1))))"#,
    ] {
        let wasm = wat::parse_str(source).unwrap();
        assert!(matches!(bound_bulk_memory(&wasm).unwrap(), Cow::Borrowed(_)), "{source}");
    }
}

#[test]
fn a_constant_length_beyond_a_chunk_or_behind_a_branch_is_rewritten() {
    for length in ["(i32.const 262145)", "(i32.const -1)", "(block (result i32) (i32.const 1))"] {
        let source = format!(
            "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) {length})))"
        );
        assert!(Module::validate(&ENGINE, &rewritten(&wat::parse_str(source).unwrap())).is_ok());
    }
}

#[test]
fn a_component_and_a_broken_file_are_told_apart() {
    let component = bound_bulk_memory(b"\0asm\x0d\0\x01\0").unwrap_err();
    assert!(component.to_string().contains("wasm32-wasip1"));
    let broken = bound_bulk_memory(b"\0asm\x01\0\0\0\x0A").unwrap_err();
    assert!(broken.to_string().contains("not a well-formed"));
}

#[test]
fn an_index_that_does_not_fit_moves_the_body_and_nothing_else() {
    let mut source = String::from(
        r#"(module (memory (export "a") 20)
            (func (export "fill") (param i32 i32 i32)
                (memory.fill (local.get 0) (local.get 1) (local.get 2)))
            (func (export "copy") (param i32 i32 i32)
                (memory.copy (local.get 0) (local.get 1) (local.get 2)))"#,
    );
    source.push_str(&"(func)".repeat(17_000));
    source.push(')');
    let wasm = wat::parse_str(source).unwrap();
    let bounded = rewritten(&wasm);
    let (before, after) = (body_offsets(&wasm), body_offsets(&bounded));
    assert_eq!(after[0].1, before[0].1 + 1);
    let later = |offsets: &[(usize, usize)], by: usize| -> Vec<_> {
        offsets[1..before.len()].iter().map(|(at, bytes)| (at + by, *bytes)).collect()
    };
    assert_eq!(later(&after, 0), later(&before, 1));
    let mut guest = Guest::new(&bounded);
    assert_eq!(guest.call("fill", (1, 5, 3 * CHUNK_BYTES)), None);
    assert_eq!(guest.call("copy", (3 * CHUNK_BYTES, 1, CHUNK_BYTES + 1)), None);
    let contents = guest.contents("a");
    let end = 4 * CHUNK_BYTES as usize + 1;
    assert!(contents[0] == 0 && contents[end] == 0);
    assert!(contents[1..end].iter().all(|byte| *byte == 5));
}

/// Polls until done and answers how often the guest yielded.
fn yields_of_a_large_fill(wasm: &[u8]) -> usize {
    let module = Module::new(&ENGINE, wasm).unwrap();
    let mut store = Store::new(&ENGINE, ());
    store.set_epoch_deadline(0);
    // A deadline that is always reached: the guest yields whenever it looks at the epoch.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(0)));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut run = std::pin::pin!(async {
        let instance = Instance::new_async(&mut store, &module, &[]).await.unwrap();
        let fill = instance.get_typed_func::<(), ()>(&mut store, "fill").unwrap();
        fill.call_async(&mut store, ()).await.unwrap();
    });
    let mut yields = 0;
    while run.as_mut().poll(&mut context).is_pending() {
        yields += 1;
    }
    yields
}

#[test]
fn a_fill_of_a_gigabyte_yields_after_each_chunk() {
    let wasm = wat::parse_str(
        r#"(module (memory 16384)
            (func (export "fill")
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x40000000))))"#,
    )
    .unwrap();
    let chunks = (1 << 30) / CHUNK_BYTES as usize;
    let yields = yields_of_a_large_fill(&rewritten(&wasm));
    assert!(yields >= chunks - 1, "{yields} yields for {chunks} chunks");
}
