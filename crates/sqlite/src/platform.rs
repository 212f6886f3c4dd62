//! What systems do differently about files, except locks (`ffi/byte_lock.rs`).

pub(crate) use imp::*;

use std::io;
use std::path::Path;

use cap_std::fs::Dir;

#[cfg(unix)]
mod imp {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    use cap_fs_ext::OpenOptionsSyncExt;
    use cap_std::fs::{Dir, OpenOptions};

    /// Opening anything but a disk file then never waits for another program.
    pub(crate) fn never_wait(options: &mut OpenOptions) {
        options.nonblock(true);
    }

    pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    pub(crate) fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(data, offset)
    }

    /// Waits until the entries of a directory are on the disk.
    pub(super) fn sync(dir: &Dir) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true);
        dir.open_with(".", &options)?.sync_all()
    }
}

#[cfg(windows)]
mod imp {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::FileExt;

    use cap_std::fs::{Dir, OpenOptions};

    /// Nothing inside a directory makes opening wait here.
    pub(crate) fn never_wait(_: &mut OpenOptions) {}

    pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match file.seek_read(buffer, offset) {
            // ERROR_HANDLE_EOF: the offset is behind the end.
            Err(error) if error.raw_os_error() == Some(38) => Ok(0),
            result => result,
        }
    }

    pub(crate) fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
        file.seek_write(data, offset)
    }

    /// This system writes entries of directories by itself.
    pub(super) fn sync(_: &Dir) -> io::Result<()> {
        Ok(())
    }
}

/// Waits until the entry of a file in its directory is on the disk.
pub(crate) fn sync_parent(dir: &Dir, path: &str) -> io::Result<()> {
    match Path::new(path).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => imp::sync(&dir.open_dir(parent)?),
        Some(_) | None => imp::sync(dir),
    }
}
