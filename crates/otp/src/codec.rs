//! Programs as bytes, for runners in other languages, and traces that come back from them.
//!
//! A program is: the number of processes; for each, 1 if it is there from the beginning, the number
//! of steps, the steps. A step is five bytes, an opcode and its operands; a receive is followed by
//! its patterns, three bytes each. An event is five bytes: the process, a code, three operands.
//! `erl/runner.erl` and the guest read the same.

use crate::program::{
    Alias, AliasMode, End, Item, Name, Outcome, Pattern, Priority, Program, Query, QueueData,
    Reason, Socket, Step, To, Trace, Wait, Watch, Who,
};

/// The bytes of one event.
pub const EVENT_BYTES: usize = 5;

/// A program as bytes.
pub fn encode(program: &Program) -> Vec<u8> {
    let roots = program.roots();
    let mut bytes = vec![program.scripts.len() as u8];
    for who in program.everybody() {
        let steps = program.steps(who);
        bytes.extend([u8::from(roots.contains(&who)), steps.len() as u8]);
        steps.iter().for_each(|step| encode_step(step, &mut bytes));
    }
    bytes
}

fn encode_step(step: &Step, bytes: &mut Vec<u8>) {
    bytes.extend(match step {
        Step::Spawn { child, link, monitor } => {
            let watch = monitor.map_or(u8::MAX, |watch| watch.0);
            [1, child.0, u8::from(*link), u8::from(monitor.is_some()), watch]
        }
        Step::Send { to: To::Process(to), tag } => [2, to.0, *tag, 0, 0],
        Step::Send { to: To::Name(name), tag } => [3, name.0, *tag, 0, 0],
        Step::Receive { patterns, wait } => [4, wait_code(*wait), patterns.len() as u8, 0, 0],
        Step::Link(who) => [5, who.0, 0, 0, 0],
        Step::Unlink(who) => [6, who.0, 0, 0, 0],
        Step::Send { to: To::Alias(alias), tag } => [22, alias.0, *tag, 0, 0],
        Step::Monitor { to, watch, alias } => {
            let (opcode, to) = operand(*to);
            let (alias, mode) = match alias {
                None => (u8::MAX, 0),
                Some((Alias(alias), AliasMode::Explicit)) => (*alias, 0),
                Some((Alias(alias), AliasMode::Demonitor)) => (*alias, 1),
                Some((Alias(alias), AliasMode::Reply)) => (*alias, 2),
            };
            [7 + opcode, to, watch.0, alias, mode]
        }
        Step::Demonitor { watch, flush } => [9, watch.0, u8::from(*flush), 0, 0],
        Step::Exit { to, reason } => [10, to.0, reason_code(*reason), 0, 0],
        Step::Raise(reason) => [11, reason_code(*reason), 0, 0, 0],
        Step::Crash => [12, 0, 0, 0, 0],
        Step::Trap(on) => [13, u8::from(*on), 0, 0, 0],
        Step::Register { name, to } => [14, name.0, to.0, 0, 0],
        Step::Unregister(name) => [15, name.0, 0, 0, 0],
        Step::Whereis(name) => [16, name.0, 0, 0, 0],
        Step::Timer { timer, to, tag, wait } => {
            let (opcode, to) = operand(*to);
            [[17, 28][usize::from(opcode)], timer.0, to, *tag, wait_code(*wait)]
        }
        Step::Cancel(timer) => [18, timer.0, 0, 0, 0],
        Step::Alive(who) => [19, who.0, 0, 0, 0],
        Step::Alias { alias, reply } => [20, alias.0, u8::from(*reply), 0, 0],
        Step::Unalias(alias) => [21, alias.0, 0, 0, 0],
        Step::Suspend(who) => [23, who.0, 0, 0, 0],
        Step::Resume(who) => [24, who.0, 0, 0, 0],
        Step::Info { of, query } => [25, of.0, query_code(*query), 0, 0],
        Step::Priority(priority) => [26, priority_code(*priority), 0, 0, 0],
        Step::Left(timer) => [27, timer.0, 0, 0, 0],
        Step::Hibernate => [29, 0, 0, 0, 0],
        Step::Socket(Socket::Listen(port)) => [36, port.0, 0, 0, 0],
        Step::Socket(Socket::Connect(port)) => [37, port.0, 0, 0, 0],
        Step::Socket(Socket::Accept(port)) => [38, port.0, 0, 0, 0],
        Step::Socket(Socket::Closed(port)) => [39, port.0, 0, 0, 0],
        Step::Limit => [31, 0, 0, 0, 0],
        Step::Grow => [32, 0, 0, 0, 0],
        Step::Spin => [33, 0, 0, 0, 0],
        Step::Nap => [34, 0, 0, 0, 0],
        Step::Listed(who) => [35, who.0, 0, 0, 0],
        Step::QueueData(place) => [30, queue_data_code(*place), 0, 0, 0],
    });
    if let Step::Receive { patterns, .. } = step {
        bytes.extend(patterns.iter().flat_map(|pattern| match *pattern {
            Pattern::Any => [0, 0, 0],
            Pattern::Tag(tag) => [1, tag, 0],
            Pattern::From(who) => [2, who.0, 0],
            Pattern::FromTag(who, tag) => [3, who.0, tag],
            Pattern::Exit => [4, 0, 0],
            Pattern::ExitOf(who) => [5, who.0, 0],
            Pattern::Down => [6, 0, 0],
            Pattern::DownOf(Watch(watch)) => [7, watch, 0],
        }));
    }
}

fn query_code(query: Query) -> u8 {
    match query {
        Query::Messages => 0,
        Query::Links => 1,
        Query::Monitors => 2,
        Query::Watchers => 3,
        Query::Traps => 4,
    }
}

/// The number in the ABI; the wrong one is none there.
pub fn priority_code(priority: Priority) -> u8 {
    match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
        Priority::Wrong => 9,
    }
}

/// The number in the ABI; the wrong one is none there.
pub fn queue_data_code(place: QueueData) -> u8 {
    match place {
        QueueData::OnHeap => 0,
        QueueData::OffHeap => 1,
        QueueData::Wrong => 9,
    }
}

/// 0 with a process, 1 with a name. Only messages go to aliases.
fn operand(to: To) -> (u8, u8) {
    match to {
        To::Process(who) => (0, who.0),
        To::Name(name) => (1, name.0),
        To::Alias(alias) => (1, alias.0),
    }
}

fn wait_code(wait: Wait) -> u8 {
    match wait {
        Wait::Zero => 0,
        Wait::Far => 1,
        Wait::Infinite => 2,
    }
}

const CUSTOM: u8 = 16;

/// A reason as a byte.
pub fn reason_code(reason: Reason) -> u8 {
    match reason {
        Reason::Normal => 0,
        Reason::Kill => 1,
        Reason::Killed => 2,
        Reason::Shutdown => 3,
        Reason::Noproc => 4,
        Reason::Crash => 5,
        Reason::Custom(index) => CUSTOM + index,
        Reason::Unknown => u8::MAX,
    }
}

/// The reason of a byte.
pub fn reason_of(code: u8) -> Reason {
    match code {
        0 => Reason::Normal,
        1 => Reason::Kill,
        2 => Reason::Killed,
        3 => Reason::Shutdown,
        4 => Reason::Noproc,
        5 => Reason::Crash,
        code if (CUSTOM..CUSTOM + Reason::CUSTOM.len() as u8).contains(&code) => {
            Reason::Custom(code - CUSTOM)
        }
        _ => Reason::Unknown,
    }
}

/// Adds the event of five bytes to a trace; false if there is no such event.
pub fn decode_event(trace: &mut Trace, event: [u8; EVENT_BYTES]) -> bool {
    let [who, code, a, b, _] = event;
    let outcome = match code {
        0 => Outcome::Ok,
        1 => Outcome::Is(true),
        2 => Outcome::Is(false),
        3 => Outcome::Badarg,
        4 => Outcome::Timeout,
        5 => Outcome::Got(Item::Message { from: Who(a), tag: b }),
        6 => Outcome::Got(Item::Exit { from: Who(a), reason: reason_of(b) }),
        7 => Outcome::Got(Item::Down { watch: Watch(a), reason: reason_of(b) }),
        8 => Outcome::Leads(Some(Who(a))),
        9 => Outcome::Leads(None),
        10 => Outcome::Count(a),
        20..=22 => {
            let end = match code {
                20 => End::Ended(reason_of(a)),
                21 => End::Stuck,
                _ => End::Gone,
            };
            return trace.ends.get_mut(usize::from(who)).map(|slot| *slot = end).is_some();
        }
        _ => return false,
    };
    trace.events.push((Who(who), outcome));
    usize::from(who) < trace.ends.len()
}

/// Reads a whole trace.
pub fn decode_trace(program: &Program, bytes: &[u8]) -> Option<Trace> {
    let mut trace = Trace { events: Vec::new(), ends: vec![End::Unborn; program.scripts.len()] };
    let (events, rest) = bytes.as_chunks::<EVENT_BYTES>();
    let whole = rest.is_empty() && events.iter().all(|event| decode_event(&mut trace, *event));
    whole.then_some(trace)
}

/// The name of a registered name, where names are texts.
pub fn name_text(Name(name): Name) -> String {
    format!("otp_{name}")
}
