//! UDP sockets.

use core::cell::Cell;
use std::io;
use std::net::SocketAddr;

use crate::abi::{message, networking};

use super::address::{RawAddress, each};
use super::handle::{address, handle, timeout};
use super::{ToSocketAddrs, call};

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
///
/// Connected sockets need no addresses:
///
/// ```
/// use std::io::ErrorKind;
/// use std::time::Duration;
/// use lunatic::net::UdpSocket;
///
/// let one = UdpSocket::bind("127.0.0.1:0").unwrap();
/// let two = UdpSocket::bind("127.0.0.1:0").unwrap();
/// one.connect(two.local_addr().unwrap()).unwrap();
/// two.connect(one.local_addr().unwrap()).unwrap();
/// assert_eq!(one.peer_addr().unwrap(), two.local_addr().unwrap());
/// one.send(b"ping").unwrap();
/// let mut place = [0; 16];
/// assert_eq!(two.recv(&mut place).unwrap(), 4);
/// two.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
/// assert_eq!(two.recv(&mut place).unwrap_err().kind(), ErrorKind::TimedOut);
/// assert_eq!(two.read_timeout().unwrap(), Some(Duration::from_millis(1)));
/// two.set_broadcast(true).unwrap();
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
        Ok((count as usize, super::address::address(peer)?))
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

    address!("Its address, with its port.", local_addr = networking::udp_local_addr);
    address!("Where it is connected.", peer_addr = networking::udp_peer_addr);
    timeout!(
        "a receive",
        set_read_timeout = networking::set_udp_receive_timeout,
        read_timeout = networking::get_udp_receive_timeout
    );

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

handle!(
    UdpSocket,
    networking::drop_udp_socket,
    message::push_udp_socket,
    message::take_udp_socket,
    clone networking::clone_udp_socket
);
