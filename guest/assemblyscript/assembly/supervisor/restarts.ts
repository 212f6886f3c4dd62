//! How often a supervisor has restarted lately: its intensity.
//!
//! What must stay true: no clock is read here; and no more times are held than the intensity
//! allows, plus one.

/** The restarts of one supervisor that still count. */
export class Restarts {
  private times: u64[] = [];

  /** It may restart `intensity` times within `period` milliseconds. */
  constructor(private readonly intensity: u32, private readonly period: u64) {}

  /** Counts a restart at this time. Gives whether it may be made; if not, the supervisor ends. */
  add(now: u64): bool {
    const oldest = now > this.period ? now - this.period : 0;
    while (this.times.length > 0 && this.times[0] < oldest) this.times.shift();
    this.times.push(now);
    return <u32>this.times.length <= this.intensity;
  }
}
