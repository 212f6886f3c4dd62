//! The same as `tcp_echo` over TLS: only the listener knows of certificates, a connection reads and
//! writes as before.
//!
//! Make a certificate for yourself, then run it: `lunatic run examples/tls_echo 127.0.0.1:7443`
//!
//! ```sh
//! openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem
//! openssl s_client -quiet -connect 127.0.0.1:7443 -CAfile cert.pem # talk to it
//! ```

use std::io::{Read, Write};
use std::time::Duration;

use lunatic::net::{TlsListener, TlsStream};
use lunatic::{Mailbox, Process};

/// How long to wait before the next try where a connection cannot be accepted.
const PAUSE: Duration = Duration::from_millis(100);

#[lunatic::main]
fn main(_: Mailbox<()>) {
    let argument = |nth, or: &str| std::env::args().nth(nth).unwrap_or_else(|| or.to_owned());
    let read = |path: String| {
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
    };
    let (certificate, key) = (read(argument(2, "cert.pem")), read(argument(3, "key.pem")));
    let listener = TlsListener::bind(argument(1, "127.0.0.1:0"), certificate, key)
        .expect("a free address, a certificate and its key");
    println!("listening on {}", listener.local_addr().expect("a listener has an address"));
    loop {
        match listener.accept() {
            Ok((stream, _)) => drop(Process::spawn(stream, echo)),
            // Somebody who does not speak TLS, or does not trust us.
            Err(error) => {
                eprintln!("{error:?}");
                lunatic::sleep(PAUSE);
            }
        }
    }
}

fn echo(mut stream: TlsStream, _: Mailbox<()>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}
