//! A chat over TCP, server and guest: `chat` of examples/languages/README.md.
//!
//! Build it in `examples/languages`: `cargo build --release --target wasm32-wasip1`. The server:
//! `lunatic run target/wasm32-wasip1/release/languages_chat.wasm serve 127.0.0.1:4000`
//! A guest, with `talk 127.0.0.1:4000 a hello` in the place of `serve …`, prints:
//!
//! ```text
//! * a is here
//! a: hello
//! ```
//!
//! What must stay true: the room alone decides the order in which all hear; nothing that a guest
//! does or fails to do makes the room wait. A guest is a process that reads and one that writes,
//! linked with each other, so that both end together.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use lunatic::net::{TcpListener, TcpStream};
use lunatic::{ExitReason, Mailbox, Pid, Process, Raw, Received, Spawn, register, spawn_link};
use serde::{Deserialize, Serialize};

const LINE_MAX_BYTES: usize = 1024;
/// A line as it is heard: a name, a line, and what stands between.
const HEARD_MAX_BYTES: usize = 3 * LINE_MAX_BYTES;
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Lines are bytes: nobody here has to understand them.
type Line = Vec<u8>;
/// A process that writes to a guest.
type Writer = Process<Line, Raw>;

// ---- lines ----

struct Lines {
    from: BufReader<TcpStream>,
    max: usize,
}

impl Lines {
    fn new(stream: TcpStream, max: usize) -> Lines {
        Lines { from: BufReader::new(stream), max }
    }
}

/// Ends with the stream, and with a line that is too long.
impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let mut line = Vec::new();
        let at_most = self.max as u64 + 2;
        self.from.by_ref().take(at_most).read_until(b'\n', &mut line).ok()?;
        if line.pop() != Some(b'\n') {
            return None;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        (line.len() <= self.max).then_some(line)
    }
}

// ---- the room ----

#[derive(Serialize, Deserialize)]
enum ToRoom {
    Join(Guest),
    Say(Pid, Line),
}

#[derive(Serialize, Deserialize)]
struct Guest {
    reader: Pid,
    writer: Writer,
    name: Line,
}

fn keep_room((): (), mailbox: Mailbox<ToRoom>) {
    let mut guests: Vec<Guest> = Vec::new();
    loop {
        match mailbox.receive_any(None) {
            Ok(Received::Message(ToRoom::Join(guest))) => {
                guest.reader.monitor();
                let line = [b"* ", &guest.name[..], b" is here\n"].concat();
                guests.push(guest);
                tell_all(&guests, &line);
            }
            Ok(Received::Message(ToRoom::Say(reader, line))) => {
                let Some(guest) = guests.iter().find(|guest| guest.reader == reader) else {
                    continue;
                };
                tell_all(&guests, &[&guest.name[..], b": ", &line, b"\n"].concat());
            }
            Ok(Received::Down(down)) => {
                let place = guests.iter().position(|guest| guest.reader == down.from);
                let Some(place) = place else { continue };
                let guest = guests.remove(place);
                tell_all(&guests, &[b"* ", &guest.name[..], b" has left\n"].concat());
            }
            Ok(Received::Exit(_)) => {}
            Err(error) => eprintln!("chat: dropped a message: {error}"),
        }
    }
}

/// Who has no room for the line in the mailbox is shown out.
fn tell_all(guests: &[Guest], line: &Line) {
    for guest in guests {
        if guest.writer.send_within(line.clone(), Some(Duration::ZERO)).is_err() {
            guest.reader.exit(ExitReason::Shutdown);
        }
    }
}

// ---- a guest's processes in the server ----

/// Ends other than normal, so that the writer ends, too.
fn read_from_guest(
    (room, stream): (Process<ToRoom>, TcpStream),
    mailbox: Mailbox<()>,
) -> ExitReason {
    let writer = spawn_link(stream.clone(), write_to_guest);
    let reader = mailbox.this().pid();
    let mut lines = Lines::new(stream, LINE_MAX_BYTES);
    if let Some(name) = lines.next() {
        room.send(ToRoom::Join(Guest { reader, writer, name }));
        for line in lines {
            room.send(ToRoom::Say(reader, line));
        }
    }
    ExitReason::Shutdown
}

fn write_to_guest(mut stream: TcpStream, mailbox: Mailbox<Line, Raw>) -> ExitReason {
    let mut write = || -> io::Result<()> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        while let Ok(line) = mailbox.receive() {
            stream.write_all(&line)?;
        }
        Ok(())
    };
    // A guest that does not read, or is gone, is no failure of ours.
    let _ = write();
    ExitReason::Shutdown
}

// ---- the roles ----

fn serve(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let room = spawn_link((), keep_room);
    register("room", room)?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming().flatten() {
        // Without room for another process the stream is closed.
        let _ = Spawn::new().spawn((room, stream), read_from_guest);
    }
    Ok(())
}

fn talk(address: &str, name: &str, said: &[String]) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)
        .map_err(|error| format!("cannot connect to {address}: {error}"))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let mut lines = Lines::new(stream.clone(), HEARD_MAX_BYTES);
    let here = format!("* {name} is here");
    writeln!(stream, "{name}")?;
    lines.find(|line| *line == here.as_bytes()).ok_or("the connection has ended")?;
    println!("{here}");
    for text in said {
        writeln!(stream, "{text}")?;
        let own = format!("{name}: {text}");
        loop {
            let heard = lines.next().ok_or("the connection has ended")?;
            println!("{}", String::from_utf8_lossy(&heard));
            if heard == own.as_bytes() {
                break;
            }
        }
    }
    Ok(())
}

#[lunatic::main]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => serve("127.0.0.1:0"),
        ["serve", address] => serve(address),
        ["talk", address, name, ..] => talk(address, name, &arguments[3..]),
        _ => Err("usage: chat serve ADDRESS | chat talk ADDRESS NAME LINE...".into()),
    }
}
