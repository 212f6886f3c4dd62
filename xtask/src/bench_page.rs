//! What of docs/performance.md is made from docs/performance.json: the table of figures between
//! its marks. With it docs/performance.svg, the chart in bench_chart.rs.
//!
//! What must stay true: page, chart and file agree; `cargo xtask tidy` says where they do not.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::bench_chart;
use crate::bench_file::{self, File, Line};
use crate::bench_sides::Side;
use crate::bench_table::{RATIOS, cell, plain, ratio_name};
use crate::workspace::root;

const BEGIN: &str = "<!-- made by: cargo xtask bench --publish -->\n";
const END: &str = "<!-- end of what is made -->\n";

fn page() -> PathBuf {
    root().join("docs/performance.md")
}

fn chart() -> PathBuf {
    root().join("docs/performance.svg")
}

/// Judges the goals of the file again, and makes page and chart agree with it.
pub fn refresh() -> Result<()> {
    let file =
        File::read(&bench_file::committed())?.context("there is no docs/performance.json")?;
    let file = file.with(&file);
    file.write(&bench_file::committed())?;
    let text = fs::read_to_string(page())?;
    fs::write(page(), with_figures(&text, &file)?)?;
    fs::write(chart(), bench_chart::svg(&file))?;
    Ok(())
}

/// Where page, chart and file do not agree.
pub fn check() -> Result<Vec<String>> {
    let Some(file) = File::read(&bench_file::committed())? else {
        return Ok(vec!["docs/performance.json: missing; cargo xtask bench --publish".into()]);
    };
    let mut findings = Vec::new();
    let next = "does not agree with docs/performance.json; next: cargo xtask bench --refresh";
    if file.with(&file) != file {
        findings.push(format!("docs/performance.json: rows or goals have changed; it {next}"));
    }
    let text = fs::read_to_string(page())?;
    if with_figures(&text, &file)? != text {
        findings.push(format!("docs/performance.md: {next}"));
    }
    if fs::read_to_string(chart()).unwrap_or_default() != bench_chart::svg(&file) {
        findings.push(format!("docs/performance.svg: {next}"));
    }
    Ok(findings)
}

/// The page with the figures of a file in place of those that it has.
fn with_figures(page: &str, file: &File) -> Result<String> {
    let (before, rest) =
        page.split_once(BEGIN).context("docs/performance.md has lost its marks")?;
    let (_, after) = rest.split_once(END).context("docs/performance.md has lost its end mark")?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", figures(file)))
}

fn figures(file: &File) -> String {
    if file.lines.is_empty() {
        return "\nNothing has been published yet.\n\n".into();
    }
    let machine = &file.machine;
    let mut text = format!(
        "\nMeasured on {} cores ({}), {} GiB, {}, beside {}.\n\n",
        machine.cores, machine.processor, machine.memory_gib, machine.system, machine.erl
    );
    let goals: Vec<bool> =
        file.lines.iter().flat_map(|line| line.goals.iter().map(|goal| goal.met)).collect();
    let met = goals.iter().filter(|met| **met).count();
    text.push_str(&format!("{met} of {} goals are met.\n\n", goals.len()));
    text.push_str("| work | here | beside it | ratio | goal |\n| --- | --- | --- | --- | --- |\n");
    for line in &file.lines {
        text.push_str(&row(line));
    }
    text.push('\n');
    text
}

fn row(line: &Line) -> String {
    let values = |sides: &[Side]| -> String {
        let cells = sides.iter().filter_map(|side| {
            let summary = line.sides.get(side.name())?;
            let cell = cell(*summary, &line.unit);
            let words: Vec<&str> = cell.split_whitespace().collect();
            Some(format!("{}: {}", side.name(), words.join(" ")))
        });
        cells.collect::<Vec<_>>().join("<br>")
    };
    let ratios = RATIOS.iter().filter_map(|(ours, peer)| {
        let ratio = line.ratios.get(&ratio_name(*ours, *peer))?;
        Some(format!("{} {} × {}", ours.name(), plain(*ratio), peer.name()))
    });
    let goals = line.goals.iter().map(|goal| {
        if goal.met { format!("{} ✓", goal.text) } else { format!("**{}: not met**", goal.text) }
    });
    format!(
        "| {} `{}` | {} | {} | {} | {} |\n",
        line.name,
        line.row,
        values(&[Side::Rust, Side::Own, Side::Raw, Side::Guarded]),
        values(&[Side::Erl, Side::Bare, Side::Bounds, Side::Native]),
        ratios.collect::<Vec<_>>().join("<br>"),
        goals.collect::<Vec<_>>().join("<br>"),
    )
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, with_figures};
    use crate::bench_file::File;

    #[test]
    fn only_what_stands_between_the_marks_is_made() {
        let page = format!("# Title\n{BEGIN}old figures\n{END}what people wrote\n");
        let made = with_figures(&page, &File::default()).unwrap();
        assert!(made.starts_with("# Title\n") && made.ends_with("what people wrote\n"));
        assert!(!made.contains("old figures"));
        assert_eq!(with_figures(&made, &File::default()).unwrap(), made);
        assert!(with_figures("no marks", &File::default()).is_err());
    }
}
