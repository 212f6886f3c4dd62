//! A bounded buffer that test mode gives to a process as its standard output and error.
//!
//! What must stay true: at most `bytes_max` bytes are kept, half from the beginning and half from
//! the end (a failing test's report comes last), and the text says how much is missing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Output, Reply, StreamKind};

/// A shared buffer for the output of one process; clones write into the same one.
#[derive(Clone)]
pub struct Capture {
    kept: Arc<Mutex<Kept>>,
    bytes_max: usize,
    echo: Option<Arc<dyn Output>>,
}

#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Capture {
    /// An empty buffer for at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Capture {
        Capture { kept: Arc::default(), bytes_max, echo: None }
    }

    /// The same, and everything is also written to `echo`.
    pub fn with_echo(bytes_max: usize, echo: Arc<dyn Output>) -> Capture {
        Capture { echo: Some(echo), ..Capture::new(bytes_max) }
    }

    /// True if nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.lock().head.is_empty()
    }

    /// What was written, with a note where the limit left something out. Bytes that are not
    /// UTF-8 are replaced.
    pub fn contents(&self) -> String {
        let kept = self.lock();
        let tail: Vec<u8> = kept.tail.iter().copied().collect();
        if kept.dropped == 0 {
            let whole = [kept.head.as_slice(), &tail].concat();
            return String::from_utf8_lossy(&whole).into_owned();
        }
        format!(
            "{}\n[{} bytes left out: only {} bytes of output are kept]\n{}",
            String::from_utf8_lossy(&kept.head),
            kept.dropped,
            self.bytes_max,
            String::from_utf8_lossy(&tail),
        )
    }

    fn keep(&self, data: &[u8]) {
        let head_max = self.bytes_max.div_ceil(2);
        let tail_max = self.bytes_max - head_max;
        let mut kept = self.lock();
        let room = head_max.saturating_sub(kept.head.len());
        let (head, rest) = data.split_at(room.min(data.len()));
        kept.head.extend_from_slice(head);
        // Only the last `tail_max` bytes of `rest` can survive.
        let (lost, rest) = rest.split_at(rest.len().saturating_sub(tail_max));
        let excess = (kept.tail.len() + rest.len()).saturating_sub(tail_max);
        kept.tail.drain(..excess);
        kept.tail.extend(rest);
        kept.dropped = kept.dropped.saturating_add((lost.len() + excess) as u64);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing under this lock can leave the buffer half-changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for Capture {
    fn kind(&self) -> StreamKind {
        StreamKind::Captured
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move {
            self.keep(&data);
            let count = data.len();
            if let Some(echo) = &self.echo {
                // The buffer has it: a closed terminal must not fail the test.
                echo.write(data).await.ok();
            }
            Ok(count)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn output_within_the_limit_is_kept_whole() {
        let capture = Capture::new(8);
        capture.keep(b"1234");
        capture.keep(b"5678");
        assert_eq!(capture.contents(), "12345678");
    }

    #[test]
    fn output_beyond_the_limit_keeps_both_ends_and_says_so() {
        let capture = Capture::new(6);
        capture.keep(b"abcdef");
        capture.keep(b"ghij");
        assert_eq!(
            capture.contents(),
            "abc\n[4 bytes left out: only 6 bytes of output are kept]\nhij"
        );
    }

    #[test]
    fn a_clone_of_a_capture_writes_into_the_same_buffer() {
        let capture = Capture::new(8);
        let clone = capture.clone();
        assert!(clone.is_empty());
        capture.keep(b"x");
        assert_eq!(clone.contents(), "x");
    }

    proptest! {
        #[test]
        fn kept_and_dropped_bytes_add_up(
            bytes_max in 0usize..40,
            writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..10),
        ) {
            let capture = Capture::new(bytes_max);
            let mut all = Vec::new();
            for write in &writes {
                capture.keep(write);
                all.extend_from_slice(write);
            }
            let kept = capture.lock();
            let tail: Vec<u8> = kept.tail.iter().copied().collect();
            prop_assert!(kept.head.len() + tail.len() <= bytes_max);
            prop_assert_eq!((kept.head.len() + tail.len()) as u64 + kept.dropped, all.len() as u64);
            prop_assert!(all.starts_with(&kept.head) && all.ends_with(&tail));
        }
    }
}
