//! Datagrams: one process answers each ping with a pong, another asks it three times.
//!
//! Run it: `lunatic run examples/udp_ping`
//!
//! It prints:
//!
//! ```text
//! ping 1: pong 1
//! ping 2: pong 2
//! ping 3: pong 3
//! ```
//!
//! With an address it only answers, whoever asks: `lunatic run examples/udp_ping 127.0.0.1:7001`,
//! and in another terminal `echo ping | nc -u -w1 127.0.0.1 7001`.

use std::net::SocketAddr;

use lunatic::net::UdpSocket;
use lunatic::{Mailbox, Process};

const LOCAL: &str = "127.0.0.1:0";

#[lunatic::main]
fn main(mailbox: Mailbox<SocketAddr>) {
    let given = std::env::args().nth(1);
    let address = given.clone().unwrap_or_else(|| LOCAL.to_owned());
    // Linked: if it cannot answer, this process ends too.
    let pong = Process::spawn_link((mailbox.this(), address), pong);
    let address = mailbox.receive();
    if given.is_some() {
        println!("listening on {address}");
        // Nobody sends another one.
        mailbox.receive();
    }

    let socket = UdpSocket::bind(LOCAL).expect("a free address");
    for number in 1..=3 {
        let mut answer = [0; 64];
        socket.send_to(format!("ping {number}").as_bytes(), address).expect("it fits");
        let count = socket.recv(&mut answer).expect("an answer");
        println!("ping {number}: {}", String::from_utf8_lossy(&answer[..count]));
    }
    pong.unlink();
    pong.kill();
}

fn pong((parent, address): (Process<SocketAddr>, String), _: Mailbox<()>) {
    let socket = UdpSocket::bind(address).expect("an address that is free");
    parent.send(socket.local_addr().expect("a socket has an address"));
    let mut datagram = [0; 64];
    loop {
        let Ok((count, sender)) = socket.recv_from(&mut datagram) else { continue };
        if let Some(rest) = datagram[..count].strip_prefix(b"ping") {
            // Whether it arrives is between the sender and the network.
            let _ = socket.send_to([b"pong", rest].concat().as_slice(), sender);
        }
    }
}
