//! Regular files: reading, writing, positions, sizes, times.

use lunatic_wasi::Errno;
use lunatic_wasi::call::*;
use lunatic_wasi::limits::{IO_BYTES_MAX, IOVECS_MAX};

use crate::guest::*;

#[tokio::test]
async fn what_is_written_is_read_back_at_the_position() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    assert_eq!(mock.write(fd, b"hello").await, Ok(5));
    assert_eq!(mock.tell(fd), Ok(5));
    assert_eq!(mock.read(fd, 9).await.unwrap(), b"");
    assert_eq!(mock.seek(fd, 1, 0).await, Ok(1));
    assert_eq!(mock.read(fd, 2).await.unwrap(), b"el");
    assert_eq!(mock.seek(fd, -1, 1).await, Ok(2));
    assert_eq!(mock.seek(fd, -2, 2).await, Ok(3));
    assert_eq!(mock.read(fd, 9).await.unwrap(), b"lo");
}

#[tokio::test]
async fn pread_and_pwrite_leave_the_position_alone() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.write(fd, b"hello").await.unwrap();
    assert_eq!(mock.pwrite(fd, b"XY", 1).await, Ok(2));
    assert_eq!(mock.pread(fd, 9, 0).await.unwrap(), b"hXYlo");
    assert_eq!(mock.tell(fd), Ok(5));
    assert_eq!(mock.pread(fd, 9, u64::MAX).await, Err(Errno::Inval));
    assert_eq!(mock.pwrite(fd, b"x", u64::MAX).await, Err(Errno::Inval));
    assert_eq!(mock.pwrite(fd, b"x", i64::MAX as u64).await, Err(Errno::Fbig));
}

#[tokio::test]
async fn seeking_before_the_start_is_invalid_and_moves_nothing() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.write(fd, b"abc").await.unwrap();
    for (delta, whence) in [(-1, 0), (-4, 1), (-4, 2), (i64::MAX, 1), (0, 3)] {
        assert_eq!(mock.seek(fd, delta, whence).await, Err(Errno::Inval), "{delta} {whence}");
    }
    assert_eq!(mock.tell(fd), Ok(3));
    assert_eq!(mock.seek(fd, i64::MAX, 0).await, Ok(i64::MAX as u64));
    assert_eq!(mock.write(fd, b"x").await, Err(Errno::Fbig));
}

#[tokio::test]
async fn several_buffers_are_one_read_or_write() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.put(DATA, b"abcdef");
    let iovecs = [DATA, 2, DATA, 0, DATA + 4, 2].map(u32::to_le_bytes).concat();
    mock.put(IOVS, &iovecs);
    returned(fd_write(&mut mock, fd, IOVS, 3, OUT).await).unwrap();
    assert_eq!(mock.u32(OUT), 4);
    assert_eq!(mock.pread(fd, 9, 0).await.unwrap(), b"abef");
    mock.put(DATA, &[0; 6]);
    mock.put(IOVS, &iovecs);
    returned(fd_pread(&mut mock, fd, IOVS, 3, 1, OUT).await).unwrap();
    assert_eq!(mock.u32(OUT), 3);
    assert_eq!(mock.data(6), b"be\0\0f\0");
}

#[tokio::test]
async fn writes_beyond_the_limits_are_short() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.iovec(IO_BYTES_MAX as u32 + 1);
    returned(fd_write(&mut mock, fd, IOVS, 1, OUT).await).unwrap();
    assert_eq!(mock.u32(OUT) as usize, IO_BYTES_MAX);
    let many = IOVECS_MAX + 5;
    let iovecs = [0u32.to_le_bytes(), 1u32.to_le_bytes()].concat().repeat(many);
    mock.put(DATA, &iovecs);
    returned(fd_write(&mut mock, fd, DATA, many as u32, OUT).await).unwrap();
    assert_eq!(mock.u32(OUT) as usize, IOVECS_MAX);
}

#[tokio::test]
async fn an_empty_read_or_write_succeeds_without_effect() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, APPEND).await.unwrap();
    returned(fd_write(&mut mock, fd, IOVS, 0, OUT).await).unwrap();
    assert_eq!(mock.u32(OUT), 0);
    assert_eq!(mock.read(fd, 0).await.unwrap(), b"");
    assert_eq!(mock.write(99, b"").await, Err(Errno::Badf));
}

#[tokio::test]
async fn appending_goes_to_the_end_wherever_the_position_is() {
    let (host, mut mock) = with_directory();
    let first = mock.open("log", CREATE, ALL, APPEND).await.unwrap();
    let second = mock.open("log", 0, ALL, APPEND).await.unwrap();
    mock.write(first, b"a").await.unwrap();
    mock.write(second, b"b").await.unwrap();
    mock.seek(first, 0, 0).await.unwrap();
    mock.write(first, b"c").await.unwrap();
    assert_eq!(mock.tell(first), Ok(3));
    assert_eq!(std::fs::read(host.path().join("log")).unwrap(), b"abc");
}

#[tokio::test]
async fn open_flags_create_refuse_and_cut() {
    let (host, mut mock) = with_directory();
    assert_eq!(mock.open("a", 0, READ, 0).await, Err(Errno::Noent));
    let fd = mock.open("a", CREATE | EXCLUSIVE, WRITE, 0).await.unwrap();
    mock.write(fd, b"content").await.unwrap();
    assert_eq!(mock.open("a", CREATE | EXCLUSIVE, WRITE, 0).await, Err(Errno::Exist));
    mock.open("a", CREATE, WRITE, 0).await.unwrap();
    assert_eq!(std::fs::read(host.path().join("a")).unwrap(), b"content");
    mock.open("a", TRUNCATE, WRITE, 0).await.unwrap();
    assert_eq!(std::fs::read(host.path().join("a")).unwrap(), b"");
    for flags in [DIRECTORY | CREATE, DIRECTORY | TRUNCATE, DIRECTORY | EXCLUSIVE, 16] {
        assert_eq!(mock.open("a", flags, READ, 0).await, Err(Errno::Inval), "{flags}");
    }
    assert_eq!(mock.open("a", DIRECTORY, READ, 0).await, Err(Errno::Notdir));
    assert_eq!(mock.open(".", 0, READ | WRITE, 0).await, Err(Errno::Isdir));
    assert_eq!(mock.open_at(9, 1, "a", 0, READ, 0).await, Err(Errno::Badf));
    assert_eq!(mock.open_at(1, 1, "a", 0, READ, 0).await, Err(Errno::Notdir));
    assert_eq!(mock.open_at(3, 2, "a", 0, READ, 0).await, Err(Errno::Inval));
}

#[tokio::test]
async fn a_file_not_opened_for_it_can_be_neither_read_nor_written_nor_cut() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL & !READ, 0).await.unwrap();
    assert_eq!(mock.read(fd, 1).await, Err(Errno::Badf));
    assert_eq!(mock.pread(fd, 1, 0).await, Err(Errno::Badf));
    let fd = mock.open("a", 0, ALL & !WRITE, 0).await.unwrap();
    assert_eq!(mock.write(fd, b"x").await, Err(Errno::Badf));
    assert_eq!(mock.pwrite(fd, b"x", 0).await, Err(Errno::Badf));
    let cut = returned(fd_filestat_set_size(&mut mock, fd, 0).await);
    assert_eq!(cut, Err(Errno::Notcapable));
    let room = returned(fd_allocate(&mut mock, fd, 0, 1).await);
    assert_eq!(room, Err(Errno::Notcapable));
}

#[tokio::test]
async fn size_can_be_set_and_room_allocated() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.write(fd, b"abcdef").await.unwrap();
    returned(fd_filestat_set_size(&mut mock, fd, 3).await).unwrap();
    assert_eq!(mock.fd_stat(fd).await.unwrap().size, 3);
    returned(fd_allocate(&mut mock, fd, 0, 2).await).unwrap();
    assert_eq!(mock.fd_stat(fd).await.unwrap().size, 3);
    returned(fd_allocate(&mut mock, fd, 4, 6).await).unwrap();
    assert_eq!(mock.fd_stat(fd).await.unwrap().size, 10);
    assert_eq!(mock.pread(fd, 99, 0).await.unwrap(), b"abc\0\0\0\0\0\0\0");
    for (offset, length, errno) in
        [(0, 0, Errno::Inval), (u64::MAX, 2, Errno::Fbig), (0, u64::MAX, Errno::Fbig)]
    {
        assert_eq!(returned(fd_allocate(&mut mock, fd, offset, length).await), Err(errno));
    }
    let size = returned(fd_filestat_set_size(&mut mock, fd, u64::MAX).await);
    assert_eq!(size, Err(Errno::Inval));
}

#[tokio::test]
async fn metadata_by_path_and_by_descriptor_agree() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.write(fd, b"abc").await.unwrap();
    let stat = mock.stat("a", true).await.unwrap();
    assert_eq!(mock.fd_stat(fd).await.unwrap(), stat);
    assert_eq!((stat.file_type, stat.size, stat.links), (4, 3, 1));
    assert_ne!(stat.inode, 0);
    assert_eq!(mock.fd_stat(3).await.unwrap().file_type, 3);
    assert_eq!(mock.stat("missing", true).await, Err(Errno::Noent));
    assert_eq!(mock.stat("a/b", true).await, Err(Errno::Notdir));
}

#[tokio::test]
async fn times_are_set_kept_or_now_as_the_flags_say() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    let (early, late) = (1_000_000_000, 2_000_000_000);
    mock.set_times("a", early, late, 0b0101).await.unwrap();
    let stat = mock.stat("a", true).await.unwrap();
    assert_eq!((stat.accessed, stat.modified), (early, late));
    returned(fd_filestat_set_times(&mut mock, fd, 7, late * 2, 0b0100).await).unwrap();
    let stat = mock.stat("a", true).await.unwrap();
    assert_eq!((stat.accessed, stat.modified), (early, late * 2));
    mock.set_times("a", 0, 0, 0b0010).await.unwrap();
    assert!(mock.stat("a", true).await.unwrap().accessed > late);
    returned(fd_filestat_set_times(&mut mock, 3, early, early, 0b0101).await).unwrap();
    assert_eq!(mock.stat(".", true).await.unwrap().modified, early);
    for flags in [0b0011, 0b1100, 0b10000] {
        assert_eq!(mock.set_times("a", 0, 0, flags).await, Err(Errno::Inval));
        let by_fd = returned(fd_filestat_set_times(&mut mock, fd, 0, 0, flags).await);
        assert_eq!(by_fd, Err(Errno::Inval));
    }
}

#[tokio::test]
async fn syncing_and_advice_succeed_on_files() {
    let (_host, mut mock) = with_directory();
    // DSYNC, RSYNC and SYNC: each write waits for the disk.
    let fd = mock.open("a", CREATE, ALL, 0b1_1010).await.unwrap();
    mock.write(fd, b"x").await.unwrap();
    returned(fd_sync(&mut mock, fd).await).unwrap();
    returned(fd_datasync(&mut mock, fd).await).unwrap();
    returned(fd_sync(&mut mock, 3).await).unwrap();
    for advice in 0..=5 {
        returned(fd_advise(&mut mock, fd, 0, 0, advice).await).unwrap();
    }
    assert_eq!(returned(fd_advise(&mut mock, fd, 0, 0, 6).await), Err(Errno::Inval));
    assert_eq!(returned(fd_advise(&mut mock, fd, u64::MAX, 0, 0).await), Err(Errno::Inval));
    assert_eq!(returned(fd_advise(&mut mock, 9, 0, 0, 0).await), Err(Errno::Badf));
    assert_eq!(returned(fd_sync(&mut mock, 9).await), Err(Errno::Badf));
}

#[tokio::test]
async fn a_directory_is_neither_read_nor_written_nor_seeked() {
    let (_host, mut mock) = with_directory();
    assert_eq!(mock.read(3, 1).await, Err(Errno::Isdir));
    assert_eq!(mock.write(3, b"x").await, Err(Errno::Isdir));
    assert_eq!(mock.seek(3, 0, 0).await, Err(Errno::Isdir));
}

/// A kill drops the future of a call wherever it waits.
#[tokio::test]
async fn a_call_dropped_while_it_waits_leaves_everything_usable() {
    let (_host, mut mock) = with_directory();
    let fd = mock.open("a", CREATE, ALL, 0).await.unwrap();
    mock.put(DATA, b"abc");
    mock.iovec(3);
    for _ in 0..20 {
        let mut write = Box::pin(fd_write(&mut mock, fd, IOVS, 1, OUT));
        std::future::poll_fn(|context| {
            drop(write.as_mut().poll(context));
            std::task::Poll::Ready(())
        })
        .await;
    }
    // A dropped write may still be on its way, so look where none of them goes.
    assert_eq!(mock.seek(fd, 100, 0).await, Ok(100));
    assert_eq!(mock.write(fd, b"xyz").await, Ok(3));
    assert_eq!(mock.pread(fd, 3, 100).await.unwrap(), b"xyz");
    assert_eq!(mock.wasi.descriptors(), 5);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_named_pipe_is_refused_instead_of_waited_for() {
    let (host, mut mock) = with_directory();
    let pipe = host.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert_eq!(mock.open("pipe", 0, READ, 0).await, Err(Errno::Notsup));
    assert_eq!(mock.stat("pipe", true).await.unwrap().file_type, 0);
}
