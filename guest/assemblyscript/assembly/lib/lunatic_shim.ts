//! What AssemblyScript's standard library wants of its surroundings: `abort` and `console`.
//! `abort` (a failed assert, a `throw`, an index out of range) ends the process with the kind 8
//! and the text that guest/wire.md asks for.

// @ts-ignore: decorator
@external("lunatic::process", "exit_self")
declare function exit_self(kind: i32, data: usize, length: u32): void;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(file: i32, buffers: usize, count: i32, written: usize): i32;

export function lunatic_abort(
  message: string | null = null, file: string | null = null, line: u32 = 0, column: u32 = 0,
): void {
  const what = message === null ? "abort" : message;
  const where = file === null ? "" : file;
  const place = where + ":" + line.toString() + ":" + column.toString();
  const text = String.UTF8.encode(
    "panicked at " + place + ": " + what, false, String.UTF8.ErrorMode.REPLACE);
  exit_self(8, changetype<usize>(text), text.byteLength);
  unreachable();
}

function print(file: i32, message: string): void {
  const text = String.UTF8.encode(message + "\n", false, String.UTF8.ErrorMode.REPLACE);
  const buffer = new StaticArray<usize>(3);
  let from = changetype<usize>(text);
  let left = <u32>text.byteLength;
  const at = changetype<usize>(buffer);
  while (left > 0) {
    buffer[0] = from;
    buffer[1] = left;
    if (fd_write(file, at, 1, at + 8) != 0) return;
    from += buffer[2];
    left -= <u32>buffer[2];
  }
}

export namespace lunatic_console {
  export function log(message: string = ""): void {
    print(1, message);
  }

  export function info(message: string = ""): void {
    print(1, message);
  }

  export function warn(message: string = ""): void {
    print(2, message);
  }

  export function error(message: string = ""): void {
    print(2, message);
  }
}
