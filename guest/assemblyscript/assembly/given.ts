//! Processes and aliases that bring the right to send to them: for processes whose rights let them
//! reach some others only, to which a pid in a message is worth nothing.

import { Pid, Reference } from "./pid";
import { Reader } from "./reader";
import { ResourceKind, takeResource } from "./resource";
import { Writer } from "./writer";
import * as host from "./host";

/** A process that may be used by whoever receives it. */
export class Given {
  constructor(public pid: Pid = new Pid()) {}

  encode(writer: Writer): void {
    assert(writer.takesResources, "a process can only be given in a message");
    writer.u64(host.message.push_process(this.pid.node, this.pid.id));
  }

  decode(reader: Reader): void {
    const taken = takeResource(reader, ResourceKind.Process);
    if (taken !== null) this.pid = new Pid(taken[0], taken[1]);
  }
}

/** An alias that may be used by whoever receives it. */
export class GivenAlias {
  constructor(public reference: Reference = new Reference()) {}

  encode(writer: Writer): void {
    assert(writer.takesResources, "an alias can only be given in a message");
    writer.u64(host.message.push_alias(this.reference.node, this.reference.id));
  }

  decode(reader: Reader): void {
    const taken = takeResource(reader, ResourceKind.Alias);
    if (taken !== null) this.reference = new Reference(taken[0], taken[1]);
  }
}
