//! A pool of supervised workers, and a client: `pool` of examples/languages/README.md.
//!
//! Build it in `examples/languages`: `cargo build --release --target wasm32-wasip1`. Run it:
//! `lunatic run target/wasm32-wasip1/release/languages_pool.wasm`
//!
//! It prints:
//!
//! ```text
//! 27: 111 steps
//! 97: 118 steps
//! 0: a worker cannot bear zero
//! 871: 178 steps
//! 6171: 261 steps
//! 0: a worker cannot bear zero
//! 77031: 350 steps
//! 1: 0 steps
//! 6 done, 2 failed
//! the pool is closed
//! ```
//!
//! What must stay true: the bytes are those of the page; a number is in the queue, with one worker,
//! or given out as a result, and never in two of these places.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use lunatic::message::{self, Destination, Down, Pattern, tag};
use lunatic::process::trap_exit;
use lunatic::server::StartError;
use lunatic::supervisor::{ChildSpec, Strategy, Supervisor};
use lunatic::{DecodeError, ExitReason, Mailbox, Pid, Postcard, Process, Spawn};
use lunatic::{register, whereis};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Call {
    Stats,
}

#[derive(Serialize, Deserialize)]
enum Cast {
    Submit { id: u32, number: u32, submitter: Process<JobResult> },
    Ready(Pid),
    Done(Pid, u32),
}

/// The id of what was submitted, and how it went.
type JobResult = (u32, Outcome);

#[derive(Serialize, Deserialize)]
enum Outcome {
    Steps(u32),
    Failed(String),
}

// ---- the pool ----

struct Job {
    id: u32,
    number: u32,
    submitter: Process<JobResult>,
}

struct Worker {
    process: Process<u32>,
    /// None: it is idle.
    job: Option<Job>,
}

#[derive(Default)]
struct Pool {
    workers: Vec<Worker>,
    waiting: VecDeque<Job>,
    done: u64,
    failed: u64,
}

/// The pool.
#[unsafe(no_mangle)]
extern "C" fn pool_server() {
    let () = argument();
    let mut pool = Pool::default();
    loop {
        let patterns = [Pattern::MESSAGE, Pattern::DOWN];
        let Some(envelope) = message::receive(&patterns, None) else { continue };
        if let Some(down) = envelope.down() {
            pool.worker_ended(down);
        } else if let Err(error) = pool.handle(envelope) {
            eprintln!("pool: dropped a message: {error}");
        }
        pool.give_work();
    }
}

impl Pool {
    fn handle(&mut self, envelope: message::Envelope) -> Result<(), DecodeError> {
        if envelope.tag() == tag::CALL {
            let (caller, Call::Stats) = envelope.decode_call::<_, Postcard>()?;
            message::reply_postcard(caller, &(self.done, self.failed))
                .expect("two numbers can be written");
            return Ok(());
        }
        match envelope.decode::<_, Postcard>()? {
            Cast::Submit { id, number, submitter } => {
                self.waiting.push_back(Job { id, number, submitter });
            }
            Cast::Ready(pid) => self.ready(pid.typed()),
            Cast::Done(pid, steps) => self.job_is_done(pid, steps),
        }
        Ok(())
    }

    fn ready(&mut self, process: Process<u32>) {
        if self.workers.iter().all(|worker| worker.process != process) {
            process.monitor();
            self.workers.push(Worker { process, job: None });
        }
    }

    fn job_is_done(&mut self, pid: Pid, steps: u32) {
        let its = self.workers.iter_mut().find(|worker| worker.process.pid() == pid);
        let Some(job) = its.and_then(|worker| worker.job.take()) else { return };
        job.submitter.send((job.id, Outcome::Steps(steps)));
        self.done += 1;
    }

    fn worker_ended(&mut self, down: Down) {
        let place = self.workers.iter().position(|worker| worker.process.pid() == down.from);
        let Some(job) = place.and_then(|place| self.workers.remove(place).job) else { return };
        let text = match down.reason {
            ExitReason::Error(text) => text,
            _ => "crashed".to_owned(),
        };
        job.submitter.send((job.id, Outcome::Failed(text)));
        self.failed += 1;
    }

    /// Gives numbers to idle workers, as long as there are both.
    fn give_work(&mut self) {
        for worker in self.workers.iter_mut().filter(|worker| worker.job.is_none()) {
            let Some(job) = self.waiting.pop_front() else { return };
            worker.process.send(job.number);
            worker.job = Some(job);
        }
    }
}

// ---- a worker ----

/// A worker. Its argument is the name of the pool.
#[unsafe(no_mangle)]
extern "C" fn pool_worker() {
    let name: String = argument();
    let Some(pool) = whereis(&name) else { lunatic::exit(ExitReason::Shutdown) };
    let mailbox = Mailbox::<u32>::new();
    cast(pool, &Cast::Ready(Pid::this()));
    loop {
        match mailbox.receive() {
            Ok(0) => lunatic::exit("a worker cannot bear zero".into()),
            Ok(number) => cast(pool, &Cast::Done(Pid::this(), collatz(number))),
            Err(error) => eprintln!("pool: dropped a message: {error}"),
        }
    }
}

/// How many steps it takes to come to 1.
fn collatz(number: u32) -> u32 {
    let mut n = u64::from(number);
    let mut steps = 0;
    while n != 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

fn cast(pool: Pid, cast: &Cast) {
    message::send::<_, Postcard>(Destination::Pid(pool), tag::CAST, cast, None)
        .expect("a cast can be written");
}

// ---- the client ----

const NUMBERS: [u32; 8] = [27, 97, 0, 871, 6171, 0, 77031, 1];

/// The client. Its argument is the name of the pool.
#[unsafe(no_mangle)]
extern "C" fn pool_client() {
    let name: String = argument();
    let Some(pool) = whereis(&name) else {
        println!("nobody is called {name}");
        return;
    };
    let mailbox = Mailbox::<JobResult>::new();
    for (id, number) in (0..).zip(NUMBERS) {
        cast(pool, &Cast::Submit { id, number, submitter: mailbox.this() });
    }
    let mut results: Vec<JobResult> = NUMBERS
        .map(|_| mailbox.receive().unwrap_or_else(|error| fail("the pool gave no result", &error)))
        .into();
    results.sort_by_key(|(id, _)| *id);
    for (number, (_, outcome)) in NUMBERS.iter().zip(results) {
        match outcome {
            Outcome::Steps(steps) => println!("{number}: {steps} steps"),
            Outcome::Failed(text) => println!("{number}: {text}"),
        }
    }
    let timeout = Some(Duration::from_secs(5));
    let (done, failed): (u64, u64) = lunatic::call::<_, _, Postcard>(pool, &Call::Stats, timeout)
        .unwrap_or_else(|error| fail("the pool did not answer", &error));
    println!("{done} done, {failed} failed");
}

// ---- all of them ----

fn fail(what: &str, error: &dyn Error) -> ! {
    lunatic::exit(format!("{what}: {error}").into())
}

/// The argument of this process; a parent that sends another one ends it.
fn argument<A: serde::de::DeserializeOwned>() -> A
where
    Postcard: lunatic::Format<A>,
{
    lunatic::argument().unwrap_or_else(|reason| lunatic::exit(reason))
}

/// Starts a worker, in the process of the supervisor.
fn start_worker(pool: String) -> Result<Pid, StartError> {
    let worker: Process<u32> = Spawn::new()
        .link()
        .spawn_export("pool_worker", &pool)
        .map_err(|error| StartError::Spawn(error.to_string()))?;
    Ok(worker.pid())
}

#[lunatic::main]
fn main() -> Result<(), Box<dyn Error>> {
    let pool: Process<()> = Spawn::new().spawn_export("pool_server", &())?;
    register("pool", pool)?;
    let name = "pool".to_owned();
    let mut supervisor =
        Supervisor::new(Strategy::OneForOne).intensity(10, Duration::from_secs(10));
    for id in ["worker 1", "worker 2", "worker 3"] {
        supervisor = supervisor.child(ChildSpec::new(id, start_worker, &name));
    }
    let supervisor = supervisor.start_link()?;
    let (_, client): (Process<()>, _) = Spawn::new().spawn_export_monitor("pool_client", &name)?;
    match client.wait(None) {
        Some(Down { reason: ExitReason::Normal, .. }) => {}
        other => return Err(format!("the client has ended otherwise: {other:?}").into()),
    }
    // Else the end of the supervisor, which is linked, would be ours.
    trap_exit(true);
    supervisor.stop()?;
    println!("the pool is closed");
    Ok(())
}
