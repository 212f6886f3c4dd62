//! Messages that do not decode: sent to each language's server and subscriber, which drop them and
//! go on; and got by each language's client as an answer, which ends it with an error.

use std::time::Duration;

use lunatic::message::{self, Destination, Pattern, tag};
use lunatic::{ExitReason, Mailbox, Postcard, Process, Raw, Ref, Spawn};
use lunatic::{register, spawn_link, whereis};

use crate::clients::end_of;
use crate::modules::{Language, with_module};
use crate::{Result, SERVERS};

/// A variant that no enum here has.
const NO_VARIANT: u8 = 99;

pub fn run(languages: &[Language]) -> Result<()> {
    for server in SERVERS {
        for language in languages {
            to_server(&format!("{server}.{}", language.name))?;
        }
    }
    for language in languages {
        to_subscriber(language)?;
    }
    let liar = spawn_link((), lie);
    register("liar", liar)?;
    for language in languages {
        as_answer(language)?;
    }
    Ok(())
}

/// Tags and bytes, none of which is a request of any server.
fn garbage() -> Vec<(i64, Vec<u8>)> {
    let reference = Ref::new(0, 1).to_bytes();
    vec![
        // Too short for the reference of a call.
        (tag::CALL, vec![0; 3]),
        (tag::CALL, [&reference[..], &[NO_VARIANT]].concat()),
        // A request that has no end, and one with something left over.
        (tag::CALL, [&reference[..], &[0x80]].concat()),
        (tag::CALL, [&reference[..], &[0; 9]].concat()),
        (tag::CAST, vec![]),
        (tag::CAST, vec![NO_VARIANT]),
        (tag::CAST, vec![0xff; 11]),
        (tag::CAST, vec![0; 70_000]),
    ]
}

fn to_server(name: &str) -> Result<()> {
    let server = whereis(name).ok_or_else(|| format!("nobody is called {name}"))?;
    for (tag, bytes) in garbage() {
        message::send::<_, Raw>(Destination::Pid(server), tag, &bytes, None)?;
        println!("{} bytes of garbage for {name}, tag {tag}", bytes.len());
    }
    // A broker counts the subscribers of an empty topic; to the others it is a question, too.
    let request = if name.starts_with("broker.") { vec![1, 0] } else { vec![0] };
    let timeout = Some(Duration::from_secs(5));
    lunatic::call::<Vec<u8>, Vec<u8>, Raw>(server, &request, timeout)?;
    if whereis(name) != Some(server) {
        return Err(format!("{name} is another process now").into());
    }
    println!("{name} goes on");
    Ok(())
}

fn to_subscriber(language: &Language) -> Result<()> {
    let broker = format!("broker.{}", language.name);
    let topic = "garbage".to_owned();
    let argument = (broker.clone(), topic.clone(), "a".to_owned());
    let (subscriber, end): (Process<(), Postcard>, _) =
        with_module(language, "pubsub", |module| {
            let spawn = Spawn::new().module(module);
            Ok(spawn.spawn_export_monitor("pubsub_subscriber", &argument)?)
        })?;
    message::send::<_, Raw>(Destination::Pid(subscriber.pid()), tag::NONE, &vec![0x80], None)?;
    let stop = (topic, "stop".to_owned());
    subscriber.pid().typed::<(String, String), Postcard>().send(stop);
    match end.wait(None).map(|down| down.reason) {
        Some(ExitReason::Normal) => {
            println!("a subscriber in {} goes on", language.name);
            Ok(())
        }
        other => Err(format!("a subscriber has ended otherwise: {other:?}").into()),
    }
}

/// Answers whatever comes with the beginning of a number.
fn lie((): (), _: Mailbox<()>) {
    let beginning = vec![0x80];
    loop {
        let Some(envelope) = message::receive(&[Pattern::MESSAGE], None) else { continue };
        let (call, sender) = (envelope.tag() == tag::CALL, envelope.sender());
        let to = match envelope.into_bytes() {
            Ok(bytes) if call => {
                let reference = bytes.first_chunk().expect("a call begins with a reference");
                Destination::Alias(Ref::from_bytes(*reference))
            }
            _ => Destination::Pid(sender),
        };
        let tag = if call { tag::REPLY } else { tag::NONE };
        message::send::<_, Raw>(to, tag, &beginning, None).expect("bytes can be written");
    }
}

fn as_answer(language: &Language) -> Result<()> {
    let name = || "liar".to_owned();
    let (counter, publisher) = (name(), (name(), name(), 3u32));
    let ends = [
        ("counter_client", end_of(language, "counter", "counter_client", &counter)?),
        ("pool_client", end_of(language, "pool", "pool_client", &name())?),
        ("pubsub_publisher", end_of(language, "pubsub", "pubsub_publisher", &publisher)?),
    ];
    for (entry, reason) in ends {
        match reason {
            ExitReason::Error(_) => println!("{entry} in {} ends with an error", language.name),
            other => return Err(format!("{entry} has ended otherwise: {other:?}").into()),
        }
    }
    Ok(())
}
