//! The part of `lunatic::process` with which a configuration is given budgets, and with which what
//! is used of them is read. `abi/budgets.md` is the contract.

use std::sync::Arc;

use lunatic_model::{Budget, Budgeted, Deed, Pid, Policy, Scope};
use lunatic_node::{AccountUsage, Process};
use wasmtime::{Caller, Linker, Result, bail};

use crate::host::process::{NAMESPACE, changed_draft};
use crate::host::{fail, identity};
use crate::memory::{bytes_mut, check, split, unsigned};
use crate::state::State;

/// Of each kind: what is used, and what there may be.
const ENTRY_BYTES: usize = 16;
/// Ancestors that are looked at: nobody who is further above hears of a process.
const ANCESTORS_MAX: usize = 1024;

const NO_PROCESS: i32 = 1;
const NOT_YOURS: i32 = 2;
const NO_ACCOUNT: i32 = 3;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "config_set_budget",
        |caller: Caller<'_, State>,
         id: i64,
         scope: i32,
         kind: i32,
         amount: i64,
         policy: i32,
         error: i32| { set_budget(caller, id, (scope, kind, policy), amount, error) },
    )?;
    linker.func_wrap(NAMESPACE, "account", account)?;
    Ok(())
}

fn scope(number: i32) -> Result<Scope> {
    match number {
        0 => Ok(Scope::Process),
        1 => Ok(Scope::Subtree),
        other => bail!("a budget is for scope 0 (process) or 1 (subtree), not {other}"),
    }
}

fn set_budget(
    mut caller: Caller<'_, State>,
    id: i64,
    (scope_number, kind, policy): (i32, i32, i32),
    amount: i64,
    error: i32,
) -> Result<i32> {
    let scope = scope(scope_number)?;
    let number = |number: i32| u64::from(number.cast_unsigned());
    let Some(kind) = Budgeted::from_number(number(kind)) else {
        bail!("there is no budget of kind {kind}");
    };
    let Some(policy) = Policy::from_number(number(policy)) else {
        bail!("there is no policy {policy} of a budget");
    };
    let budget = changed_draft(&mut caller, id)?.budgets.of(scope);
    if budget.set(kind, amount.cast_unsigned(), policy) {
        return Ok(0);
    }
    let text = format!("{policy:?} cannot be what happens at {}", kind.limit(scope));
    fail(&mut caller, text, error)
}

/// Writes what the account of a process or of its subtree says, as much as there is room for.
fn account(
    mut caller: Caller<'_, State>,
    node: i64,
    id: i64,
    scope_number: i32,
    pointer: i32,
    length: i32,
) -> Result<i32> {
    let scope = scope(scope_number)?;
    check(&mut caller, &[(pointer, unsigned(length))])?;
    let (own, pid) = (caller.data().process.clone(), identity::pid(node, id));
    let target = if pid == own.pid() { Some(own.clone()) } else { own.environment().find(pid) };
    // Who is out of reach is as if there were none.
    let Some(target) = target.filter(|_| own.reaches(Deed::Inspect, pid)) else {
        return Ok(NO_PROCESS);
    };
    if !is_ancestor(&own, &target) {
        return Ok(NOT_YOURS);
    }
    let account = match scope {
        Scope::Process => target.account(),
        Scope::Subtree => target.account().and_then(|account| account.subtree()),
    };
    let Some(usage) = account.map(|account| account.usage()) else { return Ok(NO_ACCOUNT) };
    let (memory, _) = split(&mut caller)?;
    let place = bytes_mut(memory, pointer, unsigned(length))?;
    for (entry, kind) in place.chunks_exact_mut(ENTRY_BYTES).zip(Budgeted::ALL) {
        entry[..8].copy_from_slice(&used(&usage, kind).to_le_bytes());
        entry[8..].copy_from_slice(&usage.budget.amount(kind).to_le_bytes());
    }
    Ok(0)
}

/// What is used of a kind, in its unit. A share of a core is told by how often it kept a process
/// waiting.
fn used(usage: &AccountUsage, kind: Budgeted) -> u64 {
    match kind {
        Budgeted::Memory => usage.memory,
        Budgeted::CpuTime => usage.cpu_nanoseconds / 1_000_000,
        Budgeted::CpuRate => usage.held,
        Budgeted::Children => usage.children,
        Budgeted::MessagesOut => usage.sent,
        Budgeted::MessagesIn => usage.received,
        Budgeted::Network => usage.network,
        Budgeted::Descriptors => usage.descriptors,
        Budgeted::Lifetime => u64::try_from(usage.age.as_millis()).unwrap_or(Budget::UNBOUNDED),
    }
}

/// Whether a process is another one, or stands above it in a line of which all live.
pub(super) fn is_ancestor(process: &Process, other: &Arc<Process>) -> bool {
    if process.pid() == other.pid() {
        return true;
    }
    let environment = process.environment();
    let above = |pid: &Pid| environment.find(*pid).and_then(|process| process.parent());
    let mut ancestors = std::iter::successors(other.parent(), above);
    ancestors.by_ref().take(ANCESTORS_MAX).any(|ancestor| ancestor == process.pid())
}
