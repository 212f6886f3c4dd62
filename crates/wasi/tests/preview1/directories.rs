//! Directories: listing, creating, removing, renaming, links.

use std::fs;

use lunatic_wasi::Errno;
use lunatic_wasi::call::*;

use crate::guest::*;

#[tokio::test]
async fn a_listing_has_the_dots_and_every_entry_with_its_serial_number() {
    let (host, mut mock) = with_directory();
    fs::write(host.path().join("a"), "x").unwrap();
    fs::create_dir(host.path().join("b")).unwrap();
    let (entries, used) = mock.readdir(3, 0x1000, 0).await.unwrap();
    assert!(used < 0x1000);
    assert_eq!((entries[0].2.as_str(), entries[1].2.as_str()), (".", ".."));
    assert_eq!(mock.list(3).await.unwrap(), ["a", "b"]);
    let inode = mock.stat("a", true).await.unwrap().inode;
    assert!(entries.iter().any(|(_, number, name)| name == "a" && *number == inode));
}

#[tokio::test]
async fn cookies_stay_good_while_entries_go_and_come() {
    let (host, mut mock) = with_directory();
    for index in 0..40 {
        fs::write(host.path().join(format!("file{index:02}")), "").unwrap();
    }
    let mut seen = Vec::new();
    let mut cookie = 0;
    loop {
        // Two to three entries at a time, removing each as a recursive delete would.
        let (entries, used) = mock.readdir(3, 80, cookie).await.unwrap();
        for (next, _, name) in entries {
            cookie = next;
            if name.starts_with("file") {
                mock.unlink(&name).await.unwrap();
                fs::write(host.path().join(format!("new-{name}")), "").unwrap();
                seen.push(name);
            }
        }
        if used < 80 {
            break;
        }
    }
    seen.sort();
    let expected: Vec<_> = (0..40).map(|index| format!("file{index:02}")).collect();
    assert_eq!(seen, expected);
    assert!(mock.list(3).await.unwrap().iter().all(|name| name.starts_with("new-")));
}

#[tokio::test]
async fn bad_cookies_and_non_directories_are_refused() {
    let (_host, mut mock) = with_directory();
    let file = mock.open("a", CREATE, ALL, 0).await.unwrap();
    assert_eq!(mock.readdir(3, 100, 99).await, Err(Errno::Inval));
    assert_eq!(mock.readdir(3, 100, u64::MAX).await, Err(Errno::Inval));
    assert_eq!(mock.readdir(file, 100, 0).await, Err(Errno::Notdir));
    assert_eq!(mock.readdir(99, 100, 0).await, Err(Errno::Badf));
    assert_eq!(mock.readdir(3, 0, 0).await, Ok((vec![], 0)));
}

#[tokio::test]
async fn directories_are_created_and_removed_when_empty() {
    let (host, mut mock) = with_directory();
    mock.create_directory("d").await.unwrap();
    assert_eq!(mock.create_directory("d").await, Err(Errno::Exist));
    assert_eq!(mock.create_directory("x/y").await, Err(Errno::Noent));
    fs::write(host.path().join("d/file"), "").unwrap();
    assert_eq!(mock.remove_directory("d").await, Err(Errno::Notempty));
    assert_eq!(mock.remove_directory("d/file").await, Err(Errno::Notdir));
    mock.unlink("d/file").await.unwrap();
    mock.remove_directory("d").await.unwrap();
    assert_eq!(mock.remove_directory("d").await, Err(Errno::Noent));
}

#[tokio::test]
async fn unlink_removes_files_and_links_but_no_directory() {
    let (host, mut mock) = with_directory();
    fs::write(host.path().join("a"), "").unwrap();
    fs::create_dir(host.path().join("d")).unwrap();
    mock.symlink("a", "link").await.unwrap();
    mock.unlink("link").await.unwrap();
    assert!(host.path().join("a").exists());
    mock.unlink("a").await.unwrap();
    assert_eq!(mock.unlink("a").await, Err(Errno::Noent));
    let errno = mock.unlink("d").await.unwrap_err();
    assert!(matches!(errno, Errno::Isdir | Errno::Perm), "{errno:?}");
}

#[tokio::test]
async fn an_open_file_outlives_its_name() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.unlink("a").await.unwrap();
    mock.write(fd, b"still").await.unwrap();
    assert_eq!(mock.pread(fd, 9, 0).await.unwrap(), b"still");
}

#[tokio::test]
async fn rename_moves_and_replaces() {
    let (host, mut mock) = with_directory();
    fs::write(host.path().join("a"), "a").unwrap();
    fs::write(host.path().join("b"), "b").unwrap();
    fs::create_dir(host.path().join("d")).unwrap();
    mock.rename((3, "a"), (3, "b")).await.unwrap();
    assert_eq!(fs::read(host.path().join("b")).unwrap(), b"a");
    let inside = mock.open("d", DIRECTORY, ALL, 0).await.unwrap();
    mock.rename((3, "b"), (inside, "c")).await.unwrap();
    assert_eq!(fs::read(host.path().join("d/c")).unwrap(), b"a");
    assert_eq!(mock.rename((3, "b"), (3, "x")).await, Err(Errno::Noent));
    fs::create_dir(host.path().join("e")).unwrap();
    let onto = mock.rename((inside, "c"), (3, "e")).await;
    assert_eq!(onto, Err(Errno::Isdir));
    let into_itself = mock.rename((3, "d"), (inside, "d")).await;
    assert_eq!(into_itself, Err(Errno::Inval));
    assert_eq!(mock.rename((9, "c"), (3, "d")).await, Err(Errno::Badf));
}

#[tokio::test]
async fn a_hard_link_is_the_same_file() {
    let (host, mut mock) = with_directory();
    fs::write(host.path().join("a"), "a").unwrap();
    mock.link((3, "a"), (3, "b")).await.unwrap();
    let stat = mock.stat("b", true).await.unwrap();
    assert_eq!(stat, mock.stat("a", true).await.unwrap());
    assert_eq!(stat.links, 2);
    assert_eq!(mock.link((3, "a"), (3, "b")).await, Err(Errno::Exist));
    assert_eq!(mock.link((3, "x"), (3, "y")).await, Err(Errno::Noent));
    let (at, len) = mock.put(PATH, b"a");
    let followed = returned(path_link(&mut mock, 3, 1, at, len, 3, at, len).await);
    assert_eq!(followed, Err(Errno::Inval));
}

#[cfg(unix)]
#[tokio::test]
async fn symbolic_links_are_made_read_and_followed_when_asked() {
    let (host, mut mock) = with_directory();
    fs::write(host.path().join("a"), "abc").unwrap();
    mock.symlink("a", "link").await.unwrap();
    assert_eq!(mock.read_link("link", 100).await.unwrap(), b"a");
    assert_eq!(mock.stat("link", true).await.unwrap().size, 3);
    assert_eq!(mock.stat("link", false).await.unwrap().file_type, 7);
    assert!(mock.open("link", 0, READ, 0).await.is_ok());
    assert_eq!(mock.open_at(3, 0, "link", 0, READ, 0).await, Err(Errno::Loop));
    assert_eq!(mock.read_link("a", 100).await, Err(Errno::Inval));
    assert_eq!(mock.symlink("b", "link").await, Err(Errno::Exist));
    mock.symlink("longer-target", "long").await.unwrap();
    assert_eq!(mock.read_link("long", 6).await.unwrap(), b"longer");
    mock.symlink("loop", "loop").await.unwrap();
    assert_eq!(mock.open("loop", 0, READ, 0).await, Err(Errno::Loop));
    mock.symlink("nowhere", "dangling").await.unwrap();
    assert_eq!(mock.open("dangling", 0, READ, 0).await, Err(Errno::Noent));
}

#[tokio::test]
async fn paths_are_relative_to_their_descriptor() {
    let (host, mut mock) = with_directory();
    fs::create_dir_all(host.path().join("d/e")).unwrap();
    fs::write(host.path().join("d/e/f"), "f").unwrap();
    let fd = mock.open("d", DIRECTORY, ALL, 0).await.unwrap();
    assert!(mock.open_at(fd, 1, "e/f", 0, READ, 0).await.is_ok());
    assert!(mock.open_at(fd, 1, "e/../e/./f", 0, READ, 0).await.is_ok());
    assert_eq!(mock.open_at(fd, 1, "d/e/f", 0, READ, 0).await, Err(Errno::Noent));
    assert_eq!(mock.list(fd).await.unwrap(), ["e"]);
    assert_eq!(mock.open("", 0, READ, 0).await, Err(Errno::Noent));
}
