//! The part of `lunatic::process` with which a process hears of what its children do.
//! `abi/audit.md` is the contract.

use std::sync::Arc;

use lunatic_model::{Deed, Extent, Tag};
use lunatic_node::Process;
use wasmtime::{Caller, Linker, Result, bail};

use crate::audit::{Audit, Hears, LISTENERS_MAX, ToProcess};
use crate::host::fail;
use crate::host::process::{NAMESPACE, changed_draft};
use crate::memory::check;
use crate::state::State;
use crate::tables::DraftAudit;

/// What is heard.
const DENIED: i32 = 1;
const USED: i32 = 1 << 1;
const CALLS: i32 = 1 << 2;
/// Of children alone: not of theirs.
const ALONE: i32 = 1 << 3;
/// An id in guest memory.
const ID_BYTES: usize = 8;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "config_audit", config_audit)?;
    Ok(())
}

fn config_audit(
    mut caller: Caller<'_, State>,
    config: i64,
    tag: i64,
    what: i32,
    error: i32,
) -> Result<i32> {
    if what & !(DENIED | USED | CALLS | ALONE) != 0 {
        bail!("the flags {what:#x} of an audit hold some that do not exist");
    }
    check(&mut caller, &[(error, ID_BYTES)])?;
    changed_draft(&mut caller, config)?;
    let has = |flag| what & flag != 0;
    let hears = Hears { denied: has(DENIED), used: has(USED), calls: has(CALLS) };
    let state = caller.data();
    let own = &state.process;
    if own.reach().of(Deed::Inspect) == Extent::None {
        let tried = || ("inspect:descendants".to_owned(), "config_audit".to_owned());
        let text = own.deny("inspect", tried);
        return fail(&mut caller, text, error);
    }
    let heard = state.config.audit.as_ref().and_then(Audit::inherited);
    if heard.is_some_and(|audit| !audit.has_room()) {
        return fail(&mut caller, full(), error);
    }
    let audit = DraftAudit { tag: Tag(tag), hears, alone: has(ALONE) };
    changed_draft(&mut caller, config)?.audit = (hears != Hears::NONE).then_some(audit);
    Ok(0)
}

fn full() -> String {
    format!("a process has at most {LISTENERS_MAX} listeners, those of its ancestors included")
}

/// Who hears of children with a configuration: who hears of their parent's, and their parent if the
/// configuration says so.
pub(super) fn of_child(
    process: &Arc<Process>,
    parent: Option<&Audit>,
    draft: Option<DraftAudit>,
) -> std::result::Result<Option<Audit>, String> {
    let inherited = parent.and_then(Audit::inherited);
    let Some(DraftAudit { tag, hears, alone }) = draft else { return Ok(inherited) };
    let listener = Arc::new(ToProcess::new(process, tag, hears));
    let audit = inherited.unwrap_or_default();
    let audit = if alone { audit.with_alone(listener) } else { audit.with(listener) };
    audit.map(Some).ok_or_else(full)
}
