//! A directory in which some names lead elsewhere.
//!
//! Names are judged after symbolic links and `..` have been resolved, so that no other name leads
//! to what a diverted one stands for; and what could make one afterwards (links, and moving what is
//! diverted or may hold it) is refused with `Perm`. What lies under a diverted name on the disk is
//! neither read nor changed.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;

use super::{Directory, Entry, File, OpenRequest, Opened, Reply, SocketPath, SocketUse};
use crate::errno::Errno;
use crate::types::{FileType, Metadata, NewTimes};

/// Symbolic links that one path goes through at most.
const LINKS_MAX: usize = 40;

/// Which names lead elsewhere, and where. Names begin with what guests call the directory.
pub trait Diversion: Send + Sync {
    /// Whether this name is diverted.
    fn covers(&self, path: &str) -> bool;
    /// Whether a name below this directory may be.
    fn covers_below(&self, directory: &str) -> bool;
    /// What stands behind a diverted name.
    fn open<'a>(&'a self, path: &'a str, request: OpenRequest) -> Reply<'a, Arc<dyn File>>;
    /// What is told of it without opening it.
    fn metadata<'a>(&'a self, path: &'a str) -> Reply<'a, Metadata>;
}

/// A directory with diverted names.
pub struct DivertedDirectory {
    inner: Arc<dyn Directory>,
    /// What guests call it.
    name: String,
    diversion: Arc<dyn Diversion>,
}

/// A path without links.
struct Found {
    /// From this directory on.
    path: String,
    /// With the directory's name.
    full: String,
}

impl DivertedDirectory {
    /// `inner`, which guests know as `name`.
    pub fn over(
        inner: Arc<dyn Directory>,
        name: impl Into<String>,
        diversion: Arc<dyn Diversion>,
    ) -> Arc<dyn Directory> {
        Arc::new(DivertedDirectory { inner, name: name.into(), diversion })
    }

    fn within(&self, inner: Arc<dyn Directory>, found: &Found) -> Arc<dyn Directory> {
        DivertedDirectory::over(inner, found.full.clone(), self.diversion.clone())
    }

    /// Follows links, the last one only if `follow`. What does not exist is taken as it is written.
    async fn find(&self, path: &str, follow: bool) -> Result<Found, Errno> {
        if path.starts_with('/') {
            return Err(Errno::Perm);
        }
        let follow = follow || path.ends_with('/') || path.ends_with("/.");
        let mut rest: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut done: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop().ok_or(Errno::Perm)?;
                    continue;
                }
                _ => done.push(part),
            }
            let here = done.join("/");
            let last = rest.iter().all(|part| part.is_empty() || part == ".");
            if (last && !follow) || self.diversion.covers(&self.full(&here)) {
                continue;
            }
            let Ok(metadata) = self.inner.metadata_at(here.clone(), false).await else { continue };
            if metadata.file_type != FileType::SymbolicLink {
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(Errno::Loop);
            }
            let target = self.inner.read_link(here).await?;
            let target = String::from_utf8(target).map_err(|_| Errno::Ilseq)?;
            if target.starts_with('/') {
                return Err(Errno::Perm);
            }
            done.pop();
            for part in target.split('/').rev() {
                rest.push_front(part.to_owned());
            }
        }
        let path = if done.is_empty() { ".".to_owned() } else { done.join("/") };
        let full = self.full(&done.join("/"));
        Ok(Found { path, full })
    }

    fn full(&self, path: &str) -> String {
        format!("{}/{path}", self.name)
    }

    /// The path for an operation that only works on what is not diverted.
    async fn undiverted(&self, path: &str, follow: bool) -> Result<String, Errno> {
        let found = self.find(path, follow).await?;
        if self.diversion.covers(&found.full) { Err(Errno::Perm) } else { Ok(found.path) }
    }

    /// The same for what is moved or linked: nothing diverted may lie below it.
    async fn movable(&self, path: &str) -> Result<String, Errno> {
        let found = self.find(path, false).await?;
        let diverted = self.diversion.covers(&found.full);
        if diverted || self.diversion.covers_below(&found.full) {
            return Err(Errno::Perm);
        }
        Ok(found.path)
    }
}

impl Directory for DivertedDirectory {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open(&self, path: String, request: OpenRequest) -> Reply<'_, Opened> {
        Box::pin(async move {
            let found = self.find(&path, request.follow).await?;
            if self.diversion.covers(&found.full) {
                if request.directory {
                    return Err(Errno::Notdir);
                }
                return self.diversion.open(&found.full, request).await.map(Opened::File);
            }
            // Nothing is followed any more: a link that appears meanwhile leads nowhere else.
            let request = OpenRequest { follow: false, ..request };
            Ok(match self.inner.open(found.path.clone(), request).await? {
                Opened::File(file) => Opened::File(file),
                Opened::Directory(inner) => Opened::Directory(self.within(inner, &found)),
            })
        })
    }

    fn open_child_dir(&self, path: String) -> Reply<'_, Arc<dyn Directory>> {
        Box::pin(async move {
            let found = self.find(&path, true).await?;
            let inner = self.inner.open_child_dir(found.path.clone()).await?;
            Ok(self.within(inner, &found))
        })
    }

    fn entries(&self, bytes_max: usize) -> Reply<'_, Vec<Entry>> {
        self.inner.entries(bytes_max)
    }

    fn metadata(&self) -> Reply<'_, Metadata> {
        self.inner.metadata()
    }

    fn set_times(&self, times: NewTimes) -> Reply<'_, ()> {
        self.inner.set_times(times)
    }

    fn sync(&self) -> Reply<'_, ()> {
        self.inner.sync()
    }

    fn metadata_at(&self, path: String, follow: bool) -> Reply<'_, Metadata> {
        Box::pin(async move {
            let found = self.find(&path, follow).await?;
            if self.diversion.covers(&found.full) {
                return self.diversion.metadata(&found.full).await;
            }
            self.inner.metadata_at(found.path, false).await
        })
    }

    fn set_times_at(&self, path: String, follow: bool, times: NewTimes) -> Reply<'_, ()> {
        Box::pin(async move {
            let path = self.undiverted(&path, follow).await?;
            self.inner.set_times_at(path, false, times).await
        })
    }

    fn create_directory(&self, path: String) -> Reply<'_, ()> {
        Box::pin(async move {
            let path = self.undiverted(&path, false).await?;
            self.inner.create_directory(path).await
        })
    }

    fn remove_directory(&self, path: String) -> Reply<'_, ()> {
        Box::pin(async move {
            let path = self.undiverted(&path, false).await?;
            self.inner.remove_directory(path).await
        })
    }

    /// A diverted name can be removed as often as one likes: it still leads where it did.
    fn unlink_file(&self, path: String) -> Reply<'_, ()> {
        Box::pin(async move {
            let found = self.find(&path, false).await?;
            if self.diversion.covers(&found.full) {
                return Ok(());
            }
            self.inner.unlink_file(found.path).await
        })
    }

    fn read_link(&self, path: String) -> Reply<'_, Vec<u8>> {
        Box::pin(async move {
            let found = self.find(&path, false).await?;
            if self.diversion.covers(&found.full) {
                return Err(Errno::Inval);
            }
            self.inner.read_link(found.path).await
        })
    }

    fn symlink(&self, _target: String, _path: String) -> Reply<'_, ()> {
        Box::pin(async { Err(Errno::Perm) })
    }

    fn link<'a>(&'a self, path: String, to: &'a dyn Directory, new_path: String) -> Reply<'a, ()> {
        Box::pin(async move {
            let path = self.movable(&path).await?;
            match to.as_any().downcast_ref::<DivertedDirectory>() {
                Some(to) => {
                    let new_path = to.movable(&new_path).await?;
                    self.inner.link(path, &*to.inner, new_path).await
                }
                None => self.inner.link(path, to, new_path).await,
            }
        })
    }

    fn rename<'a>(
        &'a self,
        path: String,
        to: &'a dyn Directory,
        new_path: String,
    ) -> Reply<'a, ()> {
        Box::pin(async move {
            let path = self.movable(&path).await?;
            match to.as_any().downcast_ref::<DivertedDirectory>() {
                Some(to) => {
                    let new_path = to.movable(&new_path).await?;
                    self.inner.rename(path, &*to.inner, new_path).await
                }
                None => self.inner.rename(path, to, new_path).await,
            }
        })
    }

    fn socket_path(&self, path: String, usage: SocketUse) -> Reply<'_, SocketPath> {
        Box::pin(async move {
            let path = self.undiverted(&path, false).await?;
            self.inner.socket_path(path, usage).await
        })
    }
}

#[cfg(test)]
#[path = "divert_tests.rs"]
mod tests;
