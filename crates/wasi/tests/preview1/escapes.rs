//! No path leads out of a preopened directory.
//!
//! The secret lies beside the directory that the guest is given; every trick is tried with every
//! function that takes a path, and afterwards the outside must look as it did.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Errno, Preopen};

use crate::guest::*;

/// `outside/secret`, `outside/empty`, and the guest in `inside` with links that lead out.
fn prison() -> (tempfile::TempDir, Mock) {
    let host = tempfile::tempdir().unwrap();
    let (inside, outside) = (host.path().join("inside"), host.path().join("outside"));
    fs::create_dir_all(inside.join("sub/deep")).unwrap();
    fs::create_dir_all(outside.join("empty")).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::write(inside.join("file"), "mine").unwrap();
    symlink(&outside, inside.join("absolute")).unwrap();
    symlink("../outside", inside.join("relative")).unwrap();
    symlink("../../outside/secret", inside.join("sub/secret")).unwrap();
    symlink("sub/secret", inside.join("twice")).unwrap();
    symlink("/", inside.join("root")).unwrap();
    let mock = Mock::new(&config(&inside, Access::FULL));
    (host, mock)
}

/// Every way to say "the file `secret` outside".
fn ways_out(host: &Path) -> Vec<String> {
    let mut ways: Vec<String> = [
        "../outside/secret",
        "./../outside/secret",
        "sub/../../outside/secret",
        "sub/deep/../../../outside/secret",
        "absolute/secret",
        "relative/secret",
        "relative/../outside/secret",
        "sub/../relative/secret",
    ]
    .map(str::to_owned)
    .to_vec();
    ways.push(host.join("outside/secret").to_str().unwrap().to_owned());
    ways.push(format!("root{}", host.join("outside/secret").to_str().unwrap()));
    ways
}

/// Beyond: links whose last step leads out, which only matter where links are followed.
const FOLLOWED: [&str; 2] = ["sub/secret", "twice"];

fn is_escape<T: std::fmt::Debug>(result: Result<T, Errno>, what: &str) {
    match result {
        Err(Errno::Perm) => {}
        other => panic!("{what}: {other:?}"),
    }
}

fn assert_untouched(host: &Path) {
    assert_eq!(fs::read(host.join("outside/secret")).unwrap(), b"secret");
    let mut names: Vec<_> = fs::read_dir(host.join("outside"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["empty", "secret"]);
    assert!(fs::read_dir(host.join("outside/empty")).unwrap().next().is_none());
}

#[tokio::test]
async fn nothing_outside_can_be_opened_or_looked_at() {
    let (host, mut mock) = prison();
    let ways = ways_out(host.path());
    for way in ways.iter().map(String::as_str).chain(FOLLOWED) {
        is_escape(mock.open(way, 0, READ, 0).await, way);
        is_escape(mock.open(way, 0, READ | WRITE, 0).await, way);
        is_escape(mock.open(way, TRUNCATE, WRITE, 0).await, way);
        is_escape(mock.stat(way, true).await, way);
        is_escape(mock.set_times(way, 1, 1, 0b0101).await, way);
    }
    for way in ["..", "../", "/", "sub/../..", "absolute", "relative/", "root", "../inside"] {
        is_escape(mock.open(way, DIRECTORY, ALL, 0).await, way);
        is_escape(mock.open(way, 0, READ, 0).await, way);
    }
    assert_untouched(host.path());
}

#[tokio::test]
async fn nothing_outside_can_be_created_changed_or_removed() {
    let (host, mut mock) = prison();
    for way in &ways_out(host.path()) {
        let new = way.replace("secret", "new");
        is_escape(mock.open(&new, CREATE, WRITE, 0).await, &new);
        is_escape(mock.create_directory(&new).await, &new);
        is_escape(mock.symlink("x", &new).await, &new);
        is_escape(mock.rename((3, "file"), (3, &new)).await, &new);
        is_escape(mock.link((3, "file"), (3, &new)).await, &new);
        is_escape(mock.rename((3, way), (3, "stolen")).await, way);
        is_escape(mock.link((3, way), (3, "stolen")).await, way);
        is_escape(mock.unlink(way).await, way);
        is_escape(mock.read_link(way, 100).await, way);
        let empty = way.replace("secret", "empty");
        is_escape(mock.remove_directory(&empty).await, &empty);
    }
    assert_untouched(host.path());
    assert!(!host.path().join("inside/stolen").exists());
}

#[tokio::test]
async fn a_link_made_by_the_guest_leads_nowhere_either() {
    let (host, mut mock) = prison();
    is_escape(mock.symlink("/etc", "etc").await, "absolute target");
    mock.symlink("../outside", "own").await.unwrap();
    is_escape(mock.open("own/secret", 0, READ, 0).await, "own/secret");
    // A directory that moves up must not take its links' meaning with it.
    mock.create_directory("sub/box").await.unwrap();
    mock.symlink("../../file", "sub/box/up").await.unwrap();
    assert!(mock.open("sub/box/up", 0, READ, 0).await.is_ok());
    mock.rename((3, "sub/box"), (3, "box")).await.unwrap();
    is_escape(mock.open("box/up", 0, READ, 0).await, "box/up");
    assert_untouched(host.path());
}

#[tokio::test]
async fn a_subdirectory_s_descriptor_does_not_lead_up() {
    let (_host, mut mock) = prison();
    let sub = mock.open("sub", DIRECTORY, ALL, 0).await.unwrap();
    is_escape(mock.open_at(sub, 1, "../file", 0, READ, 0).await, "../file");
    is_escape(mock.rename((sub, "../file"), (sub, "file")).await, "../file");
}

#[tokio::test]
async fn a_trailing_slash_never_turns_a_file_or_link_into_more() {
    let (host, mut mock) = prison();
    assert_eq!(mock.open("file/", 0, READ, 0).await, Err(Errno::Notdir));
    assert_eq!(mock.open("file/.", 0, READ, 0).await, Err(Errno::Notdir));
    for follow in [true, false] {
        assert_eq!(mock.stat("file/", follow).await, Err(Errno::Notdir));
    }
    assert_eq!(mock.unlink("file/").await, Err(Errno::Notdir));
    assert!(mock.open("new/", CREATE, WRITE, 0).await.is_err());
    assert!(!host.path().join("inside/new").exists());
    for way in ["absolute/", "relative/", "relative/."] {
        is_escape(mock.stat(way, true).await, way);
        is_escape(mock.stat(way, false).await, way);
        assert!(mock.remove_directory(way).await.is_err(), "{way}");
        assert!(mock.unlink(way).await.is_err(), "{way}");
    }
    assert_untouched(host.path());
}

#[tokio::test]
async fn not_following_a_link_refuses_it() {
    let (_host, mut mock) = prison();
    for way in FOLLOWED {
        assert_eq!(mock.open_at(3, 0, way, 0, READ, 0).await, Err(Errno::Loop), "{way}");
    }
    for way in ["absolute", "relative", "root"] {
        let errno = mock.open_at(3, 0, way, DIRECTORY, READ, 0).await.unwrap_err();
        assert!(matches!(errno, Errno::Loop | Errno::Notdir), "{way}: {errno:?}");
    }
    is_escape(mock.read_link("absolute", 100).await, "the text would be a host path");
}

#[tokio::test]
async fn a_narrower_preopen_cannot_be_taken_from_outside() {
    let (host, mock) = prison();
    let preopen = mock.wasi.config().preopens()[0].clone();
    for way in ["..", "/", "absolute", "relative", "sub/../.."] {
        let result = preopen.narrow("x", way, Access::FULL).await;
        assert_eq!(result.map(drop), Err(Errno::Perm), "{way}");
    }
    let sub = preopen.narrow("/sub", "sub", Access::READ).await.unwrap();
    assert_eq!((sub.guest_name(), sub.access()), ("/sub", Access::READ));
    // Asking for more than the parent has gives what the parent has.
    let again = sub.narrow("/deep", "deep", Access::FULL).await.unwrap();
    assert_eq!(again.access(), Access::READ);
    let mut config = lunatic_wasi::WasiConfig::default();
    config.push_preopen(sub).unwrap();
    let mut child = Mock::new(&config);
    assert_eq!(child.list(3).await.unwrap(), ["deep", "secret"]);
    is_escape(child.open("../file", 0, READ, 0).await, "../file");
    let directory = HostDirectory::open_ambient(host.path()).unwrap();
    assert!(Preopen::new("", directory.clone(), Access::FULL).is_err());
    assert!(Preopen::new("a\0", directory, Access::FULL).is_err());
}

/// Another program swaps a directory for a link that leads out while the guest opens through it.
#[tokio::test(flavor = "multi_thread")]
async fn a_race_with_the_host_does_not_open_the_way_out() {
    let (host, mut mock) = prison();
    let inside = host.path().join("inside");
    fs::write(inside.join("sub/plain"), "mine").unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (inside, done) = (inside.clone(), done.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                fs::rename(inside.join("sub"), inside.join("aside")).unwrap();
                symlink("../outside", inside.join("sub")).unwrap();
                fs::remove_file(inside.join("sub")).unwrap();
                fs::rename(inside.join("aside"), inside.join("sub")).unwrap();
            }
        })
    };
    fs::write(host.path().join("outside/plain"), "secret").unwrap();
    for _ in 0..500 {
        if let Ok(fd) = mock.open("sub/plain", 0, READ, 0).await {
            assert_eq!(mock.read(fd, 10).await.unwrap(), b"mine");
            returned(lunatic_wasi::call::fd_close(&mut mock, fd)).unwrap();
        }
    }
    done.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
}
