//! From a path of SQL to a directory handle and a path below it.
//!
//! A path is looked at only to choose the directory, by the rule of wasi-libc: leading slashes say
//! nothing, the longest name that the path begins with wins, and of equal ones the last. Whether
//! what remains stays below the directory is decided by cap-std when it opens it, never here.

use std::sync::Arc;

use cap_std::fs::Dir;

/// A directory that databases may lie in.
#[derive(Debug)]
pub struct Directory {
    /// As in paths: `.` and `/` are empty.
    name: String,
    pub(crate) dir: Arc<Dir>,
    pub(crate) writable: bool,
}

impl Directory {
    /// A directory that guests know as `name`. Unless it is `writable`, databases in it can only
    /// be read.
    pub fn new(name: &str, dir: Arc<Dir>, writable: bool) -> Directory {
        Directory { name: full_path(name), dir, writable }
    }

    /// What remains of a path below this directory.
    fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.name.is_empty() {
            return Some(path);
        }
        let rest = path.strip_prefix(&self.name)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }
}

/// A path without what says nothing: leading, doubled and closing slashes, and `.`. A `..` stays:
/// what it means depends on symbolic links.
pub(crate) fn full_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

/// The directory that a full path belongs to, and the path below it.
pub(crate) fn find<'a>(
    directories: &'a [Directory],
    path: &'a str,
) -> Option<(&'a Directory, &'a str)> {
    directories
        .iter()
        .filter_map(|directory| Some((directory, directory.rest(path)?)))
        .max_by_key(|(directory, _)| directory.name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(names: &[&str]) -> Vec<Directory> {
        let dir = Dir::open_ambient_dir(".", cap_std::ambient_authority()).expect("it is there");
        let dir = Arc::new(dir);
        names.iter().map(|name| Directory::new(name, dir.clone(), true)).collect()
    }

    #[test]
    fn full_paths_keep_what_has_a_meaning() {
        for (path, full) in [
            ("a.db", "a.db"),
            ("./a//b/./c/", "a/b/c"),
            ("/a/b", "a/b"),
            ("../a/../b", "../a/../b"),
            ("", ""),
            ("/", ""),
        ] {
            assert_eq!(full_path(path), full, "{path}");
        }
    }

    #[test]
    fn the_longest_name_wins_and_of_equal_ones_the_last() {
        let directories = directories(&[".", "/data", "data/inner", "/database", "/data"]);
        for (path, index, rest) in [
            ("a.db", 0, "a.db"),
            ("data/a.db", 4, "a.db"),
            ("data", 4, ""),
            ("data/inner/a.db", 2, "a.db"),
            ("database/a.db", 3, "a.db"),
            ("data2/a.db", 0, "data2/a.db"),
            ("../a.db", 0, "../a.db"),
        ] {
            let (found, below) = find(&directories, path).expect("`.` takes all");
            let place = directories.iter().position(|one| std::ptr::eq(one, found));
            assert_eq!((place, below), (Some(index), rest), "{path}");
        }
    }

    #[test]
    fn a_path_outside_of_all_names_has_no_directory() {
        let directories = directories(&["/data"]);
        for path in ["a.db", "dat/a.db", "datas", "../data/a.db"] {
            assert!(find(&directories, path).is_none(), "{path}");
        }
    }
}
