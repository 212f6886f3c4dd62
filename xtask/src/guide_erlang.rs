//! The guide's listings in Erlang: what a page says of OTP is run by OTP, too.
//!
//! All of them are functions of one script, named after their pages and lines, each called in a
//! process of its own. A listing is right if it ends normally: its matches are its assertions.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::guide_page::Step;
use crate::shell;
use crate::workspace::target_dir;

const ESCRIPT: &str = "escript";
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the listings of these pages. Gives what is wrong with them.
pub fn run_all(pages: &[(String, Vec<Step>)]) -> Result<Option<String>> {
    let (script, count) = script(pages);
    if count == 0 {
        return Ok(None);
    }
    if !shell::exists(ESCRIPT) {
        println!("  SKIPPED {count} listings in Erlang: next: apt-get install erlang-base");
        return Ok(None);
    }
    let folder = target_dir().join("tmp/guide");
    fs::create_dir_all(&folder)?;
    let file = folder.join("listings.escript");
    fs::write(&file, script)?;
    let finished = shell::run_limited(Command::new(ESCRIPT).arg(&file), LIMIT)?;
    println!("{count} listings in Erlang were run");
    // OTP may say something of its own.
    let right = finished.stdout.lines().filter(|line| line.ends_with(" is right")).count();
    let right = finished.success() && right == count;
    Ok((!right).then(|| format!("Erlang\n{}{}", finished.stdout, finished.stderr)))
}

/// The script, and how many listings it has. It prints a line for each that is right.
fn script(pages: &[(String, Vec<Step>)]) -> (String, usize) {
    let (mut names, mut functions) = (Vec::new(), String::new());
    for (page, steps) in pages {
        for step in steps {
            let Step::Erlang { line, text } = step else { continue };
            let name = format!("'{page}:{line}'");
            let body = text.trim_end().trim_end_matches('.');
            writeln!(functions, "{name}() ->\n{body}.\n").expect("a string grows");
            names.push(format!("{{{name}, fun {name}/0}}"));
        }
    }
    let main = "main(_) -> lists:foreach(fun one/1, listings()).\n\n\
         one({Name, Listing}) ->\n    {Pid, Ref} = spawn_monitor(Listing),\n    receive\n        \
         {'DOWN', Ref, process, Pid, normal} -> io:format(\"~s is right~n\", [Name]);\n        \
         {'DOWN', Ref, process, Pid, Why} -> io:format(\"~s: ~p~n\", [Name, Why]), halt(1)\n    \
         after 10000 -> io:format(\"~s does not end~n\", [Name]), halt(1)\n    end.\n";
    let list = names.join(",\n    ");
    let script = format!(
        "#!/usr/bin/env escript\n-mode(compile).\n{main}\nlistings() -> [\n    {list}].\n\n{functions}"
    );
    (script, names.len())
}

#[cfg(test)]
mod tests {
    use super::script;
    use crate::guide_page::steps;

    #[test]
    fn each_listing_is_a_function_that_is_called() {
        let page = "```erlang\n1 = 1.\n```\n\n```erlang\n2 = 2\n```\n";
        let (script, count) = script(&[("a.md".to_owned(), steps(page).unwrap())]);
        assert_eq!(count, 2);
        assert!(script.contains("'a.md:1'() ->\n1 = 1.\n"), "{script}");
        assert!(script.contains("{'a.md:5', fun 'a.md:5'/0}]"), "{script}");
    }
}
