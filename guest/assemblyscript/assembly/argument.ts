//! The argument of a process, and how a process says that its start went well: guest/wire.md, "A
//! spawn" and "A synchronous start".
//!
//! What must stay true: a process whose parent ends before it has sent the argument does not stay.

import { encode } from "./codec";
import { receive, sendAlias, Mail, MailKind, Pattern, Tag } from "./mail";
import { Pid, Reference } from "./pid";
import { ExitReason, ReasonKind, exit } from "./reason";
import { Failure, FailureKind, Result } from "./result";
import { Reader } from "./reader";
import { Writer } from "./writer";
import * as host from "./host";

const INFO_BYTES: u32 = 96;
const NO_PROCESS: i32 = 1;
const PARENT_AT: usize = 40;

/** Who spawned the calling process; a pid of zeros for the first process. */
export function parent(): Pid {
  const own = Pid.own();
  const header = new Uint8Array(INFO_BYTES);
  const at = header.dataStart;
  if (host.process.info(own.node, own.id, at, INFO_BYTES) == NO_PROCESS) return new Pid();
  return new Pid(load<u64>(at, PARENT_AT), load<u64>(at, PARENT_AT + 8));
}

/** The message with the argument. */
export function argumentMail(): Mail {
  const wanted = Pattern.message().tagged(Tag.ARGUMENT);
  const mail = receive(0, [wanted]);
  if (mail !== null) return mail;
  const watched = parent().monitor();
  const next = receive(-1, [wanted, Pattern.down().referring(watched)])!;
  if (next.kind == MailKind.Down) exit(new ExitReason(ReasonKind.NoProcess));
  watched.demonitor();
  return next;
}

/**
 * What the calling process was given by whoever spawned it. For exported functions that processes
 * in any language spawn by name; they call this once, at their beginning.
 */
export function argument<A>(): Result<A> {
  return argumentMail().read<A>();
}

/** An argument that begins with the reference through which the start is told. */
export class Reported<A> {
  constructor(readonly reference: Reference, readonly argument: A) {}

  encode(writer: Writer): void {
    this.reference.encode(writer);
    encode<A>(writer, this.argument);
  }
}

/** The same for an entry that reports its start; the reference is zeros if nobody waits. */
export function reportedArgument<A>(): Result<Reported<A>> {
  return decodeReported<A>(argumentMail());
}

function decodeReported<A>(mail: Mail): Result<Reported<A>> {
  const reader = mail.reader();
  const reference = new Reference();
  reference.decode(reader);
  const rest = mail.readFrom<A>(reader);
  if (!rest.ok) return Result.failed<Reported<A>>(rest.error);
  return Result.ok<Reported<A>>(new Reported<A>(reference, rest.value));
}

/** How a start went. */
export class Started {
  /** 0 ok, 1 ignore, 2 error. */
  variant: u32 = 0;
  reason: ExitReason = ExitReason.normal();

  encode(writer: Writer): void {
    writer.variant(this.variant);
    if (this.variant == 2) this.reason.encode(writer);
  }

  decode(reader: Reader): void {
    this.variant = reader.variant(3);
    if (this.variant == 2) this.reason.decode(reader);
  }
}

/** Tells whoever waits for the start that all is well. */
export function reportStarted(to: Reference): void {
  if (!to.isNone) sendAlias<Started>(to, new Started(), Tag.STARTED);
}

/** Tells that there is nothing to do, and ends normally. */
export function reportIgnored(to: Reference): void {
  const started = new Started();
  started.variant = 1;
  if (!to.isNone) sendAlias<Started>(to, started, Tag.STARTED);
  exit(ExitReason.normal());
}

/** Tells that the start has failed, and ends with the reason. */
export function reportFailed(to: Reference, reason: ExitReason): void {
  const started = new Started();
  started.variant = 2;
  started.reason = reason;
  if (!to.isNone) sendAlias<Started>(to, started, Tag.STARTED);
  exit(reason);
}

/** Waits until a process that was just spawned has told how its start went. */
export function awaitStart(child: Pid, reference: Reference, timeout: i64): Result<Pid> {
  const wanted = [new Pattern(5).referring(reference)];
  const mail = receive(timeout, wanted);
  if (mail === null) {
    child.exit(ExitReason.kill());
    forget(child);
    reference.demonitor();
    return Result.failed<Pid>(Failure.timeout("the start of a process", timeout));
  }
  if (mail.kind == MailKind.Down) return failed(child, mail.reason);
  const started = mail.read<Started>();
  if (!started.ok) return Result.failed<Pid>(started.error);
  if (started.value.variant == 0) return Result.ok<Pid>(child);
  if (started.value.variant == 2) return failed(child, started.value.reason);
  forget(child);
  const message = "the process " + child.toString() + " has nothing to do";
  return Result.failed<Pid>(new Failure(FailureKind.Ignored, message, child));
}

function failed(child: Pid, reason: ExitReason): Result<Pid> {
  forget(child);
  const message = "the start of " + child.toString() + " has failed: " + reason.toString();
  return Result.failed<Pid>(new Failure(FailureKind.Start, message, child, reason));
}

/** Whoever is told of a failed start by a result does not hear of it by the link, too. */
function forget(child: Pid): void {
  child.unlink();
  receive(0, [Pattern.exit().sentBy(child)]);
}
