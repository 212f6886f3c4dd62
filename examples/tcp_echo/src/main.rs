//! A TCP server that sends back what it gets, with a process for each connection. The code of a
//! connection is simple blocking code; while it waits, it costs a few kilobytes and no thread.
//!
//! Run it: `lunatic run examples/tcp_echo 127.0.0.1:7000`
//!
//! Then talk to it from as many terminals as you like: `nc 127.0.0.1 7000`

use std::io::{Read, Write};
use std::time::Duration;

use lunatic::net::{TcpListener, TcpStream};
use lunatic::{Mailbox, Process};

/// How long to wait before the next try where a connection cannot be accepted.
const PAUSE: Duration = Duration::from_millis(100);

#[lunatic::main]
fn main(_: Mailbox<()>) {
    // Port 0 lets the system choose one.
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).expect("an address that is free");
    println!("listening on {}", listener.local_addr().expect("a listener has an address"));
    loop {
        match listener.accept() {
            // The stream moves into the new process, and closes when that ends.
            Ok((stream, _)) => drop(Process::spawn(stream, echo)),
            Err(error) => {
                eprintln!("{error:?}");
                lunatic::sleep(PAUSE);
            }
        }
    }
}

fn echo(mut stream: TcpStream, _: Mailbox<()>) {
    let mut buffer = [0; 4096];
    // Both an end and an error mean that nobody listens any more.
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}
