//! TCP: listeners and streams, which belong to the process that has them and can be sent to others.
//!
//! Addresses are texts: `127.0.0.1:80`, `[::1]:80`, `name:80`. What waits here stops its own
//! process only.
//!
//! What must stay true: each error and each iterator over addresses that the runtime stores is
//! dropped.

import { Failure, Result } from "./result";
import { Reader } from "./reader";
import { ResourceKind, takeResource } from "./resource";
import { utf8 } from "./text";
import { Writer } from "./writer";
import * as host from "./host";

const TIMEOUT: i32 = 9027;
const VERSION_6: u32 = 6;

/** Which half of a connection is to end. */
export enum Half { Reading, Writing, Both }

/** One address, as the runtime stores it. */
class Address {
  private readonly place: StaticArray<u8> = new StaticArray<u8>(32);

  private get at(): usize {
    return changetype<usize>(this.place);
  }

  get family(): u32 {
    return load<u32>(this.at);
  }

  get flow(): u32 {
    return load<u32>(this.at, 4);
  }

  get scope(): u32 {
    return load<u32>(this.at, 8);
  }

  get port(): u32 {
    return load<u16>(this.at, 12);
  }

  get octets(): usize {
    return this.at + 16;
  }

  /** Takes the next of an iterator; false if there is no more. */
  next(all: u64): bool {
    const at = this.at;
    return host.networking.resolve_next(all, at, at + 16, at + 12, at + 4, at + 8) == 0;
  }

  toString(): string {
    if (this.family == VERSION_6) {
      const groups: string[] = [];
      for (let i = 0; i < 16; i += 2) {
        const group = (<u32>load<u8>(this.octets + i) << 8) | load<u8>(this.octets + i + 1);
        groups.push(group.toString(16));
      }
      return "[" + groups.join(":") + "]:" + this.port.toString();
    }
    const parts: string[] = [];
    for (let i = 0; i < 4; i++) parts.push(load<u8>(this.octets + i).toString());
    return parts.join(".") + ":" + this.port.toString();
  }
}

/** What a function of the runtime has stored, by its result. */
function outcome(what: string, code: i32, stored: u64, timeout: i64): Result<u64> {
  if (code == 0) return Result.ok<u64>(stored);
  if (code == TIMEOUT) return Result.failed<u64>(Failure.timeout(what, timeout));
  return Result.failed<u64>(Failure.ofResource(what, stored));
}

/** The one address of an iterator, which is dropped. */
function single(all: u64): string {
  const address = new Address();
  const text = address.next(all) ? address.toString() : "";
  host.networking.drop_addresses(all);
  return text;
}

function resolve(address: string, timeout: i64): Result<u64> {
  const text = utf8(address);
  const out = new StaticArray<u64>(1);
  const at = changetype<usize>(out);
  const code = host.networking.resolve(changetype<usize>(text), text.byteLength, timeout, at);
  return outcome("looking up " + address, code, out[0], timeout);
}

/** Tries `use` with each address of a name until it works. */
function withEach(
  what: string, name: string, timeout: i64, use: (address: Address, timeout: i64) => Result<u64>,
): Result<u64> {
  const all = resolve(name, timeout);
  if (!all.ok) return all;
  const address = new Address();
  let last = Result.failed<u64>(Failure.refused(what + " " + name, "the name has no address"));
  while (!last.ok && address.next(all.value)) last = use(address, timeout);
  host.networking.drop_addresses(all.value);
  return last;
}

/** Takes connections at an address. */
export class TcpListener {
  constructor(public id: u64 = u64.MAX_VALUE) {}

  /** Listens; port 0 is any free one. */
  static bind(address: string): Result<TcpListener> {
    const bound = withEach("listening at", address, -1, (one: Address, _timeout: i64) => {
      const out = new StaticArray<u64>(1);
      const at = changetype<usize>(out);
      const code = host.networking.tcp_bind(
        one.family, one.octets, one.port, one.flow, one.scope, at);
      return outcome("listening at " + one.toString(), code, out[0], -1);
    });
    if (!bound.ok) return Result.failed<TcpListener>(bound.error);
    return Result.ok<TcpListener>(new TcpListener(bound.value));
  }

  /** Where it listens, with the port that it got; empty if the runtime cannot say. */
  get address(): string {
    const out = new StaticArray<u64>(1);
    const code = host.networking.tcp_local_addr(this.id, changetype<usize>(out));
    const all = outcome("an address", code, out[0], -1);
    return all.ok ? single(all.value) : "";
  }

  /** The next connection; a failure at the timeout. */
  accept(timeout: i64 = -1): Result<TcpStream> {
    host.networking.set_accept_timeout(this.id, timeout);
    const out = new StaticArray<u64>(2);
    const at = changetype<usize>(out);
    const code = host.networking.tcp_accept(this.id, at, at + 8);
    const stream = outcome("accepting", code, out[0], timeout);
    if (!stream.ok) return Result.failed<TcpStream>(stream.error);
    host.networking.drop_addresses(out[1]);
    return Result.ok<TcpStream>(new TcpStream(stream.value));
  }

  close(): void {
    host.networking.drop_tcp_listener(this.id);
  }

  encode(writer: Writer): void {
    assert(writer.takesResources, "a listener can only be in a message");
    writer.u64(host.message.push_tcp_listener(this.id));
  }

  decode(reader: Reader): void {
    const taken = takeResource(reader, ResourceKind.TcpListener);
    if (taken !== null) this.id = taken[0];
  }
}

/** A connection. It ends with the last handle of it, in whatever process. */
export class TcpStream {
  constructor(public id: u64 = u64.MAX_VALUE) {}

  /** Connects; the timeout is for each address of a name. */
  static connect(address: string, timeout: i64 = -1): Result<TcpStream> {
    const connected = withEach("connecting to", address, timeout, (one: Address, limit: i64) => {
      const out = new StaticArray<u64>(1);
      const at = changetype<usize>(out);
      const code = host.networking.tcp_connect(
        one.family, one.octets, one.port, one.flow, one.scope, limit, at);
      return outcome("connecting to " + one.toString(), code, out[0], limit);
    });
    if (!connected.ok) return Result.failed<TcpStream>(connected.error);
    return Result.ok<TcpStream>(new TcpStream(connected.value));
  }

  /** Who is at the other end; empty if the connection is no more. */
  get peer(): string {
    const out = new StaticArray<u64>(1);
    const code = host.networking.tcp_peer_addr(this.id, changetype<usize>(out));
    const all = outcome("an address", code, out[0], -1);
    return all.ok ? single(all.value) : "";
  }

  /** What has come, at least a byte and at most `room`; no bytes at the end of the stream. */
  read(room: i32 = 4096, timeout: i64 = -1): Result<Uint8Array> {
    host.networking.set_read_timeout(this.id, timeout);
    const bytes = new Uint8Array(room);
    const out = new StaticArray<u64>(1);
    const code = host.networking.tcp_read(this.id, bytes.dataStart, room, changetype<usize>(out));
    const length = outcome("reading", code, out[0], timeout);
    if (!length.ok) return Result.failed<Uint8Array>(length.error);
    return Result.ok<Uint8Array>(bytes.subarray(0, <i32>length.value));
  }

  /** Writes all; after a failure nobody knows how much was written. */
  write(bytes: Uint8Array, timeout: i64 = -1): Failure | null {
    host.networking.set_write_timeout(this.id, timeout);
    const slice = new StaticArray<usize>(2);
    const out = new StaticArray<u64>(1);
    let at = bytes.dataStart;
    let left = <u32>bytes.length;
    while (left > 0) {
      slice[0] = at;
      slice[1] = left;
      const slices = changetype<usize>(slice);
      const code = host.networking.tcp_write_vectored(this.id, slices, 1, changetype<usize>(out));
      const written = outcome("writing", code, out[0], timeout);
      if (!written.ok) return written.error;
      if (written.value == 0) return Failure.refused("writing", "the stream takes no more");
      at += <usize>written.value;
      left -= <u32>written.value;
    }
    return null;
  }

  /** Writes a text as UTF-8. */
  writeText(text: string, timeout: i64 = -1): Failure | null {
    return this.write(Uint8Array.wrap(utf8(text)), timeout);
  }

  /** Small writes are sent at once. */
  setNoDelay(flag: bool): Failure | null {
    const out = new StaticArray<u64>(1);
    const code = host.networking.set_tcp_nodelay(this.id, flag, changetype<usize>(out));
    return outcome("an option", code, out[0], -1).failure;
  }

  /** Ends one half or both, for all handles; the other side reads to the end. */
  shutdown(half: Half): Failure | null {
    const out = new StaticArray<u64>(1);
    const code = host.networking.tcp_shutdown(this.id, half, changetype<usize>(out));
    return outcome("a shutdown", code, out[0], -1).failure;
  }

  /** Another handle of the same connection. */
  clone(): TcpStream {
    return new TcpStream(host.networking.clone_tcp_stream(this.id));
  }

  /** Gives this handle back. */
  close(): void {
    host.networking.drop_tcp_stream(this.id);
  }

  encode(writer: Writer): void {
    assert(writer.takesResources, "a stream can only be in a message");
    writer.u64(host.message.push_tcp_stream(this.id));
  }

  decode(reader: Reader): void {
    const taken = takeResource(reader, ResourceKind.TcpStream);
    if (taken !== null) this.id = taken[0];
  }
}
