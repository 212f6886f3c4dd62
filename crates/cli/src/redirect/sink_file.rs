//! A file whose content goes to a sink, or nowhere: it takes what is written, wherever in the file,
//! and is always empty to who reads it.

use std::sync::atomic::{AtomicU64, Ordering};

use lunatic_sinks::Lines;
use lunatic_wasi::provider::{File, Reply};
use lunatic_wasi::{FileType, Metadata, NewTimes};

pub(super) struct SinkFile {
    lines: Option<Lines>,
    written: AtomicU64,
}

impl SinkFile {
    /// Without `lines`, what is written is lost.
    pub(super) fn new(lines: Option<Lines>) -> SinkFile {
        SinkFile { lines, written: AtomicU64::new(0) }
    }

    async fn take(&self, data: Vec<u8>) -> (usize, u64) {
        if let Some(lines) = &self.lines {
            lines.write(&data).await;
        }
        let length = data.len() as u64;
        (data.len(), self.written.fetch_add(length, Ordering::Relaxed) + length)
    }
}

/// What is told of such a file.
pub(super) fn described(file_type: FileType, size: u64) -> Metadata {
    Metadata {
        device: 0,
        inode: 0,
        file_type,
        links: 1,
        size,
        accessed: 0,
        modified: 0,
        changed: 0,
    }
}

fn done<'a>() -> Reply<'a, ()> {
    Box::pin(async { Ok(()) })
}

impl File for SinkFile {
    fn file_type(&self) -> FileType {
        FileType::RegularFile
    }

    fn read_at(&self, _offset: u64, _length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn write_at(&self, _offset: u64, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move { Ok(self.take(data).await.0) })
    }

    fn append(&self, data: Vec<u8>) -> Reply<'_, (usize, u64)> {
        Box::pin(async move { Ok(self.take(data).await) })
    }

    fn set_append(&self, _append: bool) -> Reply<'_, ()> {
        done()
    }

    fn metadata(&self) -> Reply<'_, Metadata> {
        let size = self.written.load(Ordering::Relaxed);
        Box::pin(async move { Ok(described(FileType::RegularFile, size)) })
    }

    fn set_size(&self, _size: u64) -> Reply<'_, ()> {
        done()
    }

    fn allocate(&self, _offset: u64, _length: u64) -> Reply<'_, ()> {
        done()
    }

    fn set_times(&self, _times: NewTimes) -> Reply<'_, ()> {
        done()
    }

    fn advise(&self, _offset: u64, _length: u64, _advice: u8) -> Reply<'_, ()> {
        done()
    }

    fn sync(&self, _metadata: bool) -> Reply<'_, ()> {
        done()
    }
}
