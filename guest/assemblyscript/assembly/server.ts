//! Servers that answer calls and take casts, and how they are started and called.
//!
//! What must stay true: a call leaves nothing behind whatever happens, a late reply included; a
//! request that does not decode never ends its server; a server that is suspended handles system
//! messages and the end of its parent, and nothing else.

import { awaitStart, parent, reportFailed, reportIgnored, reportStarted } from "./argument";
import { argument, reportedArgument, Reported } from "./argument";
import { draft, receive, send, sendAlias, Mail, MailKind, Pattern, Tag } from "./mail";
import { Failure, FailureKind, Result, Unit } from "./result";
import { Pid, Reference } from "./pid";
import { spawnRunner, SpawnOptions } from "./process";
import { ExitReason, ReasonKind, exit } from "./reason";
import { SystemAnswer, SystemKind, SystemRequest } from "./system";
import * as host from "./host";

/** Whom a call came from; may be kept, and answered later. */
export class Caller {
  constructor(readonly pid: Pid, private readonly alias: Reference) {}

  /** Answers. A second answer, and one after the caller's timeout, vanish. */
  reply<R>(value: R): void {
    if (!this.alias.isNone) sendAlias<R>(this.alias, value, Tag.REPLY);
  }
}

/**
 * A server for calls of type C and casts of type K.
 *
 * A class has `init(argument: A): void`, too, where A is what it is started with. It may end the
 * start by `ignore()` or `failStart(reason)`.
 */
export abstract class Server<C, K> {
  private running: bool = true;
  private suspended: bool = false;
  private reason: ExitReason = ExitReason.normal();
  private starter: Reference = new Reference();

  abstract handleCall(request: C, caller: Caller): void;

  handleCast(_request: K): void {}

  /** Anything else: plain messages, exits, downs. */
  handleMail(mail: Mail): void {
    if (mail.kind != MailKind.Message) return;
    const message = mail.toString() + " is no request";
    this.handleUnreadable(new Failure(FailureKind.Unreadable, message, mail.sender));
  }

  /** A request that is not of its type; the caller of a call gets no answer. */
  handleUnreadable(failure: Failure): void {
    console.error(failure.message);
  }

  /** What is to be done at the end, if the server ends by itself or with its parent. */
  terminate(_reason: ExitReason): void {}

  /** The state, for `sys.getState`: the bytes of a value. */
  state(): Uint8Array {
    return new Uint8Array(0);
  }

  /** Takes another state. Gives what is wrong with it, or null. */
  replaceState(_state: Uint8Array): string | null {
    return "its state cannot be replaced";
  }

  /** Its code has changed. Gives what is wrong, or null. */
  codeChange(_version: string, _extra: Uint8Array): string | null {
    return null;
  }

  /** What can be said of it, for people. */
  status(): string {
    return "a server";
  }

  /** Ends the loop after this request; the process ends with this reason. */
  stop(reason: ExitReason = ExitReason.normal()): void {
    this.running = false;
    this.reason = reason;
  }

  /** In `init`: there is nothing to do. The process ends normally, at once. */
  ignore(): void {
    reportIgnored(this.starter);
  }

  /** In `init`: the start has failed. The process ends with this reason, at once. */
  failStart(reason: ExitReason): void {
    reportFailed(this.starter, reason);
  }

  /** Who waits for the start. */
  startedBy(starter: Reference): void {
    this.starter = starter;
  }

  /** Tells that the start is over, and handles messages until `stop`. */
  run(): void {
    reportStarted(this.starter);
    const system = [
      Pattern.message().tagged(Tag.SYSTEM), Pattern.exit().sentBy(parent()),
    ];
    while (this.running) this.handle(receive(-1, this.suspended ? system : [])!);
    this.terminate(this.reason);
    if (this.reason.kind != ReasonKind.Normal) exit(this.reason);
  }

  private handle(mail: Mail): void {
    if (mail.kind == MailKind.Exit && mail.sender.equals(parent())) this.stop(mail.reason);
    else if (mail.kind != MailKind.Message) this.handleMail(mail);
    else if (mail.tag == Tag.CALL) this.call(mail);
    else if (mail.tag == Tag.CAST) this.cast(mail);
    else if (mail.tag == Tag.SYSTEM) this.system(mail);
    else this.handleMail(mail);
  }

  private call(mail: Mail): void {
    const reader = mail.reader();
    const alias = new Reference(reader.fixed64(), reader.fixed64());
    const request = mail.readFrom<C>(reader);
    if (request.ok) this.handleCall(request.value, new Caller(mail.sender, alias));
    else this.handleUnreadable(request.error);
  }

  private cast(mail: Mail): void {
    const request = mail.read<K>();
    if (request.ok) this.handleCast(request.value);
    else this.handleUnreadable(request.error);
  }

  private system(mail: Mail): void {
    const reader = mail.reader();
    const alias = new Reference(reader.fixed64(), reader.fixed64());
    const decoded = mail.readFrom<SystemRequest>(reader);
    if (!decoded.ok) return this.handleUnreadable(decoded.error);
    const request = decoded.value;
    const caller = new Caller(mail.sender, alias);
    switch (request.kind) {
      case SystemKind.Suspend: this.suspended = true; break;
      case SystemKind.Resume: this.suspended = false; break;
      case SystemKind.GetState: return caller.reply<Uint8Array>(this.state());
      case SystemKind.GetStatus: {
        const how = this.suspended ? "suspended, " : "running, ";
        return caller.reply<string>(how + this.status());
      }
      case SystemKind.ReplaceState:
        return caller.reply<SystemAnswer>(new SystemAnswer(this.replaceState(request.bytes)));
      case SystemKind.CodeChange: {
        const wrong = this.suspended
          ? this.codeChange(request.version, request.bytes)
          : "the process must be suspended first";
        return caller.reply<SystemAnswer>(new SystemAnswer(wrong));
      }
      case SystemKind.Terminate: return this.stop(request.reason);
    }
    caller.reply<Unit>(new Unit());
  }
}

/** The body of an exported function that processes in any language spawn: a server of class S. */
export function runServer<S, A>(): void {
  const begin = argument<A>().orExit();
  const server = instantiate<S>();
  server.init(begin);
  server.run();
}

/** The same for an entry that reports its start. */
export function runReportingServer<S, A>(): void {
  const begin = reportedArgument<A>().orExit();
  const server = instantiate<S>();
  server.startedBy(begin.reference);
  server.init(begin.argument);
  server.run();
}

/**
 * Spawns a server of class S, which has a method `init(argument: A): void`, and waits until that
 * is done. A failure if the start fails, is ignored, or takes longer than `timeout` milliseconds;
 * the process has ended then, or is about to.
 */
export function startServer<S, A>(
  argument: A, options: SpawnOptions = new SpawnOptions(), timeout: i64 = -1,
): Result<Pid> {
  const runner = (_index: u32): void => { runReportingServer<S, A>(); };
  const spawned = spawnRunner(runner.index, 0, options.monitor(3));
  if (!spawned.ok) return Result.failed<Pid>(spawned.error);
  const child = spawned.value;
  send<Reported<A>>(child.pid, new Reported<A>(child.monitor, argument), Tag.ARGUMENT);
  return awaitStart(child.pid, child.monitor, timeout);
}

/** The same with a link. */
export function startServerLink<S, A>(argument: A, timeout: i64 = -1): Result<Pid> {
  return startServer<S, A>(argument, new SpawnOptions().link(), timeout);
}

/** Sends a request without an answer. */
export function cast<K>(server: Pid, request: K): void {
  send<K>(server, request, Tag.CAST);
}

/** Asks a server and waits for its answer; the failure says whether it ended or took too long. */
export function call<C, R>(server: Pid, request: C, timeout: i64 = 5000): Result<R> {
  return ask<C, R>(Tag.CALL, server, request, timeout);
}

/** A call with another tag. */
export function ask<C, R>(tag: i64, server: Pid, request: C, timeout: i64): Result<R> {
  const reference = server.monitorWith(3);
  draft<C>(tag, request, reference);
  host.message.send_pid(server.node, server.id, -1);
  const wanted = [new Pattern(5).referring(reference)];
  let mail = receive(timeout, wanted);
  if (mail === null) {
    reference.demonitor();
    mail = receive(0, wanted);
    if (mail === null) return Result.failed<R>(Failure.timeout("a call", timeout));
  }
  if (mail.kind == MailKind.Message) return mail.read<R>();
  const message = "the server " + server.toString() + " ended: " + mail.reason.toString();
  return Result.failed<R>(new Failure(FailureKind.Down, message, server, mail.reason));
}
