//! UDP sockets.

use core::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::abi::networking;
use crate::net::{RawAddress, ToSocketAddrs, address, call, duration, each, milliseconds};

/// A socket for datagrams.
///
/// ```
/// use lunatic::net::UdpSocket;
///
/// let one = UdpSocket::bind("127.0.0.1:0").unwrap();
/// let two = UdpSocket::bind("127.0.0.1:0").unwrap();
/// one.send_to(b"ping", two.local_addr().unwrap()).unwrap();
/// let mut place = [0; 16];
/// let (length, from) = two.recv_from(&mut place).unwrap();
/// assert_eq!((&place[..length], from), (&b"ping"[..], one.local_addr().unwrap()));
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) id: Cell<u64>,
}

impl UdpSocket {
    /// A socket at the first address where it can be.
    ///
    /// # Errors
    ///
    /// If it can be at none, or the process may not.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        each(address, |address| {
            let raw = RawAddress::from(address);
            // SAFETY: the address lives during the call; the place has eight bytes.
            let id = call(|id| unsafe {
                networking::udp_bind(
                    raw.family,
                    raw.octets.as_ptr(),
                    raw.port,
                    raw.flow_info,
                    raw.scope_id,
                    id,
                )
            })?;
            Ok(UdpSocket::from_id(id))
        })
    }

    /// Sets to whom [`send`](UdpSocket::send) sends, and from whom alone is received.
    ///
    /// # Errors
    ///
    /// What the system says, or if the process may not.
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let socket = self.id()?;
        each(address, |address| {
            let raw = RawAddress::from(address);
            // SAFETY: the address lives during the call; the place has eight bytes.
            call(|result| unsafe {
                networking::udp_connect(
                    socket,
                    raw.family,
                    raw.octets.as_ptr(),
                    raw.port,
                    raw.flow_info,
                    raw.scope_id,
                    u64::MAX,
                    result,
                )
            })
        })?;
        Ok(())
    }

    /// Sends a datagram to an address. Gives its length.
    ///
    /// # Errors
    ///
    /// What the system says, or if the process may not.
    pub fn send_to(&self, bytes: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let socket = self.id()?;
        each(address, |address| {
            let raw = RawAddress::from(address);
            // SAFETY: bytes and address live during the call; the place has eight bytes.
            let count = call(|result| unsafe {
                networking::udp_send_to(
                    socket,
                    bytes.as_ptr(),
                    bytes.len(),
                    raw.family,
                    raw.octets.as_ptr(),
                    raw.port,
                    raw.flow_info,
                    raw.scope_id,
                    result,
                )
            })?;
            Ok(count as usize)
        })
    }

    /// Sends a datagram to where the socket is connected.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let id = self.id()?;
        // SAFETY: the bytes live during the call; the place has eight bytes.
        let count = call(|result| unsafe {
            networking::udp_send(id, bytes.as_ptr(), bytes.len(), result)
        })?;
        Ok(count as usize)
    }

    /// Waits for a datagram. Gives its length and who sent it; what does not fit is lost.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] after the timeout of the socket, and what the system says.
    pub fn recv_from(&self, place: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let id = self.id()?;
        let mut peer = 0;
        // SAFETY: the place has the length that is given, the others eight bytes.
        let count = call(|result| unsafe {
            let (bytes, length) = (place.as_mut_ptr(), place.len());
            networking::udp_receive_from(id, bytes, length, result, &raw mut peer)
        })?;
        Ok((count as usize, address(peer)?))
    }

    /// Waits for a datagram, from where the socket is connected.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    pub fn recv(&self, place: &mut [u8]) -> io::Result<usize> {
        let id = self.id()?;
        // SAFETY: the place has the length that is given.
        let count = call(|result| unsafe {
            networking::udp_receive(id, place.as_mut_ptr(), place.len(), result)
        })?;
        Ok(count as usize)
    }

    /// Its address, with its port.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        address(call(|result| unsafe { networking::udp_local_addr(id, result) })?)
    }

    /// Where it is connected.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        address(call(|result| unsafe { networking::udp_peer_addr(id, result) })?)
    }

    /// How long a receive waits, for all clones.
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        // SAFETY: no pointers.
        unsafe { networking::set_udp_receive_timeout(self.id()?, milliseconds(timeout)) };
        Ok(())
    }

    /// How long a receive waits.
    ///
    /// # Errors
    ///
    /// If the socket was sent away.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        // SAFETY: no pointers.
        Ok(duration(unsafe { networking::get_udp_receive_timeout(self.id()?) }))
    }

    /// Whether it may send to all of a network.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_broadcast(&self, flag: bool) -> io::Result<()> {
        let id = self.id()?;
        // SAFETY: the place has eight bytes.
        call(|result| unsafe { networking::set_udp_broadcast(id, flag.into(), result) })?;
        Ok(())
    }
}
