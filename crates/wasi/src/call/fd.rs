//! Descriptors: closing, moving, asking about them and changing them.
//!
//! What must stay true: `fd_fdstat_set_rights` only narrows; a directory given without write
//! access answers `Rofs` to every change, and one given without read access `Acces`.

use std::sync::Arc;

use crate::config::Access;
use crate::errno::Errno;
use crate::guest::{Answer, Guest, Stop, answer};
use crate::memory;
use crate::provider::{File, StreamKind};
use crate::table::{Descriptor, Object, Wasi};
use crate::types::{FdFlags, Fdstat, Metadata, NewTimes, Rights};

/// Closes a descriptor. `Badf` if it isn't open.
pub fn fd_close<G: Guest>(guest: &mut G, fd: u32) -> Answer {
    answer(guest.wasi().close(fd).map_err(Stop::from))
}

/// Moves `from` to `to`, closing what was there. Both must be open.
pub fn fd_renumber<G: Guest>(guest: &mut G, from: u32, to: u32) -> Answer {
    answer(guest.wasi().renumber(from, to).map_err(Stop::from))
}

/// Writes the kind of preopen and the length of its name. `Badf` ends a guest's search for
/// preopens.
pub fn fd_prestat_get<G: Guest>(guest: &mut G, fd: u32, prestat: u32) -> Answer {
    answer((|| {
        let length = preopen_name(guest.wasi(), fd)?.len();
        let mut out = [0; 8];
        // The configuration bounds the name far below 4 GiB.
        out[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        memory::write(guest.memory()?, u64::from(prestat), &out)?;
        Ok(())
    })())
}

/// Writes a preopen's name. `Nametoolong` if it doesn't fit `length`.
pub fn fd_prestat_dir_name<G: Guest>(guest: &mut G, fd: u32, path: u32, length: u32) -> Answer {
    answer((|| {
        let name = preopen_name(guest.wasi(), fd)?.to_owned();
        if name.len() as u64 > u64::from(length) {
            return Err(Errno::Nametoolong.into());
        }
        memory::write(guest.memory()?, u64::from(path), name.as_bytes())?;
        Ok(())
    })())
}

/// Writes type, flags and rights.
pub fn fd_fdstat_get<G: Guest>(guest: &mut G, fd: u32, fdstat: u32) -> Answer {
    answer((|| {
        let descriptor = guest.wasi().get(fd)?;
        let out = Fdstat {
            file_type: descriptor.file_type(),
            flags: descriptor.flags,
            base: descriptor.base,
            inheriting: descriptor.inheriting,
        };
        memory::write(guest.memory()?, u64::from(fdstat), &out.encode())?;
        Ok(())
    })())
}

/// Replaces the flags. `Inval` for unknown bits.
pub async fn fd_fdstat_set_flags<G: Guest>(guest: &mut G, fd: u32, flags: u32) -> Answer {
    answer(
        async {
            let flags = FdFlags::decode(flags)?;
            let descriptor = guest.wasi().get(fd)?;
            descriptor.require(Rights::FD_SET_FLAGS)?;
            if let Object::File { file, .. } = &descriptor.object {
                let append = flags.intersects(FdFlags::APPEND);
                if append != descriptor.flags.intersects(FdFlags::APPEND) {
                    file.clone().set_append(append).await?;
                }
            }
            guest.wasi().get_mut(fd)?.flags = flags;
            Ok(())
        }
        .await,
    )
}

/// Narrows the rights. `Notcapable` for a right that the descriptor doesn't have; nothing changes
/// then.
pub fn fd_fdstat_set_rights<G: Guest>(
    guest: &mut G,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Answer {
    answer((|| {
        let (base, inheriting) = (Rights(base), Rights(inheriting));
        let descriptor = guest.wasi().get_mut(fd)?;
        if !descriptor.base.contains(base) || !descriptor.inheriting.contains(inheriting) {
            return Err(Errno::Notcapable.into());
        }
        descriptor.base = base;
        descriptor.inheriting = inheriting;
        Ok(())
    })())
}

/// Writes metadata.
pub async fn fd_filestat_get<G: Guest>(guest: &mut G, fd: u32, filestat: u32) -> Answer {
    answer(
        async {
            memory::check(guest.memory()?, filestat, Metadata::SIZE)?;
            let descriptor = guest.wasi().get(fd)?;
            descriptor.require(Rights::FD_FILESTAT_GET)?;
            let metadata = match &descriptor.object {
                Object::Input(_) | Object::Output(..) => Metadata::stream(descriptor.file_type()),
                Object::File { file, .. } => file.clone().metadata().await?,
                Object::Directory(open) => open.directory.clone().metadata().await?,
            };
            memory::write(guest.memory()?, u64::from(filestat), &metadata.encode())?;
            Ok(())
        }
        .await,
    )
}

/// Cuts a file or extends it with zeros.
pub async fn fd_filestat_set_size<G: Guest>(guest: &mut G, fd: u32, size: u64) -> Answer {
    answer(
        async {
            let file = changeable(guest.wasi().get(fd)?, Rights::FD_FILESTAT_SET_SIZE)?;
            if size > i64::MAX as u64 {
                return Err(Errno::Inval.into());
            }
            file.set_size(size).await?;
            Ok(())
        }
        .await,
    )
}

/// Makes sure that a file has room for `length` bytes from `offset` on.
pub async fn fd_allocate<G: Guest>(guest: &mut G, fd: u32, offset: u64, length: u64) -> Answer {
    answer(
        async {
            let file = changeable(guest.wasi().get(fd)?, Rights::FD_ALLOCATE)?;
            if length == 0 {
                return Err(Errno::Inval.into());
            }
            let end = offset.checked_add(length).filter(|end| *end <= i64::MAX as u64);
            end.ok_or(Errno::Fbig)?;
            file.allocate(offset, length).await?;
            Ok(())
        }
        .await,
    )
}

/// Sets the times of a file or directory. `Inval` for contradictory flags.
pub async fn fd_filestat_set_times<G: Guest>(
    guest: &mut G,
    fd: u32,
    accessed: u64,
    modified: u64,
    flags: u32,
) -> Answer {
    answer(
        async {
            let times = NewTimes::decode(accessed, modified, flags)?;
            let descriptor = guest.wasi().get(fd)?;
            descriptor.require(Rights::FD_FILESTAT_SET_TIMES)?;
            descriptor.access.require(Access { write: true, ..Access::NONE })?;
            match &descriptor.object {
                Object::Input(_) | Object::Output(..) => return Err(Errno::Badf.into()),
                Object::File { file, .. } => file.clone().set_times(times).await?,
                Object::Directory(open) => open.directory.clone().set_times(times).await?,
            }
            Ok(())
        }
        .await,
    )
}

/// Hints at how a range will be used. `Inval` for unknown advice.
pub async fn fd_advise<G: Guest>(
    guest: &mut G,
    fd: u32,
    offset: u64,
    length: u64,
    advice: u32,
) -> Answer {
    answer(
        async {
            let (file, _) = guest.wasi().get(fd)?.file(Rights::FD_ADVISE)?;
            let advice = u8::try_from(advice).ok().filter(|advice| *advice <= 5);
            let advice = advice.ok_or(Errno::Inval)?;
            if offset > i64::MAX as u64 || length > i64::MAX as u64 {
                return Err(Errno::Inval.into());
            }
            file.advise(offset, length, advice).await?;
            Ok(())
        }
        .await,
    )
}

/// Waits until content and metadata are on the disk.
pub async fn fd_sync<G: Guest>(guest: &mut G, fd: u32) -> Answer {
    answer(sync(guest, fd, Rights::FD_SYNC).await)
}

/// Waits until content is on the disk.
pub async fn fd_datasync<G: Guest>(guest: &mut G, fd: u32) -> Answer {
    answer(sync(guest, fd, Rights::FD_DATASYNC).await)
}

async fn sync<G: Guest>(guest: &mut G, fd: u32, right: Rights) -> Result<(), Stop> {
    let descriptor = guest.wasi().get(fd)?;
    match &descriptor.object {
        Object::Input(_) | Object::Output(..) => return Err(Errno::Inval.into()),
        Object::File { file, .. } => {
            descriptor.require(right)?;
            file.clone().sync(right == Rights::FD_SYNC).await?;
        }
        Object::Directory(open) => {
            descriptor.require(right)?;
            open.directory.clone().sync().await?;
        }
    }
    Ok(())
}

/// The file behind a descriptor that may change it. A file of a directory without write access
/// never gets rights to change it, so it needs no second check.
fn changeable(descriptor: &Descriptor, right: Rights) -> Result<Arc<dyn File>, Errno> {
    match &descriptor.object {
        Object::Output(output, _) if output.kind() == StreamKind::Captured => Err(Errno::Badf),
        Object::Input(_) | Object::Output(..) => Err(Errno::Inval),
        Object::File { .. } | Object::Directory(_) => descriptor.file(right).map(|(file, _)| file),
    }
}

fn preopen_name(wasi: &Wasi, fd: u32) -> Result<&str, Errno> {
    let index = match &wasi.get(fd)?.object {
        Object::Directory(open) => open.preopen.ok_or(Errno::Badf)?,
        Object::Input(_) | Object::Output(..) | Object::File { .. } => return Err(Errno::Badf),
    };
    wasi.config().preopens().get(index).map(|preopen| preopen.guest_name()).ok_or(Errno::Badf)
}
