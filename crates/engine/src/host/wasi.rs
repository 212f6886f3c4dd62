//! `wasi_snapshot_preview1`: links the calls of the WASI room to guests.
//!
//! Calls that never wait are linked without a future. A pointer outside of the memory traps, and
//! `proc_exit` ends the process.

use lunatic_model::{ExitReason, Rights};
use lunatic_node::OpenDescriptor;
use lunatic_wasi::{Access, Errno, Failure, Fault, Guest, NoPlace, Place, Wasi, call};
use wasmtime::{AsContextMut, Caller, Extern, Func, Linker, Result};

use crate::exit::HostExit;
use crate::memory;
use crate::redirect::ask::on_behalf_of;
use crate::state::State;

pub(crate) const NAMESPACE: &str = "wasi_snapshot_preview1";
pub(crate) const CLOCK_CALL: &str = "clock_time_get";

struct Host<'a, 'b>(&'a mut Caller<'b, State>);

impl Guest for Host<'_, '_> {
    fn memory(&mut self) -> Result<&mut [u8], Fault> {
        let memory = match self.0.data().memory {
            Some(memory) => memory,
            None => match memory::export(self.0, "memory") {
                Some(Extern::Memory(memory)) => memory,
                Some(_) | None => return Err(Fault::NoMemory),
            },
        };
        self.0.data_mut().memory = Some(memory);
        Ok(memory.data_mut(self.0.as_context_mut()))
    }

    fn wasi(&mut self) -> &mut Wasi {
        self.0.data_mut().wasi()
    }

    fn place(&mut self) -> Result<Option<Place>, NoPlace> {
        let account = self.0.data().process.account();
        match OpenDescriptor::new(account) {
            Ok(place) => Ok(account.map(|_| Box::new(place) as Place)),
            Err(over) if over.ends => Err(NoPlace::Ends(over.limit)),
            Err(_) => Err(NoPlace::Refused),
        }
    }
}

/// The answer for the guest. Where a right was missing, that is told.
#[inline]
fn result(
    caller: &mut Caller<'_, State>,
    call: &'static str,
    first: u64,
    answer: Result<Errno, Failure>,
) -> Result<i32> {
    let errno = answer.map_err(error)?;
    if errno != Errno::Success {
        refused(caller.data_mut(), call, first, errno);
    }
    Ok(i32::from(errno as u16))
}

/// A call has failed: was it for a right that this process lacks? Its first argument is a
/// descriptor.
#[cold]
fn refused(state: &mut State, call: &'static str, descriptor: u64, errno: Errno) {
    let Ok(descriptor) = u32::try_from(descriptor) else { return };
    let streams = [Rights::STDIN, Rights::STDOUT, Rights::STDERR];
    match errno {
        Errno::Notcapable if descriptor < 3 => {
            // The error says so already.
            let _ = state.permit(streams[descriptor as usize], call);
        }
        Errno::Notcapable | Errno::Rofs | Errno::Acces => {
            let Some(access) = state.wasi().access(descriptor) else { return };
            if let Some(missing) = missing(access, call, errno) {
                let preopens = state.config.wasi.preopens();
                let directory = match preopens {
                    [only] => only.guest_name(),
                    _ => "DIRECTORY",
                };
                let grant = || (format!("{missing}:{directory}"), call.to_owned());
                state.process.deny(missing, grant);
            }
        }
        _ => {}
    }
}

/// Which right to a directory the call lacked; none, if the host itself refused it.
fn missing(access: Access, call: &str, errno: Errno) -> Option<&'static str> {
    let wanted = match call {
        _ if errno == Errno::Acces && !access.read => return Some("read"),
        "path_create_directory" | "path_symlink" | "path_link" => ["create", "write", "remove"],
        "path_unlink_file" | "path_remove_directory" | "path_rename" => {
            ["remove", "create", "write"]
        }
        _ => ["write", "create", "remove"],
    };
    let lacks = |right: &&'static str| match *right {
        "create" => !access.create,
        "remove" => !access.remove,
        _ => !access.write,
    };
    wanted.into_iter().find(lacks)
}

/// Clocks and random numbers are fixed for who has no right to them: no error tells of that.
#[inline]
fn note_fixed(state: &State, call: &'static str) {
    match call {
        "clock_time_get" => drop(state.permit(Rights::CLOCKS, call)),
        "random_get" => drop(state.permit(Rights::RANDOM, call)),
        _ => {}
    }
}

macro_rules! first {
    () => {
        u64::MAX
    };
    ($first:ident $(, $rest:ident)*) => {
        u64::from($first)
    };
}

fn error(failure: Failure) -> wasmtime::Error {
    match failure {
        Failure::Fault(fault) => fault.into(),
        Failure::Exit(0) => HostExit::error(ExitReason::Normal),
        Failure::Exit(code) => HostExit::error(ExitReason::Exit(code)),
        Failure::Limit(limit) => HostExit::limit(limit),
    }
}

/// The call of the clock for a process whose clock has to be waited for.
pub(crate) fn asked_clock(store: impl AsContextMut<Data = State>) -> Func {
    Func::wrap_async(
        store,
        |mut caller: Caller<'_, State>, (id, precision, time): (u32, u64, u32)| {
            Box::new(async move {
                caller.data_mut().catch_up();
                let asks = caller.data().asks();
                let mut host = Host(&mut caller);
                let asked = call::clock_time_get_waiting(&mut host, id, precision, time);
                let answer = on_behalf_of(asks, asked).await;
                note_fixed(caller.data(), CLOCK_CALL);
                result(&mut caller, CLOCK_CALL, id.into(), answer)
            })
        },
    )
}

macro_rules! link_calls {
    ($linker:ident: $($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        $linker.func_wrap(
            NAMESPACE,
            stringify!($name),
            |mut caller: Caller<'_, State>, $($arg: $ty),*| -> Result<i32> {
                caller.data_mut().catch_up();
                let answer = call::$name(&mut Host(&mut caller), $($arg),*);
                note_fixed(caller.data(), stringify!($name));
                result(&mut caller, stringify!($name), first!($($arg),*), answer)
            },
        )?;
    )*};
}

macro_rules! link_waiting_calls {
    ($linker:ident: $($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        $linker.func_wrap_async(
            NAMESPACE,
            stringify!($name),
            |mut caller: Caller<'_, State>, ($($arg,)*): ($($ty,)*)| {
                Box::new(async move {
                    caller.data_mut().catch_up();
                    let asks = caller.data().asks();
                    let mut host = Host(&mut caller);
                    let answer = on_behalf_of(asks, call::$name(&mut host, $($arg),*)).await;
                    note_fixed(caller.data(), stringify!($name));
                    result(&mut caller, stringify!($name), first!($($arg),*), answer)
                })
            },
        )?;
    )*};
}

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "proc_exit",
        |mut caller: Caller<'_, State>, code: u32| -> Result<()> {
            match call::proc_exit(&mut Host(&mut caller), code) {
                Err(failure) => Err(error(failure)),
                Ok(never) => match never {},
            }
        },
    )?;
    link_calls! { linker:
        args_get(pointers: u32, buffer: u32);
        args_sizes_get(count: u32, bytes: u32);
        environ_get(pointers: u32, buffer: u32);
        environ_sizes_get(count: u32, bytes: u32);
        clock_res_get(id: u32, resolution: u32);
        clock_time_get(id: u32, precision: u64, time: u32);
        fd_close(fd: u32);
        fd_fdstat_get(fd: u32, stat: u32);
        fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
        fd_prestat_dir_name(fd: u32, path: u32, length: u32);
        fd_prestat_get(fd: u32, prestat: u32);
        fd_renumber(from: u32, to: u32);
        fd_tell(fd: u32, offset: u32);
        proc_raise(signal: u32);
        sock_accept(fd: u32, flags: u32, accepted: u32);
        sock_recv(fd: u32, iovs: u32, count: u32, flags: u32, received: u32, received_flags: u32);
        sock_send(fd: u32, iovs: u32, count: u32, flags: u32, sent: u32);
        sock_shutdown(fd: u32, how: u32);
    }
    link_waiting(linker)
}

fn link_waiting(linker: &mut Linker<State>) -> Result<()> {
    link_waiting_calls! { linker:
        fd_advise(fd: u32, offset: u64, length: u64, advice: u32);
        fd_allocate(fd: u32, offset: u64, length: u64);
        fd_datasync(fd: u32);
        fd_fdstat_set_flags(fd: u32, flags: u32);
        fd_filestat_get(fd: u32, stat: u32);
        fd_filestat_set_size(fd: u32, size: u64);
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
        fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, read: u32);
        fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, written: u32);
        fd_read(fd: u32, iovs: u32, count: u32, read: u32);
        fd_readdir(fd: u32, buffer: u32, length: u32, cookie: u64, used: u32);
        fd_seek(fd: u32, offset: i64, whence: u32, position: u32);
        fd_sync(fd: u32);
        fd_write(fd: u32, iovs: u32, count: u32, written: u32);
        path_create_directory(fd: u32, path: u32, length: u32);
        path_filestat_get(fd: u32, flags: u32, path: u32, length: u32, stat: u32);
        path_filestat_set_times(
            fd: u32, flags: u32, path: u32, length: u32, accessed: u64, modified: u64, which: u32
        );
        path_link(
            fd: u32, flags: u32, old: u32, old_length: u32, new_fd: u32, new: u32, new_length: u32
        );
        path_open(
            fd: u32, flags: u32, path: u32, length: u32, open_flags: u32, base: u64,
            inheriting: u64, fd_flags: u32, opened: u32
        );
        path_readlink(fd: u32, path: u32, length: u32, buffer: u32, size: u32, used: u32);
        path_remove_directory(fd: u32, path: u32, length: u32);
        path_rename(
            fd: u32, old: u32, old_length: u32, new_fd: u32, new: u32, new_length: u32
        );
        path_symlink(old: u32, old_length: u32, fd: u32, new: u32, new_length: u32);
        path_unlink_file(fd: u32, path: u32, length: u32);
        poll_oneoff(subscriptions: u32, events: u32, count: u32, stored: u32);
        random_get(buffer: u32, length: u32);
        sched_yield();
    }
    Ok(())
}
