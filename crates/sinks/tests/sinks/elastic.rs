//! A server that knows Elasticsearch's `_bulk` and nothing else, checks it strictly, and fails as
//! it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use crate::WATCHDOG;

/// What the server does with one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Answers with this status, and stores nothing.
    Status(u16),
    /// Stores all but every third line, for which it answers 429.
    Partly,
    /// Stores all but the first line, which it refuses for good.
    RefusesOne,
    /// Stores all, and closes the connection without an answer.
    ForgetsToAnswer,
    /// Closes the connection in the middle of the request.
    ClosesMidway,
    /// Answers 200 with something that is no answer.
    Garbage,
}

#[derive(Default)]
struct State {
    /// Messages by id.
    stored: BTreeMap<String, String>,
    /// What the next requests meet.
    faults: VecDeque<Fault>,
    /// What was wrong with requests.
    complaints: Vec<String>,
    /// With so many documents, requests are cut off in the middle.
    full_at: Option<usize>,
    /// Items that were sent again although they had been stored.
    conflicts: usize,
}

/// The documents, which survive a restart of the server.
#[derive(Clone, Default)]
pub struct Store(Arc<(Mutex<State>, Condvar)>);

impl Store {
    pub fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.0.lock().unwrap().faults.extend(faults);
    }

    /// From so many documents on, no request is answered, until this is taken back.
    pub fn stop_at(&self, documents: Option<usize>) {
        self.0.0.lock().unwrap().full_at = documents;
    }

    pub fn messages(&self) -> Vec<String> {
        let state = self.0.0.lock().unwrap();
        assert!(state.complaints.is_empty(), "{:?}", state.complaints);
        state.stored.values().cloned().collect()
    }

    pub fn conflicts(&self) -> usize {
        self.0.0.lock().unwrap().conflicts
    }

    /// Waits until so many documents are there.
    pub fn wait_for(&self, count: usize) {
        let (state, changed) = &*self.0;
        let fewer = |state: &mut State| state.stored.len() < count && state.complaints.is_empty();
        let (state, waited) =
            changed.wait_timeout_while(state.lock().unwrap(), WATCHDOG, fewer).unwrap();
        assert!(!waited.timed_out(), "{} of {count} documents", state.stored.len());
    }

    fn change<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let result = act(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        result
    }
}

/// A running server. Dropping it closes the port.
pub struct Server {
    pub address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    pub fn start(store: &Store) -> Server {
        Server::start_at("127.0.0.1:0".parse().unwrap(), store)
    }

    pub fn start_at(address: SocketAddr, store: &Store) -> Server {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (over, store, connections) = (ended.clone(), store.clone(), open.clone());
        let thread = std::thread::spawn(move || {
            let mut servants = Vec::new();
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let stream = stream.unwrap();
                connections.lock().unwrap().push(stream.try_clone().unwrap());
                let store = store.clone();
                servants.push(std::thread::spawn(move || {
                    while serve(&stream, &store).is_ok_and(|goes_on| goes_on) {}
                    stream.shutdown(std::net::Shutdown::Both).ok();
                }));
            }
            drop(listener);
            servants.into_iter().for_each(|servant| servant.join().unwrap());
        });
        Server { address, ended, thread: Some(thread), open }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the accept.
        TcpStream::connect(self.address).ok();
        for stream in self.open.lock().unwrap().drain(..) {
            stream.shutdown(std::net::Shutdown::Both).ok();
        }
        if let Some(thread) = self.thread.take() {
            // One connection may have come in between.
            while !thread.is_finished() {
                for stream in self.open.lock().unwrap().drain(..) {
                    stream.shutdown(std::net::Shutdown::Both).ok();
                }
                std::thread::yield_now();
            }
            thread.join().unwrap();
        }
    }
}

/// One request; false if the connection is to be closed.
fn serve(stream: &TcpStream, store: &Store) -> std::io::Result<bool> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        head.iter().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let fault = store.change(|state| match state.full_at {
        Some(full) if state.stored.len() >= full => Some(Fault::ClosesMidway),
        _ => state.faults.pop_front(),
    });
    if fault == Some(Fault::ClosesMidway) {
        reader.read_exact(&mut vec![0; length / 2])?;
        return Ok(false);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let items = match items(&head[0], header("content-type").as_deref(), &body) {
        Ok(items) => items,
        Err(complaint) => {
            store.change(|state| state.complaints.push(complaint));
            return answer(stream, 400, &json!({}));
        }
    };
    match fault {
        Some(Fault::Status(status)) => answer(stream, status, &json!({ "status": status })),
        Some(Fault::Garbage) => answer(stream, 200, &json!({ "items": [] })),
        fault => {
            let answers = store.change(|state| {
                let items = items.iter().enumerate();
                let answer = |(at, item)| created(state, fault, at, item);
                items.map(answer).collect::<Vec<_>>()
            });
            if fault == Some(Fault::ForgetsToAnswer) {
                return Ok(false);
            }
            answer(stream, 200, &json!({ "took": 1, "errors": true, "items": answers }))
        }
    }
}

fn created(
    state: &mut State,
    fault: Option<Fault>,
    at: usize,
    (id, message): &(String, String),
) -> Value {
    let status = match fault {
        Some(Fault::Partly) if at % 3 == 2 => 429,
        Some(Fault::RefusesOne) if at == 0 => 400,
        _ if state.stored.contains_key(id) => {
            state.conflicts += 1;
            409
        }
        _ => {
            state.stored.insert(id.clone(), message.clone());
            201
        }
    };
    json!({ "create": { "_index": "logs", "_id": id, "status": status } })
}

/// The ids and messages of a request, or what is wrong with it.
fn items(
    request: &str,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Vec<(String, String)>, String> {
    let demand = |good: bool, what: &str| if good { Ok(()) } else { Err(what.to_owned()) };
    demand(request == "POST /logs/_bulk HTTP/1.1", request)?;
    demand(content_type == Some("application/x-ndjson"), "the content type")?;
    let body = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    demand(body.ends_with('\n'), "the newline at the end")?;
    let lines: Vec<&str> = body.lines().collect();
    demand(lines.len().is_multiple_of(2), "an action without a document")?;
    let item = |pair: &[&str]| {
        let value = |line: &str| serde_json::from_str::<Value>(line).map_err(|e| e.to_string());
        let (action, document) = (value(pair[0])?, value(pair[1])?);
        let id = action["create"]["_id"].as_str().ok_or("an action without an id")?;
        demand(action.as_object().is_some_and(|action| action.len() == 1), "one action")?;
        demand(id.len() <= 512, "the length of an id")?;
        let time = document["@timestamp"].as_str().ok_or("a document without a time")?;
        demand(time.ends_with('Z') && time.len() == 27, time)?;
        demand(document["log"]["source"].is_string(), "the source")?;
        let message = document["message"].as_str().ok_or("a document without a message")?;
        Ok((id.to_owned(), message.to_owned()))
    };
    lines.chunks(2).map(item).collect()
}

fn answer(mut stream: &TcpStream, status: u16, body: &Value) -> std::io::Result<bool> {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(true)
}
