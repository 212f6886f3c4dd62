//! Arguments and environment: two lists of strings, each string with a NUL behind it.
//!
//! What must stay true: `*_sizes_get` and `*_get` agree; the configuration keeps the totals in
//! bounds, so nothing here can overflow.

use crate::guest::{Answer, Guest, Stop, answer};
use crate::memory;

/// Writes the arguments into `buffer` and a pointer to each into `pointers`.
pub fn args_get<G: Guest>(guest: &mut G, pointers: u32, buffer: u32) -> Answer {
    let config = guest.wasi().config().clone();
    answer(put(guest, pointers, buffer, config.args().iter().map(|arg| vec![arg.as_str()])))
}

/// Writes the number of arguments and the bytes they take.
pub fn args_sizes_get<G: Guest>(guest: &mut G, count: u32, bytes: u32) -> Answer {
    let config = guest.wasi().config().clone();
    answer(put_sizes(guest, count, bytes, config.args().iter().map(String::len)))
}

/// Writes the environment as `KEY=value` into `buffer` and a pointer to each into `pointers`.
pub fn environ_get<G: Guest>(guest: &mut G, pointers: u32, buffer: u32) -> Answer {
    let config = guest.wasi().config().clone();
    let strings = config.env().iter().map(|(key, value)| vec![key.as_str(), "=", value.as_str()]);
    answer(put(guest, pointers, buffer, strings))
}

/// Writes the number of variables and the bytes they take.
pub fn environ_sizes_get<G: Guest>(guest: &mut G, count: u32, bytes: u32) -> Answer {
    let config = guest.wasi().config().clone();
    let lengths = config.env().iter().map(|(key, value)| key.len() + 1 + value.len());
    answer(put_sizes(guest, count, bytes, lengths))
}

/// Writes strings, each given as the pieces it consists of.
fn put<'a, G: Guest>(
    guest: &mut G,
    pointers: u32,
    buffer: u32,
    strings: impl Iterator<Item = Vec<&'a str>>,
) -> Result<(), Stop> {
    let memory = guest.memory()?;
    let mut pointer = u64::from(pointers);
    let mut place = u64::from(buffer);
    for pieces in strings {
        // Each write below fails before `place` could pass 32 bits.
        memory::write(memory, pointer, &(place as u32).to_le_bytes())?;
        pointer += 4;
        for piece in pieces {
            memory::write(memory, place, piece.as_bytes())?;
            place += piece.len() as u64;
        }
        memory::write(memory, place, &[0])?;
        place += 1;
    }
    Ok(())
}

fn put_sizes<G: Guest>(
    guest: &mut G,
    count: u32,
    bytes: u32,
    lengths: impl Iterator<Item = usize>,
) -> Result<(), Stop> {
    let (mut strings, mut total) = (0u32, 0u32);
    for length in lengths {
        strings += 1;
        total += length as u32 + 1;
    }
    let memory = guest.memory()?;
    memory::write_u32(memory, count, strings)?;
    memory::write_u32(memory, bytes, total)?;
    Ok(())
}
