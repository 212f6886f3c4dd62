//! The example that writes a log file, whose lines must arrive in Elasticsearch: each once,
//! although the server is restarted midway. The server is the strict one of the tests of sinks.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::elastic::{Server, Store};
use crate::examples_network::Skipped;
use crate::guests;
use crate::served::empty_folder;

const LINES: usize = 3000;
/// So many have arrived when the server goes.
const MIDWAY: usize = 700;

/// Runs the program, and compares what the server has stored with what was written.
pub fn log_file(lunatic: &Path) -> Result<Skipped> {
    let folder = empty_folder("log_file")?;
    let store = Store::default();
    store.stop_at(Some(MIDWAY));
    let server = Server::start(&store);
    let address = server.address;
    let bounds = "queue_lines=100,batch_lines=20,batch_ms=1,retry_ms=1,retry_max_ms=20";
    let redirection = format!("file:log/*.log=elasticsearch:{address}/logs,{bounds}");
    let mut command = Command::new(lunatic);
    command.current_dir(&folder).args(["run", "--shutdown-timeout", "60"]);
    // That the server is away for a moment is a warning.
    command.env("RUST_LOG", "error");
    command.args(["--redirect", &redirection]).arg(guests::module("log_file"));
    let program = command.arg(LINES.to_string()).stderr(Stdio::piped()).spawn()?;
    store.wait_for(MIDWAY);
    drop(server);
    store.stop_at(None);
    let _server = Server::start_at(address, &store);
    let output = program.wait_with_output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && told.is_empty(), "it ended with {}: {told}", output.status);
    let mut messages = store.messages();
    messages.sort();
    let mut expected: Vec<_> =
        (0..LINES).map(|number| format!("order {number} was shipped")).collect();
    expected.sort();
    ensure!(messages == expected, "{} of {LINES} lines are there", messages.len());
    ensure!(!folder.join("log/app.log").exists(), "the file was written on the disk, too");
    Ok(None)
}
