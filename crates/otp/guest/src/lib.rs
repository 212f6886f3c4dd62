//! Plays one process of a program with the imports of abi/process.md.
//!
//! The program comes as its first argument, in hexadecimal digits (src/codec.rs of the harness says
//! what the bytes mean), and which process it is as the second, or as the parameter of `child`.
//! What it does goes to standard output in records of 32 bytes; who is who comes from standard
//! input, which gives the whole table whenever it is read.
//!
//! What must stay true: a step is one call of the runtime, and its record is written before
//! anything else is done.

mod abi;
mod receive;
mod sockets;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use wire::{Pair, Table};

/// Longer than any run: an hour in milliseconds.
const FAR: i64 = 3_600_000;

/// A process that is there from the beginning. It begins when it is told to.
#[unsafe(no_mangle)]
pub extern "C" fn root() {
    let who = std::env::args().nth(1).and_then(|who| who.parse().ok()).unwrap_or(u8::MAX);
    receive::go();
    play(who);
}

/// A process that another one spawned.
#[unsafe(no_mangle)]
pub extern "C" fn child(who: i64) {
    play(who as u8);
}

fn play(who: u8) {
    wire::hello(who, abi::own_pid());
    let program = std::env::args().next().unwrap_or_default();
    let program: Vec<u8> = (0..program.len() / 2)
        .map(|at| u8::from_str_radix(&program[2 * at..2 * at + 2], 16).unwrap_or(0))
        .collect();
    let steps = script(&program, who).into();
    let (watches, timers) = (HashMap::new(), HashMap::new());
    let (listeners, streams) = (HashMap::new(), HashMap::new());
    Process { who, steps, watches, timers, listeners, streams }.play();
}

/// A process that hibernates has a message. Its number is the address of what it is.
#[unsafe(no_mangle)]
pub extern "C" fn wake(process: i64) {
    // SAFETY: the address comes from `Process::hibernate`, which gave the box away for this call.
    let process = unsafe { Box::from_raw(process as usize as *mut Process) };
    if !receive::has_message(process.who) {
        process.hibernate();
    }
    wire::seen(process.who, OK, 0, 0, (0, 0));
    process.play();
}

/// One step: its five bytes, and its patterns if it is a receive.
struct Step {
    code: [u8; 5],
    patterns: Vec<[u8; 3]>,
}

/// The steps of a process.
fn script(program: &[u8], who: u8) -> Vec<Step> {
    let mut bytes = program.iter().copied();
    let mut next = || bytes.next().unwrap_or(0);
    let count = next();
    let mut scripts = (0..count).map(|_| {
        let (_root, steps) = (next(), next());
        let mut step = || {
            let code = [next(), next(), next(), next(), next()];
            let patterns = if code[0] == 4 { code[2] } else { 0 };
            Step { code, patterns: (0..patterns).map(|_| [next(), next(), next()]).collect() }
        };
        (0..steps).map(|_| step()).collect()
    });
    scripts.nth(who.into()).unwrap_or_default()
}

struct Process {
    who: u8,
    /// What is still to be done.
    steps: VecDeque<Step>,
    /// References of monitors, and the monitors.
    watches: HashMap<Pair, u8>,
    timers: HashMap<u8, Pair>,
    listeners: HashMap<u8, u64>,
    streams: HashMap<u8, u64>,
}

/// What a limited process may have besides what it has.
const MEMORY_LEFT: usize = 8 << 20;
const PAGE: usize = 1 << 16;
/// Near: nothing depends on how late it is.
const NAP: Duration = Duration::from_millis(3);

/// Where the table of aliases has the numbers of ports.
const PORTS: u8 = 16;

/// The step that gives up the call stack.
const HIBERNATE: u8 = 29;

const OK: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;
const BADARG: u8 = 3;

fn yes(is: bool) -> u8 {
    if is { YES } else { NO }
}

fn fine(is: bool) -> u8 {
    if is { OK } else { BADARG }
}

impl Process {
    fn play(mut self) {
        while let Some(step) = self.steps.pop_front() {
            wire::permit(self.who);
            if step.code[0] == HIBERNATE {
                receive::begins_to_wait(self.who);
                Box::new(self).hibernate();
            }
            self.perform(&step);
        }
        wire::permit(self.who);
    }

    /// Gives up the call stack, and with it everything that is not in the box.
    fn hibernate(self: Box<Self>) -> ! {
        abi::hibernate("wake", Box::into_raw(self) as usize as i64)
    }

    fn perform(&mut self, step: &Step) {
        let [code, a, b, c, d] = step.code;
        let table = Table::read();
        let outcome = match code {
            1 => return self.spawn(a, b == 1, (c == 1).then_some(d)),
            2 => fine(abi::send_pid(table.pid(a), b)),
            3 => fine(abi::send_name(&name(a), b)),
            4 => {
                return receive::receive(
                    self.who,
                    &table,
                    &self.watches,
                    step.code[1],
                    &step.patterns,
                );
            }
            5 => {
                abi::link(table.pid(a));
                OK
            }
            6 => {
                abi::unlink(table.pid(a));
                OK
            }
            7 | 8 => return self.monitor(&table, step.code),
            9 => {
                abi::demonitor(self.watch(a), b == 1);
                OK
            }
            10 => {
                abi::exit(table.pid(a), b);
                OK
            }
            11 => abi::exit_self(a),
            12 => std::process::abort(),
            13 => yes(abi::set_flag(0, u64::from(a)) == Some(1)),
            14 => fine(abi::register(&name(a), table.pid(b))),
            15 => fine(abi::unregister(&name(a))),
            16 => return wire::leads(self.who, abi::whereis(&name(a))),
            17 => self.timer(a, abi::start(table.pid(b), c, delay(d))),
            28 => self.timer(a, abi::start_named(&name(b), c, delay(d))),
            18 => yes(abi::cancel(self.timers[&a])),
            27 => yes(abi::left(self.timers[&a])),
            19 => yes(abi::is_alive(table.pid(a))),
            20 => {
                wire::alias(self.who, a, abi::alias(b == 1));
                OK
            }
            21 => yes(abi::unalias(table.alias(a))),
            22 => fine(abi::send_alias(table.alias(a), b)),
            23 => fine(abi::suspend(table.pid(a))),
            24 => fine(abi::resume(table.pid(a))),
            25 => return self.info(table.pid(a), a, b),
            36..=39 => self.socket(&table, code, a),
            35 => yes(abi::processes().contains(&table.pid(a))),
            code => alone(code, a),
        };
        wire::seen(self.who, outcome, 0, 0, (0, 0));
    }

    fn socket(&mut self, table: &Table, code: u8, port: u8) -> u8 {
        match code {
            36 => {
                let (listener, number) = sockets::listen();
                self.listeners.insert(port, listener);
                wire::alias(self.who, PORTS + port, (u64::from(number), 0));
            }
            37 => {
                let (number, _) = table.alias(PORTS + port);
                self.streams.insert(port, sockets::connect(number as u16));
            }
            38 => {
                self.streams.insert(port, sockets::accept(self.listeners[&port]));
            }
            _ => return yes(sockets::is_closed(self.streams[&port])),
        }
        OK
    }

    fn watch(&self, watch: u8) -> Pair {
        let made = self.watches.iter().find(|(_, made)| **made == watch);
        made.map_or((0, 0), |(reference, _)| *reference)
    }

    fn spawn(&mut self, child: u8, link: bool, watch: Option<u8>) {
        let (pid, reference) = abi::spawn(child, link, watch.is_some());
        if let Some(watch) = watch {
            self.watches.insert(reference, watch);
        }
        wire::spawned(self.who, child, pid);
    }

    fn monitor(&mut self, table: &Table, [code, to, watch, alias, mode]: [u8; 5]) {
        let flags = if alias == u8::MAX { 0 } else { i32::from(mode) + 1 };
        let reference = match code {
            7 => abi::monitor(table.pid(to), flags),
            _ => abi::monitor_name(&name(to), flags),
        };
        self.watches.insert(reference, watch);
        if alias != u8::MAX {
            wire::alias(self.who, alias, reference);
        }
        wire::seen(self.who, OK, 0, 0, (0, 0));
    }

    fn timer(&mut self, timer: u8, reference: Pair) -> u8 {
        self.timers.insert(timer, reference);
        OK
    }

    fn info(&self, pid: Pair, of: u8, query: u8) {
        match abi::info(pid) {
            None => wire::seen(self.who, 9, 0, 0, (0, 0)),
            Some(info) if query == 4 => {
                wire::seen(self.who, yes(info.trap_exit == 1), 0, 0, (0, 0));
            }
            Some(info) => {
                let count = [info.messages, info.links, info.monitors, info.watchers];
                wire::count(self.who, of, query, count[usize::from(query)]);
            }
        }
    }
}

/// A step that is about nobody else.
fn alone(code: u8, a: u8) -> u8 {
    match code {
        26 => fine(abi::set_flag(1, u64::from(a)).is_some()),
        30 => fine(abi::set_flag(4, u64::from(a)).is_some()),
        31 => {
            abi::limit_memory(MEMORY_LEFT);
            OK
        }
        32 => {
            std::arch::wasm32::memory_grow::<0>(2 * MEMORY_LEFT / PAGE);
            OK
        }
        33 => loop {
            std::hint::spin_loop();
        },
        34 => {
            let begin = Instant::now();
            abi::sleep(NAP);
            yes(begin.elapsed() >= NAP)
        }
        _ => BADARG,
    }
}

fn name(name: u8) -> String {
    format!("otp_{name}")
}

fn delay(wait: u8) -> i64 {
    if wait == 0 { 0 } else { FAR }
}
