//! A guest without an engine: a memory, WASI state, and calls with Rust arguments.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lunatic_wasi::call::*;
use lunatic_wasi::provider::capture::Capture;
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::provider::{Clock, Input, Output};
use lunatic_wasi::{
    Access, Errno, Failure, Fault, Guest, NoPlace, Place, Preopen, Wasi, WasiConfig,
};

/// Where arguments and results go; nothing has a meaning but "far enough apart".
pub const PATH: u32 = 0x100;
pub const PATH2: u32 = 0x2000;
pub const OUT: u32 = 0x4000;
pub const IOVS: u32 = 0x4100;
pub const DATA: u32 = 0x5000;
pub const MEMORY: usize = 0x40000;

pub const CREATE: u32 = 1;
pub const DIRECTORY: u32 = 2;
pub const EXCLUSIVE: u32 = 4;
pub const TRUNCATE: u32 = 8;
pub const APPEND: u32 = 1;

pub const READ: u64 = 1 << 1;
pub const WRITE: u64 = 1 << 6;
pub const ALL: u64 = (1 << 30) - 1;

pub struct Mock {
    pub memory: Vec<u8>,
    pub wasi: Wasi,
    /// Each open descriptor holds one of these.
    pub open: Arc<()>,
    /// How many there may be, and what comes then.
    pub full: (usize, NoPlace),
}

impl Guest for Mock {
    fn memory(&mut self) -> Result<&mut [u8], Fault> {
        if self.memory.is_empty() { Err(Fault::NoMemory) } else { Ok(&mut self.memory) }
    }

    fn wasi(&mut self) -> &mut Wasi {
        &mut self.wasi
    }

    fn place(&mut self) -> Result<Option<Place>, NoPlace> {
        let (max, full) = self.full;
        match Arc::strong_count(&self.open) - 1 < max {
            true => Ok(Some(Box::new(self.open.clone()))),
            false => Err(full),
        }
    }
}

/// A config with `host` as descriptor 3.
pub fn config(host: &Path, access: Access) -> WasiConfig {
    let mut config = WasiConfig::default();
    let directory = HostDirectory::open_ambient(host).unwrap();
    config.push_preopen(Preopen::new(".", directory, access).unwrap()).unwrap();
    config
}

/// A guest whose descriptor 3 is a fresh directory.
pub fn with_directory() -> (tempfile::TempDir, Mock) {
    let host = tempfile::tempdir().unwrap();
    let mock = Mock::new(&config(host.path(), Access::FULL));
    (host, mock)
}

/// A guest with a captured standard output.
pub fn with_capture() -> (Capture, Mock) {
    let capture = Capture::new(1 << 20);
    let mut config = WasiConfig::default();
    config.set_stdout(Arc::new(capture.clone()));
    (capture, Mock::new(&config))
}

pub fn with_streams(input: Arc<dyn Input>, output: Arc<dyn Output>) -> Mock {
    let mut config = WasiConfig::default();
    config.set_stdin(input);
    config.set_stdout(output);
    Mock::new(&config)
}

pub fn ok(errno: Errno) -> Result<(), Errno> {
    if errno == Errno::Success { Ok(()) } else { Err(errno) }
}

/// The errno of a call that must not end the guest.
pub fn returned(answer: Result<Errno, Failure>) -> Result<(), Errno> {
    ok(answer.expect("the call returns to the guest"))
}

impl Mock {
    pub fn new(config: &WasiConfig) -> Mock {
        let full = (usize::MAX, NoPlace::Refused);
        Mock { memory: vec![0; MEMORY], wasi: Wasi::new(config), open: Arc::default(), full }
    }

    pub fn put(&mut self, at: u32, data: &[u8]) -> (u32, u32) {
        self.memory[at as usize..at as usize + data.len()].copy_from_slice(data);
        (at, data.len() as u32)
    }

    pub fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.memory[at as usize..at as usize + 4].try_into().unwrap())
    }

    pub fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.memory[at as usize..at as usize + 8].try_into().unwrap())
    }

    /// One iovec over `length` bytes at [`DATA`].
    pub fn iovec(&mut self, length: u32) {
        self.put(IOVS, &[DATA.to_le_bytes(), length.to_le_bytes()].concat());
    }

    pub async fn open(
        &mut self,
        path: &str,
        open_flags: u32,
        rights: u64,
        flags: u32,
    ) -> Result<u32, Errno> {
        self.open_at(3, 1, path, open_flags, rights, flags).await
    }

    pub async fn open_at(
        &mut self,
        fd: u32,
        lookup: u32,
        path: &str,
        open_flags: u32,
        rights: u64,
        flags: u32,
    ) -> Result<u32, Errno> {
        let (at, len) = self.put(PATH, path.as_bytes());
        let answer =
            path_open(self, fd, lookup, at, len, open_flags, rights, ALL, flags, OUT).await;
        returned(answer).map(|()| self.u32(OUT))
    }

    pub async fn write(&mut self, fd: u32, data: &[u8]) -> Result<u32, Errno> {
        self.put(DATA, data);
        self.iovec(data.len() as u32);
        returned(fd_write(self, fd, IOVS, 1, OUT).await).map(|()| self.u32(OUT))
    }

    pub async fn read(&mut self, fd: u32, length: u32) -> Result<Vec<u8>, Errno> {
        self.iovec(length);
        returned(fd_read(self, fd, IOVS, 1, OUT).await).map(|()| self.data(self.u32(OUT)))
    }

    pub async fn pread(&mut self, fd: u32, length: u32, offset: u64) -> Result<Vec<u8>, Errno> {
        self.iovec(length);
        returned(fd_pread(self, fd, IOVS, 1, offset, OUT).await).map(|()| self.data(self.u32(OUT)))
    }

    pub async fn pwrite(&mut self, fd: u32, data: &[u8], offset: u64) -> Result<u32, Errno> {
        self.put(DATA, data);
        self.iovec(data.len() as u32);
        returned(fd_pwrite(self, fd, IOVS, 1, offset, OUT).await).map(|()| self.u32(OUT))
    }

    pub async fn seek(&mut self, fd: u32, delta: i64, whence: u32) -> Result<u64, Errno> {
        returned(fd_seek(self, fd, delta, whence, OUT).await).map(|()| self.u64(OUT))
    }

    pub fn tell(&mut self, fd: u32) -> Result<u64, Errno> {
        returned(fd_tell(self, fd, OUT)).map(|()| self.u64(OUT))
    }

    pub fn data(&self, length: u32) -> Vec<u8> {
        self.memory[DATA as usize..(DATA + length) as usize].to_vec()
    }

    /// Type, flags, base and inheriting rights.
    pub fn fdstat(&mut self, fd: u32) -> Result<(u8, u16, u64, u64), Errno> {
        returned(fd_fdstat_get(self, fd, OUT))?;
        let flags = self.memory[OUT as usize + 2..OUT as usize + 4].try_into().unwrap();
        Ok((
            self.memory[OUT as usize],
            u16::from_le_bytes(flags),
            self.u64(OUT + 8),
            self.u64(OUT + 16),
        ))
    }

    /// The filestat that a call has written to [`OUT`].
    pub fn filestat(&self) -> Stat {
        Stat {
            inode: self.u64(OUT + 8),
            file_type: self.memory[OUT as usize + 16],
            links: self.u64(OUT + 24),
            size: self.u64(OUT + 32),
            accessed: self.u64(OUT + 40),
            modified: self.u64(OUT + 48),
        }
    }

    pub async fn stat(&mut self, path: &str, follow: bool) -> Result<Stat, Errno> {
        let (at, len) = self.put(PATH, path.as_bytes());
        returned(path_filestat_get(self, 3, u32::from(follow), at, len, OUT).await)
            .map(|()| self.filestat())
    }

    pub async fn fd_stat(&mut self, fd: u32) -> Result<Stat, Errno> {
        returned(fd_filestat_get(self, fd, OUT).await).map(|()| self.filestat())
    }

    pub async fn create_directory(&mut self, path: &str) -> Result<(), Errno> {
        let (at, len) = self.put(PATH, path.as_bytes());
        returned(path_create_directory(self, 3, at, len).await)
    }

    pub async fn remove_directory(&mut self, path: &str) -> Result<(), Errno> {
        let (at, len) = self.put(PATH, path.as_bytes());
        returned(path_remove_directory(self, 3, at, len).await)
    }

    pub async fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        let (at, len) = self.put(PATH, path.as_bytes());
        returned(path_unlink_file(self, 3, at, len).await)
    }

    pub async fn symlink(&mut self, target: &str, path: &str) -> Result<(), Errno> {
        let (at, len) = self.put(PATH, target.as_bytes());
        let (at2, len2) = self.put(PATH2, path.as_bytes());
        returned(path_symlink(self, at, len, 3, at2, len2).await)
    }

    #[cfg(unix)]
    pub async fn read_link(&mut self, path: &str, room: u32) -> Result<Vec<u8>, Errno> {
        let (at, len) = self.put(PATH, path.as_bytes());
        returned(path_readlink(self, 3, at, len, DATA, room, OUT).await)
            .map(|()| self.data(self.u32(OUT)))
    }

    pub async fn rename(&mut self, from: (u32, &str), to: (u32, &str)) -> Result<(), Errno> {
        let (at, len) = self.put(PATH, from.1.as_bytes());
        let (at2, len2) = self.put(PATH2, to.1.as_bytes());
        returned(path_rename(self, from.0, at, len, to.0, at2, len2).await)
    }

    pub async fn link(&mut self, from: (u32, &str), to: (u32, &str)) -> Result<(), Errno> {
        let (at, len) = self.put(PATH, from.1.as_bytes());
        let (at2, len2) = self.put(PATH2, to.1.as_bytes());
        returned(path_link(self, from.0, 0, at, len, to.0, at2, len2).await)
    }

    pub async fn set_times(
        &mut self,
        path: &str,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Result<(), Errno> {
        let (at, len) = self.put(PATH, path.as_bytes());
        let answer = path_filestat_set_times(self, 3, 1, at, len, accessed, modified, flags);
        returned(answer.await)
    }

    /// One `fd_readdir`: the next cookie, serial number and name of each whole entry, and the
    /// bytes used.
    pub async fn readdir(
        &mut self,
        fd: u32,
        length: u32,
        cookie: u64,
    ) -> Result<(Vec<(u64, u64, String)>, u32), Errno> {
        returned(fd_readdir(self, fd, DATA, length, cookie, OUT).await)?;
        let used = self.u32(OUT);
        let mut entries = Vec::new();
        let mut at = DATA;
        while at + 24 <= DATA + used {
            let end = at + 24 + self.u32(at + 16);
            if end > DATA + used {
                break;
            }
            let name = self.memory[at as usize + 24..end as usize].to_vec();
            entries.push((self.u64(at), self.u64(at + 8), String::from_utf8(name).unwrap()));
            at = end;
        }
        Ok((entries, used))
    }

    /// All names but the two dots, sorted.
    pub async fn list(&mut self, fd: u32) -> Result<Vec<String>, Errno> {
        let (entries, _) = self.readdir(fd, 0x10000, 0).await?;
        let mut names: Vec<_> = entries.into_iter().map(|(_, _, name)| name).collect();
        names.retain(|name| name != "." && name != "..");
        names.sort();
        Ok(names)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub inode: u64,
    pub file_type: u8,
    pub links: u64,
    pub size: u64,
    pub accessed: u64,
    pub modified: u64,
}

/// A clock on which sleeping takes no time: it moves to the deadline.
pub struct JumpingClock {
    pub now: AtomicU64,
    /// Realtime is ahead of monotonic time by this.
    pub ahead: AtomicU64,
    pub sleeps: AtomicU64,
}

impl JumpingClock {
    pub fn new(now: u64, ahead: u64) -> Arc<JumpingClock> {
        Arc::new(JumpingClock { now: now.into(), ahead: ahead.into(), sleeps: 0.into() })
    }
}

impl Clock for JumpingClock {
    fn realtime(&self) -> u64 {
        self.monotonic() + self.ahead.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn resolution(&self) -> u64 {
        25
    }

    fn sleep_until(
        &self,
        deadline: u64,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.sleeps.fetch_add(1, Ordering::SeqCst);
            self.now.fetch_max(deadline, Ordering::SeqCst);
        })
    }
}
