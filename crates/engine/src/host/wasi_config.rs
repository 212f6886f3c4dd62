//! `lunatic::wasi`: what a configuration gives to a child of arguments, environment, directories.

use lunatic_model::FileDeed;
use lunatic_wasi::{Access, Preopen, WasiConfig};
use wasmtime::{Caller, Linker, Result, bail};

use crate::exit::HostExit;
use crate::host::process::changed_draft;
use crate::memory::{string, unsigned};
use crate::state::State;
use crate::tables::{CONFIG_BYTES_MAX, ConfigDraft};

const NAMESPACE: &str = "lunatic::wasi";
/// Entries of each kind in one configuration.
const ENTRIES_MAX: usize = 10_000;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMESPACE, "config_add_environment_variable", add_environment_variable)?;
    linker.func_wrap(NAMESPACE, "config_add_command_line_argument", add_command_line_argument)?;
    linker.func_wrap(NAMESPACE, "config_preopen_dir", preopen_dir)?;
    Ok(())
}

fn add_environment_variable(
    mut caller: Caller<'_, State>,
    id: i64,
    key: i32,
    key_length: i32,
    value: i32,
    value_length: i32,
) -> Result<()> {
    let key = bounded(&mut caller, key, key_length)?;
    let value = bounded(&mut caller, value, value_length)?;
    let bytes = key.len() + value.len();
    append(&mut caller, id, bytes, (key, value), |draft| &mut draft.env)
}

fn add_command_line_argument(
    mut caller: Caller<'_, State>,
    id: i64,
    argument: i32,
    length: i32,
) -> Result<()> {
    let argument = bounded(&mut caller, argument, length)?;
    append(&mut caller, id, argument.len(), argument, |draft| &mut draft.args)
}

fn preopen_dir(mut caller: Caller<'_, State>, id: i64, path: i32, length: i32) -> Result<()> {
    let path = bounded(&mut caller, path, length)?;
    // As of old: with all that the maker may do there.
    append(&mut caller, id, path.len(), (path, Access::FULL), |draft| &mut draft.preopens)
}

/// What a written right to files comes to.
pub(super) fn access(deed: FileDeed) -> Access {
    match deed {
        FileDeed::Read => Access::READ,
        FileDeed::Write => Access { write: true, ..Access::NONE },
        FileDeed::Create => Access { create: true, ..Access::NONE },
        FileDeed::Remove => Access { remove: true, ..Access::NONE },
        FileDeed::All => Access::FULL,
    }
}

/// Lets a child use files below a directory, beside what it may do there already.
pub(super) fn allow_files(
    caller: &mut Caller<'_, State>,
    id: i64,
    path: String,
    access: Access,
) -> Result<Result<(), String>> {
    let draft = changed_draft(caller, id)?;
    if let Some((_, granted)) = draft.preopens.iter_mut().find(|(known, _)| *known == path) {
        *granted = granted.or(access);
        return Ok(Ok(()));
    }
    append(caller, id, path.len(), (path, access), |draft| &mut draft.preopens)?;
    Ok(Ok(()))
}

/// Takes that away again; with the last of it goes the directory.
pub(super) fn deny_files(
    caller: &mut Caller<'_, State>,
    id: i64,
    path: &str,
    access: Access,
) -> Result<Result<(), String>> {
    let draft = changed_draft(caller, id)?;
    let mut found = false;
    draft.preopens.retain_mut(|(known, granted)| {
        if known == path {
            found = true;
            *granted = granted.without(access);
        }
        *granted != Access::NONE
    });
    let why = "only what a configuration gives can be taken away, and it gives no directory";
    Ok(if found { Ok(()) } else { Err(format!("{why} {path:?}")) })
}

/// Gives a child the variables of this name that its parent has; `*` is all of them.
pub(super) fn pass_on_variables(caller: &mut Caller<'_, State>, id: i64, name: &str) -> Result<()> {
    let config = caller.data().config.clone();
    for (key, value) in config.wasi.env() {
        if name == "*" || name == key {
            let bytes = key.len() + value.len();
            append(caller, id, bytes, (key.clone(), value.clone()), |draft| &mut draft.env)?;
        }
    }
    Ok(())
}

/// Takes variables out of a configuration.
pub(super) fn remove_variables(caller: &mut Caller<'_, State>, id: i64, name: &str) -> Result<()> {
    changed_draft(caller, id)?.env.retain(|(key, _)| name != "*" && key != name);
    Ok(())
}

/// A string of the guest that is short enough for a configuration; checked before it is copied.
fn bounded(caller: &mut Caller<'_, State>, pointer: i32, length: i32) -> Result<String> {
    if unsigned(length) > CONFIG_BYTES_MAX {
        bail!("the strings of a process's configs have at most {CONFIG_BYTES_MAX} bytes together");
    }
    string(caller, pointer, length)
}

fn append<T>(
    caller: &mut Caller<'_, State>,
    id: i64,
    bytes: usize,
    value: T,
    list: impl FnOnce(&mut ConfigDraft) -> &mut Vec<T>,
) -> Result<()> {
    let tables = caller.data_mut().tables();
    let draft = tables.configs.get_mut(id, "config")?;
    if tables.config_bytes.saturating_add(bytes) > CONFIG_BYTES_MAX {
        return Err(HostExit::limit("config_bytes_max"));
    }
    let entries = list(draft);
    if entries.len() >= ENTRIES_MAX {
        return Err(HostExit::limit("config_entries_max"));
    }
    entries.push(value);
    // What it came to before counts no more.
    draft.built = None;
    draft.bytes += bytes;
    tables.config_bytes += bytes;
    Ok(())
}

/// The child's view of the world: what the draft lists, of what its parent has. A directory is
/// opened through one of the parent's, never by its path on the host.
pub(super) async fn narrowed(
    parent: &WasiConfig,
    draft: &ConfigDraft,
) -> Result<WasiConfig, String> {
    let mut config = parent.clone();
    config.clear_args();
    config.clear_env();
    config.clear_preopens();
    for argument in &draft.args {
        config.push_arg(argument).map_err(|error| error.to_string())?;
    }
    for (key, value) in &draft.env {
        config.push_env(key, value).map_err(|error| error.to_string())?;
    }
    for (path, access) in &draft.preopens {
        let preopen = narrowed_directory(parent, path, *access).await?;
        config.push_preopen(preopen).map_err(|error| error.to_string())?;
    }
    Ok(config)
}

async fn narrowed_directory(
    parent: &WasiConfig,
    path: &str,
    access: Access,
) -> Result<Preopen, String> {
    let Some((preopen, rest)) = containing(parent, path) else {
        return Err(format!(
            "the directory {path:?} cannot be given to a process: none of the directories that its \
             parent has contains it"
        ));
    };
    preopen.narrow(path, &rest, access).await.map_err(|errno| {
        format!("the directory {path:?} cannot be opened for a process: {errno:?}")
    })
}

/// The directory of a process in which a path lies by its text, and the path from there.
pub(crate) fn containing<'a>(config: &'a WasiConfig, path: &str) -> Option<(&'a Preopen, String)> {
    let inside = |preopen: &Preopen| inside(preopen.guest_name(), path);
    config.preopens().iter().find_map(|preopen| Some((preopen, inside(preopen)?)))
}

/// The path below the directory that guests know as `directory`, if it lies there by its text.
fn inside(directory: &str, path: &str) -> Option<String> {
    let directory = directory.trim_end_matches('/');
    let rest = if path == directory {
        ""
    } else if directory == "." {
        Some(path).filter(|path| !path.starts_with('/'))?
    } else {
        path.strip_prefix(directory)?.strip_prefix('/')?
    };
    Some(if rest.is_empty() { ".".into() } else { rest.into() })
}
