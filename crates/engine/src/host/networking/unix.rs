//! Unix sockets: listeners and streams that are reached by a path.
//!
//! They live in the tables of TCP listeners and streams, so that everything works on them that has
//! nothing to do with an address. A path is resolved through the process's own directories, as
//! those of files are; to listen and to connect, the directory must be given for writing.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use lunatic_model::Rights;
use lunatic_wasi::Errno;
use lunatic_wasi::provider::{Directory, SocketUse};
use wasmtime::{Caller, Linker, Result};

use crate::host::networking::tcp::add_stream;
use crate::host::networking::{Deadline, ID_BYTES, NAMESPACE, add, give};
use crate::host::wasi_config::containing;
use crate::host::{TIMED_OUT, fail, free_place};
use crate::memory::{check, split, text};
use crate::net::{Listener, Shareable, Socket, platform};
use crate::state::State;

/// Bytes of a path.
const PATH_BYTES_MAX: usize = 4096;
/// The system tells nobody when a listener has room again, so that is looked at from time to time.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "unix_bind",
        |caller, (path, length, id): (i32, i32, i32)| {
            Box::new(unix_bind(caller, (path, length), id))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "unix_connect",
        |caller, (path, length, timeout, id): (i32, i32, i64, i32)| {
            Box::new(unix_connect(caller, (path, length), timeout, id))
        },
    )?;
    Ok(())
}

async fn unix_bind(mut caller: Caller<'_, State>, path: (i32, i32), id: i32) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let place = match place(&mut caller, path)? {
        Ok(place) => place,
        Err(text) => return fail(&mut caller, text, id),
    };
    let free = match free_place(caller.data())? {
        Ok(free) => free,
        Err(over) => {
            return fail(&mut caller, format!("cannot listen at {:?}: {over}", place.path), id);
        }
    };
    let text = match place.directory.socket_path(place.rest, SocketUse::Bind).await {
        Err(errno) => refusal(&place.path, errno),
        Ok(way) => match platform::listen(way, free).await {
            Ok(listener) => {
                let new = add(&mut caller, Listener::table, Arc::new(listener))?;
                return give(&mut caller, new, id);
            }
            Err(error) => format!("cannot listen at {:?}: {error}", place.path),
        },
    };
    fail(&mut caller, text, id)
}

async fn unix_connect(
    mut caller: Caller<'_, State>,
    path: (i32, i32),
    milliseconds: i64,
    id: i32,
) -> Result<i32> {
    check(&mut caller, &[(id, ID_BYTES)])?;
    let place = match place(&mut caller, path)? {
        Ok(place) => place,
        Err(text) => return fail(&mut caller, text, id),
    };
    let free = match free_place(caller.data())? {
        Ok(free) => free,
        Err(over) => return fail(&mut caller, failure(&place.path, &over), id),
    };
    let mut deadline = Deadline::new(&caller, milliseconds);
    let process = caller.data().process.clone();
    let connect = async {
        let way = place.directory.socket_path(place.rest, SocketUse::Connect).await;
        let way = way.map_err(|errno| refusal(&place.path, errno))?;
        loop {
            match platform::connect(&way).await {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    process.sleep(BACKLOG_PAUSE).await;
                }
                connected => return connected.map_err(|error| failure(&place.path, &error)),
            }
        }
    };
    let connected: Option<std::result::Result<Socket, String>> = deadline.run(connect).await;
    match connected {
        Some(Ok(socket)) => {
            let new = add_stream(&mut caller, socket, free)?;
            give(&mut caller, new, id)
        }
        Some(Err(text)) => fail(&mut caller, text, id),
        None => Ok(TIMED_OUT),
    }
}

/// A path of the guest, the directory that contains it, and the path from there.
struct Place {
    path: String,
    directory: Arc<dyn Directory>,
    rest: String,
}

/// The place, or the text of an error.
fn place(
    caller: &mut Caller<'_, State>,
    (pointer, length): (i32, i32),
) -> Result<std::result::Result<Place, String>> {
    caller.data_mut().catch_up();
    if let Err(text) = caller.data().permit(Rights::UNIX_SOCKETS, "a unix socket") {
        return Ok(Err(text.to_string()));
    }
    let (memory, state) = split(caller)?;
    let path = text(memory, pointer, length)?;
    if path.len() > PATH_BYTES_MAX {
        let length = path.len();
        return Ok(Err(format!(
            "a path of {length} bytes is too long, {PATH_BYTES_MAX} are the most"
        )));
    }
    let Some((preopen, rest)) = containing(&state.config.wasi, path) else {
        return Ok(Err(format!("none of the directories that this process has contains {path:?}")));
    };
    if !preopen.access().create {
        return Ok(Err(format!("the directory of {path:?} was given for reading only")));
    }
    let directory = preopen.directory().clone();
    Ok(Ok(Place { path: path.to_owned(), directory, rest }))
}

fn refusal(path: &str, errno: Errno) -> String {
    match errno {
        Errno::Notsup => {
            format!(
                "unix sockets are not supported on this system, or in the directory of {path:?}"
            )
        }
        Errno::Noent => format!("there is no {path:?}"),
        Errno::Perm => format!("{path:?} leads out of its directory"),
        errno => format!("the unix socket {path:?} cannot be used: {errno:?}"),
    }
}

fn failure(path: &str, error: &dyn std::error::Error) -> String {
    format!("cannot connect to {path:?}: {error}")
}
