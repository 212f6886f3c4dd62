//! A running `erl` with modules of `erl/`, which talks in frames.
//!
//! What must stay true: what has not come after [`WATCHDOG`] never will, and is an error; `erl`
//! ends with the value.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tempfile::TempDir;

use crate::erl::ErlError;

/// Far longer than any program takes.
const WATCHDOG: Duration = Duration::from_secs(120);

/// No frame has more bytes. Four letters, read as a length, are a larger number.
const FRAME_BYTES_MAX: u32 = 64 << 20;

/// A process of `erl`. A frame is bytes behind their length as four bytes.
pub(crate) struct Beam {
    process: Child,
    input: ChildStdin,
    frames: Receiver<Vec<u8>>,
    _folder: TempDir,
}

impl Beam {
    /// Compiles modules of `erl/` and starts `erl` with the function `main` of the first.
    pub(crate) fn start(modules: &[&str]) -> Result<Beam, ErlError> {
        let folder = tempfile::tempdir()?;
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("erl");
        let files = modules.iter().map(|module| sources.join(module).with_extension("erl"));
        let compiled = Command::new("erlc").arg("-o").arg(folder.path()).args(files).output();
        let compiled = compiled.map_err(missing)?;
        if !compiled.status.success() {
            let text = String::from_utf8_lossy(&compiled.stdout).into_owned();
            return Err(ErlError::Compile(text));
        }
        let mut process = Command::new("erl")
            .args(["-noinput", "-pa"])
            .arg(folder.path())
            .args(["-s", modules[0], "main"])
            // What ends it may be a part of what is played.
            .env("ERL_CRASH_DUMP_SECONDS", "0")
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
        Ok(Beam { process, input, frames, _folder: folder })
    }

    /// Sends a frame that is made of these parts.
    pub(crate) fn send(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.input.write_all(&length.to_be_bytes())?;
        for part in parts {
            self.input.write_all(part)?;
        }
        self.input.flush()
    }

    /// All frames that come until it ends.
    pub(crate) fn receive_all(&mut self) -> Result<Vec<Vec<u8>>, ErlError> {
        let mut frames = Vec::new();
        loop {
            match self.frames.recv_timeout(WATCHDOG) {
                Ok(frame) => frames.push(frame),
                Err(RecvTimeoutError::Disconnected) => return Ok(frames),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ErlError::Silent(format!("and does not end, after {frames:?}")));
                }
            }
        }
    }

    /// The next frame that comes.
    pub(crate) fn receive(&mut self) -> Result<Vec<u8>, ErlError> {
        let frame = self.frames.recv_timeout(WATCHDOG);
        frame.map_err(|error| ErlError::Silent(error.to_string()))
    }
}

impl Drop for Beam {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The release of Erlang/OTP: `25`.
pub(crate) fn release() -> Result<String, ErlError> {
    let release = Command::new("erl")
        .args(["-noshell", "-eval"])
        .arg("io:put_chars(erlang:system_info(otp_release)), halt().")
        .output()
        .map_err(missing)?;
    Ok(String::from_utf8_lossy(&release.stdout).into_owned())
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
    let length = u32::from_be_bytes(length);
    if length > FRAME_BYTES_MAX {
        // Its last words, which are for people.
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length as usize];
    from.read_exact(&mut frame)?;
    Ok(frame)
}
