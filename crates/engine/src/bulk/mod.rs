//! Bounds the time that one bulk memory instruction can hold a worker.
//!
//! Compiled code looks at the epoch at loop heads and function entries only, so a single
//! `memory.fill` over gigabytes would run to its end first. [`bound_bulk_memory`] rewrites a module
//! before it is compiled: each such instruction becomes a call to a helper function which works in
//! chunks of [`CHUNK_BYTES`] inside a loop (`helper`).
//!
//! What must stay true:
//!
//! * The module means the same. Existing indices do not change, because the helpers stand behind
//!   everything else; an out-of-range instruction traps before it writes a byte.
//! * Code offsets stay, and with them names, debug information and branch hints: the call is
//!   padded to the length of the instruction that it replaces. Two cases can't keep them. The body
//!   of a function grows when the helper's index does not fit (`memory.fill` in modules of more
//!   than 16,383 functions); and all bodies shift by a byte when the helpers make the number of
//!   functions one LEB128 byte longer. Debug information is then off, meaning is not.
//! * What is not rewritten is bounded otherwise: `memory.init` by its data segment, where that is
//!   no larger than a chunk; any instruction by a constant length of at most a chunk that is pushed
//!   right before it (compilers copy structs so, and Wasmtime makes a few moves of it); table
//!   instructions by the table limit. Instructions on 64-bit memories are left alone, the engine
//!   refuses such memories.
//! * The number of helpers is bounded by the module: one for each pair of memories that a
//!   `memory.copy` names (a valid module has 100 memories at most), and for each memory and data
//!   segment larger than a chunk.
//!
//! The input is hostile. It need not be valid: the engine validates the result, and whatever this
//! file does not understand is an error or is left as it is.

mod helper;
mod rewrite;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{
    BinaryReaderError, Encoding, FunctionBody, MemoryType, Operator, Parser, Payload, TypeRef,
};

/// Bytes that are filled, copied or initialised between two looks at the epoch. Large enough
/// that chunks cost nothing measurable, small enough to be over in a fraction of a millisecond
/// even when each page is touched for the first time.
pub const CHUNK_BYTES: u32 = 256 * 1024;

/// Counts the changes of what is rewritten before compilation, here, in `host/legacy.rs` and in
/// `reuse/prepare.rs`: compiled code of another revision is stale.
pub const REVISION: u32 = 3;

/// Why a module could not be rewritten. The module is no use to the engine either.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The bytes do not follow the binary format.
    #[error("this is not a well-formed WebAssembly module: build it again, or check the file")]
    Malformed(#[from] BinaryReaderError),
    /// The bytes are a component.
    #[error(
        "this is a WebAssembly component, and processes run core modules: build for \
         wasm32-wasip1 instead of wasm32-wasip2"
    )]
    Component,
    /// Sections contradict each other or repeat.
    #[error("this WebAssembly module is inconsistent ({0}): build it again, or check the file")]
    Inconsistent(&'static str),
    /// The rewritten module would exceed what the binary format can number.
    #[error("this WebAssembly module is too large to rewrite: split it")]
    TooLarge,
}

/// Returns the module with its bulk memory instructions chunked, or unchanged and borrowed when
/// it has none that needs it.
///
/// # Errors
/// See [`BulkError`]; an invalid module may also be returned as it is, validation comes later.
pub fn bound_bulk_memory(wasm: &[u8]) -> Result<Cow<'_, [u8]>, BulkError> {
    let module = Module::read(wasm)?;
    let plan = Plan::of(&module)?;
    if plan.sites.is_empty() {
        return Ok(Cow::Borrowed(wasm));
    }
    rewrite::rewrite(wasm, &module, &plan).map(Cow::Owned)
}

/// What of a module matters here.
#[derive(Default)]
struct Module<'a> {
    /// Id and contents of each section, in order.
    sections: Vec<(u8, Range<usize>)>,
    memories: Vec<MemoryType>,
    /// Length of each data segment in bytes.
    data_bytes: Vec<usize>,
    types: u32,
    functions: u32,
    bodies: Vec<FunctionBody<'a>>,
}

/// A bulk memory instruction that needs a helper, as the key of that helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bulk {
    Fill { memory: u32 },
    Copy { to: u32, from: u32 },
    Init { memory: u32, data: u32 },
}

/// Where such an instruction stands.
#[derive(Debug)]
struct Site {
    /// Index into [`Module::bodies`].
    body: usize,
    /// Its bytes in the module.
    bytes: Range<usize>,
    /// Index of its helper among the helpers.
    helper: u32,
}

/// What to rewrite. Sites are in the order of the module.
#[derive(Debug, Default)]
struct Plan {
    sites: Vec<Site>,
    /// In the order of their function indices.
    helpers: Vec<Bulk>,
}

impl<'a> Module<'a> {
    fn read(wasm: &'a [u8]) -> Result<Self, BulkError> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some(section) = payload.as_section() {
                module.sections.push(section);
            }
            module.note(payload)?;
        }
        Ok(module)
    }

    fn note(&mut self, payload: Payload<'a>) -> Result<(), BulkError> {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(BulkError::Component);
            }
            Payload::TypeSection(groups) => {
                for group in groups {
                    let types = u32::try_from(group?.types().len());
                    add(&mut self.types, types.map_err(|_| BulkError::TooLarge)?)?;
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => add(&mut self.functions, 1)?,
                        TypeRef::Memory(memory) => self.memories.push(memory),
                        TypeRef::Table(_) | TypeRef::Global(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(functions) => add(&mut self.functions, functions.count())?,
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.memories.push(memory?);
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(segments) => {
                for segment in segments {
                    self.data_bytes.push(segment?.data.len());
                }
            }
            // Everything else has nothing to do with bulk memory and is copied as it is.
            _ => {}
        }
        Ok(())
    }

    /// The helper that an instruction needs, if it needs one.
    fn bulk(&self, operator: &Operator) -> Option<Bulk> {
        let narrow = |memory: u32| {
            let known = self.memories.get(usize::try_from(memory).ok()?)?;
            // Larger pages than the standard ones do not exist; the engine refuses them.
            let page_ok = known.page_size_log2.is_none_or(|log2| log2 <= 16);
            (!known.memory64 && page_ok).then_some(memory)
        };
        match *operator {
            Operator::MemoryFill { mem } => Some(Bulk::Fill { memory: narrow(mem)? }),
            Operator::MemoryCopy { dst_mem, src_mem } => {
                Some(Bulk::Copy { to: narrow(dst_mem)?, from: narrow(src_mem)? })
            }
            Operator::MemoryInit { data_index, mem } => {
                let bytes = *self.data_bytes.get(usize::try_from(data_index).ok()?)?;
                let large = bytes > CHUNK_BYTES as usize;
                large.then_some(Bulk::Init { memory: narrow(mem)?, data: data_index })
            }
            _ => None,
        }
    }
}

impl Plan {
    fn of(module: &Module<'_>) -> Result<Self, BulkError> {
        let mut plan = Self::default();
        let mut known = BTreeMap::new();
        for (body, function) in module.bodies.iter().enumerate() {
            let mut operators = function.get_operators_reader()?;
            // Whether the value on top of the stack is a constant that a chunk covers.
            let mut short = false;
            while !operators.eof() {
                let (operator, start) = operators.read_with_offset()?;
                let length_is_short = std::mem::replace(&mut short, is_short(&operator));
                let Some(bulk) = module.bulk(&operator).filter(|_| !length_is_short) else {
                    continue;
                };
                let next = u32::try_from(plan.helpers.len()).map_err(|_| BulkError::TooLarge)?;
                let helper = *known.entry(bulk).or_insert_with(|| {
                    plan.helpers.push(bulk);
                    next
                });
                let bytes = start..operators.original_position();
                plan.sites.push(Site { body, bytes, helper });
            }
        }
        Ok(plan)
    }
}

/// Whether the operator leaves a constant of at most a chunk on top of the stack.
fn is_short(operator: &Operator) -> bool {
    matches!(operator, Operator::I32Const { value } if value.cast_unsigned() <= CHUNK_BYTES)
}

fn add(count: &mut u32, more: u32) -> Result<(), BulkError> {
    *count = count.checked_add(more).ok_or(BulkError::TooLarge)?;
    Ok(())
}

#[cfg(test)]
mod tests;
