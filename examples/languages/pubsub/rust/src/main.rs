//! A broker, subscribers and a publisher: `pubsub` of examples/languages/README.md.
//!
//! Build it in `examples/languages`: `cargo build --release --target wasm32-wasip1`. Run it:
//! `lunatic run target/wasm32-wasip1/release/languages_pubsub.wasm`
//!
//! It prints:
//!
//! ```text
//! a heard one
//! b heard one
//! c heard one
//! a left, 2 stay
//! b heard two
//! c heard two
//! nobody is left
//! ```
//!
//! What must stay true: the bytes are those of the page; the broker watches a subscriber as long as
//! it has a topic, with one monitor.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::Duration;

use lunatic::message::{self, Destination, Envelope, Pattern, tag};
use lunatic::{DecodeError, ExitReason, Mailbox, Monitor, Pid, Postcard, Process, Ref, Spawn};
use lunatic::{register, whereis};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum Call {
    Subscribe(String, Pid),
    Count(String),
    Wait(String, u32),
}

#[derive(Serialize, Deserialize)]
enum Cast {
    Publish(String, String),
    Unsubscribe(String, Pid),
}

/// What a subscriber gets: topic and text.
type Published = (String, String);

// ---- the broker ----

#[derive(Default)]
struct Broker {
    topics: BTreeMap<String, Topic>,
    monitors: HashMap<Pid, Monitor>,
}

#[derive(Default)]
struct Topic {
    /// In the order in which they subscribed.
    members: Vec<Pid>,
    /// Whom to answer as soon as there are so many.
    waiters: Vec<(u64, Ref)>,
}

/// The broker.
#[unsafe(no_mangle)]
extern "C" fn pubsub_broker() {
    let () = argument();
    let mut broker = Broker::default();
    loop {
        let patterns = [Pattern::MESSAGE, Pattern::DOWN];
        let Some(envelope) = message::receive(&patterns, None) else { continue };
        if let Some(down) = envelope.down() {
            broker.forget(down.from);
        } else if let Err(error) = broker.handle(envelope) {
            eprintln!("pubsub: dropped a message: {error}");
        }
    }
}

impl Broker {
    fn handle(&mut self, envelope: Envelope) -> Result<(), DecodeError> {
        if envelope.tag() == tag::CALL {
            let (caller, call) = envelope.decode_call::<_, Postcard>()?;
            self.answer(caller, call);
            return Ok(());
        }
        match envelope.decode::<_, Postcard>()? {
            Cast::Publish(topic, text) => self.publish(&topic, &text),
            Cast::Unsubscribe(topic, pid) => {
                self.leave(&topic, pid);
            }
        }
        Ok(())
    }

    fn answer(&mut self, caller: Ref, call: Call) {
        let count = match call {
            Call::Subscribe(topic, pid) => self.subscribe(topic, pid),
            Call::Count(topic) => self.count(&topic),
            Call::Wait(topic, at_least) if self.count(&topic) < at_least.into() => {
                let waiters = &mut self.topics.entry(topic).or_default().waiters;
                return waiters.push((at_least.into(), caller));
            }
            Call::Wait(topic, _) => self.count(&topic),
        };
        reply(caller, count);
    }

    fn count(&self, topic: &str) -> u64 {
        self.topics.get(topic).map_or(0, |topic| topic.members.len() as u64)
    }

    fn subscribe(&mut self, topic: String, pid: Pid) -> u64 {
        self.monitors.entry(pid).or_insert_with(|| pid.monitor());
        let topic = self.topics.entry(topic).or_default();
        if !topic.members.contains(&pid) {
            topic.members.push(pid);
        }
        let count = topic.members.len() as u64;
        for (_, waiter) in topic.waiters.extract_if(.., |(at_least, _)| *at_least <= count) {
            reply(waiter, count);
        }
        count
    }

    /// Takes a subscriber out of a topic; whether it was there.
    fn leave(&mut self, topic: &str, pid: Pid) -> bool {
        let Some(topic) = self.topics.get_mut(topic) else { return false };
        let Some(place) = topic.members.iter().position(|member| *member == pid) else {
            return false;
        };
        topic.members.remove(place);
        if self.topics.values().all(|topic| !topic.members.contains(&pid)) {
            self.monitors.remove(&pid).map(Monitor::demonitor);
        }
        true
    }

    fn publish(&self, topic: &str, text: &str) {
        let Some(its) = self.topics.get(topic) else { return };
        for pid in &its.members {
            pid.typed::<Published, Postcard>().send((topic.to_owned(), text.to_owned()));
        }
    }

    /// A subscriber has ended.
    fn forget(&mut self, pid: Pid) {
        let topics: Vec<String> = self.topics.keys().cloned().collect();
        for topic in topics.into_iter().filter(|topic| self.leave(topic, pid)).collect::<Vec<_>>() {
            self.publish("left", &topic);
        }
    }
}

fn reply(caller: Ref, count: u64) {
    message::reply_postcard(caller, &count).expect("a number can be written");
}

// ---- what subscribers and publishers ask for ----

fn ask(broker: Pid, call: &Call) -> u64 {
    let timeout = Some(Duration::from_secs(5));
    lunatic::call::<_, _, Postcard>(broker, call, timeout)
        .unwrap_or_else(|error| fail("the broker did not answer", &error))
}

fn publish(broker: Pid, topic: &str, text: &str) {
    let cast = Cast::Publish(topic.to_owned(), text.to_owned());
    message::send::<_, Postcard>(Destination::Pid(broker), tag::CAST, &cast, None)
        .expect("a cast can be written");
}

/// Takes the next text of the topic; drops what else comes.
fn hear(topic: &str) -> String {
    loop {
        match Mailbox::<Published>::new().receive() {
            Ok((its, text)) if its == topic => return text,
            Ok(_) => {}
            Err(error) => eprintln!("pubsub: dropped a message: {error}"),
        }
    }
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

// ---- a subscriber ----

/// A subscriber. Its argument is the broker's name, the topic, and its own name.
#[unsafe(no_mangle)]
extern "C" fn pubsub_subscriber() {
    let (broker, topic, name): (String, String, String) = argument();
    let Some(broker) = whereis(&broker) else {
        println!("nobody is called {broker}");
        return;
    };
    ask(broker, &Call::Subscribe(topic.clone(), Pid::this()));
    loop {
        let text = hear(&topic);
        match text.strip_prefix("leave ") {
            Some(who) if who == name => lunatic::exit("left without a word".into()),
            Some(_) => {}
            None if text == "stop" => return,
            None => publish(broker, "heard", &format!("{name} heard {text}")),
        }
    }
}

// ---- the publisher ----

/// The publisher. Its argument is the broker's name, the topic, and for how many subscribers it
/// waits.
#[unsafe(no_mangle)]
extern "C" fn pubsub_publisher() {
    let (name, topic, count): (String, String, u32) = argument();
    let Some(broker) = whereis(&name) else {
        println!("nobody is called {name}");
        return;
    };
    for own in ["heard", "left"] {
        ask(broker, &Call::Subscribe(own.to_owned(), Pid::this()));
    }
    ask(broker, &Call::Wait(topic.clone(), count));
    let first = publish_and_print(broker, &topic, "one", count);
    publish(broker, &topic, &format!("leave {first}"));
    wait_until_left(&topic);
    println!("{first} left, {} stay", ask(broker, &Call::Count(topic.clone())));
    publish_and_print(broker, &topic, "two", count - 1);
    publish(broker, &topic, "stop");
    for _ in 1..count {
        wait_until_left(&topic);
    }
    if ask(broker, &Call::Count(topic)) == 0 {
        println!("nobody is left");
    }
}

/// Publishes, and prints who heard it, sorted. Gives the name of the first.
fn publish_and_print(broker: Pid, topic: &str, text: &str, count: u32) -> String {
    publish(broker, topic, text);
    let mut all: Vec<String> = (0..count).map(|_| hear("heard")).collect();
    all.sort();
    for heard in &all {
        println!("{heard}");
    }
    let first = all.first().and_then(|heard| heard.split(' ').next());
    first.unwrap_or_default().to_owned()
}

fn wait_until_left(topic: &str) {
    while hear("left") != topic {}
}

// ---- all of them ----

#[lunatic::main]
fn main() -> Result<(), Box<dyn Error>> {
    let broker: Process<()> = Spawn::new().spawn_export("pubsub_broker", &())?;
    register("broker", broker)?;
    for name in ["a", "b", "c"] {
        let argument = ("broker".to_owned(), "news".to_owned(), name.to_owned());
        let _: Process<()> = Spawn::new().spawn_export("pubsub_subscriber", &argument)?;
    }
    let argument = ("broker".to_owned(), "news".to_owned(), 3u32);
    let (_, publisher): (Process<()>, _) =
        Spawn::new().spawn_export_monitor("pubsub_publisher", &argument)?;
    match publisher.wait(None).map(|down| down.reason) {
        Some(ExitReason::Normal) => Ok(()),
        other => Err(format!("the publisher has ended otherwise: {other:?}").into()),
    }
}
