//! A pool of supervised workers, and a client: `pool` of examples/languages/README.md.
//!
//! What must stay true: the bytes are those of the page; a number is in the queue, with one worker,
//! or given out as a result, and never in two of these places.

import {
  Caller, ChildSpec, ExitReason, Failure, Mail, MailKind, Mailbox, Pattern, Pid, Reader,
  ReasonKind, Server, SpawnOptions, Strategy, Supervisor, Unit, Writer, argument, call, cast, exit,
  receive, register, runServer, send, spawnExport, whereis,
} from "lunatic";

/** What is called: the stats. */
class PoolCall {
  encode(writer: Writer): void {
    writer.variant(0);
  }

  decode(reader: Reader): void {
    reader.variant(1);
  }
}

/** How many results were given out. */
class Stats {
  done: u64 = 0;
  failed: u64 = 0;

  encode(writer: Writer): void {
    writer.u64(this.done).u64(this.failed);
  }

  decode(reader: Reader): void {
    this.done = reader.u64();
    this.failed = reader.u64();
  }
}

enum Kind { Submit, Ready, Done }

/** What is cast: a number to work on; a worker that is ready; a worker that is done. */
class PoolCast {
  id: u32 = 0;
  number: u32 = 0;
  pid: Pid = new Pid();
  steps: u32 = 0;

  constructor(public kind: Kind = Kind.Submit) {}

  encode(writer: Writer): void {
    writer.variant(this.kind);
    if (this.kind == Kind.Submit) writer.u32(this.id).u32(this.number);
    this.pid.encode(writer);
    if (this.kind == Kind.Done) writer.u32(this.steps);
  }

  decode(reader: Reader): void {
    this.kind = reader.variant(3);
    if (this.kind == Kind.Submit) {
      this.id = reader.u32();
      this.number = reader.u32();
    }
    this.pid.decode(reader);
    if (this.kind == Kind.Done) this.steps = reader.u32();
  }
}

/** What whoever submitted a number gets. */
class Outcome {
  failed: bool = false;
  steps: u32 = 0;
  text: string = "";

  constructor(public id: u32 = 0) {}

  encode(writer: Writer): void {
    writer.u32(this.id).variant(this.failed ? 1 : 0);
    if (this.failed) writer.string(this.text);
    else writer.u32(this.steps);
  }

  decode(reader: Reader): void {
    this.id = reader.u32();
    this.failed = reader.variant(2) == 1;
    if (this.failed) this.text = reader.string();
    else this.steps = reader.u32();
  }
}

/** A worker, and the submission that it works on. */
class Worker {
  has: PoolCast | null = null;

  constructor(readonly pid: Pid) {}
}

class Pool extends Server<PoolCall, PoolCast> {
  private workers: Worker[] = [];
  private waiting: PoolCast[] = [];
  private stats: Stats = new Stats();

  init(_argument: Unit): void {}

  handleCall(_request: PoolCall, caller: Caller): void {
    caller.reply<Stats>(this.stats);
  }

  handleCast(request: PoolCast): void {
    if (request.kind == Kind.Submit) this.waiting.push(request);
    else if (request.kind == Kind.Ready) this.ready(request.pid);
    else this.done(request.pid, request.steps);
    this.giveWork();
  }

  handleMail(mail: Mail): void {
    if (mail.kind != MailKind.Down) return super.handleMail(mail);
    this.ended(mail.sender, mail.reason);
    this.giveWork();
  }

  handleUnreadable(failure: Failure): void {
    dropped(failure);
  }

  private find(pid: Pid): i32 {
    for (let i = 0; i < this.workers.length; i++) if (this.workers[i].pid.equals(pid)) return i;
    return -1;
  }

  private ready(pid: Pid): void {
    if (this.find(pid) >= 0) return;
    this.workers.push(new Worker(pid));
    pid.monitor();
  }

  private done(pid: Pid, steps: u32): void {
    const index = this.find(pid);
    if (index < 0) return;
    const submitted = this.workers[index].has;
    if (submitted === null) return;
    const outcome = new Outcome(submitted.id);
    outcome.steps = steps;
    send<Outcome>(submitted.pid, outcome);
    this.workers[index].has = null;
    this.stats.done++;
  }

  private ended(pid: Pid, reason: ExitReason): void {
    const index = this.find(pid);
    if (index < 0) return;
    const submitted = this.workers[index].has;
    this.workers.splice(index, 1);
    if (submitted === null) return;
    const outcome = new Outcome(submitted.id);
    outcome.failed = true;
    outcome.text = reason.kind == ReasonKind.Error ? reason.text : "crashed";
    send<Outcome>(submitted.pid, outcome);
    this.stats.failed++;
  }

  /** Gives numbers to idle workers, as long as there are both. */
  private giveWork(): void {
    for (let i = 0; i < this.workers.length && this.waiting.length > 0; i++) {
      const worker = this.workers[i];
      if (worker.has !== null) continue;
      const submitted = this.waiting.shift();
      worker.has = submitted;
      send<u32>(worker.pid, submitted.number);
    }
  }
}

function dropped(failure: Failure): void {
  console.error("pool: dropped a message: " + failure.message);
}

export function pool_server(): void {
  runServer<Pool, Unit>();
}

/** The steps from a number, which is not 0, to 1. */
function collatz(number: u32): u32 {
  let steps: u32 = 0;
  for (let n: u64 = number; n != 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
  return steps;
}

function worker(mailbox: Mailbox<u32>, name: string): void {
  const pool = whereis(name);
  if (pool === null) return exit(ExitReason.shutdown());
  const ready = new PoolCast(Kind.Ready);
  ready.pid = mailbox.self();
  cast<PoolCast>(pool, ready);
  while (true) {
    const number = mailbox.receive();
    if (!number.ok) {
      dropped(number.error);
      continue;
    }
    if (number.value == 0) exit(ExitReason.error("a worker cannot bear zero"));
    const done = new PoolCast(Kind.Done);
    done.pid = mailbox.self();
    done.steps = collatz(number.value);
    cast<PoolCast>(pool, done);
  }
}

export function pool_worker(): void {
  worker(new Mailbox<u32>(), argument<string>().orExit());
}

const NUMBERS: u32[] = [27, 97, 0, 871, 6171, 0, 77031, 1];

export function pool_client(): void {
  const name = argument<string>().orExit();
  const pool = whereis(name);
  if (pool === null) return console.log("nobody is called " + name);
  const mailbox = new Mailbox<Outcome>();
  for (let i = 0; i < NUMBERS.length; i++) {
    const submit = new PoolCast();
    submit.id = i;
    submit.number = NUMBERS[i];
    submit.pid = mailbox.self();
    cast<PoolCast>(pool, submit);
  }
  const lines = new Array<string>(NUMBERS.length).fill("");
  for (let i = 0; i < NUMBERS.length; i++) {
    const outcome = mailbox.receive().orExit();
    if (outcome.id >= <u32>NUMBERS.length) exit(ExitReason.error("a result of nothing submitted"));
    const told = outcome.failed ? outcome.text : outcome.steps.toString() + " steps";
    lines[outcome.id] = NUMBERS[outcome.id].toString() + ": " + told;
  }
  for (let i = 0; i < lines.length; i++) console.log(lines[i]);
  const stats = call<PoolCall, Stats>(pool, new PoolCall(), 5000).orExit();
  console.log(stats.done.toString() + " done, " + stats.failed.toString() + " failed");
}

export function _start(): void {
  register("pool", spawnExport<Unit>("pool_server", new Unit()).orExit().pid);
  const supervisor = new Supervisor(Strategy.OneForOne).intensity(10, 10000);
  for (let i = 1; i <= 3; i++) {
    supervisor.child(ChildSpec.process<u32, string>("worker " + i.toString(), worker, "pool"));
  }
  const running = supervisor.start().orExit();
  const options = new SpawnOptions().monitor();
  const client = spawnExport<string>("pool_client", "pool", options).orExit();
  const end = receive(-1, [Pattern.down().referring(client.monitor)])!;
  assert(end.reason.kind == ReasonKind.Normal, "the client has failed");
  const failure = running.stop();
  assert(failure === null, "the supervisor has ended otherwise");
  console.log("the pool is closed");
}
