//! Network rights: which addresses a process may reach, and where it may listen.

/// What is done with an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Reach it: connect, or send a datagram there.
    Connect,
    /// Take it: listen, or receive datagrams there.
    Bind,
}

/// The protocol with which it is done. TLS is TCP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}
