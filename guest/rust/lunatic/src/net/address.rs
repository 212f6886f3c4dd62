//! Addresses: what can be one, how names are looked up, how host functions take and give them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use crate::abi::networking;

use super::call;

/// What can be an address: addresses, and names with ports, which the runtime looks up.
///
/// It is std's trait of the same name, which cannot look names up here.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr, SocketAddr};
/// use lunatic::net::ToSocketAddrs;
///
/// let home = SocketAddr::from(([127, 0, 0, 1], 80));
/// assert_eq!(home.to_socket_addrs().unwrap(), [home]);
/// assert_eq!("127.0.0.1:80".to_socket_addrs().unwrap(), [home]);
/// assert_eq!(("127.0.0.1", 80).to_socket_addrs().unwrap(), [home]);
/// assert_eq!((IpAddr::V4(Ipv4Addr::LOCALHOST), 80).to_socket_addrs().unwrap(), [home]);
/// ```
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
///
/// ```
/// use std::time::Duration;
/// use lunatic::net::resolve;
///
/// let addresses = resolve("localhost:80", Some(Duration::from_secs(5))).unwrap();
/// assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
/// ```
pub fn resolve(name: &str, timeout: Option<Duration>) -> io::Result<Vec<SocketAddr>> {
    let timeout = crate::message::milliseconds(timeout);
    // SAFETY: the text lives during the call; the place has eight bytes.
    let iterator =
        call(|id| unsafe { networking::resolve(name.as_ptr(), name.len(), timeout, id) })?;
    Ok(addresses(iterator))
}

/// Tries the addresses one after the other; gives the last error.
pub(super) fn each<T>(
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

/// An address as host functions take it.
pub(super) struct RawAddress {
    pub(super) family: u32,
    pub(super) octets: [u8; 16],
    pub(super) port: u32,
    pub(super) flow_info: u32,
    pub(super) scope_id: u32,
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
pub(super) fn address(iterator: u64) -> io::Result<SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the socket has no address");
    addresses(iterator).first().copied().ok_or_else(none)
}
