//! Compiled code on disk.
//!
//! The files are trusted when they are loaded: code in them runs as it is. So the directory must
//! belong to the user and be writable by nobody else, which is checked before first use. A file's
//! name is a hash of the module, of Wasmtime's version and settings, and of this crate's version.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fmt, fs, io};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use crate::bulk;

/// The oldest files go when all together are larger.
const CACHE_BYTES_MAX: u64 = 2 << 30;

/// Where compiled code is kept.
#[derive(Clone, Debug, Default)]
pub enum CachePolicy {
    /// In the user's cache directory; nowhere if there is none.
    #[default]
    Default,
    /// In this directory.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The directory cannot be made or looked at.
    #[error(
        "the cache directory {path} cannot be used: {source}; choose another or use --no-cache"
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put code there.
    #[error(
        "the cache directory {path} can be written by others, who could run code as you that way: \
         `chmod 700` it, choose another, or use --no-cache"
    )]
    WritableByOthers {
        /// Which.
        path: PathBuf,
    },
}

pub(crate) struct Cache {
    directory: PathBuf,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.directory.display())
    }
}

impl Cache {
    pub(crate) fn open(policy: &CachePolicy) -> Result<Option<Cache>, CacheError> {
        let directory = match policy {
            CachePolicy::Off => return Ok(None),
            CachePolicy::Directory(directory) => directory.clone(),
            CachePolicy::Default => match default_directory() {
                Some(directory) => directory,
                None => return Ok(None),
            },
        };
        match platform::private_directory(&directory) {
            Ok(true) => Ok(Some(Cache { directory })),
            Ok(false) => Err(CacheError::WritableByOthers { path: directory }),
            Err(source) => Err(CacheError::Directory { path: directory, source }),
        }
    }

    pub(crate) fn load(&self, engine: &Engine, wasm: &[u8]) -> Option<Module> {
        let path = self.path(engine, wasm);
        if !path.is_file() {
            return None;
        }
        // SAFETY: only this user can write into the directory (checked in `open`), files appear in
        // it whole (by rename), and Wasmtime itself refuses those of another version or setting.
        match unsafe { Module::deserialize_file(engine, &path) } {
            Ok(module) => Some(module),
            Err(error) => {
                tracing::warn!("compiling anew, since {} is unusable: {error}", path.display());
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps compiled code. A cache that cannot be written only costs time, so it is no error.
    pub(crate) fn store(&self, engine: &Engine, wasm: &[u8], module: &Module) {
        let path = self.path(engine, wasm);
        let result = module
            .serialize()
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|code| self.write(&path, &code))
            .and_then(|()| self.evict());
        if let Err(error) = result {
            tracing::warn!("the compiled module is not cached in {}: {error}", path.display());
        }
    }

    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        // Two processes may write the same module at once: each its own file, the last name wins.
        let unique = format!("{}.{:p}.tmp", std::process::id(), code);
        let temporary = self.directory.join(unique);
        fs::write(&temporary, code)?;
        fs::rename(&temporary, path).inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
    }

    fn evict(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // A file may be gone already: another process evicts, too.
            if let Ok(data) = entry.metadata()
                && data.is_file()
            {
                let modified = data.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((modified, data.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, path) in files {
            if total <= CACHE_BYTES_MAX {
                break;
            }
            let _ = fs::remove_file(path);
            total -= bytes;
        }
        Ok(())
    }

    fn path(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        let mut hash = HashInput(Sha256::new());
        env!("CARGO_PKG_VERSION").hash(&mut hash);
        // What is compiled is the module as rewritten, but its name is that of the original.
        (bulk::REVISION, bulk::CHUNK_BYTES).hash(&mut hash);
        engine.precompile_compatibility_hash().hash(&mut hash);
        hash.0.update(wasm);
        let name: String = hash.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(name + ".cwasm")
    }
}

/// Feeds what is hashable into a hash that nobody can find collisions for.
struct HashInput(Sha256);

impl Hasher for HashInput {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// Where compiled code is kept unless somebody says otherwise; nowhere if there is no such place.
pub fn default_directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = if cfg!(windows) {
        PathBuf::from(variable("LOCALAPPDATA")?)
    } else if cfg!(target_os = "macos") {
        PathBuf::from(variable("HOME")?).join("Library/Caches")
    } else {
        let xdg = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        xdg.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))?
    };
    Some(base.join("lunatic"))
}

#[cfg(unix)]
mod platform {
    use std::fs;
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    use std::path::Path;

    /// Makes the directory if need be; whether only this user can write into it.
    pub(super) fn private_directory(path: &Path) -> io::Result<bool> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let data = fs::metadata(path)?;
        // SAFETY: the call has no preconditions and cannot fail.
        let user = unsafe { libc::geteuid() };
        Ok(data.uid() == user && data.mode() & 0o022 == 0)
    }
}

#[cfg(not(unix))]
mod platform {
    use std::fs;
    use std::io;
    use std::path::Path;

    /// Makes the directory if need be. It lies below the user's profile, whose access list it
    /// inherits.
    pub(super) fn private_directory(path: &Path) -> io::Result<bool> {
        fs::create_dir_all(path)?;
        Ok(true)
    }
}
