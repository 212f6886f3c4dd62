//! `lunatic::process`: process flags, labels, and suspending other processes.
//!
//! A value that a flag cannot have is an error, and changes nothing.

use lunatic_model::{MemoryPolicy, Priority, TrapExit};
use wasmtime::{Caller, Linker, Result};

use crate::host::process::{end_if_exiting, nobody_knows_it_yet};
use crate::host::registry::name;
use crate::host::{fail, identity};
use crate::memory::{check, write_u64};
use crate::state::State;

const NAMESPACE: &str = "lunatic::process";

const TRAP_EXIT: i32 = 0;
const PRIORITY: i32 = 1;
const MEMORY_POLICY: i32 = 2;
const MEMORY_BYTES_MAX: i32 = 3;
const MESSAGE_QUEUE_DATA: i32 = 4;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "set_flag", set_flag)?;
    linker.func_wrap(NAMESPACE, "set_label", set_label)?;
    linker.func_wrap_async(
        NAMESPACE,
        "suspend",
        |caller, (node, id, error): (i64, i64, i32)| Box::new(suspend(caller, node, id, error)),
    )?;
    linker.func_wrap(NAMESPACE, "resume", resume)?;
    Ok(())
}

fn set_flag(mut caller: Caller<'_, State>, flag: i32, value: i64, result: i32) -> Result<i32> {
    check(&mut caller, &[(result, 8)])?;
    match set(caller.data_mut(), flag, value.cast_unsigned()) {
        Ok(before) => {
            write_u64(&mut caller, result, before)?;
            Ok(0)
        }
        Err(text) => fail(&mut caller, text, result),
    }
}

/// Gives the value of before, or the text of an error.
fn set(state: &mut State, flag: i32, value: u64) -> Result<u64, String> {
    let refused = |flag: &str, values| Err(format!("{flag} cannot be {value}: it is {values}"));
    match flag {
        TRAP_EXIT => {
            let trap_exit = match value {
                0 => TrapExit::Off,
                1 => TrapExit::All,
                2 => TrapExit::Failures,
                _ => return refused("trap_exit", "0 (off), 1 (all) or 2 (failures)"),
            };
            Ok(trap_exit_number(state.process.set_trap_exit(trap_exit)).into())
        }
        PRIORITY => match Priority::from_number(value) {
            Some(priority) => Ok(state.process.set_priority(priority) as u64),
            None => refused("priority", "0 (low), 1 (normal), 2 (high) or 3 (max)"),
        },
        MEMORY_POLICY => match MemoryPolicy::from_number(value) {
            Some(policy) => Ok(std::mem::replace(&mut state.memory_policy, policy) as u64),
            None => refused("memory_policy", "0 (refuse), 1 (end) or 2 (kill)"),
        },
        MEMORY_BYTES_MAX => {
            let limit = state.process.limits().memory_bytes_max;
            let before = state.own_memory_bytes_max.min(limit);
            if value == 0 || value > limit {
                let values = format!("at least 1, and at most the limit of the process, {limit}");
                return refused("memory_bytes_max", &values);
            }
            state.own_memory_bytes_max = value;
            Ok(before)
        }
        MESSAGE_QUEUE_DATA => match value {
            0 | 1 => Ok(std::mem::replace(&mut state.messages_off_heap, value == 1).into()),
            _ => refused("message_queue_data", "0 (on_heap) or 1 (off_heap)"),
        },
        other => Err(format!("there is no process flag {other}")),
    }
}

/// The number of trap_exit in the ABI.
pub(super) fn trap_exit_number(trap_exit: TrapExit) -> u32 {
    match trap_exit {
        TrapExit::Off => 0,
        TrapExit::All => 1,
        TrapExit::Failures => 2,
    }
}

/// An empty label takes the label away.
fn set_label(mut caller: Caller<'_, State>, pointer: i32, length: i32) -> Result<()> {
    let label = name(&mut caller, pointer, length)?;
    caller.data().process.set_label((!label.is_empty()).then(|| label.into()));
    Ok(())
}

async fn suspend(mut caller: Caller<'_, State>, node: i64, id: i64, error: i32) -> Result<i32> {
    check(&mut caller, &[(error, 8)])?;
    let state = caller.data();
    nobody_knows_it_yet(state)?;
    let process = state.process.clone();
    let suspended = process.suspend(identity::pid(node, id)).await;
    end_if_exiting(&process)?;
    match suspended {
        Ok(()) => Ok(0),
        Err(refused) => fail(&mut caller, refused.to_string(), error),
    }
}

/// 1 if this process has not suspended that one, or that one has ended.
fn resume(caller: Caller<'_, State>, node: i64, id: i64) -> i32 {
    i32::from(caller.data().process.resume(identity::pid(node, id)).is_err())
}
