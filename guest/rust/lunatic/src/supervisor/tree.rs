//! A supervisor and all that is below it, as one picture.
//!
//! What must stay true: a picture is taken one supervisor after the other, so that it can show a
//! process that has ended meanwhile; a supervisor that does not answer is shown without children.

use std::fmt;

use crate::Pid;

use super::process::{Call, Description};
use super::{ChildInfo, ChildKind, ChildState, SupervisorRef};

/// How deep a picture goes: what supervises itself must not be followed for ever.
const DEPTH_MAX: usize = 64;

/// A supervisor with all that is below it. It prints itself:
///
/// ```text
/// <0.5> supervisor, OneForOne, 1 in 5s
/// |- cache <0.6> worker, Permanent
/// '- pool <0.7> supervisor, OneForAll, 3 in 5s
///    |- a <0.8> worker, Transient
///    '- b (stopped) worker, Permanent
/// ```
///
/// ```
/// use lunatic::supervisor::{Strategy, Supervisor, Tree};
///
/// let supervisor = Supervisor::new(Strategy::OneForOne).start_link().unwrap();
/// let tree: Tree = supervisor.tree();
/// assert_eq!(tree.to_string(), format!("{} supervisor, OneForOne, 1 in 5s", supervisor.pid()));
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    pid: Pid,
    /// What it is, in a line; why there are no children, if it did not answer.
    line: String,
    /// In the order of start.
    children: Vec<Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Child(ChildInfo),
    Supervisor(String, Tree),
}

impl Tree {
    pub(super) fn gather(supervisor: SupervisorRef) -> Self {
        Self::below(supervisor, DEPTH_MAX)
    }

    fn below(supervisor: SupervisorRef, depth: usize) -> Self {
        let pid = supervisor.pid();
        let Description { flags, dynamic, children } = match supervisor.server.call(Call::Describe)
        {
            Ok(description) => description,
            Err(error) => {
                return Self { pid, line: format!("supervisor: {error}"), children: vec![] };
            }
        };
        let strategy = if dynamic { "dynamic".to_owned() } else { format!("{:?}", flags.strategy) };
        let line = format!("supervisor, {strategy}, {} in {:?}", flags.intensity, flags.period);
        let node = |child: ChildInfo| match (child.kind, child.state) {
            (ChildKind::Supervisor, ChildState::Running(pid)) if depth > 0 => {
                let tree = Self::below(SupervisorRef::from_pid(pid), depth - 1);
                Node::Supervisor(child.id, tree)
            }
            _ => Node::Child(child),
        };
        Self { pid, line, children: children.into_iter().map(node).collect() }
    }

    fn write_children(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        for (index, child) in self.children.iter().enumerate() {
            let last = index + 1 == self.children.len();
            let (branch, below) = if last { ("'-", "  ") } else { ("|-", "| ") };
            write!(f, "\n{indent}{branch} ")?;
            match child {
                Node::Supervisor(id, tree) => {
                    write!(f, "{id} {} {}", tree.pid, tree.line)?;
                    tree.write_children(f, &format!("{indent}{below} "))?;
                }
                Node::Child(child) => {
                    let kind = match child.kind {
                        ChildKind::Worker => "worker",
                        ChildKind::Supervisor => "supervisor",
                    };
                    let state = match child.state {
                        ChildState::Running(pid) => pid.to_string(),
                        ChildState::Stopped => "(stopped)".to_owned(),
                        ChildState::Restarting => "(restarting)".to_owned(),
                    };
                    write!(f, "{} {state} {kind}, {:?}", child.id, child.restart)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.line)?;
        self.write_children(f, "")
    }
}
