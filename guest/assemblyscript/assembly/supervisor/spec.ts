//! What a supervisor is told: its strategy, and a specification for each child, as data.
//!
//! What must stay true: a specification names functions by their index, so that it means something
//! in processes of the same module alone.

import { fromBytes, toBytes } from "../codec";
import { spawnIndex, Mailbox, SpawnOptions } from "../process";
import { startServerLink } from "../server";
import { Failure, FailureKind, Result } from "../result";
import { Pid } from "../pid";
import { Reader } from "../reader";
import { Writer } from "../writer";

/** When a child is started again: always; after a failure; never. */
export enum Restart { Permanent, Transient, Temporary }

/** Who is started again with a child: itself alone; all; itself and those after it. */
export enum Strategy { OneForOne, OneForAll, RestForOne }

/** When a supervisor ends because significant children have ended. */
export enum AutoShutdown { Never, AnySignificant, AllSignificant }

/** In a specification: a child that is killed at once. */
export const BRUTAL_KILL: i64 = 0;
/** In a specification: a child that is waited for, however long it takes. */
export const INFINITY: i64 = -1;

const SHUTDOWN_DEFAULT: i64 = 5000;

/** A child. */
export class ChildSpec {
  id: string = "";
  restart: Restart = Restart.Permanent;
  /** Milliseconds that it has to end after the exit signal shutdown. */
  shutdown: i64 = SHUTDOWN_DEFAULT;
  isSupervisor: bool = false;
  isSignificant: bool = false;
  /** The name that is registered for it; empty for none. */
  name: string = "";
  /** A function that starts a child of this specification. */
  private runner: u32 = 0;
  private entry: u32 = 0;
  private argument: Uint8Array = new Uint8Array(0);

  /** A server of class S. */
  static server<S, A>(id: string, argument: A): ChildSpec {
    const runner = (spec: ChildSpec): Result<Pid> => {
      const decoded = spec.decodeArgument<A>();
      return decoded.ok
        ? startServerLink<S, A>(decoded.value)
        : Result.failed<Pid>(decoded.error);
    };
    return ChildSpec.of(id, runner.index, 0, toBytes<A>(argument));
  }

  /** A process that runs this function. It counts as started as soon as it is spawned. */
  static process<M, A>(
    id: string, entry: (mailbox: Mailbox<M>, argument: A) => void, argument: A,
  ): ChildSpec {
    const runner = (spec: ChildSpec): Result<Pid> => spec.spawn<M, A>();
    return ChildSpec.of(id, runner.index, entry.index, toBytes<A>(argument));
  }

  /**
   * Any process, also of another module: this function starts it, in the process of the supervisor,
   * links it, and gives its pid.
   */
  static custom<A>(id: string, start: (argument: A) => Result<Pid>, argument: A): ChildSpec {
    const runner = (spec: ChildSpec): Result<Pid> => {
      const decoded = spec.decodeArgument<A>();
      if (!decoded.ok) return Result.failed<Pid>(decoded.error);
      return call_indirect<Result<Pid>>(spec.entry, decoded.value);
    };
    return ChildSpec.of(id, runner.index, start.index, toBytes<A>(argument));
  }

  static of(id: string, runner: u32, entry: u32, argument: Uint8Array): ChildSpec {
    const spec = new ChildSpec();
    spec.id = id;
    spec.runner = runner;
    spec.entry = entry;
    spec.argument = argument;
    return spec;
  }

  /** Starts the child, in the process of its supervisor. */
  start(): Result<Pid> {
    return call_indirect<Result<Pid>>(this.runner, this);
  }

  spawn<M, A>(): Result<Pid> {
    const decoded = this.decodeArgument<A>();
    if (!decoded.ok) return Result.failed<Pid>(decoded.error);
    const spawned = spawnIndex<M, A>(this.entry, decoded.value, new SpawnOptions().link());
    return spawned.ok
      ? Result.ok<Pid>(spawned.value.pid)
      : Result.failed<Pid>(spawned.error);
  }

  decodeArgument<A>(): Result<A> {
    return fromBytes<A>(this.argument);
  }

  transient(): ChildSpec {
    this.restart = Restart.Transient;
    return this;
  }

  temporary(): ChildSpec {
    this.restart = Restart.Temporary;
    return this;
  }

  /** How long it may take to end, in milliseconds; see `BRUTAL_KILL` and `INFINITY`. */
  endsWithin(milliseconds: i64): ChildSpec {
    this.shutdown = milliseconds;
    return this;
  }

  /** Its end counts for the supervisor's `AutoShutdown`. */
  significant(): ChildSpec {
    this.isSignificant = true;
    return this;
  }

  /** Registers this name for it, each time that it is started. */
  named(name: string): ChildSpec {
    this.name = name;
    return this;
  }

  encode(writer: Writer): void {
    writer.string(this.id).u32(this.restart).i64(this.shutdown).bool(this.isSupervisor);
    writer.bool(this.isSignificant).string(this.name);
    writer.u32(this.runner).u32(this.entry).bytes(this.argument);
  }

  decode(reader: Reader): void {
    this.id = reader.string();
    this.restart = reader.variant(3);
    this.shutdown = reader.i64();
    this.isSupervisor = reader.bool();
    this.isSignificant = reader.bool();
    this.name = reader.string();
    this.runner = reader.u32();
    this.entry = reader.u32();
    this.argument = reader.bytes();
  }
}

/** How a supervisor works; and, in `start`, which children it has. */
export class Flags {
  strategy: Strategy = Strategy.OneForOne;
  /** More restarts than these within the period end the supervisor. */
  intensity: u32 = 1;
  /** Milliseconds. */
  period: u64 = 5000;
  autoShutdown: AutoShutdown = AutoShutdown.Never;

  encode(writer: Writer): void {
    writer.u32(this.strategy).u32(this.intensity).u64(this.period).u32(this.autoShutdown);
  }

  decode(reader: Reader): void {
    this.strategy = reader.variant(3);
    this.intensity = reader.u32();
    this.period = reader.u64();
    this.autoShutdown = reader.variant(3);
  }
}

/** What makes no sense in these specifications, or null. */
export function check(flags: Flags, specs: ChildSpec[]): Failure | null {
  if (flags.period == 0) return refused("the period of a supervisor", "it is 0");
  for (let i = 0; i < specs.length; i++) {
    const spec = specs[i];
    const child = "the child " + spec.id;
    for (let j = 0; j < i; j++) {
      if (specs[j].id == spec.id) return refused(child, "there are two");
    }
    if (spec.isSignificant && flags.autoShutdown == AutoShutdown.Never) {
      return refused(child, "it is significant, but the supervisor never shuts down for that");
    }
    if (spec.isSignificant && spec.restart == Restart.Permanent) {
      return refused(child, "it is significant, but always started again");
    }
  }
  return null;
}

function refused(what: string, why: string): Failure {
  return new Failure(FailureKind.Refused, what + ": " + why);
}
