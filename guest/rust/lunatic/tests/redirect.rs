//! What processes write, read and ask for, answered by processes.

use std::io::{Read as _, Write as _};

use lunatic::net::{TcpListener, TcpStream};
use lunatic::redirect::{
    Answer, Connected, Errno, Metadata, Opened, Redirect, Request, Shown, Written,
};
use lunatic::server::{Caller, Init, Next, Server};
use lunatic::{Config, ExitReason, Mailbox, Spawn};

/// A directory with one file, which says what it was asked for.
struct Files {
    opened: u32,
}

const TEXT: &[u8] = b"from a process";

impl Files {
    fn stat(answer: Answer<Metadata>) {
        answer.reply(&Ok(Metadata { kind: 4, size: TEXT.len() as u64, ..Metadata::default() }));
    }
}

impl Server for Files {
    type Argument = ();
    type Call = Request;
    type Cast = Request;
    type Message = Caller<u32>;

    fn init((): ()) -> Init<Self> {
        Init::ok(Files { opened: 0 })
    }

    fn handle_call(&mut self, request: Request) -> Next<Self> {
        match request {
            Request::Open { path, answer, .. } if path == "data/a.txt" => {
                self.opened += 1;
                answer.reply(&Ok(Opened::File(7)));
            }
            Request::Open { answer, .. } => answer.reply(&Err(Errno::NOENT)),
            Request::StatOpen { handle: 7, answer } => Self::stat(answer),
            Request::Stat { answer, .. } => Self::stat(answer),
            Request::Read { handle: 7, offset, length, answer } => {
                let begin = TEXT.len().min(offset as usize);
                let end = TEXT.len().min(begin + length as usize);
                answer.reply(&Ok(TEXT[begin..end].into()));
            }
            other => other.refuse(),
        }
        Next::wait()
    }

    fn handle_cast(&mut self, request: Request) -> Next<Self> {
        let Request::Close { handle: 7 } = request else { panic!("no cast: {request:?}") };
        self.opened -= 1;
        Next::stop(if self.opened == 0 { ExitReason::Normal } else { "still open".into() })
    }
}

#[lunatic::test]
fn a_server_can_be_a_directory() {
    fn read((): (), _: Mailbox<()>) -> Result<(), Box<dyn std::error::Error>> {
        let missing = std::fs::read("data/b.txt").unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
        assert_eq!(std::fs::read("data/a.txt")?, TEXT);
        Ok(())
    }
    let files = Files::start(()).unwrap();
    let end = files.pid().monitor();
    let ask = Redirect::ask("dir:data", files);
    let config = Config::new().unwrap().redirect(&ask).unwrap();
    let (_, monitor) = Spawn::new().config(&config).spawn_monitor((), read).unwrap();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
    assert_eq!(end.wait(None).unwrap().reason, ExitReason::Normal, "the file was closed");
}

#[lunatic::test]
fn a_process_is_told_what_children_write_and_theirs(mailbox: Mailbox<Written>) {
    fn write(deeper: bool, _: Mailbox<()>) {
        if deeper {
            lunatic::spawn_monitor(false, write).1.wait(None).unwrap();
        }
        std::io::stderr().write_all(if deeper { b"child" } else { b"grandchild" }).unwrap();
    }
    // Who may not write does not write elsewhere either.
    let config = Config::new().unwrap().can_spawn(true).allow("stderr").unwrap();
    let config = config.redirect(&Redirect::tell("stderr", mailbox.this())).unwrap();
    Spawn::new().config(&config).spawn(true, write).unwrap();
    for expected in ["grandchild", "child"] {
        let Written { source, data } = mailbox.receive().unwrap();
        assert_eq!((&*source, &data[..]), ("stderr", expected.as_bytes()));
    }
}

#[lunatic::test]
fn what_makes_no_sense_is_refused() {
    let config = Config::new().unwrap();
    let error = config.redirect(&Redirect::new("nothing", "null")).unwrap_err();
    assert!(!error.to_string().is_empty());
}

/// Connects whoever asks to itself.
struct Gate;

impl Server for Gate {
    type Argument = ();
    type Call = Request;
    type Cast = Request;
    type Message = ();

    fn init((): ()) -> Init<Self> {
        Init::ok(Gate)
    }

    fn handle_call(&mut self, request: Request) -> Next<Self> {
        let Request::Connect { port, answer, .. } = request else {
            request.refuse();
            return Next::wait();
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        other.write_all(&port.to_be_bytes()).unwrap();
        answer.reply(&Ok(Connected(stream)));
        Next::wait()
    }
}

#[lunatic::test]
fn a_server_can_be_a_network() {
    fn connect((): (), _: Mailbox<()>) -> Result<(), Box<dyn std::error::Error>> {
        let mut bytes = [0; 2];
        TcpStream::connect("10.1.2.3:513")?.read_exact(&mut bytes)?;
        assert_eq!(bytes, [2, 1]);
        Ok(())
    }
    let ask = Redirect::ask("connect:tcp:10.0.0.0/8", Gate::start(()).unwrap());
    // The child needs the right to connect all the same.
    let config = Config::new().unwrap().allow_connect("tcp:10.0.0.0/8").unwrap();
    let config = config.redirect(&ask).unwrap();
    let (_, monitor) = Spawn::new().config(&config).spawn_monitor((), connect).unwrap();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
}

/// A clock that goes by sleeps alone, and input of two lines.
struct World {
    now: u64,
}

impl Server for World {
    type Argument = ();
    type Call = Request;
    type Cast = Request;
    type Message = ();

    fn init((): ()) -> Init<Self> {
        Init::ok(World { now: 0 })
    }

    fn handle_call(&mut self, request: Request) -> Next<Self> {
        const INPUT: &[u8] = b"first\nsecond\n";
        let shown = |now| Ok(Shown { realtime: now + 86_400_000_000_000, monotonic: now });
        match request {
            Request::Clock { answer } => answer.reply(&shown(self.now)),
            Request::Wait { until, answer } => {
                self.now = until;
                answer.reply(&shown(self.now));
            }
            Request::ReadStream { source, offset, length, answer } if source == "stdin" => {
                let begin = INPUT.len().min(offset as usize);
                let end = INPUT.len().min(begin + length as usize);
                answer.reply(&Ok(INPUT[begin..end].into()));
            }
            other => other.refuse(),
        }
        Next::wait()
    }
}

#[lunatic::test]
fn a_server_can_be_the_clock_and_the_input() {
    let world = World::start(()).unwrap();
    let config = Config::new()
        .unwrap()
        .allow("clocks")
        .unwrap()
        .allow("stdin")
        .unwrap()
        .redirect(&Redirect::ask("clock", world))
        .unwrap()
        .redirect(&Redirect::ask("stdin", world))
        .unwrap();
    let (_, monitor) = Spawn::new()
        .config(&config)
        .spawn_monitor((), |(), _: Mailbox<()>| {
            use std::time::{Duration, Instant, SystemTime};
            let began = Instant::now();
            // A day of the server's time, and none of ours.
            std::thread::sleep(Duration::from_secs(86_400));
            assert_eq!(began.elapsed(), Duration::from_secs(86_400));
            let days = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(days, Duration::from_secs(2 * 86_400));
            let lines: Vec<_> = std::io::stdin().lines().map(Result::unwrap).collect();
            assert_eq!(lines, ["first", "second"]);
        })
        .unwrap();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
}
