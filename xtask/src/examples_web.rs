//! Clients for examples/web: one that looks at every answer, and wrk, a load generator.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::examples_network::{Skipped, at_once, serve};
use crate::served::{LIMIT, Served, empty_folder, free_address};
use crate::shell;
use crate::workspace::root;

/// Where there is no wrk.
pub const NO_WRK: &str = "no wrk on this machine; next: apt-get install wrk";

/// The service, with a database in a folder of its own.
pub struct Web {
    /// It.
    pub served: Served,
    folder: PathBuf,
}

impl Web {
    /// Starts it on an empty database; `name` is of the folder.
    pub fn start(lunatic: &Path, name: &str) -> Result<Self> {
        Self::start_in(lunatic, empty_folder(name)?)
    }

    fn start_in(lunatic: &Path, folder: PathBuf) -> Result<Self> {
        let address = free_address()?;
        let mut command = serve(lunatic, "web", &[&address.to_string(), "notes.db"]);
        let served = Served::start_at(address, command.current_dir(&folder))?;
        Ok(Self { served, folder })
    }

    /// Ends it and removes its database.
    pub fn stop(self) -> Result<()> {
        self.served.stop_in_peace()?;
        Ok(std::fs::remove_dir_all(self.folder)?)
    }
}

/// As the service writes it.
#[derive(Deserialize)]
struct Note {
    id: u64,
    text: String,
}

/// Notes of many clients at once are all kept, each under an id of its own, and are still there
/// when the service has been killed and started again.
pub fn correctness(lunatic: &Path) -> Result<Skipped> {
    const CLIENTS: usize = 16;
    const NOTES: usize = 6;
    let web = Web::start(lunatic, "web")?;
    let address = web.served.address;
    at_once(CLIENTS, |index| {
        let mut client = Client::connect(address)?;
        for number in 0..NOTES {
            let (status, id) = client.ask("POST", "/notes", &format!("note {index} {number}"))?;
            ensure!(status == 201 && id.parse::<u64>().is_ok(), "{status} {id} to a note");
            let (status, body) = client.ask("GET", "/health", "")?;
            ensure!((status, body.as_str()) == (200, "well"), "health is {status} {body}");
        }
        Ok(())
    })?;
    let (status, _) = Client::connect(address)?.ask("GET", "/nowhere", "")?;
    ensure!(status == 404, "{status} for a page that does not exist");
    check_notes(address, CLIENTS, NOTES)?;

    web.served.stop_in_peace()?;
    let web = Web::start_in(lunatic, web.folder)?;
    check_notes(web.served.address, CLIENTS, NOTES).context("after a restart")?;
    web.stop()?;
    Ok(None)
}

fn check_notes(address: SocketAddr, clients: usize, notes: usize) -> Result<()> {
    let (status, body) = Client::connect(address)?.ask("GET", "/notes", "")?;
    ensure!(status == 200, "the notes are answered with {status}");
    let mut found: Vec<Note> = serde_json::from_str(&body)?;
    let total = clients * notes;
    ensure!(
        found.iter().map(|note| note.id).eq((1..=total as u64).rev()),
        "the ids of {total} notes are not those from {total} down to 1"
    );
    found.sort_by(|a, b| a.text.cmp(&b.text));
    let mut expected: Vec<String> =
        (0..total).map(|index| format!("note {} {}", index / notes, index % notes)).collect();
    expected.sort();
    ensure!(found.iter().map(|note| &note.text).eq(&expected), "some notes are lost or changed");
    Ok(())
}

/// Under load no answer is wrong and none is missing.
pub fn load(lunatic: &Path) -> Result<Skipped> {
    const CONNECTIONS: u64 = 64;
    if !shell::exists("wrk") {
        return Ok(Some(NO_WRK));
    }
    let web = Web::start(lunatic, "web_load")?;
    let address = web.served.address;
    let Wrk { requests, failed, wrong, inserted, .. } = wrk(address, "checked", CONNECTIONS, "2s")?;
    ensure!(
        failed == 0 && wrong == 0 && inserted > 0 && inserted < requests,
        "of {requests} requests {failed} failed, {wrong} had a wrong answer, {inserted} inserted"
    );
    let (_, newest) = Client::connect(address)?.ask("POST", "/notes", "the last")?;
    // wrk leaves without the answers to its last requests.
    let kept: u64 = newest.parse::<u64>().context("an id is a number")? - 1;
    ensure!(
        (inserted..=inserted + CONNECTIONS).contains(&kept),
        "{inserted} notes were confirmed and {kept} are kept"
    );
    web.stop()?;
    Ok(None)
}

/// What wrk has seen.
#[derive(Deserialize)]
pub struct Wrk {
    /// Answers.
    pub requests: u64,
    /// Without an answer, or with another status than 2xx.
    pub failed: u64,
    /// Answers that are not as expected, in the kind `checked`.
    pub wrong: u64,
    /// Notes whose insertion was confirmed, in the kind `checked`.
    pub inserted: u64,
    /// Of the whole run.
    pub duration_us: f64,
    /// Latency of half of the requests, at most.
    pub p50_us: f64,
    /// Of all but a hundredth.
    pub p99_us: f64,
}

/// Runs wrk with requests of a kind of xtask/load/web.lua, for a time in its notation.
pub fn wrk(address: SocketAddr, kind: &str, connections: u64, time: &str) -> Result<Wrk> {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", time, "--timeout", &format!("{}s", LIMIT.as_secs()), "--script"])
        .arg(root().join("xtask/load/web.lua"))
        .args([&format!("http://{address}"), "--", kind]);
    let output = shell::output(&mut command)?;
    let line = output.lines().next_back().unwrap_or("");
    serde_json::from_str(line).with_context(|| format!("wrk ended with `{line}`"))
}

/// A connection that is kept for many requests.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status and the body of the answer.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            head.push(line.trim_end().to_ascii_lowercase());
        }
        let status = head.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let length =
            head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let (Some(status), Some(length)) = (status, length) else {
            anyhow::bail!("an answer begins with {head:?}");
        };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body)?))
    }
}
