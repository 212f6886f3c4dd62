//! Reading, writing and positions.
//!
//! A descriptor owns its position and moves it only by what was really read or written. Data is
//! copied out of guest memory before a call waits, and into it after.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::errno::Errno;
use crate::guest::{Answer, Guest, Stop, answer};
use crate::memory::{self, Buffers};
use crate::provider::{File, Input, Output};
use crate::table::{Descriptor, Object};
use crate::types::{FdFlags, Rights};

/// Largest position: the ABI's offsets are signed.
const POSITION_MAX: u64 = i64::MAX as u64;

/// Reads from the descriptor's position into `iovs` and writes the count to `nread`.
pub async fn fd_read<G: Guest>(
    guest: &mut G,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nread: u32,
) -> Answer {
    answer(
        async {
            let buffers = buffers(guest, iovs, iovs_len, nread)?;
            let descriptor = guest.wasi().get(fd)?;
            let flags = descriptor.flags;
            let source = source(descriptor)?;
            let length = buffers.len();
            let data = match source {
                _ if length == 0 => Vec::new(),
                Source::Stream(input) => read_stream(&*input, length, flags).await?,
                Source::File(file, position) => {
                    let data = file.read_at(position, length).await?;
                    move_to(guest, fd, position + data.len().min(length) as u64)?;
                    data
                }
            };
            put(guest, &buffers, &data, nread)
        }
        .await,
    )
}

/// Reads from `offset`, leaving the position alone.
pub async fn fd_pread<G: Guest>(
    guest: &mut G,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nread: u32,
) -> Answer {
    answer(
        async {
            let buffers = buffers(guest, iovs, iovs_len, nread)?;
            let (file, _) = guest.wasi().get(fd)?.file(Rights::FD_READ)?;
            check_offset(offset)?;
            let data = match buffers.len() {
                0 => Vec::new(),
                length => file.read_at(offset, length).await?,
            };
            put(guest, &buffers, &data, nread)
        }
        .await,
    )
}

/// Writes `iovs` at the descriptor's position (or at the end, in append mode) and the count of
/// bytes to `nwritten`.
pub async fn fd_write<G: Guest>(
    guest: &mut G,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    nwritten: u32,
) -> Answer {
    answer(
        async {
            let buffers = buffers(guest, iovs, iovs_len, nwritten)?;
            let descriptor = guest.wasi().get(fd)?;
            let flags = descriptor.flags;
            let sink = sink(descriptor)?;
            let data = buffers.gather(guest.memory()?);
            let count = match sink {
                _ if data.is_empty() => 0,
                Sink::Stream(output) => output.write(data).await?,
                Sink::File(file, position) => {
                    let (count, position) = write(&file, position, flags, data).await?;
                    move_to(guest, fd, position)?;
                    synchronise(&file, flags).await?;
                    count
                }
            };
            put_count(guest, nwritten, count)
        }
        .await,
    )
}

/// Writes at `offset`, leaving the position alone.
pub async fn fd_pwrite<G: Guest>(
    guest: &mut G,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    nwritten: u32,
) -> Answer {
    answer(
        async {
            let buffers = buffers(guest, iovs, iovs_len, nwritten)?;
            let descriptor = guest.wasi().get(fd)?;
            let flags = descriptor.flags;
            let (file, _) = descriptor.file(Rights::FD_WRITE)?;
            check_offset(offset)?;
            let data = buffers.gather(guest.memory()?);
            let count = match data.len() {
                0 => 0,
                length => {
                    check_end(offset, length)?;
                    file.write_at(offset, data).await?
                }
            };
            synchronise(&file, flags).await?;
            put_count(guest, nwritten, count)
        }
        .await,
    )
}

/// Moves the position and writes the new one to `position`. `whence`: 0 from the start, 1 from
/// where it is, 2 from the end. `Inval` if that is before the start, or beyond 2⁶³−1.
pub async fn fd_seek<G: Guest>(
    guest: &mut G,
    fd: u32,
    delta: i64,
    whence: u32,
    position: u32,
) -> Answer {
    answer(
        async {
            memory::check(guest.memory()?, position, 8)?;
            // Asking where one is needs less than moving.
            let right = if whence == 1 && delta == 0 { Rights::FD_TELL } else { Rights::FD_SEEK };
            let (file, current) = guest.wasi().get(fd)?.file(right)?;
            let base = match whence {
                0 => 0,
                1 => current,
                2 => file.metadata().await?.size,
                _ => return Err(Errno::Inval.into()),
            };
            let new = base.checked_add_signed(delta).filter(|new| *new <= POSITION_MAX);
            let new = new.ok_or(Errno::Inval)?;
            move_to(guest, fd, new)?;
            memory::write_u64(guest.memory()?, position, new)?;
            Ok(())
        }
        .await,
    )
}

/// Writes the position to `position`.
pub fn fd_tell<G: Guest>(guest: &mut G, fd: u32, position: u32) -> Answer {
    answer((|| {
        let (_, current) = guest.wasi().get(fd)?.file(Rights::FD_TELL)?;
        memory::write_u64(guest.memory()?, position, current)?;
        Ok(())
    })())
}

/// Where a read takes bytes from.
enum Source {
    Stream(Arc<dyn Input>),
    File(Arc<dyn File>, u64),
}

fn source(descriptor: &Descriptor) -> Result<Source, Errno> {
    match &descriptor.object {
        Object::Input(input) => {
            descriptor.require(Rights::FD_READ)?;
            Ok(Source::Stream(input.clone()))
        }
        Object::Output(..) => Err(Errno::Badf),
        Object::File { .. } | Object::Directory(_) => {
            descriptor.file(Rights::FD_READ).map(|(file, at)| Source::File(file, at))
        }
    }
}

/// Where a write puts bytes.
enum Sink {
    Stream(Arc<dyn Output>),
    File(Arc<dyn File>, u64),
}

fn sink(descriptor: &Descriptor) -> Result<Sink, Errno> {
    match &descriptor.object {
        Object::Output(output, _) => {
            descriptor.require(Rights::FD_WRITE)?;
            Ok(Sink::Stream(output.clone()))
        }
        Object::Input(_) => Err(Errno::Badf),
        Object::File { .. } | Object::Directory(_) => {
            descriptor.file(Rights::FD_WRITE).map(|(file, at)| Sink::File(file, at))
        }
    }
}

/// Reads from a stream. Where the descriptor must not wait, one look decides; dropping the read
/// after it loses nothing, by the provider's promise.
async fn read_stream(input: &dyn Input, length: usize, flags: FdFlags) -> Result<Vec<u8>, Errno> {
    let mut read = input.read(length);
    if !flags.intersects(FdFlags::NONBLOCK) {
        return read.await;
    }
    poll_fn(|context| match read.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => Poll::Ready(Err(Errno::Again)),
    })
    .await
}

/// Decodes the iovecs, and refuses a place for the count that lies outside memory before any
/// byte is moved.
fn buffers<G: Guest>(guest: &mut G, iovs: u32, iovs_len: u32, count: u32) -> Result<Buffers, Stop> {
    let memory = guest.memory()?;
    memory::check(memory, count, 4)?;
    Ok(Buffers::decode(memory, iovs, iovs_len)?)
}

fn put<G: Guest>(guest: &mut G, buffers: &Buffers, data: &[u8], nread: u32) -> Result<(), Stop> {
    let count = buffers.scatter(guest.memory()?, data)?;
    put_count(guest, nread, count)
}

fn put_count<G: Guest>(guest: &mut G, place: u32, count: usize) -> Result<(), Stop> {
    // A count is at most `IO_BYTES_MAX`; a provider that claims more is not believed.
    let count = u32::try_from(count).map_err(|_| Errno::Io)?;
    memory::write_u32(guest.memory()?, place, count)?;
    Ok(())
}

/// Writes to a file; returns how much, and the position behind it.
async fn write(
    file: &Arc<dyn File>,
    position: u64,
    flags: FdFlags,
    data: Vec<u8>,
) -> Result<(usize, u64), Errno> {
    if flags.intersects(FdFlags::APPEND) {
        return file.append(data).await;
    }
    check_end(position, data.len())?;
    let count = file.write_at(position, data).await?;
    Ok((count, position + count as u64))
}

/// Waits for the disk where the descriptor's flags ask for it.
async fn synchronise(file: &Arc<dyn File>, flags: FdFlags) -> Result<(), Errno> {
    if flags.intersects(FdFlags::SYNC | FdFlags::RSYNC) {
        file.sync(true).await
    } else if flags.intersects(FdFlags::DSYNC) {
        file.sync(false).await
    } else {
        Ok(())
    }
}

fn move_to<G: Guest>(guest: &mut G, fd: u32, to: u64) -> Result<(), Errno> {
    if let Object::File { position, .. } = &mut guest.wasi().get_mut(fd)?.object {
        *position = to;
    }
    Ok(())
}

fn check_offset(offset: u64) -> Result<(), Errno> {
    if offset > POSITION_MAX { Err(Errno::Inval) } else { Ok(()) }
}

fn check_end(offset: u64, length: usize) -> Result<(), Errno> {
    match offset.checked_add(length as u64) {
        Some(end) if end <= POSITION_MAX => Ok(()),
        _ => Err(Errno::Fbig),
    }
}
