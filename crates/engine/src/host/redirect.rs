//! The part of `lunatic::process` that redirects: in a configuration for children, or a process
//! that runs. `abi/redirect.md` is the contract.

use std::sync::Arc;

use lunatic_model::{Deed, Pid, REDIRECTION_BYTES_MAX, Redirection, Rights, Tag};
use lunatic_node::Process;
use lunatic_wasi::Replacement;
use wasmtime::{Caller, Linker, Result, bail};

use crate::audit::Audit;
use crate::config::ProcessConfig;
use crate::host::process::{NAMESPACE, changed_draft};
use crate::host::{budgets, fail, identity, wasi_config};
use crate::memory::{check, split, text, unsigned};
use crate::redirect::ask::on_behalf_of;
use crate::redirect::{
    self, Effect, Heritage, ProcessTarget, REDIRECTIONS_MAX, Redirected, Setter, resolve,
};
use crate::runtime::Shared;
use crate::state::State;
use crate::tables::{ConfigDraft, DraftRedirection};

/// For the process alone: its children do not inherit it.
const ALONE: i32 = 1;
/// The process answers, instead of being told.
const ASK: i32 = 1 << 1;

/// An id in guest memory.
const ID_BYTES: usize = 8;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        NAMESPACE,
        "config_redirect",
        |caller: Caller<'_, State>,
         config: i64,
         what: i32,
         what_length: i32,
         target: i32,
         target_length: i32,
         flags: i32,
         error: i32| {
            let texts = [(what, what_length), (target, target_length)];
            config_redirect(caller, config, texts, flags, error)
        },
    )?;
    linker.func_wrap(
        NAMESPACE,
        "config_redirect_to_process",
        |caller: Caller<'_, State>,
         config: i64,
         what: i32,
         what_length: i32,
         node: i64,
         id: i64,
         tag: i64,
         flags: i32,
         error: i32| {
            let to = (identity::pid(node, id), tag);
            config_redirect_to_process(caller, config, (what, what_length), to, flags, error)
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "redirect",
        |caller, (node, id, what, what_length, target, target_length, flags, error)| {
            let texts: [(i32, i32); 2] = [(what, what_length), (target, target_length)];
            Box::new(redirect(caller, identity::pid(node, id), texts, flags, error))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "redirect_to_process",
        |caller,
         (node, id, what, what_length, to_node, to_id, tag, flags, error): (
            i64,
            i64,
            i32,
            i32,
            i64,
            i64,
            i64,
            i32,
            i32,
        )| {
            let (whom, to) = (identity::pid(node, id), (identity::pid(to_node, to_id), tag));
            Box::new(redirect_to_process(caller, whom, (what, what_length), to, flags, error))
        },
    )?;
    Ok(())
}

/// What was asked for; the inner error is for the guest.
type Asked = std::result::Result<DraftRedirection, String>;

fn config_redirect(
    mut caller: Caller<'_, State>,
    config: i64,
    texts: [(i32, i32); 2],
    flags: i32,
    error: i32,
) -> Result<i32> {
    changed_draft(&mut caller, config)?;
    let asked = asked(&mut caller, texts, flags, error)?;
    add(&mut caller, config, asked, error)
}

fn config_redirect_to_process(
    mut caller: Caller<'_, State>,
    config: i64,
    what: (i32, i32),
    to: (Pid, i64),
    flags: i32,
    error: i32,
) -> Result<i32> {
    changed_draft(&mut caller, config)?;
    let asked = asked_for_process(&mut caller, what, to, flags, error)?;
    add(&mut caller, config, asked, error)
}

fn add(caller: &mut Caller<'_, State>, config: i64, asked: Asked, error: i32) -> Result<i32> {
    let asked = match asked {
        Ok(asked) => asked,
        Err(text) => return fail(caller, text, error),
    };
    let draft = changed_draft(caller, config)?;
    if draft.redirections.len() >= REDIRECTIONS_MAX {
        let text = format!("a configuration has at most {REDIRECTIONS_MAX} redirections");
        return fail(caller, text, error);
    }
    draft.redirections.push(asked);
    Ok(0)
}

async fn redirect(
    mut caller: Caller<'_, State>,
    whom: Pid,
    texts: [(i32, i32); 2],
    flags: i32,
    error: i32,
) -> Result<i32> {
    let asked = asked(&mut caller, texts, flags, error)?;
    change(caller, whom, asked, error).await
}

async fn redirect_to_process(
    mut caller: Caller<'_, State>,
    whom: Pid,
    what: (i32, i32),
    to: (Pid, i64),
    flags: i32,
    error: i32,
) -> Result<i32> {
    let asked = asked_for_process(&mut caller, what, to, flags, error)?;
    change(caller, whom, asked, error).await
}

/// Makes a redirection for a process that runs; it takes effect with its next call.
async fn change(mut caller: Caller<'_, State>, whom: Pid, asked: Asked, error: i32) -> Result<i32> {
    let changed = match asked {
        Ok(asked) => changed(&mut caller, whom, asked).await,
        Err(text) => Err(text),
    };
    match changed {
        Ok(()) => Ok(0),
        Err(text) => fail(&mut caller, text, error),
    }
}

async fn changed(
    caller: &mut Caller<'_, State>,
    whom: Pid,
    asked: DraftRedirection,
) -> std::result::Result<(), String> {
    let state = caller.data_mut();
    state.catch_up();
    let (own, config, runtime) =
        (state.process.clone(), state.config.clone(), state.runtime.clone());
    let environment = own.environment();
    let target = if whom == own.pid() { Some(own.clone()) } else { environment.find(whom) };
    // Who is out of reach is as if there were none.
    let Some(target) = target.filter(|_| own.reaches(Deed::Inspect, whom)) else {
        return Err("there is no such process".to_owned());
    };
    if !budgets::is_ancestor(&own, &target) {
        return Err("only its own and its descendants can a process redirect".to_owned());
    }
    let setter = Setter::Process(&config, runtime.outside.as_deref());
    let resolving = resolve(&asked.redirection, asked.to, &setter);
    let mut resolved = on_behalf_of(Some(own.clone()), resolving).await?;
    if let Effect::Wasi(Replacement::Clock(clock)) = &resolved.effect
        && clock.is_asked()
    {
        // Its calls of the clock are linked when it begins, as ones that wait or not.
        let text = "a clock is shown by a process from the spawn on or not at all: use \
            config_redirect_to_process";
        return Err(text.to_owned());
    }
    resolved.alone = asked.alone;
    runtime.wiring.change(environment, whom, resolved).map_err(|error| error.to_string())
}

/// Reads two texts and the flags.
fn asked(
    caller: &mut Caller<'_, State>,
    [what, target]: [(i32, i32); 2],
    flags: i32,
    error: i32,
) -> Result<Asked> {
    if flags & !ALONE != 0 {
        bail!("the flags {flags:#x} of a redirection hold some that do not exist");
    }
    check(caller, &[(error, ID_BYTES)])?;
    let (memory, state) = split(caller)?;
    let mut texts = [""; 2];
    for (text_of, (pointer, length)) in texts.iter_mut().zip([what, target]) {
        if unsigned(length) > REDIRECTION_BYTES_MAX {
            return Ok(Err(format!("a redirection has at most {REDIRECTION_BYTES_MAX} bytes")));
        }
        *text_of = text(memory, pointer, length)?;
    }
    if let Err(text) = may_redirect(state) {
        return Ok(Err(text));
    }
    let redirection = Redirection::of(texts[0], texts[1]).map_err(|error| error.to_string());
    let alone = flags & ALONE != 0;
    Ok(redirection.map(|redirection| DraftRedirection { redirection, to: None, alone }))
}

/// Reads one text, and the process.
fn asked_for_process(
    caller: &mut Caller<'_, State>,
    (pointer, length): (i32, i32),
    (pid, tag): (Pid, i64),
    flags: i32,
    error: i32,
) -> Result<Asked> {
    if flags & !(ALONE | ASK) != 0 {
        bail!("the flags {flags:#x} of a redirection hold some that do not exist");
    }
    check(caller, &[(error, ID_BYTES)])?;
    if unsigned(length) > REDIRECTION_BYTES_MAX {
        return Ok(Err(format!("a redirection has at most {REDIRECTION_BYTES_MAX} bytes")));
    }
    let (memory, state) = split(caller)?;
    let what = text(memory, pointer, length)?;
    if let Err(text) = may_redirect(state) {
        return Ok(Err(text));
    }
    let own: &Arc<Process> = &state.process;
    if pid != own.pid() && !(own.may(Deed::Send, pid) && own.environment().exists(pid)) {
        return Ok(Err("there is no such process to redirect to, or it is ending".to_owned()));
    }
    let told = (flags & ASK == 0).then_some(Tag(tag));
    let (to, alone) = (Some(ProcessTarget { pid, told }), flags & ALONE != 0);
    let redirection = Redirection::to_process(what).map_err(|error| error.to_string());
    Ok(redirection.map(|redirection| DraftRedirection { redirection, to, alone }))
}

/// What a child has without a config: all that its parent has, but for what is of the parent alone,
/// redirections and who hears of it.
pub(super) fn inherited_config(own: &Arc<ProcessConfig>) -> Arc<ProcessConfig> {
    let inherited = |redirected: &Arc<Redirected>| redirected.is_inherited();
    if own.redirected.as_ref().is_none_or(inherited)
        && own.audit.as_ref().is_none_or(Audit::is_inherited)
    {
        return own.clone();
    }
    let Heritage { wasi, redirected } = redirect::heritage(own);
    let audit = own.audit.as_ref().and_then(Audit::inherited);
    Arc::new(ProcessConfig { wasi, redirected, audit, ..ProcessConfig::clone(own) })
}

/// The child's view of the world: what its parent hands on, narrowed to what the draft lists, with
/// the draft's redirections before the parent's.
pub(super) async fn heritage(
    process: &Arc<Process>,
    runtime: &Arc<Shared>,
    parent: &ProcessConfig,
    draft: &ConfigDraft,
) -> Result<Heritage, String> {
    let mut heritage = redirect::heritage(parent);
    let asks = parent.redirected.is_some().then(|| process.clone());
    on_behalf_of(asks, async {
        heritage.wasi = wasi_config::narrowed(&heritage.wasi, draft).await?;
        let setter = Setter::Process(parent, runtime.outside.as_deref());
        for asked in &draft.redirections {
            let mut resolved = resolve(&asked.redirection, asked.to, &setter).await?;
            resolved.alone = asked.alone;
            redirect::apply(&mut heritage, &resolved)?;
        }
        Ok(heritage)
    })
    .await
}

fn may_redirect(state: &State) -> std::result::Result<(), String> {
    state.permit(Rights::REDIRECT, "redirect").map_err(|text| text.to_string())
}
