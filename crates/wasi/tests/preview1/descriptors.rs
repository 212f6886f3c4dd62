//! The descriptor table: numbers, preopens, flags, rights.

use lunatic_wasi::call::*;
use lunatic_wasi::provider::fs::HostDirectory;
use lunatic_wasi::{Access, Errno, Failure, NoPlace, Preopen, WasiConfig};

use crate::guest::*;

#[test]
fn preopens_start_at_3_in_order_and_end_with_badf() {
    let host = tempfile::tempdir().unwrap();
    let directory = HostDirectory::open_ambient(host.path()).unwrap();
    let mut config = WasiConfig::default();
    for name in [".", "/data"] {
        let preopen = Preopen::new(name, directory.clone(), Access::FULL).unwrap();
        config.push_preopen(preopen).unwrap();
    }
    let mut mock = Mock::new(&config);
    for (fd, name) in [(3, "."), (4, "/data")] {
        returned(fd_prestat_get(&mut mock, fd, OUT)).unwrap();
        assert_eq!((mock.memory[OUT as usize], mock.u32(OUT + 4)), (0, name.len() as u32));
        returned(fd_prestat_dir_name(&mut mock, fd, DATA, name.len() as u32)).unwrap();
        assert_eq!(mock.data(name.len() as u32), name.as_bytes());
    }
    assert_eq!(returned(fd_prestat_dir_name(&mut mock, 4, DATA, 4)), Err(Errno::Nametoolong));
    for fd in [0, 5, u32::MAX] {
        assert_eq!(returned(fd_prestat_get(&mut mock, fd, OUT)), Err(Errno::Badf));
        assert_eq!(returned(fd_prestat_dir_name(&mut mock, fd, DATA, 9)), Err(Errno::Badf));
    }
}

#[tokio::test]
async fn a_new_descriptor_gets_the_lowest_free_number() {
    let (_host, mut mock) = with_directory();
    assert_eq!(mock.open("a", CREATE, WRITE, 0).await, Ok(4));
    assert_eq!(mock.open("b", CREATE, WRITE, 0).await, Ok(5));
    assert_eq!(mock.open("c", CREATE, WRITE, 0).await, Ok(6));
    returned(fd_close(&mut mock, 5)).unwrap();
    returned(fd_close(&mut mock, 0)).unwrap();
    assert_eq!(mock.open("d", CREATE, WRITE, 0).await, Ok(0));
    assert_eq!(mock.open("d", CREATE, WRITE, 0).await, Ok(5));
    assert_eq!(mock.open("d", CREATE, WRITE, 0).await, Ok(7));
    returned(fd_close(&mut mock, 4)).unwrap();
    assert_eq!(returned(fd_close(&mut mock, 4)), Err(Errno::Badf));
    assert_eq!(mock.wasi.descriptors(), 7);
}

#[tokio::test]
async fn at_the_limit_opening_answers_mfile_and_creates_nothing() {
    let host = tempfile::tempdir().unwrap();
    let mut config = config(host.path(), Access::FULL);
    config.set_descriptors_max(5);
    let mut mock = Mock::new(&config);
    let fd = mock.open("a", CREATE, WRITE, 0).await.unwrap();
    assert_eq!(mock.open("b", CREATE, WRITE, 0).await, Err(Errno::Mfile));
    assert!(!host.path().join("b").exists());
    returned(fd_close(&mut mock, fd)).unwrap();
    assert_eq!(mock.open("b", CREATE, WRITE, 0).await, Ok(4));
}

#[tokio::test]
async fn renumber_replaces_an_open_descriptor_and_frees_the_old_one() {
    let (_host, mut mock) = with_directory();
    let a = mock.open("a", CREATE, READ | WRITE | ALL, 0).await.unwrap();
    let b = mock.open("b", CREATE, WRITE, 0).await.unwrap();
    mock.write(a, b"kept").await.unwrap();
    returned(fd_renumber(&mut mock, a, b)).unwrap();
    assert_eq!(mock.pread(b, 10, 0).await.unwrap(), b"kept");
    assert_eq!(mock.pread(a, 10, 0).await, Err(Errno::Badf));
    for (from, to) in [(a, b), (b, 77), (77, b)] {
        assert_eq!(returned(fd_renumber(&mut mock, from, to)), Err(Errno::Badf));
    }
    returned(fd_renumber(&mut mock, b, b)).unwrap();
    assert_eq!(mock.tell(b), Ok(4));
}

#[tokio::test]
async fn rights_can_only_be_narrowed() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    let (_, _, base, inheriting) = mock.fdstat(fd).unwrap();
    assert_eq!(inheriting, 0);
    let wider = returned(fd_fdstat_set_rights(&mut mock, fd, ALL, 0));
    assert_eq!(wider, Err(Errno::Notcapable));
    assert_eq!(mock.fdstat(fd).unwrap().2, base);
    returned(fd_fdstat_set_rights(&mut mock, fd, base & !READ & !(1 << 2), 0)).unwrap();
    assert_eq!(mock.read(fd, 1).await, Err(Errno::Badf));
    assert_eq!(mock.seek(fd, 0, 0).await, Err(Errno::Notcapable));
    assert_eq!(mock.seek(fd, 0, 1).await, Ok(0));
    let again = returned(fd_fdstat_set_rights(&mut mock, fd, base, 0));
    assert_eq!(again, Err(Errno::Notcapable));
}

#[tokio::test]
async fn what_a_directory_does_not_pass_on_cannot_be_opened() {
    let (host, mut mock) = with_directory();
    std::fs::write(host.path().join("a"), "x").unwrap();
    let (_, _, base, inheriting) = mock.fdstat(3).unwrap();
    returned(fd_fdstat_set_rights(&mut mock, 3, base, inheriting & !WRITE)).unwrap();
    assert_eq!(mock.open("a", 0, READ | WRITE, 0).await, Err(Errno::Notcapable));
    assert_eq!(mock.open("a", 0, READ, 0).await, Ok(4));
    let (_, _, base, inheriting) = mock.fdstat(3).unwrap();
    let without_create = base & !(1 << 10) & !(1 << 13);
    returned(fd_fdstat_set_rights(&mut mock, 3, without_create, inheriting)).unwrap();
    assert_eq!(mock.open("a", 0, READ, 0).await, Err(Errno::Notcapable));
}

#[tokio::test]
async fn an_opened_file_reports_its_type_and_only_rights_that_a_file_has() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, APPEND).await.unwrap();
    let (file_type, flags, base, inheriting) = mock.fdstat(fd).unwrap();
    assert_eq!((file_type, flags, inheriting), (4, 1, 0));
    assert_eq!(base, 0x1ff | (0b111 << 21) | (1 << 27));
    let fd = mock.open(".", DIRECTORY, ALL, 0).await.unwrap();
    let (file_type, _, base, _) = mock.fdstat(fd).unwrap();
    assert_eq!(file_type, 3);
    assert_eq!(base & (READ | WRITE), 0);
}

#[tokio::test]
async fn flags_can_be_changed_and_unknown_ones_are_invalid() {
    let (host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.write(fd, b"12345").await.unwrap();
    mock.seek(fd, 0, 0).await.unwrap();
    returned(fd_fdstat_set_flags(&mut mock, fd, APPEND).await).unwrap();
    mock.write(fd, b"6").await.unwrap();
    assert_eq!(mock.tell(fd), Ok(6));
    returned(fd_fdstat_set_flags(&mut mock, fd, 0).await).unwrap();
    mock.seek(fd, 0, 0).await.unwrap();
    mock.write(fd, b"x").await.unwrap();
    assert_eq!(std::fs::read(host.path().join("a")).unwrap(), b"x23456");
    let unknown = returned(fd_fdstat_set_flags(&mut mock, fd, 1 << 5).await);
    assert_eq!(unknown, Err(Errno::Inval));
    assert_eq!(mock.open("a", 0, READ, 1 << 5).await, Err(Errno::Inval));
}

#[test]
fn the_futures_of_all_calls_can_move_between_threads() {
    fn send<T: Send>(_: T) {}
    let (_host, mut mock) = with_directory();
    send(fd_read(&mut mock, 0, 0, 0, 0));
    send(fd_write(&mut mock, 0, 0, 0, 0));
    send(fd_readdir(&mut mock, 0, 0, 0, 0, 0));
    send(path_open(&mut mock, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    send(path_rename(&mut mock, 0, 0, 0, 0, 0, 0));
    send(poll_oneoff(&mut mock, 0, 0, 0, 0));
    send(random_get(&mut mock, 0, 0));
    send(sched_yield(&mut mock));
}

#[tokio::test]
async fn what_is_opened_has_a_place_until_it_is_closed_and_without_one_nothing_is_created() {
    let (host, mut mock) = with_directory();
    mock.full = (2, NoPlace::Refused);
    let a = mock.open("a", CREATE, WRITE, 0).await.unwrap();
    let b = mock.open("b", CREATE, WRITE, 0).await.unwrap();
    assert_eq!(mock.open("c", CREATE, WRITE, 0).await, Err(Errno::Mfile));
    assert!(!host.path().join("c").exists());
    returned(fd_renumber(&mut mock, b, a)).unwrap();
    let c = mock.open("c", CREATE, WRITE, 0).await.unwrap();
    assert_eq!(mock.open("none", 0, READ, 0).await, Err(Errno::Mfile));
    returned(fd_close(&mut mock, c)).unwrap();
    // What fails gives its place back.
    assert_eq!(mock.open("none", 0, READ, 0).await, Err(Errno::Noent));
    mock.open(".", DIRECTORY, READ, 0).await.unwrap();
    mock.full.1 = NoPlace::Ends("a limit");
    let (at, length) = mock.put(PATH, b"d");
    let answer = path_open(&mut mock, 3, 0, at, length, CREATE, WRITE, 0, 0, OUT).await;
    assert_eq!(answer, Err(Failure::Limit("a limit")));
    assert!(!host.path().join("d").exists());
}
