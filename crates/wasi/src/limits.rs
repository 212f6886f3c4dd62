//! The named bounds on what a guest can make this crate allocate or loop over.
//!
//! At a limit a call does less (short reads and writes are legal) or answers an error number;
//! it never allocates more.

/// Most bytes that one read or write call moves; a longer one is short.
pub const IO_BYTES_MAX: usize = 128 * 1024;

/// Most entries of an iovec array that one call looks at; the rest makes the call short.
pub const IOVECS_MAX: usize = 1024;

/// Longest path and longest symbolic-link text in bytes; beyond it `Nametoolong`.
pub const PATH_BYTES_MAX: usize = 4096;

/// Most subscriptions of one `poll_oneoff`; beyond it `Inval`.
pub const SUBSCRIPTIONS_MAX: usize = 4096;

/// Descriptors of one process unless its configuration says otherwise; beyond it `Mfile`.
pub const DESCRIPTORS_MAX_DEFAULT: usize = 1024;

/// Host bytes of directory listings that one process keeps; beyond it `Nomem`.
pub const LISTING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of all arguments, and of all environment variables, including a NUL after each.
pub const STRINGS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Preopened directories of one configuration.
pub const PREOPENS_MAX: usize = 256;

/// Bytes of randomness produced between two points where a long `random_get` yields.
pub const RANDOM_CHUNK_BYTES: usize = 64 * 1024;

/// Bytes a captured stream keeps unless told otherwise.
pub const CAPTURE_BYTES_MAX_DEFAULT: usize = 1024 * 1024;
