//! UDP sockets with what belongs to them in all processes that have a handle.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use lunatic_node::OpenDescriptor;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::Mutex;

use crate::net::{Timeout, has_something};

/// A UDP socket. One process receives at a time; others wait their turn.
pub(crate) struct DatagramSocket {
    pub(crate) socket: UdpSocket,
    pub(crate) receiving: Mutex<()>,
    pub(crate) receive_timeout: Timeout,
    _place: OpenDescriptor,
}

impl DatagramSocket {
    pub(crate) fn new(socket: UdpSocket, place: OpenDescriptor) -> DatagramSocket {
        let receive_timeout = Timeout::default();
        DatagramSocket { socket, receiving: Mutex::default(), receive_timeout, _place: place }
    }

    fn system(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Whether a receive has something to tell, whatever Tokio knows of it yet. A datagram that is
    /// longer than what is looked at here is an error on some systems.
    pub(crate) fn has_something(&self) -> bool {
        has_something(&self.system()).unwrap_or(true)
    }

    /// Whether it speaks IPv4, on whose options those of IPv6 have no effect, and the reverse.
    fn is_v4(&self) -> io::Result<bool> {
        self.socket.local_addr().map(|address| address.is_ipv4())
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Hops that a datagram to one receiver may take.
    pub(crate) fn ttl(&self) -> io::Result<u32> {
        if self.is_v4()? { self.socket.ttl() } else { self.system().unicast_hops_v6() }
    }

    pub(crate) fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        if self.is_v4()? {
            self.socket.set_ttl(ttl)
        } else {
            self.system().set_unicast_hops_v6(ttl)
        }
    }

    /// Whether this host hears what it sends to groups that it has joined.
    pub(crate) fn multicast_loop(&self) -> io::Result<bool> {
        if self.is_v4()? {
            self.socket.multicast_loop_v4()
        } else {
            self.socket.multicast_loop_v6()
        }
    }

    pub(crate) fn set_multicast_loop(&self, on: bool) -> io::Result<()> {
        if self.is_v4()? {
            self.socket.set_multicast_loop_v4(on)
        } else {
            self.socket.set_multicast_loop_v6(on)
        }
    }

    /// Hops that a datagram to a group may take.
    pub(crate) fn multicast_ttl(&self) -> io::Result<u32> {
        if self.is_v4()? {
            self.socket.multicast_ttl_v4()
        } else {
            self.system().multicast_hops_v6()
        }
    }

    pub(crate) fn set_multicast_ttl(&self, ttl: u32) -> io::Result<()> {
        if self.is_v4()? {
            self.socket.set_multicast_ttl_v4(ttl)
        } else {
            self.system().set_multicast_hops_v6(ttl)
        }
    }

    /// Joins a group on the interface with an address, or leaves it.
    pub(crate) fn membership_v4(
        &self,
        join: bool,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        if join {
            self.socket.join_multicast_v4(group, interface)
        } else {
            self.socket.leave_multicast_v4(group, interface)
        }
    }

    /// Joins a group on the interface with a number, or leaves it.
    pub(crate) fn membership_v6(
        &self,
        join: bool,
        group: Ipv6Addr,
        interface: u32,
    ) -> io::Result<()> {
        if join {
            self.socket.join_multicast_v6(&group, interface)
        } else {
            self.socket.leave_multicast_v6(&group, interface)
        }
    }
}
