//! Streams and files that lead elsewhere: to a file, into an output, or nowhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lunatic_model::PathPattern;
use lunatic_wasi::provider::divert::Diversion;
use lunatic_wasi::provider::{
    Directory, File, Input, OpenRequest, Opened, Output, Ready, Reply, StreamKind,
};
use lunatic_wasi::{Errno, FileType, Metadata, NewTimes};

use crate::redirect::LineSink;
use crate::redirect::processes::ProcessTarget;
use crate::redirect::serve::Served;

/// A stream that is appended to a file.
pub(super) struct FileOutput(pub(super) Arc<dyn File>);

impl Output for FileOutput {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn write(&self, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move { Ok(self.0.append(data).await?.0) })
    }
}

/// A stream that is read from a file. Processes that share it go on where the others stopped.
pub(super) struct FileInput {
    file: Arc<dyn File>,
    position: tokio::sync::Mutex<u64>,
}

impl FileInput {
    pub(super) fn new(file: Arc<dyn File>) -> FileInput {
        FileInput { file, position: tokio::sync::Mutex::new(0) }
    }
}

impl Input for FileInput {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            let mut position = self.position.lock().await;
            let data = self.file.read_at(*position, length).await?;
            *position += data.len() as u64;
            Ok(data)
        })
    }

    fn ready(&self) -> Reply<'_, Ready> {
        Box::pin(async move {
            let position = *self.position.lock().await;
            let bytes = self.file.metadata().await?.size.saturating_sub(position);
            Ok(Ready { bytes, ended: bytes == 0 })
        })
    }
}

/// A text that can be read once.
pub(super) struct TextInput(std::sync::Mutex<std::io::Cursor<Vec<u8>>>);

impl TextInput {
    pub(super) fn new(text: &str) -> TextInput {
        TextInput(std::sync::Mutex::new(std::io::Cursor::new(text.as_bytes().to_vec())))
    }

    fn take(&self, length: usize) -> Vec<u8> {
        let mut cursor = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let start = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let rest = cursor.get_ref().get(start..).unwrap_or_default();
        let data = rest[..rest.len().min(length)].to_vec();
        cursor.set_position((start + data.len()) as u64);
        data
    }
}

impl Input for TextInput {
    fn kind(&self) -> StreamKind {
        StreamKind::Pipe
    }

    fn read(&self, length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async move { Ok(self.take(length)) })
    }

    fn ready(&self) -> Reply<'_, Ready> {
        let cursor = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bytes = (cursor.get_ref().len() as u64).saturating_sub(cursor.position());
        Box::pin(async move { Ok(Ready { bytes, ended: bytes == 0 }) })
    }
}

/// What stands behind diverted names.
pub(super) enum Behind {
    Nothing,
    Sink(Arc<dyn LineSink>),
    /// One file: a directory, and its name there.
    File(Arc<dyn Directory>, String),
    /// A process that is told what is written.
    Told(ProcessTarget),
    /// A process that answers.
    Served(Served),
}

/// Names that a pattern covers.
pub(super) struct Diverted {
    pub(super) pattern: PathPattern,
    pub(super) behind: Behind,
}

impl Diversion for Diverted {
    fn covers(&self, path: &str) -> bool {
        self.pattern.covers(path)
    }

    fn covers_below(&self, directory: &str) -> bool {
        self.pattern.covers_below(directory)
    }

    fn open<'a>(&'a self, path: &'a str, request: OpenRequest) -> Reply<'a, Arc<dyn File>> {
        Box::pin(async move {
            let output = match &self.behind {
                Behind::File(directory, name) => {
                    return file(directory.open(name.clone(), request).await?);
                }
                Behind::Served(served) => return file(served.open(path, request).await?),
                Behind::Sink(sink) => Some(sink.output(path)),
                Behind::Told(target) => Some(target.output(path)),
                Behind::Nothing => None,
            };
            if request.create && request.exclusive {
                return Err(Errno::Exist);
            }
            let written = AtomicU64::new(0);
            Ok(Arc::new(WriteOnly { output, written }) as Arc<dyn File>)
        })
    }

    fn metadata<'a>(&'a self, path: &'a str) -> Reply<'a, Metadata> {
        Box::pin(async move {
            match &self.behind {
                Behind::File(directory, name) => directory.metadata_at(name.clone(), true).await,
                Behind::Served(served) => served.metadata(path, true).await,
                Behind::Sink(_) | Behind::Told(_) | Behind::Nothing => Ok(described(0)),
            }
        })
    }
}

fn file(opened: Opened) -> Result<Arc<dyn File>, Errno> {
    match opened {
        Opened::File(file) => Ok(file),
        Opened::Directory(_) => Err(Errno::Isdir),
    }
}

/// A file that takes what is written, wherever in it, and is always empty to who reads it. Without
/// an output, what is written is lost.
struct WriteOnly {
    output: Option<Arc<dyn Output>>,
    written: AtomicU64,
}

impl WriteOnly {
    async fn take(&self, data: Vec<u8>) -> Result<(usize, u64), Errno> {
        let count = match &self.output {
            Some(output) => output.write(data).await?,
            None => data.len(),
        };
        let length = count as u64;
        Ok((count, self.written.fetch_add(length, Ordering::Relaxed) + length))
    }
}

fn described(size: u64) -> Metadata {
    Metadata {
        device: 0,
        inode: 0,
        file_type: FileType::RegularFile,
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

impl File for WriteOnly {
    fn file_type(&self) -> FileType {
        FileType::RegularFile
    }

    fn read_at(&self, _offset: u64, _length: usize) -> Reply<'_, Vec<u8>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn write_at(&self, _offset: u64, data: Vec<u8>) -> Reply<'_, usize> {
        Box::pin(async move { Ok(self.take(data).await?.0) })
    }

    fn append(&self, data: Vec<u8>) -> Reply<'_, (usize, u64)> {
        Box::pin(self.take(data))
    }

    fn set_append(&self, _append: bool) -> Reply<'_, ()> {
        done()
    }

    fn metadata(&self) -> Reply<'_, Metadata> {
        let size = self.written.load(Ordering::Relaxed);
        Box::pin(async move { Ok(described(size)) })
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
