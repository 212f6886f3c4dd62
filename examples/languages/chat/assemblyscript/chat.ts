//! A chat over TCP, server and guest: `chat` of examples/languages/README.md.
//!
//! What must stay true: the room alone decides the order in which all hear; nothing that a guest
//! does or fails to do makes the room wait. A guest is a process that reads and one that writes,
//! linked with each other, so that both end together.

import {
  Caller, ExitReason, Mail, MailKind, Mailbox, Pid, Reader, Server, TcpListener, TcpStream, Unit,
  Writer, cast, commandLine, exit, register, spawn, spawnLink, startServerLink, trySend, whereis,
} from "lunatic";

const LINE_MAX_BYTES: i32 = 1024;
/** A line of the room: a name, a line, and what stands between them. */
const HEARD_MAX_BYTES: i32 = 3 * LINE_MAX_BYTES;
const WRITE_TIMEOUT: i64 = 30000;
const LF: u8 = 10;
const CR: u8 = 13;

// ---- lines: bytes, since guests may send what is no text ----

/** The lines that come over a stream. */
class Lines {
  private rest: Uint8Array = new Uint8Array(0);

  constructor(private readonly stream: TcpStream, private readonly max: i32) {}

  /** The next without its end; null at the end of the stream, and if one is too long. */
  next(): Uint8Array | null {
    let end = this.rest.indexOf(LF);
    while (end < 0) {
      // A line of the greatest length has a CR and an LF behind it.
      const room = this.max + 2 - this.rest.length;
      if (room <= 0) return null;
      const came = this.stream.read(room);
      if (!came.ok || came.value.length == 0) return null;
      this.rest = joined([this.rest, came.value]);
      end = this.rest.indexOf(LF);
    }
    const length = end > 0 && this.rest[end - 1] == CR ? end - 1 : end;
    const line = this.rest.slice(0, length);
    this.rest = this.rest.slice(end + 1);
    return length > this.max ? null : line;
  }
}

function joined(parts: Uint8Array[]): Uint8Array {
  let length = 0;
  for (let i = 0; i < parts.length; i++) length += parts[i].length;
  const all = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    all.set(parts[i], at);
    at += parts[i].length;
  }
  return all;
}

function bytes(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

function text(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

// ---- the room ----

/** What a guest's reader casts: its name first, with the pid of the writer; then lines. */
class Said {
  joins: bool = false;
  writer: Pid = new Pid();

  constructor(public reader: Pid = new Pid(), public line: Uint8Array = new Uint8Array(0)) {}

  encode(writer: Writer): void {
    this.reader.encode(writer);
    writer.bytes(this.line).bool(this.joins);
    if (this.joins) this.writer.encode(writer);
  }

  decode(reader: Reader): void {
    this.reader.decode(reader);
    this.line = reader.bytes();
    this.joins = reader.bool();
    if (this.joins) this.writer.decode(reader);
  }
}

class Guest {
  constructor(readonly reader: Pid, readonly writer: Pid, readonly name: Uint8Array) {}
}

class Room extends Server<Unit, Said> {
  private guests: Guest[] = [];

  init(_argument: Unit): void {}

  handleCall(_request: Unit, _caller: Caller): void {}

  handleCast(said: Said): void {
    if (said.joins) {
      said.reader.monitor();
      this.guests.push(new Guest(said.reader, said.writer, said.line));
      return this.tellAll([bytes("* "), said.line, bytes(" is here\n")]);
    }
    const guest = this.find(said.reader);
    if (guest >= 0) {
      this.tellAll([this.guests[guest].name, bytes(": "), said.line, bytes("\n")]);
    }
  }

  handleMail(mail: Mail): void {
    if (mail.kind != MailKind.Down) return super.handleMail(mail);
    const at = this.find(mail.sender);
    if (at < 0) return;
    const guest = this.guests.splice(at, 1)[0];
    this.tellAll([bytes("* "), guest.name, bytes(" has left\n")]);
  }

  private find(reader: Pid): i32 {
    for (let i = 0; i < this.guests.length; i++) if (this.guests[i].reader.equals(reader)) return i;
    return -1;
  }

  /** Who has no room for it in the mailbox is shown out. */
  private tellAll(parts: Uint8Array[]): void {
    const line = joined(parts);
    for (let i = 0; i < this.guests.length; i++) {
      const guest = this.guests[i];
      if (!trySend<Uint8Array>(guest.writer, line, 0)) guest.reader.exit(ExitReason.shutdown());
    }
  }
}

// ---- a guest's processes in the server ----

function writeToGuest(mailbox: Mailbox<Uint8Array>, stream: TcpStream): void {
  while (true) {
    const line = mailbox.receive().orExit();
    if (stream.write(line, WRITE_TIMEOUT) !== null) exit(ExitReason.shutdown());
  }
}

function readFromGuest(mailbox: Mailbox<Unit>, stream: TcpStream): void {
  const room = whereis("room");
  if (room === null) return exit(ExitReason.error("there is no room"));
  const writer = spawnLink<Uint8Array, TcpStream>(writeToGuest, stream.clone());
  const lines = new Lines(stream, LINE_MAX_BYTES);
  let line = lines.next();
  for (let first = true; line !== null; first = false) {
    const said = new Said(mailbox.self(), line);
    said.joins = first;
    said.writer = writer;
    cast<Said>(room, said);
    line = lines.next();
  }
  // Other than normal, so that the writer ends, too.
  exit(ExitReason.shutdown());
}

// ---- the roles ----

function serve(address: string): void {
  const listener = TcpListener.bind(address).orExit();
  register("room", startServerLink<Room, Unit>(new Unit()).orExit());
  console.log("listening on " + listener.address);
  while (true) {
    const stream = listener.accept();
    if (stream.ok) spawn<Unit, TcpStream>(readFromGuest, stream.value);
  }
}

/** Prints what is heard, from the guest's own arrival on, until it is this line. */
function hear(lines: Lines, wanted: string, here: bool): void {
  while (true) {
    const heard = lines.next();
    if (heard === null) return exit(ExitReason.error("the connection has ended"));
    const line = text(heard);
    if (here || line == wanted) console.log(line);
    if (line == wanted) return;
  }
}

function talk(address: string, name: string, said: string[]): void {
  const stream = TcpStream.connect(address, WRITE_TIMEOUT).orExit();
  const lines = new Lines(stream, HEARD_MAX_BYTES);
  say(stream, name);
  hear(lines, "* " + name + " is here", false);
  for (let i = 0; i < said.length; i++) {
    say(stream, said[i]);
    hear(lines, name + ": " + said[i], true);
  }
  stream.close();
}

function say(stream: TcpStream, line: string): void {
  const failure = stream.writeText(line + "\n", WRITE_TIMEOUT);
  if (failure !== null) exit(ExitReason.error(failure.message));
}

export function _start(): void {
  const words = commandLine();
  if (words.length <= 1) return serve("127.0.0.1:0");
  if (words.length == 3 && words[1] == "serve") return serve(words[2]);
  if (words.length >= 4 && words[1] == "talk") return talk(words[2], words[3], words.slice(4));
  exit(ExitReason.error("usage: chat serve ADDRESS | chat talk ADDRESS NAME LINE..."));
}
