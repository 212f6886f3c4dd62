//! The oracle: one `erl` that plays many programs, with `erl/runner.erl`.
//!
//! What must stay true: it is given nothing that this runtime made, only programs and seeds.

use std::io;

use crate::beam::{Beam, release};
use crate::codec::{decode_trace, encode};
use crate::program::{Program, Trace};

/// Programs that are on their way to `erl` at once.
const AT_ONCE: usize = 16;

/// Why `erl` gives no traces.
#[derive(Debug, thiserror::Error)]
pub enum ErlError {
    /// There is none on this machine.
    #[error("there is no `erl` here; next: apt-get install erlang-base")]
    Missing,
    /// The runner does not compile there.
    #[error("erlc refuses crates/otp/erl:\n{0}")]
    Compile(String),
    /// It stopped, or what it wrote makes no sense.
    #[error("erl gave no trace: {0}")]
    Silent(String),
    /// The system refused.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A running `erl`.
pub struct Erl {
    beam: Beam,
    release: String,
}

impl Erl {
    /// Compiles the runner and starts `erl` with it.
    pub fn start() -> Result<Erl, ErlError> {
        Ok(Erl { beam: Beam::start(&["runner"])?, release: release()? })
    }

    /// The release of Erlang/OTP: `25`.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Plays programs, each with a seed that decides where its processes pause, and hands each
    /// trace out with the number of its program.
    pub fn play(
        &mut self,
        programs: &[(&Program, u64)],
        mut seen: impl FnMut(usize, Trace),
    ) -> Result<(), ErlError> {
        for (chunk_index, chunk) in programs.chunks(AT_ONCE).enumerate() {
            for (program, seed) in chunk {
                self.beam.send(&[&seed.to_be_bytes(), &encode(program)])?;
            }
            for (index, (program, _)) in chunk.iter().enumerate() {
                let frame = self.beam.receive()?;
                let trace = decode_trace(program, &frame);
                let trace = trace.ok_or_else(|| ErlError::Silent(format!("{frame:?}")))?;
                seen(chunk_index * AT_ONCE + index, trace);
            }
        }
        Ok(())
    }
}
