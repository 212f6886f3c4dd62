//! Reading a page of the guide: which of its fenced blocks are programs, files, commands and
//! outputs. `docs/guide/README.md` states the rules for those who write pages.
//!
//! What must stay true: no block is passed over in silence. One of a kind that nobody runs, or an
//! output that belongs to nothing, is an error.

use anyhow::{Context, Result, bail, ensure};

/// What a page asks for, in its order.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A program in Rust that is compiled and run by itself.
    Program(Program),
    /// A program in Rust that the compiler refuses, in these words, among others.
    Refused { line: usize, text: String, words: String },
    /// Expressions in Erlang, which real Erlang runs.
    Erlang { line: usize, text: String },
    /// A file that a reader writes.
    File { path: String, text: String },
    /// Commands that a reader types, each with what it prints.
    Commands(Vec<Command>),
    /// A command that serves until the end of the page, and what it prints at first.
    Server(Command),
    /// What the server prints next.
    ServerSays { line: usize, output: String },
}

/// A listing that needs nothing but the library.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// Where its block begins.
    pub line: usize,
    /// All of the block.
    pub text: String,
    /// What it prints to standard output, exactly; none for a listing without an output.
    pub stdout: Option<String>,
    /// The same for standard error.
    pub stderr: Option<String>,
    /// Processes fail in it on purpose, and their reports are not shown.
    pub fails: bool,
}

/// One line behind a `$`, and the lines below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Where it stands.
    pub line: usize,
    /// What is typed.
    pub text: String,
    /// What is printed to both outputs together.
    pub output: String,
}

/// Kinds of blocks that only show something: other languages beside ours, and settings.
const SHOWN: &[&str] = &["elixir", "toml"];

/// A fenced block as it stands in the page.
struct Block<'a> {
    line: usize,
    words: Vec<&'a str>,
    text: String,
}

/// Reads a page.
pub fn steps(page: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for block in blocks(page)? {
        let at = block.line;
        add(&mut steps, block).with_context(|| format!("the block in line {at}"))?;
    }
    Ok(steps)
}

fn add(steps: &mut Vec<Step>, block: Block<'_>) -> Result<()> {
    let Block { line, words, text } = block;
    let step = match *words {
        ["rust"] => program(line, text, false),
        ["rust", "fails"] => program(line, text, true),
        ["erlang"] => Step::Erlang { line, text },
        ["rust", "refused"] => Step::Refused { line, text, words: String::new() },
        ["text", "refused"] => {
            let Some(Step::Refused { words, .. }) = steps.last_mut() else {
                bail!("what the compiler says stands behind the listing that it refuses");
            };
            ensure!(words.is_empty(), "the compiler has said something already");
            *words = text;
            return Ok(());
        }
        [_, path] if path.contains('.') => Step::File { path: path.to_owned(), text },
        ["console"] => Step::Commands(commands(line, &text)?),
        ["console", "server"] => {
            let mut all = commands(line, &text)?;
            ensure!(all.len() == 1, "a server is one command");
            Step::Server(all.remove(0))
        }
        ["text", "server"] => Step::ServerSays { line, output: text },
        ["text"] => return output_of(steps, |program| &mut program.stdout, text),
        ["text", "stderr"] => return output_of(steps, |program| &mut program.stderr, text),
        [kind] if SHOWN.contains(&kind) => return Ok(()),
        _ => bail!("`{}` is no kind of block that docs/guide/README.md names", words.join(" ")),
    };
    steps.push(step);
    Ok(())
}

fn program(line: usize, text: String, fails: bool) -> Step {
    Step::Program(Program { line, text, stdout: None, stderr: None, fails })
}

/// Gives an output to the listing before it.
fn output_of(
    steps: &mut [Step],
    place: impl FnOnce(&mut Program) -> &mut Option<String>,
    text: String,
) -> Result<()> {
    let Some(Step::Program(program)) = steps.last_mut() else {
        bail!("an output stands behind the listing in Rust that prints it");
    };
    let place = place(program);
    ensure!(place.is_none(), "the listing has such an output already");
    *place = Some(text);
    Ok(())
}

/// Splits a transcript into commands.
fn commands(line: usize, text: &str) -> Result<Vec<Command>> {
    let mut commands: Vec<Command> = Vec::new();
    for (number, shown) in text.lines().enumerate() {
        if let Some(typed) = shown.strip_prefix("$ ") {
            let line = line + 1 + number;
            commands.push(Command { line, text: typed.to_owned(), output: String::new() });
            continue;
        }
        let last = commands.last_mut().context("a transcript begins with `$ ` and a command")?;
        last.output.push_str(shown);
        last.output.push('\n');
    }
    ensure!(!commands.is_empty(), "a transcript without a command");
    Ok(commands)
}

/// The fenced blocks of a page.
fn blocks(page: &str) -> Result<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let line = number + 1;
        ensure!(!info.is_empty(), "the block in line {line} does not say its kind");
        let mut text = String::new();
        loop {
            let (_, next) = lines.next().with_context(|| {
                format!("the block in line {line} has no end: three backticks alone in a line")
            })?;
            if next == "```" {
                break;
            }
            text.push_str(next);
            text.push('\n');
        }
        blocks.push(Block { line, words: info.split_whitespace().collect(), text });
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::{Command, Program, Step, steps};

    #[test]
    fn a_listing_has_the_outputs_that_stand_behind_it() {
        let page = "# A\n```rust fails\nfn main() {}\n```\nIt prints\n```text\none\n\n two\n```\n\
                    and\n```text stderr\nbad\n```\n```rust\nlet a = 1;\n```\n";
        let program = |line, text: &str, stdout: Option<&str>, stderr: Option<&str>, fails| {
            let (stdout, stderr) = (stdout.map(str::to_owned), stderr.map(str::to_owned));
            Step::Program(Program { line, text: text.to_owned(), stdout, stderr, fails })
        };
        assert_eq!(
            steps(page).unwrap(),
            [
                program(2, "fn main() {}\n", Some("one\n\n two\n"), Some("bad\n"), true),
                program(15, "let a = 1;\n", None, None, false),
            ]
        );
    }

    #[test]
    fn a_transcript_is_commands_with_their_outputs() {
        let page = "```console\n$ a b\n$ c\none\ntwo\n```\n```console server\n$ s\nup\n```\n\
                    ```text server\ndown\n```\n```c x/main.c\nint a;\n```\n```toml\na = 1\n```\n\
                    ```rust refused\na\n```\n```text refused\nno\n```\n";
        let command = |line, text: &str, output: &str| Command {
            line,
            text: text.into(),
            output: output.into(),
        };
        assert_eq!(
            steps(page).unwrap(),
            [
                Step::Commands(vec![command(2, "a b", ""), command(3, "c", "one\ntwo\n")]),
                Step::Server(command(8, "s", "up\n")),
                Step::ServerSays { line: 11, output: "down\n".into() },
                Step::File { path: "x/main.c".into(), text: "int a;\n".into() },
                Step::Refused { line: 20, text: "a\n".into(), words: "no\n".into() },
            ]
        );
    }

    #[test]
    fn nothing_is_passed_over_in_silence() {
        for page in [
            "```text\nlonely\n```\n",
            "```rust\n```\n```text\na\n```\n```text\nb\n```\n",
            "```\nno kind\n```\n",
            "```python\nprint()\n```\n",
            "```c\nint a;\n```\n",
            "```console\nno command\n```\n",
            "```console\n```\n",
            "```console server\n$ a\n$ b\n```\n",
            "```rust\n```\n```text refused\na\n```\n",
            "```rust\nno end\n",
        ] {
            assert!(steps(page).is_err(), "{page}");
        }
    }
}
