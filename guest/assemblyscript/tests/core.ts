//! What the library promises, as requirements: each prints its name when it holds, and the first
//! that does not ends the program with a failure.

import {
  Caller, ExitReason, FailureKind, Mailbox, MailKind, Pattern, Pid, Reader, ReasonKind, Reference,
  Server, Unit, Writer, call, cancelTimer, cast, draft, encode, exit, fromBytes, receive, register,
  send, sendAfter, sendAlias, sendName, spawn, spawnLink, spawnMonitor, startServer, toBytes,
  trapExit, unregister, whereis,
} from "lunatic";

class Point {
  constructor(public x: i32 = 0, public name: string = "", public more: u16[] = []) {}

  encode(writer: Writer): void {
    writer.i32(this.x).string(this.name);
    encode<u16[]>(writer, this.more);
  }

  decode(reader: Reader): void {
    this.x = reader.i32();
    this.name = reader.string();
    const size = reader.size();
    for (let i: u32 = 0; i < size; i++) this.more.push(reader.u16());
  }
}

function holds(requirement: string): void {
  console.log("ok " + requirement);
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16);
  return text;
}

function bytes(values: u8[]): Uint8Array {
  const list = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) list[i] = values[i];
  return list;
}

function bodiesAreAsThePageSays(): void {
  assert(hex(toBytes<bool>(true)) == "01");
  assert(hex(toBytes<i8>(-1)) == "ff");
  assert(hex(toBytes<u32>(300)) == "ac02");
  assert(hex(toBytes<i32>(-65)) == "8101");
  assert(hex(toBytes<f32>(1.0)) == "0000803f");
  assert(hex(toBytes<string>("hé")) == "0368c3a9");
  assert(hex(toBytes<u16[]>([1, 300])) == "0201ac02");
  assert(hex(toBytes<string | null>(null)) == "00");
  assert(hex(toBytes<string | null>("a")) == "010161");
  assert(hex(toBytes<Pid>(new Pid(0, 300))) == "00ac02");
  const map = new Map<u8, u8>();
  map.set(1, 2);
  assert(hex(toBytes<Map<u8, u8>>(map)) == "010102");
  assert(fromBytes<Map<u8, u8>>(bytes([1, 1, 2])).value.get(1) == 2);
  assert(fromBytes<i64>(toBytes<i64>(i64.MIN_VALUE)).value == i64.MIN_VALUE);
  assert(fromBytes<u64>(toBytes<u64>(u64.MAX_VALUE)).value == u64.MAX_VALUE);
  const point = fromBytes<Point>(toBytes<Point>(new Point(-7, "x", [9, 65535]))).value;
  assert(point.x == -7 && point.name == "x" && point.more[1] == 65535);
  holds("bodies are as guest/wire.md says");
}

function badBytesAreFailures(): void {
  assert(fromBytes<bool>(bytes([2])).is(FailureKind.Unreadable));
  assert(fromBytes<u16>(bytes([0xff, 0xff, 0x04])).is(FailureKind.Unreadable));
  assert(fromBytes<u64>(bytes([255, 255, 255, 255, 255, 255, 255, 255, 255, 2])).ok == false);
  assert(fromBytes<string>(bytes([2, 0xc3, 0x28])).is(FailureKind.Unreadable));
  assert(fromBytes<string>(bytes([5, 0x61])).is(FailureKind.Unreadable));
  assert(fromBytes<u8>(bytes([1, 2])).is(FailureKind.Unreadable));
  assert(fromBytes<u64[]>(bytes([0xff, 0xff, 0xff, 0xff, 0x0f])).is(FailureKind.Unreadable));
  assert(fromBytes<Uint8Array>(bytes([9])).is(FailureKind.Unreadable));
  holds("bytes that are no value of the type are failures");
}

function worker(mailbox: Mailbox<i32>, parent: Pid): void {
  const got = mailbox.receive();
  send<string>(parent, got.ok ? got.value.toString() : got.error.message);
}

function spawnsAndMessages(): void {
  const mailbox = new Mailbox<string>();
  const child = spawn<i32, Pid>(worker, mailbox.self());
  send<i32>(child, -3);
  assert(mailbox.receive().value == "-3");
  holds("a child gets its argument and typed messages");
  const other = spawn<i32, Pid>(worker, mailbox.self());
  send<string>(other, "no number");
  const text = mailbox.receive().value;
  assert(text.includes("is no i32") && text.includes(mailbox.self().toString()));
  holds("a message that does not decode is a failure that names type and sender");
}

function failing(mailbox: Mailbox<i32>, what: i32): void {
  if (what == 0) exit(ExitReason.custom(bytes([1, 2])));
  if (what == 1) assert(false, "on purpose");
  if (what == 2) mailbox.receive();
}

function endsAreTold(): void {
  let child = spawnMonitor<i32, i32>(failing, 0);
  let down = receive(-1, [Pattern.down().referring(child.monitor)])!;
  assert(down.reason.kind == ReasonKind.Custom && down.reason.data[1] == 2);
  holds("a custom reason arrives as it was given");
  child = spawnMonitor<i32, i32>(failing, 1);
  down = receive(-1, [Pattern.down().referring(child.monitor)])!;
  assert(down.reason.kind == ReasonKind.Error);
  assert(down.reason.text.startsWith("panicked at tests/core.ts:"));
  assert(down.reason.text.endsWith(": on purpose"));
  holds("abort becomes a reason with message and place");
  trapExit(true);
  const linked = spawnLink<i32, i32>(failing, 2);
  linked.exit(ExitReason.kill());
  const end = receive(-1, [Pattern.exit().sentBy(linked)])!;
  assert(end.kind == MailKind.Exit && end.reason.kind == ReasonKind.Killed);
  trapExit(false);
  assert(!linked.isAlive());
  holds("a trapped exit is a message with its reason");
  const nobody = receive(-1, [Pattern.down().referring(linked.monitor())])!;
  assert(nobody.reason.kind == ReasonKind.NoProcess);
  holds("a monitor of a process that is no more is told noproc");
  const watched = spawnMonitor<i32, i32>(failing, 2);
  assert(watched.monitor.demonitor());
  watched.pid.exit(ExitReason.kill());
  assert(!watched.pid.isAlive());
  assert(receive(0, [Pattern.down()]) === null);
  holds("a monitor that was taken back tells nothing");
}

function receivesChoose(): void {
  const me = Pid.own();
  send<i32>(me, 1, 5);
  send<i32>(me, 2, 6);
  assert(receive(-1, [Pattern.message().tagged(6)])!.read<i32>().value == 2);
  assert(receive(-1)!.read<i32>().value == 1);
  assert(receive(0) === null);
  assert(new Mailbox<i32>().receive(1).is(FailureKind.Timeout));
  holds("a receive takes what it wants, leaves the rest, and keeps its deadline");
  const alias = Reference.alias(true);
  sendAlias<i32>(alias, 4);
  sendAlias<i32>(alias, 5);
  assert(receive(-1, [Pattern.message().referring(alias)])!.read<i32>().value == 4);
  assert(receive(0) === null);
  holds("an alias for one message takes one");
  const timer = sendAfter<i32>(me, 7, 1);
  assert(receive(-1, [Pattern.message().referring(timer)])!.read<i32>().value == 7);
  assert(cancelTimer(timer) == -1);
  assert(cancelTimer(sendAfter<i32>(me, 8, 1000000)) > 0);
  holds("a timer fires with its reference, or is cancelled in time");
}

function namesLead(): void {
  const me = Pid.own();
  assert(register("core", me) === null);
  assert(register("core", me)!.kind == FailureKind.Name);
  assert(whereis("core")!.equals(me));
  assert(sendName<i32>("core", 1) === null);
  assert(receive(-1)!.read<i32>().value == 1);
  assert(unregister("core") && !unregister("core"));
  assert(whereis("core") === null && sendName<i32>("core", 1) !== null);
  holds("a name leads to one process until it is taken away");
}

class Counter extends Server<i32, i32> {
  count: i32 = 0;
  late: Caller | null = null;

  init(at: i32): void {
    this.count = at;
  }

  handleCall(request: i32, caller: Caller): void {
    if (request == -1) this.late = caller;
    else if (request == -2) this.stop();
    else caller.reply<i32>(this.count += request);
  }

  handleCast(request: i32): void {
    this.count += request;
    const late = this.late;
    if (late !== null) late.reply<i32>(0);
  }
}

function serversAnswer(): void {
  const counter = startServer<Counter, i32>(10).value;
  assert(call<i32, i32>(counter, 1).value == 11);
  cast<i32>(counter, 5);
  assert(call<i32, i32>(counter, 0).value == 16);
  holds("a server answers calls and takes casts in their order");
  assert(call<i32, i32>(counter, -1, 1).is(FailureKind.Timeout));
  cast<i32>(counter, 0);
  assert(call<i32, i32>(counter, 0).value == 16);
  assert(receive(0) === null);
  holds("a call times out, and its late reply is dropped");
  assert(call<i32, string>(counter, 0).is(FailureKind.Unreadable));
  assert(call<Unit, i32>(counter, new Unit(), 1).is(FailureKind.Timeout));
  assert(call<i32, i32>(counter, 0).value == 16);
  holds("a request or reply of another type is a failure, and the server goes on");
  const ended = call<i32, i32>(counter, -2);
  assert(ended.is(FailureKind.Down) && ended.error.reason!.kind == ReasonKind.Normal);
  assert(call<i32, i32>(counter, 0).error.reason!.kind == ReasonKind.NoProcess);
  holds("a call of a server that ends is told the reason");
}

export function _start(): void {
  bodiesAreAsThePageSays();
  badBytesAreFailures();
  spawnsAndMessages();
  endsAreTold();
  receivesChoose();
  namesLead();
  serversAnswer();
  console.log("all hold");
}
