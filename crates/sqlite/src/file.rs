//! An open file of SQLite: opening it below a directory of the owner, reading, writing, locking.
//!
//! Results are SQLite's codes, since nobody but SQLite sees them. Symbolic links at the end of a
//! path are not followed: the journal of a database lies beside the name by which it was opened, so
//! one database under two names would have two journals.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt};
use cap_std::fs::{Dir, OpenOptions};
use libsqlite3_sys as sqlite;

use crate::directories::{Directory, find};
use crate::locks::DatabaseLock;
use crate::owner::{Owner, refuse};
use crate::platform;

/// What SQLite keeps in its `sqlite3_file`.
pub(crate) struct OpenFile {
    file: File,
    /// The file is new: where its entry is, as long as that may not be on the disk.
    unsynced: Option<(Arc<Dir>, String)>,
    /// Only main files of databases are locked.
    pub(crate) lock: Option<DatabaseLock>,
}

/// Opens a file by its full path, and says how: read-only if the directory or the system allows no
/// more.
pub(crate) fn open(owner: &Owner, path: &str, flags: c_int) -> Result<(OpenFile, c_int), c_int> {
    let Some((directory, rest)) = find(owner.directories(), path) else {
        refuse(format!("none of the directories of this process contains `{path}`"));
        return Err(sqlite::SQLITE_CANTOPEN);
    };
    let wants_write = flags & sqlite::SQLITE_OPEN_READWRITE != 0;
    let mut result = Err(ErrorKind::PermissionDenied.into());
    if wants_write && directory.writable {
        result = attempt(directory, rest, flags);
    }
    let mut flags = flags;
    if result.as_ref().is_err_and(may_be_readable) {
        flags &= !(sqlite::SQLITE_OPEN_READWRITE | sqlite::SQLITE_OPEN_CREATE);
        flags |= sqlite::SQLITE_OPEN_READONLY;
        result = attempt(directory, rest, flags);
    }
    let (file, created) = result.map_err(|error| {
        let hint = if wants_write && !directory.writable && error.kind() == ErrorKind::NotFound {
            " (and this process may only read there)"
        } else {
            ""
        };
        refuse(format!("{error}{hint}"));
        if is_link(directory, rest) {
            sqlite::SQLITE_CANTOPEN_SYMLINK
        } else {
            sqlite::SQLITE_CANTOPEN
        }
    })?;
    let writable = flags & sqlite::SQLITE_OPEN_READWRITE != 0;
    let lock = if flags & sqlite::SQLITE_OPEN_MAIN_DB != 0 {
        Some(DatabaseLock::new(&file, writable).map_err(|error| {
            refuse(error.to_string());
            sqlite::SQLITE_CANTOPEN
        })?)
    } else {
        None
    };
    let unsynced = created.then(|| (directory.dir.clone(), rest.to_owned()));
    Ok((OpenFile { file, unsynced, lock }, flags))
}

/// Whether a file that cannot be opened for writing may still be read.
fn may_be_readable(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn is_link(directory: &Directory, path: &str) -> bool {
    directory.dir.symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Opens the file, and tells whether it is new.
fn attempt(directory: &Directory, path: &str, flags: c_int) -> io::Result<(File, bool)> {
    let has = |flag: c_int| flags & flag != 0;
    let create = has(sqlite::SQLITE_OPEN_CREATE);
    let open = |new: bool| {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(has(sqlite::SQLITE_OPEN_READWRITE))
            .create_new(new)
            .maybe_dir(true)
            .follow(FollowSymlinks::No);
        platform::never_wait(&mut options);
        directory.dir.open_with(path, &options)
    };
    let exclusive = create && has(sqlite::SQLITE_OPEN_EXCLUSIVE);
    let (file, created) = match if exclusive { None } else { Some(open(false)) } {
        Some(Err(error)) if create && error.kind() == ErrorKind::NotFound => match open(true) {
            // Somebody was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (open(false)?, false),
            result => (result?, true),
        },
        Some(result) => (result?, false),
        None => (open(true)?, true),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a file"));
    }
    Ok((file.into_std(), created))
}

/// Deletes a file; with `sync`, waits until that is on the disk.
pub(crate) fn delete(owner: &Owner, path: &str, sync: bool) -> Result<(), c_int> {
    let Some((directory, rest)) = find(owner.directories(), path) else {
        return Err(sqlite::SQLITE_IOERR_DELETE);
    };
    if !directory.writable {
        return Err(sqlite::SQLITE_IOERR_DELETE);
    }
    directory.dir.remove_file_or_symlink(rest).map_err(|error| match error.kind() {
        ErrorKind::NotFound => sqlite::SQLITE_IOERR_DELETE_NOENT,
        _ => sqlite::SQLITE_IOERR_DELETE,
    })?;
    if sync {
        platform::sync_parent(&directory.dir, rest).map_err(|_| sqlite::SQLITE_IOERR_DIR_FSYNC)?;
    }
    Ok(())
}

/// Whether a file exists (and may be written). Where that cannot be known, because no directory
/// contains the path or because it leads out of one, the answer is an error: SQLite throws a
/// journal away when the journal that it belongs to does not exist.
pub(crate) fn access(owner: &Owner, path: &str, write: bool) -> Result<bool, c_int> {
    let Some((directory, rest)) = find(owner.directories(), path) else {
        return Err(sqlite::SQLITE_IOERR_ACCESS);
    };
    match directory.dir.symlink_metadata(rest) {
        // As with SQLite's own file systems: an empty file is as good as none.
        Ok(metadata) if metadata.is_file() && metadata.len() == 0 && !write => Ok(false),
        Ok(metadata) => Ok(!write || directory.writable && !metadata.permissions().readonly()),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(false),
            _ => Err(sqlite::SQLITE_IOERR_ACCESS),
        },
    }
}

impl OpenFile {
    /// Fills the buffer; what is behind the end reads as zeros, with a code of its own.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), c_int> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            match platform::read_at(&self.file, rest, offset + filled as u64) {
                Ok(0) => {
                    rest.fill(0);
                    return Err(sqlite::SQLITE_IOERR_SHORT_READ);
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(sqlite::SQLITE_IOERR_READ),
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, data: &[u8], offset: u64) -> Result<(), c_int> {
        let mut written = 0;
        while written < data.len() {
            match platform::write_at(&self.file, &data[written..], offset + written as u64) {
                Ok(0) => return Err(sqlite::SQLITE_FULL),
                Ok(count) => written += count,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                        return Err(sqlite::SQLITE_FULL);
                    }
                    _ => return Err(sqlite::SQLITE_IOERR_WRITE),
                },
            }
        }
        Ok(())
    }

    pub(crate) fn truncate(&self, size: u64) -> Result<(), c_int> {
        self.file.set_len(size).map_err(|_| sqlite::SQLITE_IOERR_TRUNCATE)
    }

    /// Waits until what was written is on the disk, and of a new file its name, too.
    pub(crate) fn sync(&mut self, flags: c_int) -> Result<(), c_int> {
        let synced = if flags & sqlite::SQLITE_SYNC_DATAONLY != 0 {
            self.file.sync_data()
        } else {
            self.file.sync_all()
        };
        synced.map_err(|_| sqlite::SQLITE_IOERR_FSYNC)?;
        if let Some((dir, path)) = &self.unsynced {
            platform::sync_parent(dir, path).map_err(|_| sqlite::SQLITE_IOERR_DIR_FSYNC)?;
            self.unsynced = None;
        }
        Ok(())
    }

    pub(crate) fn size(&self) -> Result<i64, c_int> {
        let length = self.file.metadata().map_err(|_| sqlite::SQLITE_IOERR_FSTAT)?.len();
        i64::try_from(length).map_err(|_| sqlite::SQLITE_IOERR_FSTAT)
    }
}
