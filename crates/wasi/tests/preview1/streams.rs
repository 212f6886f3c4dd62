//! Standard streams: captured, piped, absent.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use lunatic_wasi::call::*;
use lunatic_wasi::provider::capture::Capture;
use lunatic_wasi::provider::stdio::{Null, ReaderInput, WriterOutput};
use lunatic_wasi::provider::{Input, Output, StreamKind};
use lunatic_wasi::{Errno, WasiConfig};

use crate::guest::*;

/// A reader that blocks until the test sends something; an empty piece is an end.
struct Pipe(Receiver<Vec<u8>>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.recv().unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

fn piped() -> (Sender<Vec<u8>>, Mock) {
    let (sender, receiver) = channel();
    let input = ReaderInput::new(Pipe(receiver), StreamKind::Pipe);
    (sender, with_streams(Arc::new(input), Arc::new(Null)))
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn captured_output_is_kept_and_reported_as_old_guests_expect() {
    let (capture, mut mock) = with_capture();
    assert_eq!(mock.write(1, b"hello ").await, Ok(6));
    assert_eq!(mock.write(1, b"world").await, Ok(5));
    assert_eq!(capture.contents(), "hello world");
    let (file_type, flags, base, _) = mock.fdstat(1).unwrap();
    assert_eq!((file_type, flags), (0, 1));
    assert_eq!(base & READ, 0);
    let badf = Err(Errno::Badf);
    assert_eq!(mock.read(1, 1).await.map(drop), badf);
    assert_eq!(mock.seek(1, 0, 0).await.map(drop), badf);
    assert_eq!(mock.tell(1).map(drop), badf);
    assert_eq!(mock.pwrite(1, b"x", 0).await.map(drop), badf);
    assert_eq!(returned(fd_filestat_set_size(&mut mock, 1, 0).await), badf);
    assert_eq!(mock.fd_stat(1).await.unwrap().file_type, 0);
}

#[tokio::test]
async fn capture_echoes_when_told_to() {
    let echo = Capture::new(100);
    let capture = Capture::with_echo(3, Arc::new(echo.clone()));
    capture.write(b"12345".to_vec()).await.unwrap();
    assert_eq!(echo.contents(), "12345");
    assert!(capture.contents().contains("2 bytes left out"));
}

#[tokio::test]
async fn a_pipe_can_t_be_seeked_and_is_no_terminal() {
    let (_sender, mut mock) = piped();
    for fd in [0, 1] {
        let (file_type, _, base, _) = mock.fdstat(fd).unwrap();
        assert_eq!(file_type, 0);
        assert_eq!(base & (1 << 2 | 1 << 5), 0);
        assert_eq!(mock.seek(fd, 0, 1).await, Err(Errno::Spipe));
        assert_eq!(mock.pread(fd, 1, 0).await, Err(Errno::Spipe));
        assert_eq!(mock.tell(fd), Err(Errno::Spipe));
        assert_eq!(returned(fd_sync(&mut mock, fd).await), Err(Errno::Inval));
    }
    assert_eq!(mock.write(0, b"x").await, Err(Errno::Badf));
    assert_eq!(mock.read(1, 1).await, Err(Errno::Badf));
}

#[test]
fn a_terminal_is_a_character_device_without_the_right_to_seek() {
    let input = ReaderInput::new(io::empty(), StreamKind::Terminal);
    let mut mock = with_streams(Arc::new(input), Arc::new(Null));
    let (file_type, _, base, _) = mock.fdstat(0).unwrap();
    assert_eq!((file_type, base & (1 << 2 | 1 << 5)), (2, 0));
}

#[tokio::test]
async fn input_arrives_in_order_and_what_is_not_taken_stays() {
    let (sender, mut mock) = piped();
    sender.send(b"hello".to_vec()).unwrap();
    assert_eq!(mock.read(0, 2).await.unwrap(), b"he");
    assert_eq!(mock.read(0, 99).await.unwrap(), b"llo");
    sender.send(Vec::new()).unwrap();
    assert_eq!(mock.read(0, 99).await.unwrap(), b"");
    // A terminal may go on after its end.
    sender.send(b"more".to_vec()).unwrap();
    assert_eq!(mock.read(0, 99).await.unwrap(), b"more");
}

#[tokio::test]
async fn a_reader_killed_while_waiting_leaves_the_input_to_the_next() {
    let (sender, receiver) = channel();
    let input = ReaderInput::new(Pipe(receiver), StreamKind::Pipe);
    {
        let mut read = input.read(10);
        std::future::poll_fn(|context| {
            assert!(read.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    sender.send(b"kept".to_vec()).unwrap();
    assert_eq!(input.read(10).await.unwrap(), b"kept");
}

#[tokio::test]
async fn a_stream_that_must_not_wait_answers_again() {
    let mut config = WasiConfig::default();
    let (sender, receiver) = channel();
    let input = Arc::new(ReaderInput::new(Pipe(receiver), StreamKind::Pipe));
    config.set_stdin(input.clone());
    let mut mock = Mock::new(&config);
    returned(fd_fdstat_set_flags(&mut mock, 0, 1 << 2).await).unwrap();
    assert_eq!(mock.read(0, 9).await, Err(Errno::Again));
    sender.send(b"now".to_vec()).unwrap();
    input.ready().await.unwrap();
    assert_eq!(mock.read(0, 9).await.unwrap(), b"now");
}

#[tokio::test]
async fn several_waiting_readers_each_get_their_share() {
    let (sender, receiver) = channel();
    let input = Arc::new(ReaderInput::new(Pipe(receiver), StreamKind::Pipe));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let input = input.clone();
            tokio::spawn(async move { input.read(1).await.unwrap() })
        })
        .collect();
    sender.send(b"ab".to_vec()).unwrap();
    sender.send(b"cd".to_vec()).unwrap();
    let mut all = Vec::new();
    for reader in readers {
        all.extend(reader.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, b"abcd");
}

#[tokio::test]
async fn output_is_written_in_order_before_the_writer_goes_on() {
    let sink = Shared::default();
    let output = WriterOutput::new(sink.clone(), StreamKind::Pipe);
    let mut mock = with_streams(Arc::new(Null), Arc::new(output));
    let mut expected = Vec::new();
    for index in 0..50 {
        let line = format!("{index}\n").into_bytes();
        mock.write(1, &line).await.unwrap();
        expected.extend(line);
        assert_eq!(*sink.0.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_closed_output_is_a_broken_pipe_for_the_guest() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let output = WriterOutput::new(Closed, StreamKind::Pipe);
    let mut mock = with_streams(Arc::new(Null), Arc::new(output));
    assert_eq!(mock.write(1, b"x").await, Err(Errno::Pipe));
}

#[tokio::test]
async fn without_streams_input_ends_and_output_vanishes() {
    let mut mock = Mock::new(&WasiConfig::default());
    assert_eq!(mock.read(0, 9).await.unwrap(), b"");
    assert_eq!(mock.write(2, b"x").await, Ok(1));
}
