//! Policy files: TOML, with a table for each thing that they rule.
//!
//! A table or key that is not known is an error: a policy that is not understood must not be taken
//! for one that is kept. Each error says the line, what stands there, and what is expected.

use std::fmt::Display;
use std::ops::Range;
use std::path::Path;

use lunatic_model::{Budgeted, Permit, Policy as AtLimit, Scope};
use toml_edit::{Document, Item, TableLike, Value};

use super::Policy;
use crate::args;
use crate::error::CliError;
use crate::report::printable;
use crate::target::shown;

/// Bytes of a policy file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// One budget: the name of its limit, the amount, and what happens there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BudgetLine {
    /// Whom it binds.
    pub scope: Scope,
    /// What is budgeted.
    pub kind: Budgeted,
    /// How much.
    pub amount: u64,
    /// What happens at the limit.
    pub at_limit: AtLimit,
}

/// Reads a file. An error names the line.
pub fn read(path: &Path) -> Result<Policy, CliError> {
    let failed = || CliError::usage(format!("the policy `{}` cannot be used", shown(path)));
    let size = std::fs::metadata(path).map_err(|error| failed().because(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed().hint(format!("a policy has at most {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed().because(&error))?;
    parse(&text).map_err(|Wrong { place, why }| {
        let line = text.get(..place).unwrap_or_default().matches('\n').count() + 1;
        failed().hint(format!("line {line}: {why}"))
    })
}

/// What is wrong, and at which byte of the text.
#[derive(Debug)]
pub struct Wrong {
    place: usize,
    why: String,
}

impl Wrong {
    fn at(span: Option<Range<usize>>, why: impl Display) -> Wrong {
        Wrong { place: span.map_or(0, |span| span.start), why: why.to_string() }
    }
}

/// The tables of a policy.
const TABLES: &str = "[rights], [budget] and [redirect]";

/// Reads a policy.
pub fn parse(text: &str) -> Result<Policy, Wrong> {
    let document =
        Document::parse(text).map_err(|error| Wrong::at(error.span(), error.message()))?;
    let mut policy = Policy::default();
    for (name, item) in document.iter() {
        let span = document.key(name).and_then(|key| key.span()).or_else(|| item.span());
        let Some(table) = item.as_table_like() else {
            let name = printable(name);
            return Err(Wrong::at(span, format!("`{name}` stands alone; there are {TABLES}")));
        };
        match name {
            "rights" => rights(table, &mut policy)?,
            "budget" => budgets(table, &mut policy)?,
            "redirect" => redirections(table, &mut policy)?,
            other => {
                let other = printable(other);
                let why = format!("there is no table [{other}]; there are {TABLES}");
                return Err(Wrong::at(span, why));
            }
        }
    }
    Ok(policy)
}

fn rights(table: &dyn TableLike, policy: &mut Policy) -> Result<(), Wrong> {
    // A file that speaks of rights grants what it lists and nothing else, unless it only denies.
    for (name, item) in table.iter() {
        let list = match name {
            "allow" => &mut policy.allow,
            "deny" => &mut policy.deny,
            other => {
                let other = printable(other);
                let why = format!("[rights] has no `{other}`; there are the lists allow and deny");
                return Err(Wrong::at(span_of(table, name, item), why));
            }
        };
        let expected = "expected a list of rights, such as [\"stdout\", \"connect:tcp:*:443\"]";
        let items = item.as_array();
        let items = items.ok_or_else(|| Wrong::at(item.span(), expected))?;
        for value in items {
            let text = value.as_str().ok_or_else(|| Wrong::at(value.span(), expected))?;
            let right: Permit = text.parse().map_err(|error| Wrong::at(value.span(), error))?;
            list.push(right);
        }
        policy.sandboxed |= name == "allow";
    }
    Ok(())
}

fn budgets(table: &dyn TableLike, policy: &mut Policy) -> Result<(), Wrong> {
    for (name, item) in table.iter() {
        let Some((scope, kind)) = Budgeted::from_limit(name) else {
            let known = Budgeted::ALL.map(|kind| kind.limit(Scope::Process));
            let why = format!(
                "there is no budget `{}`; there are {}, and each with tree_ before it",
                printable(name),
                known.join(", ")
            );
            return Err(Wrong::at(span_of(table, name, item), why));
        };
        let mut line = BudgetLine { scope, kind, amount: 0, at_limit: kind.usual_policy() };
        let expected = "expected a number, a size such as \"64M\", or a table such as \
                        { max = \"64M\", at_limit = \"end\" }";
        let wrong = || Wrong::at(item.span(), expected);
        match item.as_table_like() {
            None => line.amount = amount(item).ok_or_else(wrong)?,
            Some(parts) => {
                line.amount = parts.get("max").and_then(amount).ok_or_else(wrong)?;
                for (part, value) in parts.iter() {
                    match part {
                        "max" => {}
                        "at_limit" => line.at_limit = at_limit(kind, value)?,
                        _ => return Err(Wrong::at(span_of(parts, part, value), expected)),
                    }
                }
            }
        }
        policy.budgets.push(line);
    }
    Ok(())
}

fn amount(item: &Item) -> Option<u64> {
    match item.as_value()? {
        Value::Integer(number) => u64::try_from(*number.value()).ok(),
        Value::String(text) => args::size(text.value()).ok(),
        _ => None,
    }
}

fn at_limit(kind: Budgeted, item: &Item) -> Result<AtLimit, Wrong> {
    const EACH: [(AtLimit, &str); 3] =
        [(AtLimit::Error, "error"), (AtLimit::Wait, "wait"), (AtLimit::End, "end")];
    let text = item.as_str().unwrap_or_default();
    let found = EACH.into_iter().find(|(_, name)| *name == text).map(|(policy, _)| policy);
    found.filter(|policy| kind.allows(*policy)).ok_or_else(|| {
        let allowed = EACH.into_iter().filter(|(policy, _)| kind.allows(*policy));
        let allowed: Vec<_> = allowed.map(|(_, name)| format!("\"{name}\"")).collect();
        let name = kind.limit(Scope::Process);
        Wrong::at(item.span(), format!("at_limit of {name} is {}", allowed.join(" or ")))
    })
}

fn redirections(table: &dyn TableLike, policy: &mut Policy) -> Result<(), Wrong> {
    for (what, item) in table.iter() {
        let expected = "expected where it goes as a text, such as stdout = \"null\"";
        let target = item.as_str().ok_or_else(|| Wrong::at(item.span(), expected))?;
        let redirection = format!("{what}={target}")
            .parse()
            .map_err(|error| Wrong::at(span_of(table, what, item), error))?;
        policy.redirections.push(redirection);
    }
    Ok(())
}

fn span_of(table: &dyn TableLike, name: &str, item: &Item) -> Option<Range<usize>> {
    table.key(name).and_then(|key| key.span()).or_else(|| item.span())
}
