//! Pids and references: pairs of 64 bits that mean one process, monitor, alias or timer.

import { ExitReason } from "./reason";
import { Reader } from "./reader";
import { Writer } from "./writer";
import * as host from "./host";

/** Names one process; it stays a value when the process is no more. */
export class Pid {
  constructor(public node: u64 = 0, public id: u64 = 0) {}

  /** The calling process. */
  static own(): Pid {
    const at = changetype<usize>(new StaticArray<u64>(2));
    host.process.own_pid(at);
    return new Pid(load<u64>(at), load<u64>(at, 8));
  }

  equals(other: Pid): bool {
    return this.node == other.node && this.id == other.id;
  }

  /** Whether the process exists; one that is ending is waited for. */
  isAlive(): bool {
    return host.process.is_alive(this.node, this.id) != 0;
  }

  /** Links the calling process with this one. An exit that is trapped carries the tag. */
  link(tag: i64 = 0): void {
    host.process.link_pid(this.node, this.id, tag, 0);
  }

  unlink(): void {
    host.process.unlink_pid(this.node, this.id);
  }

  /** Watches this process: a down comes when it ends. */
  monitor(): Reference {
    return this.monitorWith(0);
  }

  /** The same with the flags of `monitor_pid` in abi/process.md. */
  monitorWith(flags: i32): Reference {
    const at = new StaticArray<u64>(2);
    host.process.monitor_pid(this.node, this.id, flags, changetype<usize>(at));
    return new Reference(at[0], at[1]);
  }

  /** Asks the process to exit with this reason, as OTP's exit/2. */
  exit(reason: ExitReason): void {
    const data = reason.data;
    host.process.exit(this.node, this.id, reason.kind, data.dataStart, data.length);
  }

  toString(): string {
    return "<" + this.node.toString() + "." + this.id.toString() + ">";
  }

  encode(writer: Writer): void {
    writer.u64(this.node).u64(this.id);
  }

  decode(reader: Reader): void {
    this.node = reader.u64();
    this.id = reader.u64();
  }
}

/** Names one monitor, alias or timer. */
export class Reference {
  constructor(public node: u64 = 0, public id: u64 = 0) {}

  equals(other: Reference): bool {
    return this.node == other.node && this.id == other.id;
  }

  /** Whether it means nothing: two zeros. */
  get isNone(): bool {
    return this.node == 0 && this.id == 0;
  }

  /** Makes an alias of the calling process. `once`: the first message through it ends it. */
  static alias(once: bool = false): Reference {
    const at = new StaticArray<u64>(2);
    host.process.alias(once ? 1 : 0, changetype<usize>(at));
    return new Reference(at[0], at[1]);
  }

  /** Ends the alias; false if it was not active. */
  unalias(): bool {
    return host.process.unalias(this.node, this.id) == 1;
  }

  /** Stops watching, and takes a down away that lies in the mailbox. False if it had fired. */
  demonitor(): bool {
    return host.process.demonitor(this.node, this.id, 1) == 1;
  }

  encode(writer: Writer): void {
    writer.u64(this.node).u64(this.id);
  }

  decode(reader: Reader): void {
    this.node = reader.u64();
    this.id = reader.u64();
  }
}
