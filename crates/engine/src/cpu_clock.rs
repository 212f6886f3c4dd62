//! How much processor time the calling thread has used: what processes with a budget are measured
//! by. A thread that the system lets wait uses none.

/// How, for people.
pub(crate) const HOW: &str =
    if cfg!(unix) { "read from the clock of the thread" } else { "the time that passes" };

/// Nanoseconds of processor time of the calling thread.
#[cfg(unix)]
pub(crate) fn thread_nanoseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the system writes one timespec, which lives until the call returns.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if result != 0 {
        return 0;
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Where the system is not asked, the time that passes.
#[cfg(not(unix))]
pub(crate) fn thread_nanoseconds() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static FIRST: OnceLock<Instant> = OnceLock::new();
    u64::try_from(FIRST.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}
