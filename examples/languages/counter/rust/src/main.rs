//! A number in a process, and a client: `counter` of examples/languages/README.md.
//!
//! What must stay true: the bytes are those of the page, so that clients and servers in other
//! languages can be on the other side. So the server is written by hand here; `lunatic::server`
//! does the same for programs in Rust alone.

use std::error::Error;
use std::time::Duration;

use lunatic::message::{self, Destination, Pattern, tag};
use lunatic::{ExitReason, Pid, Postcard, Process, Spawn, register, whereis};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Call {
    Get,
    Add(i64),
}

#[derive(Serialize, Deserialize)]
enum Cast {
    Reset,
    Crash,
}

/// The server. Its argument is the number to begin with.
#[unsafe(no_mangle)]
extern "C" fn counter_server() {
    let mut number: i64 = argument();
    loop {
        let Some(envelope) = message::receive(&[Pattern::MESSAGE], None) else { continue };
        let handled = match envelope.tag() {
            tag::CALL => envelope.decode_call::<Call, Postcard>().map(|(caller, call)| {
                if let Call::Add(more) = call {
                    number = number.wrapping_add(more);
                }
                message::reply_postcard(caller, &number).expect("a number can be written");
            }),
            _ => envelope.decode::<Cast, Postcard>().map(|cast| match cast {
                Cast::Reset => number = 0,
                Cast::Crash => lunatic::exit("told to crash".into()),
            }),
        };
        if let Err(error) = handled {
            eprintln!("counter: dropped a message: {error}");
        }
    }
}

/// The client. Its argument is the name of the server.
#[unsafe(no_mangle)]
extern "C" fn counter_client() {
    let name: String = argument();
    let Some(counter) = whereis(&name) else {
        println!("nobody is called {name}");
        return;
    };
    println!("add 40: {}", ask(counter, &Call::Add(40)));
    println!("add 2: {}", ask(counter, &Call::Add(2)));
    println!("get: {}", ask(counter, &Call::Get));
    println!("add -50: {}", ask(counter, &Call::Add(-50)));
    tell(counter, &Cast::Reset);
    println!("reset, get: {}", ask(counter, &Call::Get));
}

fn ask(counter: Pid, call: &Call) -> i64 {
    let timeout = Some(Duration::from_secs(5));
    lunatic::call::<_, _, Postcard>(counter, call, timeout)
        .unwrap_or_else(|error| fail("the counter did not answer", &error))
}

fn tell(counter: Pid, cast: &Cast) {
    message::send::<_, Postcard>(Destination::Pid(counter), tag::CAST, cast, None)
        .expect("a cast can be written");
}

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

#[lunatic::main]
fn main() {
    let counter: Process<()> =
        Spawn::new().spawn_export("counter_server", &0i64).expect("there is room");
    register("counter", counter).expect("the name is free");
    let (_, client): (Process<()>, _) = Spawn::new()
        .spawn_export_monitor("counter_client", &"counter".to_owned())
        .expect("there is room");
    client.wait(None);

    let end = counter.pid().monitor();
    tell(counter.pid(), &Cast::Crash);
    let reason = end.wait(None).map(|down| down.reason);
    match reason {
        Some(ExitReason::Error(text)) => println!("counter has ended: {text}"),
        other => panic!("the counter has ended otherwise: {other:?}"),
    }
}
