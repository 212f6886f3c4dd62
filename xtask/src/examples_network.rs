//! Clients for the examples that serve: each example is started as its header says, and asked by
//! many clients at once. What is compared are bytes, never times.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use crate::served::{LIMIT, Served, empty_folder};
use crate::{guests, shell};

/// Why a client did not ask, if it did not.
pub type Skipped = Option<&'static str>;

const ANY: &str = "127.0.0.1:0";

/// An example as a server, with the arguments behind its module.
pub fn serve(lunatic: &Path, example: &str, args: &[&str]) -> Command {
    let mut command = Command::new(lunatic);
    command.arg("run").arg(guests::module(example)).args(args);
    command
}

/// Runs `client` on so many threads, and gives the first error that one of them had.
pub fn at_once(clients: usize, client: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let client = &client;
    thread::scope(|scope| {
        let all: Vec<_> = (0..clients).map(|index| scope.spawn(move || client(index))).collect();
        let ended = all.into_iter().enumerate().map(|(index, thread)| {
            let result = thread.join().unwrap_or_else(|_| Err(anyhow!("it panicked")));
            result.with_context(|| format!("client {index} of {clients}"))
        });
        // Every thread is joined before the first error is told.
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// A connection on which nothing takes for ever.
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// What client `index` sends as its message `number`: every length, and nobody else's bytes.
fn bytes_of(index: usize, number: usize) -> Vec<u8> {
    let length = 1 + (index * 7919 + number * 104_729) % 9_000;
    (0..length).map(|at| (at ^ (index * 31) ^ (number * 7)) as u8).collect()
}

/// `tcp_echo`: everybody gets back what is theirs, beside one who does not read.
pub fn tcp_echo(lunatic: &Path) -> Result<Skipped> {
    const CLIENTS: usize = 200;
    const STUCK_BYTES: usize = 8 << 20;
    let served = Served::start(&mut serve(lunatic, "tcp_echo", &[ANY]))?;
    let before = served.descriptors();

    let sent: Vec<u8> = (0..STUCK_BYTES).map(|at| (at % 251) as u8).collect();
    let mut stuck = connect(served.address)?;
    let mut writing = stuck.try_clone()?;
    thread::scope(|scope| -> Result<()> {
        let sending = scope.spawn(|| writing.write_all(&sent));
        let all_are_in = Barrier::new(CLIENTS);
        at_once(CLIENTS, |index| {
            let stream = connect(served.address);
            all_are_in.wait();
            echo_client(stream?, index)
        })?;
        let mut received = vec![0; STUCK_BYTES];
        stuck.read_exact(&mut received).context("who reads late must still get everything")?;
        ensure!(received == sent, "who read late got other bytes than were sent");
        Ok(sending.join().expect("it only writes")?)
    })?;
    drop((stuck, writing));
    served.expect_descriptors(before)?;
    served.stop_in_peace()?;
    Ok(None)
}

fn echo_client(mut stream: TcpStream, index: usize) -> Result<()> {
    for number in 0..20 {
        let sent = bytes_of(index, number);
        stream.write_all(&sent)?;
        let mut received = vec![0; sent.len()];
        stream.read_exact(&mut received)?;
        ensure!(received == sent, "message {number} came back changed");
    }
    stream.shutdown(Shutdown::Write)?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)?;
    ensure!(rest.is_empty(), "{} bytes came that nobody sent", rest.len());
    Ok(())
}

/// `udp_ping`: each sender gets the pongs of its own pings.
pub fn udp_ping(lunatic: &Path) -> Result<Skipped> {
    const TRIES: usize = 30;
    let served = Served::start(&mut serve(lunatic, "udp_ping", &[ANY]))?;
    at_once(20, |index| {
        let socket = UdpSocket::bind(ANY)?;
        // A datagram may get lost: it is sent again.
        socket.set_read_timeout(Some(LIMIT / TRIES as u32))?;
        for number in 0..50 {
            let ping = format!("ping {index} {number}");
            let pong = ping.replace("ping", "pong");
            let answered = (0..TRIES).any(|_| {
                let sent = socket.send_to(ping.as_bytes(), served.address);
                // What comes late from an earlier try is passed over.
                sent.is_ok() && datagrams(&socket).any(|datagram| datagram == pong.as_bytes())
            });
            ensure!(answered, "ping {number} had no pong in {TRIES} tries");
        }
        Ok(())
    })?;
    served.stop_in_peace()?;
    Ok(None)
}

/// What arrives, until nothing does for the socket's timeout.
fn datagrams(socket: &UdpSocket) -> impl Iterator<Item = Vec<u8>> {
    let mut datagram = [0; 64];
    std::iter::from_fn(move || {
        let count = socket.recv(&mut datagram).ok()?;
        Some(datagram[..count].to_vec())
    })
}

/// `chat`: everybody hears everybody, each of them in the order of speaking, and their leaving.
pub fn chat(lunatic: &Path) -> Result<Skipped> {
    const CLIENTS: usize = 50;
    let served = Served::start(&mut serve(lunatic, "chat", &[ANY]))?;
    let before = served.descriptors();
    let all_are_in = Barrier::new(CLIENTS);
    at_once(CLIENTS, |index| {
        let entered = enter(served.address, index);
        all_are_in.wait();
        let (mut stream, mut lines) = entered?;
        chat_client(&mut stream, &mut lines, CLIENTS)?;
        if index == 0 {
            let left =
                lines.filter(|line| line.as_ref().is_ok_and(|line| line.ends_with(" has left")));
            ensure!(left.take(CLIENTS - 1).count() == CLIENTS - 1, "not all were seen to leave");
        }
        Ok(())
    })?;
    served.expect_descriptors(before)?;
    served.stop_in_peace()?;
    Ok(None)
}

type Lines = std::io::Lines<BufReader<TcpStream>>;

/// Enters the room, and waits until one is in.
fn enter(address: SocketAddr, index: usize) -> Result<(TcpStream, Lines)> {
    let mut stream = connect(address)?;
    writeln!(stream, "{index}")?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let own = format!("* {index} is here");
    ensure!(lines.any(|line| line.is_ok_and(|line| line == own)), "was not let in");
    Ok((stream, lines))
}

fn chat_client(stream: &mut TcpStream, lines: &mut Lines, clients: usize) -> Result<()> {
    const SAID: usize = 20;
    for number in 0..SAID {
        writeln!(stream, "{number}")?;
    }
    let mut heard = vec![0; clients];
    while heard.iter().any(|count| *count < SAID) {
        let line = lines.next().context("the room closed")??;
        if line.starts_with("* ") {
            continue;
        }
        let said = line.split_once(": ").and_then(|(who, what)| {
            Some((who.parse::<usize>().ok()?, what.parse::<usize>().ok()?))
        });
        let (who, what) = said.with_context(|| format!("nobody said `{line}`"))?;
        let count = heard.get_mut(who).with_context(|| format!("who is {who}?"))?;
        ensure!(*count == what, "{who} was heard saying {what} instead of {count}");
        *count += 1;
    }
    Ok(())
}

/// `tls_echo`, asked by OpenSSL's client, beside somebody who never begins and somebody who does
/// not speak TLS.
pub fn tls_echo(lunatic: &Path) -> Result<Skipped> {
    if !shell::exists("openssl") {
        return Ok(Some("no openssl on this machine; next: apt-get install openssl"));
    }
    let folder = empty_folder("tls_echo")?;
    let mut make = Command::new("openssl");
    make.current_dir(&folder)
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"]);
    shell::output(&mut make)?;
    let served = Served::start(serve(lunatic, "tls_echo", &[ANY]).current_dir(&folder))?;
    let before = served.descriptors();
    let silent = connect(served.address)?;
    connect(served.address)?.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    at_once(8, |index| tls_client(served.address, &folder.join("cert.pem"), index))?;
    drop(silent);
    served.expect_descriptors(before)?;
    served.stop()?;
    std::fs::remove_dir_all(folder)?;
    Ok(None)
}

fn tls_client(address: SocketAddr, certificate: &Path, index: usize) -> Result<()> {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error"])
        .args(["-verify_hostname", "localhost", "-servername", "localhost"])
        .args(["-connect", &address.to_string(), "-CAfile"])
        .arg(certificate);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = piped.spawn()?;
    let talked = tls_talk(&mut client, index);
    if talked.is_err() {
        client.kill()?;
    }
    // Without its input the client says goodbye and ends.
    let output = client.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    talked.with_context(|| format!("openssl said\n{said}"))?;
    ensure!(output.status.success(), "openssl ended with {}\n{said}", output.status);
    Ok(())
}

fn tls_talk(client: &mut Child, index: usize) -> Result<()> {
    let mut input = client.stdin.take().context("stdin is piped")?;
    let lines = read_lines(client.stdout.take().context("stdout is piped")?);
    for number in 0..20 {
        let sent = format!("{index} {number} {}", "x".repeat(number * 300));
        writeln!(input, "{sent}")?;
        let received = lines.recv_timeout(LIMIT).context("no answer")?;
        ensure!(received == sent, "line {number} came back as `{received}`");
    }
    Ok(())
}

/// The lines of a pipe, to be waited for with a limit.
fn read_lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
