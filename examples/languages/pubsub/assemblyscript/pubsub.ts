//! A broker, subscribers and a publisher: `pubsub` of examples/languages/README.md.
//!
//! What must stay true: the bytes are those of the page; topics are kept in the order of their
//! names; the broker watches a subscriber as long as it has a topic, with one monitor.

import {
  Caller, ExitReason, Failure, Mail, MailKind, Mailbox, Pattern, Pid, Reader, ReasonKind,
  Reference, Server, SpawnOptions, Unit, Writer, argument, call, cast, exit, receive, register,
  runServer, send, spawnExport, whereis,
} from "lunatic";

enum Asks { Subscribe, Count, Wait }

/** What is called; each is answered with the subscribers of the topic. */
class BrokerCall {
  pid: Pid = new Pid();
  atLeast: u32 = 0;

  constructor(public asks: Asks = Asks.Count, public topic: string = "") {}

  encode(writer: Writer): void {
    writer.variant(this.asks).string(this.topic);
    if (this.asks == Asks.Subscribe) this.pid.encode(writer);
    if (this.asks == Asks.Wait) writer.u32(this.atLeast);
  }

  decode(reader: Reader): void {
    this.asks = reader.variant(3);
    this.topic = reader.string();
    if (this.asks == Asks.Subscribe) this.pid.decode(reader);
    if (this.asks == Asks.Wait) this.atLeast = reader.u32();
  }
}

/** What is cast: a text to publish, or a pid to unsubscribe. */
class BrokerCast {
  publishes: bool = true;
  pid: Pid = new Pid();

  constructor(public topic: string = "", public text: string = "") {}

  encode(writer: Writer): void {
    writer.variant(this.publishes ? 0 : 1).string(this.topic);
    if (this.publishes) writer.string(this.text);
    else this.pid.encode(writer);
  }

  decode(reader: Reader): void {
    this.publishes = reader.variant(2) == 0;
    this.topic = reader.string();
    if (this.publishes) this.text = reader.string();
    else this.pid.decode(reader);
  }
}

/** What subscribers get. */
class Published {
  constructor(public topic: string = "", public text: string = "") {}

  encode(writer: Writer): void {
    writer.string(this.topic).string(this.text);
  }

  decode(reader: Reader): void {
    this.topic = reader.string();
    this.text = reader.string();
  }
}

/** A caller who waits until there are so many subscribers. */
class Waiter {
  constructor(readonly caller: Caller, readonly atLeast: u32) {}
}

class Topic {
  members: Pid[] = [];
  waiters: Waiter[] = [];

  constructor(readonly name: string) {}

  find(pid: Pid): i32 {
    for (let i = 0; i < this.members.length; i++) if (this.members[i].equals(pid)) return i;
    return -1;
  }

  /** Answers those who have waited long enough. */
  answer(): void {
    const count = <u32>this.members.length;
    const still: Waiter[] = [];
    for (let i = 0; i < this.waiters.length; i++) {
      const waiter = this.waiters[i];
      if (waiter.atLeast > count) still.push(waiter);
      else waiter.caller.reply<u32>(count);
    }
    this.waiters = still;
  }
}

/** A subscriber that is watched, and how many topics it has. */
class Watched {
  topics: i32 = 0;

  constructor(readonly pid: Pid, readonly monitor: Reference) {}
}

/** By bytes of UTF-8. */
function byBytes(a: string, b: string): i32 {
  const left = String.UTF8.encode(a);
  const right = String.UTF8.encode(b);
  const common = min(left.byteLength, right.byteLength);
  const differs = memory.compare(changetype<usize>(left), changetype<usize>(right), common);
  return differs != 0 ? differs : left.byteLength - right.byteLength;
}

class Broker extends Server<BrokerCall, BrokerCast> {
  /** In the order of their names. */
  private topics: Topic[] = [];
  private watched: Watched[] = [];

  init(_argument: Unit): void {}

  handleCall(request: BrokerCall, caller: Caller): void {
    const makes = request.asks == Asks.Subscribe || request.atLeast > 0;
    const topic = this.find(request.topic, makes);
    if (topic === null) return caller.reply<u32>(0);
    if (request.asks == Asks.Subscribe) this.subscribe(topic, request.pid);
    topic.waiters.push(new Waiter(caller, request.atLeast));
    topic.answer();
  }

  handleCast(request: BrokerCast): void {
    if (request.publishes) return this.publish(request.topic, request.text);
    const topic = this.find(request.topic, false);
    if (topic !== null) this.unsubscribe(topic, request.pid);
  }

  handleMail(mail: Mail): void {
    if (mail.kind != MailKind.Down) return super.handleMail(mail);
    const left: string[] = [];
    for (let i = 0; i < this.topics.length; i++) {
      if (this.unsubscribe(this.topics[i], mail.sender)) left.push(this.topics[i].name);
    }
    for (let i = 0; i < left.length; i++) this.publish("left", left[i]);
  }

  handleUnreadable(failure: Failure): void {
    dropped(failure);
  }

  /** The topic of this name; where it is missing, makes it or gives null. */
  private find(name: string, makes: bool): Topic | null {
    let at = 0;
    while (at < this.topics.length && byBytes(this.topics[at].name, name) < 0) at++;
    if (at < this.topics.length && this.topics[at].name == name) return this.topics[at];
    if (!makes) return null;
    const topic = new Topic(name);
    this.topics.push(topic);
    for (let i = this.topics.length - 1; i > at; i--) this.topics[i] = this.topics[i - 1];
    this.topics[at] = topic;
    return topic;
  }

  private subscribe(topic: Topic, pid: Pid): void {
    if (topic.find(pid) >= 0) return;
    topic.members.push(pid);
    let at = this.watching(pid);
    if (at < 0) at = this.watched.push(new Watched(pid, pid.monitor())) - 1;
    this.watched[at].topics++;
    topic.answer();
  }

  private unsubscribe(topic: Topic, pid: Pid): bool {
    const at = topic.find(pid);
    if (at < 0) return false;
    topic.members.splice(at, 1);
    const index = this.watching(pid);
    const watched = this.watched[index];
    if (--watched.topics > 0) return true;
    watched.monitor.demonitor();
    this.watched.splice(index, 1);
    return true;
  }

  private watching(pid: Pid): i32 {
    for (let i = 0; i < this.watched.length; i++) if (this.watched[i].pid.equals(pid)) return i;
    return -1;
  }

  private publish(name: string, text: string): void {
    const topic = this.find(name, false);
    if (topic === null) return;
    const published = new Published(name, text);
    for (let i = 0; i < topic.members.length; i++) send<Published>(topic.members[i], published);
  }
}

function dropped(failure: Failure): void {
  console.error("pubsub: dropped a message: " + failure.message);
}

export function pubsub_broker(): void {
  runServer<Broker, Unit>();
}

/** Asks the broker, and gives the subscribers that there are. */
function ask(broker: Pid, asks: Asks, topic: string, atLeast: u32 = 0): u32 {
  const request = new BrokerCall(asks, topic);
  request.pid = Pid.own();
  request.atLeast = atLeast;
  return call<BrokerCall, u32>(broker, request, 5000).orExit();
}

function say(broker: Pid, topic: string, text: string): void {
  cast<BrokerCast>(broker, new BrokerCast(topic, text));
}

/** The next text of the topic; what is of others, or does not decode, is dropped. */
function hear(topic: string): string {
  const mailbox = new Mailbox<Published>();
  while (true) {
    const published = mailbox.receive();
    if (!published.ok) dropped(published.error);
    else if (published.value.topic == topic) return published.value.text;
  }
}

/** The argument of a subscriber. */
class Subscription {
  constructor(public broker: string = "", public topic: string = "", public name: string = "") {}

  encode(writer: Writer): void {
    writer.string(this.broker).string(this.topic).string(this.name);
  }

  decode(reader: Reader): void {
    this.broker = reader.string();
    this.topic = reader.string();
    this.name = reader.string();
  }
}

export function pubsub_subscriber(): void {
  const begin = argument<Subscription>().orExit();
  const broker = whereis(begin.broker);
  if (broker === null) return console.log("nobody is called " + begin.broker);
  ask(broker, Asks.Subscribe, begin.topic);
  while (true) {
    const text = hear(begin.topic);
    if (text == "stop") return;
    if (text == "leave " + begin.name) exit(ExitReason.error("left without a word"));
    if (!text.startsWith("leave ")) say(broker, "heard", begin.name + " heard " + text);
  }
}

/** The argument of a publisher. */
class Publication {
  constructor(public broker: string = "", public topic: string = "", public count: u32 = 0) {}

  encode(writer: Writer): void {
    writer.string(this.broker).string(this.topic).u32(this.count);
  }

  decode(reader: Reader): void {
    this.broker = reader.string();
    this.topic = reader.string();
    this.count = reader.u32();
    if (this.count == 0) reader.fail("a publisher without subscribers");
  }
}

/** Publishes, prints who has heard it, sorted, and gives the name of the first. */
function publishAndPrint(broker: Pid, topic: string, text: string, count: u32): string {
  say(broker, topic, text);
  const heard: string[] = [];
  for (let i: u32 = 0; i < count; i++) heard.push(hear("heard"));
  heard.sort(byBytes);
  for (let i = 0; i < heard.length; i++) console.log(heard[i]);
  return heard[0].split(" ")[0];
}

function waitUntilLeft(topic: string): void {
  while (hear("left") != topic) {}
}

export function pubsub_publisher(): void {
  const begin = argument<Publication>().orExit();
  const broker = whereis(begin.broker);
  if (broker === null) return console.log("nobody is called " + begin.broker);
  const topic = begin.topic;
  const count = begin.count;
  ask(broker, Asks.Subscribe, "heard");
  ask(broker, Asks.Subscribe, "left");
  ask(broker, Asks.Wait, topic, count);
  const first = publishAndPrint(broker, topic, "one", count);
  say(broker, topic, "leave " + first);
  waitUntilLeft(topic);
  console.log(first + " left, " + ask(broker, Asks.Count, topic).toString() + " stay");
  if (count > 1) publishAndPrint(broker, topic, "two", count - 1);
  say(broker, topic, "stop");
  for (let i: u32 = 1; i < count; i++) waitUntilLeft(topic);
  if (ask(broker, Asks.Count, topic) == 0) console.log("nobody is left");
}

export function _start(): void {
  register("broker", spawnExport<Unit>("pubsub_broker", new Unit()).orExit().pid);
  const names = ["a", "b", "c"];
  for (let i = 0; i < names.length; i++) {
    const subscription = new Subscription("broker", "news", names[i]);
    spawnExport<Subscription>("pubsub_subscriber", subscription).orExit();
  }
  const publication = new Publication("broker", "news", 3);
  const options = new SpawnOptions().monitor();
  const publisher = spawnExport<Publication>("pubsub_publisher", publication, options).orExit();
  const end = receive(-1, [Pattern.down().referring(publisher.monitor)])!;
  assert(end.reason.kind == ReasonKind.Normal, "the publisher has failed");
}
