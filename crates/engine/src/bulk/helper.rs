//! The functions that stand in for bulk memory instructions.
//!
//! All have the instruction's own three `i32` parameters and no result. A range of at most a chunk
//! goes straight to the instruction, and so does one that is out of bounds, which then traps as it
//! always did. What remains is in bounds and stays so, because memories never shrink: it is done
//! chunk by chunk, and no single chunk can trap. The exception is a dropped data segment: the first
//! chunk traps on it, before anything is written.

use super::{Bulk, CHUNK_BYTES, Module};
use wasm_encoder::{BlockType, Function, InstructionSink};

/// Parameters: destination, source (or the byte to fill with), length.
const TO: u32 = 0;
const FROM: u32 = 1;
const LENGTH: u32 = 2;

const CHUNK: i32 = CHUNK_BYTES.cast_signed();

/// Bytes of a standard wasm page, as a power of two.
const PAGE_BYTES_LOG2: u32 = 16;

/// The body of the helper for `bulk`, without its length.
pub fn body(bulk: Bulk, module: &Module<'_>) -> Vec<u8> {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    code.local_get(LENGTH).i32_const(CHUNK).i32_le_u();
    whole_if(&mut code, bulk);
    out_of_bounds(&mut code, bulk, module);
    whole_if(&mut code, bulk);
    match bulk {
        Bulk::Copy { to, from } if to == from => {
            // A source below the destination may be overwritten from below: go downwards.
            code.local_get(FROM).local_get(TO).i32_lt_u().if_(BlockType::Empty);
            chunks_down(&mut code, bulk);
            code.else_();
            chunks_up(&mut code, bulk);
            code.end();
        }
        Bulk::Copy { .. } | Bulk::Fill { .. } | Bulk::Init { .. } => chunks_up(&mut code, bulk),
    }
    // The last chunk is what is left.
    whole(&mut code, bulk);
    code.end();
    function.into_raw_body()
}

/// With a condition on the stack: the original instruction, and done.
fn whole_if(code: &mut InstructionSink<'_>, bulk: Bulk) {
    code.if_(BlockType::Empty);
    whole(code, bulk);
    code.return_().end();
}

fn whole(code: &mut InstructionSink<'_>, bulk: Bulk) {
    code.local_get(TO).local_get(FROM).local_get(LENGTH);
    instruction(code, bulk);
}

/// Moves a chunk from the start of the ranges and shortens them, while more than one is left.
fn chunks_up(code: &mut InstructionSink<'_>, bulk: Bulk) {
    code.loop_(BlockType::Empty);
    code.local_get(TO).local_get(FROM).i32_const(CHUNK);
    instruction(code, bulk);
    code.local_get(TO).i32_const(CHUNK).i32_add().local_set(TO);
    match bulk {
        Bulk::Copy { .. } | Bulk::Init { .. } => {
            code.local_get(FROM).i32_const(CHUNK).i32_add().local_set(FROM);
        }
        Bulk::Fill { .. } => {}
    }
    shorten(code);
    again_if_more_than_a_chunk(code);
}

/// Moves a chunk from the end of the ranges and shortens them, while more than one is left.
fn chunks_down(code: &mut InstructionSink<'_>, bulk: Bulk) {
    code.loop_(BlockType::Empty);
    shorten(code);
    code.local_get(TO).local_get(LENGTH).i32_add();
    code.local_get(FROM).local_get(LENGTH).i32_add();
    code.i32_const(CHUNK);
    instruction(code, bulk);
    again_if_more_than_a_chunk(code);
}

fn shorten(code: &mut InstructionSink<'_>) {
    code.local_get(LENGTH).i32_const(CHUNK).i32_sub().local_set(LENGTH);
}

fn again_if_more_than_a_chunk(code: &mut InstructionSink<'_>) {
    code.local_get(LENGTH).i32_const(CHUNK).i32_gt_u().br_if(0).end();
}

fn instruction(code: &mut InstructionSink<'_>, bulk: Bulk) {
    match bulk {
        Bulk::Fill { memory } => code.memory_fill(memory),
        Bulk::Copy { to, from } => code.memory_copy(to, from),
        Bulk::Init { memory, data } => code.memory_init(memory, data),
    };
}

/// Leaves 1 on the stack when a range reaches beyond its memory or data segment. 64-bit sums
/// cannot overflow.
fn out_of_bounds(code: &mut InstructionSink<'_>, bulk: Bulk, module: &Module<'_>) {
    match bulk {
        Bulk::Fill { memory } => beyond_memory(code, TO, memory, module),
        Bulk::Copy { to, from } => {
            beyond_memory(code, TO, to, module);
            beyond_memory(code, FROM, from, module);
            code.i32_or();
        }
        Bulk::Init { memory, data } => {
            beyond_memory(code, TO, memory, module);
            end_of_range(code, FROM);
            let bytes = module.data_bytes.get(data as usize).map_or(0, |bytes| *bytes);
            // A segment lies inside a module, and no module has 2^63 bytes.
            code.i64_const(i64::try_from(bytes).unwrap_or(i64::MAX)).i64_gt_u();
            code.i32_or();
        }
    }
}

fn beyond_memory(code: &mut InstructionSink<'_>, start: u32, memory: u32, module: &Module<'_>) {
    let ty = module.memories.get(memory as usize);
    let page_bytes_log2 = ty.and_then(|ty| ty.page_size_log2).unwrap_or(PAGE_BYTES_LOG2);
    end_of_range(code, start);
    code.memory_size(memory).i64_extend_i32_u();
    code.i64_const(i64::from(page_bytes_log2)).i64_shl().i64_gt_u();
}

fn end_of_range(code: &mut InstructionSink<'_>, start: u32) {
    code.local_get(start).i64_extend_i32_u();
    code.local_get(LENGTH).i64_extend_i32_u().i64_add();
}
