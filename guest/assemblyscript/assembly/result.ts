//! What an operation gives that can fail: a value, or a `Failure` that says what failed and why.
//! AssemblyScript has no exceptions to catch, so what a program may want to handle is a value.

import { ExitReason, exit } from "./reason";
import { Pid } from "./pid";
import { Reader } from "./reader";
import { Writer } from "./writer";
import * as host from "./host";

/** What went wrong, for code that decides what to do next. */
export enum FailureKind {
  /** The time was over; nothing was lost. */
  Timeout,
  /** The other process ended, or there was none. `reason` says how. */
  Down,
  /** A message was not of the type that was asked for. `sender` says who sent it. */
  Unreadable,
  /** The runtime refused: a socket, a spawn, a right that is missing. */
  Refused,
  /** The name is taken, nobody has it, or the process has one already. */
  Name,
  /** A process told that its start failed. `reason` is what it gave. */
  Start,
  /** A process told that there is nothing for it to do. */
  Ignored,
  /** There is no such child. */
  NotFound,
  /** The child runs. `sender` is its pid. */
  Running,
  /** There is a child of this id, which does not run. */
  Present,
}

/** Why something failed. `message` is for people, the rest for programs. */
export class Failure {
  constructor(
    readonly kind: FailureKind,
    readonly message: string,
    readonly sender: Pid | null = null,
    readonly reason: ExitReason | null = null,
  ) {}

  toString(): string {
    return this.message;
  }

  /** The failure behind an error resource of the runtime, which is dropped. */
  static ofResource(what: string, error: u64): Failure {
    const length = host.error.string_size(error);
    const text = new ArrayBuffer(length);
    host.error.to_string(error, changetype<usize>(text));
    host.error.drop(error);
    return new Failure(FailureKind.Refused, what + ": " + String.UTF8.decode(text));
  }

  static refused(what: string, why: string): Failure {
    return new Failure(FailureKind.Refused, what + ": " + why);
  }

  static timeout(what: string, milliseconds: i64): Failure {
    const message = what + ": nothing within " + milliseconds.toString() + " ms";
    return new Failure(FailureKind.Timeout, message);
  }
}

/** A value, or the reason why there is none. */
export class Result<T> {
  private constructor(private readonly inner: T, readonly failure: Failure | null) {}

  static ok<T>(value: T): Result<T> {
    return new Result<T>(value, null);
  }

  static failed<T>(failure: Failure): Result<T> {
    return new Result<T>(nothing<T>(), failure);
  }

  /** Whether there is a value. */
  get ok(): bool {
    return this.failure === null;
  }

  /** The value. Where there is none, the process ends with the failure as its reason. */
  get value(): T {
    const failure = this.failure;
    if (failure !== null) throw new Error(failure.message);
    return this.inner;
  }

  /** The value. Where there is none, the process ends with an error that is the failure's text. */
  orExit(): T {
    const failure = this.failure;
    if (failure !== null) exit(ExitReason.error(failure.message));
    return this.inner;
  }

  /** The failure. Where there is none, the process ends. */
  get error(): Failure {
    const failure = this.failure;
    if (failure === null) throw new Error("there is no failure: look at `ok` first");
    return failure;
  }

  /** The value, or this other one. */
  or(other: T): T {
    return this.failure === null ? this.inner : other;
  }

  /** Whether this is a failure of this kind. */
  is(kind: FailureKind): bool {
    const failure = this.failure;
    return failure !== null && failure.kind == kind;
  }
}

/** A placeholder that nobody reads: `Result` looks at its failure first. */
// @ts-ignore: decorator
@inline
function nothing<T>(): T {
  if (isReference<T>()) return changetype<T>(0);
  // @ts-ignore: T is a number here
  return <T>0;
}

/** What calls give that have nothing to say. It has no bytes. */
export class Unit {
  encode(_writer: Writer): void {}
  decode(_reader: Reader): void {}
}
