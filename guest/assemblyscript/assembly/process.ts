//! Processes: spawning them, their mailboxes, their names and flags.
//!
//! AssemblyScript has no closures: an entry is a function of the module, known by its index in the
//! table, and what it needs is a value that travels as the first message (tag -4).

import { receive, send, Mail, Pattern, Tag } from "./mail";
import { Failure, FailureKind, Result } from "./result";
import { Pid, Reference } from "./pid";
import { utf8 } from "./text";
import * as host from "./host";

const ENTRY = "__lunatic_entry";
const LINK: u32 = 1;
const MONITOR: u32 = 2;

/** The messages of type M that come for the calling process. */
export class Mailbox<M> {
  /** The calling process. */
  self(): Pid {
    return Pid.own();
  }

  /** The oldest plain message; a failure at the timeout, or if it is no M (it is gone then). */
  receive(timeout: i64 = -1): Result<M> {
    const mail = receive(timeout, [Pattern.message().tagged(Tag.PLAIN)]);
    if (mail === null) return Result.failed<M>(Failure.timeout("a receive", timeout));
    return mail.read<M>();
  }
}

/** What a spawn gave: the child, and its monitor if one was asked for. */
export class Spawned {
  constructor(readonly pid: Pid, readonly monitor: Reference) {}
}

/** How to spawn. */
export class SpawnOptions {
  flags: u32 = 0;
  config: i64 = -1;
  label: string = "";

  /** Links parent and child before the child's first instruction. */
  link(): SpawnOptions {
    this.flags |= LINK;
    return this;
  }

  /** Watches the child from its beginning. */
  monitor(): SpawnOptions {
    this.flags |= MONITOR;
    return this;
  }

  labelled(label: string): SpawnOptions {
    this.label = label;
    return this;
  }
}

/** Where spawned processes begin: exported by the module, called by the runtime. */
export function __lunatic_entry(runner: u32, entry: u32): void {
  call_indirect(runner, entry);
}

/** Receives the argument and calls the entry. */
function launch<M, A>(entry: u32): void {
  const mail = receive(-1, [Pattern.message().tagged(Tag.ARGUMENT)]) as Mail;
  call_indirect(entry, new Mailbox<M>(), mail.read<A>().value);
}

/** Spawns a process that runs `entry` with this argument; a failure if the runtime refuses. */
export function trySpawn<M, A>(
  entry: (mailbox: Mailbox<M>, argument: A) => void, argument: A, options: SpawnOptions,
): Result<Spawned> {
  const runner = (index: u32): void => { launch<M, A>(index); };
  return spawnRunner<A>(runner.index, entry.index, argument, options);
}

/** The same for a runner of this library's own. */
export function spawnRunner<A>(
  runner: u32, entry: u32, argument: A, options: SpawnOptions,
): Result<Spawned> {
  const parameters = new Uint8Array(34);
  store<u8>(parameters.dataStart, 0x7f);
  store<u32>(parameters.dataStart, runner, 1);
  store<u8>(parameters.dataStart, 0x7f, 17);
  store<u32>(parameters.dataStart, entry, 18);
  const name = utf8(ENTRY);
  const label = utf8(options.label);
  const block = new Uint8Array(72);
  const at = block.dataStart;
  store<u32>(at, options.flags);
  store<i64>(at, options.config, 8);
  store<i64>(at, -1, 16);
  store<usize>(at, changetype<usize>(name), 24);
  store<u32>(at, name.byteLength, 28);
  store<usize>(at, parameters.dataStart, 32);
  store<u32>(at, parameters.length, 36);
  store<usize>(at, changetype<usize>(label), 48);
  store<u32>(at, label.byteLength, 52);
  const out = new StaticArray<u64>(4);
  if (host.process.spawn_with(at, 72, changetype<usize>(out)) != 0) {
    return Result.failed<Spawned>(Failure.ofResource("a spawn", out[0]));
  }
  const pid = new Pid(out[0], out[1]);
  send<A>(pid, argument, Tag.ARGUMENT);
  return Result.ok<Spawned>(new Spawned(pid, new Reference(out[2], out[3])));
}

/** Spawns a process; where the runtime refuses, the caller ends with the reason. */
export function spawn<M, A>(
  entry: (mailbox: Mailbox<M>, argument: A) => void, argument: A,
): Pid {
  return trySpawn<M, A>(entry, argument, new SpawnOptions()).value.pid;
}

/** The same with a link. */
export function spawnLink<M, A>(
  entry: (mailbox: Mailbox<M>, argument: A) => void, argument: A,
): Pid {
  return trySpawn<M, A>(entry, argument, new SpawnOptions().link()).value.pid;
}

/** The same with a monitor. */
export function spawnMonitor<M, A>(
  entry: (mailbox: Mailbox<M>, argument: A) => void, argument: A,
): Spawned {
  return trySpawn<M, A>(entry, argument, new SpawnOptions().monitor()).value;
}

/** Whether exit signals become messages (true) or end the calling process. */
export function trapExit(trap: bool): void {
  const before = new StaticArray<u64>(1);
  host.process.set_flag(0, trap ? 1 : 0, changetype<usize>(before));
}

/** Waits. */
export function sleep(milliseconds: u64): void {
  host.process.sleep_ms(milliseconds);
}

/** Gives a name to a process; a failure if it is taken, or the process has one or is no more. */
export function register(name: string, pid: Pid): Failure | null {
  const text = utf8(name);
  const at = changetype<usize>(text);
  const code = host.registry.register(at, text.byteLength, pid.node, pid.id);
  if (code == 0) return null;
  const why = code == 1 ? "it is taken" : code == 2 ? "there is no such process" : "it has one";
  return new Failure(FailureKind.Name, "registering " + name + ": " + why);
}

/** Takes a name away; false if nobody has it. */
export function unregister(name: string): bool {
  const text = utf8(name);
  return host.registry.unregister(changetype<usize>(text), text.byteLength) == 0;
}

/** Who has the name; null if nobody has. */
export function whereis(name: string): Pid | null {
  const text = utf8(name);
  const at = new StaticArray<u64>(2);
  const out = changetype<usize>(at);
  if (host.registry.get(changetype<usize>(text), text.byteLength, out, out + 8) != 0) return null;
  return new Pid(at[0], at[1]);
}
