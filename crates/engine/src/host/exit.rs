//! `lunatic::process`: ending, with any reason, oneself and others.

use wasmtime::{Caller, Linker, Result};

use crate::exit::HostExit;
use crate::host::bonds::known_flags;
use crate::host::process::end_if_exiting;
use crate::host::{identity, reason};
use crate::state::State;

const NAMESPACE: &str = "lunatic::process";

/// `exit_alias`: a trapped one goes before ordinary messages.
const PRIORITY: i32 = 1;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "exit", exit)?;
    linker.func_wrap(NAMESPACE, "exit_alias", exit_alias)?;
    linker.func_wrap(NAMESPACE, "exit_self", exit_self)?;
    Ok(())
}

/// Sends an exit signal, as OTP's `exit/2`.
fn exit(
    mut caller: Caller<'_, State>,
    node: i64,
    id: i64,
    kind: i32,
    data: i32,
    length: i32,
) -> Result<()> {
    let reason = reason::from_guest(&mut caller, kind, data, length)?;
    let process = &caller.data().process;
    process.exit(identity::pid(node, id), reason);
    end_if_exiting(process)
}

/// The same through an alias.
fn exit_alias(
    mut caller: Caller<'_, State>,
    node: i64,
    id: i64,
    flags: i32,
    kind: i32,
    data: i32,
    length: i32,
) -> Result<()> {
    known_flags(flags, PRIORITY)?;
    let reason = reason::from_guest(&mut caller, kind, data, length)?;
    let process = &caller.data().process;
    process.exit_alias(identity::reference(node, id), reason, flags & PRIORITY != 0);
    end_if_exiting(process)
}

/// Ends the calling process with this reason, whatever it traps or catches.
fn exit_self(mut caller: Caller<'_, State>, kind: i32, data: i32, length: i32) -> Result<()> {
    let reason = reason::from_guest(&mut caller, kind, data, length)?;
    Err(HostExit::error(reason))
}
