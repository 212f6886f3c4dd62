//! The rows of the benchmark that need a network: examples/tcp_echo on this runtime beside a native
//! Tokio server that does the same (crates/engine/src/bin/native.rs), and examples/web under wrk.
//!
//! Clients share the machine with the server, so beside what they measure stands the processor time
//! that the server alone used, in which no client hides.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::examples_web::{self, Web};
use crate::load;
use crate::served::Served;
use crate::shell;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// So many connections, one after the other, each with one message.
    ComeAndGo(usize),
    /// Messages on open connections: how many of these, and how many messages on each.
    Echo(usize, usize),
    /// Memory of so many connections that wait.
    Idle(usize),
}

/// Units of `/proc/PID/stat` in a second; the same on every Linux that there is.
const TICKS: f64 = 100.0;

/// Asks an echo server that is started for this; none where the system does not tell.
pub fn ask(server: &mut Command, net: Net) -> Result<Option<Vec<f64>>> {
    if !Path::new("/proc/self/stat").exists() {
        return Ok(None);
    }
    let served = Served::start(server)?;
    let (address, id) = (served.address, served.id());
    let values = match net {
        Net::ComeAndGo(size) => {
            let size = load::whole_batches(size);
            load::come_and_go(address, size / 10)?;
            measured(id, size, || Ok(load::come_and_go(address, size)?.as_secs_f64()))?
        }
        Net::Echo(connections, messages) => {
            let mut streams = load::open(address, connections)?;
            load::echo(&mut streams, messages / 10)?;
            let size = connections * messages;
            measured(id, size, || Ok(load::echo(&mut streams, messages)?.as_secs_f64()))?
        }
        Net::Idle(size) => idle(address, id, size)?,
    };
    served.stop_in_peace()?;
    Ok(Some(values))
}

/// Operations in a second, and nanoseconds of the server's processor time for each.
fn measured(id: u32, size: usize, work: impl FnOnce() -> Result<f64>) -> Result<Vec<f64>> {
    let size = size as f64;
    let before = processor_seconds(id)?;
    let seconds = work()?;
    let used = processor_seconds(id)? - before;
    Ok(vec![size / seconds, used * 1e9 / size])
}

fn processor_seconds(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name before the bracket may contain anything, blanks included.
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').skip(11).take(2));
    let ticks = fields.into_iter().flatten().map(str::parse::<f64>).sum::<Result<f64, _>>();
    Ok(ticks.with_context(|| format!("/proc/{id}/stat has changed its form"))? / TICKS)
}

/// Every connection has echoed before memory is looked at, and echoes again afterwards.
fn idle(address: SocketAddr, id: u32, size: usize) -> Result<Vec<f64>> {
    let mut first = load::open(address, 1)?;
    load::echo(&mut first, 1)?;
    let (before, _) = shell::memory(id)?;
    let mut streams = load::open(address, size)?;
    load::echo(&mut streams, 1)?;
    let (after, _) = shell::memory(id)?;
    load::echo(&mut streams, 1)?;
    Ok(vec![after.saturating_sub(before) as f64 / size as f64])
}

/// Requests in a second, and the latency of half of them and of nearly all; none without wrk.
pub fn web(lunatic: &Path, kind: &str, seconds: u64) -> Result<Option<Vec<f64>>> {
    const CONNECTIONS: u64 = 64;
    if !shell::exists("wrk") {
        return Ok(None);
    }
    let web = Web::start(lunatic, "web_bench")?;
    let seen = examples_web::wrk(web.served.address, kind, CONNECTIONS, &format!("{seconds}s"))?;
    anyhow::ensure!(seen.failed == 0, "{} of {} requests failed", seen.failed, seen.requests);
    web.stop().context("the service after its load")?;
    let rate = seen.requests as f64 * 1e6 / seen.duration_us;
    Ok(Some(vec![rate, seen.p50_us * 1e3, seen.p99_us * 1e3]))
}
