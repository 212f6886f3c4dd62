//! Programs that serve: started in the background, found at the address that they print or were
//! given, and stopped with everything that they said.
//!
//! What must stay true: none outlives its handle, and who waits for one waits within [`LIMIT`].

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;
use crate::workspace::target_dir;

/// How long anything may take that is done with a server: not a measure, only the end of a test
/// that would otherwise never end.
pub const LIMIT: Duration = Duration::from_secs(60);
/// How often is looked again where only looking tells.
const POLL: Duration = Duration::from_millis(5);

/// A server that runs.
pub struct Served {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    command: String,
    stderr: Option<JoinHandle<String>>,
    /// Kept, or the server's next line would fail.
    _stdout: BufReader<ChildStdout>,
}

impl Served {
    /// Starts a server whose first line is `listening on ADDRESS`.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut served = Self::spawn(command)?;
        let mut line = String::new();
        served._stdout.read_line(&mut line)?;
        let address = line.trim_end().strip_prefix("listening on ").map(str::parse);
        let Some(Ok(address)) = address else {
            let said = served.stop().unwrap_or_else(|error| format!("{error:#}"));
            bail!("a server began with `{}` instead of its address\n{said}", line.trim_end());
        };
        served.address = address;
        Ok(served)
    }

    /// Starts a server that says nothing, and waits until it listens at the address it was given.
    pub fn start_at(address: SocketAddr, command: &mut Command) -> Result<Self> {
        let mut served = Self::spawn(command)?;
        served.address = address;
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = served.child.try_wait()?.is_some();
            if ended || begin.elapsed() > LIMIT {
                let said = served.stop().unwrap_or_else(|error| format!("{error:#}"));
                bail!("nobody listens at {address}\n{said}");
            }
            thread::sleep(POLL);
        }
        Ok(served)
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", shell::printable(command)))?;
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut pipe = child.stderr.take().expect("stderr is piped");
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            // An error ends the reading; what came until then is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Self {
            child,
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            command: shell::printable(command),
            stderr: Some(stderr),
            _stdout: stdout,
        })
    }

    /// Its process, for the system.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Open descriptors; none where the system does not tell.
    pub fn descriptors(&self) -> Option<usize> {
        Some(fs::read_dir(format!("/proc/{}/fd", self.id())).ok()?.count())
    }

    /// Waits until no more descriptors are open than there were before the clients came, and the
    /// few that the runtime opens for itself when it first needs them.
    pub fn expect_descriptors(&self, before: Option<usize>) -> Result<()> {
        const OWN_MAX: usize = 4;
        let Some(before) = before else { return Ok(()) };
        let begin = Instant::now();
        while let Some(now) = self.descriptors().filter(|now| *now > before + OWN_MAX) {
            ensure!(
                begin.elapsed() < LIMIT,
                "`{}` had {before} open descriptors before its clients came, and {now} still a \
                 while after they went",
                self.command
            );
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Ends it, and gives what it wrote to standard error; an error if it had ended before.
    pub fn stop(mut self) -> Result<String> {
        let ended = self.child.try_wait()?;
        self.child.kill()?;
        self.child.wait()?;
        let stderr = self.stderr.take().expect("only taken here").join();
        let stderr = stderr.expect("the reader only reads, and has no reason to panic");
        if let Some(status) = ended {
            bail!("the server `{}` has ended with {status}\n{stderr}", self.command);
        }
        Ok(stderr)
    }

    /// The same for a server that has nothing to complain about.
    pub fn stop_in_peace(self) -> Result<()> {
        let command = self.command.clone();
        let stderr = self.stop()?;
        ensure!(stderr.is_empty(), "the server `{command}` complained\n{stderr}");
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // After `stop` both fail, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A local address that nobody listens at, for servers that don't tell theirs.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// An empty folder for the files of one server.
pub fn empty_folder(name: &str) -> Result<PathBuf> {
    let folder = target_dir().join("tmp").join(format!("{name}-{}", std::process::id()));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
