//! Network rights: what a rule covers, how it is written, and that rights only ever narrow.

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lunatic_model::Access::{Bind, Connect};
use lunatic_model::Protocol::{Tcp, Udp};
use lunatic_model::{
    Access, NETWORK_RULES_MAX, NetworkRights, NetworkRule, Protocol, TooManyRules,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::cases;

fn rule(text: &str) -> NetworkRule {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap_or_else(|error| panic!("{address}: {error}"))
}

/// Rights with the same rules for both accesses.
fn rights(rules: &[&str]) -> NetworkRights {
    let mut rights = NetworkRights::NONE;
    for text in rules {
        for access in [Connect, Bind] {
            rights.allow(access, rule(text)).expect("few rules");
        }
    }
    rights
}

#[test]
fn a_rule_covers_its_protocol_addresses_and_ports_and_nothing_else() {
    for (text, protocol, address, covered) in [
        ("*", Udp, "10.0.0.1:0", true),
        ("*", Tcp, "[2001:db8::1]:65535", true),
        ("tcp", Tcp, "10.0.0.1:80", true),
        ("tcp", Udp, "10.0.0.1:80", false),
        ("*:*:53", Udp, "[2001:db8::1]:53", true),
        ("*:*:53", Udp, "10.0.0.1:54", false),
        ("tcp:10.0.0.1", Tcp, "10.0.0.1:1", true),
        ("tcp:10.0.0.1", Tcp, "10.0.0.2:1", false),
        ("tcp:10.0.0.0/8", Tcp, "10.255.255.255:1", true),
        ("tcp:10.0.0.0/8", Tcp, "11.0.0.0:1", false),
        ("tcp:10.0.0.0/31:80", Tcp, "10.0.0.1:80", true),
        ("tcp:10.0.0.0/31:80", Tcp, "10.0.0.2:80", false),
        ("tcp:*:8000-8999", Tcp, "10.0.0.1:7999", false),
        ("tcp:*:8000-8999", Tcp, "10.0.0.1:8000", true),
        ("tcp:*:8000-8999", Tcp, "10.0.0.1:8999", true),
        ("tcp:*:8000-8999", Tcp, "10.0.0.1:9000", false),
        ("tcp:[2001:db8::/32]:443", Tcp, "[2001:db8:ffff::1]:443", true),
        ("tcp:[2001:db8::/32]:443", Tcp, "[2001:db9::1]:443", false),
        // Each family needs a prefix of its own.
        ("tcp:0.0.0.0/0", Tcp, "[2001:db8::1]:1", false),
        ("tcp:[::/0]", Tcp, "10.0.0.1:1", false),
    ] {
        for access in [Connect, Bind] {
            let allowed = rights(&[text]).allows(access, protocol, at(address));
            assert_eq!(allowed, covered, "{text}: {protocol} {address}");
        }
    }
}

#[test]
fn an_ipv4_address_in_ipv6_form_counts_as_the_ipv4_address() {
    for (text, address, covered) in [
        ("tcp:10.0.0.0/8", "[::ffff:10.1.2.3]:80", true),
        ("tcp:[::/0]", "[::ffff:10.1.2.3]:80", false),
        ("tcp:[::ffff:10.1.2.3]:80", "10.1.2.3:80", true),
        ("tcp:[::ffff:10.0.0.0/104]", "10.1.2.3:80", true),
        ("tcp:[::ffff:10.0.0.0/104]", "[::ffff:11.1.2.3]:80", false),
        ("tcp:[::ffff:0.0.0.0/96]", "[::1]:80", false),
        // This form is an IPv6 address of its own.
        ("tcp:10.0.0.0/8", "[::10.1.2.3]:80", false),
    ] {
        assert_eq!(rights(&[text]).allows(Connect, Tcp, at(address)), covered, "{text} {address}");
    }
    assert_eq!(rule("udp:[::ffff:10.0.0.0/104]:53").to_string(), "udp:10.0.0.0/8:53");
}

#[test]
fn scope_ids_and_flow_info_do_not_matter() {
    let rights = rights(&["tcp:[fe80::/10]:80"]);
    assert!(rights.allows(Connect, Tcp, at("[fe80::1%3]:80")));
    assert!(rights.allows(Connect, Tcp, at("[fe80::1]:80")));
}

#[test]
fn to_connect_to_the_unspecified_address_is_to_reach_this_machine() {
    for (rules, address, allowed) in [
        (&["tcp:127.0.0.0/8"][..], "0.0.0.0:80", false),
        (&["tcp:0.0.0.0"], "0.0.0.0:80", false),
        (&["tcp:0.0.0.0", "tcp:127.0.0.1:80"], "0.0.0.0:80", true),
        (&["tcp:0.0.0.0", "tcp:127.0.0.1:80"], "0.0.0.0:81", false),
        (&["tcp:0.0.0.0", "tcp:127.0.0.1"], "[::ffff:0.0.0.0]:80", true),
        (&["tcp:[::1]"], "[::]:80", false),
        (&["tcp:[::/0]"], "[::]:80", false),
        (&["tcp:[::/64]", "tcp:127.0.0.1"], "[::]:80", true),
        (&["tcp:*:80"], "[::]:80", true),
    ] {
        let allows = rights(rules).allows(Connect, Tcp, at(address));
        assert_eq!(allows, allowed, "{rules:?}: {address}");
    }
}

#[test]
fn to_bind_to_the_unspecified_address_needs_all_addresses_of_what_it_takes() {
    for (rules, address, allowed) in [
        (&["tcp:0.0.0.0"][..], "0.0.0.0:80", false),
        (&["tcp:0.0.0.0/1", "tcp:128.0.0.0/1"], "0.0.0.0:80", false),
        (&["tcp:0.0.0.0/0:80"], "0.0.0.0:80", true),
        (&["tcp:0.0.0.0/0:80"], "0.0.0.0:0", false),
        (&["tcp:0.0.0.0/0:80"], "[::ffff:0.0.0.0]:80", true),
        (&["tcp:[::/0]"], "[::]:80", false),
        (&["tcp:0.0.0.0/0"], "[::]:80", false),
        (&["tcp:[::/0]", "tcp:0.0.0.0/0:80"], "[::]:80", true),
        (&["tcp:*:80"], "[::]:80", true),
    ] {
        let allows = rights(rules).allows(Bind, Tcp, at(address));
        assert_eq!(allows, allowed, "{rules:?}: {address}");
    }
}

#[test]
fn to_connect_and_to_bind_are_granted_apart() {
    let mut rights = NetworkRights::NONE;
    rights.allow(Connect, rule("tcp:127.0.0.1")).expect("one rule");
    assert!(rights.allows(Connect, Tcp, at("127.0.0.1:80")));
    assert!(!rights.allows(Bind, Tcp, at("127.0.0.1:80")) && !rights.resolve);
}

#[test]
fn all_is_everything_and_none_is_nothing() {
    for (access, protocol) in [(Connect, Tcp), (Connect, Udp), (Bind, Tcp), (Bind, Udp)] {
        for address in ["10.0.0.1:80", "0.0.0.0:0", "[::]:0", "[2001:db8::1]:65535"] {
            assert!(NetworkRights::ALL.allows(access, protocol, at(address)));
            assert!(!NetworkRights::NONE.allows(access, protocol, at(address)));
        }
    }
    let mut all = rights(&["udp:*:53", "*", "tcp"]);
    all.resolve = true;
    assert_eq!(all, NetworkRights::ALL);
    all.allow(Bind, rule("tcp:10.0.0.1")).expect("nothing is added to all");
    assert_eq!(all, NetworkRights::ALL);
}

#[test]
fn a_text_that_is_no_rule_is_refused_with_what_is_wrong_in_it() {
    for (text, part) in [
        ("", "`` is no protocol"),
        ("sctp:10.0.0.1", "`sctp` is no protocol"),
        ("127.0.0.1:80", "`127.0.0.1` is no protocol"),
        ("TCP:*", "`TCP` is no protocol"),
        ("tcp:", "`` is no address"),
        ("tcp:example.com:443", "`example.com` is no address"),
        ("tcp:::1:443", "`` is no address"),
        ("tcp:[::1", "is no address"),
        ("tcp:[127.0.0.1]:80", "`[127.0.0.1]` is no address"),
        ("tcp:[::1]x:80", "`[::1]x` is no address"),
        ("tcp:[fe80::1%2]", "is no address"),
        ("tcp:10.0.0.0/33", "is no address"),
        ("tcp:10.0.0.0/+8", "is no address"),
        ("tcp:10.0.0.0/", "is no address"),
        ("tcp:[::/129]", "is no address"),
        ("tcp:10.0.0.1/8", "write 10.0.0.0/8"),
        ("tcp:[2001:db8::1/32]", "write 2001:db8::/32"),
        ("tcp:10.0.0.1:", "`` is no port"),
        ("tcp:10.0.0.1:http", "`http` is no port"),
        ("tcp:10.0.0.1:65536", "`65536` is no port"),
        ("tcp:10.0.0.1:2-1", "`2-1` is no port"),
        ("tcp:10.0.0.1:1-2-3", "is no port"),
        ("tcp:10.0.0.1:80:81", "`80:81` is no port"),
        ("tcp:*:* ", "`* ` is no port"),
    ] {
        let error = text.parse::<NetworkRule>().expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_set_holds_so_many_rules_and_those_that_others_cover_do_not_count() {
    let mut rights = NetworkRights::NONE;
    let ports = |port: usize| rule(&format!("tcp:*:{}", 2 * port));
    for port in 0..NETWORK_RULES_MAX {
        rights.allow(Connect, ports(port)).expect("as many as there may be");
        rights.allow(Connect, ports(port)).expect("the same again");
    }
    let before = rights.clone();
    assert_eq!(rights.allow(Connect, ports(NETWORK_RULES_MAX)), Err(TooManyRules));
    assert_eq!(rights, before);
    rights.allow(Bind, ports(NETWORK_RULES_MAX)).expect("the other access has its own");
    rights.allow(Connect, rule("tcp:10.0.0.1:2")).expect("it is covered already");
    rights.allow(Connect, rule("tcp:*:0-60")).expect("it covers 31 others");
    rights.allow(Connect, ports(NETWORK_RULES_MAX)).expect("there is room again");
}

#[test]
fn more_rules_than_a_set_holds_are_refused_when_two_sets_meet() {
    let (mut own, mut wish) = (NetworkRights::NONE, NetworkRights::NONE);
    for n in 0..NETWORK_RULES_MAX {
        own.allow(Bind, rule(&format!("*:*:{}", 2 * n))).expect("as many as there may be");
        wish.allow(Bind, rule(&format!("*:10.0.0.{}", 2 * n))).expect("as many as there may be");
    }
    assert_eq!(own.narrowed(&wish), Err(TooManyRules));
    assert_eq!(own.narrowed(&own).as_ref(), Ok(&own));
}

/// Few bits that meet often: the beginnings and ends of prefixes, and what lies beside them.
fn ip() -> impl Strategy<Value = IpAddr> {
    let v4 = select(vec![0, 0x0a00_0000, 0x0a00_0001, 0x0aff_ffff, 0x7f00_0001, u32::MAX])
        .prop_map(Ipv4Addr::from_bits);
    let v6 = select(vec![0, 1, 0x2001_0db8 << 96, (0x2001_0db8 << 96) | 1, u128::MAX])
        .prop_map(Ipv6Addr::from_bits);
    prop_oneof![
        4 => v4.clone().prop_map(IpAddr::from),
        4 => v6.prop_map(IpAddr::from),
        2 => v4.prop_map(|ip| ip.to_ipv6_mapped().into()),
        1 => any::<IpAddr>(),
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![select(vec![0, 1, 53, 80, 8000, 8999, u16::MAX]), any::<u16>()]
}

fn protocol() -> impl Strategy<Value = Protocol> {
    select(vec![Tcp, Udp])
}

/// Uses of addresses that rules often cover.
fn usage() -> impl Strategy<Value = (Access, Protocol, SocketAddr)> {
    let address = (ip(), port()).prop_map(|(ip, port)| SocketAddr::new(ip, port));
    (select(vec![Connect, Bind]), protocol(), address)
}

/// The parts from which a rule is written, before bits beyond its prefix are cleared.
#[derive(Clone, Debug)]
struct Parts {
    protocol: Option<Protocol>,
    addresses: Option<(IpAddr, u8)>,
    ports: (u16, u16),
}

fn parts() -> impl Strategy<Value = Parts> {
    let lengths = select(vec![0, 1, 8, 31, 32, 64, 96, 104, 127, 128]);
    let addresses = prop::option::weighted(0.8, (ip(), lengths));
    let ports = prop_oneof![Just((0, u16::MAX)), (port(), port())];
    (prop::option::of(protocol()), addresses, ports).prop_map(|(protocol, addresses, ports)| {
        Parts {
            protocol,
            addresses: addresses.map(|(ip, length)| match ip {
                IpAddr::V4(_) => (ip, length.min(32)),
                IpAddr::V6(_) => (ip, length),
            }),
            ports: (ports.0.min(ports.1), ports.0.max(ports.1)),
        }
    })
}

fn bits(ip: IpAddr) -> Vec<bool> {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1)).collect()
}

impl Parts {
    fn rule(&self) -> NetworkRule {
        let protocol = self.protocol.map_or("*".to_owned(), |protocol| protocol.to_string());
        let addresses = self.addresses.map_or("*".to_owned(), |(ip, length)| {
            let mut kept = bits(ip);
            kept[usize::from(length)..].fill(false);
            let bit = |number: u128, bit: &bool| number << 1 | u128::from(*bit);
            let number = kept.iter().fold(0, bit);
            match ip {
                IpAddr::V4(_) => format!("{}/{length}", Ipv4Addr::from_bits(number as u32)),
                IpAddr::V6(_) => format!("[{}/{length}]", Ipv6Addr::from_bits(number)),
            }
        });
        rule(&format!("{protocol}:{addresses}:{}-{}", self.ports.0, self.ports.1))
    }

    /// Whether the rule covers an address that is neither unspecified nor IPv4 in IPv6 form.
    fn cover(&self, protocol: Protocol, address: SocketAddr) -> bool {
        let length = |length: u8| usize::from(length);
        let same = |ip: IpAddr, length| bits(ip)[..length] == bits(address.ip())[..length];
        let begins_alike = match self.addresses {
            None => true,
            // An IPv4 address in IPv6 form.
            Some((IpAddr::V6(ip), bits)) if bits >= 96 && ip.to_ipv4_mapped().is_some() => {
                address.is_ipv4() && same(ip.to_canonical(), length(bits - 96))
            }
            Some((ip, bits)) => ip.is_ipv4() == address.is_ipv4() && same(ip, length(bits)),
        };
        self.protocol.is_none_or(|own| own == protocol)
            && begins_alike
            && (self.ports.0..=self.ports.1).contains(&address.port())
    }
}

fn set() -> impl Strategy<Value = NetworkRights> {
    let some = (vec(parts(), 0..5), vec(parts(), 0..5), any::<bool>());
    let some = some.prop_map(|(connect, bind, resolve)| {
        let mut rights = NetworkRights::NONE;
        rights.resolve = resolve;
        for (access, parts) in [(Connect, connect), (Bind, bind)] {
            for parts in parts {
                rights.allow(access, parts.rule()).expect("few rules");
            }
        }
        rights
    });
    prop_oneof![8 => some, 1 => Just(NetworkRights::ALL), 1 => Just(NetworkRights::NONE)]
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_set_allows_what_one_of_its_rules_covers_bit_by_bit(
        written in vec(parts(), 0..5),
        (access, protocol, address) in usage(),
    ) {
        prop_assume!(!address.ip().to_canonical().is_unspecified());
        let mut rights = NetworkRights::NONE;
        for parts in &written {
            rights.allow(access, parts.rule()).expect("few rules");
        }
        let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
        let covered = written.iter().any(|parts| parts.cover(protocol, canonical));
        prop_assert_eq!(rights.allows(access, protocol, address), covered);
    }

    #[test]
    fn what_is_written_reads_as_the_same_rule(parts in parts()) {
        let rule = parts.rule();
        let written = rule.to_string();
        prop_assert_eq!(written.parse(), Ok(rule));
        prop_assert_eq!(written.parse::<NetworkRule>().map(|rule| rule.to_string()), Ok(written));
    }

    #[test]
    fn no_text_makes_the_reader_of_rules_panic(text in "[tcpudp*:/\\[\\]0-9a-f.%+-]{0,40}") {
        if let Ok(rule) = text.parse::<NetworkRule>() {
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        }
    }

    #[test]
    fn a_child_may_do_exactly_what_its_parent_and_its_wish_allow(
        parent in set(),
        wish in set(),
        (access, protocol, address) in usage(),
    ) {
        let child = parent.narrowed(&wish).expect("few rules");
        let allowed = |rights: &NetworkRights| rights.allows(access, protocol, address);
        prop_assert_eq!(allowed(&child), allowed(&parent) && allowed(&wish));
        prop_assert_eq!(child.resolve, parent.resolve && wish.resolve);
        prop_assert_eq!(wish.narrowed(&parent), Ok(child.clone()));
        prop_assert_eq!(child.narrowed(&parent), Ok(child.clone()));
        prop_assert_eq!(parent.narrowed(&NetworkRights::ALL), Ok(parent));
    }

    #[test]
    fn what_a_process_may_not_do_none_of_its_descendants_may(
        root in set(),
        wishes in vec((any::<usize>(), set()), 0..12),
        uses in vec(usage(), 1..20),
    ) {
        let mut tree = vec![(0, root)];
        for (parent, wish) in wishes {
            let parent = parent % tree.len();
            // A child that would need too many rules is not spawned.
            if let Ok(child) = tree[parent].1.narrowed(&wish) {
                tree.push((parent, child));
            }
        }
        for (parent, rights) in &tree {
            let above = &tree[*parent].1;
            prop_assert!(above.resolve || !rights.resolve);
            for (access, protocol, address) in &uses {
                let allowed = |rights: &NetworkRights| rights.allows(*access, *protocol, *address);
                prop_assert!(allowed(above) || !allowed(rights), "{:?} {}", access, address);
            }
        }
    }
}
