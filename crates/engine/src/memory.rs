//! Guest memory: the one place where pointers and lengths of a guest become slices.
//!
//! Pointers and lengths are unsigned 32-bit numbers; sums are made with 64 bits, so that nothing
//! wraps. Pointer 0 is an address like any other. Whatever is not wholly inside the memory traps.

use wasmtime::{AsContextMut, Caller, Extern, Memory, Result, bail, format_err};

use crate::state::State;

/// A 32-bit pointer or length of the guest, read as unsigned.
pub(crate) fn unsigned(value: i32) -> usize {
    value.cast_unsigned() as usize
}

/// The exported memory, and the state beside it.
pub(crate) fn split<'a>(
    caller: &'a mut Caller<'_, State>,
) -> Result<(&'a mut [u8], &'a mut State)> {
    let memory = exported(caller)?;
    Ok(memory.data_and_store_mut(caller.as_context_mut()))
}

fn exported(caller: &mut Caller<'_, State>) -> Result<Memory> {
    if let Some(memory) = caller.data().memory {
        return Ok(memory);
    }
    match export(caller, "memory") {
        Some(Extern::Memory(memory)) => {
            caller.data_mut().memory = Some(memory);
            Ok(memory)
        }
        Some(_) | None => bail!("the module exports no memory named `memory`"),
    }
}

/// What the instance exports under a name.
pub(crate) fn export(caller: &mut Caller<'_, State>, name: &str) -> Option<Extern> {
    if let Some(export) = caller.get_export(name) {
        return Some(export);
    }
    let instance = *caller.data().audited.as_deref()?;
    instance.get_export(caller, name)
}

fn range(memory: &[u8], pointer: usize, length: usize) -> Result<std::ops::Range<usize>> {
    let end = pointer.checked_add(length).filter(|end| *end <= memory.len());
    match end {
        Some(end) => Ok(pointer..end),
        None => Err(format_err!(
            "{length} bytes at address {pointer} are outside of the memory of {} bytes",
            memory.len()
        )),
    }
}

/// The bytes of a range.
pub(crate) fn bytes(memory: &[u8], pointer: i32, length: i32) -> Result<&[u8]> {
    let range = range(memory, unsigned(pointer), unsigned(length))?;
    lunatic_wasi::touch(memory, &range);
    Ok(&memory[range])
}

/// The bytes of a range, to be written.
pub(crate) fn bytes_mut(memory: &mut [u8], pointer: i32, length: usize) -> Result<&mut [u8]> {
    let range = range(memory, unsigned(pointer), length)?;
    lunatic_wasi::touch(memory, &range);
    Ok(&mut memory[range])
}

/// A range as text.
pub(crate) fn text(memory: &[u8], pointer: i32, length: i32) -> Result<&str> {
    std::str::from_utf8(bytes(memory, pointer, length)?)
        .map_err(|error| format_err!("a string is not valid UTF-8: {error}"))
}

/// `count` integers of 64 bits from `pointer` on.
pub(crate) fn i64s(memory: &[u8], pointer: i32, count: i32) -> Result<Vec<i64>> {
    let entries = entries(memory, pointer, count)?;
    Ok(entries.iter().map(|entry| i64::from_le_bytes(*entry)).collect())
}

/// `count` entries of eight bytes from `pointer` on.
pub(crate) fn entries(memory: &[u8], pointer: i32, count: i32) -> Result<&[[u8; 8]]> {
    let length = unsigned(count)
        .checked_mul(8)
        .ok_or_else(|| format_err!("a list of {} entries is too long", unsigned(count)))?;
    Ok(memory[range(memory, unsigned(pointer), length)?].as_chunks().0)
}

/// The two numbers of such an entry.
pub(crate) fn halves(entry: [u8; 8]) -> (i32, i32) {
    let [a, b, c, d, rest @ ..] = entry;
    (i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes(rest))
}

/// Traps unless the ranges lie in the memory: so that nothing is begun whose result has no place.
/// A memory never shrinks, so that this stays true.
pub(crate) fn check(caller: &mut Caller<'_, State>, ranges: &[(i32, usize)]) -> Result<()> {
    let (memory, _) = split(caller)?;
    ranges.iter().try_for_each(|(at, length)| range(memory, unsigned(*at), *length).map(drop))
}

/// Stores an integer of 64 bits.
pub(crate) fn write_u64(caller: &mut Caller<'_, State>, pointer: i32, value: u64) -> Result<()> {
    let (memory, _) = split(caller)?;
    bytes_mut(memory, pointer, 8)?.copy_from_slice(&value.to_le_bytes());
    Ok(())
}

/// Stores integers of 64 bits, one after the other.
pub(crate) fn write_u64s(
    caller: &mut Caller<'_, State>,
    pointer: i32,
    values: &[u64],
) -> Result<()> {
    let (memory, _) = split(caller)?;
    let places = bytes_mut(memory, pointer, 8 * values.len())?.as_chunks_mut().0;
    places.iter_mut().zip(values).for_each(|(place, value)| *place = value.to_le_bytes());
    Ok(())
}

/// A string of the guest, copied.
pub(crate) fn string(caller: &mut Caller<'_, State>, pointer: i32, length: i32) -> Result<String> {
    let (memory, _) = split(caller)?;
    Ok(text(memory, pointer, length)?.to_owned())
}
