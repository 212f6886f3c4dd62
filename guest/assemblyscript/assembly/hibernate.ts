//! Hibernating: a process that waits for long gives up its call stack.
//!
//! What must stay true: what goes on finds the collector's stack empty, since what lay there belonged
//! to calls that are gone.

import { decode, encode } from "./codec";
import { Mailbox } from "./process";
import { Failure } from "./result";
import { Reader } from "./reader";
import { utf8 } from "./text";
import { Writer } from "./writer";
import * as host from "./host";

const WAKE = "__lunatic_wake";

/** The state of the process while it hibernates. */
let kept: Uint8Array = new Uint8Array(0);

/** Where a process goes on: exported by the module, called by the runtime. */
export function __lunatic_wake(runner: u32, entry: u32): void {
  __stack_pointer = __heap_base;
  call_indirect(runner, entry);
}

function goOn<M, S>(entry: u32): void {
  const state = decode<S>(Reader.of(kept));
  kept = new Uint8Array(0);
  call_indirect(entry, new Mailbox<M>(), state);
}

/**
 * Gives up the call stack, waits until there is a message, which is not taken, and goes on in
 * `entry` with this state; when that comes back, the process ends. The state is written as a body
 * is, and may hold no resources: those stay in variables of the module.
 */
export function hibernate<M, S>(
  entry: (mailbox: Mailbox<M>, state: S) => void, state: S,
): void {
  const writer = new Writer();
  encode<S>(writer, state);
  kept = writer.toBytes();
  const runner = (index: u32): void => { goOn<M, S>(index); };
  const parameters = new Uint8Array(34);
  store<u8>(parameters.dataStart, 0x7f);
  store<u32>(parameters.dataStart, runner.index, 1);
  store<u8>(parameters.dataStart, 0x7f, 17);
  store<u32>(parameters.dataStart, entry.index, 18);
  const name = utf8(WAKE);
  const error = new StaticArray<u64>(1);
  host.process.hibernate(
    changetype<usize>(name), name.byteLength, parameters.dataStart, parameters.length,
    changetype<usize>(error));
  throw new Error(Failure.ofResource("hibernating", error[0]).message);
}
