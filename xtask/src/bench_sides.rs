//! Who is asked by the benchmark, and how: each side gets its programs built once and answers one
//! question per run of a program of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench_network::{self, Net};
use crate::bench_rows::Ask;
use crate::bench_waiting::{self, Waited};
use crate::shell::{self, Finished};
use crate::workspace::{self, Profile, guest_cargo, root, target_dir};
use crate::{examples_network, guest_rust, guests, load};

/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(600);

/// One column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This runtime, a Rust guest on the published crate with its default linking.
    Rust,
    /// This runtime, a Rust guest on our own library.
    Own,
    /// This runtime, raw host calls from the text format.
    Raw,
    /// The same in the tier with guard pages.
    Guarded,
    /// The BEAM.
    Erl,
    /// Wasmtime without us, code without interruption, memories with guard pages.
    Bare,
    /// The same with memories as in the dense tier.
    Bounds,
    /// A server without us.
    Native,
}

impl Side {
    /// In the order of the table.
    pub const ALL: [Side; 8] = [
        Side::Rust,
        Side::Own,
        Side::Raw,
        Side::Guarded,
        Side::Erl,
        Side::Bare,
        Side::Bounds,
        Side::Native,
    ];

    /// Its column.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in the table and in the file.
    pub fn name(self) -> &'static str {
        match self {
            Side::Rust => "rust guest",
            Side::Own => "own library",
            Side::Raw => "raw guest",
            Side::Guarded => "guarded tier",
            Side::Erl => "erl",
            Side::Bare => "bare wasmtime",
            Side::Bounds => "bare, bounds checked",
            Side::Native => "native tokio",
        }
    }
}

/// The programs of all sides, built.
pub struct Sides {
    lunatic: PathBuf,
    bench: PathBuf,
    own: PathBuf,
    hello: PathBuf,
    raw: PathBuf,
    raw_with_data: PathBuf,
    /// The folder of the compiled bench.erl, or why there is none.
    erl: Result<PathBuf, String>,
    bare: PathBuf,
    native: PathBuf,
}

impl Sides {
    /// Builds what the machine has; with `as_built`, the host's programs are taken as they lie in
    /// the build directory.
    pub fn prepare(profile: Profile, as_built: bool) -> Result<Self> {
        guests::build(&["bench", "hello", "tcp_echo", "web"])?;
        let mut own = guest_cargo(&root().join("guest/rust"));
        own.args(["build", "--locked", "--release", "--package", "lunatic", "--example", "bench"]);
        shell::run(own.args(["--target", workspace::WASM_TARGET]))?;
        load::raise_descriptor_limit();
        let folder = folder();
        fs::create_dir_all(&folder)?;
        let program = |name: &str| {
            if as_built {
                workspace::built(profile, name)
            } else {
                workspace::program(profile, name)
            }
        };
        Ok(Self {
            lunatic: program("lunatic")?,
            bench: guests::module("bench"),
            own: guest_rust::example("bench"),
            hello: guests::module("hello"),
            raw: write_raw(&folder, "raw.wat", false)?,
            raw_with_data: write_raw(&folder, "raw_with_data.wat", true)?,
            erl: prepare_erl(&folder)?,
            bare: program("bare")?,
            native: program("native")?,
        })
    }

    /// Why a side has no answers at all, if it has none.
    pub fn absent(&self, side: Side) -> Option<&str> {
        match side {
            Side::Erl => self.erl.as_ref().err().map(String::as_str),
            _ => None,
        }
    }

    /// Asks one side; none if it has no such thing.
    pub fn ask(&self, side: Side, ask: Ask) -> Result<Option<Vec<f64>>> {
        match ask {
            Ask::ColdStart => return self.cold_start(side),
            Ask::Net(net) => return self.network(side, net),
            Ask::Web(kind, seconds) if side == Side::Rust => {
                return bench_network::web(&self.lunatic, kind, seconds);
            }
            Ask::Data(size) if side == Side::Raw => return self.data(size),
            _ => {}
        }
        let Some(mut command) = self.command(side, ask) else {
            return Ok(None);
        };
        if let Ask::Waiting(size @ MANY..) | Ask::Crowd(size @ MANY..) = ask
            && let Some(refused) = self.too_many(side, size)?
        {
            println!("  {}: {refused}", side.name());
            return Ok(None);
        }
        let values = |answer: &Value, keys: &[&str]| -> Result<Option<Vec<f64>>> {
            keys.iter().map(|key| number(answer, key)).collect::<Result<_>>().map(Some)
        };
        let each = |answer: &Value, total: &str, count: &str| -> Result<f64> {
            Ok(number(answer, total)? / number(answer, count)?)
        };
        match ask {
            Ask::Waiting(size) => Ok(bench_waiting::ask(&mut command, size)?.map(|waited| {
                let Waited { bytes, mappings, start_ns, end_ns } = waited;
                vec![bytes, mappings, start_ns, end_ns]
            })),
            Ask::Late(_) => values(&answer(&mut command)?, &["p50_ns", "p99_ns", "max_ns"]),
            Ask::Crowd(_) => {
                values(&answer(&mut command)?, &["start_ns", "spawn_ns", "trip_ns", "wake_ns"])
            }
            Ask::Compute(..) if matches!(side, Side::Bare | Side::Bounds) => {
                let output = shell::output(&mut command)?;
                let text = output.split_whitespace().next_back().unwrap_or("");
                let ns = text.parse().with_context(|| format!("no time in `{output}`"))?;
                Ok(Some(vec![ns]))
            }
            Ask::Compute(..) | Ask::Timed(..) => {
                Ok(Some(vec![each(&answer(&mut command)?, "total_ns", "ops")?]))
            }
            Ask::ColdAndWarm(..) => {
                let answer = answer(&mut command)?;
                let warm = each(&answer, "total_ns", "ops")?;
                Ok(Some(vec![warm, each(&answer, "cold_ns", "cold_ops")?]))
            }
            Ask::ColdStart | Ask::Net(_) | Ask::Web(..) | Ask::Data(_) => {
                unreachable!("answered above, and none has a command")
            }
        }
    }

    /// The program that answers; none if this side has no such thing.
    fn command(&self, side: Side, ask: Ask) -> Option<Command> {
        let (question, size) = match ask {
            Ask::Timed(question, size)
            | Ask::ColdAndWarm(question, size)
            | Ask::Compute(question, size) => (question, size),
            Ask::Waiting(size) => ("waiting", size),
            Ask::Crowd(size) => ("crowd", size),
            Ask::Late(size) => ("late", size),
            Ask::ColdStart | Ask::Net(_) | Ask::Web(..) | Ask::Data(_) => return None,
        };
        let compute = matches!(ask, Ask::Compute(..));
        let size = size.to_string();
        match side {
            Side::Rust if !compute => Some(self.guest(&self.bench, question, &size)),
            Side::Own if !compute && !matches!(question, "late" | "crowd") => {
                Some(self.guest(&self.own, question, &size))
            }
            Side::Rust | Side::Own => None,
            Side::Raw => Some(self.guest(&self.raw, letter(question)?, &size)),
            Side::Guarded if compute => {
                let mut command = Command::new(&self.lunatic);
                command.args(["run", "--tier", "guarded"]).arg(&self.raw);
                command.args([letter(question)?, &size]);
                Some(command)
            }
            // The BEAM has no memory that could be computed on in place.
            Side::Erl if compute && question != "fib" => None,
            Side::Erl => {
                let mut command = Command::new("erl");
                // More processes than it allows by default.
                if matches!(ask, Ask::Waiting(MANY..) | Ask::Crowd(MANY..)) {
                    command.args(["+P", "2000000"]);
                }
                command.args(["-noshell", "-pa"]).arg(self.erl.as_ref().ok()?);
                command.args(["-run", "bench", "main", question, &size]);
                Some(command)
            }
            Side::Bare | Side::Bounds if compute => {
                let mut command = Command::new(&self.bare);
                if side == Side::Bounds {
                    command.arg("--bounds");
                }
                command.arg(root().join("xtask/bench/compute.wat")).args([question, &size]);
                Some(command)
            }
            Side::Guarded | Side::Bare | Side::Bounds | Side::Native => None,
        }
    }

    /// Why so many processes are not asked for: the machine has no memory for them.
    fn too_many(&self, side: Side, size: u64) -> Result<Option<String>> {
        let Some(mut few) = self.command(side, Ask::Waiting(size / 100)) else { return Ok(None) };
        let Some(waited) = bench_waiting::ask(&mut few, size / 100)? else { return Ok(None) };
        let (needed, gib) = (waited.bytes * size as f64, f64::from(1 << 30));
        let free = bench_waiting::available_bytes()? as f64;
        Ok((needed * HEADROOM > free).then(|| {
            let (needed, free) = (needed / gib, free / gib);
            format!("{size} would take {needed:.1} GiB, and {free:.1} GiB are free: not asked")
        }))
    }

    /// Bytes that processes with data have more than others.
    fn data(&self, size: u64) -> Result<Option<Vec<f64>>> {
        let bytes = |module: &Path| -> Result<Option<f64>> {
            let mut command = self.guest(module, "w", &size.to_string());
            Ok(bench_waiting::ask(&mut command, size)?.map(|waited| waited.bytes))
        };
        let (with, without) = (bytes(&self.raw_with_data)?, bytes(&self.raw)?);
        Ok(with.zip(without).map(|(with, without)| vec![with - without]))
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
            _ => return Ok(None),
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
        let wat = root().join("xtask/bench/hello.wat");
        let ours = |module: &Path| -> Result<Option<Vec<f64>>> {
            let mut cached = Command::new(&self.lunatic);
            cached.arg("run").arg(module);
            // The first run fills the cache.
            ns(&mut cached)?;
            let mut anew = Command::new(&self.lunatic);
            anew.args(["run", "--no-cache"]).arg(module);
            Ok(Some(vec![ns(&mut cached)?, ns(&mut anew)?]))
        };
        match side {
            Side::Rust => ours(&self.hello),
            Side::Raw => ours(&wat),
            Side::Bare => {
                let code = folder().join("hello.cwasm");
                let mut bare = Command::new(&self.bare);
                bare.arg("--code").arg(&code).arg(&wat);
                if code.exists() {
                    fs::remove_file(&code)?;
                }
                let anew = ns(&mut bare)?;
                Ok(Some(vec![ns(&mut bare)?, anew]))
            }
            Side::Erl if self.erl.is_ok() => {
                let hello = "io:format(\"Hello from a process!~n\"), halt().";
                let took = ns(Command::new("erl").args(["-noshell", "-eval", hello]))?;
                Ok(Some(vec![took, took]))
            }
            _ => Ok(None),
        }
    }
}

/// What raw.wat calls a question.
fn letter(question: &str) -> Option<&'static str> {
    Some(match question {
        "spawn_turn" => "t",
        "spawn_many" => "m",
        "round_trip" => "r",
        "waiting" => "w",
        "fib" => "f",
        "sieve" => "s",
        "simd" => "v",
        "alloc" => "a",
        _ => return None,
    })
}

/// From so many processes on it is looked first whether there is memory for them.
const MANY: u64 = 200_000;
/// So much more memory than they take must be free.
const HEADROOM: f64 = 1.05;

fn folder() -> PathBuf {
    target_dir().join("bench")
}

/// raw.wat with the fields of compute.wat in it, and with 64 KiB of data where that is wanted.
pub fn write_raw(folder: &Path, name: &str, data: bool) -> Result<PathBuf> {
    let sources = root().join("xtask/bench");
    let mut raw = fs::read_to_string(sources.join("raw.wat"))?;
    let compute = fs::read_to_string(sources.join("compute.wat"))?;
    let fields = compute
        .split_once(";; <compute>")
        .and_then(|(_, rest)| rest.split_once(";; </compute>"))
        .context("compute.wat has no fields between its marks")?
        .0;
    raw = raw.replace(";; <compute/>", fields);
    if data {
        const MEMORY: &str = "(memory (export \"memory\") 1) ;; <data/>";
        const TOUCH: &str = ";; <touch/>";
        ensure!(raw.contains(MEMORY) && raw.contains(TOUCH), "raw.wat lacks its marks for data");
        let data = format!("(data (i32.const 65536) \"{}\")", "d".repeat(65_536));
        raw = raw.replace(MEMORY, &format!("(memory (export \"memory\") 2)\n{data}"));
        raw = raw.replace(TOUCH, "(drop (i32.load8_u (i32.const 65600)))");
    }
    let file = folder.join(name);
    fs::write(&file, raw)?;
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

/// A number of an answer.
pub fn number(answer: &Value, key: &str) -> Result<f64> {
    answer[key].as_f64().with_context(|| format!("the answer {answer} has no number `{key}`"))
}
