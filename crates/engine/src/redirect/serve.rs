//! Files and directories of a process that answers: `abi/redirect.md` has the requests.
//!
//! What it answers is believed as far as the call allows it: sizes, kinds, names and error numbers
//! are checked, and what is wrong is `Io`. Paths are sent as the program's directories name them,
//! without `.` and `..`; what they mean is the server's business, for there is nothing else of
//! ours behind them.

use std::any::Any;
use std::sync::Arc;

use lunatic_model::Pid;
use lunatic_node::Environment;
use lunatic_wasi::limits::PATH_BYTES_MAX;
use lunatic_wasi::provider::{
    Directory, ENTRY_BYTES, Entry, File, OpenRequest, Opened, Reply, SocketPath, SocketUse,
};
use lunatic_wasi::{Errno, FileType, Metadata, NewTime, NewTimes};

use crate::redirect::ask::{ask, caller, tell};
use crate::redirect::wire::{Reader, Writer};

/// The numbers of the requests.
mod request {
    pub(super) const OPEN: u8 = 0;
    pub(super) const CLOSE: u8 = 1;
    pub(super) const READ: u8 = 2;
    pub(super) const WRITE: u8 = 3;
    pub(super) const APPEND: u8 = 4;
    pub(super) const STAT_FILE: u8 = 5;
    pub(super) const SET_SIZE: u8 = 6;
    pub(super) const ALLOCATE: u8 = 7;
    pub(super) const SET_FILE_TIMES: u8 = 8;
    pub(super) const SYNC: u8 = 9;
    pub(super) const LIST: u8 = 10;
    pub(super) const STAT: u8 = 11;
    pub(super) const SET_TIMES: u8 = 12;
    pub(super) const CREATE_DIRECTORY: u8 = 13;
    pub(super) const REMOVE_DIRECTORY: u8 = 14;
    pub(super) const UNLINK: u8 = 15;
    pub(super) const READ_LINK: u8 = 16;
    pub(super) const SYMLINK: u8 = 17;
    pub(super) const LINK: u8 = 18;
    pub(super) const RENAME: u8 = 19;
}

/// Largest offset and size: those of the guest's ABI are signed.
const SIZE_MAX: u64 = i64::MAX as u64;
/// Entries of one directory. Their bytes are bounded by the caller.
const ENTRIES_MAX: usize = 1 << 20;

/// The files of a process.
#[derive(Clone, Copy)]
pub(super) struct Served(pub(super) Pid);

impl Served {
    /// Asks, and reads the answer.
    async fn ask<T>(
        &self,
        request: Writer,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Errno> + Send,
    ) -> Result<T, Errno> {
        let answer = ask(self.0, request.done()).await?;
        let mut reader = Reader::of(&answer.data)?;
        let value = read(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    async fn act(&self, request: Writer) -> Result<(), Errno> {
        self.ask(request, |_| Ok(())).await
    }

    /// Opens what the program calls so.
    pub(super) async fn open(&self, path: &str, request: OpenRequest) -> Result<Opened, Errno> {
        let flags = [
            request.read,
            request.write,
            request.create,
            request.exclusive,
            request.truncate,
            request.directory,
            request.follow,
            request.append,
        ];
        let bits = flags.iter().enumerate().map(|(bit, set)| u64::from(*set) << bit).sum();
        let path = clean(path);
        let message = Writer::new(request::OPEN).text(&path).number(bits);
        let handle = self.ask(message, |reader| match reader.byte()? {
            0 => Ok(Some(reader.number()?)),
            1 => Ok(None),
            _ => Err(Errno::Io),
        });
        let Some(handle) = handle.await? else {
            return Ok(Opened::Directory(ServedDirectory::at(*self, path)));
        };
        let process = caller()?;
        let (environment, from) = (process.environment().clone(), process.pid());
        let file = ServedFile { served: *self, handle, environment, from };
        if request.directory { Err(Errno::Notdir) } else { Ok(Opened::File(Arc::new(file))) }
    }

    /// What is told of something that is not open.
    pub(super) async fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, Errno> {
        let message = Writer::new(request::STAT).text(&clean(path)).flag(follow);
        self.ask(message, metadata).await
    }
}

/// A path without `.` parts and doubled slashes.
fn clean(path: &str) -> String {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let start = if path.starts_with('/') { "/" } else { "" };
    let clean = format!("{start}{}", parts.join("/"));
    if clean.is_empty() { ".".to_owned() } else { clean }
}

fn metadata(reader: &mut Reader<'_>) -> Result<Metadata, Errno> {
    let file_type = file_type(reader.byte()?)?;
    let [size, links, accessed, modified, changed, inode] = [(); 6].map(|()| reader.number());
    let size = size?;
    if size > SIZE_MAX {
        return Err(Errno::Io);
    }
    Ok(Metadata {
        device: 0,
        inode: inode?,
        file_type,
        links: links?,
        size,
        accessed: accessed?,
        modified: modified?,
        changed: changed?,
    })
}

fn file_type(number: u8) -> Result<FileType, Errno> {
    use FileType::{Directory, RegularFile, SymbolicLink};
    let known = [Directory, RegularFile, SymbolicLink];
    known.into_iter().find(|known| *known as u8 == number).ok_or(Errno::Io)
}

fn times(writer: Writer, times: NewTimes) -> Writer {
    let one = |writer: Writer, time| match time {
        NewTime::Keep => writer.byte(0),
        NewTime::Now => writer.byte(1),
        NewTime::At(nanoseconds) => writer.byte(2).number(nanoseconds),
    };
    one(one(writer, times.accessed), times.modified)
}

/// An open file. The server hears when it is closed, also by the end of its process.
struct ServedFile {
    served: Served,
    handle: u64,
    environment: Arc<Environment>,
    from: Pid,
}

impl Drop for ServedFile {
    fn drop(&mut self) {
        // Without waiting: there are no more of these than files that were opened.
        let message = Writer::new(request::CLOSE).number(self.handle).done();
        tell(&self.environment, self.from, self.served.0, message);
    }
}

impl ServedFile {
    fn request(&self, kind: u8) -> Writer {
        Writer::new(kind).number(self.handle)
    }

    fn act(&self, request: Writer) -> Reply<'_, ()> {
        Box::pin(self.served.act(request))
    }
}

impl File for ServedFile {
    fn file_type(&self) -> FileType {
        FileType::RegularFile
    }

    fn read_at(&self, offset: u64, length: usize) -> Reply<'_, Vec<u8>> {
        let request = self.request(request::READ).number(offset).number(length as u64);
        Box::pin(self.served.ask(request, move |reader| Ok(reader.bytes(length)?.to_vec())))
    }

    fn write_at(&self, offset: u64, data: Vec<u8>) -> Reply<'_, usize> {
        let request = self.request(request::WRITE).number(offset).bytes(&data);
        Box::pin(self.served.ask(request, move |reader| reader.count(data.len())))
    }

    fn append(&self, data: Vec<u8>) -> Reply<'_, (usize, u64)> {
        let request = self.request(request::APPEND).bytes(&data);
        Box::pin(self.served.ask(request, move |reader| {
            let (count, end) = (reader.count(data.len())?, reader.number()?);
            if end > SIZE_MAX { Err(Errno::Io) } else { Ok((count, end)) }
        }))
    }

    fn set_append(&self, _append: bool) -> Reply<'_, ()> {
        // Which request is made says it.
        Box::pin(async { Ok(()) })
    }

    fn metadata(&self) -> Reply<'_, Metadata> {
        Box::pin(self.served.ask(self.request(request::STAT_FILE), metadata))
    }

    fn set_size(&self, size: u64) -> Reply<'_, ()> {
        self.act(self.request(request::SET_SIZE).number(size))
    }

    fn allocate(&self, offset: u64, length: u64) -> Reply<'_, ()> {
        self.act(self.request(request::ALLOCATE).number(offset).number(length))
    }

    fn set_times(&self, new: NewTimes) -> Reply<'_, ()> {
        self.act(times(self.request(request::SET_FILE_TIMES), new))
    }

    fn advise(&self, _offset: u64, _length: u64, _advice: u8) -> Reply<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn sync(&self, metadata: bool) -> Reply<'_, ()> {
        self.act(self.request(request::SYNC).flag(metadata))
    }
}

/// A directory. It is a name and nothing else: the server keeps nothing for it.
pub(super) struct ServedDirectory {
    served: Served,
    /// As the program's directories name it.
    path: String,
}

impl ServedDirectory {
    pub(super) fn at(served: Served, path: impl Into<String>) -> Arc<dyn Directory> {
        Arc::new(ServedDirectory { served, path: path.into() })
    }

    /// The path of something inside; `Perm` if it leads out.
    fn within(&self, path: &str) -> Result<String, Errno> {
        if path.starts_with('/') {
            return Err(Errno::Perm);
        }
        let mut inside: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    inside.pop().ok_or(Errno::Perm)?;
                }
                part => inside.push(part),
            }
        }
        Ok(clean(&format!("{}/{}", self.path, inside.join("/"))))
    }

    fn act(&self, kind: u8, path: &str) -> Reply<'_, ()> {
        let path = self.within(path);
        Box::pin(async move { self.served.act(Writer::new(kind).text(&path?)).await })
    }

    /// The same with a second path, in a directory of the same process.
    fn act_on_two(
        &self,
        kind: u8,
        path: &str,
        (to, new_path): (&dyn Directory, &str),
    ) -> Reply<'_, ()> {
        let to = to.as_any().downcast_ref::<ServedDirectory>();
        let to = to.filter(|to| to.served.0 == self.served.0).ok_or(Errno::Xdev);
        let paths = to.and_then(|to| Ok((self.within(path)?, to.within(new_path)?)));
        Box::pin(async move {
            let (path, new_path) = paths?;
            self.served.act(Writer::new(kind).text(&path).text(&new_path)).await
        })
    }
}

impl Directory for ServedDirectory {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open(&self, path: String, request: OpenRequest) -> Reply<'_, Opened> {
        Box::pin(async move { self.served.open(&self.within(&path)?, request).await })
    }

    fn open_child_dir(&self, path: String) -> Reply<'_, Arc<dyn Directory>> {
        Box::pin(async move {
            let path = self.within(&path)?;
            match self.served.metadata(&path, true).await?.file_type {
                FileType::Directory => Ok(ServedDirectory::at(self.served, path)),
                _ => Err(Errno::Notdir),
            }
        })
    }

    fn entries(&self, bytes_max: usize) -> Reply<'_, Vec<Entry>> {
        let request = Writer::new(request::LIST).text(&clean(&self.path));
        Box::pin(self.served.ask(request, move |reader| {
            let count = reader.count(ENTRIES_MAX)?;
            let (mut entries, mut bytes) = (Vec::new(), 0_usize);
            for _ in 0..count {
                let name = reader.bytes(PATH_BYTES_MAX)?.to_vec();
                let (inode, file_type) = (reader.number()?, file_type(reader.byte()?)?);
                bytes = bytes.saturating_add(ENTRY_BYTES).saturating_add(name.len());
                if bytes > bytes_max {
                    return Err(Errno::Nomem);
                }
                let odd = name.is_empty() || name == b"." || name == b"..";
                if odd || name.iter().any(|byte| [b'/', 0].contains(byte)) {
                    return Err(Errno::Io);
                }
                entries.push(Entry { name, inode, file_type });
            }
            Ok(entries)
        }))
    }

    fn metadata(&self) -> Reply<'_, Metadata> {
        Box::pin(self.served.metadata(&self.path, true))
    }

    fn set_times(&self, new: NewTimes) -> Reply<'_, ()> {
        self.set_times_at(".".to_owned(), true, new)
    }

    fn sync(&self) -> Reply<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn metadata_at(&self, path: String, follow: bool) -> Reply<'_, Metadata> {
        Box::pin(async move { self.served.metadata(&self.within(&path)?, follow).await })
    }

    fn set_times_at(&self, path: String, follow: bool, new: NewTimes) -> Reply<'_, ()> {
        Box::pin(async move {
            let request = Writer::new(request::SET_TIMES).text(&self.within(&path)?).flag(follow);
            self.served.act(times(request, new)).await
        })
    }

    fn create_directory(&self, path: String) -> Reply<'_, ()> {
        self.act(request::CREATE_DIRECTORY, &path)
    }

    fn remove_directory(&self, path: String) -> Reply<'_, ()> {
        self.act(request::REMOVE_DIRECTORY, &path)
    }

    fn unlink_file(&self, path: String) -> Reply<'_, ()> {
        self.act(request::UNLINK, &path)
    }

    fn read_link(&self, path: String) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            let request = Writer::new(request::READ_LINK).text(&self.within(&path)?);
            self.served.ask(request, |reader| Ok(reader.bytes(PATH_BYTES_MAX)?.to_vec())).await
        })
    }

    fn symlink(&self, target: String, path: String) -> Reply<'_, ()> {
        Box::pin(async move {
            let path = self.within(&path)?;
            let request = Writer::new(request::SYMLINK).text(&target).text(&path);
            self.served.act(request).await
        })
    }

    fn link<'a>(&'a self, path: String, to: &'a dyn Directory, new_path: String) -> Reply<'a, ()> {
        self.act_on_two(request::LINK, &path, (to, &new_path))
    }

    fn rename<'a>(
        &'a self,
        path: String,
        to: &'a dyn Directory,
        new_path: String,
    ) -> Reply<'a, ()> {
        self.act_on_two(request::RENAME, &path, (to, &new_path))
    }

    fn socket_path(&self, _path: String, _usage: SocketUse) -> Reply<'_, SocketPath> {
        Box::pin(async { Err(Errno::Notsup) })
    }
}
