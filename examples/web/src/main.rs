//! An HTTP service with a database behind it. The framework gives each request a process; one more
//! process owns the database. If that fails, its supervisor starts it again.
//!
//! Run it: `lunatic run --release examples/web 127.0.0.1:7003 notes.db`
//!
//! ```sh
//! curl -d 'buy milk' http://127.0.0.1:7003/notes
//! curl http://127.0.0.1:7003/notes
//! ```

use lunatic::ap::{Config, ProcessRef};
use lunatic::sqlite::{Query, SqliteClient, Value};
use lunatic::supervisor::{Supervisor, SupervisorConfig};
use lunatic::{abstract_process, AbstractProcess};
use serde::{Deserialize, Serialize};
use submillisecond::http::StatusCode;
use submillisecond::{router, Application, Json};

const STORE: &str = "store";

#[derive(Serialize, Deserialize)]
struct Note {
    id: i64,
    text: String,
}

struct Store {
    database: SqliteClient,
}

#[abstract_process]
impl Store {
    #[init]
    fn init(_: Config<Self>, path: String) -> Result<Self, ()> {
        let database = SqliteClient::connect(&path).map_err(drop)?;
        // Readers and the writer don't wait for each other, and only checkpoints for the disk.
        database.query("pragma journal_mode = wal");
        database.query("pragma synchronous = normal");
        database
            .execute("create table if not exists notes (id integer primary key, text text)")
            .map_err(drop)?;
        Ok(Self { database })
    }

    #[handle_request]
    fn add(&self, text: String) -> i64 {
        let insert = "insert into notes (text) values (?) returning id";
        let rows = self.database.prepare_query(insert).bind(text).execute();
        rows[0][0].as_int_any().expect("an id is a number")
    }

    /// The last hundred, the newest first.
    #[handle_request]
    fn list(&self) -> Vec<Note> {
        let rows = self.database.query("select id, text from notes order by id desc limit 100");
        rows.into_iter().filter_map(note).collect()
    }
}

fn note(row: Vec<Value>) -> Option<Note> {
    let [id, text] = <[Value; 2]>::try_from(row).ok()?;
    Some(Note { id: id.as_int_any()?, text: text.into_text()? })
}

struct Stores;

impl Supervisor for Stores {
    type Arg = String;
    type Children = (Store,);

    fn init(config: &mut SupervisorConfig<Self>, path: String) {
        config.children_args(((path, Some(STORE.to_owned())),));
    }
}

fn store() -> ProcessRef<Store> {
    ProcessRef::lookup(&STORE).expect("the supervisor keeps a store under this name")
}

fn health() -> &'static str {
    "well"
}

fn add(text: String) -> (StatusCode, String) {
    (StatusCode::CREATED, store().add(text).to_string())
}

fn list() -> Json<Vec<Note>> {
    Json(store().list())
}

fn main() -> std::io::Result<()> {
    let argument = |nth, or: &str| std::env::args().nth(nth).unwrap_or_else(|| or.to_owned());
    Stores::start(argument(2, "notes.db")).expect("a database that can be opened");
    let application = Application::new(router! {
        GET "/health" => health
        GET "/notes" => list
        POST "/notes" => add
    });
    application.serve(argument(1, "127.0.0.1:7003"))
}
