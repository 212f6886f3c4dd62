//! A child sends its parent a text.

import { Pid, spawn, send, Mailbox } from "lunatic";
function child(mailbox: Mailbox<i32>, parent: Pid): void {
  send<string>(parent, "from a child");
}
export function _start(): void {
  const mailbox = new Mailbox<string>();
  spawn<i32, Pid>(child, mailbox.self());
  console.log(mailbox.receive().value);
}
