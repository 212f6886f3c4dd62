//! Everything that takes a path: opening, metadata, creating, removing, renaming, links.
//!
//! Paths are checked here for length and encoding only; that they stay inside their directory is
//! the provider's promise. What must stay true: nothing is created, changed or removed through a
//! directory without write access, and nothing moves or is linked to where more may be done with
//! it than before.

use std::sync::Arc;

use crate::config::Access;
use crate::errno::Errno;
use crate::guest::{Answer, Guest, Stop, answer};
use crate::memory;
use crate::provider::{Directory, OpenRequest, Opened};
use crate::table::{Descriptor, Object, OpenDirectory};
use crate::types::{FdFlags, Metadata, NewTimes, Rights, decode_follow};

const WRITE: Access = Access { write: true, ..Access::NONE };
const CREATE: Access = Access { create: true, ..Access::NONE };
const REMOVE: Access = Access { remove: true, ..Access::NONE };

/// Opens or creates `path` and writes the new descriptor to `opened`.
#[expect(clippy::too_many_arguments, reason = "the ABI's signature")]
pub async fn path_open<G: Guest>(
    guest: &mut G,
    fd: u32,
    lookup_flags: u32,
    path: u32,
    path_len: u32,
    open_flags: u32,
    base: u64,
    inheriting: u64,
    flags: u32,
    opened: u32,
) -> Answer {
    answer(
        async {
            memory::check(guest.memory()?, opened, 4)?;
            let path = memory::path(guest.memory()?, path, path_len)?;
            let wanted = Wanted {
                base: Rights(base),
                inheriting: Rights(inheriting),
                flags: FdFlags::decode(flags)?,
            };
            let parent = guest.wasi().get(fd)?;
            let directory = parent.directory(Rights::PATH_OPEN)?.directory.clone();
            let passed_on = (parent.inheriting, parent.access);
            let request = open_request(parent, lookup_flags, open_flags, &wanted)?;
            // Before anything is created or cut: is there room for a descriptor?
            guest.wasi().next_free()?;
            let place = guest.place()?;
            let object = directory.open(path, request).await?;
            let descriptor = Descriptor { _place: place, ..wanted.descriptor(object, passed_on) };
            let number = guest.wasi().insert(descriptor)?;
            memory::write_u32(guest.memory()?, opened, number)?;
            Ok(())
        }
        .await,
    )
}

/// What a guest wants of the descriptor it opens.
struct Wanted {
    base: Rights,
    inheriting: Rights,
    flags: FdFlags,
}

impl Wanted {
    /// The new descriptor, with no more than its directory passes on.
    fn descriptor(&self, opened: Opened, (passed_on, access): (Rights, Access)) -> Descriptor {
        let (object, possible, inheriting) = match opened {
            Opened::File(file) => {
                let object = Object::File { file, position: 0 };
                (object, Rights::FILE, Rights::default())
            }
            Opened::Directory(directory) => {
                let open = OpenDirectory { directory, preopen: None, listing: None };
                (Object::Directory(open), Rights::DIRECTORY, self.inheriting & passed_on)
            }
        };
        let mut base = self.base & passed_on & possible;
        let changes = Rights::FD_ALLOCATE | Rights::FD_FILESTAT_SET_SIZE;
        if !base.contains(Rights::FD_WRITE) {
            base = base.without(changes);
        }
        let flags = self.flags;
        Descriptor { object, base, inheriting, flags, access, _place: None }
    }
}

/// Decodes `oflags` and decides whether the directory allows what is asked.
fn open_request(
    parent: &Descriptor,
    lookup_flags: u32,
    open_flags: u32,
    wanted: &Wanted,
) -> Result<OpenRequest, Errno> {
    if open_flags > 0b1111 {
        return Err(Errno::Inval);
    }
    let directory = open_flags & 2 != 0;
    let request = OpenRequest {
        read: wanted.base.contains(Rights::FD_READ) && !directory,
        // Old guests ask for every right of a directory, which is never opened for writing.
        write: wanted.base.contains(Rights::FD_WRITE) && !directory,
        create: open_flags & 1 != 0,
        exclusive: open_flags & 4 != 0,
        truncate: open_flags & 8 != 0,
        directory,
        follow: decode_follow(lookup_flags)?,
        append: wanted.flags.intersects(FdFlags::APPEND),
    };
    if directory && (request.create || request.exclusive || request.truncate) {
        return Err(Errno::Inval);
    }
    if request.create {
        parent.require(Rights::PATH_CREATE_FILE)?;
    }
    if request.truncate {
        parent.require(Rights::PATH_FILESTAT_SET_SIZE)?;
    }
    let refused = |wish: bool, right: Rights| wish && !parent.inheriting.contains(right);
    if refused(request.read, Rights::FD_READ) || refused(request.write, Rights::FD_WRITE) {
        return Err(Errno::Notcapable);
    }
    let changes = request.write || request.create || request.truncate;
    parent.access.require(Access {
        write: request.write || request.truncate,
        create: request.create,
        ..Access::NONE
    })?;
    if (request.read || !(changes || directory)) && !parent.access.read {
        return Err(Errno::Acces);
    }
    Ok(request)
}

/// Writes metadata of `path`.
pub async fn path_filestat_get<G: Guest>(
    guest: &mut G,
    fd: u32,
    lookup_flags: u32,
    path: u32,
    path_len: u32,
    filestat: u32,
) -> Answer {
    answer(
        async {
            memory::check(guest.memory()?, filestat, Metadata::SIZE)?;
            let follow = decode_follow(lookup_flags)?;
            let at = place(guest, fd, path, path_len, Rights::PATH_FILESTAT_GET)?.read()?;
            let follow = follow || at.names_directory();
            let metadata = at.directory.metadata_at(at.path, follow).await?;
            memory::write(guest.memory()?, u64::from(filestat), &metadata.encode())?;
            Ok(())
        }
        .await,
    )
}

/// Sets times of `path`. `Inval` for contradictory flags.
#[expect(clippy::too_many_arguments, reason = "the ABI's signature")]
pub async fn path_filestat_set_times<G: Guest>(
    guest: &mut G,
    fd: u32,
    lookup_flags: u32,
    path: u32,
    path_len: u32,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Answer {
    answer(
        async {
            let follow = decode_follow(lookup_flags)?;
            let times = NewTimes::decode(accessed, modified, flags)?;
            let at =
                place(guest, fd, path, path_len, Rights::PATH_FILESTAT_SET_TIMES)?.may(WRITE)?;
            let follow = follow || at.names_directory();
            at.directory.set_times_at(at.path, follow, times).await?;
            Ok(())
        }
        .await,
    )
}

/// Makes a directory.
pub async fn path_create_directory<G: Guest>(
    guest: &mut G,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Answer {
    answer(
        async {
            let at =
                place(guest, fd, path, path_len, Rights::PATH_CREATE_DIRECTORY)?.may(CREATE)?;
            at.directory.create_directory(at.path).await?;
            Ok(())
        }
        .await,
    )
}

/// Removes an empty directory.
pub async fn path_remove_directory<G: Guest>(
    guest: &mut G,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Answer {
    answer(
        async {
            let at =
                place(guest, fd, path, path_len, Rights::PATH_REMOVE_DIRECTORY)?.may(REMOVE)?;
            at.directory.remove_directory(at.path).await?;
            Ok(())
        }
        .await,
    )
}

/// Removes anything but a directory.
pub async fn path_unlink_file<G: Guest>(
    guest: &mut G,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Answer {
    answer(
        async {
            let at = place(guest, fd, path, path_len, Rights::PATH_UNLINK_FILE)?.may(REMOVE)?;
            at.directory.unlink_file(at.path).await?;
            Ok(())
        }
        .await,
    )
}

/// Writes a symbolic link's text, cut off at `length`, and the count of bytes to `used`.
pub async fn path_readlink<G: Guest>(
    guest: &mut G,
    fd: u32,
    path: u32,
    path_len: u32,
    buffer: u32,
    length: u32,
    used: u32,
) -> Answer {
    answer(
        async {
            memory::check(guest.memory()?, buffer, length)?;
            memory::check(guest.memory()?, used, 4)?;
            let at = place(guest, fd, path, path_len, Rights::PATH_READLINK)?.read()?;
            let text = at.directory.read_link(at.path).await?;
            // At most `length`, so it fits the place and a u32.
            let text = &text[..text.len().min(length as usize)];
            memory::write(guest.memory()?, u64::from(buffer), text)?;
            memory::write_u32(guest.memory()?, used, text.len() as u32)?;
            Ok(())
        }
        .await,
    )
}

/// Makes a symbolic link at `path` with the text `target`. `Perm` for an absolute target.
pub async fn path_symlink<G: Guest>(
    guest: &mut G,
    target: u32,
    target_len: u32,
    fd: u32,
    path: u32,
    path_len: u32,
) -> Answer {
    answer(
        async {
            let target = memory::path(guest.memory()?, target, target_len)?;
            let at = place(guest, fd, path, path_len, Rights::PATH_SYMLINK)?.may(CREATE)?;
            at.directory.symlink(target, at.path).await?;
            Ok(())
        }
        .await,
    )
}

/// Makes a hard link. `Inval` if a symbolic link at the end of the old path is to be followed.
#[expect(clippy::too_many_arguments, reason = "the ABI's signature")]
pub async fn path_link<G: Guest>(
    guest: &mut G,
    old_fd: u32,
    old_lookup_flags: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Answer {
    answer(
        async {
            if decode_follow(old_lookup_flags)? {
                return Err(Errno::Inval.into());
            }
            let from = place(guest, old_fd, old_path, old_path_len, Rights::PATH_LINK_SOURCE)?;
            let to = place(guest, new_fd, new_path, new_path_len, Rights::PATH_LINK_TARGET)?;
            let (from, to) = moved((from, WRITE), (to, CREATE))?;
            from.directory.link(from.path, &*to.directory, to.path).await?;
            Ok(())
        }
        .await,
    )
}

/// Moves a file or directory, replacing what POSIX replaces.
pub async fn path_rename<G: Guest>(
    guest: &mut G,
    old_fd: u32,
    old_path: u32,
    old_path_len: u32,
    new_fd: u32,
    new_path: u32,
    new_path_len: u32,
) -> Answer {
    answer(
        async {
            let from = place(guest, old_fd, old_path, old_path_len, Rights::PATH_RENAME_SOURCE)?;
            let to = place(guest, new_fd, new_path, new_path_len, Rights::PATH_RENAME_TARGET)?;
            let arriving = CREATE.or(REMOVE);
            let (from, to) = moved((from, REMOVE), (to, arriving))?;
            from.directory.rename(from.path, &*to.directory, to.path).await?;
            Ok(())
        }
        .await,
    )
}

/// A path and the directory it starts from.
struct Place {
    directory: Arc<dyn Directory>,
    access: Access,
    path: String,
}

impl Place {
    /// A slash or `/.` at the end asks for a directory: a link before it is followed in any case.
    fn names_directory(&self) -> bool {
        self.path.ends_with('/') || self.path.ends_with("/.")
    }

    fn read(self) -> Result<Place, Errno> {
        if self.access.read { Ok(self) } else { Err(Errno::Acces) }
    }

    fn may(self, changes: Access) -> Result<Place, Errno> {
        self.access.require(changes).map(|()| self)
    }
}

fn place<G: Guest>(
    guest: &mut G,
    fd: u32,
    path: u32,
    path_len: u32,
    right: Rights,
) -> Result<Place, Stop> {
    let path = memory::path(guest.memory()?, path, path_len)?;
    let descriptor = guest.wasi().get(fd)?;
    let directory = descriptor.directory(right)?.directory.clone();
    Ok(Place { directory, access: descriptor.access, path })
}

/// Both ends of a rename or link. A file must not gain access by where it turns up: one that may
/// only be written here must not become readable there.
fn moved(
    (from, leaving): (Place, Access),
    (to, arriving): (Place, Access),
) -> Result<(Place, Place), Errno> {
    let (from, to) = (from.may(leaving)?, to.may(arriving)?);
    if from.access.covers(to.access) { Ok((from, to)) } else { Err(Errno::Acces) }
}
