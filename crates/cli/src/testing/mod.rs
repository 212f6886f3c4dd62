//! Test mode: runs the tests that a module exports, as libtest would.
//!
//! Each test is the root process of a fresh environment, with everything that the root of
//! `lunatic run` has and a buffer instead of its output. When it ends, or its time is over, its
//! whole environment is killed, so nothing of one test reaches another. What decides (names,
//! flags, verdicts, output) is pure and stands in the files beside this one.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::CliError;
use crate::runtime::{Ending, Guest, Node, Program};

pub mod name;
pub mod options;
pub mod output;
pub mod verdict;

use name::Test;
use options::{Choice, Options};
use output::{Finished, Printer, Style};
use verdict::{Verdict, verdict};

/// The environment number that published test suites see.
const TEST_ENVIRONMENT_ID: u64 = 0;
/// A test that runs longer is named while it runs.
const SLOW_AFTER: Duration = Duration::from_secs(60);
/// How long a killed test may take to end before the run goes on without it.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// The tests of a module, sorted by name as libtest sorts them.
pub fn tests_of(program: &Program) -> Vec<Test> {
    let mut tests: Vec<Test> = program.entries().filter_map(Test::from_export).collect();
    tests.sort();
    tests
}

/// What tests run on.
pub struct Session<'a> {
    /// The node.
    pub node: &'a Node,
    /// The module.
    pub program: &'a Program,
    /// What each test's root process is given.
    pub guest: &'a Guest,
    /// The flags.
    pub options: &'a Options,
}

impl Session<'_> {
    /// Runs the chosen tests, or lists them. Gives whether all passed. An error means that the
    /// results could not be printed.
    pub async fn run(&self, tests: &[Test]) -> Result<bool, CliError> {
        self.run_printing(tests).await.map_err(|error| {
            CliError::failure("the test results cannot be printed").because(&error)
        })
    }

    async fn run_printing(&self, tests: &[Test]) -> io::Result<bool> {
        let choice = |test: &&Test| self.options.choice(test);
        let chosen: Vec<_> =
            tests.iter().filter(|test| choice(test) != Choice::FilterOut).collect();
        let out = io::stdout();
        if self.options.list {
            output::list(out, self.options.format(), chosen.into_iter())?;
            return Ok(true);
        }
        let style = Style {
            format: self.options.format(),
            coloured: self.options.coloured(),
            show_output: self.options.show_output,
        };
        let started = Instant::now();
        let filtered_out = tests.len() - chosen.len();
        let mut printer = Printer::start(out, style, chosen.len())?;
        self.run_all(&chosen, &mut printer).await?;
        printer.finish(filtered_out, started.elapsed())
    }

    /// Keeps as many tests running as the flags allow, and prints results as they come.
    async fn run_all(&self, chosen: &[&Test], printer: &mut Printer<io::Stdout>) -> io::Result<()> {
        let mut running = Running::default();
        for test in chosen {
            if self.options.choice(test) == Choice::Ignore {
                printer.ignored(test)?;
                continue;
            }
            while running.tasks.len() >= self.options.at_once() {
                running.print_next(printer).await?;
            }
            running.add(self.test(test), &test.name);
        }
        while !running.tasks.is_empty() {
            running.print_next(printer).await?;
        }
        Ok(())
    }

    /// Runs one test and judges it. Its time includes the module's start section, which runs on
    /// a thread that is abandoned if it never ends.
    fn test(&self, test: &Test) -> impl Future<Output = Finished> + Send + 'static {
        let (timeout, echoed) = (self.options.timeout(), self.options.nocapture);
        let guest = self.guest.captured(echoed);
        let (node, program) = (self.node.clone(), self.program.clone());
        let test = test.clone();
        async move {
            let deadline = timeout.map(|timeout| Instant::now() + timeout);
            let export = test.export.clone();
            let spawning = tokio::task::spawn_blocking(move || {
                node.spawn(&program, &export, &guest, TEST_ENVIRONMENT_ID)
            });
            let root = match until(deadline, spawning).await {
                Some(Ok(Ok(root))) => root,
                Some(Ok(Err(error))) => return failed(&test, error.to_string()),
                Some(Err(bug)) => return failed(&test, format!("bug of the runtime: {bug}")),
                None => return judged(&test, None, timeout, String::new(), echoed),
            };
            let ending = until(deadline, root.ended()).await;
            root.kill_all();
            if ending.is_none() {
                until(Some(Instant::now() + KILL_PATIENCE), root.ended()).await;
            }
            judged(&test, ending, timeout, root.output(), echoed)
        }
    }
}

/// What the future gives, or `None` if the deadline comes first.
async fn until<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

/// The result of a test; `ending` is `None` if its time was over.
fn judged(
    test: &Test,
    ending: Option<Ending>,
    timeout: Option<Duration>,
    output: String,
    echoed: bool,
) -> Finished {
    let verdict = match ending {
        Some(ending) => verdict(test.expected_panic.as_deref(), &ending, &output),
        None => Verdict::Failed(format!(
            "note: test was ended after {} s (see --test-timeout)",
            timeout.unwrap_or_default().as_secs_f64()
        )),
    };
    let output = if echoed { String::new() } else { output };
    Finished {
        name: test.name.clone(),
        should_panic: test.expected_panic.is_some(),
        verdict,
        output,
    }
}

/// The result of a test that never ran.
fn failed(test: &Test, why: String) -> Finished {
    Finished {
        name: test.name.clone(),
        should_panic: test.expected_panic.is_some(),
        verdict: Verdict::Failed(why),
        output: String::new(),
    }
}

/// The tests that run now.
#[derive(Default)]
struct Running {
    tasks: JoinSet<Finished>,
    names: HashMap<tokio::task::Id, String>,
    /// When each test will have run long, in the order of the starts.
    slow_at: VecDeque<(Instant, tokio::task::Id)>,
}

impl Running {
    fn add(&mut self, test: impl Future<Output = Finished> + Send + 'static, name: &str) {
        let id = self.tasks.spawn(test).id();
        self.names.insert(id, name.to_owned());
        self.slow_at.push_back((Instant::now() + SLOW_AFTER, id));
    }

    /// Waits for the next result and prints it; names tests that run long meanwhile.
    async fn print_next(&mut self, printer: &mut Printer<io::Stdout>) -> io::Result<()> {
        loop {
            let next_slow = self.slow_at.front().map(|(at, _)| *at);
            let joined = match next_slow {
                Some(at) => tokio::time::timeout_at(at, self.tasks.join_next_with_id()).await,
                None => Ok(self.tasks.join_next_with_id().await),
            };
            match joined {
                Err(_) => self.print_slow(printer)?,
                Ok(None) => return Ok(()),
                Ok(Some(Ok((id, finished)))) => {
                    self.names.remove(&id);
                    return printer.finished(finished);
                }
                Ok(Some(Err(error))) => {
                    // A bug of this harness: the test counts as failed and the run goes on.
                    let name = self.names.remove(&error.id()).unwrap_or_default();
                    let verdict = Verdict::Failed(format!("bug in the test harness: {error}"));
                    let output = String::new();
                    return printer.finished(Finished {
                        name,
                        should_panic: false,
                        verdict,
                        output,
                    });
                }
            }
        }
    }

    fn print_slow(&mut self, printer: &mut Printer<io::Stdout>) -> io::Result<()> {
        let Some((_, id)) = self.slow_at.pop_front() else {
            return Ok(());
        };
        match self.names.get(&id) {
            Some(name) => printer.slow(name, SLOW_AFTER),
            None => Ok(()),
        }
    }
}
