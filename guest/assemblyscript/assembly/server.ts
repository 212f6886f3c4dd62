//! Servers that answer calls and take casts, and how they are called.
//!
//! What must stay true: a call leaves nothing behind whatever happens, a late reply included; a
//! request that does not decode never ends its server.

import { decodeAll } from "./codec";
import { draft, receive, send, sendAlias, Mail, MailKind, Pattern, Tag } from "./mail";
import { Failure, FailureKind, Result } from "./result";
import { Pid, Reference } from "./pid";
import { spawnRunner, SpawnOptions } from "./process";
import * as host from "./host";

/** Whom a call came from; may be kept, and answered later. */
export class Caller {
  constructor(readonly pid: Pid, private readonly alias: Reference) {}

  /** Answers. A second answer, and one after the caller's timeout, vanish. */
  reply<R>(value: R): void {
    sendAlias<R>(this.alias, value, Tag.REPLY);
  }
}

/** A server for calls of type C and casts of type K. */
export abstract class Server<C, K> {
  private running: bool = true;

  abstract handleCall(request: C, caller: Caller): void;

  handleCast(request: K): void {}

  /** Anything else: plain messages, exits, downs. */
  handleMail(mail: Mail): void {}

  /** A request that is not of its type; the caller of a call gets no answer. */
  handleUnreadable(failure: Failure): void {
    console.error(failure.message);
  }

  /** Ends the loop after this request; the process ends normally. */
  stop(): void {
    this.running = false;
  }

  /** Handles messages until `stop`. */
  run(): void {
    while (this.running) {
      const mail = receive() as Mail;
      if (mail.kind == MailKind.Message && mail.tag == Tag.CALL) this.call(mail);
      else if (mail.kind == MailKind.Message && mail.tag == Tag.CAST) this.cast(mail);
      else this.handleMail(mail);
    }
  }

  private call(mail: Mail): void {
    const reader = mail.reader();
    const alias = new Reference(reader.fixed64(), reader.fixed64());
    const request = decodeAll<C>(reader, mail.sender);
    if (request.ok) this.handleCall(request.value, new Caller(mail.sender, alias));
    else this.handleUnreadable(request.error);
  }

  private cast(mail: Mail): void {
    const request = mail.read<K>();
    if (request.ok) this.handleCast(request.value);
    else this.handleUnreadable(request.error);
  }
}

function serve<S, A>(_entry: u32): void {
  const mail = receive(-1, [Pattern.message().tagged(Tag.ARGUMENT)]) as Mail;
  const server = instantiate<S>();
  server.init(mail.read<A>().value);
  server.run();
}

/** Spawns a server of class S, which has a method `init(argument: A): void`. */
export function startServer<S, A>(argument: A): Pid {
  const runner = (index: u32): void => { serve<S, A>(index); };
  return spawnRunner<A>(runner.index, 0, argument, new SpawnOptions()).value.pid;
}

/** Sends a request without an answer. */
export function cast<K>(server: Pid, request: K): void {
  send<K>(server, request, Tag.CAST);
}

/** Asks a server and waits for its answer; the failure says whether it ended or took too long. */
export function call<C, R>(server: Pid, request: C, timeout: i64 = 5000): Result<R> {
  const reference = server.monitorWith(3);
  draft<C>(Tag.CALL, request, reference);
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
