//! What hibernating, gifts and resources of the wrong kind promise: each requirement prints its name
//! when it holds.

import {
  Config, Given, GivenAlias, Mailbox, MailKind, Pattern, Pid, Reference, SpawnOptions, TcpListener,
  TcpStream, hibernate, receive, send, sendAlias, spawn, trySpawn,
} from "lunatic";

function holds(requirement: string): void {
  console.log("ok " + requirement);
}

/** Adds up what it is told, and hibernates between any two messages; 0 asks for the sum. */
function counter(mailbox: Mailbox<i32>, state: i64[]): void {
  const number = mailbox.receive().value;
  if (number == 0) return send<i64>(new Pid(<u64>state[1], <u64>state[2]), state[0]);
  hibernate<i32, i64[]>(counter, [state[0] + number, state[1], state[2]]);
}

function manyRests(): void {
  const own = Pid.own();
  const child = spawn<i32, i64[]>(counter, [0, <i64>own.node, <i64>own.id]);
  const times = 20_000;
  const watched = child.monitor();
  for (let i = 0; i < times; i++) send<i32>(child, 3);
  send<i32>(child, 0);
  // The down, if it has ended before.
  const mail = receive(-1)!;
  assert(mail.kind == MailKind.Message && mail.read<i64>().value == 3 * times);
  receive(-1, [Pattern.down().referring(watched)]);
  holds("a process hibernates as often as it likes, and its stack grows no smaller");
}

/** Hands on what it is told. */
function relay(mailbox: Mailbox<string>, to: Pid): void {
  send<string>(to, mailbox.receive().value);
}

/** In a sandbox. */
function guest(_mailbox: Mailbox<i32>, told: Pid): void {
  send<string>(told, "told");
  send<string>(new Mailbox<Given>().receive().value.pid, "given");
  sendAlias<string>(new Mailbox<GivenAlias>().receive().value.reference, "alias");
}

function gifts(): void {
  const told = spawn<string, Pid>(relay, Pid.own());
  const given = spawn<string, Pid>(relay, Pid.own());
  const options = new SpawnOptions().configured(Config.empty()).monitor();
  const child = trySpawn<i32, Pid>(guest, told, options).value;
  send<Given>(child.pid, new Given(given));
  assert(new Mailbox<string>().receive().value == "given");
  send<GivenAlias>(child.pid, new GivenAlias(Reference.alias()));
  assert(new Mailbox<string>().receive().value == "alias");
  receive(-1, [Pattern.down().referring(child.monitor)]);
  assert(told.isAlive());
  holds("a process in a sandbox reaches what it was given, and no other stranger");
}

function wrongKinds(): void {
  const own = Pid.own();
  const listener = TcpListener.bind("127.0.0.1:0").value;
  for (let i = 0; i < 1000; i++) {
    send<Given>(own, new Given(own));
    const wrong = new Mailbox<TcpStream>().receive();
    assert(!wrong.ok && wrong.error.message.includes("another kind"), wrong.error.message);
  }
  send<Given>(own, new Given(own));
  assert(new Mailbox<Given>().receive().value.pid.equals(own));
  send<TcpListener>(own, listener);
  assert(!new Mailbox<GivenAlias>().receive().ok);
  holds("a resource of another kind is a failure, and the process goes on");
}

export function _start(): void {
  manyRests();
  gifts();
  wrongKinds();
}
