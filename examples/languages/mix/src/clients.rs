//! Clients of each language: spawned with the name of their server, and waited for.

use lunatic::{ExitReason, Postcard, Process, Spawn};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::modules::{Language, with_module};

/// The topic of all that is published.
const TOPIC: &str = "news";

/// Runs a client, and waits for its end, which must be normal.
pub fn run<A: Serialize + DeserializeOwned>(
    language: &Language,
    program: &str,
    entry: &str,
    argument: &A,
) -> Result<()> {
    match end_of(language, program, entry, argument)? {
        ExitReason::Normal => Ok(()),
        other => Err(format!("{entry} in {} has ended otherwise: {other}", language.name).into()),
    }
}

/// Runs a client. Gives the reason of its end.
pub fn end_of<A: Serialize + DeserializeOwned>(
    language: &Language,
    program: &str,
    entry: &str,
    argument: &A,
) -> Result<ExitReason> {
    let (_, client): (Process<(), Postcard>, _) = with_module(language, program, |module| {
        Ok(Spawn::new().module(module).spawn_export_monitor(entry, argument)?)
    })?;
    let down = client.wait(None).ok_or("a wait without a timeout has ended")?;
    Ok(down.reason)
}

/// One language publishes, three subscribers in one language after the other hear it. The first of
/// them dies; which language that is goes with the publisher.
pub fn publish(round: u32, languages: &[Language], broker: &str, publisher: usize) -> Result<()> {
    let broker = format!("broker.{broker}");
    print!("round {round}: {} publishes at {broker}:", languages[publisher].name);
    for (place, name) in ["a", "b", "c"].into_iter().enumerate() {
        let language = &languages[(publisher + place) % languages.len()];
        print!(" {name} in {}", language.name);
        let argument = (broker.clone(), TOPIC.to_owned(), name.to_owned());
        let _: Process<(), Postcard> = with_module(language, "pubsub", |module| {
            Ok(Spawn::new().module(module).spawn_export("pubsub_subscriber", &argument)?)
        })?;
    }
    println!();
    let argument = (broker, TOPIC.to_owned(), 3u32);
    run(&languages[publisher], "pubsub", "pubsub_publisher", &argument)
}
