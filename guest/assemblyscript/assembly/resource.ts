//! Resources in messages: taking one out of the message that was received last.
//!
//! What must stay true: the runtime traps where a message has another kind of resource than is asked
//! for, or none any more; who has received it goes on, with a failure.

import { Reader } from "./reader";
import * as host from "./host";

/** What can be taken. */
export enum ResourceKind { TcpStream, TcpListener, Module, Process, Alias }

/** What was taken: an id, or the two numbers of a process or an alias. */
const taken = new StaticArray<u64>(2);

/** The index of the resource that is being taken. */
let wanted: u32 = 0;

function take(kind: ResourceKind): void {
  const index = <u64>wanted;
  const place = changetype<usize>(taken);
  switch (kind) {
    case ResourceKind.TcpStream: taken[0] = host.message.take_tcp_stream(index); break;
    case ResourceKind.TcpListener: taken[0] = host.message.take_tcp_listener(index); break;
    case ResourceKind.Module: taken[0] = host.message.take_module(index); break;
    case ResourceKind.Process: host.message.take_process(index, place); break;
    case ResourceKind.Alias: host.message.take_alias(index, place); break;
  }
}

/** Exported by the module; the runtime calls it, and a trap comes no further. */
export function _lunatic_catch_trap(run: u32, kind: u32): i32 {
  call_indirect(run, kind);
  return 1;
}

/** Takes what the reader's next number means; null, and a failure, if it is no such resource. */
export function takeResource(reader: Reader, kind: ResourceKind): StaticArray<u64> | null {
  const index = reader.resource();
  if (index < 0) return null;
  // A trap leaves the collector's stack as it was when it happened.
  const stack = __stack_pointer;
  wanted = <u32>index;
  const run = (which: u32): void => { take(which); };
  const whole = host.trap.attempt(run.index, kind);
  __stack_pointer = stack;
  if (whole != 0) return taken;
  reader.fail("a resource of another kind, or one that was taken before");
  return null;
}
