//! Locks of the system on ranges of bytes, held by a handle: between handles of one program as
//! between programs.

pub(crate) use imp::change;

/// How a range is locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Others may have it shared, too.
    Shared,
    /// Nobody else has it. Needs a handle that may write.
    Exclusive,
}

/// Locks that belong to the open file description. (The older ones belong to the program, and go
/// when it closes any handle of the file, for example one that a guest has opened through WASI.)
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod imp {
    use std::fs::File;
    use std::io;
    use std::ops::Range;
    use std::os::fd::AsRawFd;

    use super::Mode;

    /// Brings a range to another mode; false if others are in the way, and then it stays as it is.
    pub(crate) fn change(
        file: &File,
        range: Range<u64>,
        _from: Option<Mode>,
        to: Option<Mode>,
    ) -> io::Result<bool> {
        let kind = match to {
            None => libc::F_UNLCK,
            Some(Mode::Shared) => libc::F_RDLCK,
            Some(Mode::Exclusive) => libc::F_WRLCK,
        };
        // SAFETY: a plain struct of numbers, for which zero is a value.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        // The constants and offsets fit: they are small.
        lock.l_type = kind as libc::c_short;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        lock.l_start = range.start as libc::off_t;
        lock.l_len = (range.end - range.start) as libc::off_t;
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and the kernel only
        // reads the struct.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
        if result == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => Ok(false),
            _ => Err(error),
        }
    }
}

/// Other Unix systems have no such locks: there, other programs are not kept out.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android", target_vendor = "apple"))))]
mod imp {
    use std::fs::File;
    use std::io;
    use std::ops::Range;

    use super::Mode;

    pub(crate) fn change(
        _: &File,
        _: Range<u64>,
        _: Option<Mode>,
        _: Option<Mode>,
    ) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(windows)]
mod imp {
    use std::ffi::c_void;
    use std::fs::File;
    use std::io;
    use std::ops::Range;
    use std::os::windows::io::AsRawHandle;

    use super::Mode;

    const LOCKFILE_FAIL_IMMEDIATELY: u32 = 1;
    const LOCKFILE_EXCLUSIVE_LOCK: u32 = 2;
    const ERROR_LOCK_VIOLATION: i32 = 33;
    const ERROR_IO_PENDING: i32 = 997;

    /// The system's struct: two words for itself, the offset, an event.
    #[repr(C)]
    struct Overlapped {
        internal: [usize; 2],
        offset: [u32; 2],
        event: *mut c_void,
    }

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn LockFileEx(
            file: *mut c_void,
            flags: u32,
            reserved: u32,
            low: u32,
            high: u32,
            overlapped: *mut Overlapped,
        ) -> i32;
        fn UnlockFileEx(
            file: *mut c_void,
            reserved: u32,
            low: u32,
            high: u32,
            overlapped: *mut Overlapped,
        ) -> i32;
    }

    /// Brings a range to another mode; false if others are in the way, and then it is as it was.
    /// There is a moment between: callers hold the pending byte, so that nobody uses it.
    pub(crate) fn change(
        file: &File,
        range: Range<u64>,
        from: Option<Mode>,
        to: Option<Mode>,
    ) -> io::Result<bool> {
        if from.is_some() {
            unlock(file, &range)?;
        }
        let Some(mode) = to else { return Ok(true) };
        let taken = lock(file, &range, mode)?;
        if let (false, Some(mode)) = (taken, from) {
            lock(file, &range, mode)?;
        }
        Ok(taken)
    }

    fn place(range: &Range<u64>) -> (u32, Overlapped) {
        // Offsets and lengths of these locks have 32 bits.
        let offset = [range.start as u32, 0];
        let length = (range.end - range.start) as u32;
        (length, Overlapped { internal: [0; 2], offset, event: std::ptr::null_mut() })
    }

    fn lock(file: &File, range: &Range<u64>, mode: Mode) -> io::Result<bool> {
        let flags = match mode {
            Mode::Shared => LOCKFILE_FAIL_IMMEDIATELY,
            Mode::Exclusive => LOCKFILE_FAIL_IMMEDIATELY | LOCKFILE_EXCLUSIVE_LOCK,
        };
        let (length, mut overlapped) = place(range);
        // SAFETY: the handle is open for as long as `file` is borrowed; files of this room are
        // opened for synchronous use, so nothing uses the struct after the call.
        let result = unsafe {
            LockFileEx(file.as_raw_handle().cast(), flags, 0, length, 0, &raw mut overlapped)
        };
        if result != 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
            _ => Err(error),
        }
    }

    fn unlock(file: &File, range: &Range<u64>) -> io::Result<()> {
        let (length, mut overlapped) = place(range);
        // SAFETY: as in `lock`.
        let result =
            unsafe { UnlockFileEx(file.as_raw_handle().cast(), 0, length, 0, &raw mut overlapped) };
        if result != 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
