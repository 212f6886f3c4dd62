//! What a child may do, and modules that it may run.
//!
//! A configuration grants nothing at first; what a child really gets is never more than its parent
//! has. `abi/config.md` has the rules.

use core::fmt;
use std::error::Error;

use crate::abi;
use crate::host_error::HostError;

/// What a child is given. Made empty; each method adds something.
///
/// ```
/// use lunatic::Config;
///
/// let config = Config::new()
///     .unwrap()
///     .memory_max(4 << 20)
///     .env("MODE", "quiet")
///     .allow_connect("tcp:127.0.0.1:8000-8999")
///     .unwrap();
/// # let _ = config;
/// ```
///
/// What else there is:
///
/// ```
/// use lunatic::{Config, ExitReason, Mailbox, Spawn};
///
/// // Some ten million instructions.
/// let _short = Config::new().unwrap().fuel_max(100);
/// let config = Config::new()
///     .unwrap()
///     .can_spawn(true)
///     .can_create_configs(true)
///     .can_compile_modules(false)
///     .arg("program")
///     .arg("--fast")
///     .dir(".")
///     .allow_bind("tcp:127.0.0.1:*")
///     .unwrap()
///     .allow_resolve(true)
///     .allow("stderr")
///     .unwrap()
///     .deny("stderr")
///     .unwrap();
/// let (_, monitor) = Spawn::new()
///     .config(&config)
///     .spawn_monitor((), |(), _: Mailbox<()>| {
///         assert_eq!(std::env::args().nth(1).as_deref(), Some("--fast"));
///     })
///     .unwrap();
/// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
/// ```
#[derive(Debug)]
pub struct Config {
    id: u64,
}

/// The process has no right to make configurations.
///
/// ```
/// use lunatic::{Config, ConfigDenied, ExitReason, Mailbox, Spawn};
///
/// // What a configuration does not grant, a child does not have.
/// let nothing = Config::new().unwrap();
/// let (_, monitor) = Spawn::new()
///     .config(&nothing)
///     .spawn_monitor((), |(), _: Mailbox<()>| {
///         assert!(matches!(Config::new(), Err(ConfigDenied)));
///     })
///     .unwrap();
/// assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConfigDenied;

impl fmt::Display for ConfigDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the process may not make configurations; its parent's `can_create_configs` \
                     would have allowed it",
        )
    }
}

impl Error for ConfigDenied {}

impl Config {
    /// A configuration that grants nothing.
    ///
    /// # Errors
    ///
    /// If the process may not make configurations.
    pub fn new() -> Result<Config, ConfigDenied> {
        // SAFETY: no pointers.
        let id = unsafe { abi::process::create_empty_config() };
        u64::try_from(id).map(|id| Config { id }).map_err(|_| ConfigDenied)
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// At most so many bytes of linear memory. [`Budget::memory`](crate::Budget::memory) counts
    /// what the runtime holds for the process, too.
    #[must_use]
    pub fn memory_max(self, bytes: u64) -> Config {
        // SAFETY: no pointers, here and below where there are none.
        unsafe { abi::process::config_set_max_memory(self.id, bytes) };
        self
    }

    /// At most so many units of fuel, each of 100,000 instructions or so.
    #[must_use]
    pub fn fuel_max(self, units: u64) -> Config {
        // SAFETY: no pointers.
        unsafe { abi::process::config_set_max_fuel(self.id, units) };
        self
    }

    /// Whether the child may compile modules.
    #[must_use]
    pub fn can_compile_modules(self, flag: bool) -> Config {
        // SAFETY: no pointers.
        unsafe { abi::process::config_set_can_compile_modules(self.id, flag.into()) };
        self
    }

    /// Whether the child may make configurations.
    #[must_use]
    pub fn can_create_configs(self, flag: bool) -> Config {
        // SAFETY: no pointers.
        unsafe { abi::process::config_set_can_create_configs(self.id, flag.into()) };
        self
    }

    /// Whether the child may spawn.
    #[must_use]
    pub fn can_spawn(self, flag: bool) -> Config {
        // SAFETY: no pointers.
        unsafe { abi::process::config_set_can_spawn_processes(self.id, flag.into()) };
        self
    }

    /// An argument of the command line.
    #[must_use]
    pub fn arg(self, argument: &str) -> Config {
        // SAFETY: the text lives during the call.
        unsafe {
            abi::wasi::config_add_command_line_argument(self.id, argument.as_ptr(), argument.len());
        }
        self
    }

    /// A variable of the environment.
    #[must_use]
    pub fn env(self, name: &str, value: &str) -> Config {
        // SAFETY: the texts live during the call.
        unsafe {
            abi::wasi::config_add_environment_variable(
                self.id,
                name.as_ptr(),
                name.len(),
                value.as_ptr(),
                value.len(),
            );
        }
        self
    }

    /// A directory of this process, under the same name. One that does not exist is an error of the
    /// spawn.
    #[must_use]
    pub fn dir(self, directory: &str) -> Config {
        // SAFETY: the text lives during the call.
        unsafe {
            abi::wasi::config_preopen_dir(self.id, directory.as_ptr(), directory.len());
        }
        self
    }

    /// Grants a right, written as in `docs/rights.md`: `stdout`, `names`, `read:data`, `env:HOME`,
    /// `send:tree`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = lunatic::Config::new()?.allow("stderr")?.allow("clocks")?;
    /// assert!(config.allow("clock").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is no right.
    pub fn allow(self, right: &str) -> Result<Config, HostError> {
        let mut place = 0;
        // SAFETY: the text lives during the call; the place has eight bytes.
        let result = unsafe {
            let (text, length) = (right.as_ptr(), right.len());
            abi::process::config_allow(self.id, text, length, &raw mut place)
        };
        HostError::check(result, place)?;
        Ok(self)
    }

    /// Takes a right away again.
    ///
    /// # Errors
    ///
    /// If the text is no right, or one of which no part can be taken away.
    pub fn deny(self, right: &str) -> Result<Config, HostError> {
        let mut place = 0;
        // SAFETY: as above.
        let result = unsafe {
            let (text, length) = (right.as_ptr(), right.len());
            abi::process::config_deny(self.id, text, length, &raw mut place)
        };
        HostError::check(result, place)?;
        Ok(self)
    }

    /// What the child may connect to: `PROTOCOL:ADDRESSES:PORTS`, such as `tcp:10.0.0.0/8:443` or
    /// `*`.
    ///
    /// # Errors
    ///
    /// If the text is no such rule, or one too many (64).
    pub fn allow_connect(self, rule: &str) -> Result<Config, HostError> {
        self.allow_network(0, rule)
    }

    /// What the child may listen at, written as for [`allow_connect`](Config::allow_connect).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn allow_bind(self, rule: &str) -> Result<Config, HostError> {
        self.allow_network(1, rule)
    }

    fn allow_network(self, access: u32, rule: &str) -> Result<Config, HostError> {
        let mut place = 0;
        // SAFETY: the text lives during the call; the place has eight bytes.
        let result = unsafe {
            abi::process::config_allow_network(
                self.id,
                access,
                rule.as_ptr(),
                rule.len(),
                &raw mut place,
            )
        };
        HostError::check(result, place)?;
        Ok(self)
    }

    /// Whether the child may look up names of hosts.
    #[must_use]
    pub fn allow_resolve(self, flag: bool) -> Config {
        // SAFETY: no pointers.
        unsafe { abi::process::config_allow_resolve(self.id, flag.into()) };
        self
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: the id is this value's, and is not used again.
        unsafe { abi::process::drop_config(self.id) }
    }
}

/// A compiled module, to spawn processes from: see
/// [`Spawn::spawn_export`](crate::Spawn::spawn_export).
///
/// It can be sent in messages; both processes have it then.
///
/// ```
/// use lunatic::{Mailbox, Module, Process, Spawn};
///
/// // The bytes of a `.wasm` file that exports the function `f`.
/// # let head = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0";
/// # let wasm = &[&head[..], b"\x07\x05\x01\x01f\0\0\x0a\x04\x01\x02\0\x0b"].concat();
/// let module = Module::compile(wasm).unwrap();
/// let mailbox = Mailbox::<Module>::new();
/// mailbox.this().send(module);
/// let module = mailbox.receive().unwrap();
/// let process: Process<()> = Spawn::new().module(&module).spawn_export("f", &()).unwrap();
/// process.monitor().wait(None).unwrap();
/// ```
#[derive(Debug)]
pub struct Module {
    id: u64,
}

impl Module {
    /// Compiles a module from the bytes of a `.wasm` file.
    ///
    /// # Errors
    ///
    /// If it is no module, or the process may not compile.
    pub fn compile(wasm: &[u8]) -> Result<Module, HostError> {
        let mut place = 0;
        // SAFETY: the bytes live during the call; the place has eight bytes.
        let result =
            unsafe { abi::process::compile_module(wasm.as_ptr(), wasm.len(), &raw mut place) };
        if result == -1 {
            return Err(HostError::new("the process may not compile modules"));
        }
        HostError::check(result, place)?;
        Ok(Module { id: place })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the id is this value's, and is not used again.
        unsafe { abi::process::drop_module(self.id) }
    }
}

impl serde::Serialize for Module {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        if !crate::message::is_encoding() {
            return Err(S::Error::custom("a module can only be written to a message"));
        }
        // SAFETY: a message is being written, and the id is this value's.
        serializer.serialize_u32(unsafe { abi::message::push_module(self.id) } as u32)
    }
}

impl<'de> serde::Deserialize<'de> for Module {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Module, D::Error> {
        let index = <u32 as serde::Deserialize>::deserialize(deserializer)?;
        // SAFETY: a message is being read.
        let taken = crate::message::take_resource(index, |index| unsafe {
            abi::message::take_module(index)
        });
        taken.map(|id| Module { id })
    }
}
