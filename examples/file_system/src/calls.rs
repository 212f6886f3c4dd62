//! The host functions that the example needs (abi/redirect.md, abi/process.md), and the bytes of
//! calls and replies (guest/wire.md).

mod host {
    #[link(wasm_import_module = "lunatic::process")]
    unsafe extern "C" {
        pub fn create_empty_config() -> i64;
        pub fn config_allow(config: i64, right: *const u8, length: usize, error: *mut u64) -> i32;
        pub fn config_redirect_to_process(
            config: i64,
            what: *const u8,
            what_length: usize,
            node: i64,
            id: i64,
            tag: i64,
            flags: i32,
            error: *mut u64,
        ) -> i32;
        pub fn process_id() -> i64;
        pub fn spawn_with(options: *const Options, length: usize, result: *mut u64) -> i32;
    }

    #[link(wasm_import_module = "lunatic::message")]
    unsafe extern "C" {
        pub fn receive_with(p: *const u8, count: i32, flags: i32, t: i64, header: *mut u64) -> i32;
        pub fn read_data(place: *mut u8, length: usize) -> i32;
        pub fn create_data(tag: i64, capacity: i64);
        pub fn write_data(data: *const u8, length: usize) -> i32;
        pub fn send_alias(node: i64, id: i64, flags: i32, timeout: i64) -> i32;
    }

    /// What `spawn_with` takes; what is not here counts as zeros.
    #[repr(C)]
    pub struct Options {
        pub flags: u32,
        pub priority: u32,
        pub config: i64,
        pub module: i64,
        pub entry: *const u8,
        pub entry_length: u32,
        pub params: u32,
        pub params_length: u32,
    }
}

/// Of a spawn: the parent watches the child.
const MONITOR: u32 = 2;
/// Of a redirection: the process answers.
const ANSWER: i32 = 2;
/// Of a message: a call, an answer.
const CALL: i64 = -1;
const REPLY: i64 = -3;
/// Of a header: the end of a process.
const DOWN: u32 = 2;

/// Spawns a process with no right but to print. What is listed it gets from this one.
pub fn spawn_redirected(entry: &str, what: &[&str]) {
    // SAFETY: the functions are as their pages say, and all pointers are to live values.
    unsafe {
        let (config, me, mut error) = (host::create_empty_config(), host::process_id(), 0);
        let right = "stdout";
        let code = host::config_allow(config, right.as_ptr(), right.len(), &mut error);
        assert_eq!(code, 0, "{right} is a right");
        for what in what {
            let (text, length) = (what.as_ptr(), what.len());
            let code = host::config_redirect_to_process(
                config, text, length, 0, me, 0, ANSWER, &mut error,
            );
            assert_eq!(code, 0, "{what} can be redirected to this process");
        }
        let options = host::Options {
            flags: MONITOR,
            priority: 0,
            config,
            module: -1,
            entry: entry.as_ptr(),
            entry_length: entry.len() as u32,
            params: 0,
            params_length: 0,
        };
        let mut result = [0; 4];
        let code = host::spawn_with(&options, size_of_val(&options), result.as_mut_ptr());
        assert_eq!(code, 0, "it can be spawned");
    }
}

/// A request, and to which reference its answer goes, if it wants one.
pub struct Incoming {
    pub reply_to: Option<[i64; 2]>,
    pub body: Vec<u8>,
}

/// The next request; none when the program has ended.
pub fn next() -> Option<Incoming> {
    let mut header = [0_u64; 8];
    // SAFETY: the header has its 64 bytes, and the place for data the length that is told.
    let mut body = unsafe {
        host::receive_with(std::ptr::null(), 0, 0, -1, header.as_mut_ptr());
        let mut body = vec![0; header[6] as usize];
        host::read_data(body.as_mut_ptr(), body.len());
        body
    };
    if header[0] as u32 == DOWN {
        return None;
    }
    let mut reply_to = None;
    if header[1] as i64 == CALL && body.len() >= 16 {
        let numbers: Vec<u8> = body.drain(..16).collect();
        let number = |at: usize| i64::from_le_bytes(numbers[at..at + 8].try_into().expect("8"));
        reply_to = Some([number(0), number(8)]);
    }
    Some(Incoming { reply_to, body })
}

pub fn reply([node, id]: [i64; 2], reply: Writer) {
    // SAFETY: the data lives until the call returns, with the length that is told.
    unsafe {
        host::create_data(REPLY, reply.0.len() as i64);
        host::write_data(reply.0.as_ptr(), reply.0.len());
        host::send_alias(node, id, 0, -1);
    }
}

/// A reply: variant 0 and fields, or variant 1 and an error number.
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn ok() -> Writer {
        Writer(vec![0])
    }

    pub fn error(number: u16) -> Writer {
        Writer(vec![1]).number(number.into())
    }

    pub fn byte(mut self, byte: u8) -> Writer {
        self.0.push(byte);
        self
    }

    pub fn number(mut self, mut number: u64) -> Writer {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8)
    }

    pub fn bytes(self, bytes: &[u8]) -> Writer {
        let mut writer = self.number(bytes.len() as u64);
        writer.0.extend_from_slice(bytes);
        writer
    }
}

/// A request. What is no request is a bad message.
pub struct Reader<'a>(&'a [u8]);

const BADMSG: u16 = 9;

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Reader<'a> {
        Reader(body)
    }

    pub fn byte(&mut self) -> Result<u8, u16> {
        let (first, rest) = self.0.split_first().ok_or(BADMSG)?;
        self.0 = rest;
        Ok(*first)
    }

    pub fn number(&mut self) -> Result<u64, u16> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(BADMSG)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], u16> {
        let length = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(BADMSG)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub fn text(&mut self) -> Result<&'a str, u16> {
        std::str::from_utf8(self.bytes()?).map_err(|_| BADMSG)
    }
}
