//! The listings of docs/guide: every one is taken from its page, compiled, run on the runtime, and
//! compared with the output that stands beside it.
//!
//! What must stay true: what a reader of the guide types and sees is what is run and compared here;
//! `docs/guide/README.md` states the rules.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::guide_page::{Step, steps};
use crate::workspace::{Profile, lunatic, root};
use crate::{guests, guide_erlang, guide_rust, guide_shell};

/// The chore: all pages, or those that are named.
pub fn run(args: &[String]) -> Result<()> {
    run_pages(Profile::Dev, args)
}

/// All pages.
pub fn run_all(profile: Profile) -> Result<()> {
    run_pages(profile, &[])
}

fn run_pages(profile: Profile, names: &[String]) -> Result<()> {
    guests::ensure_wasm_target()?;
    let pages = pages(names)?;
    let lunatic = lunatic(profile)?;
    let mut failures = guide_rust::run_all(&lunatic, &pages)?;
    failures.extend(guide_erlang::run_all(&pages)?);
    for (page, steps) in &pages {
        failures.extend(guide_shell::follow(&lunatic, page, steps)?);
    }
    if failures.is_empty() {
        println!("{} pages of the guide show what happens", pages.len());
        return Ok(());
    }
    bail!(
        "{} of the listings do otherwise than their pages show\n\n{}",
        failures.len(),
        failures.join("\n\n")
    )
}

/// The pages with what they ask for, in the order of their names.
fn pages(names: &[String]) -> Result<Vec<(String, Vec<Step>)>> {
    let folder = root().join("docs/guide");
    let mut pages = Vec::new();
    for entry in fs::read_dir(&folder).context("cannot list docs/guide")? {
        let file = entry?.path();
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        let wanted =
            names.is_empty() || names.iter().any(|wanted| name.starts_with(wanted.as_str()));
        if !name.ends_with(".md") || !wanted {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let steps = steps(&text).with_context(|| format!("docs/guide/{name}"))?;
        pages.push((name.to_owned(), steps));
    }
    ensure!(!pages.is_empty(), "docs/guide has no such page: {}", names.join(", "));
    pages.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(pages)
}
