//! The clients of the network benchmark, the same for both sides.
//!
//! What must stay true: a client costs less than any server that it measures. So it is blocking
//! code on two threads that works in batches: it makes the system calls that its answers need, and
//! none to wait for single sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::examples_network::at_once;
use crate::served::LIMIT;

const THREADS: usize = 2;
/// Connections that a thread opens before it goes on with the first of them.
const BATCH: usize = 32;
const MESSAGE_BYTES: usize = 64;

/// Connects, sends, receives, says goodbye and hears the goodbye of the other side, so many times.
pub fn come_and_go(address: SocketAddr, connections: usize) -> Result<Duration> {
    let begin = Instant::now();
    at_once(THREADS, |_| {
        for _ in 0..connections / THREADS / BATCH {
            let mut batch = open(address, BATCH)?;
            echo_round(&mut batch, 0)?;
            for stream in &batch {
                stream.shutdown(Shutdown::Write)?;
            }
            for stream in &mut batch {
                ensure!(stream.read(&mut [0])? == 0, "bytes came that nobody sent");
            }
        }
        Ok(())
    })?;
    Ok(begin.elapsed())
}

/// How many connections [`come_and_go`] makes of a wish.
pub fn whole_batches(connections: usize) -> usize {
    connections / THREADS / BATCH * BATCH * THREADS
}

/// Opens connections that stay.
pub fn open(address: SocketAddr, connections: usize) -> Result<Vec<TcpStream>> {
    let connect = || -> Result<TcpStream> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(stream)
    };
    (0..connections)
        .map(|index| connect().with_context(|| format!("connection {index} of {connections}")))
        .collect()
}

/// Sends one message on each connection and waits for all answers, `rounds` times.
pub fn echo(streams: &mut [TcpStream], rounds: usize) -> Result<Duration> {
    let begin = Instant::now();
    let share = streams.len().div_ceil(THREADS);
    thread::scope(|scope| {
        let threads: Vec<_> = streams
            .chunks_mut(share)
            .map(|streams| {
                scope.spawn(move || (0..rounds).try_for_each(|round| echo_round(streams, round)))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })?;
    Ok(begin.elapsed())
}

fn echo_round(streams: &mut [TcpStream], round: usize) -> Result<()> {
    let sent = [round as u8; MESSAGE_BYTES];
    for stream in streams.iter_mut() {
        stream.write_all(&sent)?;
    }
    let mut received = [0; MESSAGE_BYTES];
    for stream in streams {
        stream.read_exact(&mut received)?;
        ensure!(received == sent, "an answer is not what was sent");
    }
    Ok(())
}

/// Lets this program, and those that it starts, have as many descriptors as the system allows.
#[cfg(unix)]
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // A system may have a lower bound than it tells; then few are enough for most rows.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// There is no such limit here.
#[cfg(not(unix))]
pub fn raise_descriptor_limit() {}
