//! What processes were denied. All denials of the runtime come to [`Process::deny`].
//!
//! For each process and right the first denial is told to the observer at once, and how many there
//! were when the process ends; of addresses each, up to [`DENIED_ADDRESSES_MAX`]. So what is kept
//! is bounded, and a denial that is known costs a count.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use lunatic_model::{Pid, Protocol};

use crate::lock;
use crate::process::Process;

/// Addresses that are told apart for each right of a process. What it tries beyond is counted.
pub const DENIED_ADDRESSES_MAX: usize = 16;
/// Denials that are kept for who asks for each, between two times that he asks.
const KEPT_MAX: usize = 64;

/// One right that a process lacked, as an observer hears of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// Who was denied it.
    pub pid: Pid,
    /// Where that process began.
    pub entry: Arc<str>,
    /// The kind of right, such as `connect`.
    pub right: &'static str,
    /// What would have allowed it, as it is written in `--allow` and policies. Empty for all
    /// addresses beyond those that are told apart.
    pub grant: String,
    /// What was tried first; empty where the grant is.
    pub tried: String,
    /// How often so far.
    pub count: u64,
    /// The process has ended, so there will be no more.
    pub ended: bool,
}

/// The denials of one process.
#[derive(Default)]
pub(crate) struct Denials(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    counted: Vec<Counted>,
    /// Each denial, with what would have allowed it and what was tried, where somebody wants that.
    kept: Option<Vec<(String, String)>>,
}

struct Counted {
    right: &'static str,
    subject: Subject,
    grant: String,
    tried: String,
    text: Arc<str>,
    count: u64,
}

/// What a right was lacked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// For whatever it is that the right allows.
    Any,
    Address(Protocol, SocketAddr),
    /// For addresses beyond those that are told apart.
    Others,
}

impl Process {
    /// This process was denied something for want of a right. `first` gives what would have
    /// allowed it and what was tried; it is asked once for each right of a process. Gives the text
    /// of an error for the guest, which speaks of the first denial.
    #[cold]
    pub fn deny(&self, right: &'static str, first: impl FnOnce() -> (String, String)) -> Arc<str> {
        self.deny_subject(right, Subject::Any, first)
    }

    /// The same for a right to an address, of which each is told apart, up to a limit.
    #[cold]
    pub fn deny_address(
        &self,
        right: &'static str,
        (protocol, address): (Protocol, SocketAddr),
        first: impl FnOnce() -> (String, String),
    ) {
        // Flow and scope of IPv6 are no part of what is granted.
        let address = SocketAddr::new(address.ip(), address.port());
        self.deny_subject(right, Subject::Address(protocol, address), first);
    }

    fn deny_subject(
        &self,
        right: &'static str,
        mut subject: Subject,
        first: impl FnOnce() -> (String, String),
    ) -> Arc<str> {
        let denials = self.denials.get_or_init(Box::default);
        let mut inner = lock(&denials.0);
        let Inner { counted, kept } = &mut *inner;
        // Whoever tries again and again costs no more than who may.
        if kept.is_none() {
            for known in counted.iter_mut() {
                if known.subject == subject && known.right == right {
                    known.count = known.count.saturating_add(1);
                    return known.text.clone();
                }
            }
        }
        let mut first = Some(first);
        let mut texts = None;
        if let Some(kept) = kept.as_mut().filter(|kept| kept.len() < KEPT_MAX) {
            texts = first.take().map(|first| first());
            kept.extend(texts.clone());
        }
        let of_right = counted.iter().filter(|known| known.right == right);
        let (mut known, mut addresses) = (false, 0);
        for one in of_right {
            known |= one.subject == subject;
            addresses += usize::from(matches!(one.subject, Subject::Address(..)));
        }
        if !known && subject != Subject::Any && addresses >= DENIED_ADDRESSES_MAX {
            subject = Subject::Others;
        }
        let same = |known: &&mut Counted| known.right == right && known.subject == subject;
        if let Some(known) = counted.iter_mut().find(same) {
            known.count = known.count.saturating_add(1);
            return known.text.clone();
        }
        let (grant, tried) = match subject {
            Subject::Any | Subject::Address(..) => {
                texts.or_else(|| first.map(|first| first())).unwrap_or_default()
            }
            Subject::Others => Default::default(),
        };
        let text: Arc<str> = missing(&grant).into();
        let new = Counted { right, subject, grant, tried, text: text.clone(), count: 1 };
        let told = (subject != Subject::Others).then(|| self.denial(&new, false));
        counted.push(new);
        drop(inner);
        if let Some(told) = told {
            self.environment().node().tell_denied(&told);
        }
        text
    }

    /// From now on each denial is kept for [`Process::take_denials`].
    pub fn keep_denials(&self) {
        lock(&self.denials.get_or_init(Box::default).0).kept.get_or_insert_default();
    }

    /// The denials since the last time, at most 64: what would have allowed each, and what was
    /// tried.
    pub fn take_denials(&self) -> Vec<(String, String)> {
        let denials = self.denials.get().map(|denials| lock(&denials.0));
        let kept = denials.and_then(|mut inner| inner.kept.as_mut().map(std::mem::take));
        kept.unwrap_or_default()
    }

    fn denial(&self, counted: &Counted, ended: bool) -> Denial {
        Denial {
            pid: self.pid(),
            entry: self.entry().clone(),
            right: counted.right,
            grant: counted.grant.clone(),
            tried: counted.tried.clone(),
            count: counted.count,
            ended,
        }
    }

    /// Tells how many there were of those that came more than once, or that were not told at all.
    pub(crate) fn tell_denials(&self) {
        let Some(denials) = self.denials.get() else { return };
        let counted = std::mem::take(&mut lock(&denials.0).counted);
        let untold = |known: &&Counted| known.count > 1 || known.subject == Subject::Others;
        for known in counted.iter().filter(untold) {
            self.environment().node().tell_denied(&self.denial(known, true));
        }
    }
}

/// The text for a guest that lacks a right.
pub fn missing(grant: &str) -> String {
    format!(
        "this process may not do this: it lacks the right `{grant}`; grant it in the configuration \
         with which it is spawned (config_allow), or with `lunatic run --allow '{grant}'`"
    )
}
