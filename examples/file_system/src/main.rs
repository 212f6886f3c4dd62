//! A process that serves as the file system of a program that it does not trust. The program uses
//! files as any other does. It has no directory of the machine: whatever it opens, reads or lists
//! is a message to its host, which answers from a map in its memory and gives it little room. What
//! it prints goes to the host, too.
//!
//! Run it: `lunatic run examples/file_system`
//!
//! It prints:
//!
//! ```text
//! the program says: the note reads "milk, eggs"
//! the program says: I see notes.txt, readme.txt
//! the program says: /etc/passwd: entity not found
//! the program says: /data/../../etc: permission denied
//! the program says: the disk is full after 4060 bytes
//! it left: big (4060 bytes), notes.txt (10 bytes), readme.txt (26 bytes)
//! files that are still open: 0
//! ```
//!
//! abi/redirect.md has the requests; each comes as a call of the libraries' wire format
//! (guest/wire.md), so a server of any library can answer them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;

mod calls;

use calls::{Incoming, Reader, Writer};

/// Bytes of all files together.
const ROOM: usize = 4096;
/// Files that may be open at once.
const OPEN_MAX: usize = 16;

/// Error numbers of WASI.
const BADF: u16 = 8;
const EXIST: u16 = 20;
const NFILE: u16 = 41;
const NOENT: u16 = 44;
const NOSPC: u16 = 51;
const NOTSUP: u16 = 58;

/// Kinds of files.
const DIRECTORY: u8 = 3;
const REGULAR: u8 = 4;

/// The files, and those that are open.
#[derive(Default)]
struct Files {
    contents: BTreeMap<String, Vec<u8>>,
    open: BTreeMap<u64, String>,
    opened: u64,
}

impl Files {
    /// The fields of a reply, or an error number.
    fn answer(&mut self, request: &mut Reader) -> Result<Writer, u16> {
        match request.byte()? {
            0 => self.open(request.text()?, request.number()?),
            1 => {
                self.open.remove(&request.number()?);
                Ok(Writer::ok())
            }
            2 => {
                let (handle, offset) = (request.number()?, request.number()? as usize);
                let (length, content) = (request.number()? as usize, self.content(handle)?);
                let rest = content.get(offset..).unwrap_or_default();
                Ok(Writer::ok().bytes(&rest[..rest.len().min(length)]))
            }
            3 => {
                let (handle, offset) = (request.number()?, request.number()? as usize);
                let count = self.write(handle, offset, request.bytes()?)?;
                Ok(Writer::ok().number(count as u64))
            }
            5 => Ok(metadata(REGULAR, self.content(request.number()?)?.len())),
            10 => {
                let mut list = Writer::ok().number(self.contents.len() as u64);
                for name in self.contents.keys() {
                    list = list.bytes(name.as_bytes()).number(0).byte(REGULAR);
                }
                Ok(list)
            }
            11 => match name_of(request.text()?)? {
                None => Ok(metadata(DIRECTORY, 0)),
                Some(name) => {
                    let content = self.contents.get(name).ok_or(NOENT)?;
                    Ok(metadata(REGULAR, content.len()))
                }
            },
            // What the program prints.
            20 => {
                let (_stream, text) = (request.text()?, request.bytes()?);
                for line in String::from_utf8_lossy(text).lines() {
                    println!("the program says: {line}");
                }
                Ok(Writer::ok().number(text.len() as u64))
            }
            _ => Err(NOTSUP),
        }
    }

    fn open(&mut self, path: &str, flags: u64) -> Result<Writer, u16> {
        const CREATE: u64 = 4;
        const EXCLUSIVE: u64 = 8;
        const TRUNCATE: u64 = 16;
        let Some(name) = name_of(path)? else { return Ok(Writer::ok().byte(1)) };
        if self.open.len() >= OPEN_MAX {
            return Err(NFILE);
        }
        match self.contents.get_mut(name) {
            Some(_) if flags & CREATE != 0 && flags & EXCLUSIVE != 0 => return Err(EXIST),
            Some(content) if flags & TRUNCATE != 0 => content.clear(),
            Some(_) => {}
            None if flags & CREATE != 0 && !name.contains('/') => {
                self.contents.insert(name.to_owned(), Vec::new());
            }
            None => return Err(NOENT),
        }
        self.opened += 1;
        self.open.insert(self.opened, name.to_owned());
        Ok(Writer::ok().byte(0).number(self.opened))
    }

    fn content(&self, handle: u64) -> Result<&Vec<u8>, u16> {
        self.open.get(&handle).and_then(|name| self.contents.get(name)).ok_or(BADF)
    }

    /// Takes as much as there is room for.
    fn write(&mut self, handle: u64, offset: usize, data: &[u8]) -> Result<usize, u16> {
        let used: usize = self.contents.values().map(Vec::len).sum();
        let name = self.open.get(&handle).ok_or(BADF)?;
        let content = self.contents.get_mut(name).ok_or(BADF)?;
        let end_max = ROOM - used + content.len();
        let count = data.len().min(end_max.saturating_sub(offset));
        if count < data.len().min(1) {
            return Err(NOSPC);
        }
        content.resize(content.len().max(offset + count), 0);
        content[offset..offset + count].copy_from_slice(&data[..count]);
        Ok(count)
    }
}

/// Kind, size, links, three times and the inode.
fn metadata(kind: u8, size: usize) -> Writer {
    let numbers = [size as u64, 1, 0, 0, 0, 0];
    numbers.into_iter().fold(Writer::ok().byte(kind), Writer::number)
}

/// The name of a file; none for the directory itself, which the program knows as `/data`.
fn name_of(path: &str) -> Result<Option<&str>, u16> {
    match path.strip_prefix("/data").ok_or(NOENT)? {
        "" => Ok(None),
        rest => rest.strip_prefix('/').map(Some).ok_or(NOENT),
    }
}

fn main() {
    let mut files = Files::default();
    files.contents.insert("readme.txt".to_owned(), b"there is room for 4096 b.\n".to_vec());
    calls::spawn_redirected("untrusted", &["dir:/data", "stdout"]);
    while let Some(incoming) = calls::next() {
        let Incoming { reply_to, body } = incoming;
        let answer = files.answer(&mut Reader::new(&body));
        if let Some(reply_to) = reply_to {
            calls::reply(reply_to, answer.unwrap_or_else(Writer::error));
        }
    }
    let left = files.contents.iter().map(|(name, bytes)| format!("{name} ({} bytes)", bytes.len()));
    println!("it left: {}", left.collect::<Vec<_>>().join(", "));
    println!("files that are still open: {}", files.open.len());
}

/// The program: nothing in it knows that it is watched.
#[unsafe(no_mangle)]
extern "C" fn untrusted() {
    fs::write("/data/notes.txt", "milk, eggs").expect("there is room for a note");
    let note = fs::read_to_string("/data/notes.txt").expect("it was written");
    println!("the note reads \"{note}\"");
    let entries = fs::read_dir("/data").expect("it can be listed");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    println!("I see {}", names.join(", "));
    for path in ["/etc/passwd", "/data/../../etc"] {
        println!("{path}: {}", File::open(path).expect_err("it is not there").kind());
    }
    let (mut big, mut written) = (File::create("/data/big").expect("one more file"), 0);
    while let Ok(count) = big.write(&[b'x'; 1000]) {
        written += count;
    }
    println!("the disk is full after {written} bytes");
}
