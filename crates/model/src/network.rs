//! Network rights: which addresses a process may reach, where it may listen, and whether it may
//! look up names.
//!
//! An address is judged as the system would use it: an IPv4 address in IPv6 clothes is the IPv4
//! address, and the unspecified address stands for all that it reaches or takes. **Invariants:** a
//! child's rights allow exactly what both its parent's and its wish allow; the rules of a set
//! are in order and none is covered by another, so that sets of the same rules are equal.

use std::cmp::Reverse;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::network_rule::{NetworkRule, Prefix};

/// Rules of one set for one [`Access`]. Asking for more is [`TooManyRules`].
pub const NETWORK_RULES_MAX: usize = 64;

/// What is done with an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Reach it: connect, or send a datagram there.
    Connect,
    /// Take it: listen, or receive datagrams there.
    Bind,
}

/// The protocol with which it is done. TLS is TCP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// More than [`NETWORK_RULES_MAX`] rules for one access. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "network rights have at most {NETWORK_RULES_MAX} rules for each of connect and bind; use \
     wider rules"
)]
pub struct TooManyRules;

/// What a process may do on the network. Sets with everything or nothing allocate nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkRights {
    connect: Rules,
    bind: Rules,
    /// Whether names may be looked up. What a name leads to is judged by its addresses.
    pub resolve: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Rules {
    All,
    /// What one of them covers.
    Listed(Vec<NetworkRule>),
}

impl NetworkRule {
    /// Whether a connection or datagram to an address is one of those that the rule covers, be it
    /// by another address that leads there.
    pub fn reaches(&self, protocol: Protocol, address: SocketAddr) -> bool {
        let mut needed = NetworkRights::needed(Access::Connect, protocol, address);
        needed.any(|needed| self.covers(&needed))
    }
}

impl NetworkRights {
    /// Everything.
    pub const ALL: NetworkRights =
        NetworkRights { connect: Rules::All, bind: Rules::All, resolve: true };
    /// Nothing.
    pub const NONE: NetworkRights = NetworkRights {
        connect: Rules::Listed(Vec::new()),
        bind: Rules::Listed(Vec::new()),
        resolve: false,
    };

    /// Whether an address may be used so: each rule that [`NetworkRights::needed`] gives is
    /// covered by one of this set.
    pub fn allows(&self, access: Access, protocol: Protocol, address: SocketAddr) -> bool {
        let rules = match access {
            Access::Connect => &self.connect,
            Access::Bind => &self.bind,
        };
        let Rules::Listed(rules) = rules else { return true };
        NetworkRights::needed(access, protocol, address)
            .all(|needed| rules.iter().any(|rule| rule.covers(&needed)))
    }

    /// Adds what a rule covers.
    pub fn allow(&mut self, access: Access, rule: NetworkRule) -> Result<(), TooManyRules> {
        let rules = match access {
            Access::Connect => &mut self.connect,
            Access::Bind => &mut self.bind,
        };
        if let Rules::Listed(listed) = rules {
            *rules = Rules::of(listed.iter().copied().chain([rule]).collect())?;
        }
        Ok(())
    }

    /// Takes all rules of one access away.
    pub fn deny_all(&mut self, access: Access) {
        match access {
            Access::Connect => self.connect = Rules::Listed(Vec::new()),
            Access::Bind => self.bind = Rules::Listed(Vec::new()),
        }
    }

    /// What is in both sets: what a parent with `self` gives to a child that asks for `wish`.
    pub fn narrowed(&self, wish: &NetworkRights) -> Result<NetworkRights, TooManyRules> {
        Ok(NetworkRights {
            connect: self.connect.narrowed(&wish.connect)?,
            bind: self.bind.narrowed(&wish.bind)?,
            resolve: self.resolve && wish.resolve,
        })
    }

    /// What has to be covered, each by one rule, before an address may be used so: the address
    /// itself as a rule, but for the unspecified ones.
    ///
    /// To take one of these is to take every address of its family, and that of IPv6 takes those
    /// of IPv4, too. To connect there reaches this machine: its loopback addresses must be covered
    /// with the unspecified one.
    pub fn needed(
        access: Access,
        protocol: Protocol,
        address: SocketAddr,
    ) -> impl Iterator<Item = NetworkRule> {
        const V4_LOOPBACK: Prefix = Prefix::one(IpAddr::V4(Ipv4Addr::LOCALHOST));
        const V6_LOOPBACK: Prefix = Prefix::one(IpAddr::V6(Ipv6Addr::LOCALHOST));
        let ip = address.ip().to_canonical();
        let one = Prefix::one(ip);
        let prefixes = match (ip.is_unspecified(), access, ip) {
            (false, _, _) => [Some(one), None, None],
            (true, Access::Connect, IpAddr::V4(_)) => [Some(one), Some(V4_LOOPBACK), None],
            // From a socket that is bound to an IPv4 address, :: is the IPv4 loopback.
            (true, Access::Connect, IpAddr::V6(_)) => {
                [Some(one), Some(V6_LOOPBACK), Some(V4_LOOPBACK)]
            }
            (true, Access::Bind, IpAddr::V4(_)) => [Some(Prefix::ALL_V4), None, None],
            (true, Access::Bind, IpAddr::V6(_)) => {
                [Some(Prefix::ALL_V6), Some(Prefix::ALL_V4), None]
            }
        };
        let port = address.port();
        prefixes.into_iter().flatten().map(move |prefix| NetworkRule::of(protocol, prefix, port))
    }
}

impl Rules {
    /// The fewest rules that cover the same. Takes time in the order of the number of rules times
    /// [`NETWORK_RULES_MAX`].
    fn of(mut rules: Vec<NetworkRule>) -> Result<Rules, TooManyRules> {
        // A rule stands behind all that cover it.
        rules.sort_unstable_by_key(|rule| (rule.narrowness(), Reverse(rule.ports_count()), *rule));
        let mut kept: Vec<NetworkRule> = Vec::new();
        for rule in rules {
            if kept.iter().any(|wider| wider.covers(&rule)) {
                continue;
            }
            if kept.len() == NETWORK_RULES_MAX {
                return Err(TooManyRules);
            }
            kept.push(rule);
        }
        Ok(if kept == [NetworkRule::ALL] { Rules::All } else { Rules::Listed(kept) })
    }

    fn narrowed(&self, wish: &Rules) -> Result<Rules, TooManyRules> {
        match (self, wish) {
            (Rules::All, rules) | (rules, Rules::All) => Ok(rules.clone()),
            (Rules::Listed(own), Rules::Listed(wish)) => {
                let pairs = own.iter().flat_map(|own| wish.iter().map(move |wish| (own, wish)));
                Rules::of(pairs.filter_map(|(own, wish)| own.intersection(wish)).collect())
            }
        }
    }
}
