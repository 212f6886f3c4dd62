//! A clock that never goes back.

import * as host from "./host";

const MONOTONIC: u32 = 1;

/** Milliseconds since some moment. */
export function monotonicMilliseconds(): u64 {
  const time = new StaticArray<u64>(1);
  host.wasi.clock_time_get(MONOTONIC, 1000000, changetype<usize>(time));
  return time[0] / 1000000;
}
