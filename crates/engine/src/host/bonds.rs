//! `lunatic::process`: links, monitors and aliases by pid and reference.

use lunatic_model::{AliasMode, MonitorOptions, Rights, Tag};
use wasmtime::{Caller, Linker, Result, bail};

use crate::host::identity::{self, PAIR_BYTES};
use crate::host::process::{end_if_exiting, nobody_knows_it_yet};
use crate::host::registry::name;
use crate::memory::{check, write_u64s};
use crate::state::State;

const NAMESPACE: &str = "lunatic::process";

/// `link_pid`: a trapped exit of the link goes before ordinary messages.
const LINK_PRIORITY: i32 = 1;
/// `demonitor`: a down that is in the mailbox goes, too.
const FLUSH: i32 = 1;
/// `alias`: the first message ends it.
const ALIAS_REPLY: i32 = 1;
/// `alias`: it takes priority messages.
const ALIAS_PRIORITY: i32 = 2;
/// Flags of a monitor: which alias the reference is, too.
const MONITOR_ALIAS: u32 = 0b11;
/// The down goes before ordinary messages.
const MONITOR_PRIORITY: u32 = 1 << 2;
/// The alias takes priority messages.
const MONITOR_ALIAS_PRIORITY: u32 = 1 << 3;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "link_pid", link_pid)?;
    linker.func_wrap(NAMESPACE, "unlink_pid", unlink_pid)?;
    linker.func_wrap(NAMESPACE, "monitor_pid", monitor_pid)?;
    linker.func_wrap(NAMESPACE, "monitor_name", monitor_name)?;
    linker.func_wrap(NAMESPACE, "demonitor", demonitor)?;
    linker.func_wrap(NAMESPACE, "alias", alias)?;
    linker.func_wrap(NAMESPACE, "unalias", unalias)?;
    Ok(())
}

/// Traps if there are flags that do not exist: a program that is newer than this runtime must not
/// believe that it got what it asked for.
pub(super) fn known_flags(flags: i32, known: i32) -> Result<()> {
    if flags & !known != 0 {
        bail!("the flags {flags:#x} hold some that do not exist");
    }
    Ok(())
}

fn link_pid(caller: Caller<'_, State>, node: i64, id: i64, tag: i64, flags: i32) -> Result<()> {
    let state = caller.data();
    known_flags(flags, LINK_PRIORITY)?;
    nobody_knows_it_yet(state)?;
    let priority = flags & LINK_PRIORITY != 0;
    state.process.link_with(identity::pid(node, id), Tag(tag), priority);
    end_if_exiting(&state.process)
}

fn unlink_pid(caller: Caller<'_, State>, node: i64, id: i64) {
    caller.data().process.unlink(identity::pid(node, id));
}

/// The options of a monitor, without a name.
pub(super) fn monitor_options(flags: i32) -> Result<MonitorOptions> {
    let flags = flags.cast_unsigned();
    if flags & !(MONITOR_ALIAS | MONITOR_PRIORITY | MONITOR_ALIAS_PRIORITY) != 0 {
        bail!("the flags {flags:#x} of a monitor hold some that do not exist");
    }
    let mode = match flags & MONITOR_ALIAS {
        0 => None,
        1 => Some(AliasMode::ExplicitUnalias),
        2 => Some(AliasMode::Demonitor),
        _ => Some(AliasMode::ReplyDemonitor),
    };
    let alias = mode.map(|mode| (mode, flags & MONITOR_ALIAS_PRIORITY != 0));
    Ok(MonitorOptions { name: None, alias, priority: flags & MONITOR_PRIORITY != 0 })
}

fn monitor_pid(
    mut caller: Caller<'_, State>,
    node: i64,
    id: i64,
    flags: i32,
    reference_pointer: i32,
) -> Result<()> {
    let options = monitor_options(flags)?;
    check(&mut caller, &[(reference_pointer, PAIR_BYTES)])?;
    let state = caller.data();
    nobody_knows_it_yet(state)?;
    let reference = state.process.monitor_with(identity::pid(node, id), options);
    end_if_exiting(&state.process)?;
    write_u64s(&mut caller, reference_pointer, &identity::reference_pair(Some(reference)))
}

fn monitor_name(
    mut caller: Caller<'_, State>,
    name_pointer: i32,
    name_length: i32,
    flags: i32,
    reference_pointer: i32,
) -> Result<()> {
    let options = monitor_options(flags)?;
    let name = name(&mut caller, name_pointer, name_length)?;
    check(&mut caller, &[(reference_pointer, PAIR_BYTES)])?;
    let state = caller.data();
    nobody_knows_it_yet(state)?;
    // Nobody has a name that cannot be looked up.
    let reference = match state.permit(Rights::NAMES, "monitor_name") {
        Ok(()) => state.process.monitor_name(&name, options),
        Err(_) => state.process.monitor_nobody(&name, options),
    };
    end_if_exiting(&state.process)?;
    write_u64s(&mut caller, reference_pointer, &identity::reference_pair(Some(reference)))
}

/// 1 if there was such a monitor; 0 if it had ended, or was never one of this process.
fn demonitor(caller: Caller<'_, State>, node: i64, id: i64, flags: i32) -> Result<i32> {
    known_flags(flags, FLUSH)?;
    let process = &caller.data().process;
    Ok(i32::from(process.demonitor(identity::reference(node, id), flags & FLUSH != 0)))
}

fn alias(mut caller: Caller<'_, State>, flags: i32, reference_pointer: i32) -> Result<()> {
    known_flags(flags, ALIAS_REPLY | ALIAS_PRIORITY)?;
    check(&mut caller, &[(reference_pointer, PAIR_BYTES)])?;
    let state = caller.data();
    nobody_knows_it_yet(state)?;
    let mode = if flags & ALIAS_REPLY == 0 { AliasMode::ExplicitUnalias } else { AliasMode::Reply };
    let reference = state.process.alias(mode, flags & ALIAS_PRIORITY != 0);
    end_if_exiting(&state.process)?;
    write_u64s(&mut caller, reference_pointer, &identity::reference_pair(Some(reference)))
}

/// 1 if the alias was active.
fn unalias(caller: Caller<'_, State>, node: i64, id: i64) -> i32 {
    i32::from(caller.data().process.unalias(identity::reference(node, id)))
}
