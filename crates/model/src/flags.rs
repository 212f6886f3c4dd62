//! Process flags that do not decide what a signal does, as closed sets with their numbers in the
//! ABI. A number outside of its set changes nothing.

/// How often a process runs beside others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Priority {
    /// Runs in between, a fraction as often as [`Priority::Normal`].
    Low = 0,
    /// What every process starts with, whatever its parent has.
    #[default]
    Normal = 1,
    /// Before all normal ones.
    High = 2,
    /// Before all others.
    Max = 3,
}

impl Priority {
    /// The priority of this number.
    pub fn from_number(number: u64) -> Option<Priority> {
        [Priority::Low, Priority::Normal, Priority::High, Priority::Max]
            .into_iter()
            .find(|priority| *priority as u64 == number)
    }
}

/// What happens when a process asks for more memory than it may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemoryPolicy {
    /// `memory.grow` gives -1, and the program goes on as it can.
    #[default]
    Refuse = 0,
    /// The process ends with the name of the limit, whatever it traps or catches.
    End = 1,
    /// The process is killed: OTP's `max_heap_size` with `kill`.
    Kill = 2,
}

impl MemoryPolicy {
    /// The policy of this number.
    pub fn from_number(number: u64) -> Option<MemoryPolicy> {
        [MemoryPolicy::Refuse, MemoryPolicy::End, MemoryPolicy::Kill]
            .into_iter()
            .find(|policy| *policy as u64 == number)
    }
}
