//! What a waiting process costs: how many pages of 4 KiB of its memory one has written to.
//!
//! A page counts if one of its bytes is not zero. The process looks at its own memory after it has
//! received a message and waited for the next, as a waiting server has.

import { Mailbox, Pid, send, spawnLink } from "lunatic";

const PAGE_BYTES: usize = 4096;

function writtenPages(): i32 {
  const end = <usize>memory.size() << 16;
  let pages = 0;
  for (let page: usize = 0; page < end; page += PAGE_BYTES) {
    let at = page;
    while (at < page + PAGE_BYTES && load<u64>(at) == 0) at += 8;
    if (at < page + PAGE_BYTES) pages++;
  }
  return pages;
}

function waiting(mailbox: Mailbox<string>, parent: Pid): void {
  while (mailbox.receive().value != "") {}
  send<i32>(parent, writtenPages());
}

export function _start(): void {
  const mailbox = new Mailbox<i32>();
  const child = spawnLink<string, Pid>(waiting, mailbox.self());
  send<string>(child, "a state of its own");
  send<string>(child, "");
  console.log(mailbox.receive().value.toString() + " pages");
}
