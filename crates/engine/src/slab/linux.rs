//! Raw memory on Linux: the portable half from `unix`, and what Linux does better.
//!
//! * `MADV_DONTNEED` empties a range without touching its mapping.
//! * `MADV_GUARD_INSTALL` (6.13) makes a guard page without a mapping of its own.
//! * `PAGEMAP_SCAN` (6.7) tells which pages were touched.
//! * `mremap` with `MREMAP_DONTUNMAP` (5.7) moves pages without copying.
//!
//! What the running kernel offers is tried out once, on a page that nobody uses; a kernel or a
//! sandbox that lacks something gets the portable way.

pub use super::unix::{CHUNKS_HOLD_MANY_SLOTS, page_bytes, release};

use super::lazy::PAGE_BYTES;
use super::wipe::{DIRTY_RUNS_MAX, Dirty, DirtyRun};
use super::{fault, unix};
use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::OnceLock;

const MADV_GUARD_INSTALL: libc::c_int = 102;
const MADV_GUARD_REMOVE: libc::c_int = 103;

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u64 = (3 << 30) | ((size_of::<ScanRequest>() as u64) << 16) | (0x66 << 8) | 16;

const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
/// The system's shared page of zeroes, mapped where a page was read but never written.
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// The kernel's `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct ScanRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// The kernel's `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct ScanRequest {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_len: u64,
    pages_max: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// As `unix::reserve`; `huge_pages` allows the system to back it with 2 MiB pages.
pub fn reserve(bytes: usize, huge_pages: bool) -> io::Result<NonNull<u8>> {
    let base = unix::reserve(bytes, huge_pages)?;
    // SAFETY: the mapping was made a line ago.
    unsafe { refuse_huge_pages(base, bytes, huge_pages) };
    Ok(base)
}

/// As `unix::renew`, so that the new mapping merges with its neighbours.
///
/// # Safety
/// As for [`decommit`].
pub unsafe fn renew(base: NonNull<u8>, bytes: usize, huge_pages: bool) -> io::Result<()> {
    // SAFETY: the caller owns the range.
    unsafe { unix::renew(base, bytes, huge_pages)? };
    // SAFETY: as above.
    unsafe { refuse_huge_pages(base, bytes, huge_pages) };
    Ok(())
}

/// Gives the range's memory back; it reads as zero afterwards.
///
/// # Safety
/// The range is page aligned, inside one reservation, without a guard, and the caller's alone.
pub unsafe fn decommit(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller owns the range and wants its contents gone.
    match unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_DONTNEED) } {
        0 => Ok(()),
        // Memory that is locked can't be given back so; a fresh mapping over it can.
        // SAFETY: as above.
        _ => unsafe { unix::decommit(base, bytes) },
    }
}

/// Makes each access to the range a fault.
///
/// # Safety
/// As for [`decommit`]; the range stays inaccessible for the life of the reservation.
pub unsafe fn protect_guard(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
    // SAFETY: the caller owns the range and will not use it.
    if guards_without_mappings() && unsafe { install_guard(base, bytes) } {
        return Ok(());
    }
    // SAFETY: as above.
    unsafe { unix::protect_guard(base, bytes) }
}

/// Which pages of the range may hold something else than zero, the first `pages` of them at
/// most; `None` when the system does not tell.
///
/// # Safety
/// As for [`decommit`].
pub unsafe fn dirty_pages(base: NonNull<u8>, bytes: usize, pages: usize) -> Option<Dirty> {
    // SAFETY: promised by the caller.
    unsafe { scan(pagemap()?, base, bytes, pages) }
}

/// Whether [`dirty_pages`] has answers.
pub fn tells_dirty_pages() -> bool {
    pagemap().is_some()
}

/// Moves the pages of one range to another without copying; `from` reads as zero afterwards.
/// `to` then has a mapping of its own until [`renew`]. `false` changes nothing.
///
/// # Safety
/// As for [`decommit`], for both ranges; they do not overlap.
pub unsafe fn relocate(from: NonNull<u8>, to: NonNull<u8>, bytes: usize) -> bool {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
    let (old, new) = (from.as_ptr().cast(), to.as_ptr().cast::<libc::c_void>());
    // SAFETY: the caller owns both ranges, and DONTUNMAP leaves the old one mapped.
    unsafe { libc::mremap(old, bytes, bytes, flags, new) == new }
}

/// # Safety
/// The caller owns the range.
unsafe fn refuse_huge_pages(base: NonNull<u8>, bytes: usize, huge_pages: bool) {
    if !huge_pages {
        // SAFETY: advice about the caller's own range. A kernel without huge pages refuses it,
        // and has none to refuse.
        unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_NOHUGEPAGE) };
    }
}

/// # Safety
/// The caller owns the range and will not use it.
unsafe fn install_guard(base: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: promised by the caller.
    unsafe { libc::madvise(base.as_ptr().cast(), bytes, MADV_GUARD_INSTALL) == 0 }
}

/// Whether touching a guard can bring its page.
pub fn lazy_works() -> bool {
    fault::installed() && page_bytes() == PAGE_BYTES && guards_without_mappings()
}

/// Makes all pages of the range guards, and gives their memory back. `false` when the system
/// refuses; some of them may be guards then.
///
/// # Safety
/// The range is page aligned, inside one reservation, and the caller's alone.
pub unsafe fn install_guards(base: *mut u8, bytes: usize) -> bool {
    // SAFETY: promised by the caller.
    unsafe { libc::madvise(base.cast(), bytes, MADV_GUARD_INSTALL) == 0 }
}

/// Makes pages of guards, which read as zero; other pages stay as they are. Safe in a handler of
/// signals.
///
/// # Safety
/// As for [`install_guards`].
pub unsafe fn remove_guards(base: *mut u8, bytes: usize) -> bool {
    // SAFETY: promised by the caller.
    unsafe { libc::madvise(base.cast(), bytes, MADV_GUARD_REMOVE) == 0 }
}

pub fn guards_without_mappings() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        // SAFETY: the trial range is used by nobody else.
        with_trial_pages(1, |base, bytes| unsafe { install_guard(base, bytes) }).unwrap_or(false)
    })
}

/// The open page map of this program, if it answers a trial question rightly.
fn pagemap() -> Option<&'static File> {
    static FILE: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        let file = File::open("/proc/self/pagemap").ok()?;
        let right = with_trial_pages(3, |base, bytes| {
            let page = page_bytes();
            // SAFETY: the second of the three trial pages.
            let touched = unsafe { base.add(page) };
            // SAFETY: as above.
            unsafe { touched.write_volatile(1) };
            // SAFETY: the trial range is used by nobody else.
            let answer = unsafe { scan(&file, base, bytes, usize::MAX) };
            let expected = DirtyRun { base: touched, bytes: page, resident: true };
            answer.is_some_and(|dirty| {
                dirty.scanned_bytes == bytes && dirty.runs.iter().flatten().eq([&expected])
            })
        });
        right.unwrap_or(false).then_some(file)
    };
    FILE.get_or_init(open).as_ref()
}

/// Gives back whole pages of the heap that hold nothing any more. The C library does that by itself
/// only at the heap's end, where some small allocation keeps it from doing so for ever.
pub fn give_back_heap() {
    // SAFETY: the allocator may be told so at any time, on any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What this kernel offers, for people: what is done, and how.
pub fn paths() -> [(&'static str, &'static str); 4] {
    let guards = if guards_without_mappings() {
        "markers in page tables (MADV_GUARD_INSTALL), without a mapping for each"
    } else {
        "mprotect, a mapping for each stack, which vm.max_map_count bounds (better from Linux 6.13)"
    };
    let first = if page_bytes() == PAGE_BYTES && guards_without_mappings() {
        "page by page when it is touched, known by guard markers and SIGSEGV"
    } else {
        "copied when a process starts (better from Linux 6.13)"
    };
    let used = if pagemap().is_some() {
        "dirty pages are found (PAGEMAP_SCAN) and zeroed in place"
    } else {
        "given back to the system and faulted in again (better from Linux 6.7)"
    };
    let moved = if relocates() {
        "small contents are copied, large ones moved by the system (mremap)"
    } else {
        "contents are copied (better from Linux 5.7)"
    };
    [
        ("guards of stacks", guards),
        ("first contents of memory", first),
        ("memory of ended processes", used),
        ("memory that moves", moved),
    ]
}

/// Whether the system moves pages between two ranges, tried out on trial pages.
fn relocates() -> bool {
    let answer = with_trial_pages(2, |base, bytes| {
        // SAFETY: the second of the two trial pages.
        let second = unsafe { base.add(bytes / 2) };
        // SAFETY: two distinct pages that are used by nobody else.
        unsafe { relocate(base, second, bytes / 2) }
    });
    answer.unwrap_or(false)
}

fn with_trial_pages<T>(pages: usize, trial: impl FnOnce(NonNull<u8>, usize) -> T) -> Option<T> {
    let bytes = pages * page_bytes();
    let base = reserve(bytes, false).ok()?;
    let answer = trial(base, bytes);
    // SAFETY: reserved above and passed to nobody else.
    unsafe { release(base, bytes) };
    Some(answer)
}

/// # Safety
/// As for [`decommit`].
unsafe fn scan(file: &File, base: NonNull<u8>, bytes: usize, pages: usize) -> Option<Dirty> {
    let mut regions = [ScanRegion::default(); DIRTY_RUNS_MAX];
    let start = base.as_ptr() as u64;
    let mut request = ScanRequest {
        size: size_of::<ScanRequest>() as u64,
        start,
        end: start + bytes as u64,
        regions: regions.as_mut_ptr() as u64,
        regions_len: DIRTY_RUNS_MAX as u64,
        // 0 means "no limit" to the kernel.
        pages_max: if pages == usize::MAX { 0 } else { pages as u64 },
        // Present or swapped out, and not the shared page of zeroes.
        category_inverted: PAGE_IS_PFNZERO,
        category_mask: PAGE_IS_PFNZERO,
        category_anyof_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        return_mask: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
        ..ScanRequest::default()
    };
    // SAFETY: the request has the kernel's layout and points at `DIRTY_RUNS_MAX` regions.
    let found = unsafe { libc::ioctl(file.as_raw_fd(), PAGEMAP_SCAN as _, &raw mut request) };
    let found = usize::try_from(found).ok()?;
    let mut dirty = Dirty { runs: [None; DIRTY_RUNS_MAX], scanned_bytes: 0 };
    for (run, region) in dirty.runs.iter_mut().zip(&regions[..found.min(DIRTY_RUNS_MAX)]) {
        let offset = usize::try_from(region.start.checked_sub(start)?).ok()?;
        let length = usize::try_from(region.end.checked_sub(region.start)?).ok()?;
        if offset.checked_add(length)? > bytes {
            return None;
        }
        *run = Some(DirtyRun {
            // SAFETY: `offset` lies inside the range, checked a line ago.
            base: unsafe { base.add(offset) },
            bytes: length,
            resident: region.categories & PAGE_IS_SWAPPED == 0,
        });
    }
    let scanned = usize::try_from(request.walk_end.checked_sub(start)?).ok()?;
    dirty.scanned_bytes = scanned.min(bytes);
    Some(dirty)
}
