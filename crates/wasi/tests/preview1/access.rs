//! What a preopened directory may be used for.

use std::fs;

use lunatic_wasi::call::*;
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Errno, Preopen, WasiConfig};

use crate::guest::*;

fn given(access: Access) -> (tempfile::TempDir, Mock) {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("a"), "a").unwrap();
    fs::create_dir(host.path().join("d")).unwrap();
    let mock = Mock::new(&config(host.path(), access));
    (host, mock)
}

#[tokio::test]
async fn a_directory_given_for_reading_looks_like_a_read_only_file_system() {
    let (host, mut mock) = given(Access::READ);
    let fd = mock.open("a", 0, ALL & !WRITE, 0).await.unwrap();
    assert_eq!(mock.read(fd, 9).await.unwrap(), b"a");
    assert_eq!(mock.list(3).await.unwrap(), ["a", "d"]);
    let rofs = Err(Errno::Rofs);
    assert_eq!(mock.open("a", 0, READ | WRITE, 0).await.map(drop), rofs);
    assert_eq!(mock.open("a", TRUNCATE, READ, 0).await.map(drop), rofs);
    assert_eq!(mock.open("new", CREATE, READ, 0).await.map(drop), rofs);
    assert_eq!(mock.create_directory("new").await, rofs);
    assert_eq!(mock.remove_directory("d").await, rofs);
    assert_eq!(mock.unlink("a").await, rofs);
    assert_eq!(mock.symlink("a", "new").await, rofs);
    assert_eq!(mock.rename((3, "a"), (3, "b")).await, rofs);
    assert_eq!(mock.link((3, "a"), (3, "b")).await, rofs);
    assert_eq!(mock.set_times("a", 1, 1, 0b0101).await, rofs);
    assert_eq!(returned(fd_filestat_set_times(&mut mock, fd, 1, 1, 5).await), rofs);
    assert_eq!(returned(fd_filestat_set_times(&mut mock, 3, 1, 1, 5).await), rofs);
    let fixed = returned(fd_filestat_set_size(&mut mock, fd, 0).await);
    assert_eq!(fixed, Err(Errno::Notcapable));
    assert_eq!(fs::read(host.path().join("a")).unwrap(), b"a");
}

#[tokio::test]
async fn access_is_passed_on_to_what_is_opened_inside() {
    let (_host, mut mock) = given(Access::READ);
    let inside = mock.open("d", DIRECTORY, ALL, 0).await.unwrap();
    let new = mock.open_at(inside, 1, "x", CREATE, WRITE, 0).await;
    assert_eq!(new, Err(Errno::Rofs));
}

#[tokio::test]
async fn a_directory_given_for_writing_cannot_be_read() {
    let (_host, mut mock) = given(Access::CHANGE);
    let denied = Err(Errno::Acces);
    assert_eq!(mock.open("a", 0, READ, 0).await.map(drop), denied);
    assert_eq!(mock.open("a", 0, 0, 0).await.map(drop), denied);
    assert_eq!(mock.open("a", 0, READ | WRITE, 0).await.map(drop), denied);
    assert_eq!(mock.list(3).await.map(drop), denied);
    assert_eq!(mock.stat("a", true).await.map(drop), denied);
    let fd = mock.open("new", CREATE, WRITE, 0).await.unwrap();
    mock.write(fd, b"x").await.unwrap();
    assert_eq!(mock.read(fd, 1).await, Err(Errno::Badf));
}

#[tokio::test]
async fn a_file_gains_no_access_by_moving_or_linking() {
    let host = tempfile::tempdir().unwrap();
    let mut config = WasiConfig::default();
    for (name, access) in
        [("full", Access::FULL), ("read", Access::READ), ("write", Access::CHANGE)]
    {
        fs::create_dir(host.path().join(name)).unwrap();
        fs::write(host.path().join(name).join("a"), name).unwrap();
        let directory = HostDirectory::open_ambient(&host.path().join(name)).unwrap();
        config.push_preopen(Preopen::new(name, directory, access).unwrap()).unwrap();
    }
    let mut mock = Mock::new(&config);
    let (full, read, write) = (3, 4, 5);
    for (from, to, result) in [
        (read, full, Err(Errno::Rofs)),
        (full, read, Err(Errno::Rofs)),
        (write, full, Err(Errno::Acces)),
        (full, write, Ok(())),
    ] {
        assert_eq!(mock.link((from, "a"), (to, "linked")).await, result, "link {from} {to}");
        assert_eq!(mock.rename((from, "a"), (to, "moved")).await, result, "move {from} {to}");
    }
}
