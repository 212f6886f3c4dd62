//! The bounded queue between writers and the task that sends, and the account of every line.
//!
//! **Invariant:** `taken == arrived + refused + overflowed + waiting`, at every moment at which the
//! lock is free. Lines on their way stay in the queue until their fate is known, so that they count
//! against its bounds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

use crate::options::{Loss, Options};

/// What a line counts for besides its bytes.
const LINE_OVERHEAD_BYTES: usize = 64;

/// What became of the lines so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// Lines that were written.
    pub taken: u64,
    /// Lines that the destination confirmed, or, where it confirms nothing, that the system took.
    pub arrived: u64,
    /// Lines that the destination will never take, by its own word.
    pub refused: u64,
    /// Lines that were dropped because the queue was full.
    pub overflowed: u64,
    /// Lines that are not yet any of these.
    pub waiting: u64,
    /// Attempts beyond the first, counted for each line.
    pub repeated: u64,
}

impl Figures {
    /// Lines that will never arrive.
    pub fn dropped(&self) -> u64 {
        self.refused + self.overflowed
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Counts from 1 in this sink: with the sink's own id, the id of the line.
    pub(crate) sequence: u64,
    pub(crate) time: SystemTime,
    pub(crate) source: Arc<str>,
    pub(crate) text: Arc<[u8]>,
}

impl Line {
    fn cost(&self) -> usize {
        self.text.len() + LINE_OVERHEAD_BYTES
    }
}

/// What became of one line of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Arrived,
    Refused,
    /// To be sent again.
    Again,
}

pub(crate) struct Queue {
    options: Options,
    state: Mutex<State>,
    /// To the task: there is a line, or an end.
    pub(crate) arrived: Notify,
    /// To writers: there may be room.
    room: Notify,
    /// To whoever waits for the end: a fate is known.
    pub(crate) settled: Notify,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    bytes: usize,
    /// So many at the front are on their way.
    sending: usize,
    figures: Figures,
    hurried: bool,
}

impl Queue {
    pub(crate) fn new(options: Options) -> Queue {
        Queue {
            options,
            state: Mutex::default(),
            arrived: Notify::new(),
            room: Notify::new(),
            settled: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every section leaves the account whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn figures(&self) -> Figures {
        self.lock().figures
    }

    /// Takes a line, which waits for room, or is dropped, or lets another be dropped.
    pub(crate) async fn push(&self, source: &Arc<str>, text: Vec<u8>) {
        let text: Arc<[u8]> = text.into();
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // Enabled before the look at the queue, so that room in between is not missed.
            room.as_mut().enable();
            if self.try_push(source, &text, self.options.loss) {
                return;
            }
            room.await;
        }
    }

    /// Takes a line or drops it.
    pub(crate) fn push_at_once(&self, source: &Arc<str>, text: Vec<u8>) {
        let loss = match self.options.loss {
            Loss::Block => Loss::DropNewest,
            other => other,
        };
        self.try_push(source, &text.into(), loss);
    }

    /// False if the writer has to wait.
    fn try_push(&self, source: &Arc<str>, text: &Arc<[u8]>, loss: Loss) -> bool {
        let mut state = self.lock();
        let sequence = state.figures.taken + 1;
        let time = SystemTime::now();
        let line = Line { sequence, time, source: source.clone(), text: text.clone() };
        while !self.has_room(&state, line.cost()) {
            match loss {
                Loss::Block => return false,
                Loss::DropOldest if state.lines.len() > state.sending => {
                    let at = state.sending;
                    let oldest = state.lines.remove(at);
                    state.bytes -= oldest.map_or(0, |line| line.cost());
                    state.figures.overflowed += 1;
                    state.figures.waiting -= 1;
                }
                Loss::DropOldest | Loss::DropNewest => {
                    state.figures.taken += 1;
                    state.figures.overflowed += 1;
                    return true;
                }
            }
        }
        state.bytes += line.cost();
        state.lines.push_back(line);
        state.figures.taken += 1;
        state.figures.waiting += 1;
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// An empty queue takes any line, however long.
    fn has_room(&self, state: &State, cost: usize) -> bool {
        state.lines.is_empty()
            || (state.lines.len() < self.options.queue_lines
                && state.bytes.saturating_add(cost) <= self.options.queue_bytes)
    }

    /// Whether there is nothing to send, and whether waiting would not make the next batch larger.
    pub(crate) fn look(&self, bytes_max: usize) -> (bool, bool) {
        let state = self.lock();
        let enough = state.lines.len() >= self.options.batch_lines || state.bytes >= bytes_max;
        (state.lines.is_empty(), enough || state.hurried)
    }

    /// The lines that are sent next. They stay in the queue until their fate is told.
    pub(crate) fn batch(&self, bytes_max: usize) -> Vec<Line> {
        let mut state = self.lock();
        let mut bytes = 0;
        let mut batch = Vec::new();
        for line in state.lines.iter().take(self.options.batch_lines) {
            bytes += line.cost();
            if bytes > bytes_max && !batch.is_empty() {
                break;
            }
            batch.push(line.clone());
        }
        state.sending = batch.len();
        batch
    }

    /// Tells what became of the batch. Lines that are to be sent again are first in the queue.
    pub(crate) fn settle(&self, batch: &[Line], fates: &[Fate]) {
        let mut state = self.lock();
        let mut again = Vec::new();
        for fate in fates.iter().take(batch.len()) {
            let Some(line) = state.lines.pop_front() else { break };
            if *fate == Fate::Again {
                state.figures.repeated += 1;
                again.push(line);
                continue;
            }
            state.bytes -= line.cost();
            state.figures.waiting -= 1;
            match fate {
                Fate::Arrived => state.figures.arrived += 1,
                Fate::Refused | Fate::Again => state.figures.refused += 1,
            }
        }
        for line in again.into_iter().rev() {
            state.lines.push_front(line);
        }
        state.sending = 0;
        drop(state);
        self.room.notify_waiters();
        self.settled.notify_waiters();
    }

    /// Nothing waits for company any more: somebody waits for the end.
    pub(crate) fn hurry(&self) {
        self.lock().hurried = true;
        self.arrived.notify_one();
    }
}
