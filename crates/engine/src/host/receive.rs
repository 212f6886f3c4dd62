//! `lunatic::message`: receiving by patterns, with all that is known of what came.

use lunatic_model::{Filter, Kinds, Pattern, Tag};
use wasmtime::{Caller, Linker, Result, bail, format_err};

use crate::host::bonds::known_flags;
use crate::host::identity::{self, pid_pair, reference_pair};
use crate::host::{TIMED_OUT, reason, timeout};
use crate::memory::{bytes, bytes_mut, check, split, unsigned};
use crate::state::{Notice, Slot, State};

const NAMESPACE: &str = "lunatic::message";
const HEADER_BYTES: usize = 64;
const PATTERN_BYTES: usize = 48;
/// Patterns of one receive: each is held against each message.
const PATTERNS_MAX: usize = 256;

/// `receive_with`: only what has arrived since the mark.
const SINCE_MARK: i32 = 1;
/// What a pattern compares.
const TAG: u32 = 1;
const FROM: u32 = 1 << 1;
const REFERENCE: u32 = 1 << 2;

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap_async(
        NAMESPACE,
        "receive_with",
        |caller, (patterns, count, flags, timeout, header): (i32, i32, i32, i64, i32)| {
            Box::new(receive_with(caller, patterns, count, flags, timeout, header))
        },
    )?;
    linker.func_wrap(NAMESPACE, "mark", mark)?;
    linker.func_wrap(NAMESPACE, "monitored_name", monitored_name)?;
    Ok(())
}

async fn receive_with(
    mut caller: Caller<'_, State>,
    patterns_pointer: i32,
    count: i32,
    flags: i32,
    milliseconds: i64,
    header_pointer: i32,
) -> Result<i32> {
    known_flags(flags, SINCE_MARK)?;
    if unsigned(count) > PATTERNS_MAX {
        bail!("a receive takes at most {PATTERNS_MAX} patterns");
    }
    check(&mut caller, &[(header_pointer, HEADER_BYTES)])?;
    let (memory, _) = split(&mut caller)?;
    // At most 256 times 48.
    let length = (unsigned(count) * PATTERN_BYTES) as i32;
    let (records, _) = bytes(memory, patterns_pointer, length)?.as_chunks();
    let patterns = records.iter().map(pattern).collect::<Result<Vec<_>>>()?;
    let filter = Filter::patterns(patterns);
    let process = caller.data().process.clone();
    let timeout = timeout(milliseconds);
    let receive = if flags & SINCE_MARK == 0 {
        process.receive(filter, timeout)
    } else {
        process.receive_marked(filter, timeout)
    };
    let Some(envelope) = receive.await else { return Ok(TIMED_OUT) };
    caller.data_mut().set_slot(envelope.into());
    let header = header(&mut caller.data_mut().slot);
    let (memory, _) = split(&mut caller)?;
    bytes_mut(memory, header_pointer, HEADER_BYTES)?.copy_from_slice(&header);
    Ok(0)
}

fn pattern(record: &[u8; PATTERN_BYTES]) -> Result<Pattern> {
    let u32_at = |at| u32::from_le_bytes(std::array::from_fn(|byte| record[at + byte]));
    let i64_at = |at| i64::from_le_bytes(std::array::from_fn(|byte| record[at + byte]));
    let (kinds, compared) = (u32_at(0), u32_at(4));
    let kinds = Kinds::from_bits(kinds)
        .ok_or_else(|| format_err!("a pattern takes some of the kinds 1, 2 and 4, not {kinds}"))?;
    if compared & !(TAG | FROM | REFERENCE) != 0 {
        bail!("a pattern compares {compared:#x}, some of which does not exist");
    }
    let if_compared = |what| compared & what != 0;
    Ok(Pattern {
        kinds,
        tag: if_compared(TAG).then(|| Tag(i64_at(8))),
        from: if_compared(FROM).then(|| identity::pid(i64_at(16), i64_at(24))),
        reference: if_compared(REFERENCE).then(|| identity::reference(i64_at(32), i64_at(40))),
    })
}

fn header(slot: &mut Slot) -> [u8; HEADER_BYTES] {
    let (kind, tag, from, reference) = match &*slot {
        Slot::Data { message, .. } => (0, message.tag, message.from, message.reference.as_deref()),
        Slot::Exit(notice) => (1, notice.tag, Some(notice.from), None),
        Slot::Down(notice) => (2, Tag::NONE, Some(notice.from), notice.reference.as_ref()),
        Slot::Empty => (0, Tag::NONE, None, None),
    };
    let [from_node, from] = from.map_or([0, 0], pid_pair);
    let [reference_node, reference] = reference_pair(reference.copied());
    let (reason_kind, data, resources, name) = match slot {
        Slot::Data { message, .. } => (0, message.data.len(), message.resources.len(), 0),
        Slot::Exit(notice) | Slot::Down(notice) => {
            let Notice { reason, data, name, .. } = &mut **notice;
            let data = data.get_or_insert_with(|| reason::data(reason));
            (reason::kind(reason), data.len(), 0, name.as_ref().map_or(0, |name| name.len()))
        }
        Slot::Empty => (0, 0, 0, 0),
    };
    let mut header = [0; HEADER_BYTES];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &u32::to_le_bytes(kind));
    put(4, &reason_kind.to_le_bytes());
    put(8, &tag.0.to_le_bytes());
    for (place, number) in
        [from_node, from, reference_node, reference, data as u64].iter().enumerate()
    {
        put(16 + 8 * place, &number.to_le_bytes());
    }
    // Both are bounded by limits far below.
    put(56, &u32::try_from(resources).unwrap_or(u32::MAX).to_le_bytes());
    put(60, &u32::try_from(name).unwrap_or(u32::MAX).to_le_bytes());
    header
}

fn mark(caller: Caller<'_, State>) {
    caller.data().process.set_mark();
}

/// Copies the name that was monitored, as much of it as there is room for, and gives its length; 0
/// if the slot holds nothing that was monitored by name.
fn monitored_name(mut caller: Caller<'_, State>, pointer: i32, room: i32) -> Result<i32> {
    let (memory, state) = split(&mut caller)?;
    let place = bytes_mut(memory, pointer, unsigned(room))?;
    let name = match &state.slot {
        Slot::Down(notice) => notice.name.as_deref().unwrap_or_default(),
        Slot::Empty | Slot::Data { .. } | Slot::Exit(_) => "",
    };
    let count = name.len().min(place.len());
    place[..count].copy_from_slice(&name.as_bytes()[..count]);
    // A name is bounded by name_bytes_max.
    Ok(i32::try_from(name.len()).unwrap_or(i32::MAX))
}
