//! Listing directories.
//!
//! Cookie 0 takes a listing, and cookie `n` continues behind its `n`-th entry; so cookies stay
//! good while the guest, or anybody else, creates and removes entries. A process keeps listings
//! of at most [`LISTING_BYTES_MAX`] bytes in all; closing a directory frees its listing.

use std::sync::Arc;

use crate::errno::Errno;
use crate::guest::{Answer, Guest, Stop, answer};
use crate::limits::LISTING_BYTES_MAX;
use crate::memory;
use crate::provider::{Directory, ENTRY_BYTES, Entry};
use crate::table::{Listing, Object};
use crate::types::{FileType, Rights, encode_dirent};

/// Writes entries from `cookie` on into `buffer`, the last one cut off where the buffer ends, and
/// the count of bytes to `used`; a count below `length` means that there are no more.
pub async fn fd_readdir<G: Guest>(
    guest: &mut G,
    fd: u32,
    buffer: u32,
    length: u32,
    cookie: u64,
    used: u32,
) -> Answer {
    answer(
        async {
            let memory = guest.memory()?;
            memory::check(memory, used, 4)?;
            memory::check(memory, buffer, length)?;
            let listing = listing(guest, fd, cookie == 0).await?;
            let out = memory::bytes_mut(guest.memory()?, u64::from(buffer), u64::from(length))?;
            let count = fill(out, &listing.entries, cookie)?;
            // At most `length`, which is a u32.
            memory::write_u32(guest.memory()?, used, count as u32)?;
            Ok(())
        }
        .await,
    )
}

/// The directory's listing, a new one if `afresh` or if there is none yet.
async fn listing<G: Guest>(guest: &mut G, fd: u32, afresh: bool) -> Result<Arc<Listing>, Stop> {
    let wasi = guest.wasi();
    let descriptor = wasi.get(fd)?;
    let open = descriptor.directory(Rights::FD_READDIR)?;
    if !descriptor.access.read {
        return Err(Errno::Acces.into());
    }
    if let (Some(listing), false) = (&open.listing, afresh) {
        return Ok(listing.clone());
    }
    let directory = open.directory.clone();
    let bytes_max = LISTING_BYTES_MAX.saturating_sub(wasi.listing_bytes_beside(fd));
    let listing = Arc::new(Listing::new(entries(&*directory, bytes_max).await?));
    if let Object::Directory(open) = &mut guest.wasi().get_mut(fd)?.object {
        open.listing = Some(listing.clone());
    }
    Ok(listing)
}

/// `.`, `..` and the rest. Both of the former carry the directory's own serial number: what is
/// above it is not the guest's business.
async fn entries(directory: &dyn Directory, bytes_max: usize) -> Result<Vec<Entry>, Errno> {
    let inode = directory.metadata().await?.inode;
    let dots = [".", ".."].map(|name| Entry {
        name: name.as_bytes().to_vec(),
        inode,
        file_type: FileType::Directory,
    });
    let room = bytes_max.checked_sub(2 * ENTRY_BYTES + 3).ok_or(Errno::Nomem)?;
    let mut entries = directory.entries(room).await?;
    entries.splice(0..0, dots);
    Ok(entries)
}

/// Encodes entries from `cookie` on into `out`; returns the bytes used.
fn fill(out: &mut [u8], entries: &[Entry], cookie: u64) -> Result<usize, Errno> {
    let start = usize::try_from(cookie).ok().filter(|start| *start <= entries.len());
    let start = start.ok_or(Errno::Inval)?;
    let mut used = 0;
    for (index, entry) in entries.iter().enumerate().skip(start) {
        let name_length = u32::try_from(entry.name.len()).map_err(|_| Errno::Nametoolong)?;
        let head = encode_dirent(index as u64 + 1, entry.inode, name_length, entry.file_type);
        for piece in [head.as_slice(), entry.name.as_slice()] {
            let count = piece.len().min(out.len() - used);
            out[used..used + count].copy_from_slice(&piece[..count]);
            used += count;
        }
        if used == out.len() {
            break;
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(names: &[String]) -> Vec<Entry> {
        let entry = |name: &String| Entry {
            name: name.clone().into_bytes(),
            inode: 7,
            file_type: FileType::RegularFile,
        };
        names.iter().map(entry).collect()
    }

    /// What a C library does: read a buffer, take the whole entries, continue with the cookie of
    /// the last whole one.
    fn read_all(entries: &[Entry], buffer: usize) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        let mut cookie = 0;
        loop {
            let mut out = vec![0; buffer];
            let used = fill(&mut out, entries, cookie).unwrap();
            let mut at = 0;
            while at + 24 <= used {
                let next = u64::from_le_bytes(out[at..at + 8].try_into().unwrap());
                let length = u32::from_le_bytes(out[at + 16..at + 20].try_into().unwrap());
                let end = at + 24 + length as usize;
                if end > used {
                    break;
                }
                names.push(out[at + 24..end].to_vec());
                cookie = next;
                at = end;
            }
            if used < buffer {
                return names;
            }
        }
    }

    #[test]
    fn a_cookie_beyond_the_end_is_invalid() {
        assert_eq!(fill(&mut [0; 64], &named(&["a".to_owned()]), 1), Ok(0));
        assert_eq!(fill(&mut [0; 64], &named(&["a".to_owned()]), 2), Err(Errno::Inval));
        assert_eq!(fill(&mut [0; 64], &[], u64::MAX), Err(Errno::Inval));
    }

    proptest! {
        #[test]
        fn cookies_reach_every_entry_once_whatever_the_buffer(
            names in prop::collection::vec("[a-z]{1,20}", 0..30),
            buffer in 44usize..300,
        ) {
            let entries = named(&names);
            let read = read_all(&entries, buffer);
            let expected: Vec<_> = names.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_cookie_and_no_buffer_panics(
            names in prop::collection::vec("[a-z]{0,9}", 0..5),
            buffer in 0usize..100,
            cookie in any::<u64>(),
        ) {
            fill(&mut vec![0; buffer], &named(&names), cookie).ok();
        }
    }
}
