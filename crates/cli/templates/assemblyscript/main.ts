//! {{name}}: one process asks another, and a test does the same.

import { Mailbox, Pid, Reader, Writer, send, spawnLink } from "lunatic";

/** What the other process is given. It shares no memory with its parent: it gets a copy. */
class Question {
  constructor(public asker: Pid = new Pid(), public whom: string = "") {}

  encode(writer: Writer): void {
    this.asker.encode(writer);
    writer.string(this.whom);
  }

  decode(reader: Reader): void {
    this.asker.decode(reader);
    this.whom = reader.string();
  }
}

/** Lets another process make a greeting, and waits for it. */
function ask(whom: string): string {
  const mailbox = new Mailbox<string>();
  spawnLink<i32, Question>(greet, new Question(mailbox.self(), whom));
  return mailbox.receive().value;
}

/** The body of the other process. */
function greet(_mailbox: Mailbox<i32>, question: Question): void {
  send<string>(question.asker, "Hello " + question.whom + ", from another process!");
}

export function _start(): void {
  console.log(ask("world"));
}

/** A function that is exported under such a name is a test: `lunatic test` runs it in a process. */
export function lunatic_test_a_process_greets(): void {
  assert(ask("test") == "Hello test, from another process!");
}
