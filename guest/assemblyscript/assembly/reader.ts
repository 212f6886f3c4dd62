//! Reading bodies of messages: postcard 1.x, as guest/wire.md says.
//!
//! What must stay true: bytes of others are hostile. A reader never reads outside its bytes, makes
//! nothing that is larger than they justify, and never ends the process: the first thing that is
//! wrong is kept in `failure`, and from then on everything reads as zeros and empty texts.

import { isUtf8 } from "./text";

/** Bytes that are read from their beginning to their end. */
export class Reader {
  /** What was wrong first; null as long as all is well. */
  failure: string | null = null;
  /** How many resources of a message can be taken now: those of the one that lies in the slot. */
  resources: u32 = 0;
  private at: usize;
  private end: usize;

  /** `owner` keeps the bytes alive. */
  constructor(start: usize, length: u32, private owner: Object | null = null) {
    this.at = start;
    this.end = start + length;
  }

  static of(bytes: Uint8Array): Reader {
    return new Reader(bytes.dataStart, bytes.length, bytes);
  }

  /** How many bytes are left. */
  get left(): u32 {
    return <u32>(this.end - this.at);
  }

  get ok(): bool {
    return this.failure === null;
  }

  /** Says what is wrong; only the first call counts. For a `decode` that meets a bad value. */
  fail(what: string): void {
    if (this.failure === null) this.failure = what;
    this.at = this.end;
  }

  /** Everything must have been read. */
  finish(): void {
    if (this.at != this.end) this.fail(this.left.toString() + " bytes are left over");
  }

  private take(length: u32, what: string): usize {
    if (length > this.left) {
      this.fail("it ends within " + what);
      return 0;
    }
    const at = this.at;
    this.at += length;
    return at;
  }

  u8(): u8 {
    const at = this.take(1, "a byte");
    return at ? load<u8>(at) : 0;
  }

  i8(): i8 {
    return <i8>this.u8();
  }

  bool(): bool {
    const byte = this.u8();
    if (byte > 1) this.fail("a bool or option that is " + byte.toString());
    return byte == 1;
  }

  private varint(bits: u32): u64 {
    let value: u64 = 0;
    for (let shift: u32 = 0; shift < bits; shift += 7) {
      const at = this.take(1, "a number");
      if (!at) return 0;
      const byte = load<u8>(at);
      const part = <u64>(byte & 0x7f);
      if (bits - shift < 7 && part >> (bits - shift)) break;
      value |= part << shift;
      if (byte < 0x80) return value;
    }
    this.fail("a number with more than " + bits.toString() + " bits");
    return 0;
  }

  private zigzag(bits: u32): i64 {
    const value = this.varint(bits);
    return <i64>(value >> 1) ^ -(<i64>(value & 1));
  }

  u16(): u16 {
    return <u16>this.varint(16);
  }

  u32(): u32 {
    return <u32>this.varint(32);
  }

  u64(): u64 {
    return this.varint(64);
  }

  i16(): i16 {
    return <i16>this.zigzag(16);
  }

  i32(): i32 {
    return <i32>this.zigzag(32);
  }

  i64(): i64 {
    return this.zigzag(64);
  }

  f32(): f32 {
    const at = this.take(4, "a float");
    return at ? load<f32>(at) : 0;
  }

  f64(): f64 {
    const at = this.take(8, "a float");
    return at ? load<f64>(at) : 0;
  }

  /** Eight bytes, little-endian; for what wire.md calls fixed. */
  fixed64(): u64 {
    const at = this.take(8, "a number of 8 bytes");
    return at ? load<u64>(at) : 0;
  }

  string(): string {
    const length = this.u32();
    const at = this.take(length, "a text");
    if (!at || !length) return "";
    if (!isUtf8(at, length)) {
      this.fail("a text that is not UTF-8");
      return "";
    }
    return String.UTF8.decodeUnsafe(at, length);
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.take(length, "bytes");
    if (!at) return new Uint8Array(0);
    const bytes = new Uint8Array(length);
    memory.copy(bytes.dataStart, at, length);
    return bytes;
  }

  /** The bytes that are left, all of them. */
  rest(): Uint8Array {
    const length = this.left;
    const bytes = new Uint8Array(length);
    memory.copy(bytes.dataStart, this.take(length, "bytes"), length);
    return bytes;
  }

  /**
   * How many elements follow. More than bytes are left is an error, so that nobody makes room for
   * what cannot come; lists of elements without bytes are therefore refused.
   */
  size(): u32 {
    const elements = this.u32();
    if (elements <= this.left) return elements;
    this.fail(elements.toString() + " elements in " + this.left.toString() + " bytes");
    return 0;
  }

  /** The index of a resource that is to be taken now; -1, and a failure, if there is none. */
  resource(): i64 {
    const index = this.u32();
    if (this.ok && index < this.resources) return index;
    this.fail("a resource that is not there, or no more, since another message has come");
    return -1;
  }

  /** Which variant of an enum of so many. */
  variant(variants: u32): u32 {
    const index = this.u32();
    if (index < variants) return index;
    this.fail("variant " + index.toString() + " of an enum that has " + variants.toString());
    return 0;
  }

  /** Whether an option has a value, which follows. */
  option(): bool {
    return this.bool();
  }
}
