//! One process's WASI state: its descriptors and the origin of its monotonic clock.
//!
//! What must stay true: a new descriptor gets the lowest free number; rights and access of a
//! descriptor only ever shrink, and what is opened through one has at most what it passes on.
//! A process makes one call at a time, so the table cannot change while a call waits.

use std::sync::Arc;

use crate::config::{Access, ConfigError, WasiConfig};
use crate::errno::Errno;
use crate::guest::Place;
use crate::provider::{Directory, ENTRY_BYTES, Entry, File, Input, Output, StreamKind};
use crate::replace::Replacement;
use crate::types::{FdFlags, FileType, Rights};

/// The WASI state of one process.
pub struct Wasi {
    config: WasiConfig,
    slots: Vec<Option<Descriptor>>,
    /// No slot below is free.
    first_free: usize,
    /// Of the configuration's monotonic clock, when this state was made or given that clock.
    origin: u64,
    /// What the process saw of clocks that it had before.
    elapsed_before: u64,
}

/// One open descriptor.
pub(crate) struct Descriptor {
    pub(crate) object: Object,
    pub(crate) base: Rights,
    pub(crate) inheriting: Rights,
    pub(crate) flags: FdFlags,
    pub(crate) access: Access,
    /// Counts it, where the process opened it itself and somebody counts.
    pub(crate) _place: Option<Place>,
}

/// What a descriptor stands for.
pub(crate) enum Object {
    Input(Arc<dyn Input>),
    Output(Arc<dyn Output>, StreamName),
    File { file: Arc<dyn File>, position: u64 },
    Directory(OpenDirectory),
}

/// Which stream an output is, wherever its descriptor has been moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamName {
    Stdout,
    Stderr,
}

pub(crate) struct OpenDirectory {
    pub(crate) directory: Arc<dyn Directory>,
    /// Which of the configuration's preopens it is.
    pub(crate) preopen: Option<usize>,
    /// What `fd_readdir` goes through: made by cookie 0, so that cookies stay good while entries
    /// come and go.
    pub(crate) listing: Option<Arc<Listing>>,
}

/// The entries of a directory at one moment.
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    /// What it counts against the process's limit.
    pub(crate) bytes: usize,
}

impl Listing {
    pub(crate) fn new(entries: Vec<Entry>) -> Listing {
        let bytes = entries.iter().map(|entry| ENTRY_BYTES + entry.name.len()).sum();
        Listing { entries, bytes }
    }
}

impl Wasi {
    /// Streams at 0–2 and the preopens from 3 on; opens nothing and waits for nothing.
    pub fn new(config: &WasiConfig) -> Wasi {
        let mut slots = Vec::with_capacity(3 + config.preopens().len());
        slots.push(Some(Descriptor::input(config.stdin().clone())));
        slots.push(Some(Descriptor::output(config.stdout().clone(), StreamName::Stdout)));
        slots.push(Some(Descriptor::output(config.stderr().clone(), StreamName::Stderr)));
        for (index, preopen) in config.preopens().iter().enumerate() {
            slots.push(Some(Descriptor {
                object: Object::Directory(OpenDirectory {
                    directory: preopen.directory().clone(),
                    preopen: Some(index),
                    listing: None,
                }),
                base: Rights::DIRECTORY,
                inheriting: Rights::DIRECTORY | Rights::FILE,
                flags: FdFlags::default(),
                access: preopen.access(),
                _place: None,
            }));
        }
        let first_free = slots.len();
        let mut config = config.clone();
        if let Some(clock) = config.clock().for_process() {
            config.set_clock(clock);
        }
        if let Some(random) = config.random().for_process() {
            config.set_random(random);
        }
        let origin = config.clock().origin();
        Wasi { config, slots, first_free, origin, elapsed_before: 0 }
    }

    /// Takes a replacement while the process runs. What it has open stays open: its streams lead
    /// elsewhere from the next call on, and so do the directories that it was given; files and
    /// directories that it has opened itself stay what they are.
    ///
    /// # Errors
    /// As for a configuration; nothing is changed then.
    pub fn replace(&mut self, replacement: &Replacement) -> Result<(), ConfigError> {
        let elapsed = self.elapsed();
        self.config.replace(replacement)?;
        match replacement {
            Replacement::Clock(clock) => {
                if let Some(clock) = clock.for_process() {
                    self.config.set_clock(clock);
                }
                self.origin = self.config.clock().origin();
                self.elapsed_before = elapsed;
            }
            Replacement::Random(random) => {
                if let Some(random) = random.for_process() {
                    self.config.set_random(random);
                }
            }
            Replacement::Stdin(_)
            | Replacement::Stdout(_)
            | Replacement::Stderr(_)
            | Replacement::Variable(..)
            | Replacement::Files(_)
            | Replacement::Directory(_) => self.follow_config(),
        }
        Ok(())
    }

    /// Lets open descriptors be what the configuration says of them now.
    fn follow_config(&mut self) {
        let config = &self.config;
        for descriptor in self.slots.iter_mut().flatten() {
            match &mut descriptor.object {
                Object::Input(input) => *input = config.stdin().clone(),
                Object::Output(output, StreamName::Stdout) => *output = config.stdout().clone(),
                Object::Output(output, StreamName::Stderr) => *output = config.stderr().clone(),
                Object::File { .. } => {}
                Object::Directory(open) => {
                    let given = open.preopen.and_then(|index| config.preopens().get(index));
                    if let Some(given) = given {
                        open.directory = given.directory().clone();
                        open.listing = None;
                    }
                }
            }
        }
    }

    /// What this state was made from.
    pub fn config(&self) -> &WasiConfig {
        &self.config
    }

    /// Descriptors open now.
    pub fn descriptors(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Nanoseconds since this state was made.
    pub(crate) fn elapsed(&self) -> u64 {
        let since = self.config.clock().monotonic().saturating_sub(self.origin);
        self.elapsed_before.saturating_add(since)
    }

    /// The configuration's monotonic time for this process's.
    pub(crate) fn deadline(&self, elapsed: u64) -> u64 {
        self.origin.saturating_add(elapsed.saturating_sub(self.elapsed_before))
    }

    /// What may be done below an open descriptor, or with what it is open for.
    pub fn access(&self, fd: u32) -> Option<Access> {
        self.get(fd).ok().map(|descriptor| descriptor.access)
    }

    /// The name of the directory that the configuration gave under this descriptor; `None` for one
    /// that the process has opened itself.
    ///
    /// # Errors
    /// `Badf` if there is no such descriptor.
    pub fn directory_name(&self, fd: u32) -> Result<Option<&str>, Errno> {
        let Object::Directory(open) = &self.get(fd)?.object else { return Ok(None) };
        let given = open.preopen.and_then(|index| self.config.preopens().get(index));
        Ok(given.map(|preopen| preopen.guest_name()))
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::Badf)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::Badf)
    }

    /// The number the next descriptor gets; `Mfile` if there may be no more.
    pub(crate) fn next_free(&self) -> Result<u32, Errno> {
        let free = self.slots.iter().skip(self.first_free).position(Option::is_none);
        let number = free.map_or(self.slots.len(), |offset| self.first_free + offset);
        if number >= self.config.descriptors_max() {
            return Err(Errno::Mfile);
        }
        u32::try_from(number).map_err(|_| Errno::Mfile)
    }

    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let number = self.next_free()?;
        let index = number as usize;
        match self.slots.get_mut(index) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        self.first_free = index + 1;
        Ok(number)
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.take(fd).map(drop)
    }

    /// Moves `from` to the open descriptor `to`, which is closed by that.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.take(from)?;
            *self.get_mut(to)? = moved;
        }
        Ok(())
    }

    fn take(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        let index = fd as usize;
        let slot = self.slots.get_mut(index).ok_or(Errno::Badf)?;
        let descriptor = slot.take().ok_or(Errno::Badf)?;
        self.first_free = self.first_free.min(index);
        Ok(descriptor)
    }

    /// Bytes of listings kept by all descriptors but `fd`.
    pub(crate) fn listing_bytes_beside(&self, fd: u32) -> usize {
        let others = self.slots.iter().enumerate().filter(|(index, _)| *index != fd as usize);
        others
            .filter_map(|(_, slot)| match &slot.as_ref()?.object {
                Object::Directory(open) => open.listing.as_ref(),
                _ => None,
            })
            .map(|listing| listing.bytes)
            .sum()
    }
}

impl Descriptor {
    fn input(input: Arc<dyn Input>) -> Descriptor {
        Descriptor::stream(Object::Input(input), Rights::FD_READ, FdFlags::default())
    }

    fn output(output: Arc<dyn Output>, name: StreamName) -> Descriptor {
        let flags = match output.kind() {
            StreamKind::Captured => FdFlags::APPEND,
            StreamKind::Terminal | StreamKind::Pipe => FdFlags::default(),
        };
        Descriptor::stream(Object::Output(output, name), Rights::FD_WRITE, flags)
    }

    /// Streams lack the rights to seek, by which guests tell a terminal.
    fn stream(object: Object, direction: Rights, flags: FdFlags) -> Descriptor {
        Descriptor {
            object,
            base: direction | Rights::FD_FILESTAT_GET | Rights::FD_SET_FLAGS | Rights::POLL,
            inheriting: Rights::default(),
            flags,
            access: Access::FULL,
            _place: None,
        }
    }

    pub(crate) fn file_type(&self) -> FileType {
        let stream = |kind| match kind {
            StreamKind::Terminal => FileType::CharacterDevice,
            StreamKind::Pipe | StreamKind::Captured => FileType::Unknown,
        };
        match &self.object {
            Object::Input(input) => stream(input.kind()),
            Object::Output(output, _) => stream(output.kind()),
            Object::File { file, .. } => file.file_type(),
            Object::Directory(_) => FileType::Directory,
        }
    }

    /// Fails unless the descriptor has `right`. Reading what was not opened for reading, and
    /// writing likewise, is a bad descriptor as everywhere else; other rights have a word here.
    pub(crate) fn require(&self, right: Rights) -> Result<(), Errno> {
        if self.base.contains(right) {
            return Ok(());
        }
        match &self.object {
            Object::Directory(_) if right == Rights::FD_READ || right == Rights::FD_WRITE => {
                Err(Errno::Isdir)
            }
            _ if right == Rights::FD_READ || right == Rights::FD_WRITE => Err(Errno::Badf),
            _ => Err(Errno::Notcapable),
        }
    }

    /// The file and its position, for an operation that needs `right` and works on files only.
    pub(crate) fn file(&self, right: Rights) -> Result<(Arc<dyn File>, u64), Errno> {
        match &self.object {
            Object::File { file, position } => {
                self.require(right)?;
                Ok((file.clone(), *position))
            }
            Object::Input(input) => Err(not_a_file(input.kind())),
            Object::Output(output, _) => Err(not_a_file(output.kind())),
            Object::Directory(_) => Err(Errno::Isdir),
        }
    }

    /// The directory, for an operation that needs `right`.
    pub(crate) fn directory(&self, right: Rights) -> Result<&OpenDirectory, Errno> {
        match &self.object {
            Object::Directory(open) => {
                self.require(right)?;
                Ok(open)
            }
            Object::Input(_) | Object::Output(..) | Object::File { .. } => Err(Errno::Notdir),
        }
    }
}

/// Clients expect captured streams to refuse with `Badf` where a pipe says that it can't seek.
fn not_a_file(kind: StreamKind) -> Errno {
    match kind {
        StreamKind::Captured => Errno::Badf,
        StreamKind::Terminal | StreamKind::Pipe => Errno::Spipe,
    }
}
