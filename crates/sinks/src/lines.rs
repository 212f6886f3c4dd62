//! One stream of bytes on its way into a sink: cut into lines, in order.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::sink::Sink;

/// Bytes of a line. A longer one arrives as several.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// Cuts what is written into lines. What stands after the last newline waits for the rest, and is
/// a line of its own when the stream is dropped.
pub struct Lines {
    sink: Sink,
    source: Arc<str>,
    /// Writes of several processes take turns; a line is never cut by another's.
    rest: Mutex<Vec<u8>>,
}

impl Lines {
    /// `source` is told with each line.
    pub fn new(sink: Sink, source: impl Into<Arc<str>>) -> Lines {
        Lines { sink, source: source.into(), rest: Mutex::default() }
    }

    /// Hands over `data`, and waits where the sink's options say so. If the future is dropped, the
    /// lines before the one that waited are taken, and the rest of `data` is not.
    pub async fn write(&self, data: &[u8]) {
        let mut rest = self.rest.lock().await;
        for byte in data.split_inclusive(|byte| *byte == b'\n') {
            for piece in byte.chunks(LINE_BYTES_MAX) {
                if rest.len() + piece.len() > LINE_BYTES_MAX {
                    self.sink.push(&self.source, std::mem::take(&mut *rest)).await;
                }
                rest.extend_from_slice(piece);
            }
            if rest.last() == Some(&b'\n') {
                rest.pop();
                self.sink.push(&self.source, std::mem::take(&mut *rest)).await;
            }
        }
    }
}

impl Lines {
    /// Hands over what stands after the last newline.
    pub async fn end(&self) {
        let mut rest = self.rest.lock().await;
        if !rest.is_empty() {
            self.sink.push(&self.source, std::mem::take(&mut *rest)).await;
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let rest = std::mem::take(self.rest.get_mut());
        if !rest.is_empty() {
            self.sink.push_at_once(&self.source, rest);
        }
    }
}
