//! The bytes of requests and replies, as `abi/redirect.md` has them, and of what an audit tells:
//! postcard.
//!
//! Replies come from a process that nobody trusts: whatever is wrong with one is `Io`, and nothing
//! is taken of it beyond what was asked for.

use lunatic_wasi::Errno;

/// A request, or another body, being written.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A request with the number of its kind.
    pub(crate) fn new(kind: u8) -> Writer {
        Writer(vec![kind])
    }

    /// Without a kind.
    pub(crate) fn empty() -> Writer {
        Writer(Vec::new())
    }

    pub(crate) fn number(mut self, mut value: u64) -> Writer {
        while value >= 0x80 {
            self.0.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    pub(crate) fn flag(mut self, value: bool) -> Writer {
        self.0.push(u8::from(value));
        self
    }

    pub(crate) fn byte(mut self, value: u8) -> Writer {
        self.0.push(value);
        self
    }

    pub(crate) fn bytes(self, value: &[u8]) -> Writer {
        let mut writer = self.number(value.len() as u64);
        writer.0.extend_from_slice(value);
        writer
    }

    pub(crate) fn text(self, value: &str) -> Writer {
        self.bytes(value.as_bytes())
    }

    pub(crate) fn signed(self, value: i64) -> Writer {
        self.number(((value << 1) ^ (value >> 63)).cast_unsigned())
    }

    pub(crate) fn double(mut self, value: f64) -> Writer {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A reply being read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The part behind the variant of a reply that says ok; else the error that it tells.
    pub(super) fn of(reply: &'a [u8]) -> Result<Reader<'a>, Errno> {
        let mut reader = Reader(reply);
        match reader.byte()? {
            0 => Ok(reader),
            1 => {
                let number = reader.number()?;
                reader.end()?;
                // No number that means success, and none that does not exist.
                let known = Errno::ALL.iter().skip(1);
                Err(known
                    .copied()
                    .find(|errno| u64::from(errno.number()) == number)
                    .unwrap_or(Errno::Io))
            }
            _ => Err(Errno::Io),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Errno> {
        let (first, rest) = self.0.split_first().ok_or(Errno::Io)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u64, Errno> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            // The tenth byte holds the one bit that is left.
            if shift == 63 && part > 1 {
                return Err(Errno::Io);
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Errno::Io)
    }

    /// At most `max` bytes.
    pub(super) fn bytes(&mut self, max: usize) -> Result<&'a [u8], Errno> {
        let length = self.number()?;
        let length = usize::try_from(length).ok().filter(|length| *length <= max);
        let (bytes, rest) = self.0.split_at_checked(length.ok_or(Errno::Io)?).ok_or(Errno::Io)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A count of at most `max`.
    pub(super) fn count(&mut self, max: usize) -> Result<usize, Errno> {
        let count = usize::try_from(self.number()?).ok().filter(|count| *count <= max);
        count.ok_or(Errno::Io)
    }

    /// Nothing may be left over.
    pub(super) fn end(self) -> Result<(), Errno> {
        if self.0.is_empty() { Ok(()) } else { Err(Errno::Io) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_is_one_that_exists() {
        let error = |reply: &[u8]| Reader::of(reply).err();
        assert_eq!(error(&[1, 44]), Some(Errno::Noent));
        for odd in [&[][..], &[1], &[1, 0], &[1, 77], &[1, 0xff, 0xff, 3], &[2], &[1, 44, 0]] {
            assert_eq!(error(odd), Some(Errno::Io), "{odd:?}");
        }
        assert_eq!(error(&[0]), None);
    }

    #[test]
    fn more_bytes_than_asked_for_are_an_error() {
        let reply = Writer::new(0).bytes(b"four").done();
        assert_eq!(Reader::of(&reply).unwrap().bytes(4), Ok(&b"four"[..]));
        assert_eq!(Reader::of(&reply).unwrap().bytes(3), Err(Errno::Io));
        assert_eq!(Reader::of(&[0, 200, 1, 7]).unwrap().bytes(1000), Err(Errno::Io));
        assert_eq!(Reader::of(&reply).unwrap().end(), Err(Errno::Io));
    }

    proptest! {
        #[test]
        fn numbers_come_back(value: u64) {
            let written = Writer::new(0).number(value).done();
            let mut reader = Reader::of(&written).unwrap();
            prop_assert_eq!(reader.number(), Ok(value));
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, max in 0usize..50) {
            if let Ok(mut reader) = Reader::of(&bytes) {
                reader.number().ok();
                reader.bytes(max).ok();
                reader.count(max).ok();
                reader.end().ok();
            }
        }
    }
}
