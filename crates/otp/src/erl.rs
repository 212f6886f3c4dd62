//! The oracle: one `erl` that plays many programs, with `erl/runner.erl`.
//!
//! What must stay true: it is given nothing that this runtime made, only programs and seeds.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::codec::{decode_trace, encode};
use crate::program::{Program, Trace};

/// Programs that are on their way to `erl` at once.
const AT_ONCE: usize = 16;
/// Far longer than any program takes: what has not come by then never will.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Why `erl` gives no traces.
#[derive(Debug, thiserror::Error)]
pub enum ErlError {
    /// There is none on this machine.
    #[error("there is no `erl` here; next: apt-get install erlang-base")]
    Missing,
    /// The runner does not compile there.
    #[error("erlc refuses erl/runner.erl:\n{0}")]
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
    process: Child,
    input: ChildStdin,
    frames: Receiver<Vec<u8>>,
    release: String,
    _folder: TempDir,
}

impl Erl {
    /// Compiles the runner and starts `erl` with it.
    pub fn start() -> Result<Erl, ErlError> {
        let folder = tempfile::tempdir()?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("erl/runner.erl");
        let compiled = Command::new("erlc").arg("-o").arg(folder.path()).arg(source).output();
        let compiled = compiled.map_err(missing)?;
        if !compiled.status.success() {
            let text = String::from_utf8_lossy(&compiled.stdout).into_owned();
            return Err(ErlError::Compile(text));
        }
        let release = Command::new("erl")
            .args(["-noshell", "-eval"])
            .arg("io:put_chars(erlang:system_info(otp_release)), halt().")
            .output()
            .map_err(missing)?;
        let mut process = Command::new("erl")
            .args(["-noinput", "-pa"])
            .arg(folder.path())
            .args(["-s", "runner", "main"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(missing)?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (Some(input), Some(mut output)) = (input, output) else {
            return Err(ErlError::Silent("it has no input or output".into()));
        };
        let (sender, frames) = channel();
        std::thread::Builder::new().name("erl".into()).spawn(move || {
            // The end of the output ends the thread, and with it the channel.
            while let Ok(frame) = read_frame(&mut output) {
                if sender.send(frame).is_err() {
                    break;
                }
            }
        })?;
        let release = String::from_utf8_lossy(&release.stdout).into_owned();
        Ok(Erl { process, input, frames, release, _folder: folder })
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
                let program = encode(program);
                let length = u32::try_from(program.len() + 8).unwrap_or(u32::MAX);
                self.input.write_all(&length.to_be_bytes())?;
                self.input.write_all(&seed.to_be_bytes())?;
                self.input.write_all(&program)?;
            }
            self.input.flush()?;
            for (index, (program, _)) in chunk.iter().enumerate() {
                let frame = self.frames.recv_timeout(WATCHDOG);
                let frame = frame.map_err(|error| ErlError::Silent(error.to_string()))?;
                let trace = decode_trace(program, &frame);
                let trace = trace.ok_or_else(|| ErlError::Silent(format!("{frame:?}")))?;
                seen(chunk_index * AT_ONCE + index, trace);
            }
        }
        Ok(())
    }
}

impl Drop for Erl {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn missing(error: io::Error) -> ErlError {
    match error.kind() {
        io::ErrorKind::NotFound => ErlError::Missing,
        _ => ErlError::System(error),
    }
}

fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut frame)?;
    Ok(frame)
}
