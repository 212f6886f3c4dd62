//! Messages: bytes, a tag, and resources that travel with them.

use std::any::Any;
use std::fmt;

use crate::{Pid, Ref, Tag};

/// What a message without data or resources counts for in a mailbox's bytes.
pub const MESSAGE_OVERHEAD_BYTES: usize = 96;

/// What one process sends to another. It is moved, never shared.
#[derive(Debug, Default)]
pub struct Message {
    /// What selective receive looks at.
    pub tag: Tag,
    /// The sender, where a process sent it.
    pub from: Option<Pid>,
    /// The alias through which it came, or the timer that sent it. Boxed, since few have one.
    pub reference: Option<Box<Ref>>,
    /// The content.
    pub data: Vec<u8>,
    /// Resources in the order in which they were attached; a taken one leaves a hole, so that the
    /// others keep their index.
    pub resources: Vec<Option<Resource>>,
}

impl Message {
    /// What the message counts for in a mailbox's bytes.
    pub fn bytes(&self) -> usize {
        MESSAGE_OVERHEAD_BYTES
            .saturating_add(self.data.len())
            .saturating_add(self.resources.len().saturating_mul(size_of::<Option<Resource>>()))
    }
}

/// Something of the host that travels in a message. The model moves it and never looks inside.
pub struct Resource(pub Box<dyn Any + Send>);

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resource")
    }
}
