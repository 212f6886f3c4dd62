//! TCP and unix sockets: streams and listeners.

use core::cell::Cell;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::abi::networking;
use crate::net::{RawAddress, ToSocketAddrs, address, call, duration, each, milliseconds};

/// A connection. Both it and a reference to it read and write.
#[derive(Debug)]
pub struct TcpStream {
    pub(super) id: Cell<u64>,
}

/// A listener. Several processes may accept at one: each connection goes to one of them.
#[derive(Debug)]
pub struct TcpListener {
    pub(super) id: Cell<u64>,
}

/// A connection through a unix socket: as one of TCP, without addresses.
pub type UnixStream = TcpStream;
/// A listener of unix connections.
pub type UnixListener = TcpListener;

/// Which direction ends.
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

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        address(call(|result| unsafe { networking::tcp_peer_addr(id, result) })?)
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        address(call(|result| unsafe { networking::tcp_stream_local_addr(id, result) })?)
    }

    /// How long a read waits, for all clones.
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        // SAFETY: no pointers.
        unsafe { networking::set_read_timeout(self.id()?, milliseconds(timeout)) };
        Ok(())
    }

    /// How long a read waits.
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        // SAFETY: no pointers.
        Ok(duration(unsafe { networking::get_read_timeout(self.id()?) }))
    }

    /// How long a write waits, for all clones.
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        // SAFETY: no pointers.
        unsafe { networking::set_write_timeout(self.id()?, milliseconds(timeout)) };
        Ok(())
    }

    /// How long a write waits.
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        // SAFETY: no pointers.
        Ok(duration(unsafe { networking::get_write_timeout(self.id()?) }))
    }

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

impl Read for &TcpStream {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let id = self.id()?;
        // SAFETY: the place has the length that is given.
        let count = call(|result| unsafe {
            networking::tcp_read(id, place.as_mut_ptr(), place.len(), result)
        })?;
        Ok(count as usize)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let id = self.id()?;
        // SAFETY: a slice of WASI is a pointer and a length, as the ABI wants them.
        let count = call(|result| unsafe {
            networking::tcp_write_vectored(id, slices.as_ptr().cast(), slices.len(), result)
        })?;
        Ok(count as usize)
    }

    fn flush(&mut self) -> io::Result<()> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        call(|result| unsafe { networking::tcp_flush(id, result) })?;
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        (&*self).read(place)
    }
}

impl Write for TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

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
        Ok((TcpStream::from_id(stream), address(peer).ok()))
    }

    /// Connections, one after the other, for ever.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<TcpStream>> + '_ {
        core::iter::repeat_with(|| self.accept().map(|(stream, _)| stream))
    }

    /// The address at which it listens, with its port.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        address(call(|result| unsafe { networking::tcp_local_addr(id, result) })?)
    }

    /// How long an accept waits, for all clones.
    ///
    /// # Errors
    ///
    /// If the listener was sent away.
    pub fn set_accept_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        // SAFETY: no pointers.
        unsafe { networking::set_accept_timeout(self.id()?, milliseconds(timeout)) };
        Ok(())
    }

    /// How long an accept waits.
    ///
    /// # Errors
    ///
    /// If the listener was sent away.
    pub fn accept_timeout(&self) -> io::Result<Option<Duration>> {
        // SAFETY: no pointers.
        Ok(duration(unsafe { networking::get_accept_timeout(self.id()?) }))
    }
}
