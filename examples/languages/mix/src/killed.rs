//! Workers that are killed while they work: for each pool and each worker, in every pair of
//! languages. The pool tells who submitted the number, the supervisor starts a new worker, and that
//! works on.

use std::time::Duration;

use lunatic::message::{self, Destination, Pattern, tag};
use lunatic::{Mailbox, Pid, Postcard, Raw};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::modules::Language;
use crate::tree::{self, Child, Role, Up};

/// What is submitted: the first variant of what a pool takes as a cast.
#[derive(Serialize, Deserialize)]
enum Cast {
    Submit { id: u32, number: u32, submitter: Pid },
}

#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Steps(u32),
    Failed(String),
}

pub fn run(languages: &[Language], mailbox: &Mailbox<Up>) -> Result<()> {
    for server in languages {
        for worker in languages {
            println!("a worker in {} of a pool in {}", worker.name, server.name);
            one(server, worker, mailbox)?;
        }
    }
    Ok(())
}

fn one(server: &Language, worker: &Language, mailbox: &Mailbox<Up>) -> Result<()> {
    let name = format!("pool of {} for {}", server.name, worker.name);
    let observer = mailbox.this();
    let child = Child { name: name.clone(), language: server.clone(), role: Role::Pool, observer };
    let worker = Child {
        name: "the worker".to_owned(),
        language: worker.clone(),
        role: Role::Worker(name.clone()),
        ..child.clone()
    };
    let supervisor = tree::supervisor().child(child.spec()).child(worker.spec()).start_link()?;
    let pool = tree::wait_until_up(mailbox, &name)?;
    let first = tree::wait_until_up(mailbox, &worker.name)?;
    submit(pool, 27)?;
    print_result(pool, 27)?;

    // It has a number, and never comes to work on it.
    first.suspend()?;
    submit(pool, 97)?;
    wait_until_handled(pool)?;
    first.kill();
    print_result(pool, 97)?;
    let second = tree::wait_until_up(mailbox, &worker.name)?;
    submit(pool, 97)?;
    print_result(pool, 97)?;

    // No number: it goes on.
    message::send::<_, Raw>(Destination::Pid(second), tag::NONE, &vec![0x80], None)?;
    submit(pool, 871)?;
    print_result(pool, 871)?;
    if !second.is_alive() {
        return Err("the worker has ended".into());
    }
    // Its end is no news here, and must not be ours.
    supervisor.pid().unlink();
    supervisor.stop()?;
    Ok(())
}

fn submit(pool: Pid, number: u32) -> Result<()> {
    let cast = Cast::Submit { id: 0, number, submitter: Pid::this() };
    Ok(message::send::<_, Postcard>(Destination::Pid(pool), tag::CAST, &cast, None)?)
}

/// A pool that answers has handled all that was sent to it before.
fn wait_until_handled(pool: Pid) -> Result<()> {
    const STATS: u8 = 0;
    let timeout = Some(Duration::from_secs(5));
    let _: (u64, u64) = lunatic::call::<u8, _, Postcard>(pool, &STATS, timeout)?;
    Ok(())
}

fn print_result(pool: Pid, number: u32) -> Result<()> {
    let pattern = Pattern::tag(tag::NONE).and_sender(pool);
    let envelope = message::receive(&[pattern], None).ok_or("nothing was received")?;
    let (_, outcome): (u32, Outcome) = envelope.decode::<_, Postcard>()?;
    match outcome {
        Outcome::Steps(steps) => println!("{number}: {steps} steps"),
        Outcome::Failed(text) => println!("{number}: {text}"),
    }
    Ok(())
}
