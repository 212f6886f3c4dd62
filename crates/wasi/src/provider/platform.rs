//! The operating system's differences, in one place.
//!
//! Each function has one meaning on all systems; where a system can't do something, the comment
//! says what happens instead. Nothing here waits for anything but a disk.

use std::io;

use cap_std::fs::Dir;

use super::{SocketPath, SocketUse};

pub(crate) use imp::*;

#[cfg(unix)]
mod imp {
    use std::fs::File;
    use std::io::{self, Seek, Write};
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::FileExt;

    use cap_fs_ext::OpenOptionsSyncExt;
    use cap_std::fs::{MetadataExt, OpenOptions};
    use rustix::fs::OFlags;
    use rustix::io::Errno as Os;

    use crate::errno::Errno;

    /// Preview 1's number for a number of this system, if it has one.
    pub(crate) fn errno(raw: i32) -> Option<Errno> {
        let os = Os::from_raw_os_error(raw);
        TABLE.iter().find(|(known, _)| *known == os).map(|(_, errno)| *errno)
    }

    const TABLE: &[(Os, Errno)] = &[
        (Os::NOENT, Errno::Noent),
        (Os::EXIST, Errno::Exist),
        (Os::NOTDIR, Errno::Notdir),
        (Os::ISDIR, Errno::Isdir),
        (Os::NOTEMPTY, Errno::Notempty),
        (Os::ACCESS, Errno::Acces),
        (Os::PERM, Errno::Perm),
        (Os::LOOP, Errno::Loop),
        (Os::INVAL, Errno::Inval),
        (Os::NAMETOOLONG, Errno::Nametoolong),
        (Os::PIPE, Errno::Pipe),
        (Os::AGAIN, Errno::Again),
        (Os::BADF, Errno::Badf),
        (Os::BUSY, Errno::Busy),
        (Os::DQUOT, Errno::Dquot),
        (Os::FBIG, Errno::Fbig),
        (Os::ILSEQ, Errno::Ilseq),
        (Os::INTR, Errno::Intr),
        (Os::IO, Errno::Io),
        (Os::MFILE, Errno::Nfile), // The host's table is full, not this process's.
        (Os::MLINK, Errno::Mlink),
        (Os::NFILE, Errno::Nfile),
        (Os::NODEV, Errno::Nodev),
        (Os::NOMEM, Errno::Nomem),
        (Os::NOSPC, Errno::Nospc),
        (Os::NOSYS, Errno::Nosys),
        (Os::NOTSUP, Errno::Notsup),
        (Os::OPNOTSUPP, Errno::Notsup),
        (Os::NOTTY, Errno::Notty),
        (Os::NXIO, Errno::Nxio),
        (Os::OVERFLOW, Errno::Overflow),
        (Os::ROFS, Errno::Rofs),
        (Os::SPIPE, Errno::Spipe),
        (Os::STALE, Errno::Stale),
        (Os::TIMEDOUT, Errno::Timedout),
        (Os::TXTBSY, Errno::Txtbsy),
        (Os::XDEV, Errno::Xdev),
    ];

    /// Opening and using anything but a disk file then never waits for another program.
    pub(crate) fn never_wait(options: &mut OpenOptions) {
        options.nonblock(true);
    }

    pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    pub(crate) fn write_at(file: &File, data: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(data, offset)
    }

    /// Sets the mode in which [`append`] is one step for all programs that write this file.
    pub(crate) fn set_append(file: &File, append: bool) -> io::Result<()> {
        let mut flags = rustix::fs::fcntl_getfl(file)?;
        flags.set(OFlags::APPEND, append);
        Ok(rustix::fs::fcntl_setfl(file, flags)?)
    }

    /// Writes to the end of a file in append mode. Callers do so one at a time.
    pub(crate) fn append(mut file: &File, data: &[u8]) -> io::Result<(usize, u64)> {
        let count = file.write(data)?;
        Ok((count, file.stream_position()?))
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn allocate(file: &File, offset: u64, length: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, length)?)
    }

    /// Room on the disk is not promised here; the size is.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn allocate(file: &File, offset: u64, length: u64) -> io::Result<()> {
        super::extend(file, offset, length)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn advise(file: &File, offset: u64, length: u64, advice: u8) -> io::Result<()> {
        use rustix::fs::Advice;
        let advice = match advice {
            1 => Advice::Sequential,
            2 => Advice::Random,
            3 => Advice::WillNeed,
            4 => Advice::DontNeed,
            5 => Advice::NoReuse,
            _ => Advice::Normal,
        };
        // A length of 0 means "to the end" on both sides.
        let length = std::num::NonZeroU64::new(length);
        Ok(rustix::fs::fadvise(file, offset, length, advice)?)
    }

    /// A hint that nobody takes.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn advise(_: &File, _: u64, _: u64, _: u8) -> io::Result<()> {
        Ok(())
    }

    /// Serial number of a directory entry.
    pub(crate) fn inode(entry: &cap_std::fs::DirEntry) -> u64 {
        rustix::fs::DirEntryExt::ino(entry)
    }

    /// Time of the last change of content or metadata, in nanoseconds since 1970.
    pub(crate) fn changed(metadata: &cap_std::fs::Metadata) -> u64 {
        let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
        let rest = u64::try_from(metadata.ctime_nsec()).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    }

    /// A name or link text as the host has it.
    pub(crate) fn name_bytes(name: std::ffi::OsString) -> Vec<u8> {
        name.into_vec()
    }
}

#[cfg(not(unix))]
mod imp {
    use std::fs::File;
    use std::io::{self, Seek, SeekFrom, Write};
    use std::os::windows::fs::FileExt;

    use cap_std::fs::OpenOptions;

    use crate::errno::Errno;

    /// Numbers whose portable kind says too little; the rest goes by kind.
    pub(crate) fn errno(raw: i32) -> Option<Errno> {
        Some(match raw {
            4 => Errno::Nfile,         // ERROR_TOO_MANY_OPEN_FILES
            6 => Errno::Badf,          // ERROR_INVALID_HANDLE
            32 | 33 => Errno::Busy,    // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
            123 => Errno::Noent,       // ERROR_INVALID_NAME
            206 => Errno::Nametoolong, // ERROR_FILENAME_EXCED_RANGE
            267 => Errno::Notdir,      // ERROR_DIRECTORY
            336 => Errno::Isdir,       // ERROR_DIRECTORY_NOT_SUPPORTED
            1314 => Errno::Perm,       // ERROR_PRIVILEGE_NOT_HELD
            1921 => Errno::Loop,       // ERROR_CANT_RESOLVE_FILENAME
            4390 => Errno::Inval,      // ERROR_NOT_A_REPARSE_POINT
            _ => return None,
        })
    }

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

    /// Append mode lives in [`append`] alone here.
    pub(crate) fn set_append(_: &File, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// Seeks to the end and writes: not one step for other programs. Callers do so one at a time.
    pub(crate) fn append(mut file: &File, data: &[u8]) -> io::Result<(usize, u64)> {
        let end = file.seek(SeekFrom::End(0))?;
        let count = file.write(data)?;
        Ok((count, end + count as u64))
    }

    /// Room on the disk is not promised here; the size is.
    pub(crate) fn allocate(file: &File, offset: u64, length: u64) -> io::Result<()> {
        super::extend(file, offset, length)
    }

    /// A hint that nobody takes.
    pub(crate) fn advise(_: &File, _: u64, _: u64, _: u8) -> io::Result<()> {
        Ok(())
    }

    /// Serial number of a directory entry, 0 if it has gone since it was listed.
    pub(crate) fn inode(entry: &cap_std::fs::DirEntry) -> u64 {
        use cap_fs_ext::{DirEntryExt, MetadataExt};
        entry.full_metadata().map_or(0, |metadata| metadata.ino())
    }

    /// This system keeps no time of the last change of metadata.
    pub(crate) fn changed(metadata: &cap_std::fs::Metadata) -> u64 {
        super::super::fs::since_1970(metadata.modified())
    }

    /// A name or link text as the host has it.
    pub(crate) fn name_bytes(name: std::ffi::OsString) -> Vec<u8> {
        name.to_string_lossy().into_owned().into_bytes()
    }
}

/// Gives a file at least `offset + length` bytes.
#[cfg(not(target_os = "linux"))]
fn extend(file: &std::fs::File, offset: u64, length: u64) -> io::Result<()> {
    let end = offset.saturating_add(length);
    if file.metadata()?.len() < end { file.set_len(end) } else { Ok(()) }
}

/// A path through a handle in `/proc`: of the directory in which a socket is made, since its
/// name has no steps, or of the socket itself, since connecting would follow a link.
#[cfg(target_os = "linux")]
pub(crate) fn socket_path(dir: &Dir, path: &str, usage: SocketUse) -> io::Result<SocketPath> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{Mode, OFlags};

    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    if matches!(name, "" | "." | "..") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let parent = dir.open_dir(parent)?;
    let held = match usage {
        SocketUse::Bind => parent.into_std_file(),
        SocketUse::Connect => {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&parent, name, flags, Mode::empty())?.into()
        }
    };
    let mut path = std::path::PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    if let SocketUse::Bind = usage {
        path.push(name);
    }
    Ok(SocketPath { path, _held: held })
}

/// No path for a socket goes through a handle here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn socket_path(_: &Dir, _: &str, _: SocketUse) -> io::Result<SocketPath> {
    Err(io::ErrorKind::Unsupported.into())
}
