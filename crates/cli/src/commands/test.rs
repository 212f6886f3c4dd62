//! `lunatic test TARGET`: the tests of a module, or of all test modules that a project builds.
//!
//! A project's modules run one after the other on one node, each as Cargo would run it: in its
//! package's directory, and those without Lunatic tests as ordinary programs.

use std::path::{Path, PathBuf};

use crate::args::TestArgs;
use crate::error::CliError;
use crate::project::{self, Artifact};
use crate::runtime::{Guest, Node};
use crate::target::{self, Target};
use crate::{args, sources, status, testing};

use super::run::Launch;
use super::{TestRun, file_name, guest_spec, load, start_node};

/// Runs the command.
pub fn test(args: &TestArgs) -> Result<u8, CliError> {
    let (path, harness_args) = args.split()?;
    let (files, is_project) = match Target::find(&path, &args.build)? {
        Target::File(path) => (vec![Module { wasm: path, package: None }], false),
        Target::Project(path) => {
            let built = project::tests(&path, &args.build, args.node.quiet)?;
            (built.into_iter().map(Module::of).collect(), true)
        }
        Target::Sources(sources) => {
            let wasm = sources::module(&sources, args.node.quiet)?;
            let package = std::path::absolute(sources.directory()).ok();
            (vec![Module { wasm, package }], false)
        }
    };
    if files.is_empty() {
        return Err(CliError::failure(format!("`{}` has no tests", target::shown(&path)))
            .hint("write one with #[lunatic::test]"));
    }
    let node = start_node(&args.node, None, None)?;
    let run = Run { args, node, harness_args, is_project };
    let mut worst = status::OK;
    for module in &files {
        if is_project && !args.node.quiet {
            eprintln!("     Running {}", target::shown(&module.wasm));
        }
        let status = run.module(module)?;
        if worst == status::OK {
            worst = status;
        }
    }
    Ok(worst)
}

/// A test module, and the directory of its package if it was built from one.
struct Module {
    wasm: PathBuf,
    package: Option<PathBuf>,
}

impl Module {
    fn of(artifact: Artifact) -> Module {
        let package = artifact.manifest.parent().map(Path::to_owned);
        Module { wasm: artifact.wasm, package }
    }
}

struct Run<'a> {
    args: &'a TestArgs,
    node: Node,
    harness_args: Vec<String>,
    is_project: bool,
}

impl Run<'_> {
    /// Runs the tests of one module.
    fn module(&self, module: &Module) -> Result<u8, CliError> {
        let default_dir = module.package.as_deref().unwrap_or(Path::new("."));
        let mut spec = guest_spec(&self.args.guest, &self.args.node, default_dir)?;
        if let Some(package) = module.package.as_deref().and_then(Path::to_str) {
            // Cargo gives this variable to a test too.
            spec.env.retain(|(name, _)| name != "CARGO_MANIFEST_DIR");
            spec.env.push(("CARGO_MANIFEST_DIR".into(), package.into()));
        }
        let bytes = target::read_module(&module.wasm)?;
        let program = load(&self.node, &module.wasm, &bytes, &self.args.node)?;
        let tests = testing::tests_of(&program);
        if tests.is_empty() {
            if !self.is_project {
                let shown = target::shown(&module.wasm);
                return Err(CliError::module(format!("`{shown}` exports no tests")).hint(
                    "a test is an exported function without parameters and results whose name \
                     begins with #lunatic_test_ or lunatic_test_; `lunatic run` runs a program",
                ));
            }
            spec.args.push(file_name(&module.wasm));
            spec.args.extend(self.harness_args.iter().cloned());
            let launch = Launch {
                wasm: module.wasm.clone(),
                entry: args::ENTRY_DEFAULT.into(),
                shutdown_timeout: args::SHUTDOWN_TIMEOUT_DEFAULT,
                quiet: self.args.node.quiet,
                metrics: None,
            };
            return launch.run(&self.node, &program, &Guest::open(&spec)?, None);
        }
        TestRun { node: &self.node, program: &program, spec, args: &self.harness_args }.run(&tests)
    }
}
