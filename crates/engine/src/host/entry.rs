//! The function in which a process begins, or goes on: its name and what it is given.

use std::sync::Arc;

use wasmtime::{Caller, Result, Val, bail};

use crate::memory::{bytes, split, text, unsigned};
use crate::state::State;

/// Bytes of one parameter: a type and 128 bits.
const PARAM_BYTES: usize = 17;
/// Bytes in the name of an entry function: no valid module exports a longer name.
const ENTRY_BYTES_MAX: usize = 100_000;
/// Parameters of an entry function.
const PARAMS_MAX: usize = 1000;

/// The name of an exported function.
pub(super) fn name(caller: &mut Caller<'_, State>, pointer: i32, length: i32) -> Result<Arc<str>> {
    if unsigned(length) > ENTRY_BYTES_MAX {
        bail!("the name of an exported function has at most {ENTRY_BYTES_MAX} bytes");
    }
    Ok(text(split(caller)?.0, pointer, length)?.into())
}

/// The parameters of an entry function: for each a type byte and 16 bytes of value, of which those
/// beyond the type's size are arbitrary.
pub(super) fn params(
    caller: &mut Caller<'_, State>,
    pointer: i32,
    length: i32,
) -> Result<Vec<Val>> {
    let block = bytes(split(caller)?.0, pointer, length)?;
    let (records, rest) = block.as_chunks::<PARAM_BYTES>();
    if !rest.is_empty() {
        bail!("a parameter block of {} bytes is not made of 17-byte records", block.len());
    }
    if records.len() > PARAMS_MAX {
        bail!("an entry function takes at most {PARAMS_MAX} parameters");
    }
    let value = |record: &[u8; PARAM_BYTES]| {
        let (kind, bits) = (record[0], u128::from_le_bytes(std::array::from_fn(|i| record[i + 1])));
        Ok(match kind {
            0x7F => Val::I32((bits as u32).cast_signed()),
            0x7E => Val::I64((bits as u64).cast_signed()),
            0x7B => Val::V128(bits.into()),
            other => bail!("parameters of type {other:#x} cannot be passed to a process"),
        })
    };
    records.iter().map(value).collect()
}
