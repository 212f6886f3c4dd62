//! TCP and unix sockets: streams and listeners.

use core::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::abi::{message, networking};

use super::address::{RawAddress, each};
use super::handle::{address, handle, stream, timeout};
use super::{ToSocketAddrs, call, milliseconds};

/// A connection. Both it and a reference to it read and write.
///
/// ```
/// use std::io::{ErrorKind, Read, Write};
/// use std::time::Duration;
/// use lunatic::net::{Shutdown, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").unwrap();
/// let address = listener.local_addr().unwrap();
/// let mut one = TcpStream::connect_timeout(address, Duration::from_secs(5)).unwrap();
/// let (mut two, peer) = listener.accept().unwrap();
/// assert_eq!((peer, one.peer_addr().unwrap()), (one.local_addr().ok(), address));
///
/// one.set_nodelay(true).unwrap();
/// one.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
/// one.write_all(b"hello").unwrap();
/// one.shutdown(Shutdown::Write).unwrap();
/// let mut byte = [0];
/// two.set_peek_timeout(None).unwrap();
/// assert_eq!((two.peek(&mut byte).unwrap(), byte), (1, *b"h"));
/// let mut text = String::new();
/// two.read_to_string(&mut text).unwrap();
/// assert_eq!(text, "hello");
///
/// one.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
/// assert_eq!(one.read(&mut byte).unwrap_err().kind(), ErrorKind::TimedOut);
/// assert_eq!(one.read_timeout().unwrap(), Some(Duration::from_millis(1)));
/// assert_eq!(one.write_timeout().unwrap(), Some(Duration::from_secs(5)));
/// assert_eq!(two.peek_timeout().unwrap(), None);
/// ```
#[derive(Debug)]
pub struct TcpStream {
    pub(super) id: Cell<u64>,
}

/// A listener. Several processes may accept at one: each connection goes to one of them.
///
/// ```
/// use std::io::ErrorKind;
/// use std::time::Duration;
/// use lunatic::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").unwrap();
/// let address = listener.local_addr().unwrap();
/// let _guests = [(); 2].map(|()| TcpStream::connect(address).unwrap());
/// for stream in listener.incoming().take(2) {
///     assert_eq!(stream.unwrap().local_addr().unwrap(), address);
/// }
/// listener.set_accept_timeout(Some(Duration::from_millis(1))).unwrap();
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::TimedOut);
/// assert_eq!(listener.accept_timeout().unwrap(), Some(Duration::from_millis(1)));
/// ```
#[derive(Debug)]
pub struct TcpListener {
    pub(super) id: Cell<u64>,
}

/// A connection through a unix socket: as one of TCP, without addresses.
///
/// ```no_run
/// use std::io::Write;
/// use lunatic::net::{TcpStream, UnixStream};
///
/// # fn main() -> std::io::Result<()> {
/// let mut stream: UnixStream = TcpStream::connect_unix("run/printer.sock", None)?;
/// stream.write_all(b"one page")?;
/// # Ok(())
/// # }
/// ```
pub type UnixStream = TcpStream;
/// A listener of unix connections.
///
/// ```no_run
/// use lunatic::net::{TcpListener, UnixListener};
///
/// # fn main() -> std::io::Result<()> {
/// let listener: UnixListener = TcpListener::bind_unix("run/printer.sock")?;
/// let (mut stream, _no_address) = listener.accept()?;
/// std::io::copy(&mut stream, &mut std::io::stdout())?;
/// # Ok(())
/// # }
/// ```
pub type UnixListener = TcpListener;

/// Which direction ends.
///
/// ```
/// use std::io::Read;
/// use lunatic::net::{Shutdown, TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").unwrap();
/// let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
/// let (mut other, _) = listener.accept().unwrap();
/// stream.shutdown(Shutdown::Both).unwrap();
/// assert_eq!(other.read(&mut [0]).unwrap(), 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Shutdown {
    /// Reading.
    Read = 0,
    /// Writing: the peer reads to the end.
    Write = 1,
    /// Both.
    Both = 2,
}

impl TcpStream {
    /// Connects to the first address that can be reached.
    ///
    /// # Errors
    ///
    /// If none can, or the process may not: the error says which right is missing.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        each(address, |address| TcpStream::connect_within(address, None))
    }

    /// Connects within a time.
    ///
    /// # Errors
    ///
    /// As [`connect`](TcpStream::connect); [`io::ErrorKind::TimedOut`] after the time.
    pub fn connect_timeout(address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        TcpStream::connect_within(address, Some(timeout))
    }

    fn connect_within(address: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
        let raw = RawAddress::from(address);
        // SAFETY: the address lives during the call; the place has eight bytes.
        let id = call(|id| unsafe {
            networking::tcp_connect(
                raw.family,
                raw.octets.as_ptr(),
                raw.port,
                raw.flow_info,
                raw.scope_id,
                milliseconds(timeout),
                id,
            )
        })?;
        Ok(TcpStream::from_id(id))
    }

    /// Connects to a unix socket, by a path below a directory that the process has for writing.
    ///
    /// # Errors
    ///
    /// If nobody listens there, in time.
    pub fn connect_unix(path: &str, timeout: Option<Duration>) -> io::Result<UnixStream> {
        let timeout = milliseconds(timeout);
        // SAFETY: the text lives during the call; the place has eight bytes.
        let id =
            call(|id| unsafe { networking::unix_connect(path.as_ptr(), path.len(), timeout, id) })?;
        Ok(TcpStream::from_id(id))
    }

    address!("The address of the other end.", peer_addr = networking::tcp_peer_addr);
    address!("The address of this end.", local_addr = networking::tcp_stream_local_addr);
    timeout!(
        "a read",
        set_read_timeout = networking::set_read_timeout,
        read_timeout = networking::get_read_timeout
    );
    timeout!(
        "a write",
        set_write_timeout = networking::set_write_timeout,
        write_timeout = networking::get_write_timeout
    );
    timeout!(
        "a peek",
        set_peek_timeout = networking::set_peek_timeout,
        peek_timeout = networking::get_peek_timeout
    );

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_nodelay(&self, flag: bool) -> io::Result<()> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        call(|result| unsafe { networking::set_tcp_nodelay(id, flag.into(), result) })?;
        Ok(())
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        call(|result| unsafe { networking::tcp_shutdown(id, how as u32, result) })?;
        Ok(())
    }

    /// Reads without taking.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn peek(&self, place: &mut [u8]) -> io::Result<usize> {
        let id = self.id()?;
        // SAFETY: the place has the length that is given.
        let count = call(|result| unsafe {
            networking::tcp_peek(id, place.as_mut_ptr(), place.len(), result)
        })?;
        Ok(count as usize)
    }
}

handle!(
    TcpStream,
    networking::drop_tcp_stream,
    message::push_tcp_stream,
    message::take_tcp_stream,
    clone networking::clone_tcp_stream
);
stream!(TcpStream, networking::tcp_read, networking::tcp_write_vectored, networking::tcp_flush);
handle!(
    TcpListener,
    networking::drop_tcp_listener,
    message::push_tcp_listener,
    message::take_tcp_listener,
    clone networking::clone_tcp_listener
);

impl TcpListener {
    /// Listens at the first address where it can; port 0 lets the system choose one.
    ///
    /// # Errors
    ///
    /// If it can at none, or the process may not: the error says which right is missing.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        each(address, |address| {
            let raw = RawAddress::from(address);
            // SAFETY: the address lives during the call; the place has eight bytes.
            let id = call(|id| unsafe {
                networking::tcp_bind(
                    raw.family,
                    raw.octets.as_ptr(),
                    raw.port,
                    raw.flow_info,
                    raw.scope_id,
                    id,
                )
            })?;
            Ok(TcpListener::from_id(id))
        })
    }

    /// Makes a unix socket at a path below a directory that the process has for writing, and
    /// listens there. The file stays when the listener goes.
    ///
    /// # Errors
    ///
    /// If something is there already, or there are no unix sockets.
    pub fn bind_unix(path: &str) -> io::Result<UnixListener> {
        // SAFETY: the text lives during the call; the place has eight bytes.
        let id = call(|id| unsafe { networking::unix_bind(path.as_ptr(), path.len(), id) })?;
        Ok(TcpListener::from_id(id))
    }

    /// Waits for a connection. The address of a unix connection is none.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] after the timeout of the listener, and what the system says.
    pub fn accept(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let id = self.id()?;
        let mut peer = 0;
        // SAFETY: the places have eight bytes each.
        let stream = call(|result| unsafe { networking::tcp_accept(id, result, &raw mut peer) })?;
        Ok((TcpStream::from_id(stream), super::address::address(peer).ok()))
    }

    /// Connections, one after the other, for ever.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<TcpStream>> + '_ {
        core::iter::repeat_with(|| self.accept().map(|(stream, _)| stream))
    }

    address!(
        "The address at which it listens, with its port.",
        local_addr = networking::tcp_local_addr
    );
    timeout!(
        "an accept",
        set_accept_timeout = networking::set_accept_timeout,
        accept_timeout = networking::get_accept_timeout
    );
}
