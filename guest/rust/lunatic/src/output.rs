//! Where formats write to: the message that is being made, or bytes in memory.
//!
//! Small pieces are collected in a buffer on the stack, so that a message of a few numbers costs
//! one host call; what is larger than the buffer goes straight from where it lies into the message.

use core::mem::MaybeUninit;

/// Bytes that are collected before they go on. More would make no difference to large messages,
/// and a process that only ever sends small ones should not touch another page of its stack.
const BUFFER_BYTES: usize = 256;

/// What a [`Format`](crate::format::Format) writes to.
///
/// It also implements [`std::io::Write`], and cannot fail.
///
/// ```
/// use std::io::Write;
///
/// let mut output = lunatic::format::Output::in_memory();
/// write!(output, "{} bottles", 99).unwrap();
/// assert_eq!(output.into_bytes(), b"99 bottles");
/// ```
pub struct Output {
    used: usize,
    buffer: [MaybeUninit<u8>; BUFFER_BYTES],
    /// `None`: the message that is being made.
    memory: Option<Vec<u8>>,
}

impl Output {
    /// Collects the bytes in memory.
    pub fn in_memory() -> Output {
        Output { used: 0, buffer: [const { MaybeUninit::uninit() }; _], memory: Some(Vec::new()) }
    }

    /// Writes into the message that was begun by `create_data`.
    pub(crate) fn into_message() -> Output {
        Output { used: 0, buffer: [const { MaybeUninit::uninit() }; _], memory: None }
    }

    /// Takes these bytes.
    ///
    /// ```
    /// let mut output = lunatic::format::Output::in_memory();
    /// output.write(b"seven ");
    /// output.write(b"bytes");
    /// assert_eq!(output.into_bytes(), b"seven bytes");
    /// ```
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        if bytes.len() > BUFFER_BYTES - self.used {
            return self.write_large(bytes);
        }
        let place = &mut self.buffer[self.used..self.used + bytes.len()];
        place.write_copy_of_slice(bytes);
        self.used += bytes.len();
    }

    /// What was collected; nothing if it went into a message.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.flush();
        self.memory.take().unwrap_or_default()
    }

    #[cold]
    #[inline(never)]
    fn write_large(&mut self, bytes: &[u8]) {
        self.flush();
        if bytes.len() < BUFFER_BYTES {
            self.write(bytes);
        } else {
            self.pass_on(bytes.as_ptr(), bytes.len());
        }
    }

    pub(crate) fn flush(&mut self) {
        let used = core::mem::take(&mut self.used);
        if used > 0 {
            self.pass_on(self.buffer.as_ptr().cast(), used);
        }
    }

    fn pass_on(&mut self, bytes: *const u8, length: usize) {
        match &mut self.memory {
            Some(memory) => {
                // SAFETY: both callers pass bytes that are there and written.
                memory.extend_from_slice(unsafe { core::slice::from_raw_parts(bytes, length) })
            }
            // SAFETY: the same; the host only reads.
            None => unsafe {
                crate::abi::message::write_data(bytes, length);
            },
        }
    }
}

impl std::io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Output::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl core::fmt::Debug for Output {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_all_sizes_arrive_in_their_order() {
        for size in [0, 1, 7, 255, 256, 257, 1000] {
            let piece: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let mut output = Output::in_memory();
            for _ in 0..5 {
                output.write(&piece);
                output.write(b"-");
            }
            let expected = [&piece[..], b"-"].concat().repeat(5);
            assert_eq!(output.into_bytes(), expected, "pieces of {size} bytes");
        }
    }
}
