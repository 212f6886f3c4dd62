//! Pointers outside of the memory end the guest, and never anything else.

use lunatic_wasi::call::*;
use lunatic_wasi::{Errno, Failure, Fault, WasiConfig};
use proptest::prelude::*;

use crate::guest::*;

fn faulted(answer: Result<Errno, Failure>, what: &str) {
    match answer {
        Err(Failure::Fault(Fault::OutOfBounds { .. })) => {}
        other => panic!("{what}: {other:?}"),
    }
}

/// The last byte is out for every record, whatever its size.
const BAD: [u32; 3] = [MEMORY as u32, u32::MAX, u32::MAX - 40];

#[tokio::test]
async fn result_pointers_out_of_memory_fault_in_every_call() {
    let (host, mut mock) = with_directory();
    std::fs::write(host.path().join("a"), "abc").unwrap();
    let fd = mock.open("a", 0, ALL, 0).await.unwrap();
    let (path, len) = mock.put(PATH, b"a");
    mock.iovec(4);
    let m = &mut mock;
    for bad in BAD {
        faulted(args_sizes_get(m, bad, OUT), "args_sizes_get");
        faulted(args_sizes_get(m, OUT, bad), "args_sizes_get");
        faulted(environ_sizes_get(m, bad, OUT), "environ_sizes_get");
        faulted(clock_res_get(m, 0, bad), "clock_res_get");
        faulted(clock_time_get(m, 0, 0, bad), "clock_time_get");
        faulted(fd_prestat_get(m, 3, bad), "fd_prestat_get");
        faulted(fd_prestat_dir_name(m, 3, bad, 10), "fd_prestat_dir_name");
        faulted(fd_fdstat_get(m, fd, bad), "fd_fdstat_get");
        faulted(fd_filestat_get(m, fd, bad).await, "fd_filestat_get");
        faulted(fd_read(m, fd, IOVS, 1, bad).await, "fd_read");
        faulted(fd_pread(m, fd, IOVS, 1, 0, bad).await, "fd_pread");
        faulted(fd_write(m, fd, IOVS, 1, bad).await, "fd_write");
        faulted(fd_pwrite(m, fd, IOVS, 1, 0, bad).await, "fd_pwrite");
        faulted(fd_seek(m, fd, 0, 0, bad).await, "fd_seek");
        faulted(fd_tell(m, fd, bad), "fd_tell");
        faulted(fd_readdir(m, 3, bad, 10, 0, OUT).await, "fd_readdir");
        faulted(fd_readdir(m, 3, DATA, 10, 0, bad).await, "fd_readdir");
        faulted(path_filestat_get(m, 3, 0, path, len, bad).await, "path_filestat_get");
        faulted(path_open(m, 3, 0, path, len, 0, 0, 0, 0, bad).await, "path_open");
        faulted(path_readlink(m, 3, path, len, bad, 9, OUT).await, "path_readlink");
        faulted(path_readlink(m, 3, path, len, DATA, 9, bad).await, "path_readlink");
        faulted(poll_oneoff(m, DATA, bad, 1, OUT).await, "poll_oneoff");
        faulted(poll_oneoff(m, DATA, DATA, 1, bad).await, "poll_oneoff");
        faulted(random_get(m, bad, 8).await, "random_get");
    }
    // Nothing was read, written or opened on the way.
    assert_eq!(mock.tell(fd), Ok(0));
    assert_eq!(mock.wasi.descriptors(), 5);
    assert_eq!(std::fs::read(host.path().join("a")).unwrap(), b"abc");
}

#[tokio::test]
async fn argument_pointers_out_of_memory_fault_in_every_call() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    let (path, len) = mock.put(PATH, b"a");
    let m = &mut mock;
    for bad in BAD {
        faulted(fd_read(m, fd, bad, 1, OUT).await, "fd_read");
        faulted(fd_write(m, fd, bad, 1, OUT).await, "fd_write");
        faulted(fd_pread(m, fd, bad, 1, 0, OUT).await, "fd_pread");
        faulted(fd_pwrite(m, fd, bad, 1, 0, OUT).await, "fd_pwrite");
        faulted(poll_oneoff(m, bad, DATA, 1, OUT).await, "poll_oneoff");
        faulted(path_open(m, 3, 0, bad, 9, 0, 0, 0, 0, OUT).await, "path_open");
        faulted(path_filestat_get(m, 3, 0, bad, 9, OUT).await, "path_filestat_get");
        let times = path_filestat_set_times(m, 3, 0, bad, 9, 0, 0, 0).await;
        faulted(times, "path_filestat_set_times");
        faulted(path_create_directory(m, 3, bad, 9).await, "path_create_directory");
        faulted(path_remove_directory(m, 3, bad, 9).await, "path_remove_directory");
        faulted(path_unlink_file(m, 3, bad, 9).await, "path_unlink_file");
        faulted(path_readlink(m, 3, bad, 9, DATA, 9, OUT).await, "path_readlink");
        faulted(path_symlink(m, bad, 9, 3, path, len).await, "path_symlink");
        faulted(path_symlink(m, path, len, 3, bad, 9).await, "path_symlink");
        faulted(path_link(m, 3, 0, bad, 9, 3, path, len).await, "path_link");
        faulted(path_link(m, 3, 0, path, len, 3, bad, 9).await, "path_link");
        faulted(path_rename(m, 3, bad, 9, 3, path, len).await, "path_rename");
        faulted(path_rename(m, 3, path, len, 3, bad, 9).await, "path_rename");
    }
}

#[test]
fn arguments_that_do_not_fit_fault() {
    let mut config = WasiConfig::default();
    config.push_arg("argument").unwrap();
    config.push_env("A", "1").unwrap();
    let mut mock = Mock::new(&config);
    for bad in BAD {
        faulted(args_get(&mut mock, bad, DATA), "args_get");
        faulted(args_get(&mut mock, OUT, bad), "args_get");
        faulted(environ_get(&mut mock, bad, DATA), "environ_get");
        faulted(environ_get(&mut mock, OUT, bad), "environ_get");
    }
    // The terminating NUL counts.
    faulted(args_get(&mut mock, OUT, MEMORY as u32 - 8), "args_get");
    returned(args_get(&mut mock, OUT, MEMORY as u32 - 9)).unwrap();
}

#[test]
fn a_guest_without_memory_faults() {
    let mut mock = Mock::new(&WasiConfig::default());
    mock.memory.clear();
    let answer = args_sizes_get(&mut mock, 0, 4);
    assert_eq!(answer, Err(Failure::Fault(Fault::NoMemory)));
}

#[tokio::test]
async fn address_0_is_an_ordinary_address() {
    let (_host, mut mock) = with_directory();
    returned(fd_tell(&mut mock, 1, 0)).unwrap_err();
    returned(clock_time_get(&mut mock, 0, 0, 0)).unwrap();
    assert_ne!(mock.u64(0), 0);
}

#[tokio::test]
async fn bad_text_is_an_errno() {
    let (_host, mut mock) = with_directory();
    let (at, len) = mock.put(PATH, &[b'a', 0xff]);
    assert_eq!(returned(path_create_directory(&mut mock, 3, at, len).await), Err(Errno::Ilseq));
    assert_eq!(mock.create_directory("a\0b").await, Err(Errno::Inval));
    assert_eq!(mock.create_directory(&"a/".repeat(3000)).await, Err(Errno::Nametoolong));
    assert_eq!(mock.create_directory(&"a".repeat(300)).await, Err(Errno::Nametoolong));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a guest passes, a call answers; it doesn't panic.
    #[test]
    fn random_arguments_never_panic(
        memory in prop::collection::vec(any::<u8>(), 1..600),
        a in prop::collection::vec(0u32..700, 9),
        fd in 0u32..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_host, mut mock) = with_directory();
            mock.memory = memory;
            let m = &mut mock;
            let wide = u64::from(a[5]);
            drop(fd_read(m, fd, a[0], a[1], a[2]).await);
            drop(fd_write(m, fd, a[0], a[1], a[2]).await);
            drop(fd_pread(m, fd, a[0], a[1], wide, a[2]).await);
            drop(fd_readdir(m, fd, a[0], a[1], wide, a[2]).await);
            drop(fd_seek(m, fd, a[0].into(), a[1] % 4, a[2]).await);
            drop(path_open(m, fd, a[0] % 3, a[1], a[2], a[3] % 16, wide, wide, 0, a[4]).await);
            drop(path_rename(m, fd, a[0], a[1], fd, a[2], a[3]).await);
            drop(path_symlink(m, a[0], a[1], fd, a[2], a[3]).await);
            drop(path_readlink(m, fd, a[0], a[1], a[2], a[3], a[4]).await);
            drop(args_get(m, a[0], a[1]));
            drop(fd_fdstat_get(m, fd, a[0]));
            drop(fd_renumber(m, fd, a[0] % 6));
            drop(random_get(m, a[0], a[1]).await);
        });
    }
}
