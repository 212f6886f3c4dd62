//! What supervisors, servers that are started, system messages and entries for other languages
//! promise: each requirement prints its name when it holds.

import {
  Caller, ChildSpec, ChildState, ExitReason, FailureKind, Mailbox, Pattern, Pid, ReasonKind,
  Reference, Result, Server, SpawnOptions, Started, Strategy, Supervisor, SupervisorRef, Tag,
  Writer, argument, call, cast, exit, fromBytes, parent, receive, register, runReportingServer,
  runServer, send, spawn, spawnExport, startServer, startServerLink, sys, toBytes, trapExit,
  whereis,
} from "lunatic";

function holds(requirement: string): void {
  console.log("ok " + requirement);
}

/** Keeps a number; says when it ends. */
class Keeper extends Server<i32, i32> {
  number: i32 = 0;
  observer: Pid = new Pid();

  init(number: i32): void {
    if (number == -1) this.ignore();
    if (number == -2) this.failStart(ExitReason.error("no start"));
    if (number == -3) assert(false, "crashed in its start");
    this.number = number;
  }

  handleCall(by: i32, caller: Caller): void {
    this.number += by;
    caller.reply<i32>(this.number);
  }

  handleCast(what: i32): void {
    if (what == 0) this.stop();
    if (what == 1) exit(ExitReason.error("told to crash"));
    if (what == 2) trapExit(true);
  }

  terminate(reason: ExitReason): void {
    const observer = whereis("observer");
    if (observer !== null) send<string>(observer, "keeper: " + reason.toString());
  }

  state(): Uint8Array {
    return toBytes<i32>(this.number);
  }

  replaceState(state: Uint8Array): string | null {
    const number = fromBytes<i32>(state);
    if (!number.ok) return number.error.message;
    this.number = number.value;
    return null;
  }

  codeChange(version: string, extra: Uint8Array): string | null {
    if (version != "1") return "it is not version 1";
    this.number = extra.length;
    return null;
  }
}

export function keeper(): void {
  runServer<Keeper, i32>();
}

export function reporting_keeper(): void {
  runReportingServer<Keeper, i32>();
}

export function says_its_argument(): void {
  send<string>(parent(), argument<string>().orExit());
}

/** A process that answers nothing, and ends when asked. */
function idle(mailbox: Mailbox<i32>, _argument: i32): void {
  mailbox.receive();
}

/** One that does not hear the exit signal shutdown. */
function deaf(_mailbox: Mailbox<i32>, observer: Pid): void {
  trapExit(true);
  send<string>(observer, "deaf");
  while (true) receive();
}

function downOf(reference: Reference): ExitReason {
  return receive(-1, [Pattern.down().referring(reference)])!.reason;
}

function startsAreWaitedFor(): void {
  assert(startServer<Keeper, i32>(-1).is(FailureKind.Ignored));
  trapExit(true);
  const failed = startServerLink<Keeper, i32>(-2);
  assert(failed.is(FailureKind.Start) && failed.error.reason!.text == "no start");
  const crashed = startServerLink<Keeper, i32>(-3);
  assert(crashed.is(FailureKind.Start));
  assert(crashed.error.reason!.text.endsWith("crashed in its start"));
  assert(receive(0) === null, "the exit of the link is not heard of, too");
  trapExit(false);
  holds("a start that fails, is ignored or crashes is a failure, and nothing else");
}

function entriesAreSpawnedByName(): void {
  spawnExport<string>("says_its_argument", "an argument");
  assert(new Mailbox<string>().receive().value == "an argument");
  const spawned = spawnExport<i32>("keeper", 5).value.pid;
  assert(call<i32, i32>(spawned, 1).value == 6);
  cast<i32>(spawned, 0);
  holds("an exported server has its argument from whoever spawns it");
  const bad = spawnExport<string>("keeper", "no number", new SpawnOptions().monitor()).value;
  const reason = downOf(bad.monitor);
  assert(reason.kind == ReasonKind.Error, reason.toString());
  assert(reason.text.includes("is no i32") && reason.text.includes(Pid.own().toString()));
  holds("an argument that does not decode is a reason that names type and sender");
}

class Begin {
  constructor(readonly waiting: Reference, readonly number: i32) {}

  encode(writer: Writer): void {
    this.waiting.encode(writer);
    writer.i32(this.number);
  }
}

function startsAreReported(): void {
  for (let number = -3; number < 1; number++) {
    const alias = Reference.alias(true);
    const options = new SpawnOptions().monitor();
    const begin = new Begin(alias, number);
    const child = spawnExport<Begin>("reporting_keeper", begin, options).value;
    if (number == -3) {
      assert(downOf(child.monitor).kind == ReasonKind.Error);
      assert(receive(0) === null);
      continue;
    }
    const told = receive(-1, [Pattern.message().referring(alias).tagged(Tag.STARTED)])!;
    const started = told.read<Started>().value;
    assert(started.variant == <u32>-number, number.toString());
    if (number == -2) assert(started.reason.text == "no start");
    if (number == 0) child.pid.exit(ExitReason.kill());
    downOf(child.monitor);
  }
  holds("an entry that reports its start says how it went, by the tag -5");
}

function systemMessagesAreAnswered(): void {
  register("observer", Pid.own());
  const pid = startServer<Keeper, i32>(7).value;
  assert(fromBytes<i32>(sys.getState(pid).value).value == 7);
  assert(sys.codeChange(pid, "1", new Uint8Array(3))!.message.includes("suspended first"));
  assert(sys.suspend(pid) === null && sys.suspend(pid) === null);
  assert(sys.getStatus(pid).value == "suspended, a server");
  assert(call<i32, i32>(pid, 1, 10).is(FailureKind.Timeout));
  assert(sys.replaceState(pid, toBytes<i32>(30)) === null);
  assert(sys.replaceState(pid, toBytes<string>("x"))!.kind == FailureKind.Refused);
  assert(sys.codeChange(pid, "2", new Uint8Array(0))!.message.includes("not version 1"));
  assert(sys.codeChange(pid, "1", new Uint8Array(3)) === null);
  assert(sys.resume(pid) === null);
  assert(sys.getStatus(pid).value == "running, a server");
  assert(call<i32, i32>(pid, 0).value == 4, "the call of before was handled after it");
  holds("a suspended server answers system messages, and the rest when it is resumed");
  send<i32>(pid, 0, Tag.SYSTEM);
  assert(call<i32, i32>(pid, 0).value == 4);
  assert(sys.stop(pid, ExitReason.shutdown()) === null && !pid.isAlive());
  assert(new Mailbox<string>().receive().value == "keeper: shutdown");
  assert(sys.stop(pid)!.kind == FailureKind.Down);
  holds("a server is stopped in order, with its terminate");
}

function parent_of_keeper(mailbox: Mailbox<i32>, _argument: i32): void {
  const pid = startServerLink<Keeper, i32>(1).value;
  cast<i32>(pid, 2);
  call<i32, i32>(pid, 0);
  exit(ExitReason.error("the parent is gone"));
}

function endsOfParents(): void {
  spawn<i32, i32>(parent_of_keeper, 0);
  assert(new Mailbox<string>().receive().value == "keeper: the parent is gone");
  holds("a server that traps exits ends with its parent, in order");
}

function children(supervisor: SupervisorRef): Pid[] {
  const infos = supervisor.children().value;
  const pids: Pid[] = [];
  for (let i = 0; i < infos.length; i++) pids.push(infos[i].pid);
  return pids;
}

/** Crashes the middle one of three, and gives who was started again. */
function survivors(strategy: Strategy): string {
  const supervisor = new Supervisor(strategy)
    .child(ChildSpec.server<Keeper, i32>("a", 1))
    .child(ChildSpec.server<Keeper, i32>("b", 2).named("b"))
    .child(ChildSpec.process<i32, i32>("c", idle, 0))
    .startLink().value;
  const before = children(supervisor);
  const watched = before[1].monitor();
  assert(call<i32, i32>(whereis("b")!, 40).value == 42);
  cast<i32>(whereis("b")!, 1);
  downOf(watched);
  const after = children(supervisor);
  assert(call<i32, i32>(whereis("b")!, 0).value == 2, "it begins anew, under its name");
  let text = "";
  for (let i = 0; i < 3; i++) text += after[i].equals(before[i]) ? "same " : "new ";
  assert(supervisor.stop() === null);
  for (let i = 0; i < 3; i++) assert(!after[i].isAlive());
  return text;
}

function supervisorsRestart(): void {
  trapExit(true);
  assert(survivors(Strategy.OneForOne) == "same new same ");
  assert(survivors(Strategy.OneForAll) == "new new new ");
  assert(survivors(Strategy.RestForOne) == "same new new ");
  while (receive(0, [Pattern.exit()]) !== null) {}
  holds("a supervisor starts those again that its strategy names, under their names");
}

function intensityEndsIt(): void {
  const supervisor = new Supervisor()
    .intensity(2, 60000)
    .child(ChildSpec.server<Keeper, i32>("a", 1).named("a"))
    .startLink().value;
  for (let i = 0; i < 3; i++) {
    const watched = whereis("a")!.monitor();
    cast<i32>(whereis("a")!, 1);
    downOf(watched);
    if (i < 2) supervisor.children();
  }
  const end = receive(-1, [Pattern.exit().sentBy(supervisor.pid)])!;
  assert(end.reason.kind == ReasonKind.Shutdown && whereis("a") === null);
  holds("a supervisor that restarts too often ends with shutdown");
}

function startsFail(): void {
  const failed = new Supervisor()
    .child(ChildSpec.server<Keeper, i32>("a", 1).named("a"))
    .child(ChildSpec.server<Keeper, i32>("b", -2))
    .startLink();
  assert(failed.is(FailureKind.Start) && failed.error.reason!.isOrderly);
  assert(whereis("a") === null, "those before it were stopped");
  const twice = new Supervisor()
    .child(ChildSpec.server<Keeper, i32>("a", 1))
    .child(ChildSpec.server<Keeper, i32>("a", 1))
    .startLink();
  assert(twice.is(FailureKind.Start) && twice.error.message.includes("there are two"));
  const taken = new Supervisor()
    .child(ChildSpec.server<Keeper, i32>("a", 1).named("observer"))
    .start();
  assert(taken.is(FailureKind.Start));
  assert(receive(0) === null);
  holds("a supervisor whose child does not start does not start either");
}

function shutdownsHaveATime(): void {
  const supervisor = new Supervisor()
    .child(ChildSpec.process<i32, Pid>("deaf", deaf, Pid.own()).endsWithin(1))
    .startLink().value;
  assert(new Mailbox<string>().receive().value == "deaf");
  const watched = children(supervisor)[0].monitor();
  assert(supervisor.stop() === null);
  assert(downOf(watched).kind == ReasonKind.Killed);
  holds("a child that does not end in its time is killed");
}

function startKeeper(number: i32): Result<Pid> {
  return startServerLink<Keeper, i32>(number);
}

function childrenComeAndGo(): void {
  const inner = new Supervisor().child(ChildSpec.server<Keeper, i32>("leaf", 1).named("leaf"));
  const supervisor = new Supervisor().child(inner.asChild("inner")).startLink().value;
  assert(call<i32, i32>(whereis("leaf")!, 0).value == 1);
  const custom = ChildSpec.custom<i32>("more", startKeeper, 9).transient();
  const more = supervisor.startChild(custom).value;
  assert(call<i32, i32>(more, 0).value == 9);
  assert(supervisor.startChild(custom).error.sender!.equals(more));
  const infos = supervisor.children().value;
  assert(infos.length == 2 && infos[0].isSupervisor && infos[1].state == ChildState.Running);
  assert(supervisor.deleteChild("more")!.kind == FailureKind.Running);
  assert(supervisor.terminateChild("more") === null && !more.isAlive());
  assert(supervisor.restartChild("more").ok);
  assert(supervisor.terminateChild("more") === null);
  assert(supervisor.deleteChild("more") === null);
  assert(supervisor.terminateChild("more")!.kind == FailureKind.NotFound);
  const temporary = ChildSpec.server<Keeper, i32>("once", -1).temporary();
  assert(supervisor.startChild(temporary).is(FailureKind.Ignored));
  assert(sys.getStatus(supervisor.pid).value == "running, a supervisor of 1");
  supervisor.stop();
  assert(whereis("leaf") === null);
  holds("supervisors have supervisors, and children that come and go");
}

export function _start(): void {
  startsAreWaitedFor();
  entriesAreSpawnedByName();
  startsAreReported();
  systemMessagesAreAnswered();
  endsOfParents();
  supervisorsRestart();
  intensityEndsIt();
  startsFail();
  shutdownsHaveATime();
  childrenComeAndGo();
  console.log("all hold");
}
