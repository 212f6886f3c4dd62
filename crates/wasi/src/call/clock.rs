//! Clocks. Monotonic time starts at 0 when a process first uses WASI.
//!
//! The two CPU-time clocks answer the same elapsed time: a process can't have used more, and it
//! is what guests' C libraries substitute anyway.

use crate::errno::Errno;
use crate::guest::{Answer, Guest, Stop, answer};
use crate::memory;
use crate::table::Wasi;

/// Writes the resolution of a clock in nanoseconds. `Inval` for an unknown clock.
pub fn clock_res_get<G: Guest>(guest: &mut G, id: u32, resolution: u32) -> Answer {
    answer(put(guest, resolution, |wasi| {
        ClockId::decode(id).map(|_| wasi.config().clock().resolution())
    }))
}

/// Writes the time of a clock in nanoseconds. `Inval` for an unknown clock; the precision asked
/// for is ignored, as every reading is as precise as the machine allows.
pub fn clock_time_get<G: Guest>(guest: &mut G, id: u32, _precision: u64, time: u32) -> Answer {
    answer(put(guest, time, |wasi| match ClockId::decode(id)? {
        _ if wasi.config().is_time_hidden() => Ok(0),
        ClockId::Realtime => Ok(wasi.config().clock().realtime()),
        ClockId::Elapsed => Ok(wasi.elapsed()),
    }))
}

/// The same for a process whose clock may have to be waited for.
pub async fn clock_time_get_waiting<G: Guest>(
    guest: &mut G,
    id: u32,
    precision: u64,
    time: u32,
) -> Answer {
    let refreshed = async {
        memory::check(guest.memory()?, time, 8)?;
        ClockId::decode(id)?;
        refresh(guest.wasi()).await
    };
    match answer(refreshed.await) {
        Ok(Errno::Success) => clock_time_get(guest, id, precision, time),
        failed => failed,
    }
}

/// Waits for the time, where it has to be asked for and may be seen.
pub(super) async fn refresh(wasi: &Wasi) -> Result<(), Stop> {
    let clock = wasi.config().clock();
    match clock.refresh().filter(|_| !wasi.config().is_time_hidden()) {
        Some(asked) => Ok(asked.await?),
        None => Ok(()),
    }
}

/// The clocks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockId {
    Realtime,
    /// Monotonic and both CPU times.
    Elapsed,
}

impl ClockId {
    pub(super) fn decode(raw: u32) -> Result<ClockId, Errno> {
        match raw {
            0 => Ok(ClockId::Realtime),
            1..=3 => Ok(ClockId::Elapsed),
            _ => Err(Errno::Inval),
        }
    }
}

fn put<G: Guest>(
    guest: &mut G,
    place: u32,
    read: impl FnOnce(&Wasi) -> Result<u64, Errno>,
) -> Result<(), Stop> {
    let value = read(guest.wasi())?;
    memory::write_u64(guest.memory()?, place, value)?;
    Ok(())
}
