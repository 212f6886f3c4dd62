//! One rule of network rights: a protocol, addresses and ports; and how it is written.
//!
//! `PROTOCOL:ADDRESSES:PORTS`, where `*` means any, and so does what is left out at the end:
//!
//! * `tcp:127.0.0.0/8:8000-8999`
//! * `udp:*:53`
//! * `tcp:[2001:db8::/32]:443`
//! * `*`, which is everything
//!
//! A `*` for the addresses covers both families, a prefix only its own. **Invariants:** a rule has
//! one written form, which reads as the same rule; IPv4 addresses are never held in their IPv6
//! form, and no bit beyond the length of a prefix is set.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::network::Protocol;

/// Some uses of some addresses. The order means nothing beyond being one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NetworkRule {
    /// `None` is both.
    protocol: Option<Protocol>,
    /// `None` is all addresses of both families.
    addresses: Option<Prefix>,
    ports: Ports,
}

impl NetworkRule {
    /// Every use of every address.
    pub const ALL: NetworkRule = NetworkRule { protocol: None, addresses: None, ports: Ports::ALL };

    /// One port at some addresses.
    pub(crate) fn of(protocol: Protocol, addresses: Prefix, port: u16) -> NetworkRule {
        let ports = Ports { first: port, last: port };
        NetworkRule { protocol: Some(protocol), addresses: Some(addresses), ports }
    }

    /// Whether everything that `other` covers is covered.
    pub fn covers(&self, other: &NetworkRule) -> bool {
        self.intersection(other) == Some(*other)
    }

    /// The rule that covers what both cover; `None` if that is nothing.
    pub fn intersection(&self, other: &NetworkRule) -> Option<NetworkRule> {
        let same = |one, two| (one == two).then_some(one);
        Some(NetworkRule {
            protocol: both(self.protocol, other.protocol, same)?,
            addresses: both(self.addresses, other.addresses, Prefix::intersection)?,
            ports: self.ports.intersection(other.ports)?,
        })
    }

    /// Grows with the bits that protocol and addresses fix.
    pub(crate) fn narrowness(&self) -> (Option<u8>, bool) {
        (self.addresses.map(|prefix| prefix.length), self.protocol.is_some())
    }

    pub(crate) fn ports_count(&self) -> u32 {
        u32::from(self.ports.last - self.ports.first) + 1
    }
}

/// The intersection of two parts, of which `None` is everything.
fn both<T>(
    one: Option<T>,
    two: Option<T>,
    intersection: impl FnOnce(T, T) -> Option<T>,
) -> Option<Option<T>> {
    match (one, two) {
        (None, any) | (any, None) => Some(any),
        (Some(one), Some(two)) => intersection(one, two).map(Some),
    }
}

/// The addresses of one family that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Prefix {
    first: IpAddr,
    length: u8,
}

impl Prefix {
    pub(crate) const ALL_V4: Prefix =
        Prefix { first: IpAddr::V4(Ipv4Addr::UNSPECIFIED), length: 0 };
    pub(crate) const ALL_V6: Prefix =
        Prefix { first: IpAddr::V6(Ipv6Addr::UNSPECIFIED), length: 0 };

    /// One address, which must not be an IPv4 address in IPv6 form.
    pub(crate) const fn one(address: IpAddr) -> Prefix {
        let length = if address.is_ipv4() { 32 } else { 128 };
        Prefix { first: address, length }
    }

    /// Prefixes either lie within each other or have nothing in common.
    fn intersection(self, other: Prefix) -> Option<Prefix> {
        let (wide, narrow) =
            if self.length <= other.length { (self, other) } else { (other, self) };
        (cut(narrow.first, wide.length) == wide.first).then_some(narrow)
    }
}

/// The address with all bits behind the first `length` cleared.
fn cut(address: IpAddr, length: u8) -> IpAddr {
    let shift = |width: u8| u32::from(width.saturating_sub(length));
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(shift(32)).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(shift(128)).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    }
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    const ALL: Ports = Ports { first: 0, last: u16::MAX };

    fn intersection(self, other: Ports) -> Option<Ports> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then_some(Ports { first, last })
    }
}

/// Why a text is no rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NetworkRuleError {
    /// The part before the first colon.
    #[error(
        "`{0}` is no protocol: write tcp, udp or *, then addresses and ports, as in \
         tcp:127.0.0.0/8:8000-8999"
    )]
    Protocol(String),
    /// The part between, as far as it was understood.
    #[error(
        "`{0}` is no address: write an IPv4 address, an IPv6 address in brackets, a prefix such as \
         10.0.0.0/8 or [2001:db8::/32], or *; names are not known here, since the addresses are \
         checked that a name leads to"
    )]
    Addresses(String),
    /// The first address of a prefix, its length, and what it would be with that length.
    #[error("{0} has bits beyond the first {1}: write {2}/{1}")]
    BitsBeyondPrefix(IpAddr, u8, IpAddr),
    /// The part at the end.
    #[error("`{0}` is no port: write a number up to 65535, a range such as 8000-8999, or *")]
    Ports(String),
}

impl FromStr for NetworkRule {
    type Err = NetworkRuleError;

    fn from_str(text: &str) -> Result<NetworkRule, NetworkRuleError> {
        let (protocol, rest) = text.split_once(':').unwrap_or((text, ANY));
        let protocol = match protocol {
            ANY => None,
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            _ => return Err(NetworkRuleError::Protocol(protocol.to_owned())),
        };
        // The colons within brackets belong to the address.
        let addresses_end = rest.find(']').map_or(0, |end| end + 1);
        let colon = rest[addresses_end..].find(':').map(|at| addresses_end + at);
        let (addresses, ports) = match colon {
            Some(colon) => (&rest[..colon], &rest[colon + 1..]),
            None => (rest, ANY),
        };
        Ok(NetworkRule { protocol, addresses: addresses_of(addresses)?, ports: ports_of(ports)? })
    }
}

const ANY: &str = "*";

fn addresses_of(text: &str) -> Result<Option<Prefix>, NetworkRuleError> {
    if text == ANY {
        return Ok(None);
    }
    let wrong = || NetworkRuleError::Addresses(text.to_owned());
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = in_brackets.unwrap_or(text);
    let (first, length) = match inner.split_once('/') {
        Some((first, length)) => (first, Some(number::<u8>(length).ok_or_else(wrong)?)),
        None => (inner, None),
    };
    let first: IpAddr = first.parse().map_err(|_| wrong())?;
    let longest = Prefix::one(first).length;
    let length = length.unwrap_or(longest);
    if first.is_ipv6() != in_brackets.is_some() || length > longest {
        return Err(wrong());
    }
    let cut = cut(first, length);
    if cut != first {
        return Err(NetworkRuleError::BitsBeyondPrefix(first, length, cut));
    }
    // Whatever begins like an IPv4 address in IPv6 form, and cut where it is, has 96 bits or more.
    let canonical = first.to_canonical();
    let length = length - (longest - Prefix::one(canonical).length);
    Ok(Some(Prefix { first: canonical, length }))
}

fn ports_of(text: &str) -> Result<Ports, NetworkRuleError> {
    if text == ANY {
        return Ok(Ports::ALL);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Ports { first, last }),
        _ => Err(NetworkRuleError::Ports(text.to_owned())),
    }
}

/// A number in digits only.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

impl fmt::Display for NetworkRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == NetworkRule::ALL {
            return f.write_str(ANY);
        }
        match self.protocol {
            Some(protocol) => write!(f, "{protocol}:")?,
            None => f.write_str("*:")?,
        }
        match self.addresses {
            Some(prefix) => write!(f, "{prefix}:")?,
            None => f.write_str("*:")?,
        }
        match self.ports {
            Ports::ALL => f.write_str(ANY),
            Ports { first, last } if first == last => write!(f, "{first}"),
            Ports { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Prefix { first, length } = *self;
        let (open, close) = if first.is_ipv6() { ("[", "]") } else { ("", "") };
        write!(f, "{open}{first}")?;
        if length < Prefix::one(first).length {
            write!(f, "/{length}")?;
        }
        f.write_str(close)
    }
}
