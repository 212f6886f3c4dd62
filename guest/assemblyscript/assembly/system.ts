//! System messages: what every server understands beside its own requests. OTP's `sys`.

import { ask } from "./server";
import { Failure, FailureKind, Result, Unit } from "./result";
import { draft, receive, Pattern, Tag } from "./mail";
import { Pid, Reference } from "./pid";
import { ExitReason } from "./reason";
import { Reader } from "./reader";
import { Writer } from "./writer";
import * as host from "./host";

/** The requests of guest/wire.md. */
export enum SystemKind {
  Suspend, Resume, GetState, ReplaceState, GetStatus, CodeChange, Terminate,
}

/** A system request as it travels. */
export class SystemRequest {
  version: string = "";
  bytes: Uint8Array = new Uint8Array(0);
  reason: ExitReason = ExitReason.normal();

  constructor(public kind: SystemKind = SystemKind.Suspend) {}

  encode(writer: Writer): void {
    writer.variant(this.kind);
    if (this.kind == SystemKind.CodeChange) writer.string(this.version);
    const hasBytes = this.kind == SystemKind.CodeChange || this.kind == SystemKind.ReplaceState;
    if (hasBytes) writer.bytes(this.bytes);
    if (this.kind == SystemKind.Terminate) this.reason.encode(writer);
  }

  decode(reader: Reader): void {
    this.kind = reader.variant(7);
    if (this.kind == SystemKind.CodeChange) this.version = reader.string();
    const hasBytes = this.kind == SystemKind.CodeChange || this.kind == SystemKind.ReplaceState;
    if (hasBytes) this.bytes = reader.bytes();
    if (this.kind == SystemKind.Terminate) this.reason.decode(reader);
  }
}

/** Ok, or what is wrong. */
export class SystemAnswer {
  constructor(public wrong: string | null = null) {}

  encode(writer: Writer): void {
    const wrong = this.wrong;
    writer.variant(wrong === null ? 0 : 1);
    if (wrong !== null) writer.string(wrong);
  }

  decode(reader: Reader): void {
    this.wrong = reader.variant(2) == 0 ? null : reader.string();
  }
}

function request<R>(pid: Pid, kind: SystemKind, timeout: i64): Result<R> {
  return ask<SystemRequest, R>(Tag.SYSTEM, pid, new SystemRequest(kind), timeout);
}

function change(pid: Pid, request: SystemRequest, timeout: i64): Failure | null {
  const answer = ask<SystemRequest, SystemAnswer>(Tag.SYSTEM, pid, request, timeout);
  if (!answer.ok) return answer.error;
  const wrong = answer.value.wrong;
  return wrong === null ? null : Failure.refused(pid.toString(), wrong);
}

/** Requests that every server answers, also those of the libraries for other languages. */
export namespace sys {
  /** Makes a process handle nothing but system messages. Twice is no error. */
  export function suspend(pid: Pid, timeout: i64 = 5000): Failure | null {
    return request<Unit>(pid, SystemKind.Suspend, timeout).failure;
  }

  /** Makes a suspended process go on. */
  export function resume(pid: Pid, timeout: i64 = 5000): Failure | null {
    return request<Unit>(pid, SystemKind.Resume, timeout).failure;
  }

  /** The state, in the format of the process. */
  export function getState(pid: Pid, timeout: i64 = 5000): Result<Uint8Array> {
    return request<Uint8Array>(pid, SystemKind.GetState, timeout);
  }

  /** Gives a process another state; a failure if it does not take it. */
  export function replaceState(pid: Pid, state: Uint8Array, timeout: i64 = 5000): Failure | null {
    const replace = new SystemRequest(SystemKind.ReplaceState);
    replace.bytes = state;
    return change(pid, replace, timeout);
  }

  /** What can be said of a process, for people. */
  export function getStatus(pid: Pid, timeout: i64 = 5000): Result<string> {
    return request<string>(pid, SystemKind.GetStatus, timeout);
  }

  /** Tells a suspended process that its code has changed. */
  export function codeChange(
    pid: Pid, version: string, extra: Uint8Array, timeout: i64 = 5000,
  ): Failure | null {
    const changed = new SystemRequest(SystemKind.CodeChange);
    changed.version = version;
    changed.bytes = extra;
    return change(pid, changed, timeout);
  }

  /**
   * Ends a process in an orderly way, and waits for its end. A failure if it ends with another
   * reason, or still runs after the timeout.
   */
  export function stop(
    pid: Pid, reason: ExitReason = ExitReason.normal(), timeout: i64 = -1,
  ): Failure | null {
    const monitor = pid.monitor();
    const terminate = new SystemRequest(SystemKind.Terminate);
    terminate.reason = reason;
    draft<SystemRequest>(Tag.SYSTEM, terminate, new Reference());
    host.message.send_pid(pid.node, pid.id, -1);
    const down = receive(timeout, [Pattern.down().referring(monitor)]);
    if (down === null) {
      monitor.demonitor();
      return Failure.timeout("the end of " + pid.toString(), timeout);
    }
    if (down.reason.equals(reason)) return null;
    const message = pid.toString() + " ended otherwise: " + down.reason.toString();
    return new Failure(FailureKind.Down, message, pid, down.reason);
  }
}
