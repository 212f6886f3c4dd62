//! The system's randomness.

use super::Random;
use crate::errno::Errno;

/// The system's generator; it keeps no state that two processes could share.
#[derive(Debug, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Errno> {
        getrandom::fill(buffer).map_err(|_| Errno::Io)
    }
}
