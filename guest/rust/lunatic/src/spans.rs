//! What the facade `tracing` collects, as lines on standard error with pid, target and spans: the
//! feature `tracing`.
//!
//! What must stay true: a span is kept until its last handle goes; a line shows the spans that are
//! entered, the outermost first. Each process has its own, and a child begins without any.

use core::fmt::{self, Write as _};
use std::sync::Mutex;

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Interest, Level, Metadata, Subscriber};

/// A span that has handles.
struct Span {
    /// Its name and fields, as lines show them.
    text: String,
    metadata: &'static Metadata<'static>,
    handles: usize,
}

#[derive(Default)]
struct State {
    /// By number, counted from 1; the places of spans that are gone are used again.
    spans: Vec<Option<Span>>,
    /// Those that are entered, the innermost last.
    entered: Vec<Id>,
}

impl State {
    fn get(&mut self, id: &Id) -> Option<&mut Span> {
        let index = usize::try_from(id.into_u64()).ok()?.checked_sub(1)?;
        self.spans.get_mut(index)?.as_mut()
    }
}

/// Writes lines for what is as important as a level, or more.
pub(crate) struct Lines {
    /// From 0, nothing, to 5, everything.
    level: usize,
    write: fn(&str),
    state: Mutex<State>,
}

fn number(level: Level) -> usize {
    [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG]
        .iter()
        .position(|other| *other == level)
        .map_or(5, |at| at + 1)
}

impl Lines {
    pub(crate) fn new(level: usize, write: fn(&str)) -> Lines {
        Lines { level, write, state: Mutex::default() }
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        // A process has one thread; what a caught panic has left is still whole.
        act(&mut self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    fn line(&self, event: &Event<'_>) -> String {
        let metadata = event.metadata();
        let mut line = format!("{:5} {} ", metadata.level(), crate::logger::whose());
        line.push_str(metadata.target());
        line.push_str(": ");
        self.with(|state| {
            for id in core::mem::take(&mut state.entered) {
                if let Some(span) = state.get(&id) {
                    line.push_str(&span.text);
                    line.push_str(": ");
                }
                state.entered.push(id);
            }
        });
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.push_str(&fields.message);
        if !fields.message.is_empty() && !fields.others.is_empty() {
            line.push(' ');
        }
        line.push_str(&fields.others);
        line
    }
}

/// Fields as text, the message apart.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A string takes any text.
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let blank = if self.others.is_empty() { "" } else { " " };
            let _ = write!(self.others, "{blank}{}={value:?}", field.name());
        }
    }
}

impl Subscriber for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) <= self.level
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        let mut text = metadata.name().to_owned();
        if !fields.others.is_empty() {
            let _ = write!(text, "{{{}}}", fields.others);
        }
        let span = Span { text, metadata, handles: 1 };
        self.with(|state| {
            let free = state.spans.iter().position(Option::is_none);
            let at = free.unwrap_or_else(|| {
                state.spans.push(None);
                state.spans.len() - 1
            });
            state.spans[at] = Some(span);
            Id::from_u64(at as u64 + 1)
        })
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.with(|state| {
            if let Some(span) = state.get(id) {
                let inner = span.text.strip_suffix('}').map(str::to_owned);
                span.text = match inner {
                    Some(inner) => format!("{inner} {}}}", fields.others),
                    None => format!("{}{{{}}}", span.text, fields.others),
                };
            }
        });
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let line = self.line(event);
        (self.write)(&line);
    }

    fn enter(&self, id: &Id) {
        self.with(|state| state.entered.push(id.clone()));
    }

    fn exit(&self, id: &Id) {
        self.with(|state| {
            if let Some(at) = state.entered.iter().rposition(|entered| entered == id) {
                state.entered.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.with(|state| {
            if let Some(span) = state.get(id) {
                span.handles += 1;
            }
        });
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.with(|state| {
            let Some(span) = state.get(&id) else { return false };
            span.handles -= 1;
            let gone = span.handles == 0;
            if gone {
                state.spans[id.into_u64() as usize - 1] = None;
            }
            gone
        })
    }

    fn current_span(&self) -> Current {
        self.with(|state| {
            let Some(id) = state.entered.last().cloned() else { return Current::none() };
            match state.get(&id) {
                Some(span) => Current::new(id, span.metadata),
                None => Current::none(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn keep(line: &str) {
        LINES.with_borrow_mut(|lines| lines.push(line.to_owned()));
    }

    fn lines(level: usize, act: impl FnOnce()) -> Vec<String> {
        tracing::subscriber::with_default(Lines::new(level, keep), act);
        let whose = crate::logger::whose();
        let lines = LINES.take();
        lines.iter().map(|line| line.replace(&format!(" {whose} "), " - ")).collect()
    }

    #[test]
    fn a_line_has_level_target_spans_message_and_fields() {
        let seen = lines(5, || {
            tracing::info!(target: "shop", items = 3, "sold");
            let outer = tracing::info_span!("order", number = 7, late = tracing::field::Empty);
            let _entered = outer.enter();
            tracing::info_span!("pay").in_scope(|| tracing::warn!(target: "shop", "slow"));
            outer.record("late", true);
            tracing::trace!(target: "shop", why = "no message");
        });
        assert_eq!(
            seen,
            [
                "INFO  - shop: sold items=3",
                "WARN  - shop: order{number=7}: pay: slow",
                "TRACE - shop: order{number=7 late=true}: why=\"no message\"",
            ]
        );
    }

    #[test]
    fn what_is_less_important_than_the_level_is_not_seen() {
        let seen = lines(2, || {
            tracing::error!(target: "t", "one");
            tracing::warn!(target: "t", "two");
            tracing::info!(target: "t", "three");
        });
        assert_eq!(seen, ["ERROR - t: one", "WARN  - t: two"]);
        assert!(lines(0, || tracing::error!("nothing")).is_empty());
    }

    #[test]
    fn a_span_is_forgotten_with_its_last_handle() {
        let spans = Lines::new(5, keep);
        let left = |lines: &Lines| lines.with(|state| state.spans.iter().flatten().count());
        let dispatch = tracing::Dispatch::new(spans);
        tracing::dispatcher::with_default(&dispatch, || {
            let span = tracing::info_span!("a");
            let other = span.clone();
            let lines = dispatch.downcast_ref::<Lines>().unwrap();
            assert_eq!(left(lines), 1);
            drop(span);
            assert_eq!(left(lines), 1);
            drop(other);
            assert_eq!(left(lines), 0);
        });
    }
}
