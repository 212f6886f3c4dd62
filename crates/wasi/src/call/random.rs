//! Randomness. A long request gives way after each chunk, so that it never holds a worker.

use super::proc::give_way;
use crate::errno::Errno;
use crate::guest::{Answer, Guest, answer};
use crate::limits::RANDOM_CHUNK_BYTES;
use crate::memory;

/// Fills `length` bytes at `buffer`. `Io` if the system has no randomness.
pub async fn random_get<G: Guest>(guest: &mut G, buffer: u32, length: u32) -> Answer {
    answer(
        async {
            memory::check(guest.memory()?, buffer, length)?;
            let random = guest.wasi().config().random().clone();
            let (mut place, end) = (u64::from(buffer), u64::from(buffer) + u64::from(length));
            while place < end {
                let count = (end - place).min(RANDOM_CHUNK_BYTES as u64);
                // At most RANDOM_CHUNK_BYTES.
                if let Some(asked) = random.ask(count as usize) {
                    let bytes = asked.await?;
                    let room = memory::bytes_mut(guest.memory()?, place, count)?;
                    if bytes.len() != room.len() {
                        return Err(Errno::Io.into());
                    }
                    room.copy_from_slice(&bytes);
                } else {
                    random.fill(memory::bytes_mut(guest.memory()?, place, count)?)?;
                }
                place += count;
                if place < end {
                    give_way().await;
                }
            }
            Ok(())
        }
        .await,
    )
}
