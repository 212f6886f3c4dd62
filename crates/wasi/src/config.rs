//! What a process is given: arguments, environment, preopened directories, streams, clock, random.
//!
//! A configuration is shared, not copied: cloning it costs one reference count, and a change
//! copies it only if somebody else still holds it. Everything in it is valid by construction: no
//! string holds a NUL, and all lists are bounded.

use std::fmt;
use std::sync::Arc;

use crate::errno::Errno;
use crate::limits::{DESCRIPTORS_MAX_DEFAULT, PREOPENS_MAX, STRINGS_BYTES_MAX};
use crate::provider::clock::SystemClock;
use crate::provider::random::SystemRandom;
use crate::provider::stdio::Null;
use crate::provider::{Clock, Directory, Input, Output, Random};

/// Why a configuration refused a value. It is unchanged then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A guest would see the string cut off there.
    #[error(
        "the {what} {text:?} contains a NUL character, which WASI strings cannot hold: remove it"
    )]
    Nul {
        /// What the string was meant to be.
        what: &'static str,
        /// The string.
        text: String,
    },
    /// A name without which nothing can be looked up.
    #[error("an empty {what} cannot be used: give it a name")]
    Empty {
        /// What the string was meant to be.
        what: &'static str,
    },
    /// All arguments together, or all environment variables together, are too long.
    #[error("the {what} together take more than {STRINGS_BYTES_MAX} bytes: pass less")]
    TooLong {
        /// Arguments or environment variables.
        what: &'static str,
    },
    /// See [`PREOPENS_MAX`].
    #[error(
        "a process can be given at most {PREOPENS_MAX} directories: give one that contains others"
    )]
    TooManyPreopens,
}

/// What a preopened directory may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Read files, list directories, query metadata.
    pub read: bool,
    /// Change files that are there: contents, sizes, times.
    pub write: bool,
    /// Make files, directories and links.
    pub create: bool,
    /// Take names away: remove, and move to elsewhere or over something.
    pub remove: bool,
}

impl Access {
    /// Everything.
    pub const FULL: Access = Access { read: true, ..Access::CHANGE };
    /// Reading only.
    pub const READ: Access = Access { read: true, ..Access::NONE };
    /// Everything but reading.
    pub const CHANGE: Access = Access { read: false, write: true, create: true, remove: true };
    /// Nothing.
    pub const NONE: Access = Access { read: false, write: false, create: false, remove: false };

    /// What both allow.
    pub fn and(self, other: Access) -> Access {
        Access {
            read: self.read && other.read,
            write: self.write && other.write,
            create: self.create && other.create,
            remove: self.remove && other.remove,
        }
    }

    /// What at least one of them allows.
    #[must_use]
    pub fn or(self, other: Access) -> Access {
        Access {
            read: self.read || other.read,
            write: self.write || other.write,
            create: self.create || other.create,
            remove: self.remove || other.remove,
        }
    }

    /// What this allows and `other` doesn't.
    #[must_use]
    pub fn without(self, other: Access) -> Access {
        Access {
            read: self.read && !other.read,
            write: self.write && !other.write,
            create: self.create && !other.create,
            remove: self.remove && !other.remove,
        }
    }

    /// Makes sure that all of `changes` is allowed.
    ///
    /// # Errors
    /// `Rofs` where nothing at all may be changed, `Notcapable` where something else may be.
    pub(crate) fn require(self, changes: Access) -> Result<(), Errno> {
        if self.covers(changes) {
            return Ok(());
        }
        let changes_nothing = self.and(Access::CHANGE) == Access::NONE;
        Err(if changes_nothing { Errno::Rofs } else { Errno::Notcapable })
    }

    /// True if `other` allows nothing that this doesn't.
    pub fn covers(self, other: Access) -> bool {
        self.and(other) == other
    }
}

/// A directory that a process finds open when it starts.
#[derive(Clone)]
pub struct Preopen {
    guest_name: Arc<str>,
    directory: Arc<dyn Directory>,
    access: Access,
}

impl Preopen {
    /// Gives `directory` to guests under `guest_name`.
    ///
    /// # Errors
    /// A name that is empty or contains NUL.
    pub fn new(
        guest_name: &str,
        directory: Arc<dyn Directory>,
        access: Access,
    ) -> Result<Preopen, ConfigError> {
        const WHAT: &str = "directory name";
        if guest_name.is_empty() {
            return Err(ConfigError::Empty { what: WHAT });
        }
        check_nul(WHAT, guest_name)?;
        if guest_name.len() > STRINGS_BYTES_MAX {
            return Err(ConfigError::TooLong { what: "characters of a directory name" });
        }
        Ok(Preopen { guest_name: guest_name.into(), directory, access })
    }

    /// A preopen inside this one, for a process that shall see less: the directory at `path`
    /// (which can't lead out of this one) with at most this one's access.
    ///
    /// # Errors
    /// `Perm` for a path that leads out; `Inval` for a bad name; whatever opening it answers.
    pub async fn narrow(
        &self,
        guest_name: &str,
        path: &str,
        access: Access,
    ) -> Result<Preopen, Errno> {
        let directory = self.directory.open_child_dir(path.to_owned()).await?;
        Preopen::new(guest_name, directory, self.access.and(access)).map_err(|_| Errno::Inval)
    }

    /// The name guests see.
    pub fn guest_name(&self) -> &str {
        &self.guest_name
    }

    /// The opened directory, shared by all processes that were given it.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    /// What guests may do in it.
    pub fn access(&self) -> Access {
        self.access
    }
}

impl fmt::Debug for Preopen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preopen")
            .field("guest_name", &self.guest_name)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// Everything WASI gives to a process. Cheap to clone; children inherit a clone.
#[derive(Clone)]
pub struct WasiConfig {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    args: Vec<String>,
    env: Vec<(String, String)>,
    args_bytes: usize,
    env_bytes: usize,
    preopens: Vec<Preopen>,
    stdin: Arc<dyn Input>,
    stdout: Arc<dyn Output>,
    stderr: Arc<dyn Output>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    time_hidden: bool,
    descriptors_max: usize,
}

impl Default for WasiConfig {
    /// No arguments, no environment, no directories, null streams; the system's clock and random.
    fn default() -> Self {
        let null = Arc::new(Null);
        WasiConfig {
            inner: Arc::new(Inner {
                args: Vec::new(),
                env: Vec::new(),
                args_bytes: 0,
                env_bytes: 0,
                preopens: Vec::new(),
                stdin: null.clone(),
                stdout: null.clone(),
                stderr: null,
                clock: Arc::new(SystemClock::new()),
                random: Arc::new(SystemRandom),
                time_hidden: false,
                descriptors_max: DESCRIPTORS_MAX_DEFAULT,
            }),
        }
    }
}

impl WasiConfig {
    fn change(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }

    /// Appends a command-line argument; the first one is the program's name.
    ///
    /// # Errors
    /// NUL in it, or all arguments together beyond [`STRINGS_BYTES_MAX`].
    pub fn push_arg(&mut self, arg: impl Into<String>) -> Result<(), ConfigError> {
        let arg = arg.into();
        check_nul("argument", &arg)?;
        let bytes = grown("arguments", self.inner.args_bytes, arg.len())?;
        let inner = self.change();
        inner.args_bytes = bytes;
        inner.args.push(arg);
        Ok(())
    }

    /// Appends an environment variable. Duplicates are kept, in order.
    ///
    /// # Errors
    /// NUL in it, or all variables together beyond [`STRINGS_BYTES_MAX`].
    pub fn push_env(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), ConfigError> {
        let (key, value) = (key.into(), value.into());
        check_nul("environment variable", &key)?;
        check_nul("value of an environment variable", &value)?;
        let length = key.len().saturating_add(value.len()).saturating_add(1);
        let bytes = grown("environment variables", self.inner.env_bytes, length)?;
        let inner = self.change();
        inner.env_bytes = bytes;
        inner.env.push((key, value));
        Ok(())
    }

    /// Appends a directory; the first one becomes descriptor 3.
    ///
    /// # Errors
    /// More than [`PREOPENS_MAX`].
    pub fn push_preopen(&mut self, preopen: Preopen) -> Result<(), ConfigError> {
        if self.inner.preopens.len() >= PREOPENS_MAX {
            return Err(ConfigError::TooManyPreopens);
        }
        self.change().preopens.push(preopen);
        Ok(())
    }

    /// Takes away all arguments.
    pub fn clear_args(&mut self) {
        let inner = self.change();
        inner.args.clear();
        inner.args_bytes = 0;
    }

    /// Takes away all environment variables.
    pub fn clear_env(&mut self) {
        let inner = self.change();
        inner.env.clear();
        inner.env_bytes = 0;
    }

    /// Takes away all preopened directories.
    pub fn clear_preopens(&mut self) {
        self.change().preopens.clear();
    }

    /// Replaces descriptor 0.
    pub fn set_stdin(&mut self, stdin: Arc<dyn Input>) {
        self.change().stdin = stdin;
    }

    /// Replaces descriptor 1.
    pub fn set_stdout(&mut self, stdout: Arc<dyn Output>) {
        self.change().stdout = stdout;
    }

    /// Replaces descriptor 2.
    pub fn set_stderr(&mut self, stderr: Arc<dyn Output>) {
        self.change().stderr = stderr;
    }

    /// Replaces the clock, for example by one that sleeps on the node's timers.
    pub fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        self.change().clock = clock;
    }

    /// Replaces the source of randomness.
    pub fn set_random(&mut self, random: Arc<dyn Random>) {
        self.change().random = random;
    }

    /// From now on all clocks are seen standing at 0. Sleeping and timeouts work, as from then.
    pub fn hide_time(&mut self) {
        self.change().time_hidden = true;
    }

    /// Whether clocks are seen standing still.
    pub fn is_time_hidden(&self) -> bool {
        self.inner.time_hidden
    }

    /// Most descriptors open at once; opening more answers `Mfile`. What a process starts with
    /// (streams and preopens) is never refused.
    pub fn set_descriptors_max(&mut self, descriptors_max: usize) {
        self.change().descriptors_max = descriptors_max;
    }

    /// The arguments in order.
    pub fn args(&self) -> &[String] {
        &self.inner.args
    }

    /// The environment variables in order, duplicates included.
    pub fn env(&self) -> &[(String, String)] {
        &self.inner.env
    }

    /// The preopened directories in order.
    pub fn preopens(&self) -> &[Preopen] {
        &self.inner.preopens
    }

    /// Descriptor 0.
    pub fn stdin(&self) -> &Arc<dyn Input> {
        &self.inner.stdin
    }

    /// Descriptor 1.
    pub fn stdout(&self) -> &Arc<dyn Output> {
        &self.inner.stdout
    }

    /// Descriptor 2.
    pub fn stderr(&self) -> &Arc<dyn Output> {
        &self.inner.stderr
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The source of randomness.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.inner.random
    }

    /// Most descriptors open at once.
    pub fn descriptors_max(&self) -> usize {
        self.inner.descriptors_max
    }
}

impl fmt::Debug for WasiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of environment variables are often secrets.
        f.debug_struct("WasiConfig")
            .field("args", &self.inner.args)
            .field("env", &self.inner.env.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .field("preopens", &self.inner.preopens)
            .field("descriptors_max", &self.inner.descriptors_max)
            .finish_non_exhaustive()
    }
}

fn check_nul(what: &'static str, text: &str) -> Result<(), ConfigError> {
    if text.contains('\0') {
        return Err(ConfigError::Nul { what, text: text.to_owned() });
    }
    Ok(())
}

/// The new total after a string and its NUL.
fn grown(what: &'static str, total: usize, length: usize) -> Result<usize, ConfigError> {
    let grown = total.saturating_add(length).saturating_add(1);
    if grown > STRINGS_BYTES_MAX { Err(ConfigError::TooLong { what }) } else { Ok(grown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_with_nul_is_refused_and_changes_nothing() {
        let mut config = WasiConfig::default();
        assert!(matches!(config.push_arg("a\0b"), Err(ConfigError::Nul { .. })));
        assert!(matches!(config.push_env("A\0", "b"), Err(ConfigError::Nul { .. })));
        assert!(matches!(config.push_env("A", "b\0"), Err(ConfigError::Nul { .. })));
        assert!(config.args().is_empty() && config.env().is_empty());
    }

    #[test]
    fn duplicate_variables_are_kept_in_order() {
        let mut config = WasiConfig::default();
        for value in ["1", "2", "1"] {
            config.push_env("A", value).unwrap();
        }
        let values: Vec<_> = config.env().iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["1", "2", "1"]);
    }

    #[test]
    fn a_changed_clone_leaves_the_original_alone() {
        let mut parent = WasiConfig::default();
        parent.push_arg("program").unwrap();
        let mut child = parent.clone();
        child.clear_args();
        child.push_arg("other").unwrap();
        assert_eq!(parent.args(), ["program"]);
        assert_eq!(child.args(), ["other"]);
    }

    #[test]
    fn arguments_beyond_the_limit_are_refused() {
        let mut config = WasiConfig::default();
        config.push_arg("a".repeat(STRINGS_BYTES_MAX - 1)).unwrap();
        assert_eq!(config.push_arg(""), Err(ConfigError::TooLong { what: "arguments" }));
        config.clear_args();
        assert_eq!(config.push_arg(""), Ok(()));
    }

    #[test]
    fn debug_output_keeps_values_of_variables_secret() {
        let mut config = WasiConfig::default();
        config.push_env("TOKEN", "hunter2").unwrap();
        let shown = format!("{config:?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"));
    }
}
