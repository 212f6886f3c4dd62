//! Processes: spawning them, their mailboxes, their names and flags.
//!
//! AssemblyScript has no closures: an entry is a function of the module, known by its index in the
//! table, and what it needs is a value that travels as the first message (tag -4).

import { argumentMail } from "./argument";
import { receive, send, Pattern, Tag } from "./mail";
import { Config } from "./config";
import { Module } from "./module";
import { Failure, FailureKind, Result } from "./result";
import { Pid, Reference } from "./pid";
import { utf8 } from "./text";
import * as host from "./host";

const ENTRY = "__lunatic_entry";
const LINK: u32 = 1;
const MONITOR: u32 = 2;
const PRIORITY: u32 = 4;
const OPTIONS_BYTES: u32 = 72;

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

/** Who runs first. */
export enum Priority { Low, Normal, High, Max }

/** How to spawn. */
export class SpawnOptions {
  flags: u32 = 0;
  label: string = "";
  monitorFlags: u32 = 0;
  private rank: Priority = Priority.Normal;
  private linkTag: i64 = 0;
  private config: Config | null = null;
  private module: Module | null = null;

  /** Links parent and child before the child's first instruction. */
  link(tag: i64 = 0): SpawnOptions {
    this.flags |= LINK;
    this.linkTag = tag;
    return this;
  }

  /** Watches the child from its beginning. */
  monitor(flags: u32 = 0): SpawnOptions {
    this.flags |= MONITOR;
    this.monitorFlags = flags;
    return this;
  }

  priority(priority: Priority): SpawnOptions {
    this.flags |= PRIORITY;
    this.rank = priority;
    return this;
  }

  labelled(label: string): SpawnOptions {
    this.label = label;
    return this;
  }

  /** What the child may do; without this, all that its parent may. */
  configured(config: Config): SpawnOptions {
    this.config = config;
    return this;
  }

  /** The child runs this module, and not the caller's; for `spawnExport`. */
  inModule(module: Module): SpawnOptions {
    this.module = module;
    return this;
  }

  /** What is wrong with the configuration, if anything is. */
  get failure(): Failure | null {
    const config = this.config;
    return config === null ? null : config.failure;
  }

  /** As the runtime reads it, but for the names. */
  block(): Uint8Array {
    const block = new Uint8Array(OPTIONS_BYTES);
    const at = block.dataStart;
    const config = this.config;
    const module = this.module;
    store<u32>(at, this.flags);
    store<u32>(at, this.rank, 4);
    store<i64>(at, config === null ? -1 : config.id, 8);
    store<i64>(at, module === null ? -1 : module.id, 16);
    store<i64>(at, this.linkTag, 40);
    store<u32>(at, this.monitorFlags, 56);
    return block;
  }
}

/** Where spawned processes begin: exported by the module, called by the runtime. */
export function __lunatic_entry(runner: u32, entry: u32): void {
  call_indirect(runner, entry);
}

/** Receives the argument and calls the entry. */
function launch<M, A>(entry: u32): void {
  const mail = argumentMail();
  call_indirect(entry, new Mailbox<M>(), mail.read<A>().orExit());
}

/** Spawns a process that runs `entry` with this argument; a failure if the runtime refuses. */
export function trySpawn<M, A>(
  entry: (mailbox: Mailbox<M>, argument: A) => void, argument: A,
  options: SpawnOptions = new SpawnOptions(),
): Result<Spawned> {
  return spawnIndex<M, A>(entry.index, argument, options);
}

/** The same for the index of such a function. */
export function spawnIndex<M, A>(entry: u32, argument: A, options: SpawnOptions): Result<Spawned> {
  const runner = (index: u32): void => { launch<M, A>(index); };
  const spawned = spawnRunner(runner.index, entry, options);
  if (spawned.ok) send<A>(spawned.value.pid, argument, Tag.ARGUMENT);
  return spawned;
}

/**
 * Spawns a process that runs an exported function without parameters, which may be in another
 * language if the options name a module. A failure if the runtime refuses; an export that does not
 * exist traps.
 */
export function spawnExport<A>(
  name: string, argument: A, options: SpawnOptions = new SpawnOptions(),
): Result<Spawned> {
  const spawned = spawnWith(name, new Uint8Array(0), options);
  if (spawned.ok) send<A>(spawned.value.pid, argument, Tag.ARGUMENT);
  return spawned;
}

/** Spawns a runner of this library's own. The caller sends the argument at once. */
export function spawnRunner(runner: u32, entry: u32, options: SpawnOptions): Result<Spawned> {
  const parameters = new Uint8Array(34);
  store<u8>(parameters.dataStart, 0x7f);
  store<u32>(parameters.dataStart, runner, 1);
  store<u8>(parameters.dataStart, 0x7f, 17);
  store<u32>(parameters.dataStart, entry, 18);
  return spawnWith(ENTRY, parameters, options);
}

function spawnWith(
  entry: string, parameters: Uint8Array, options: SpawnOptions,
): Result<Spawned> {
  const failure = options.failure;
  if (failure !== null) return Result.failed<Spawned>(failure);
  const name = utf8(entry);
  const label = utf8(options.label);
  const block = options.block();
  const at = block.dataStart;
  store<usize>(at, changetype<usize>(name), 24);
  store<u32>(at, name.byteLength, 28);
  store<usize>(at, parameters.dataStart, 32);
  store<u32>(at, parameters.length, 36);
  store<usize>(at, changetype<usize>(label), 48);
  store<u32>(at, label.byteLength, 52);
  const out = new StaticArray<u64>(4);
  if (host.process.spawn_with(at, OPTIONS_BYTES, changetype<usize>(out)) != 0) {
    return Result.failed<Spawned>(Failure.ofResource("a spawn", out[0]));
  }
  const monitor = new Reference(out[2], out[3]);
  return Result.ok<Spawned>(new Spawned(new Pid(out[0], out[1]), monitor));
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

/** Who runs first: sets it for the calling process. */
export function setPriority(priority: Priority): void {
  const before = new StaticArray<u64>(1);
  host.process.set_flag(1, priority, changetype<usize>(before));
}

/** A text by which people know the calling process; an empty one takes it away. */
export function setLabel(label: string): void {
  const text = utf8(label);
  host.process.set_label(changetype<usize>(text), text.byteLength);
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

/** Watches the process that has the name now; if nobody has, the down comes at once. */
export function monitorName(name: string): Reference {
  const text = utf8(name);
  const at = new StaticArray<u64>(2);
  const place = changetype<usize>(at);
  host.process.monitor_name(changetype<usize>(text), text.byteLength, 0, place);
  return new Reference(at[0], at[1]);
}

/** Who has the name; null if nobody has. */
export function whereis(name: string): Pid | null {
  const text = utf8(name);
  const at = new StaticArray<u64>(2);
  const out = changetype<usize>(at);
  if (host.registry.get(changetype<usize>(text), text.byteLength, out, out + 8) != 0) return null;
  return new Pid(at[0], at[1]);
}
