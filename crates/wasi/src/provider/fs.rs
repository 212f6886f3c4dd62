//! Directories of the host, confined by cap-std.
//!
//! A [`HostDirectory`] is one opened handle, shared by all processes that were given it. Paths are
//! resolved by cap-std against that handle, which is what keeps them inside, races with other
//! programs included; nothing here looks at a path itself. Every operation runs on a blocking
//! thread.

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use cap_fs_ext::{
    DirExt, FileTypeExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsMaybeDirExt,
    SystemTimeSpec,
};
use cap_std::fs::{Dir, DirEntry, OpenOptions};
use cap_std::time::SystemTime;

use super::file::{HostFile, absolute, openable, set_times};
use super::{
    Directory, ENTRY_BYTES, Entry, OpenRequest, Opened, Reply, SocketPath, SocketUse, platform,
};
use crate::errno::Errno;
use crate::types::{FileType, Metadata, NewTimes};

/// An opened directory of the host.
pub struct HostDirectory {
    dir: Arc<Dir>,
}

impl HostDirectory {
    /// Opens `path` with the runtime's own rights. Blocks; call it before processes run, or from
    /// a blocking thread.
    ///
    /// # Errors
    /// Whatever the system says, for example that there is no such directory.
    pub fn open_ambient(path: &Path) -> io::Result<Arc<dyn Directory>> {
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority())?;
        Ok(HostDirectory::from_dir(dir))
    }

    fn from_dir(dir: Dir) -> Arc<dyn Directory> {
        Arc::new(HostDirectory { dir: Arc::new(dir) })
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Dir) -> io::Result<T> + Send + 'static,
    ) -> Reply<'_, T> {
        let dir = self.dir.clone();
        Box::pin(async move { blocking(move || work(&dir)).await })
    }

    /// The same for two directories.
    fn run_with<'a>(
        &'a self,
        to: &'a dyn Directory,
        work: impl FnOnce(&Dir, &Dir) -> io::Result<()> + Send + 'static,
    ) -> Reply<'a, ()> {
        let dir = self.dir.clone();
        let Some(to) = to.as_any().downcast_ref::<HostDirectory>() else {
            return Box::pin(async { Err(Errno::Xdev) });
        };
        let to = to.dir.clone();
        Box::pin(async move { blocking(move || work(&dir, &to)).await })
    }
}

impl Directory for HostDirectory {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open(&self, path: String, request: OpenRequest) -> Reply<'_, Opened> {
        let dir = self.dir.clone();
        Box::pin(async move {
            // Two layers: what the system said, and what we make of what was opened.
            blocking(move || Ok(open(&dir, &path, request))).await?
        })
    }

    fn open_child_dir(&self, path: String) -> Reply<'_, Arc<dyn Directory>> {
        self.run(move |dir| dir.open_dir(path).map(HostDirectory::from_dir))
    }

    fn entries(&self, bytes_max: usize) -> Reply<'_, Vec<Entry>> {
        self.run(move |dir| {
            let mut entries = Vec::new();
            let mut bytes = 0usize;
            for entry in dir.entries()? {
                let entry = describe_entry(&entry?)?;
                bytes = bytes.saturating_add(ENTRY_BYTES + entry.name.len());
                if bytes > bytes_max {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                entries.push(entry);
            }
            Ok(entries)
        })
    }

    fn metadata(&self) -> Reply<'_, Metadata> {
        self.run(|dir| Ok(describe(&dir.dir_metadata()?)))
    }

    fn set_times(&self, times: NewTimes) -> Reply<'_, ()> {
        self.run(move |dir| set_times(&reopen(dir)?, times))
    }

    fn sync(&self) -> Reply<'_, ()> {
        self.run(|dir| reopen(dir)?.sync_all())
    }

    fn metadata_at(&self, path: String, follow: bool) -> Reply<'_, Metadata> {
        self.run(move |dir| {
            let metadata = if follow { dir.metadata(path) } else { dir.symlink_metadata(path) };
            Ok(describe(&metadata?))
        })
    }

    fn set_times_at(&self, path: String, follow: bool, times: NewTimes) -> Reply<'_, ()> {
        self.run(move |dir| {
            let spec = |time| {
                absolute(time).map(|time| {
                    time.map(|time| SystemTimeSpec::Absolute(SystemTime::from_std(time)))
                })
            };
            let (accessed, modified) = (spec(times.accessed)?, spec(times.modified)?);
            if follow {
                DirExt::set_times(dir, path, accessed, modified)
            } else {
                dir.set_symlink_times(path, accessed, modified)
            }
        })
    }

    fn create_directory(&self, path: String) -> Reply<'_, ()> {
        self.run(move |dir| dir.create_dir(path))
    }

    fn remove_directory(&self, path: String) -> Reply<'_, ()> {
        self.run(move |dir| dir.remove_dir(path))
    }

    fn unlink_file(&self, path: String) -> Reply<'_, ()> {
        self.run(move |dir| dir.remove_file_or_symlink(path))
    }

    fn read_link(&self, path: String) -> Reply<'_, Vec<u8>> {
        self.run(move |dir| Ok(platform::name_bytes(dir.read_link(path)?.into_os_string())))
    }

    fn symlink(&self, target: String, path: String) -> Reply<'_, ()> {
        self.run(move |dir| DirExt::symlink(dir, target, path))
    }

    fn link<'a>(&'a self, path: String, to: &'a dyn Directory, new_path: String) -> Reply<'a, ()> {
        self.run_with(to, move |dir, to| dir.hard_link(path, to, new_path))
    }

    fn rename<'a>(
        &'a self,
        path: String,
        to: &'a dyn Directory,
        new_path: String,
    ) -> Reply<'a, ()> {
        self.run_with(to, move |dir, to| dir.rename(path, to, new_path))
    }

    fn socket_path(&self, path: String, usage: SocketUse) -> Reply<'_, SocketPath> {
        self.run(move |dir| platform::socket_path(dir, &path, usage))
    }
}

/// Runs blocking work on Tokio's blocking threads. If the future is dropped, the work is still
/// finished, and its result is dropped.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Errno> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Errno::from),
        // The work panicked, or the runtime is ending.
        Err(_) => Err(Errno::Io),
    }
}

fn open(dir: &Dir, path: &str, request: OpenRequest) -> Result<Opened, Errno> {
    if request.directory {
        let dir = if request.follow { dir.open_dir(path) } else { dir.open_dir_nofollow(path) };
        return Ok(Opened::Directory(HostDirectory::from_dir(dir?)));
    }
    let mut options = OpenOptions::new();
    // The host can't create or cut a file without opening it for writing.
    let write = request.write || request.create || request.truncate;
    options
        .read(request.read || !write)
        .write(write)
        .create(request.create)
        .create_new(request.create && request.exclusive)
        .truncate(request.truncate)
        .maybe_dir(true)
        .follow(if request.follow { FollowSymlinks::Yes } else { FollowSymlinks::No });
    platform::never_wait(&mut options);
    let file = dir.open_with(path, &options)?.into_std();
    let metadata = describe(&cap_std::fs::Metadata::from_file(&file)?);
    if metadata.file_type == FileType::Directory {
        return Ok(Opened::Directory(HostDirectory::from_dir(Dir::from_std_file(file))));
    }
    openable(metadata.file_type)?;
    if request.append {
        platform::set_append(&file, true)?;
    }
    Ok(Opened::File(Arc::new(HostFile::new(file, metadata.file_type))))
}

/// A handle to the directory itself on which syncing and setting times work.
fn reopen(dir: &Dir) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).maybe_dir(true);
    dir.open_with(".", &options).map(cap_std::fs::File::into_std)
}

fn describe_entry(entry: &DirEntry) -> io::Result<Entry> {
    let name = platform::name_bytes(entry.file_name());
    // An entry that has gone since it was listed is still reported: its name was there.
    let file_type = entry.file_type().map_or(FileType::Unknown, file_type);
    Ok(Entry { name, inode: platform::inode(entry), file_type })
}

/// Our description of the host's metadata.
pub(super) fn describe(metadata: &cap_std::fs::Metadata) -> Metadata {
    Metadata {
        device: metadata.dev(),
        inode: metadata.ino(),
        file_type: file_type(metadata.file_type()),
        links: metadata.nlink(),
        size: metadata.len(),
        accessed: since_1970(metadata.accessed()),
        modified: since_1970(metadata.modified()),
        changed: platform::changed(metadata),
    }
}

/// Nanoseconds since 1970; 0 for earlier and unknown times.
pub(super) fn since_1970(time: io::Result<SystemTime>) -> u64 {
    time.ok()
        .and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok())
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

fn file_type(host: cap_std::fs::FileType) -> FileType {
    if host.is_dir() {
        FileType::Directory
    } else if host.is_file() {
        FileType::RegularFile
    } else if host.is_symlink() {
        FileType::SymbolicLink
    } else if host.is_char_device() {
        FileType::CharacterDevice
    } else if host.is_block_device() {
        FileType::BlockDevice
    } else if host.is_socket() {
        FileType::SocketStream
    } else {
        FileType::Unknown
    }
}
