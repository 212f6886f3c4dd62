//! `lunatic::process`: modules, configurations, spawning, links, monitors, ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lunatic_model::{ExitReason, Grant, Limits, Priority, Ref, Rights, Tag, TrapExit};
use lunatic_node::{Bonds, Charged, Claim, Process};
use wasmtime::{Caller, Linker, Result, bail};

use crate::config::ProcessConfig;
use crate::exit::HostExit;
use crate::host::registry::{OWN_NODE, name};
use crate::host::{audit, budgets, entry, fail, network_config, redirect};
use crate::instance::{self, Child, INSTRUCTIONS_PER_FUEL_UNIT, SpawnRequest};
use crate::memory::{bytes, split, unsigned, write_u64};
use crate::module::Module;
use crate::redirect::Heritage;
use crate::state::State;
use crate::tables::ConfigDraft;

pub(super) const NAMESPACE: &str = "lunatic::process";
/// "The caller's own", as a config or module id.
const OWN: i64 = -1;
/// "May not", as the result of making a config or compiling a module.
const DENIED: i32 = -1;
const IN_START_SECTION: &str = "nothing can be spawned from the start section";
/// What the old ABI says for "as much memory as there is".
const NO_MEMORY_LIMIT: u64 = u32::MAX as u64;
/// What a module counts for in the memory of whoever compiles it, for each of its bytes: they are
/// kept, and compiled code takes a few times as much.
const COMPILED_BYTES_FACTOR: usize = 8;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "compile_module",
        |caller, (pointer, length, id): (i32, i32, i32)| {
            Box::new(compile_module(caller, pointer, length, id))
        },
    )?;
    linker.func_wrap(NAMESPACE, "drop_module", drop_module)?;
    link_configs(linker)?;
    linker.func_wrap_async(
        NAMESPACE,
        "spawn",
        |caller, (link, config, module, name, name_length, params, params_length, id)| {
            let raw = RawSpawn { link, config, module, name, name_length, params, params_length };
            Box::new(spawn(caller, raw, id))
        },
    )?;
    linker.func_wrap_async(
        NAMESPACE,
        "get_or_spawn",
        |caller,
         (
            name,
            name_length,
            link,
            config,
            module,
            entry,
            entry_length,
            params,
            length,
            node,
            id,
        )| {
            let raw = RawSpawn {
                link,
                config,
                module,
                name: entry,
                name_length: entry_length,
                params,
                params_length: length,
            };
            Box::new(get_or_spawn(caller, (name, name_length), raw, node, id))
        },
    )?;
    linker.func_wrap_async(NAMESPACE, "sleep_ms", |caller, (milliseconds,): (i64,)| {
        Box::new(sleep_ms(caller, milliseconds))
    })?;
    linker.func_wrap(NAMESPACE, "die_when_link_dies", die_when_link_dies)?;
    linker.func_wrap(NAMESPACE, "process_id", process_id)?;
    linker.func_wrap(NAMESPACE, "environment_id", environment_id)?;
    linker.func_wrap(NAMESPACE, "link", link_process)?;
    linker.func_wrap(NAMESPACE, "unlink", unlink)?;
    linker.func_wrap(NAMESPACE, "monitor", monitor)?;
    linker.func_wrap(NAMESPACE, "stop_monitoring", stop_monitoring)?;
    linker.func_wrap(NAMESPACE, "kill", kill)?;
    linker.func_wrap(NAMESPACE, "exists", exists)?;
    Ok(())
}

fn link_configs(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "create_config", |caller: Caller<'_, State>| {
        // What the old ABI never checked is granted, as far as the maker has it.
        let checked = Rights::SPAWN | Rights::COMPILE_MODULES | Rights::CREATE_CONFIGS;
        let rights = Rights::ALL.with(checked, false);
        create_config(caller, Grant { rights, ..Grant::ALL })
    })?;
    linker.func_wrap(NAMESPACE, "create_empty_config", |caller: Caller<'_, State>| {
        create_config(caller, Grant::SANDBOX)
    })?;
    linker.func_wrap(NAMESPACE, "drop_config", drop_config)?;
    linker.func_wrap(NAMESPACE, "config_set_max_memory", config_set_max_memory)?;
    linker.func_wrap(NAMESPACE, "config_get_max_memory", config_get_max_memory)?;
    linker.func_wrap(NAMESPACE, "config_set_max_fuel", config_set_max_fuel)?;
    linker.func_wrap(NAMESPACE, "config_get_max_fuel", config_get_max_fuel)?;
    let rights = [
        ("can_compile_modules", Rights::COMPILE_MODULES),
        ("can_create_configs", Rights::CREATE_CONFIGS),
        ("can_spawn_processes", Rights::SPAWN),
    ];
    for (name, right) in rights {
        linker.func_wrap(
            NAMESPACE,
            &format!("config_{name}"),
            move |mut caller: Caller<'_, State>, id: i64| -> Result<i32> {
                Ok(i32::from(draft(&mut caller, id)?.grant.rights.contains(right)))
            },
        )?;
        linker.func_wrap(
            NAMESPACE,
            &format!("config_set_{name}"),
            move |mut caller: Caller<'_, State>, id: i64, flag: i32| -> Result<()> {
                let draft = changed_draft(&mut caller, id)?;
                draft.grant.rights = draft.grant.rights.with(right, flag != 0);
                Ok(())
            },
        )?;
    }
    budgets::link(linker)?;
    network_config::link(linker)
}

async fn compile_module(
    mut caller: Caller<'_, State>,
    pointer: i32,
    length: i32,
    id_pointer: i32,
) -> Result<i32> {
    if caller.data().permit(Rights::COMPILE_MODULES, "compile_module").is_err() {
        return Ok(DENIED);
    }
    let runtime = caller.data().runtime.clone();
    let max = runtime.limits.module_bytes_max;
    if unsigned(length) > max {
        let text =
            format!("the module has {} bytes, but module_bytes_max is {max}", unsigned(length));
        return fail(&mut caller, text, id_pointer);
    }
    let process = caller.data().process.clone();
    let held = unsigned(length).saturating_mul(COMPILED_BYTES_FACTOR);
    let charged = match Charged::new(process.account(), held) {
        Ok(charged) => charged,
        Err(over) if over.ends => return Err(HostExit::limit(over.limit)),
        Err(over) => {
            let text = format!("the module cannot be kept: {over}");
            return fail(&mut caller, text, id_pointer);
        }
    };
    let wasm = bytes(split(&mut caller)?.0, pointer, length)?.to_vec();
    // Its processes use memories of the same layout as those of whoever compiles it.
    let tier = caller.data().module.tier();
    let compile = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        (Module::new(&runtime, &wasm, tier, Some(charged)), began.elapsed())
    });
    let compiled = compile.await.map(|(module, took)| {
        process.charge_cpu(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        module
    });
    end_if_exiting(&process)?;
    let module = match compiled {
        Ok(Ok(module)) => module,
        Ok(Err(error)) => return fail(&mut caller, error.to_string(), id_pointer),
        Err(panic) => {
            return fail(&mut caller, format!("the compiler failed: {panic}"), id_pointer);
        }
    };
    let state = caller.data_mut();
    let max = state.process.limits().resources_max;
    let id = state.tables().modules.add(module, max, "resources_max")?;
    write_u64(&mut caller, id_pointer, id)?;
    Ok(0)
}

fn drop_module(mut caller: Caller<'_, State>, id: i64) -> Result<()> {
    caller.data_mut().tables().modules.remove(id, "module").map(drop)
}

fn create_config(mut caller: Caller<'_, State>, grant: Grant) -> Result<i64> {
    let state = caller.data_mut();
    if state.permit(Rights::CREATE_CONFIGS, "create_config").is_err() {
        return Ok(i64::from(DENIED));
    }
    let limits = Limits { memory_bytes_max: NO_MEMORY_LIMIT, ..Limits::default() };
    let draft = ConfigDraft::new(grant, limits);
    let max = state.process.limits().resources_max;
    Ok(state.tables().configs.add(draft, max, "resources_max")?.cast_signed())
}

fn drop_config(mut caller: Caller<'_, State>, id: i64) -> Result<()> {
    let tables = caller.data_mut().tables();
    let draft = tables.configs.remove(id, "config")?;
    tables.config_bytes -= draft.bytes;
    Ok(())
}

fn draft<'a>(caller: &'a mut Caller<'_, State>, id: i64) -> Result<&'a mut ConfigDraft> {
    caller.data_mut().tables().configs.get_mut(id, "config")
}

/// A draft that is about to change: what it came to before counts no more.
pub(super) fn changed_draft<'a>(
    caller: &'a mut Caller<'_, State>,
    id: i64,
) -> Result<&'a mut ConfigDraft> {
    let draft = draft(caller, id)?;
    draft.built = None;
    Ok(draft)
}

fn config_set_max_memory(mut caller: Caller<'_, State>, id: i64, bytes: i64) -> Result<()> {
    changed_draft(&mut caller, id)?.limits.memory_bytes_max = bytes.cast_unsigned();
    Ok(())
}

fn config_get_max_memory(mut caller: Caller<'_, State>, id: i64) -> Result<i64> {
    Ok(draft(&mut caller, id)?.limits.memory_bytes_max.cast_signed())
}

fn config_set_max_fuel(mut caller: Caller<'_, State>, id: i64, units: i64) -> Result<()> {
    let instructions = match units.cast_unsigned() {
        0 => u64::MAX,
        units => units.saturating_mul(INSTRUCTIONS_PER_FUEL_UNIT),
    };
    changed_draft(&mut caller, id)?.limits.fuel_max = instructions;
    Ok(())
}

fn config_get_max_fuel(mut caller: Caller<'_, State>, id: i64) -> Result<i64> {
    Ok(match draft(&mut caller, id)?.limits.fuel_max {
        u64::MAX => 0,
        instructions => (instructions / INSTRUCTIONS_PER_FUEL_UNIT).cast_signed(),
    })
}

/// What `spawn` was given, before it is decoded.
pub(super) struct RawSpawn {
    pub(super) link: i64,
    pub(super) config: i64,
    pub(super) module: i64,
    pub(super) name: i32,
    pub(super) name_length: i32,
    pub(super) params: i32,
    pub(super) params_length: i32,
}

/// What a child has from the start, besides.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) bonds: Bonds,
    pub(super) priority: Priority,
    pub(super) label: Option<Arc<str>>,
}

async fn spawn(mut caller: Caller<'_, State>, raw: RawSpawn, id_pointer: i32) -> Result<i32> {
    match spawn_child(&mut caller, &raw, Extras::default()).await? {
        Ok((child, _)) => {
            write_u64(&mut caller, id_pointer, child.pid().serial)?;
            Ok(0)
        }
        Err(text) => fail(&mut caller, text, id_pointer),
    }
}

async fn get_or_spawn(
    mut caller: Caller<'_, State>,
    (name_pointer, name_length): (i32, i32),
    raw: RawSpawn,
    node_pointer: i32,
    id_pointer: i32,
) -> Result<i32> {
    let name = name(&mut caller, name_pointer, name_length)?;
    if let Err(text) = caller.data().permit(Rights::NAMES, "get_or_spawn") {
        return fail(&mut caller, text, id_pointer);
    }
    let environment = caller.data().process.environment().clone();
    let claim = match environment.whereis(&name) {
        Some(pid) => Claim::Taken(pid),
        // Its spawner may hold the claim on this name: they would wait for each other for ever.
        None if caller.data().starting => bail!("{IN_START_SECTION}"),
        None => environment.claim_name(&name).await,
    };
    let (code, pid) = match claim {
        Claim::Taken(pid) if caller.data().process.sees(pid) => (2, pid),
        Claim::Taken(_) => {
            let text = "the name is taken by a process that this one does not reach";
            return fail(&mut caller, text, id_pointer);
        }
        Claim::Reserved(reservation) => {
            match spawn_child(&mut caller, &raw, Extras::default()).await? {
                Ok((child, _)) => {
                    reservation.fulfil(child.pid());
                    (0, child.pid())
                }
                Err(text) => return fail(&mut caller, text, id_pointer),
            }
        }
    };
    write_u64(&mut caller, node_pointer, OWN_NODE)?;
    write_u64(&mut caller, id_pointer, pid.serial)?;
    Ok(code)
}

/// The outer result is a trap, the inner one the text of an error for the guest. With the child
/// comes the reference of a monitor that was asked for.
pub(super) async fn spawn_child(
    caller: &mut Caller<'_, State>,
    raw: &RawSpawn,
    extras: Extras,
) -> Result<Result<(Arc<Process>, Option<Ref>), String>> {
    let state = caller.data_mut();
    may_spawn(state)?;
    if state.starting {
        bail!("{IN_START_SECTION}");
    }
    let module = match raw.module {
        OWN => state.module.clone(),
        id => state.tables().modules.get(id, "module")?.clone(),
    };
    state.catch_up();
    let config = match raw.config {
        OWN => Ok(redirect::inherited_config(&state.config)),
        id => built_config(state, id).await?,
    };
    let entry = entry::name(caller, raw.name, raw.name_length)?;
    let params = entry::params(caller, raw.params, raw.params_length)?;
    let config = match config {
        Ok(config) => config,
        Err(text) => return Ok(Err(text)),
    };
    let mut budgets = config.budgets.clone();
    if raw.config == OWN {
        // Those of the subtrees in which this process lives bind its child, too.
        budgets.subtree = None;
    }
    let request = SpawnRequest { module, config, budgets, entry, params };
    let (process, runtime) = (caller.data().process.clone(), caller.data().runtime.clone());
    let Extras { mut bonds, priority, label } = extras;
    bonds.link = bonds.link.or(Some(Tag(raw.link)).filter(|tag| tag.is_some()));
    let child = Some(Child { parent: &process, bonds, priority, label });
    let spawned = instance::spawn(&runtime, process.environment(), request, child).await;
    end_if_exiting(&process)?;
    Ok(spawned.map_err(|error| error.to_string()))
}

/// Traps without the right to spawn.
pub(super) fn may_spawn(state: &State) -> Result<()> {
    if state.permit(Rights::SPAWN, "spawn").is_err() {
        bail!("this process may not spawn processes: its config lacks can_spawn_processes");
    }
    Ok(())
}

/// What the draft comes to, narrowed to what this process has.
async fn built_config(state: &mut State, id: i64) -> Result<Result<Arc<ProcessConfig>, String>> {
    let (process, runtime) = (state.process.clone(), state.runtime.clone());
    let parent = state.config.clone();
    let draft = state.tables().configs.get_mut(id, "config")?;
    if let Some(built) = &draft.built {
        return Ok(Ok(built.clone()));
    }
    let mut limits = draft.limits;
    if limits.memory_bytes_max >= NO_MEMORY_LIMIT {
        limits.memory_bytes_max = u64::MAX;
    }
    let grant = match parent.grant().narrowed(&draft.grant) {
        Ok(grant) => grant,
        Err(error) => return Ok(Err(format!("a process cannot be given this config: {error}"))),
    };
    let audit = match audit::of_child(&process, parent.audit.as_ref(), draft.audit) {
        Ok(audit) => audit,
        Err(text) => return Ok(Err(text)),
    };
    let heritage = match redirect::heritage(&process, &runtime, &parent, draft).await {
        Ok(heritage) => heritage,
        Err(text) => return Ok(Err(text)),
    };
    let limits = Arc::new(parent.limits.narrowed(&limits));
    let budgets = parent.budgets.narrowed(&draft.budgets);
    let Heritage { wasi, redirected } = heritage;
    let narrowed = ProcessConfig { limits, budgets, wasi, redirected, audit, ..(*parent).clone() };
    let built = Arc::new(narrowed.confined(grant));
    draft.built = Some(built.clone());
    Ok(Ok(built))
}

/// A process that has gone over a limit must not go on.
pub(super) fn end_if_exiting(process: &Process) -> Result<()> {
    match process.exit_reason() {
        Some(reason) => Err(HostExit::error(reason)),
        None => Ok(()),
    }
}

async fn sleep_ms(caller: Caller<'_, State>, milliseconds: i64) {
    let duration = Duration::from_millis(milliseconds.cast_unsigned());
    caller.data().process.sleep(duration).await;
}

fn die_when_link_dies(caller: Caller<'_, State>, flag: i32) {
    let trap_exit = if flag == 0 { TrapExit::Failures } else { TrapExit::Off };
    caller.data().process.set_trap_exit(trap_exit);
}

fn process_id(caller: Caller<'_, State>) -> i64 {
    caller.data().process.pid().serial.cast_signed()
}

fn environment_id(caller: Caller<'_, State>) -> i64 {
    caller.data().process.environment().public_id().cast_signed()
}

fn link_process(caller: Caller<'_, State>, tag: i64, pid: i64) -> Result<()> {
    let state = caller.data();
    nobody_knows_it_yet(state)?;
    state.process.link(state.pid_of(pid), Tag(tag));
    end_if_exiting(&state.process)
}

/// While its start section runs, a process is not in the table, and may never be: what it is told
/// would be lost, and what it tells others would be wrong.
pub(super) fn nobody_knows_it_yet(state: &State) -> Result<()> {
    if state.starting {
        bail!("a start section can neither link nor monitor: its process has not been started yet");
    }
    Ok(())
}

fn unlink(caller: Caller<'_, State>, pid: i64) {
    let state = caller.data();
    state.process.unlink(state.pid_of(pid));
}

fn monitor(caller: Caller<'_, State>, pid: i64) -> Result<()> {
    let state = caller.data();
    nobody_knows_it_yet(state)?;
    state.process.monitor(state.pid_of(pid));
    end_if_exiting(&state.process)
}

fn stop_monitoring(caller: Caller<'_, State>, pid: i64) {
    let state = caller.data();
    state.process.demonitor_all(state.pid_of(pid));
}

fn kill(caller: Caller<'_, State>, pid: i64) -> Result<()> {
    let state = caller.data();
    let target = state.pid_of(pid);
    if target == state.process.pid() {
        // Not by way of the table, where it is not yet while its start section runs.
        state.process.kill();
    } else {
        state.process.exit(target, ExitReason::Kill);
    }
    end_if_exiting(&state.process)
}

fn exists(caller: Caller<'_, State>, pid: i64) -> i32 {
    let state = caller.data();
    i32::from(state.process.exists(state.pid_of(pid)))
}
