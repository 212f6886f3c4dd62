//! No other name leads to what a diverted one stands for.

use std::future::Future;
use std::sync::Mutex;

use super::*;
use crate::provider::fs::HostDirectory;

/// Diverts `root/log/secret`, and remembers what was opened.
#[derive(Default)]
struct Secret(Mutex<Vec<String>>);

impl Diversion for Secret {
    fn covers(&self, path: &str) -> bool {
        path == "root/log/secret"
    }

    fn covers_below(&self, directory: &str) -> bool {
        ["root/", "root/log"].contains(&directory)
    }

    fn open<'a>(&'a self, path: &'a str, _request: OpenRequest) -> Reply<'a, Arc<dyn File>> {
        self.0.lock().unwrap().push(path.to_owned());
        Box::pin(async { Err(Errno::Nospc) })
    }

    fn metadata<'a>(&'a self, _path: &'a str) -> Reply<'a, Metadata> {
        Box::pin(async { Ok(Metadata::stream(FileType::RegularFile)) })
    }
}

struct World {
    folder: tempfile::TempDir,
    directory: Arc<dyn Directory>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        for name in ["log/secret", "log/other"] {
            std::fs::write(folder.path().join(name), "real").unwrap();
        }
        let host = HostDirectory::open_ambient(folder.path()).unwrap();
        let directory = DivertedDirectory::over(host, "root", Arc::<Secret>::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        World { folder, directory, runtime }
    }

    fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    fn open(&self, path: &str) -> Result<Opened, Errno> {
        let request = OpenRequest { read: true, write: true, follow: true, ..Default::default() };
        self.run(self.directory.open(path.to_owned(), request))
    }
}

#[test]
fn each_spelling_of_a_diverted_name_is_diverted() {
    let world = World::new();
    for path in ["log/secret", "./log//secret", "log/../log/./secret", "log/none/../secret"] {
        assert_eq!(world.open(path).err(), Some(Errno::Nospc), "{path}");
    }
    assert!(matches!(world.open("log/other"), Ok(Opened::File(_))));
    assert_eq!(world.open("../x").err(), Some(Errno::Perm));
    assert_eq!(world.open("/x").err(), Some(Errno::Perm));
}

#[test]
fn a_directory_that_is_opened_diverts_what_is_below_it() {
    let world = World::new();
    let request = OpenRequest { directory: true, ..Default::default() };
    let opened = world.run(world.directory.open("log".to_owned(), request));
    let Ok(Opened::Directory(log)) = opened else { panic!("it is a directory") };
    let open = |directory: &Arc<dyn Directory>| {
        world.run(directory.open("secret".to_owned(), OpenRequest::default())).err()
    };
    assert_eq!(open(&log), Some(Errno::Nospc));
    let child = world.run(world.directory.open_child_dir("log".to_owned())).ok().unwrap();
    assert_eq!(open(&child), Some(Errno::Nospc));
}

#[test]
fn what_could_make_another_name_is_refused() {
    let world = World::new();
    let (directory, text) = (&world.directory, str::to_owned);
    let refused = [
        world.run(directory.symlink(text("secret"), text("log/link"))),
        world.run(directory.link(text("log/secret"), &**directory, text("log/link"))),
        world.run(directory.rename(text("log/secret"), &**directory, text("moved"))),
        world.run(directory.rename(text("log"), &**directory, text("moved"))),
        world.run(directory.rename(text("log/other"), &**directory, text("log/secret"))),
    ];
    assert_eq!(refused, [Err(Errno::Perm); 5]);
    assert_eq!(world.run(directory.rename(text("log/other"), &**directory, text("new"))), Ok(()));
}

#[test]
fn removing_a_diverted_name_leaves_what_is_on_the_disk() {
    let world = World::new();
    assert_eq!(world.run(world.directory.unlink_file("log/secret".to_owned())), Ok(()));
    assert!(world.folder.path().join("log/secret").exists());
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_that_was_there_before_leads_to_the_diversion() {
    let world = World::new();
    for (target, link) in [("log/secret", "a"), ("log", "b"), ("a", "c"), ("d", "d")] {
        std::os::unix::fs::symlink(target, world.folder.path().join(link)).unwrap();
    }
    for path in ["a", "b/secret", "c"] {
        assert_eq!(world.open(path).err(), Some(Errno::Nospc), "{path}");
    }
    assert_eq!(world.open("d").err(), Some(Errno::Loop));
}
