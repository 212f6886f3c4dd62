//! A number in a process, and a client: `counter` of examples/languages/README.md.
//!
//! What must stay true: the bytes are those of the page, so that clients and servers in other
//! languages can be on the other side.

import {
  Caller, ExitReason, Failure, Pattern, Pid, Reader, ReasonKind, Server,
  SpawnOptions, Writer, argument, call, cast, exit, receive, register, runServer, spawnExport,
  whereis,
} from "lunatic";

/** What is called: get, or add a number. */
class Request {
  constructor(public adds: bool = false, public number: i64 = 0) {}

  encode(writer: Writer): void {
    writer.variant(this.adds ? 1 : 0);
    if (this.adds) writer.i64(this.number);
  }

  decode(reader: Reader): void {
    this.adds = reader.variant(2) == 1;
    if (this.adds) this.number = reader.i64();
  }
}

/** What is cast: start from 0 again, or crash. */
class Command {
  constructor(public crashes: bool = false) {}

  encode(writer: Writer): void {
    writer.variant(this.crashes ? 1 : 0);
  }

  decode(reader: Reader): void {
    this.crashes = reader.variant(2) == 1;
  }
}

class Counter extends Server<Request, Command> {
  private number: i64 = 0;

  init(number: i64): void {
    this.number = number;
  }

  handleCall(request: Request, caller: Caller): void {
    if (request.adds) this.number += request.number;
    caller.reply<i64>(this.number);
  }

  handleCast(command: Command): void {
    if (command.crashes) exit(ExitReason.error("told to crash"));
    this.number = 0;
  }

  handleUnreadable(failure: Failure): void {
    console.error("counter: dropped a message: " + failure.message);
  }
}

export function counter_server(): void {
  runServer<Counter, i64>();
}

function ask(counter: Pid, request: Request): string {
  return call<Request, i64>(counter, request, 5000).orExit().toString();
}

export function counter_client(): void {
  const name = argument<string>().orExit();
  const counter = whereis(name);
  if (counter === null) return console.log("nobody is called " + name);
  console.log("add 40: " + ask(counter, new Request(true, 40)));
  console.log("add 2: " + ask(counter, new Request(true, 2)));
  console.log("get: " + ask(counter, new Request()));
  console.log("add -50: " + ask(counter, new Request(true, -50)));
  cast<Command>(counter, new Command());
  console.log("reset, get: " + ask(counter, new Request()));
}

export function _start(): void {
  const server = spawnExport<i64>("counter_server", 0).orExit();
  register("counter", server.pid);
  const client = spawnExport<string>("counter_client", "counter", new SpawnOptions().monitor());
  const end = receive(-1, [Pattern.down().referring(client.orExit().monitor)])!;
  assert(end.reason.kind == ReasonKind.Normal, "the client has failed");
  const watched = server.pid.monitor();
  cast<Command>(server.pid, new Command(true));
  const down = receive(-1, [Pattern.down().referring(watched)])!;
  console.log("counter has ended: " + down.reason.text);
}
