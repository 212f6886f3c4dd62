//! Sockets as resources of a process: what host functions keep of them.
//!
//! TCP connections and UDP sockets are shared by their clones in all processes, and close when the
//! last handle goes, wherever it is: in a table or in a message. Listeners and addresses belong to
//! one process. Everything here may be used from several processes at once.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Mutex;

use crate::tables::Table;

/// The socket tables of a process.
#[derive(Default)]
pub(crate) struct Sockets {
    pub(crate) addresses: Table<std::vec::IntoIter<SocketAddr>>,
    pub(crate) listeners: Table<Arc<TcpListener>>,
    streams: Table<Arc<TcpConnection>>,
    udp_sockets: Table<Arc<UdpSocket>>,
}

/// Sockets that can be cloned, and moved in messages.
pub(crate) trait Shareable: Send + Sync + Sized + 'static {
    /// How an error calls it.
    const WHAT: &'static str;

    /// The table of its kind.
    fn table(sockets: &mut Sockets) -> &mut Table<Arc<Self>>;
}

impl Shareable for TcpConnection {
    const WHAT: &'static str = "TCP stream";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<TcpConnection>> {
        &mut sockets.streams
    }
}

impl Shareable for UdpSocket {
    const WHAT: &'static str = "UDP socket";

    fn table(sockets: &mut Sockets) -> &mut Table<Arc<UdpSocket>> {
        &mut sockets.udp_sockets
    }
}

/// A TCP connection. One process reads or peeks at a time, and one writes; others wait their turn.
pub(crate) struct TcpConnection {
    pub(crate) socket: TcpStream,
    pub(crate) reading: Mutex<()>,
    pub(crate) writing: Mutex<()>,
    /// Nothing was left to read when this was last looked at. Belongs to the turn of reading.
    emptied: AtomicBool,
    pub(crate) read_timeout: Timeout,
    pub(crate) write_timeout: Timeout,
    pub(crate) peek_timeout: Timeout,
}

impl TcpConnection {
    pub(crate) fn new(socket: TcpStream) -> TcpConnection {
        TcpConnection {
            socket,
            reading: Mutex::default(),
            writing: Mutex::default(),
            emptied: AtomicBool::new(false),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
            peek_timeout: Timeout::default(),
        }
    }

    /// Reads what is there, or fails with `WouldBlock`: then `readable` says when to try again.
    ///
    /// A read that does not fill its buffer has emptied the socket. Tokio is told then and there, so
    /// that one call of the system is enough for a message and the wait for the next one.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = None;
        // How this fails is only for Tokio.
        let _ = self.socket.try_io(Interest::READABLE, || {
            read = Some(self.read_now(buffer));
            if self.emptied() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match read {
            Some(read) => read,
            None if self.emptied() => Err(ErrorKind::WouldBlock.into()),
            // What Tokio knows of a socket lags behind.
            None => self.read_now(buffer),
        }
    }

    /// Reads what is there, whatever Tokio knows of it: before one gives up, the system has the
    /// last word.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len();
        let read = retry(|| (&*SockRef::from(&self.socket)).read(buffer));
        let emptied = match &read {
            Ok(count) => (1..length).contains(count),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        self.emptied.store(emptied, Ordering::Relaxed);
        read
    }

    fn emptied(&self) -> bool {
        self.emptied.load(Ordering::Relaxed)
    }

    /// Writes what fits, or fails with `WouldBlock`: then `writable` says when to try again.
    pub(crate) fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match buffers {
            [one] => self.socket.try_write(one),
            several => self.socket.try_write_vectored(several),
        };
        match written {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                retry(|| (&*SockRef::from(&self.socket)).write_vectored(buffers))
            }
            result => result,
        }
    }

    /// Whether a peek has something to tell, be it the end, whatever Tokio knows of it yet.
    pub(crate) fn has_something(&self) -> io::Result<bool> {
        let byte = &mut [MaybeUninit::uninit()];
        match retry(|| SockRef::from(&self.socket).peek(byte)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            result => result.map(|_| true),
        }
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A timeout that can be read and changed while somebody waits by it: who waits keeps to the one
/// that he began with.
pub(crate) struct Timeout(AtomicU64);

impl Default for Timeout {
    fn default() -> Timeout {
        Timeout(AtomicU64::new(Timeout::NONE))
    }
}

impl Timeout {
    /// "None" in milliseconds, as the ABI writes it.
    const NONE: u64 = u64::MAX;

    pub(crate) fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds.cast_unsigned(), Ordering::Relaxed);
    }

    /// In milliseconds.
    pub(crate) fn milliseconds(&self) -> i64 {
        self.0.load(Ordering::Relaxed).cast_signed()
    }
}
