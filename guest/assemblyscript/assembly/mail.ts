//! Sending, and receiving by patterns.
//!
//! What must stay true: the bytes of a message are copied when it is received, so that a program
//! may keep it. Resources are not: they must be taken before the next message is received or
//! written, and a later attempt is a failure.

import { decode, encode, unreadable } from "./codec";
import { Failure, FailureKind, Result } from "./result";
import { Pid, Reference } from "./pid";
import { ExitReason } from "./reason";
import { Reader } from "./reader";
import { utf8 } from "./text";
import { Writer } from "./writer";
import * as host from "./host";

/** The tags of guest/wire.md. */
export namespace Tag {
  export const PLAIN: i64 = 0;
  export const CALL: i64 = -1;
  export const CAST: i64 = -2;
  export const REPLY: i64 = -3;
  export const ARGUMENT: i64 = -4;
  export const STARTED: i64 = -5;
  export const SYSTEM: i64 = -6;
}

const TIMEOUT: i32 = 9027;

/** Counts what has been in the slot, so that nobody takes resources of another message. */
let slot: u64 = 0;

/** What can lie in a mailbox. */
export enum MailKind { Message, Exit, Down }

/** What is wanted of a message. Kinds are bits: 1 message, 2 exit, 4 down. */
export class Pattern {
  private equal: u32 = 0;
  private tag: i64 = 0;
  private from: Pid = new Pid();
  private about: Reference = new Reference();

  constructor(private kinds: u32 = 7) {}

  static message(): Pattern {
    return new Pattern(1);
  }

  static exit(): Pattern {
    return new Pattern(2);
  }

  static down(): Pattern {
    return new Pattern(4);
  }

  tagged(tag: i64): Pattern {
    this.equal |= 1;
    this.tag = tag;
    return this;
  }

  sentBy(pid: Pid): Pattern {
    this.equal |= 2;
    this.from = pid;
    return this;
  }

  referring(reference: Reference): Pattern {
    this.equal |= 4;
    this.about = reference;
    return this;
  }

  store(at: usize): void {
    store<u32>(at, this.kinds);
    store<u32>(at, this.equal, 4);
    store<i64>(at, this.tag, 8);
    store<u64>(at, this.from.node, 16);
    store<u64>(at, this.from.id, 24);
    store<u64>(at, this.about.node, 32);
    store<u64>(at, this.about.id, 40);
  }
}

/** What was received. */
export class Mail {
  constructor(
    readonly kind: MailKind,
    readonly tag: i64,
    readonly sender: Pid,
    readonly reference: Reference,
    /** The reason of an exit or a down; normal for a message. */
    readonly reason: ExitReason,
    readonly bytes: Uint8Array,
    private readonly resources: u32 = 0,
    private readonly slot: u64 = 0,
  ) {}

  /** Its bytes, to be read by hand. */
  reader(): Reader {
    const reader = Reader.of(this.bytes);
    if (this.slot == slot) reader.resources = this.resources;
    return reader;
  }

  /** What a reader of its bytes has left, as a value. */
  readFrom<T>(reader: Reader): Result<T> {
    const value = decode<T>(reader);
    reader.finish();
    const wrong = reader.failure;
    if (wrong === null) return Result.ok<T>(value);
    return unreadable<T>(this.toString() + " is", wrong, this.sender);
  }

  /** The body as a value; a failure names the type and the sender. */
  read<T>(): Result<T> {
    return this.readFrom<T>(this.reader());
  }

  /** For people: how long it is, its tag, and who sent it. */
  toString(): string {
    const size = this.bytes.length.toString() + " bytes (tag " + this.tag.toString() + ")";
    return "a message of " + size + " from " + this.sender.toString();
  }
}

/** The oldest message that a pattern takes (without patterns: the oldest); null at the timeout. */
export function receive(timeout: i64 = -1, patterns: Pattern[] = []): Mail | null {
  const count = patterns.length;
  const list = new Uint8Array(count * 48);
  for (let i = 0; i < count; i++) patterns[i].store(list.dataStart + i * 48);
  const place = new StaticArray<u64>(8);
  const header = changetype<usize>(place);
  if (host.message.receive_with(list.dataStart, count, 0, timeout, header) == TIMEOUT) return null;
  slot++;
  const bytes = new Uint8Array(<i32>place[6]);
  host.message.read_data(bytes.dataStart, bytes.length);
  const kind = load<u32>(header);
  const sender = new Pid(place[2], place[3]);
  const reference = new Reference(place[4], place[5]);
  const reason = new ExitReason(load<u32>(header, 4), kind == 0 ? new Uint8Array(0) : bytes);
  const tag = load<i64>(header, 8);
  const resources = load<u32>(header, 56);
  return new Mail(kind, tag, sender, reference, reason, bytes, resources, slot);
}

/** Makes a message and leaves it in the slot; `about` is the reference before a call's body. */
export function draft<T>(tag: i64, body: T, about: Reference | null = null): void {
  host.message.create_data(tag, 0);
  slot++;
  const writer = new Writer();
  writer.takesResources = true;
  if (about !== null) writer.fixed64(about.node).fixed64(about.id);
  encode<T>(writer, body);
  host.message.write_data(writer.start, writer.length);
}

/** Sends a value. What is sent to a process that is no more vanishes. */
export function send<T>(to: Pid, body: T, tag: i64 = Tag.PLAIN): void {
  draft<T>(tag, body);
  host.message.send_pid(to.node, to.id, -1);
}

/** The same within so many milliseconds; false if the mailbox is full for as long. */
export function trySend<T>(to: Pid, body: T, timeout: i64, tag: i64 = Tag.PLAIN): bool {
  draft<T>(tag, body);
  return host.message.send_pid(to.node, to.id, timeout) == 0;
}

/** Sends to the process that has the name; a failure if nobody has it. */
export function sendName<T>(name: string, body: T, tag: i64 = Tag.PLAIN): Failure | null {
  draft<T>(tag, body);
  const text = utf8(name);
  if (host.message.send_name(changetype<usize>(text), text.byteLength, -1) == 0) return null;
  return new Failure(FailureKind.Name, "nobody has the name " + name);
}

/** Sends through an alias; what is sent to one that is not active vanishes. */
export function sendAlias<T>(alias: Reference, body: T, tag: i64 = Tag.PLAIN): void {
  draft<T>(tag, body);
  host.message.send_alias(alias.node, alias.id, 0, -1);
}

/** Sends a value later; the message carries the reference of its timer. */
export function sendAfter<T>(to: Pid, body: T, milliseconds: u64): Reference {
  draft<T>(Tag.PLAIN, body);
  const at = new StaticArray<u64>(2);
  host.timer.start(to.node, to.id, milliseconds, changetype<usize>(at));
  return new Reference(at[0], at[1]);
}

/** The same to the process that has the name when it is time. */
export function sendNameAfter<T>(name: string, body: T, milliseconds: u64): Reference {
  draft<T>(Tag.PLAIN, body);
  const text = utf8(name);
  const at = new StaticArray<u64>(2);
  const place = changetype<usize>(at);
  host.timer.start_named(changetype<usize>(text), text.byteLength, milliseconds, place);
  return new Reference(at[0], at[1]);
}

/** The milliseconds that a timer has left, or -1 if it has fired. */
export function readTimer(timer: Reference): i64 {
  const left = new StaticArray<u64>(1);
  if (host.timer.read(timer.node, timer.id, changetype<usize>(left)) != 0) return -1;
  return <i64>left[0];
}

/** Cancels a timer: the milliseconds that were left, or -1 if it has fired. */
export function cancelTimer(timer: Reference): i64 {
  const left = new StaticArray<u64>(1);
  if (host.timer.cancel(timer.node, timer.id, changetype<usize>(left)) != 0) return -1;
  return <i64>left[0];
}
