//! A chat server. The room is a process with a name; each guest has two, one that reads lines and
//! one that writes them, so that who does not read keeps nobody waiting.
//!
//! Run it: `lunatic run examples/chat 127.0.0.1:7002`
//!
//! Then, in several terminals: `nc 127.0.0.1 7002`. Your first line is your name.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use lunatic::net::{TcpListener, TcpStream};
use lunatic::{Mailbox, MessageSignal, Process, ProcessDiedSignal};
use serde::{Deserialize, Serialize};

const ROOM: &str = "room";
/// Whoever has not read for so long has left.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
enum ToRoom {
    Enter { name: String, writer: Process<String> },
    Say { writer: u64, text: String },
}

#[lunatic::main]
fn main(_: Mailbox<()>) {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).expect("an address that is free");
    // Linked: a server without its room had better end.
    Process::spawn_link((), room).register(&ROOM);
    println!("listening on {}", listener.local_addr().expect("a listener has an address"));
    while let Ok((stream, _)) = listener.accept() {
        Process::spawn(stream, read_lines);
    }
}

fn room((): (), mailbox: Mailbox<ToRoom>) {
    let mailbox = mailbox.monitorable();
    let mut guests: HashMap<u64, (String, Process<String>)> = HashMap::new();
    loop {
        let line = match mailbox.receive() {
            MessageSignal::Message(ToRoom::Enter { name, writer }) => {
                mailbox.monitor(writer);
                let line = format!("* {name} is here");
                guests.insert(writer.id(), (name, writer));
                line
            }
            MessageSignal::Message(ToRoom::Say { writer, text }) => match guests.get(&writer) {
                Some((name, _)) => format!("{name}: {text}"),
                None => continue,
            },
            // However a guest has left, the room hears of it.
            MessageSignal::Signal(ProcessDiedSignal(writer)) => match guests.remove(&writer) {
                Some((name, _)) => format!("* {name} has left"),
                None => continue,
            },
        };
        guests.values().for_each(|(_, writer)| writer.send(line.clone()));
    }
}

fn read_lines(stream: TcpStream, mailbox: Mailbox<()>) {
    let room = Process::<ToRoom>::lookup(&ROOM).expect("the room is there before its guests");
    let mut lines = BufReader::new(stream.clone()).lines();
    let Some(Ok(name)) = lines.next() else { return };
    // Linked: if one of the two crashes, the other ends too.
    let writer = Process::spawn_link((stream, mailbox.this()), write_lines);
    room.send(ToRoom::Enter { name, writer });
    while let Some(Ok(text)) = lines.next() {
        room.send(ToRoom::Say { writer: writer.id(), text });
    }
    writer.kill();
}

fn write_lines((mut stream, reader): (TcpStream, Process<()>), mailbox: Mailbox<String>) {
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can always be set");
    while stream.write_all(format!("{}\n", mailbox.receive()).as_bytes()).is_ok() {}
    reader.kill();
}
