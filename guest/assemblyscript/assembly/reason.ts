//! Why a process ends: a kind and data, as abi/process.md has them.

import { utf8 } from "./text";
import * as host from "./host";

/** The kinds of reasons. */
export enum ReasonKind {
  Normal, Shutdown, Kill, Killed, NoProcess, NoConnection, Status, Trap, Error, Bug, Limit, Custom,
}

/** An exit reason; it arrives as it was given. */
export class ExitReason {
  constructor(readonly kind: ReasonKind, readonly data: Uint8Array = new Uint8Array(0)) {}

  static normal(): ExitReason {
    return new ExitReason(ReasonKind.Normal);
  }

  static shutdown(): ExitReason {
    return new ExitReason(ReasonKind.Shutdown);
  }

  static kill(): ExitReason {
    return new ExitReason(ReasonKind.Kill);
  }

  /** An error with a text for people. */
  static error(text: string): ExitReason {
    return new ExitReason(ReasonKind.Error, Uint8Array.wrap(utf8(text)));
  }

  /** Any bytes, for programs. */
  static custom(bytes: Uint8Array): ExitReason {
    return new ExitReason(ReasonKind.Custom, bytes);
  }

  /** The data as a text. */
  get text(): string {
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
      case ReasonKind.Status: return "status " + load<i32>(this.data.dataStart).toString();
      case ReasonKind.Custom: return "custom, " + this.data.length.toString() + " bytes";
      default: return this.text;
    }
  }
}

/** Ends the calling process with this reason, whatever it traps. */
export function exit(reason: ExitReason): void {
  host.process.exit_self(reason.kind, reason.data.dataStart, reason.data.length);
}
