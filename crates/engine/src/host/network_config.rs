//! The part of `lunatic::process` with which a configuration is given rights.
//!
//! What a process gets of them in the end is decided at its spawn, where they are narrowed to what
//! its parent has. `abi/config.md` and `abi/rights.md` are the contract.

use lunatic_model::{Access, NetworkRights, NetworkRule, PERMIT_BYTES_MAX, Permit};
use wasmtime::{Caller, Linker, Result, bail};

use crate::host::process::{NAMESPACE, changed_draft};
use crate::host::{fail, wasi_config};
use crate::memory::{string, unsigned};
use crate::state::State;

/// Bytes of a rule: the longest that says something has less.
const RULE_BYTES_MAX: usize = 256;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "config_allow_network",
        |caller: Caller<'_, State>, id: i64, access: i32, rule: i32, length: i32, error: i32| {
            allow_network(caller, id, access, (rule, length), error)
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "config_allow",
        |caller: Caller<'_, State>, id: i64, right: i32, length: i32, error: i32| {
            change(caller, id, (right, length), error, Change::Allow)
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "config_deny",
        |caller: Caller<'_, State>, id: i64, right: i32, length: i32, error: i32| {
            change(caller, id, (right, length), error, Change::Deny)
        },
    )?;
    linker.func_wrap(NAMESPACE, "config_deny_network", deny_network)?;
    linker.func_wrap(NAMESPACE, "config_allow_resolve", allow_resolve)?;
    Ok(())
}

/// What is done with a right in a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Allow,
    Deny,
}

/// Allows or denies one right, given by its written form.
fn change(
    mut caller: Caller<'_, State>,
    id: i64,
    (right, length): (i32, i32),
    error: i32,
    change: Change,
) -> Result<i32> {
    changed_draft(&mut caller, id)?;
    let length_given = unsigned(length);
    if length_given > PERMIT_BYTES_MAX {
        let text = format!("a right of {length_given} bytes: it has at most {PERMIT_BYTES_MAX}");
        return fail(&mut caller, text, error);
    }
    let permit: Permit = match string(&mut caller, right, length)?.parse() {
        Ok(permit) => permit,
        Err(why) => return fail(&mut caller, why.to_string(), error),
    };
    let done = match permit {
        Permit::Right(right) => {
            let grant = &mut changed_draft(&mut caller, id)?.grant;
            let changed = match change {
                Change::Allow => grant.allow(right),
                Change::Deny => grant.deny(right),
            };
            changed.map_err(|error| error.to_string())
        }
        Permit::Files(deed, path) => {
            let access = wasi_config::access(deed);
            match change {
                Change::Allow => wasi_config::allow_files(&mut caller, id, path, access)?,
                Change::Deny => wasi_config::deny_files(&mut caller, id, &path, access)?,
            }
        }
        Permit::Variable(name) => {
            match change {
                Change::Allow => wasi_config::pass_on_variables(&mut caller, id, &name)?,
                Change::Deny => wasi_config::remove_variables(&mut caller, id, &name)?,
            }
            Ok(())
        }
    };
    match done {
        Ok(()) => Ok(0),
        Err(why) => fail(&mut caller, why, error),
    }
}

fn allow_network(
    mut caller: Caller<'_, State>,
    id: i64,
    access: i32,
    (rule, length): (i32, i32),
    error: i32,
) -> Result<i32> {
    changed_draft(&mut caller, id)?;
    let access = match access {
        0 => Access::Connect,
        1 => Access::Bind,
        other => bail!("network rights are for access 0 (connect) or 1 (bind), not {other}"),
    };
    let length_given = unsigned(length);
    if length_given > RULE_BYTES_MAX {
        let text = format!("a rule of {length_given} bytes: it has at most {RULE_BYTES_MAX}");
        return fail(&mut caller, text, error);
    }
    let rule: NetworkRule = match string(&mut caller, rule, length)?.parse() {
        Ok(rule) => rule,
        Err(why) => return fail(&mut caller, why.to_string(), error),
    };
    match changed_draft(&mut caller, id)?.grant.network.allow(access, rule) {
        Ok(()) => Ok(0),
        Err(why) => fail(&mut caller, why.to_string(), error),
    }
}

fn deny_network(mut caller: Caller<'_, State>, id: i64) -> Result<()> {
    changed_draft(&mut caller, id)?.grant.network = NetworkRights::NONE;
    Ok(())
}

fn allow_resolve(mut caller: Caller<'_, State>, id: i64, flag: i32) -> Result<()> {
    changed_draft(&mut caller, id)?.grant.network.resolve = flag != 0;
    Ok(())
}
