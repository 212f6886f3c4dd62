//! The arguments of the command line.

import * as host from "./host";

/** All of them; the first is the name of the program. */
export function commandLine(): string[] {
  const sizes = new StaticArray<u32>(2);
  const at = changetype<usize>(sizes);
  if (host.wasi.args_sizes_get(at, at + 4) != 0) return [];
  const places = new StaticArray<usize>(sizes[0]);
  const texts = new StaticArray<u8>(sizes[1]);
  const list: string[] = [];
  if (host.wasi.args_get(changetype<usize>(places), changetype<usize>(texts)) != 0) return list;
  for (let i = 0; i < places.length; i++) {
    let end = places[i];
    while (load<u8>(end) != 0) end++;
    list.push(String.UTF8.decodeUnsafe(places[i], end - places[i]));
  }
  return list;
}
