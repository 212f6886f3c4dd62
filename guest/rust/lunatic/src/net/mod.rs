//! Sockets: TCP, unix and UDP, with the traits of std.
//!
//! A call suspends its process only. Sockets are handles: clones in any process are the same
//! socket,
//! with the same timeouts. They travel in messages as resources (serde writes them), which takes
//! them out of the process that sends; what is used afterwards gives an error.
//!
//! ```
//! use std::io::{Read, Write};
//! use lunatic::net::{TcpListener, TcpStream};
//! use lunatic::{Mailbox, spawn_link};
//!
//! let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! let address = listener.local_addr().unwrap();
//! spawn_link(listener, |listener, _: Mailbox<()>| {
//!     let (stream, _peer) = listener.accept().unwrap();
//!     // A process for each connection, which the stream moves to.
//!     spawn_link(stream, |mut stream, _: Mailbox<()>| {
//!         std::io::copy(&mut stream.clone(), &mut stream).unwrap();
//!     });
//! });
//! let mut stream = TcpStream::connect(address).unwrap();
//! stream.write_all(b"hello").unwrap();
//! let mut answer = [0; 5];
//! stream.read_exact(&mut answer).unwrap();
//! assert_eq!(&answer, b"hello");
//! ```

mod tcp;
mod udp;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

pub use tcp::{Shutdown, TcpListener, TcpStream, UnixListener, UnixStream};
pub use udp::UdpSocket;

use crate::abi::{self, TIMED_OUT, networking};
use crate::host_error::HostError;

/// The number of a socket that was sent away.
const GONE: u64 = u64::MAX;

/// What can be an address: addresses, and names with ports, which the runtime looks up.
///
/// It is std's trait of the same name, which cannot look names up here.
pub trait ToSocketAddrs {
    /// The addresses, in the order in which they are to be tried.
    ///
    /// # Errors
    ///
    /// If the text is no address, or the name cannot be looked up.
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>>;
}

impl ToSocketAddrs for SocketAddr {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![*self])
    }
}

impl ToSocketAddrs for (IpAddr, u16) {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(self.0, self.1)])
    }
}

impl ToSocketAddrs for str {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        match self.parse() {
            Ok(address) => Ok(vec![address]),
            Err(_) => resolve(self, None),
        }
    }
}

impl ToSocketAddrs for String {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_socket_addrs()
    }
}

impl ToSocketAddrs for (&str, u16) {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        match self.0.parse() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, self.1)]),
            Err(_) => resolve(&format!("{}:{}", self.0, self.1), None),
        }
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).to_socket_addrs()
    }
}

/// Looks up `host:port`.
///
/// # Errors
///
/// If the name is unknown, the process may not look up names, or it takes too long.
pub fn resolve(name: &str, timeout: Option<Duration>) -> io::Result<Vec<SocketAddr>> {
    let timeout = crate::message::milliseconds(timeout);
    // SAFETY: the text lives during the call; the place has eight bytes.
    let iterator =
        call(|id| unsafe { networking::resolve(name.as_ptr(), name.len(), timeout, id) })?;
    Ok(addresses(iterator))
}

/// Tries the addresses one after the other; gives the last error.
fn each<T>(
    addresses: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name leads to no address");
    for address in addresses.to_socket_addrs()? {
        match attempt(address) {
            Ok(value) => return Ok(value),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Calls a host function that stores a number, or the id of an error.
fn call(function: impl FnOnce(*mut u64) -> i32) -> io::Result<u64> {
    let mut place = 0;
    match function(&raw mut place) {
        0 => Ok(place),
        TIMED_OUT => Err(timed_out()),
        _ if place == 0 => Err(timed_out()),
        _ => Err(HostError::take(place).into()),
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed")
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket was sent to another process")
}

/// A timeout as sockets have it: none is the largest number.
fn milliseconds(timeout: Option<Duration>) -> u64 {
    crate::message::milliseconds(timeout)
}

fn duration(milliseconds: u64) -> Option<Duration> {
    (milliseconds != u64::MAX).then(|| Duration::from_millis(milliseconds))
}

/// An address as host functions take it.
struct RawAddress {
    family: u32,
    octets: [u8; 16],
    port: u32,
    flow_info: u32,
    scope_id: u32,
}

impl From<SocketAddr> for RawAddress {
    fn from(address: SocketAddr) -> RawAddress {
        let mut raw = RawAddress { family: 4, octets: [0; 16], port: 0, flow_info: 0, scope_id: 0 };
        raw.port = address.port().into();
        match address {
            SocketAddr::V4(address) => raw.octets[..4].copy_from_slice(&address.ip().octets()),
            SocketAddr::V6(address) => {
                raw.family = 6;
                raw.octets = address.ip().octets();
                raw.flow_info = address.flowinfo();
                raw.scope_id = address.scope_id();
            }
        }
        raw
    }
}

/// Reads an iterator of addresses to its end, and lets it go.
fn addresses(iterator: u64) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    loop {
        let (mut family, mut port, mut flow_info, mut scope_id) = (0, 0, 0, 0);
        let mut octets = [0u8; 16];
        // SAFETY: all places have the sizes of the ABI.
        let code = unsafe {
            networking::resolve_next(
                iterator,
                &raw mut family,
                octets.as_mut_ptr(),
                &raw mut port,
                &raw mut flow_info,
                &raw mut scope_id,
            )
        };
        if code != 0 {
            break;
        }
        let [a, b, c, d, ..] = octets;
        found.push(match family {
            4 => SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into(),
            _ => SocketAddrV6::new(Ipv6Addr::from(octets), port, flow_info, scope_id).into(),
        });
    }
    // SAFETY: the id is not used again.
    unsafe { networking::drop_dns_iterator(iterator) };
    found
}

/// The one address of an iterator.
fn address(iterator: u64) -> io::Result<SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the socket has no address");
    addresses(iterator).first().copied().ok_or_else(none)
}

/// Checks that a resource can be read from the message that is being decoded.
fn check_index<E: serde::de::Error>(index: u32) -> Result<(), E> {
    match crate::message::resources_of_decoding() {
        Some(resources) if index < resources => Ok(()),
        Some(_) => Err(E::custom("the message has no such resource")),
        None => Err(E::custom("a socket can only be read from a message")),
    }
}

/// What is the same for all handles: one number, let go when dropped, sent as a resource.
macro_rules! handle {
    ($name:ident, $clone:path, $drop:path, $push:path, $take:path) => {
        impl $name {
            fn from_id(id: u64) -> $name {
                $name { id: core::cell::Cell::new(id) }
            }

            fn id(&self) -> std::io::Result<u64> {
                match self.id.get() {
                    $crate::net::GONE => Err($crate::net::gone()),
                    id => Ok(id),
                }
            }
        }

        /// The same socket again.
        impl Clone for $name {
            fn clone(&self) -> $name {
                match self.id.get() {
                    $crate::net::GONE => $name::from_id($crate::net::GONE),
                    // SAFETY: the id is this handle's.
                    id => $name::from_id(unsafe { $clone(id) }),
                }
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                if self.id.get() != $crate::net::GONE {
                    // SAFETY: the id is this handle's, and is not used again.
                    unsafe { $drop(self.id.get()) }
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::Error;
                if !$crate::message::is_encoding() {
                    return Err(S::Error::custom("a socket can only be written to a message"));
                }
                match self.id.replace($crate::net::GONE) {
                    $crate::net::GONE => Err(S::Error::custom($crate::net::gone())),
                    // SAFETY: a message is being written, and the id is this handle's.
                    id => serializer.serialize_u32(unsafe { $push(id) } as u32),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$name, D::Error> {
                let index = <u32 as serde::Deserialize>::deserialize(deserializer)?;
                $crate::net::check_index(index)?;
                // SAFETY: a message is being read that has a resource there.
                Ok($name::from_id(unsafe { $take(index.into()) }))
            }
        }
    };
}

handle!(
    TcpStream,
    networking::clone_tcp_stream,
    networking::drop_tcp_stream,
    abi::message::push_tcp_stream,
    abi::message::take_tcp_stream
);
handle!(
    TcpListener,
    networking::clone_tcp_listener,
    networking::drop_tcp_listener,
    abi::message::push_tcp_listener,
    abi::message::take_tcp_listener
);
handle!(
    UdpSocket,
    networking::clone_udp_socket,
    networking::drop_udp_socket,
    abi::message::push_udp_socket,
    abi::message::take_udp_socket
);
