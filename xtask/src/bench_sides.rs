//! Who is asked by the benchmark, and how: each side gets its programs built once and answers one
//! question per run of a program of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench::Ask;
use crate::bench_network::{self, Net};
use crate::shell::{self, Finished};
use crate::workspace::{Profile, lunatic, program, root, target_dir};
use crate::{examples_network, guests, load};

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(300);

/// One column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This runtime, a Rust guest on the published crate.
    Rust,
    /// This runtime, raw host calls from the text format.
    Raw,
    /// The BEAM.
    Erl,
    /// Wasmtime without us, code without interruption.
    Bare,
    /// A server without us.
    Native,
}

impl Side {
    /// In the order of the table.
    pub const ALL: [Side; 5] = [Side::Rust, Side::Raw, Side::Erl, Side::Bare, Side::Native];

    /// Its column.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in the table and in the file.
    pub fn name(self) -> &'static str {
        match self {
            Side::Rust => "rust guest",
            Side::Raw => "raw guest",
            Side::Erl => "erl",
            Side::Bare => "bare wasmtime",
            Side::Native => "native tokio",
        }
    }
}

/// The programs of all sides, built.
pub struct Sides {
    lunatic: PathBuf,
    bench: PathBuf,
    hello: PathBuf,
    raw: PathBuf,
    /// The folder of the compiled bench.erl, or why there is none.
    erl: Result<PathBuf, String>,
    /// The bare runner, or why there is none.
    bare: Result<PathBuf, String>,
    native: PathBuf,
}

impl Sides {
    /// Builds what the machine has.
    pub fn prepare(profile: Profile) -> Result<Self> {
        let mut sides = Self::prepare_own(profile)?;
        sides.erl = prepare_erl(&folder())?;
        sides.bare = Ok(program(Profile::Release, "bare")?);
        Ok(sides)
    }

    /// Only this runtime's two sides, and the native server.
    pub fn prepare_own(profile: Profile) -> Result<Self> {
        guests::build(&["bench", "hello", "tcp_echo", "web"])?;
        load::raise_descriptor_limit();
        fs::create_dir_all(folder())?;
        let skipped = Err(String::from("not asked"));
        Ok(Self {
            lunatic: lunatic(profile)?,
            bench: guests::module("bench"),
            hello: guests::module("hello"),
            raw: write_raw(&folder())?,
            erl: skipped.clone(),
            bare: skipped,
            native: program(profile, "native")?,
        })
    }

    /// Why a side has no answers at all, if it has none.
    pub fn absent(&self, side: Side) -> Option<&str> {
        let side = match side {
            Side::Rust | Side::Raw | Side::Native => return None,
            Side::Erl => &self.erl,
            Side::Bare => &self.bare,
        };
        side.as_ref().err().map(String::as_str)
    }

    /// Asks one side; none if it has no such thing.
    pub fn ask(&self, side: Side, ask: Ask) -> Result<Option<Vec<f64>>> {
        match ask {
            Ask::ColdStart => return self.cold_start(side),
            Ask::Net(net) => return self.network(side, net),
            Ask::Web(kind, time) if side == Side::Rust => {
                return bench_network::web(&self.lunatic, kind, time);
            }
            _ => {}
        }
        let Some(mut command) = self.command(side, ask) else {
            return Ok(None);
        };
        match ask {
            Ask::Waiting(size) => waiting(&mut command, size),
            Ask::Late(_) => {
                let answer = answer(&mut command)?;
                ["p50_ns", "p99_ns", "max_ns"]
                    .map(|key| number(&answer, key))
                    .into_iter()
                    .collect::<Result<_>>()
                    .map(Some)
            }
            Ask::Compute(..) if side == Side::Bare => {
                let output = shell::output(&mut command)?;
                let text = output.split_whitespace().next_back().unwrap_or("");
                let ns = text.parse().with_context(|| format!("no time in `{output}`"))?;
                Ok(Some(vec![ns]))
            }
            Ask::Compute(..) | Ask::Timed(..) => {
                let answer = answer(&mut command)?;
                Ok(Some(vec![number(&answer, "total_ns")? / number(&answer, "ops")?]))
            }
            Ask::ColdStart | Ask::Net(_) | Ask::Web(..) => unreachable!("answered above"),
        }
    }

    /// The program that answers; none if this side has no such thing.
    fn command(&self, side: Side, ask: Ask) -> Option<Command> {
        let (question, size) = match ask {
            Ask::Timed(question, size) | Ask::Compute(question, size) => (question, size),
            Ask::Waiting(size) => ("waiting", size),
            Ask::Late(size) => ("late", size),
            Ask::ColdStart | Ask::Net(_) | Ask::Web(..) => return None,
        };
        let compute = matches!(ask, Ask::Compute(..));
        let size = size.to_string();
        match side {
            Side::Rust if !compute => Some(self.guest(&self.bench, question, &size)),
            Side::Rust => None,
            Side::Raw => {
                let letter = match question {
                    "spawn_turn" => "t",
                    "spawn_many" => "m",
                    "round_trip" => "r",
                    "waiting" => "w",
                    "fib" => "f",
                    "sieve" => "s",
                    _ => return None,
                };
                Some(self.guest(&self.raw, letter, &size))
            }
            // The BEAM has no memory that a sieve could be run over in place.
            Side::Erl if question == "sieve" => None,
            Side::Erl => {
                let mut command = Command::new("erl");
                command.args(["-noshell", "-pa"]).arg(self.erl.as_ref().ok()?);
                command.args(["-run", "bench", "main", question, &size]);
                Some(command)
            }
            Side::Bare if compute => {
                let mut command = Command::new(self.bare.as_ref().ok()?);
                command.arg(root().join("xtask/bench/compute.wat")).args([question, &size]);
                Some(command)
            }
            Side::Bare | Side::Native => None,
        }
    }

    fn network(&self, side: Side, net: Net) -> Result<Option<Vec<f64>>> {
        const ANY: &str = "127.0.0.1:0";
        let mut server = match side {
            Side::Rust => examples_network::serve(&self.lunatic, "tcp_echo", &[ANY]),
            Side::Native => {
                let mut server = Command::new(&self.native);
                server.arg(ANY);
                server
            }
            Side::Raw | Side::Erl | Side::Bare => return Ok(None),
        };
        bench_network::ask(&mut server, net)
    }

    fn guest(&self, module: &Path, question: &str, size: &str) -> Command {
        let mut command = Command::new(&self.lunatic);
        command.arg("run").arg(module).args([question, size]);
        command
    }

    fn cold_start(&self, side: Side) -> Result<Option<Vec<f64>>> {
        let ns = |command: &mut Command| -> Result<f64> {
            let finished = shell::run_limited(command, LIMIT)?;
            check(command, &finished)?;
            Ok(finished.took.as_secs_f64() * 1e9)
        };
        match side {
            Side::Rust => {
                let mut cached = Command::new(&self.lunatic);
                cached.arg("run").arg(&self.hello);
                // The first run fills the cache.
                ns(&mut cached)?;
                let mut anew = Command::new(&self.lunatic);
                anew.args(["run", "--no-cache"]).arg(&self.hello);
                Ok(Some(vec![ns(&mut cached)?, ns(&mut anew)?]))
            }
            Side::Erl if self.erl.is_ok() => {
                let hello = "io:format(\"Hello from a process!~n\"), halt().";
                let took = ns(Command::new("erl").args(["-noshell", "-eval", hello]))?;
                Ok(Some(vec![took, took]))
            }
            Side::Raw | Side::Erl | Side::Bare | Side::Native => Ok(None),
        }
    }
}

fn folder() -> PathBuf {
    target_dir().join("bench")
}

/// raw.wat with the fields of compute.wat in it.
fn write_raw(folder: &Path) -> Result<PathBuf> {
    let sources = root().join("xtask/bench");
    let raw = fs::read_to_string(sources.join("raw.wat"))?;
    let compute = fs::read_to_string(sources.join("compute.wat"))?;
    let fields = compute
        .split_once(";; <compute>")
        .and_then(|(_, rest)| rest.split_once(";; </compute>"))
        .context("compute.wat has no fields between its marks")?
        .0;
    let file = folder.join("raw.wat");
    fs::write(&file, raw.replace(";; <compute/>", fields))?;
    Ok(file)
}

fn prepare_erl(folder: &Path) -> Result<Result<PathBuf, String>> {
    if !shell::exists("erl") || !shell::exists("erlc") {
        return Ok(Err("no erl on this machine; next: apt-get install erlang-base".into()));
    }
    let mut compile = Command::new("erlc");
    compile.arg("-o").arg(folder).arg(root().join("xtask/bench/bench.erl"));
    shell::run(&mut compile)?;
    Ok(Ok(folder.to_path_buf()))
}

fn check(command: &Command, finished: &Finished) -> Result<()> {
    ensure!(
        finished.success(),
        "`{}` ended with {}\n{}",
        shell::printable(command),
        finished.ending(),
        finished.stderr
    );
    Ok(())
}

/// Runs a program whose last line is one JSON object.
fn answer(command: &mut Command) -> Result<Value> {
    let finished = shell::run_limited(command, LIMIT)?;
    check(command, &finished)?;
    let line = finished.stdout.lines().next_back().unwrap_or("");
    serde_json::from_str(line).with_context(|| format!("the answer `{line}` is no JSON"))
}

fn number(answer: &Value, key: &str) -> Result<f64> {
    answer[key].as_f64().with_context(|| format!("the answer {answer} has no number `{key}`"))
}

/// Looks at a node's memory without and with its waiting processes.
fn waiting(command: &mut Command, size: u64) -> Result<Option<Vec<f64>>> {
    if !Path::new("/proc/self/status").exists() {
        return Ok(None);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let looked = look_twice(&mut child, size);
    if looked.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let looked = looked.with_context(|| {
        format!("`{}` did not get to wait ({status})", shell::printable(command))
    })?;
    Ok(Some(looked))
}

fn look_twice(child: &mut Child, size: u64) -> Result<Vec<f64>> {
    let mut input = child.stdin.take().context("stdin is piped")?;
    let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
    let mut looks = Vec::new();
    for _ in 0..2 {
        let line = lines.next().context("it ended too soon")??;
        ensure!(line == "ready", "it printed `{line}` instead of `ready`");
        looks.push(shell::memory(child.id())?);
        input.write_all(b"\n")?;
    }
    let bytes = looks[1].0.saturating_sub(looks[0].0);
    Ok(vec![bytes as f64 / size as f64, looks[1].1 as f64])
}
