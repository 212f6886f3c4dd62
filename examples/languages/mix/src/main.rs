//! Processes of several languages in one node, under one supervisor.
//!
//! Its arguments are languages and the folders with their modules, as LANGUAGE=FOLDER: in each lie
//! `counter.wasm`, `pool.wasm` and `pubsub.wasm`, of the programs beside this one.
//!
//! * Each language's client asks each language's server. Then the servers are ended, and asked
//!   again when their supervisor has started new ones.
//! * Each language's worker is killed while it works for each language's pool.
//! * Each language's server gets messages that do not decode, and each language's client a server
//!   that answers what does not decode.
//!
//! What must stay true: everything that is printed has a fixed order, whatever runs first. Who
//! spawns a process of another language sends it its argument, and registers its name, as
//! examples/languages/README.md says.

mod clients;
mod garbage;
mod killed;
mod modules;
mod tree;

use std::error::Error;

use lunatic::message::{self, Destination, tag};
use lunatic::process::trap_exit;
use lunatic::{Mailbox, Postcard, whereis};
use tree::Up;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The three programs, and what their servers are called.
const SERVERS: [&str; 3] = ["counter", "pool", "broker"];

#[lunatic::main]
fn main(mailbox: Mailbox<Up>) -> Result<()> {
    let languages = modules::languages()?;
    let supervisor = tree::start(&languages, mailbox.this())?;
    for round in 1..=2 {
        for server in SERVERS {
            for language in &languages {
                let name = format!("{server}.{}", language.name);
                if round > 1 {
                    end(&name)?;
                }
                tree::wait_until_up(&mailbox, &name)?;
                println!("{name} is up");
            }
        }
        for server in &languages {
            for client in &languages {
                println!("round {round}: {} asks counter.{}", client.name, server.name);
                clients::run(
                    client,
                    "counter",
                    "counter_client",
                    &format!("counter.{}", server.name),
                )?;
                println!("round {round}: {} submits to pool.{}", client.name, server.name);
                clients::run(client, "pool", "pool_client", &format!("pool.{}", server.name))?;
            }
            for publisher in 0..languages.len() {
                clients::publish(round, &languages, &server.name, publisher)?;
            }
        }
    }
    killed::run(&languages, &mailbox)?;
    garbage::run(&languages)?;
    // Else the end of the supervisor, which is linked, would be ours.
    trap_exit(true);
    supervisor.stop()?;
    println!("nobody is left");
    Ok(())
}

/// Ends a server: a counter when it is told to, the others by a kill. The name is free when
/// anybody hears of the end.
fn end(name: &str) -> Result<()> {
    const CRASH: u8 = 1;
    let server = whereis(name).ok_or_else(|| format!("nobody is called {name}"))?;
    if name.starts_with("counter.") {
        message::send::<_, Postcard>(Destination::Pid(server), tag::CAST, &CRASH, None)?;
    } else {
        server.kill();
    }
    Ok(())
}
