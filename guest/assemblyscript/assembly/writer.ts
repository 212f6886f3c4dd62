//! Writing bodies of messages: postcard 1.x, as guest/wire.md says.
//!
//! What must stay true: a writer never fails; it grows as long as there is memory.

import { utf8 } from "./text";

const FIRST_CAPACITY: i32 = 64;

/** Bytes that grow at their end. Methods give the writer back, so that calls can be chained. */
export class Writer {
  private buffer: ArrayBuffer;
  private used: u32 = 0;
  /** Whether a message is being written, to which resources can be added. */
  takesResources: bool = false;

  constructor(capacity: i32 = FIRST_CAPACITY) {
    this.buffer = new ArrayBuffer(capacity);
  }

  /** Where the bytes are; until the next write. */
  get start(): usize {
    return changetype<usize>(this.buffer);
  }

  /** How many bytes there are. */
  get length(): u32 {
    return this.used;
  }

  /** Forgets what was written, and keeps the memory. */
  clear(): void {
    this.used = 0;
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.used);
    memory.copy(bytes.dataStart, this.start, this.used);
    return bytes;
  }

  private room(more: u32): usize {
    const needed = this.used + more;
    const capacity = <u32>this.buffer.byteLength;
    if (needed > capacity) {
      const larger = new ArrayBuffer(<i32>max(needed, capacity * 2));
      memory.copy(changetype<usize>(larger), this.start, this.used);
      this.buffer = larger;
    }
    const at = this.start + this.used;
    this.used = needed;
    return at;
  }

  u8(value: u8): Writer {
    store<u8>(this.room(1), value);
    return this;
  }

  i8(value: i8): Writer {
    store<i8>(this.room(1), value);
    return this;
  }

  bool(value: bool): Writer {
    return this.u8(value ? 1 : 0);
  }

  /** An unsigned number of any width but u8. */
  u64(value: u64): Writer {
    let at = this.room(10);
    const begin = at;
    while (value >= 0x80) {
      store<u8>(at++, <u8>value | 0x80);
      value >>= 7;
    }
    store<u8>(at++, <u8>value);
    this.used -= 10 - <u32>(at - begin);
    return this;
  }

  u16(value: u16): Writer {
    return this.u64(value);
  }

  u32(value: u32): Writer {
    return this.u64(value);
  }

  /** A signed number of any width but i8. */
  i64(value: i64): Writer {
    return this.u64(<u64>((value << 1) ^ (value >> 63)));
  }

  i16(value: i16): Writer {
    return this.i64(value);
  }

  i32(value: i32): Writer {
    return this.i64(value);
  }

  f32(value: f32): Writer {
    store<f32>(this.room(4), value);
    return this;
  }

  f64(value: f64): Writer {
    store<f64>(this.room(8), value);
    return this;
  }

  /** Eight bytes, little-endian; for what wire.md calls fixed. */
  fixed64(value: u64): Writer {
    store<u64>(this.room(8), value);
    return this;
  }

  string(value: string): Writer {
    const bytes = utf8(value);
    return this.u64(bytes.byteLength).raw(changetype<usize>(bytes), bytes.byteLength);
  }

  bytes(value: Uint8Array): Writer {
    return this.u64(value.length).raw(value.dataStart, value.length);
  }

  /** Bytes without a length. */
  raw(from: usize, length: u32): Writer {
    memory.copy(this.room(length), from, length);
    return this;
  }

  /** The number of elements of a list or of pairs of a map, which follow. */
  size(elements: u32): Writer {
    return this.u64(elements);
  }

  /** Which variant of an enum, counted from 0; its fields follow. */
  variant(index: u32): Writer {
    return this.u64(index);
  }

  /** Whether an option has a value, which follows. */
  option(some: bool): Writer {
    return this.bool(some);
  }
}
