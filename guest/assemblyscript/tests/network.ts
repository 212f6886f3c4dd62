//! What sockets promise: each requirement prints its name when it holds.

import {
  FailureKind, Half, Mailbox, Pid, TcpListener, TcpStream, receive, send, spawn, spawnLink,
} from "lunatic";

function holds(requirement: string): void {
  console.log("ok " + requirement);
}

function text(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

/** Reads until the other side has ended, and says it again. */
function echo(_mailbox: Mailbox<i32>, stream: TcpStream): void {
  for (;;) {
    const bytes = stream.read().orExit();
    if (bytes.length == 0) return stream.close();
    if (stream.write(bytes) !== null) return;
  }
}

function serve(mailbox: Mailbox<TcpStream>, listener: TcpListener): void {
  for (;;) spawn<i32, TcpStream>(echo, listener.accept().orExit());
}

function give(_mailbox: Mailbox<i32>, to: Pid): void {
  const listener = TcpListener.bind("127.0.0.1:0").value;
  send<TcpStream>(to, TcpStream.connect(listener.address).value);
  listener.accept().value.writeText("given");
}

function readAll(stream: TcpStream): string {
  let said = "";
  while (true) {
    const bytes = stream.read().value;
    if (bytes.length == 0) return said;
    said += text(bytes);
  }
}

export function _start(): void {
  const listener = TcpListener.bind("127.0.0.1:0").value;
  const address = listener.address;
  assert(address.startsWith("127.0.0.1:") && address != "127.0.0.1:0");
  assert(TcpListener.bind("nonsense").is(FailureKind.Refused));
  assert(TcpListener.bind(address).is(FailureKind.Refused));
  assert(listener.accept(0).is(FailureKind.Timeout));
  holds("a listener has an address of its own, and its accept a timeout");
  const silent = TcpStream.connect(address).value;
  const other = listener.accept().value;
  assert(other.peer.startsWith("127.0.0.1:"));
  assert(silent.setNoDelay(true) === null);
  assert(silent.read(10, 1).is(FailureKind.Timeout));
  const handle = other.clone();
  assert(handle.writeText("one") === null);
  handle.close();
  other.close();
  assert(text(silent.read(2).value) == "on");
  assert(text(silent.read(2).value) == "e");
  assert(silent.read().value.length == 0, "it ends with its last handle");
  holds("a read has a timeout, gives what has come, and sees the end");
  silent.close();
  spawnLink<TcpStream, TcpListener>(serve, listener);
  for (let i = 0; i < 20; i++) {
    const stream = TcpStream.connect(address, 5000).value;
    assert(stream.writeText("hello " + i.toString()) === null);
    assert(stream.shutdown(Half.Writing) === null);
    assert(readAll(stream) == "hello " + i.toString());
    stream.close();
  }
  holds("listeners and streams are given to other processes as arguments");
  const mailbox = new Mailbox<TcpStream>();
  spawn<i32, Pid>(give, mailbox.self());
  const given = mailbox.receive().value;
  assert(readAll(given) == "given");
  given.close();
  spawn<i32, Pid>(give, mailbox.self());
  const late = receive()!;
  send<i32>(Pid.own(), 1);
  assert(late.read<TcpStream>().is(FailureKind.Unreadable));
  receive();
  holds("a stream in a message is taken at once, or the message does not decode");
  assert(TcpStream.connect("127.0.0.1:1", 1000).is(FailureKind.Refused));
  holds("a connection that nobody takes is a failure");
}
