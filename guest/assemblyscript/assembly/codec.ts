//! From types to bytes and back: `encode` and `decode` are generic functions whose branches the
//! compiler chooses, so that only what a type needs is in the module.
//!
//! Numbers, bools, strings, arrays, maps, byte arrays and nullable types are known. A class says
//! by itself what it consists of: it has `encode(writer)` and `decode(reader)`.

import { Failure, FailureKind, Result } from "./result";
import { Pid } from "./pid";
import { Reader } from "./reader";
import { Writer } from "./writer";

/** What a class has whose values go into messages; it need not say that it implements this. */
export interface Codable {
  /** Writes the fields, in their order. */
  encode(writer: Writer): void;
  /** Sets the fields, in their order, of an object that was made without arguments. */
  decode(reader: Reader): void;
}

/** Writes a value. */
export function encode<T>(writer: Writer, value: T): void {
  if (isNullable<T>()) {
    writer.option(value !== null);
    if (value !== null) encode<NonNullable<T>>(writer, value);
  } else if (isBoolean<T>()) writer.bool(value);
  else if (isInteger<T>()) {
    if (sizeof<T>() == 1) writer.u8(<u8>value);
    else if (isSigned<T>()) writer.i64(<i64>value);
    else writer.u64(<u64>value);
  } else if (isFloat<T>()) {
    if (sizeof<T>() == 4) writer.f32(<f32>value);
    else writer.f64(<f64>value);
  } else if (isString<T>()) writer.string(value);
  else if (value instanceof Uint8Array) writer.bytes(value);
  else if (isArrayLike<T>()) {
    writer.size(value.length);
    for (let i = 0; i < value.length; i++) encode<valueof<T>>(writer, value[i]);
    // @ts-ignore: only maps and classes are left
  } else if (isDefined(value.encode)) value.encode(writer);
  else encodeMap(writer, value);
}

function encodeMap<K, V>(writer: Writer, map: Map<K, V>): void {
  const keys = map.keys();
  const values = map.values();
  writer.size(keys.length);
  for (let i = 0; i < keys.length; i++) {
    encode<K>(writer, keys[i]);
    encode<V>(writer, values[i]);
  }
}

/** Reads a value. Whether it is one says `reader.failure`, which is to be looked at first. */
export function decode<T>(reader: Reader): T {
  if (isNullable<T>()) {
    if (!reader.option()) return changetype<T>(0);
    return decode<NonNullable<T>>(reader);
  }
  if (isBoolean<T>()) return <T>reader.bool();
  if (isInteger<T>()) return integer<T>(reader);
  if (isFloat<T>()) {
    if (sizeof<T>() == 4) return <T>reader.f32();
    return <T>reader.f64();
  }
  if (isString<T>()) return changetype<T>(reader.string());
  if (isReference<T>()) return reference<T>(reader);
  ERROR("this type cannot be in a message");
}

function integer<T>(reader: Reader): T {
  if (sizeof<T>() == 1) return <T>reader.u8();
  if (sizeof<T>() == 2) return isSigned<T>() ? <T>reader.i16() : <T>reader.u16();
  if (sizeof<T>() == 4) return isSigned<T>() ? <T>reader.i32() : <T>reader.u32();
  return isSigned<T>() ? <T>reader.i64() : <T>reader.u64();
}

function reference<T>(reader: Reader): T {
  if (idof<T>() == idof<Uint8Array>()) return changetype<T>(reader.bytes());
  if (isArrayLike<T>()) {
    const length = reader.size();
    const list = instantiate<T>(length);
    for (let i: u32 = 0; i < length && reader.ok; i++) {
      list[i] = decode<valueof<T>>(reader);
    }
    return list;
  }
  const value = instantiate<T>();
  // @ts-ignore: only maps and classes are left
  if (isDefined(value.decode)) value.decode(reader);
  else decodeMap(reader, value);
  return value;
}

function decodeMap<K, V>(reader: Reader, map: Map<K, V>): void {
  const pairs = reader.size();
  for (let i: u32 = 0; i < pairs && reader.ok; i++) {
    const key = decode<K>(reader);
    const value = decode<V>(reader);
    if (reader.ok) map.set(key, value);
  }
}

/** A value as bytes. */
export function toBytes<T>(value: T): Uint8Array {
  const writer = new Writer();
  encode<T>(writer, value);
  return writer.toBytes();
}

/** A value from bytes, all of them. */
export function fromBytes<T>(bytes: Uint8Array): Result<T> {
  const reader = Reader.of(bytes);
  const value = decode<T>(reader);
  reader.finish();
  const wrong = reader.failure;
  if (wrong === null) return Result.ok<T>(value);
  return unreadable<T>(bytes.length.toString() + " bytes are", wrong, null);
}

/** What is told of bytes that are no value of the type: it names the type. */
export function unreadable<T>(what: string, wrong: string, sender: Pid | null): Result<T> {
  const message = what + " no " + nameof<T>() + ": " + wrong;
  return Result.failed<T>(new Failure(FailureKind.Unreadable, message, sender));
}
