//! `lunatic::process`: what can be seen of processes from outside.
//!
//! One call gives everything about a process, so that it is all of one moment.

use lunatic_model::Pid;
use lunatic_node::{Info, Process};
use wasmtime::{Caller, Linker, Result, bail};

use crate::host::flags::trap_exit_number;
use crate::host::identity::{self, PAIR_BYTES, little_endian, pid_pair, reference_pair};
use crate::memory::{bytes_mut, check, split, unsigned, write_u64s};
use crate::state::State;

const NAMESPACE: &str = "lunatic::process";
/// The part of fixed length.
const HEADER_BYTES: usize = 96;
const NO_PROCESS: i32 = 1;
const TOO_SMALL: i32 = 2;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "own_pid", own_pid)?;
    linker.func_wrap_async(NAMESPACE, "is_alive", |caller, (node, id): (i64, i64)| {
        Box::new(is_alive(caller, node, id))
    })?;
    linker.func_wrap(NAMESPACE, "processes", processes)?;
    linker.func_wrap_async(
        NAMESPACE,
        "info",
        |caller, (node, id, pointer, length): (i64, i64, i32, i32)| {
            Box::new(info(caller, node, id, pointer, length))
        },
    )?;
    Ok(())
}

fn own_pid(mut caller: Caller<'_, State>, pointer: i32) -> Result<()> {
    let pid = caller.data().process.pid();
    write_u64s(&mut caller, pointer, &pid_pair(pid))
}

async fn is_alive(caller: Caller<'_, State>, node: i64, id: i64) -> i32 {
    let (process, pid) = (caller.data().process.clone(), identity::pid(node, id));
    settled(&process, pid).await;
    i32::from(process.exists(pid))
}

/// Who is told that a process is dead finds all that it owned released. A process that asks about
/// itself lives.
async fn settled(process: &Process, pid: Pid) {
    if pid != process.pid() {
        process.settled(pid).await;
    }
}

/// Writes as many pids as there is room for, and gives the number that there are.
fn processes(mut caller: Caller<'_, State>, pointer: i32, room: i32) -> Result<i32> {
    let room = unsigned(room);
    let length = room.saturating_mul(PAIR_BYTES);
    check(&mut caller, &[(pointer, length)])?;
    let pids = caller.data().process.processes();
    let (memory, _) = split(&mut caller)?;
    let destination = bytes_mut(memory, pointer, length)?;
    for (place, pid) in destination.chunks_exact_mut(PAIR_BYTES).zip(&pids) {
        place.copy_from_slice(&little_endian(&pid_pair(*pid)));
    }
    // No more than processes_max of them, or the guest could not hold them.
    Ok(i32::try_from(pids.len()).unwrap_or(i32::MAX))
}

async fn info(
    mut caller: Caller<'_, State>,
    node: i64,
    id: i64,
    pointer: i32,
    length: i32,
) -> Result<i32> {
    if unsigned(length) < HEADER_BYTES {
        bail!("the place for what is known of a process has at least {HEADER_BYTES} bytes");
    }
    check(&mut caller, &[(pointer, unsigned(length))])?;
    let process = caller.data().process.clone();
    let pid = identity::pid(node, id);
    settled(&process, pid).await;
    let Some(info) = process.inspect(pid) else { return Ok(NO_PROCESS) };
    let total = HEADER_BYTES + list_bytes(&info);
    let header = header(&info, total);
    let (memory, _) = split(&mut caller)?;
    bytes_mut(memory, pointer, HEADER_BYTES)?.copy_from_slice(&header);
    if total > unsigned(length) {
        return Ok(TOO_SMALL);
    }
    bytes_mut(memory, pointer, total)?[HEADER_BYTES..].copy_from_slice(&lists(&info));
    Ok(0)
}

fn name_bytes(info: &Info) -> usize {
    info.names.iter().map(|name| 4 + name.len()).sum()
}

fn label(info: &Info) -> &str {
    info.state.label.as_deref().unwrap_or_default()
}

/// The length of [`lists`]: they may be long, and are made only for somebody who has room.
fn list_bytes(info: &Info) -> usize {
    let state = &info.state;
    PAIR_BYTES * state.links.len()
        + 2 * PAIR_BYTES * (state.monitors.len() + state.monitored_by.len())
        + (PAIR_BYTES + 8) * state.suspending.len()
        + name_bytes(info)
        + info.entry.len()
        + label(info).len()
}

/// The lists in the order of the ABI, without gaps.
fn lists(info: &Info) -> Vec<u8> {
    let state = &info.state;
    let mut lists = Vec::with_capacity(list_bytes(info));
    let mut numbers = |numbers: &[u64]| {
        for number in numbers {
            lists.extend_from_slice(&number.to_le_bytes());
        }
    };
    for pid in &state.links {
        numbers(&pid_pair(*pid));
    }
    for (reference, pid) in state.monitors.iter().chain(&state.monitored_by) {
        numbers(&reference_pair(Some(*reference)));
        numbers(&pid_pair(*pid));
    }
    for (pid, count) in &state.suspending {
        numbers(&pid_pair(*pid));
        numbers(&[*count]);
    }
    for name in &info.names {
        lists.extend_from_slice(&count(name.len()).to_le_bytes());
        lists.extend_from_slice(name.as_bytes());
    }
    lists.extend_from_slice(info.entry.as_bytes());
    lists.extend_from_slice(label(info).as_bytes());
    lists
}

fn header(info: &Info, total: usize) -> Vec<u8> {
    let state = &info.state;
    let parent = info.parent.map_or([0, 0], pid_pair);
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let [messages, message_bytes] = [state.messages, state.message_bytes].map(|size| size as u64);
    let header = [
        words(&[info.status as u32, trap_exit_number(state.trap_exit), info.priority as u32, 0]),
        little_endian(&[messages, message_bytes, info.memory_bytes, parent[0], parent[1]]),
        words(&[
            count(state.links.len()),
            count(state.monitors.len()),
            count(state.monitored_by.len()),
            count(state.suspending.len()),
            count(info.names.len()),
            count(name_bytes(info)),
            count(info.entry.len()),
            count(label(info).len()),
        ]),
        little_endian(&[total as u64]),
    ];
    header.concat()
}

/// Lists and texts are bounded by limits far below this.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
