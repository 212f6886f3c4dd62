//! The records of `lunatic::sqlite` in guest memory, as guests' bincode 1.3 writes and reads them:
//! integers of fixed width, lengths with 64 bits, variants with 32, all little-endian.
//!
//! What is decoded is borrowed from guest memory, and nothing is allocated for what it claims.

use lunatic_sqlite::{Error, Key, Value};
use wasmtime::{Result, bail, format_err};

/// A list of parameters and their values.
#[derive(Clone)]
pub(super) struct Bindings<'a> {
    reader: Reader<'a>,
    left: u64,
}

impl<'a> Bindings<'a> {
    /// The list, of which every entry is known to be whole; or a trap.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Bindings<'a>> {
        let mut reader = Reader(bytes);
        let left = reader.u64()?;
        let bindings = Bindings { reader, left };
        // An entry has at least eight bytes, so this ends no later than the bytes do.
        let mut rest = bindings.clone();
        while rest.left > 0 {
            rest.decode_next()?;
        }
        Ok(bindings)
    }

    fn decode_next(&mut self) -> Result<(Key<'a>, Value<'a>)> {
        self.left -= 1;
        Ok((self.reader.key()?, self.reader.value()?))
    }
}

impl<'a> Iterator for Bindings<'a> {
    type Item = (Key<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 { None } else { self.decode_next().ok() }
    }
}

#[derive(Clone)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| format_err!("a list of values for a statement is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.u64()?;
        // A length that does not fit is too long for any memory.
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|error| format_err!("a string is not valid UTF-8: {error}"))
    }

    fn key(&mut self) -> Result<Key<'a>> {
        match self.u32()? {
            // Without a key the first parameter is meant, as it always was.
            0 => Ok(Key::Index(1)),
            1 => Ok(Key::Index(self.u64()?)),
            2 => Ok(Key::Name(self.text()?)),
            kind => bail!("the key of a value for a statement is of kind 0, 1 or 2, not {kind}"),
        }
    }

    fn value(&mut self) -> Result<Value<'a>> {
        Ok(match self.u32()? {
            0 => Value::Null,
            1 => Value::Blob(self.bytes()?),
            2 => Value::Text(self.text()?.as_bytes()),
            3 => Value::Real(self.array().map(f64::from_le_bytes)?),
            4 => Value::Integer(self.array().map(i32::from_le_bytes)?.into()),
            5 => Value::Integer(self.array().map(i64::from_le_bytes)?),
            kind => bail!("a value for a statement is of kind 0 to 5, not {kind}"),
        })
    }
}

/// Begins a list of so many entries.
pub(super) fn encode_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as u64).to_le_bytes());
}

/// The value of a column. Text that is no UTF-8 is made such, since guests insist on it.
pub(super) fn encode_value(out: &mut Vec<u8>, value: Value<'_>) {
    let mut kind = |kind: u32| out.extend_from_slice(&kind.to_le_bytes());
    match value {
        Value::Null => kind(0),
        Value::Blob(blob) => {
            kind(1);
            encode_bytes(out, blob);
        }
        Value::Text(text) => {
            kind(2);
            encode_bytes(out, String::from_utf8_lossy(text).as_bytes());
        }
        Value::Real(value) => {
            kind(3);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Integer(value) => {
            kind(4);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Bytes, or the bytes of a text.
pub(super) fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    encode_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// An error, or that there is none. Guests read the code as the number of a variant of theirs,
/// which for primary codes below 29 is the same.
pub(super) fn encode_error(error: Option<&Error>) -> Vec<u8> {
    let Some(error) = error else { return vec![0, 0] };
    let mut out = vec![1];
    out.extend_from_slice(&error.code.to_le_bytes());
    out.push(1);
    encode_bytes(&mut out, error.message.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(count: u64, entries: &[u8]) -> Vec<u8> {
        [&count.to_le_bytes(), entries].concat()
    }

    #[test]
    fn each_kind_of_key_and_value_is_read() {
        let mut bytes = list(6, &[0; 8]);
        let mut add = |key: &[u8], kind: u8, value: &[u8]| {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&[kind, 0, 0, 0]);
            bytes.extend_from_slice(value);
        };
        let number = [1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        let name = [2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b':', b'a'];
        let text = [2, 0, 0, 0, 0, 0, 0, 0, b'h', 0];
        add(&number, 1, &text);
        add(&number, 2, &text);
        add(&name, 3, &1.5_f64.to_le_bytes());
        add(&name, 4, &(-2_i32).to_le_bytes());
        add(&name, 5, &i64::MIN.to_le_bytes());
        let bindings: Vec<_> = Bindings::decode(&bytes).expect("it is whole").collect();
        let (number, name) = (Key::Index(7), Key::Name(":a"));
        assert_eq!(
            bindings,
            [
                (Key::Index(1), Value::Null),
                (number, Value::Blob(b"h\0")),
                (number, Value::Text(b"h\0")),
                (name, Value::Real(1.5)),
                (name, Value::Integer(-2)),
                (name, Value::Integer(i64::MIN)),
            ]
        );
        for length in 0..bytes.len() {
            assert!(Bindings::decode(&bytes[..length]).is_err(), "{length} bytes of it");
        }
    }

    #[test]
    fn what_claims_to_be_huge_is_refused_without_memory_for_it() {
        let huge = u64::MAX.to_le_bytes();
        assert!(Bindings::decode(&list(u64::MAX, &[0; 64])).is_err());
        assert!(Bindings::decode(&list(1, &[&[2, 0, 0, 0][..], &huge].concat())).is_err());
        assert!(
            Bindings::decode(&list(1, &[&[0, 0, 0, 0, 1, 0, 0, 0][..], &huge].concat())).is_err()
        );
        for bad in [[3, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 6, 0, 0, 0]] {
            assert!(Bindings::decode(&list(1, &bad)).is_err());
        }
    }

    #[test]
    fn text_of_columns_is_always_utf_8() {
        let mut out = Vec::new();
        encode_value(&mut out, Value::Text(b"a\xff"));
        assert_eq!(out[..12], [2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&out[12..], "a\u{fffd}".as_bytes());
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_panic(bytes in proptest::collection::vec(0_u8..6, 0..200)) {
            if let Ok(bindings) = Bindings::decode(&bytes) {
                let claimed = bindings.left;
                prop_assert_eq!(bindings.count() as u64, claimed);
            }
        }
    }
}
