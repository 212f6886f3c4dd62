//! The process of a supervisor: what it is asked for, and how it reaches its children.
//!
//! What must stay true: the decisions are those of `children.ts`; here are their effects alone. A
//! child that is stopped is watched before it is asked to end and unlinked when it has, so that no
//! end is missed and none is heard of twice.

import { cast, call, Caller, Server, startServer, startServerLink } from "../server";
import { encode, decode, toBytes } from "../codec";
import { receive, Mail, MailKind, Pattern } from "../mail";
import { register, trapExit, SpawnOptions } from "../process";
import { BRUTAL_KILL, INFINITY, AutoShutdown, ChildSpec, Flags, Strategy, check } from "./spec";
import { Child, Children, ChildState, Effects, Outcome } from "./children";
import { Failure, FailureKind, Result } from "../result";
import { Pid } from "../pid";
import { ExitReason } from "../reason";
import { monotonicMilliseconds } from "../clock";
import { Reader } from "../reader";
import { sys } from "../system";
import { Writer } from "../writer";

/** A supervisor that is about to be started: its flags and its children. */
export class Supervisor {
  flags: Flags = new Flags();
  children: ChildSpec[] = [];

  constructor(strategy: Strategy = Strategy.OneForOne) {
    this.flags.strategy = strategy;
  }

  /** More restarts than these within so many milliseconds end it. At first: 1 in 5000. */
  intensity(restarts: u32, period: u64): Supervisor {
    this.flags.intensity = restarts;
    this.flags.period = period;
    return this;
  }

  autoShutdown(when: AutoShutdown): Supervisor {
    this.flags.autoShutdown = when;
    return this;
  }

  /** Adds a child; children start in this order. */
  child(spec: ChildSpec): Supervisor {
    this.children.push(spec);
    return this;
  }

  /** This supervisor as a child of another one, which waits for its end. */
  asChild(id: string): ChildSpec {
    const runner = (spec: ChildSpec): Result<Pid> => {
      const decoded = spec.decodeArgument<Supervisor>();
      if (!decoded.ok) return Result.failed<Pid>(decoded.error);
      return startServerLink<SupervisorProcess, Supervisor>(decoded.value);
    };
    const spec = ChildSpec.of(id, runner.index, 0, toBytes<Supervisor>(this));
    spec.isSupervisor = true;
    return spec.endsWithin(INFINITY);
  }

  /** Starts it, linked, and waits until all children have started. */
  startLink(): Result<SupervisorRef> {
    return SupervisorRef.of(startServerLink<SupervisorProcess, Supervisor>(this));
  }

  /** The same without a link. */
  start(): Result<SupervisorRef> {
    const options = new SpawnOptions();
    return SupervisorRef.of(startServer<SupervisorProcess, Supervisor>(this, options));
  }

  encode(writer: Writer): void {
    this.flags.encode(writer);
    encode<ChildSpec[]>(writer, this.children);
  }

  decode(reader: Reader): void {
    this.flags.decode(reader);
    this.children = decode<ChildSpec[]>(reader);
  }
}

/** A child, as `SupervisorRef.children` tells it. */
export class ChildInfo {
  id: string = "";
  state: ChildState = ChildState.Stopped;
  /** Zeros if it does not run. */
  pid: Pid = new Pid();
  isSupervisor: bool = false;

  static of(child: Child): ChildInfo {
    const info = new ChildInfo();
    info.id = child.spec.id;
    info.state = child.state;
    if (child.state == ChildState.Running) info.pid = child.pid;
    info.isSupervisor = child.spec.isSupervisor;
    return info;
  }

  encode(writer: Writer): void {
    writer.string(this.id).u32(this.state);
    this.pid.encode(writer);
    writer.bool(this.isSupervisor);
  }

  decode(reader: Reader): void {
    this.id = reader.string();
    this.state = reader.variant(3);
    this.pid.decode(reader);
    this.isSupervisor = reader.bool();
  }
}

enum Ask { Start, Terminate, Restart, Delete, List }

/** What a supervisor is asked for. */
class SupervisorCall {
  id: string = "";
  spec: ChildSpec = new ChildSpec();

  constructor(public what: Ask = Ask.List) {}

  encode(writer: Writer): void {
    writer.variant(this.what);
    if (this.what == Ask.Start) this.spec.encode(writer);
    else writer.string(this.id);
  }

  decode(reader: Reader): void {
    this.what = reader.variant(5);
    if (this.what == Ask.Start) this.spec.decode(reader);
    else this.id = reader.string();
  }
}

/** What it answers: a pid, or what went wrong. */
class SupervisorReply {
  pid: Pid = new Pid();
  failed: bool = false;
  kind: FailureKind = FailureKind.Refused;
  message: string = "";

  static of(failure: Failure | null, pid: Pid = new Pid()): SupervisorReply {
    const reply = new SupervisorReply();
    reply.pid = pid;
    if (failure === null) return reply;
    reply.failed = true;
    reply.kind = failure.kind;
    reply.message = failure.message;
    const sender = failure.sender;
    if (sender !== null) reply.pid = sender;
    return reply;
  }

  static started(result: Result<Pid>): SupervisorReply {
    return result.ok
      ? SupervisorReply.of(null, result.value)
      : SupervisorReply.of(result.error);
  }

  get failure(): Failure | null {
    return this.failed ? new Failure(this.kind, this.message, this.pid) : null;
  }

  encode(writer: Writer): void {
    this.pid.encode(writer);
    writer.bool(this.failed).u32(this.kind).string(this.message);
  }

  decode(reader: Reader): void {
    this.pid.decode(reader);
    this.failed = reader.bool();
    this.kind = reader.u32();
    this.message = reader.string();
  }
}

/** A supervisor that runs. */
export class SupervisorRef {
  constructor(readonly pid: Pid) {}

  static of(started: Result<Pid>): Result<SupervisorRef> {
    return started.ok
      ? Result.ok<SupervisorRef>(new SupervisorRef(started.value))
      : Result.failed<SupervisorRef>(started.error);
  }

  /** Adds a child and starts it. */
  startChild(spec: ChildSpec): Result<Pid> {
    const request = new SupervisorCall(Ask.Start);
    request.spec = spec;
    return this.pidOf(request);
  }

  /** Stops a child; its specification stays, unless it is temporary. */
  terminateChild(id: string): Failure | null {
    const answer = this.pidOf(named(Ask.Terminate, id));
    return answer.failure;
  }

  /** Starts a child that was stopped. */
  restartChild(id: string): Result<Pid> {
    return this.pidOf(named(Ask.Restart, id));
  }

  /** Forgets a child that was stopped. */
  deleteChild(id: string): Failure | null {
    return this.pidOf(named(Ask.Delete, id)).failure;
  }

  /** All children, in the order of their start. */
  children(): Result<ChildInfo[]> {
    return call<SupervisorCall, ChildInfo[]>(this.pid, new SupervisorCall(Ask.List), -1);
  }

  /** Ends it, after its children, and waits for that. */
  stop(): Failure | null {
    return sys.stop(this.pid, ExitReason.shutdown());
  }

  private pidOf(request: SupervisorCall): Result<Pid> {
    const answer = call<SupervisorCall, SupervisorReply>(this.pid, request, -1);
    if (!answer.ok) return Result.failed<Pid>(answer.error);
    const failure = answer.value.failure;
    if (failure !== null) return Result.failed<Pid>(failure);
    return Result.ok<Pid>(answer.value.pid);
  }
}

function named(what: Ask, id: string): SupervisorCall {
  const request = new SupervisorCall(what);
  request.id = id;
  return request;
}

/** The server that a supervisor is. Casts say which child is to be tried again. */
class SupervisorProcess extends Server<SupervisorCall, string> {
  private children: Children = new Children(new Flags(), [], new Hands());

  init(supervisor: Supervisor): void {
    trapExit(true);
    const wrong = check(supervisor.flags, supervisor.children);
    if (wrong !== null) this.failStart(ExitReason.error(wrong.message));
    this.children = new Children(supervisor.flags, supervisor.children, new Hands());
    const failed = this.children.startAll();
    if (failed === null) return;
    this.failStart(ExitReason.shutdownWith(toBytes<string>(failed.message)));
  }

  handleCall(request: SupervisorCall, caller: Caller): void {
    const children = this.children;
    const id = request.id;
    switch (request.what) {
      case Ask.Start: {
        const started = children.startChild(request.spec);
        return caller.reply<SupervisorReply>(SupervisorReply.started(started));
      }
      case Ask.Restart: {
        const started = children.restartChild(id);
        return caller.reply<SupervisorReply>(SupervisorReply.started(started));
      }
      case Ask.Terminate:
        return caller.reply<SupervisorReply>(SupervisorReply.of(children.terminateChild(id)));
      case Ask.Delete:
        return caller.reply<SupervisorReply>(SupervisorReply.of(children.deleteChild(id)));
      case Ask.List: {
        const infos: ChildInfo[] = [];
        for (let i = 0; i < children.list.length; i++) infos.push(ChildInfo.of(children.list[i]));
        return caller.reply<ChildInfo[]>(infos);
      }
    }
  }

  handleCast(id: string): void {
    this.follow(this.children.tryAgain(id, monotonicMilliseconds()));
  }

  handleMail(mail: Mail): void {
    if (mail.kind != MailKind.Exit) return;
    this.follow(this.children.exited(mail.sender, mail.reason, monotonicMilliseconds()));
  }

  terminate(_reason: ExitReason): void {
    this.children.stopAll();
  }

  status(): string {
    return "a supervisor of " + this.children.list.length.toString();
  }

  private follow(outcome: Outcome): void {
    if (outcome == Outcome.Shutdown) this.stop(ExitReason.shutdown());
  }
}

/** The real effects. */
class Hands extends Effects {
  start(spec: ChildSpec): Result<Pid> {
    const started = spec.start();
    if (!started.ok || spec.name == "") return started;
    const taken = register(spec.name, started.value);
    if (taken === null) return started;
    this.end(started.value, ExitReason.kill(), -1);
    return Result.failed<Pid>(taken);
  }

  stop(pid: Pid, spec: ChildSpec): ExitReason {
    if (spec.shutdown == BRUTAL_KILL) return this.end(pid, ExitReason.kill(), -1);
    return this.end(pid, ExitReason.shutdown(), spec.shutdown);
  }

  tryAgain(id: string): void {
    cast<string>(Pid.own(), id);
  }

  report(what: string, spec: ChildSpec, why: string): void {
    const me = "supervisor " + Pid.own().toString();
    console.error(me + ": " + what + ", child " + spec.id + ": " + why);
  }

  /** Asks a child to end, and kills it when the time is over. */
  private end(pid: Pid, reason: ExitReason, timeout: i64): ExitReason {
    const monitor = pid.monitor();
    pid.exit(reason);
    const wanted = [Pattern.down().referring(monitor)];
    let down = receive(timeout, wanted);
    if (down === null) {
      pid.exit(ExitReason.kill());
      down = receive(-1, wanted)!;
    }
    pid.unlink();
    // The exit may say more than the down: whoever had ended before the monitor gives noproc.
    const exit = receive(0, [Pattern.exit().sentBy(pid)]);
    return exit === null ? down.reason : exit.reason;
  }
}
