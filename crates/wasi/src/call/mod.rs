//! The 46 functions of `wasi_snapshot_preview1`, one file per concern.
//!
//! Each takes the guest and the raw arguments of the ABI, and answers an [`Errno`] for the guest
//! or a [`Failure`] for the engine. Order in each: check the pointers it will write to, decode the
//! arguments, do the work, write the results; so a bad pointer never loses data.
//!
//! These suspend and are `async`:
//! `fd_advise` `fd_allocate` `fd_datasync` `fd_fdstat_set_flags` `fd_filestat_get`
//! `fd_filestat_set_size` `fd_filestat_set_times` `fd_pread` `fd_pwrite` `fd_read` `fd_readdir`
//! `fd_seek` `fd_sync` `fd_write`
//! `path_create_directory` `path_filestat_get` `path_filestat_set_times` `path_link` `path_open`
//! `path_readlink` `path_remove_directory` `path_rename` `path_symlink` `path_unlink_file`
//! `poll_oneoff` `random_get` `sched_yield`.
//!
//! These never wait and are plain functions:
//! `args_get` `args_sizes_get` `environ_get` `environ_sizes_get` `clock_res_get` `clock_time_get`
//! `fd_close` `fd_fdstat_get` `fd_fdstat_set_rights` `fd_prestat_dir_name` `fd_prestat_get`
//! `fd_renumber` `fd_tell` `proc_exit` `proc_raise`
//! `sock_accept` `sock_recv` `sock_send` `sock_shutdown`.
//!
//! [`Errno`]: crate::Errno
//! [`Failure`]: crate::Failure

mod args;
mod clock;
mod fd;
mod io;
mod path;
mod poll;
mod proc;
mod random;
mod readdir;
mod sock;

pub use args::*;
pub use clock::*;
pub use fd::*;
pub use io::*;
pub use path::*;
pub use poll::*;
pub use proc::*;
pub use random::*;
pub use readdir::*;
pub use sock::*;
