//! What the root process may do and use, as flags and a policy file say. Decisions only.
//!
//! Nothing said: everything, as under older runtimes. Anything allowed, or `--sandbox`: nothing
//! but that, and what every `--allow` brings. What is denied is taken away in the end.

mod file;

use std::path::{Path, PathBuf};

use lunatic_model::{FileDeed, Permit};
use lunatic_wasi::Access as FileAccess;

use crate::args::GuestArgs;
use crate::error::CliError;
use crate::guest::Preopen;
use crate::runtime::{Access, Grant, NetworkRule, Reach, Redirection, Right, Rights};

pub use file::BudgetLine;

/// What a policy file and flags say together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Nothing is granted but what is allowed.
    pub sandboxed: bool,
    /// Rights that are granted.
    pub allow: Vec<Permit>,
    /// Rights that are taken away.
    pub deny: Vec<Permit>,
    /// Budgets of the root and its tree.
    pub budgets: Vec<BudgetLine>,
    /// What goes elsewhere.
    pub redirections: Vec<Redirection>,
}

impl Policy {
    /// What these flags say, with the file that they name.
    pub fn of(flags: &GuestArgs) -> Result<Policy, CliError> {
        let mut policy = flags.policy.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let network = |access| move |rule: &_| Permit::Right(Right::Network(access, *rule));
        let mut flagged = flags.allow.clone();
        flagged.extend(flags.allow_connect.iter().map(network(Access::Connect)));
        flagged.extend(flags.allow_bind.iter().map(network(Access::Bind)));
        if !flags.allow_connect.is_empty() {
            flagged.push(Permit::Right(Right::Resolve));
        }
        policy.sandboxed |= flags.sandbox || !flagged.is_empty();
        if !flagged.is_empty() {
            policy.allow.push(Permit::Right(Right::Flag(Rights::BASIC)));
        }
        policy.allow.extend(flagged);
        policy.deny.extend(flags.deny.iter().cloned());
        if flags.deny_network {
            let all = |access| Right::Network(access, NetworkRule::ALL);
            let rights = [all(Access::Connect), all(Access::Bind), Right::Resolve];
            policy.deny.extend(rights.map(Permit::Right));
        }
        // Flags are the last word.
        policy.redirections.extend(flags.redirect.iter().cloned());
        Ok(policy)
    }

    /// What the root may do by itself. Its environment is its own, so it reaches all of it.
    pub fn grant(&self) -> Result<Grant, CliError> {
        let mut grant = Grant::ALL;
        if self.sandboxed {
            grant = Grant { reach: Reach::WHOLE, ..Grant::SANDBOX };
        }
        for right in rights(&self.allow) {
            grant.allow(right).map_err(|error| {
                let text = right.to_string();
                let text = text.split_once(':').map_or(text.as_str(), |(_, rule)| rule);
                CliError::usage(format!("`{text}` is one rule too many")).because(&error)
            })?;
        }
        for right in rights(&self.deny) {
            let refused =
                |error| CliError::usage(format!("`{right}` cannot be denied")).because(&error);
            grant.deny(right).map_err(refused)?;
        }
        Ok(grant)
    }

    /// Adds the directories that are allowed, and takes away what is denied.
    pub fn change_directories(&self, directories: &mut Vec<Preopen>) -> Result<(), CliError> {
        for permit in &self.allow {
            let Permit::Files(deed, path) = permit else { continue };
            let (host, guest) = path.split_once("::").unwrap_or((path, path));
            if host.is_empty() || guest.is_empty() {
                let message = format!("`{permit}` names no directory");
                return Err(CliError::usage(message).hint("write read:HOST or read:HOST::GUEST"));
            }
            match directories.iter_mut().find(|known| known.guest == guest) {
                Some(known) if known.host == Path::new(host) => {
                    known.access = known.access.or(access(*deed));
                }
                Some(known) => {
                    let message = format!(
                        "`{permit}` gives a second directory the name `{guest}`: `{}` has it",
                        known.host.display()
                    );
                    return Err(CliError::usage(message).hint("give it another, as HOST::GUEST"));
                }
                None => directories.push(Preopen {
                    host: PathBuf::from(host),
                    guest: guest.to_owned(),
                    access: access(*deed),
                }),
            }
        }
        for permit in &self.deny {
            let Permit::Files(deed, name) = permit else { continue };
            let mut found = false;
            directories.retain_mut(|known| {
                if known.guest == *name {
                    found = true;
                    known.access = known.access.without(access(*deed));
                }
                known.access != FileAccess::NONE
            });
            if !found {
                let names: Vec<_> = directories.iter().map(|known| known.guest.as_str()).collect();
                let message = format!("`{permit}` cannot be denied: no directory has this name");
                return Err(CliError::usage(message).hint(match names.is_empty() {
                    true => "the guest has none".to_owned(),
                    false => format!("the guest has {}", names.join(", ")),
                }));
            }
        }
        Ok(())
    }

    /// Whether the guest inherits a variable of this command.
    pub fn inherits(&self, name: &str) -> bool {
        let allowed = self.allow.iter().any(|permit| is_variable(permit, name));
        (!self.sandboxed || allowed) && !self.denies(name)
    }

    /// Whether a variable is denied, wherever it comes from.
    pub fn denies(&self, name: &str) -> bool {
        self.deny.iter().any(|permit| is_variable(permit, name))
    }
}

fn is_variable(permit: &Permit, name: &str) -> bool {
    matches!(permit, Permit::Variable(known) if known == name || known == "*")
}

fn rights(permits: &[Permit]) -> impl Iterator<Item = Right> {
    permits.iter().filter_map(|permit| match permit {
        Permit::Right(right) => Some(*right),
        Permit::Files(..) | Permit::Variable(_) => None,
    })
}

fn access(deed: FileDeed) -> FileAccess {
    match deed {
        FileDeed::Read => FileAccess::READ,
        FileDeed::Write => FileAccess { write: true, ..FileAccess::NONE },
        FileDeed::Create => FileAccess { create: true, ..FileAccess::NONE },
        FileDeed::Remove => FileAccess { remove: true, ..FileAccess::NONE },
        FileDeed::All => FileAccess::FULL,
    }
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
