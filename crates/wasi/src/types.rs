//! The values of preview 1 and how they look in guest memory.
//!
//! Owns every bit number and every struct layout of the ABI; nothing else in this crate writes a
//! record's bytes.

use std::ops::{BitAnd, BitOr};

use crate::errno::Errno;

/// What a descriptor may be used for: a set of preview-1 rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(pub u64);

impl Rights {
    /// `fd_datasync`.
    pub const FD_DATASYNC: Rights = Rights(1);
    /// `fd_read`, `fd_pread`.
    pub const FD_READ: Rights = Rights(1 << 1);
    /// `fd_seek`.
    pub const FD_SEEK: Rights = Rights(1 << 2);
    /// `fd_fdstat_set_flags`.
    pub const FD_SET_FLAGS: Rights = Rights(1 << 3);
    /// `fd_sync`.
    pub const FD_SYNC: Rights = Rights(1 << 4);
    /// `fd_tell`.
    pub const FD_TELL: Rights = Rights(1 << 5);
    /// `fd_write`, `fd_pwrite`.
    pub const FD_WRITE: Rights = Rights(1 << 6);
    /// `fd_advise`.
    pub const FD_ADVISE: Rights = Rights(1 << 7);
    /// `fd_allocate`.
    pub const FD_ALLOCATE: Rights = Rights(1 << 8);
    /// `path_create_directory`.
    pub const PATH_CREATE_DIRECTORY: Rights = Rights(1 << 9);
    /// `path_open` with `creat`.
    pub const PATH_CREATE_FILE: Rights = Rights(1 << 10);
    /// `path_link`, old directory.
    pub const PATH_LINK_SOURCE: Rights = Rights(1 << 11);
    /// `path_link`, new directory.
    pub const PATH_LINK_TARGET: Rights = Rights(1 << 12);
    /// `path_open`.
    pub const PATH_OPEN: Rights = Rights(1 << 13);
    /// `fd_readdir`.
    pub const FD_READDIR: Rights = Rights(1 << 14);
    /// `path_readlink`.
    pub const PATH_READLINK: Rights = Rights(1 << 15);
    /// `path_rename`, old directory.
    pub const PATH_RENAME_SOURCE: Rights = Rights(1 << 16);
    /// `path_rename`, new directory.
    pub const PATH_RENAME_TARGET: Rights = Rights(1 << 17);
    /// `path_filestat_get`.
    pub const PATH_FILESTAT_GET: Rights = Rights(1 << 18);
    /// `path_open` with `trunc`.
    pub const PATH_FILESTAT_SET_SIZE: Rights = Rights(1 << 19);
    /// `path_filestat_set_times`.
    pub const PATH_FILESTAT_SET_TIMES: Rights = Rights(1 << 20);
    /// `fd_filestat_get`.
    pub const FD_FILESTAT_GET: Rights = Rights(1 << 21);
    /// `fd_filestat_set_size`.
    pub const FD_FILESTAT_SET_SIZE: Rights = Rights(1 << 22);
    /// `fd_filestat_set_times`.
    pub const FD_FILESTAT_SET_TIMES: Rights = Rights(1 << 23);
    /// `path_symlink`.
    pub const PATH_SYMLINK: Rights = Rights(1 << 24);
    /// `path_remove_directory`.
    pub const PATH_REMOVE_DIRECTORY: Rights = Rights(1 << 25);
    /// `path_unlink_file`.
    pub const PATH_UNLINK_FILE: Rights = Rights(1 << 26);
    /// `poll_oneoff` on this descriptor.
    pub const POLL: Rights = Rights(1 << 27);

    /// All that makes sense on a file: bits 0–8, the three `FD_FILESTAT_*` and `POLL`.
    pub const FILE: Rights = Rights(0x1ff | (0b111 << 21) | (1 << 27));
    /// All that makes sense on a directory: bits 9–21 and 23–26, flags and syncing.
    pub const DIRECTORY: Rights = Rights((0x1fff << 9) | (0b1111 << 23) | 0b1_1001);

    /// True if every right of `other` is in this set.
    pub fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set without the rights of `other`.
    pub fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}

impl BitAnd for Rights {
    type Output = Rights;
    fn bitand(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }
}

/// What kind of object a descriptor or a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FileType {
    /// A pipe, or something this ABI has no word for.
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device, for example a terminal.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A datagram socket.
    SocketDgram = 5,
    /// A stream socket.
    SocketStream = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

/// Status flags of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FdFlags(u16);

impl FdFlags {
    /// Each write goes to the end of the file.
    pub const APPEND: FdFlags = FdFlags(1);
    /// Each write reaches the disk, without metadata that reading does not need.
    pub const DSYNC: FdFlags = FdFlags(1 << 1);
    /// Reading a stream that has nothing yet answers `Again`; files are never waited for.
    pub const NONBLOCK: FdFlags = FdFlags(1 << 2);
    /// Reads are as synchronised as writes; treated as `SYNC`.
    pub const RSYNC: FdFlags = FdFlags(1 << 3);
    /// Each write reaches the disk with its metadata.
    pub const SYNC: FdFlags = FdFlags(1 << 4);

    /// # Errors
    /// `Inval` for a bit that preview 1 does not define.
    pub fn decode(raw: u32) -> Result<FdFlags, Errno> {
        if raw > 0b1_1111 { Err(Errno::Inval) } else { Ok(FdFlags(raw as u16)) }
    }

    /// True if any flag of `other` is set.
    pub fn intersects(self, other: FdFlags) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for FdFlags {
    type Output = FdFlags;
    fn bitor(self, other: FdFlags) -> FdFlags {
        FdFlags(self.0 | other.0)
    }
}

/// What `fd_fdstat_get` reports.
pub(crate) struct Fdstat {
    pub(crate) file_type: FileType,
    pub(crate) flags: FdFlags,
    pub(crate) base: Rights,
    pub(crate) inheriting: Rights,
}

impl Fdstat {
    pub(crate) const SIZE: u32 = 24;

    pub(crate) fn encode(&self) -> [u8; Self::SIZE as usize] {
        let mut out = [0; Self::SIZE as usize];
        out[0] = self.file_type as u8;
        out[2..4].copy_from_slice(&self.flags.0.to_le_bytes());
        out[8..16].copy_from_slice(&self.base.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.inheriting.0.to_le_bytes());
        out
    }
}

/// What is known about a file or directory. Times are nanoseconds since 1970, 0 if unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Device number.
    pub device: u64,
    /// Serial number on the device.
    pub inode: u64,
    /// Kind of object.
    pub file_type: FileType,
    /// Hard links to it.
    pub links: u64,
    /// Size in bytes.
    pub size: u64,
    /// Last read.
    pub accessed: u64,
    /// Last write of content.
    pub modified: u64,
    /// Last change of content or metadata.
    pub changed: u64,
}

impl Metadata {
    pub(crate) const SIZE: u32 = 64;

    /// For objects that exist only as streams.
    pub(crate) fn stream(file_type: FileType) -> Metadata {
        Metadata {
            device: 0,
            inode: 0,
            file_type,
            links: 0,
            size: 0,
            accessed: 0,
            modified: 0,
            changed: 0,
        }
    }

    pub(crate) fn encode(&self) -> [u8; Self::SIZE as usize] {
        let mut out = [0; Self::SIZE as usize];
        let words = [
            (0, self.device),
            (8, self.inode),
            (24, self.links),
            (32, self.size),
            (40, self.accessed),
            (48, self.modified),
            (56, self.changed),
        ];
        for (at, word) in words {
            out[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        out[16] = self.file_type as u8;
        out
    }
}

/// The fixed part of a directory entry as `fd_readdir` writes it, before the name.
pub(crate) fn encode_dirent(next: u64, inode: u64, name_length: u32, kind: FileType) -> [u8; 24] {
    let mut out = [0; 24];
    out[0..8].copy_from_slice(&next.to_le_bytes());
    out[8..16].copy_from_slice(&inode.to_le_bytes());
    out[16..20].copy_from_slice(&name_length.to_le_bytes());
    out[20] = kind as u8;
    out
}

/// One event of `poll_oneoff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) user_data: u64,
    pub(crate) errno: Errno,
    /// 0 clock, 1 reading, 2 writing.
    pub(crate) kind: u8,
    pub(crate) bytes: u64,
    pub(crate) hang_up: bool,
}

impl Event {
    pub(crate) const SIZE: u32 = 32;

    pub(crate) fn encode(&self) -> [u8; Self::SIZE as usize] {
        let mut out = [0; Self::SIZE as usize];
        out[0..8].copy_from_slice(&self.user_data.to_le_bytes());
        out[8..10].copy_from_slice(&self.errno.number().to_le_bytes());
        out[10] = self.kind;
        out[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        out[24] = u8::from(self.hang_up);
        out
    }
}

/// A new value for one of a file's two settable times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewTime {
    /// Leave it as it is.
    Keep,
    /// The time of the call.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

/// New values for a file's two settable times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTimes {
    /// Last read.
    pub accessed: NewTime,
    /// Last write.
    pub modified: NewTime,
}

impl NewTimes {
    /// Decodes `fstflags` with its two time stamps.
    pub(crate) fn decode(accessed: u64, modified: u64, flags: u32) -> Result<NewTimes, Errno> {
        let pick = |given: bool, now: bool, time: u64| match (given, now) {
            (true, true) => Err(Errno::Inval),
            (true, false) => Ok(NewTime::At(time)),
            (false, true) => Ok(NewTime::Now),
            (false, false) => Ok(NewTime::Keep),
        };
        if flags > 0b1111 {
            return Err(Errno::Inval);
        }
        Ok(NewTimes {
            accessed: pick(flags & 1 != 0, flags & 2 != 0, accessed)?,
            modified: pick(flags & 4 != 0, flags & 8 != 0, modified)?,
        })
    }
}

/// `lookupflags`: whether a symbolic link at the end of a path is followed.
pub(crate) fn decode_follow(raw: u32) -> Result<bool, Errno> {
    if raw > 1 { Err(Errno::Inval) } else { Ok(raw == 1) }
}
