//! Which rights a WASI call uses, in their written form.
//!
//! Those of streams, directories and the environment are looked up here, from the call; the others
//! are told where they are checked. A directory that was opened by the process itself may lie in
//! any that it was given: then all of them are told.

use lunatic_model::FileDeed;
use lunatic_wasi::Errno;
use wasmtime::{Caller, Val};

use crate::state::State;

/// Of the flags with which a file is opened.
const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const TRUNCATE: u32 = 8;
/// Of the rights that WASI wants of a descriptor.
const FD_READ: u64 = 1 << 1;
const FD_WRITE: u64 = 1 << 6;

/// The rights that a call uses, if it succeeds.
pub(super) fn of_wasi(name: &str, caller: &mut Caller<'_, State>, params: &[Val]) -> Vec<String> {
    let Some(first) = number(params, 0) else {
        return Vec::new();
    };
    match name {
        "fd_read" if first == 0 => vec!["stdin".into()],
        "fd_write" if first == 1 => vec!["stdout".into()],
        "fd_write" if first == 2 => vec!["stderr".into()],
        // It gives all variables at once, and nobody knows which of them are looked at.
        "environ_get" if !caller.data().config.wasi.env().is_empty() => vec!["env:*".into()],
        _ => {
            let mut all = Vec::new();
            for (place, deed) in deeds(name, params) {
                let (_, deed) = FileDeed::EACH[deed as usize];
                let directories = directories(caller.data_mut(), number(params, place));
                all.extend(directories.into_iter().map(|name| format!("{deed}:{name}")));
            }
            all
        }
    }
}

/// Whether a WASI call ended with one of the errors of who lacks a right, which the node tells.
pub(super) fn was_refused(results: &[Val]) -> bool {
    let refusals = [Errno::Acces, Errno::Rofs, Errno::Notcapable].map(|errno| errno as i32);
    matches!(results, [Val::I32(errno)] if refusals.contains(errno))
}

fn number(params: &[Val], place: usize) -> Option<u64> {
    match params.get(place)? {
        Val::I32(number) => Some(u64::from(number.cast_unsigned())),
        Val::I64(number) => Some(number.cast_unsigned()),
        _ => None,
    }
}

/// What is done, each with the place of the descriptor among the arguments.
fn deeds(name: &str, params: &[Val]) -> Vec<(usize, FileDeed)> {
    use FileDeed::{Create, Read, Remove, Write};
    match name {
        "path_open" => {
            let flags = number(params, 4).unwrap_or(0) as u32;
            let rights = number(params, 5).unwrap_or(0);
            let file = flags & DIRECTORY == 0;
            let write = flags & TRUNCATE != 0 || file && rights & FD_WRITE != 0;
            let create = flags & CREATE != 0;
            let read = file && rights & FD_READ != 0 || !(write || create);
            let all = [(read, Read), (write, Write), (create, Create)];
            all.into_iter().filter(|(does, _)| *does).map(|(_, deed)| (0, deed)).collect()
        }
        "path_filestat_get" | "path_readlink" => vec![(0, Read)],
        "path_filestat_set_times" => vec![(0, Write)],
        "path_create_directory" => vec![(0, Create)],
        "path_symlink" => vec![(2, Create)],
        "path_remove_directory" | "path_unlink_file" => vec![(0, Remove)],
        "path_link" => vec![(0, Write), (4, Create)],
        "path_rename" => vec![(0, Remove), (3, Create), (3, Remove)],
        _ => Vec::new(),
    }
}

/// The names of the directories in which a descriptor's may lie.
fn directories(state: &mut State, descriptor: Option<u64>) -> Vec<String> {
    let descriptor = descriptor.and_then(|number| u32::try_from(number).ok());
    let known = descriptor.map_or(Ok(None), |fd| state.wasi().directory_name(fd));
    match known {
        Ok(Some(name)) => vec![name.to_owned()],
        Ok(None) => {
            let given = state.config.wasi.preopens().iter();
            given.map(|preopen| preopen.guest_name().to_owned()).collect()
        }
        // The call itself will say that there is no such descriptor.
        Err(_) => Vec::new(),
    }
}
