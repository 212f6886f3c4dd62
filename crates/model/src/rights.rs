//! Rights: what a process may do, and how far it reaches among other processes. A child's are the
//! meet of its parent's and what was asked for, so they are equal or narrower by construction.
//!
//! Each right has one written form ([`Right`]), the same in configurations, flags, policy files
//! and reports.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use crate::{Access, NetworkRights, NetworkRule};

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights(u32);

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        impl Rights {
            $($(#[$doc])* pub const $name: Rights = Rights(1 << $bit);)*
            /// Each right by itself, with its written form.
            pub const EACH: &[(Rights, &str)] = &[$((Rights::$name, $text)),*];
            /// Everything.
            pub const ALL: Rights = Rights(0 $(| 1 << $bit)*);
        }
    };
}

rights! {
    /// Spawn processes.
    SPAWN = 0, "spawn";
    /// Compile modules.
    COMPILE_MODULES = 1, "compile";
    /// Make configurations for children.
    CREATE_CONFIGS = 2, "configs";
    /// Read standard input.
    STDIN = 3, "stdin";
    /// Write standard output.
    STDOUT = 4, "stdout";
    /// Write standard error.
    STDERR = 5, "stderr";
    /// See the time. Without it clocks stand still; sleeping works.
    CLOCKS = 6, "clocks";
    /// Random numbers. Without it they are always the same.
    RANDOM = 7, "random";
    /// Give, take and look up names of processes.
    NAMES = 8, "names";
    /// Set timers.
    TIMERS = 9, "timers";
    /// Open databases.
    SQLITE = 10, "sqlite";
    /// Record metrics.
    METRICS = 11, "metrics";
    /// Use other nodes.
    DISTRIBUTED = 12, "distributed";
    /// Listen and connect at unix sockets.
    UNIX_SOCKETS = 13, "unix";
    /// Redirect children, itself and descendants.
    REDIRECT = 14, "redirect";
}

impl Rights {
    /// Nothing.
    pub const NONE: Rights = Rights(0);
    /// What `--allow` grants beside what it names: streams, clocks, random numbers, spawning.
    pub const BASIC: Rights = Rights(
        Rights::SPAWN.0
            | Rights::STDIN.0
            | Rights::STDOUT.0
            | Rights::STDERR.0
            | Rights::CLOCKS.0
            | Rights::RANDOM.0,
    );

    /// Whether all of `wanted` is in the set.
    #[inline]
    pub fn contains(self, wanted: Rights) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// The written form of a set of one right.
    pub fn name(self) -> &'static str {
        Rights::EACH.iter().find(|(one, _)| *one == self).map_or("several", |(_, name)| *name)
    }

    /// The set with `right` added or removed.
    #[must_use]
    pub fn with(self, right: Rights, granted: bool) -> Rights {
        if granted { Rights(self.0 | right.0) } else { Rights(self.0 & !right.0) }
    }

    /// What is in both sets: what a parent with `self` gives to a child that asks for `wish`.
    #[must_use]
    pub fn narrowed(self, wish: Rights) -> Rights {
        Rights(self.0 & wish.0)
    }
}

impl BitOr for Rights {
    type Output = Rights;

    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}

/// A set of processes, seen from one. Itself is always in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Extent {
    /// Nobody else.
    None,
    /// Whom it has spawned, and so on.
    Descendants,
    /// These and its parent.
    Family,
    /// All of its environment.
    Tree,
}

impl Extent {
    /// Each with its written form.
    pub const EACH: [(Extent, &'static str); 4] = [
        (Extent::None, "none"),
        (Extent::Descendants, "descendants"),
        (Extent::Family, "family"),
        (Extent::Tree, "tree"),
    ];
}

/// What is done with another process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Send a message.
    Send,
    /// Watch it.
    Monitor,
    /// Link with it.
    Link,
    /// Ask it to exit, kill or suspend it, take its name.
    Exit,
    /// See that it lives, and its state.
    Inspect,
}

impl Deed {
    /// Each with its written form.
    pub const EACH: [(Deed, &'static str); 5] = [
        (Deed::Send, "send"),
        (Deed::Monitor, "monitor"),
        (Deed::Link, "link"),
        (Deed::Exit, "exit"),
        (Deed::Inspect, "inspect"),
    ];
}

/// How far a process reaches, for each deed. Who is out of reach is as if there were no such
/// process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach([Extent; 5]);

impl Reach {
    /// Nobody.
    pub const NONE: Reach = Reach([Extent::None; 5]);
    /// Everybody in the environment.
    pub const WHOLE: Reach = Reach([Extent::Tree; 5]);
    /// Of code that is not trusted: to send to and watch parent and descendants; the rest with
    /// descendants only.
    pub const SANDBOX: Reach = Reach([
        Extent::Family,
        Extent::Family,
        Extent::Descendants,
        Extent::Descendants,
        Extent::Descendants,
    ]);

    /// The extent of a deed.
    #[inline]
    pub fn of(&self, deed: Deed) -> Extent {
        self.0[deed as usize]
    }

    /// The same with another extent for a deed.
    #[must_use]
    pub fn with(mut self, deed: Deed, extent: Extent) -> Reach {
        self.0[deed as usize] = extent;
        self
    }

    /// The widest extent of all.
    pub fn widest(&self) -> Extent {
        self.0.into_iter().max().unwrap_or(Extent::None)
    }

    /// What a parent with `self` gives to a child that asks for `wish`. The parent of the child is
    /// the one process that it may reach and its parent may not, which is that parent.
    #[must_use]
    pub fn narrowed(self, wish: Reach) -> Reach {
        Reach(std::array::from_fn(|deed| self.0[deed].min(wish.0[deed])))
    }
}

/// One right as it is written: the name of one of [`Rights::EACH`], `resolve`, `connect:RULE`,
/// `bind:RULE`, or the name of a [`Deed`] with a [`Extent`], such as `send:family`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    /// One of the set.
    Flag(Rights),
    /// To look up names of hosts.
    Resolve,
    /// To use addresses.
    Network(Access, NetworkRule),
    /// To reach processes.
    Reach(Deed, Extent),
}

/// The text is no right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is no right: {why}")]
pub struct RightError {
    text: String,
    why: String,
}

impl RightError {
    pub(crate) fn new(text: &str, why: String) -> RightError {
        RightError { text: text.chars().take(80).collect(), why }
    }
}

impl FromStr for Right {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Right, RightError> {
        let refused = |why: String| RightError::new(text, why);
        if let Some((right, _)) = Rights::EACH.iter().find(|(_, name)| *name == text) {
            return Ok(Right::Flag(*right));
        }
        if text == "resolve" {
            return Ok(Right::Resolve);
        }
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let access = match name {
            "connect" => Some(Access::Connect),
            "bind" => Some(Access::Bind),
            _ => None,
        };
        if let Some(access) = access {
            let rule = rest.parse().map_err(|error| refused(format!("{error}")))?;
            return Ok(Right::Network(access, rule));
        }
        if let Some((deed, _)) = Deed::EACH.into_iter().find(|(_, deed)| *deed == name) {
            let extent = Extent::EACH.into_iter().find(|(_, extent)| *extent == rest);
            let (extent, _) = extent
                .ok_or_else(|| refused("the extent is none, descendants, family or tree".into()))?;
            return Ok(Right::Reach(deed, extent));
        }
        let names: Vec<_> = Rights::EACH.iter().map(|(_, name)| *name).collect();
        Err(refused(format!(
            "there are {}, resolve, connect:RULE, bind:RULE; send, monitor, link, exit, inspect \
             with an extent, such as send:family; read, write, create, remove, files with a \
             directory, such as read:data; and env:NAME",
            names.join(", ")
        )))
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Right::Flag(set) => {
                let names = Rights::EACH.iter().filter(|(right, _)| set.contains(*right));
                let names: Vec<_> = names.map(|(_, name)| *name).collect();
                f.write_str(&names.join(" "))
            }
            Right::Resolve => f.write_str("resolve"),
            Right::Network(Access::Connect, rule) => write!(f, "connect:{rule}"),
            Right::Network(Access::Bind, rule) => write!(f, "bind:{rule}"),
            Right::Reach(deed, extent) => {
                write!(f, "{}:{}", Deed::EACH[*deed as usize].1, Extent::EACH[*extent as usize].1)
            }
        }
    }
}

/// Everything that a process may do by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// The set.
    pub rights: Rights,
    /// Whom it reaches.
    pub reach: Reach,
    /// Which addresses it may use.
    pub network: NetworkRights,
}

/// Why a grant did not change.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GrantError {
    /// See [`crate::NETWORK_RULES_MAX`].
    #[error(transparent)]
    TooManyRules(#[from] crate::TooManyRules),
    /// A part of a network cannot be taken out of a rule.
    #[error("only all of an access can be taken away, as `connect:*` or `bind:*`, not `{0}`")]
    PartOfNetwork(Right),
}

impl Grant {
    /// Everything.
    pub const ALL: Grant =
        Grant { rights: Rights::ALL, reach: Reach::WHOLE, network: NetworkRights::ALL };
    /// Nothing, and the reach of a sandbox.
    pub const SANDBOX: Grant =
        Grant { rights: Rights::NONE, reach: Reach::SANDBOX, network: NetworkRights::NONE };

    /// Adds a right.
    pub fn allow(&mut self, right: Right) -> Result<(), GrantError> {
        match right {
            Right::Flag(right) => self.rights = self.rights | right,
            Right::Resolve => self.network.resolve = true,
            Right::Network(access, rule) => self.network.allow(access, rule)?,
            Right::Reach(deed, extent) => {
                self.reach = self.reach.with(deed, self.reach.of(deed).max(extent));
            }
        }
        Ok(())
    }

    /// Takes a right away. Of a reach, the extent and all that are wider.
    pub fn deny(&mut self, right: Right) -> Result<(), GrantError> {
        match right {
            Right::Flag(right) => self.rights = self.rights.with(right, false),
            Right::Resolve => self.network.resolve = false,
            Right::Network(access, NetworkRule::ALL) => self.network.deny_all(access),
            Right::Network(..) => return Err(GrantError::PartOfNetwork(right)),
            Right::Reach(deed, extent) => {
                let left = match extent {
                    Extent::None | Extent::Descendants => Extent::None,
                    Extent::Family => Extent::Descendants,
                    Extent::Tree => Extent::Family,
                };
                self.reach = self.reach.with(deed, self.reach.of(deed).min(left));
            }
        }
        Ok(())
    }

    /// What a parent with `self` gives to a child that asks for `wish`.
    pub fn narrowed(&self, wish: &Grant) -> Result<Grant, crate::TooManyRules> {
        Ok(Grant {
            rights: self.rights.narrowed(wish.rights),
            reach: self.reach.narrowed(wish.reach),
            network: self.network.narrowed(&wish.network)?,
        })
    }
}
