//! The chats of examples/languages against each other: a server in each language, and in its room a
//! guest of ours that hears everything, guests that behave badly, and a guest of each language.
//!
//! What must stay true: one step begins when the guest of ours has heard the end of the one before,
//! so that all is heard in a fixed order.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::languages_table::Language;
use crate::served::{LIMIT, Served};
use crate::shell;

/// The longest line that a guest may send.
const LINE_MAX_BYTES: usize = 1024;

/// Every server with every guest.
pub fn run_all(lunatic: &Path, languages: &[&Language]) -> Result<()> {
    for server in languages {
        let mut serve = Command::new(lunatic);
        serve.arg("run").arg(server.module("chat")).args(["serve", "127.0.0.1:0"]);
        let served = Served::start(&mut serve)?;
        let heard = one_room(lunatic, served.address, languages);
        let said = served.stop()?;
        heard.with_context(|| format!("a chat whose server is in {}\n{said}", server.name))?;
    }
    Ok(())
}

fn one_room(lunatic: &Path, address: SocketAddr, languages: &[&Language]) -> Result<()> {
    let mut ours = Guest::join(address, "ours")?;
    ours.hears("* ours is here")?;
    let longest = "x".repeat(LINE_MAX_BYTES);
    ours.says(&format!("{longest}\r\n"))?;
    ours.hears(&format!("ours: {longest}"))?;

    // One that sends a line that is too long, and one that leaves within a line.
    let mut long = Guest::join(address, "long")?;
    ours.hears("* long is here")?;
    long.says(&format!("{longest}x\n"))?;
    ours.hears("* long has left")?;
    let mut half = Guest::join(address, "half")?;
    ours.hears("* half is here")?;
    half.says("no en")?;
    half.stream.shutdown(Shutdown::Both)?;
    ours.hears("* half has left")?;

    for guest in languages {
        let name = guest.name;
        let mut talk = Command::new(lunatic);
        talk.arg("run").arg(guest.module("chat"));
        talk.args(["talk", &address.to_string(), name, "hello", "to all"]);
        let finished = shell::run_limited(&mut talk, LIMIT)?;
        let lines =
            [format!("* {name} is here"), format!("{name}: hello"), format!("{name}: to all")];
        ensure!(
            finished.success() && finished.stdout == lines.join("\n") + "\n",
            "a guest in {name} failed ({}); it printed\n{}\n{}",
            finished.ending(),
            finished.stdout,
            finished.stderr
        );
        for line in &lines {
            ours.hears(line)?;
        }
        ours.hears(&format!("* {name} has left"))?;
    }
    Ok(())
}

/// A guest of ours.
struct Guest {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Guest {
    fn join(address: SocketAddr, name: &str) -> Result<Guest> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let lines = BufReader::new(stream.try_clone()?);
        let mut guest = Guest { stream, lines };
        guest.says(&format!("{name}\n"))?;
        Ok(guest)
    }

    fn says(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.write_all(text.as_bytes())?)
    }

    fn hears(&mut self, expected: &str) -> Result<()> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        read.with_context(|| format!("nothing was heard instead of `{expected}`"))?;
        ensure!(line == format!("{expected}\n"), "`{line}` was heard instead of `{expected}`");
        Ok(())
    }
}
