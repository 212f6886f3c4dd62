//! Asks the system to run the calling thread promptly when it wakes.
//!
//! The pulse sleeps nearly always, but when it wakes beside busy workers, Linux may let those
//! finish a slice of several milliseconds first, and every deadline of the node is late by as much.
//! A thread that asks for short slices of its own goes first (Linux 6.12 and later; earlier kernels
//! take the wish and ignore it, other systems are not asked). Failing is harmless.

/// How, for people.
pub(crate) const HOW: &str = if cfg!(target_os = "linux") {
    "ask for slices of 100 microseconds (Linux before 6.12 takes no notice)"
} else {
    "take their turn as all threads"
};

/// The shortest slice that Linux grants.
#[cfg(target_os = "linux")]
const SLICE_NS: u64 = 100_000;

#[cfg(target_os = "linux")]
pub(crate) fn ask_for_short_slices() {
    /// The kernel's `struct sched_attr`, first version.
    #[repr(C)]
    struct SchedAttr {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }
    // All others are 0: the ordinary policy, the ordinary priority.
    let attr = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        policy: 0,
        flags: 0,
        nice: 0,
        priority: 0,
        runtime: SLICE_NS,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the kernel reads `size` bytes from a struct that lives until the call returns; thread
    // 0 is the calling one.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
    if result != 0 {
        tracing::debug!("no short slices: {}", std::io::Error::last_os_error());
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn ask_for_short_slices() {}
