//! C without fear: a C library (`words.c`, compiled by clang and linked into this program) overruns
//! buffers, loops for ever and recurses for ever. Each time only the process that called it ends;
//! its supervisor starts a new one with fresh memory, and a neighbour that calls the same library
//! goes on all the while.
//!
//! Build it in `examples/languages` with
//! `cargo build --release --target wasm32-wasip1 --package languages_without_fear`, then run it:
//! `lunatic run target/wasm32-wasip1/release/languages_without_fear.wasm`
//!
//! It prints:
//!
//! ```text
//! limited is up
//! unlimited is up
//! neighbour is up
//! A buffer that is overrun, within the memory of the process:
//!   unlimited: Remember("Ada") = 1
//!   unlimited: Remember("a name of some twenty") = 1953391991
//!   unlimited is up again
//!   unlimited: Length("hello") = 5
//!   neighbour: Remember("Grace") = 1
//!   unlimited: Remember("Ada") = 1
//! A buffer that is overrun to the end of the memory:
//!   unlimited: Blanks(64) = 32
//!   unlimited: Blanks(4294967295) ends it: out of bounds memory access
//!   unlimited is up again
//!   unlimited: Length("hello") = 5
//!   neighbour: Remember("Grace") = 2
//! A recursion for ever:
//!   unlimited: Sum(100) = 5050
//!   unlimited: Sum(4294967295) ends it: call stack exhausted
//!   unlimited is up again
//!   unlimited: Length("hello") = 5
//!   neighbour: Remember("Grace") = 3
//! A loop for ever, ended by a limit:
//!   limited: Halve(1024) = 10
//!   limited: Halve(0) ends it: the server has ended: went over the limit fuel_max
//!   limited is up again
//!   limited: Length("hello") = 5
//!   neighbour: Remember("Grace") = 4
//! A loop for ever, ended by who waits for it:
//!   unlimited: Halve(1024) = 10
//!   unlimited: Halve(0) has no end, and is killed
//!   unlimited is up again
//!   unlimited: Length("hello") = 5
//!   neighbour: Remember("Grace") = 5
//! ```

mod words;

use std::error::Error;
use std::ffi::CString;
use std::time::Duration;

use lunatic::message::{self, Pattern, tag};
use lunatic::server::StartError;
use lunatic::supervisor::{ChildSpec, Strategy, Supervisor};
use lunatic::{CallError, Config, ExitReason, Mailbox, Pid, Postcard, Process, Spawn};
use lunatic::{register, whereis};
use serde::{Deserialize, Serialize};

/// What a process asks the library for.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Request {
    Length(String),
    Remember(String),
    Blanks(u32),
    Halve(u32),
    Sum(u32),
}

/// A process that calls the library, as its supervisor knows it.
#[derive(Clone, Serialize, Deserialize)]
struct Worker {
    name: String,
    /// Whether its processor time has a limit, in instructions that it may execute.
    has_limit: bool,
    /// Who hears of each start.
    observer: Process<String>,
}

/// Units of 100,000 instructions.
const FUEL_MAX: u64 = 1000;

/// Answers requests with what the library says.
fn work((): (), _: Mailbox<()>) -> Result<(), Box<dyn Error>> {
    loop {
        let Some(envelope) = message::receive(&[Pattern::tag(tag::CALL)], None) else { continue };
        let (caller, request) = envelope.decode_call::<Request, Postcard>()?;
        let answer = match request {
            Request::Length(text) => words::length(&CString::new(text)?),
            Request::Remember(name) => words::remember(&CString::new(name)?),
            Request::Blanks(count) => words::blanks(count),
            Request::Halve(number) => words::halve(number),
            Request::Sum(number) => words::sum(number),
        };
        message::reply_postcard(caller, &answer)?;
    }
}

/// Starts a worker, in the process of the supervisor.
fn start(worker: Worker) -> Result<Pid, StartError> {
    let failed = |error: &dyn Error| StartError::Spawn(error.to_string());
    let config = Config::new().map_err(|error| failed(&error))?.memory_max(8 << 20);
    let config = if worker.has_limit { config.fuel_max(FUEL_MAX) } else { config };
    let process = Spawn::new().link().config(&config).spawn((), work);
    let process = process.map_err(|error| failed(&error))?;
    register(&worker.name, process).map_err(|error| failed(&error))?;
    worker.observer.send(worker.name);
    Ok(process.pid())
}

/// Asks a worker, and says what comes of it.
fn ask(name: &str, request: &Request) -> Result<(), Box<dyn Error>> {
    ask_within(name, request, None)
}

/// The same with a time limit, after which the worker is killed.
fn ask_within(
    name: &str,
    request: &Request,
    timeout: Option<Duration>,
) -> Result<(), Box<dyn Error>> {
    let worker = whereis(name).ok_or("there is no such worker")?;
    match lunatic::call::<_, u32, Postcard>(worker, request, timeout) {
        Ok(answer) => println!("  {name}: {request:?} = {answer}"),
        Err(CallError::Timeout) => {
            println!("  {name}: {request:?} has no end, and is killed");
            worker.kill();
        }
        Err(CallError::Down(ExitReason::Trap(text))) => {
            println!("  {name}: {request:?} ends it: {}", text.lines().next().unwrap_or(""));
        }
        Err(error) => println!("  {name}: {request:?} ends it: {error}"),
    }
    Ok(())
}

#[lunatic::main]
fn main(mailbox: Mailbox<String>) -> Result<(), Box<dyn Error>> {
    let mut supervisor =
        Supervisor::new(Strategy::OneForOne).intensity(10, Duration::from_secs(60));
    for (name, has_limit) in [("limited", true), ("unlimited", false), ("neighbour", false)] {
        let worker = Worker { name: name.to_owned(), has_limit, observer: mailbox.this() };
        supervisor = supervisor.child(ChildSpec::new(name, start, &worker));
    }
    let supervisor = supervisor.start_link()?;
    for _ in 0..3 {
        println!("{} is up", mailbox.receive()?);
    }

    println!("A buffer that is overrun, within the memory of the process:");
    let remember = |name: &str| Request::Remember(name.to_owned());
    ask("unlimited", &remember("Ada"))?;
    ask("unlimited", &remember("a name of some twenty"))?;
    // Nothing has noticed. Who does not believe the library any more ends its process.
    whereis("unlimited").ok_or("there is no such worker")?.kill();
    recovers(&mailbox, "unlimited")?;
    ask("unlimited", &remember("Ada"))?;

    println!("A buffer that is overrun to the end of the memory:");
    ask("unlimited", &Request::Blanks(64))?;
    ask("unlimited", &Request::Blanks(u32::MAX))?;
    recovers(&mailbox, "unlimited")?;

    println!("A recursion for ever:");
    ask("unlimited", &Request::Sum(100))?;
    ask("unlimited", &Request::Sum(u32::MAX))?;
    recovers(&mailbox, "unlimited")?;

    println!("A loop for ever, ended by a limit:");
    ask("limited", &Request::Halve(1024))?;
    ask("limited", &Request::Halve(0))?;
    recovers(&mailbox, "limited")?;

    println!("A loop for ever, ended by who waits for it:");
    ask("unlimited", &Request::Halve(1024))?;
    ask_within("unlimited", &Request::Halve(0), Some(Duration::from_millis(100)))?;
    recovers(&mailbox, "unlimited")?;

    // Its end is no news here, and must not be ours.
    supervisor.pid().unlink();
    supervisor.stop()?;
    Ok(())
}

/// Waits until the supervisor has started the worker again, and shows that it works, and that the
/// neighbour has lost nothing.
fn recovers(mailbox: &Mailbox<String>, name: &str) -> Result<(), Box<dyn Error>> {
    println!("  {} is up again", mailbox.receive()?);
    ask(name, &Request::Length("hello".to_owned()))?;
    ask("neighbour", &Request::Remember("Grace".to_owned()))?;
    Ok(())
}
