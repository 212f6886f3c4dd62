//! Modules: WebAssembly of any language, compiled to be spawned.

import { Failure, Result } from "./result";
import { Reader } from "./reader";
import { ResourceKind, takeResource } from "./resource";
import { Writer } from "./writer";
import * as host from "./host";

const DENIED: i32 = -1;

/** A compiled module. It may be sent in a message; it is not of the sender any more then. */
export class Module {
  constructor(public id: i64 = -1) {}

  /** Compiles; a failure if the bytes are no module, or the process may not compile. */
  static compile(bytes: Uint8Array): Result<Module> {
    const out = new StaticArray<u64>(1);
    const at = changetype<usize>(out);
    const code = host.process.compile_module(bytes.dataStart, bytes.length, at);
    if (code == 0) return Result.ok<Module>(new Module(out[0]));
    if (code == DENIED) return Result.failed<Module>(Failure.refused("compiling", "it is denied"));
    return Result.failed<Module>(Failure.ofResource("compiling", out[0]));
  }

  /** Gives it back. What runs of it goes on. */
  drop(): void {
    host.process.drop_module(this.id);
  }

  encode(writer: Writer): void {
    assert(writer.takesResources, "a module can only be in a message");
    writer.u64(host.message.push_module(this.id));
  }

  decode(reader: Reader): void {
    const taken = takeResource(reader, ResourceKind.Module);
    if (taken !== null) this.id = <i64>taken[0];
  }
}
