//! An open file of the host.
//!
//! Each operation runs on a blocking thread with its own share of the handle, so a dropped future
//! leaves at most one finished operation behind. The handle's own position is used by appending
//! alone, and only under its lock.

use std::fs::{File as StdFile, FileTimes};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::fs::{blocking, describe};
use super::{File, Reply, platform};
use crate::errno::Errno;
use crate::types::{FileType, Metadata, NewTime, NewTimes};

/// A file opened through a [`HostDirectory`](super::fs::HostDirectory).
pub(super) struct HostFile {
    inner: Arc<Inner>,
    file_type: FileType,
}

struct Inner {
    file: StdFile,
    appending: Mutex<()>,
}

impl HostFile {
    pub(super) fn new(file: StdFile, file_type: FileType) -> HostFile {
        HostFile { inner: Arc::new(Inner { file, appending: Mutex::new(()) }), file_type }
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        let inner = self.inner.clone();
        Box::pin(async move { blocking(move || work(&inner)).await })
    }
}

impl File for HostFile {
    fn file_type(&self) -> FileType {
        self.file_type
    }

    fn read_at(&self, offset: u64, length: usize) -> Reply<'_, Vec<u8>> {
        self.run(move |inner| {
            let mut buffer = vec![0; length];
            let count = platform::read_at(&inner.file, &mut buffer, offset)?;
            buffer.truncate(count);
            Ok(buffer)
        })
    }

    fn write_at(&self, offset: u64, data: Vec<u8>) -> Reply<'_, usize> {
        self.run(move |inner| platform::write_at(&inner.file, &data, offset))
    }

    fn append(&self, data: Vec<u8>) -> Reply<'_, (usize, u64)> {
        self.run(move |inner| {
            let _one_at_a_time = inner.appending.lock().unwrap_or_else(PoisonError::into_inner);
            platform::append(&inner.file, &data)
        })
    }

    fn set_append(&self, append: bool) -> Reply<'_, ()> {
        self.run(move |inner| platform::set_append(&inner.file, append))
    }

    fn metadata(&self) -> Reply<'_, Metadata> {
        self.run(|inner| Ok(describe(&cap_std::fs::Metadata::from_file(&inner.file)?)))
    }

    fn set_size(&self, size: u64) -> Reply<'_, ()> {
        self.run(move |inner| inner.file.set_len(size))
    }

    fn allocate(&self, offset: u64, length: u64) -> Reply<'_, ()> {
        self.run(move |inner| platform::allocate(&inner.file, offset, length))
    }

    fn set_times(&self, times: NewTimes) -> Reply<'_, ()> {
        self.run(move |inner| set_times(&inner.file, times))
    }

    fn advise(&self, offset: u64, length: u64, advice: u8) -> Reply<'_, ()> {
        self.run(move |inner| platform::advise(&inner.file, offset, length, advice))
    }

    fn sync(&self, metadata: bool) -> Reply<'_, ()> {
        self.run(move |inner| if metadata { inner.file.sync_all() } else { inner.file.sync_data() })
    }
}

/// Sets the times of an open file or directory.
pub(super) fn set_times(file: &StdFile, times: NewTimes) -> io::Result<()> {
    let mut new = FileTimes::new();
    if let Some(time) = absolute(times.accessed)? {
        new = new.set_accessed(time);
    }
    if let Some(time) = absolute(times.modified)? {
        new = new.set_modified(time);
    }
    file.set_times(new)
}

/// The time to set, if one is to be set.
pub(super) fn absolute(time: NewTime) -> io::Result<Option<SystemTime>> {
    match time {
        NewTime::Keep => Ok(None),
        NewTime::Now => Ok(Some(SystemTime::now())),
        NewTime::At(nanoseconds) => UNIX_EPOCH
            .checked_add(Duration::from_nanos(nanoseconds))
            .map(Some)
            .ok_or_else(|| io::ErrorKind::InvalidInput.into()),
    }
}

/// What can be opened as a file. The rest (named pipes, sockets, block devices) would make a
/// thread wait for another program, or hand out a whole disk.
pub(super) fn openable(file_type: FileType) -> Result<(), Errno> {
    match file_type {
        FileType::RegularFile | FileType::CharacterDevice => Ok(()),
        FileType::Directory => Err(Errno::Isdir),
        FileType::SymbolicLink => Err(Errno::Loop),
        FileType::Unknown
        | FileType::BlockDevice
        | FileType::SocketDgram
        | FileType::SocketStream => Err(Errno::Notsup),
    }
}
