//! Why a process ends: a kind and data, as abi/process.md has them.

import { Reader } from "./reader";
import { isUtf8, utf8 } from "./text";
import { Writer } from "./writer";
import * as host from "./host";

/** The kinds of reasons. */
export enum ReasonKind {
  Normal, Shutdown, Kill, Killed, NoProcess, NoConnection, Status, Trap, Error, Bug, Limit, Custom,
}

const KINDS: u32 = 12;
/** What the data of an orderly end begins with that says why: OTP's `{shutdown, Term}`. */
const SHUTDOWN = "shutdown:";

/** An exit reason; it arrives as it was given. */
export class ExitReason {
  constructor(
    public kind: ReasonKind = ReasonKind.Normal, public data: Uint8Array = new Uint8Array(0),
  ) {}

  static normal(): ExitReason {
    return new ExitReason(ReasonKind.Normal);
  }

  static shutdown(): ExitReason {
    return new ExitReason(ReasonKind.Shutdown);
  }

  static kill(): ExitReason {
    return new ExitReason(ReasonKind.Kill);
  }

  static killed(): ExitReason {
    return new ExitReason(ReasonKind.Killed);
  }

  /** An error with a text for people. */
  static error(text: string): ExitReason {
    return new ExitReason(ReasonKind.Error, Uint8Array.wrap(utf8(text)));
  }

  /** Any bytes, for programs. */
  static custom(bytes: Uint8Array): ExitReason {
    return new ExitReason(ReasonKind.Custom, bytes);
  }

  /** An orderly end that says why, with the body of a value: OTP's `{shutdown, Term}`. */
  static shutdownWith(body: Uint8Array): ExitReason {
    const mark = utf8(SHUTDOWN);
    const data = new Uint8Array(mark.byteLength + body.length);
    memory.copy(data.dataStart, changetype<usize>(mark), mark.byteLength);
    memory.copy(data.dataStart + mark.byteLength, body.dataStart, body.length);
    return ExitReason.custom(data);
  }

  /** Whether this is an end that a transient child is not started again for. */
  get isOrderly(): bool {
    if (this.kind == ReasonKind.Normal || this.kind == ReasonKind.Shutdown) return true;
    return this.kind == ReasonKind.Custom && this.says(utf8(SHUTDOWN));
  }

  private says(mark: ArrayBuffer): bool {
    if (this.data.length < mark.byteLength) return false;
    return memory.compare(this.data.dataStart, changetype<usize>(mark), mark.byteLength) == 0;
  }

  equals(other: ExitReason): bool {
    if (this.kind != other.kind || this.data.length != other.data.length) return false;
    return memory.compare(this.data.dataStart, other.data.dataStart, this.data.length) == 0;
  }

  /** The data as a text; empty if it is none. */
  get text(): string {
    if (!isUtf8(this.data.dataStart, this.data.length)) return "";
    return String.UTF8.decodeUnsafe(this.data.dataStart, this.data.length);
  }

  toString(): string {
    switch (this.kind) {
      case ReasonKind.Normal: return "normal";
      case ReasonKind.Shutdown: return "shutdown";
      case ReasonKind.Kill: return "kill";
      case ReasonKind.Killed: return "killed";
      case ReasonKind.NoProcess: return "noproc";
      case ReasonKind.NoConnection: return "noconnection";
      case ReasonKind.Status: return "status " + this.status.toString();
      case ReasonKind.Custom: {
        const what = this.isOrderly ? "shutdown, " : "custom, ";
        return what + this.data.length.toString() + " bytes";
      }
      default: return this.text;
    }
  }

  /** The exit status of a reason of that kind; else 0. */
  get status(): i32 {
    const has = this.kind == ReasonKind.Status && this.data.length == 4;
    return has ? load<i32>(this.data.dataStart) : 0;
  }

  encode(writer: Writer): void {
    writer.u32(this.kind).bytes(this.data);
  }

  decode(reader: Reader): void {
    this.kind = reader.variant(KINDS);
    this.data = reader.bytes();
  }
}

/** Ends the calling process with this reason, whatever it traps. */
export function exit(reason: ExitReason): void {
  host.process.exit_self(reason.kind, reason.data.dataStart, reason.data.length);
}
