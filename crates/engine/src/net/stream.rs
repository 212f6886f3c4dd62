//! Streams: TCP connections, and connections through unix sockets, which share everything but
//! addresses.
//!
//! One process reads or peeks at a time, and one writes; others wait their turn.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use lunatic_node::OpenDescriptor;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

#[cfg(unix)]
use crate::net::platform;
use crate::net::{Timeout, has_something, retry};

/// A connection of one kind or the other.
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Socket {
        Socket::Tcp(socket)
    }
}

/// The same call for either kind.
macro_rules! either {
    ($socket:expr, $it:ident => $call:expr) => {
        match $socket {
            Socket::Tcp($it) => $call,
            #[cfg(unix)]
            Socket::Unix($it) => $call,
        }
    };
}

/// A connection with what belongs to it in all processes that have a handle.
pub(crate) struct TcpConnection {
    socket: Socket,
    pub(crate) reading: Mutex<()>,
    pub(crate) writing: Mutex<()>,
    /// Nothing was left when this was last read. A hint: who finds it wrong loses a call of the
    /// system, or hears of news from Tokio.
    emptied: AtomicBool,
    pub(crate) read_timeout: Timeout,
    pub(crate) write_timeout: Timeout,
    pub(crate) peek_timeout: Timeout,
    /// As it was set: not every system tells.
    keep_alive: Timeout,
    /// The address that the program connected to, where it was led elsewhere.
    shown_peer: Option<SocketAddr>,
    _place: OpenDescriptor,
}

impl TcpConnection {
    pub(crate) fn new(socket: impl Into<Socket>, place: OpenDescriptor) -> TcpConnection {
        TcpConnection {
            socket: socket.into(),
            reading: Mutex::default(),
            writing: Mutex::default(),
            emptied: AtomicBool::new(false),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
            peek_timeout: Timeout::default(),
            keep_alive: Timeout::default(),
            shown_peer: None,
            _place: place,
        }
    }

    /// The same, that tells this address of its peer.
    pub(crate) fn shown_as(self, shown_peer: Option<SocketAddr>) -> TcpConnection {
        TcpConnection { shown_peer, ..self }
    }

    pub(crate) fn system(&self) -> SockRef<'_> {
        either!(&self.socket, socket => SockRef::from(socket))
    }

    /// Reads what is there, or fails with `WouldBlock`: then `readable` says when to try again.
    ///
    /// A read that does not fill its buffer has emptied the socket. Tokio is told then and there,
    /// so that one call of the system is enough for a message and the wait for the next one.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = None;
        // How this fails is only for Tokio.
        let _ = either!(&self.socket, socket => socket.try_io(Interest::READABLE, || {
            read = Some(self.read_now(buffer));
            if self.emptied() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }));
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
        let read = retry(|| (&*self.system()).read(buffer));
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
        let written = either!(&self.socket, socket => match buffers {
            [one] => socket.try_write(one),
            several => socket.try_write_vectored(several),
        });
        match written {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                retry(|| (&*self.system()).write_vectored(buffers))
            }
            result => result,
        }
    }

    /// Whether a peek has something to tell.
    pub(crate) fn has_something(&self) -> io::Result<bool> {
        has_something(&self.system())
    }

    pub(crate) fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        match &self.socket {
            Socket::Tcp(socket) => socket.poll_peek(cx, buffer),
            #[cfg(unix)]
            Socket::Unix(socket) => platform::poll_peek(socket, cx, buffer),
        }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        either!(&self.socket, socket => socket.readable().await)
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        either!(&self.socket, socket => socket.writable().await)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Socket::Tcp(_) if let Some(shown) = self.shown_peer => Ok(shown),
            Socket::Tcp(socket) => socket.peer_addr(),
            #[cfg(unix)]
            Socket::Unix(_) => Err(platform::no_address()),
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.socket {
            Socket::Tcp(socket) => socket.local_addr(),
            #[cfg(unix)]
            Socket::Unix(_) => Err(platform::no_address()),
        }
    }

    pub(crate) fn nodelay(&self) -> io::Result<bool> {
        self.system().tcp_nodelay()
    }

    pub(crate) fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.system().set_tcp_nodelay(nodelay)
    }

    /// Milliseconds of silence before the peer is asked whether it lives; `u64::MAX` is never.
    pub(crate) fn keep_alive(&self) -> u64 {
        self.keep_alive.milliseconds().cast_unsigned()
    }

    pub(crate) fn set_keep_alive(&self, milliseconds: i64) -> io::Result<()> {
        match milliseconds.cast_unsigned() {
            Timeout::NONE => self.system().set_keepalive(false)?,
            idle => {
                // Systems count in seconds.
                let idle = Duration::from_secs(idle.div_ceil(1000).max(1));
                self.system().set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
            }
        }
        self.keep_alive.set(milliseconds);
        Ok(())
    }

    /// 0 if the connection is reset when it closes, `u64::MAX` if it ends in order.
    pub(crate) fn linger(&self) -> io::Result<u64> {
        let linger = self.system().linger()?;
        Ok(linger
            .map_or(Timeout::NONE, |linger| linger.as_millis().try_into().unwrap_or(Timeout::NONE)))
    }

    /// A linger in between would hold the thread on which the last handle goes.
    pub(crate) fn set_linger(&self, milliseconds: i64) -> io::Result<()> {
        match milliseconds.cast_unsigned() {
            Timeout::NONE => self.system().set_linger(None),
            0 => self.system().set_linger(Some(Duration::ZERO)),
            _ => Err(io::Error::new(
                ErrorKind::InvalidInput,
                "it is 0 (reset the connection) or u64::MAX (off); to know that all has arrived, \
                 shut down writing and read to the end",
            )),
        }
    }

    /// Ends reading (0), writing (1) or both (2).
    pub(crate) fn shutdown(&self, how: i32) -> io::Result<()> {
        let how = match how {
            0 => Shutdown::Read,
            1 => Shutdown::Write,
            2 => Shutdown::Both,
            _ => {
                let text = format!("it is 0 (read), 1 (write) or 2 (both), not {how}");
                return Err(io::Error::new(ErrorKind::InvalidInput, text));
            }
        };
        self.system().shutdown(how)?;
        // There is an end to read now, of which not every system sends news.
        self.emptied.store(false, Ordering::Relaxed);
        Ok(())
    }
}
