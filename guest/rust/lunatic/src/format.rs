//! Formats: how values become bytes. `Postcard` is the default and what all libraries speak;
//! `Raw` is bytes as they are; a program adds its own by implementing [`Format`].
//!
//! A format writes to an [`Output`] and reads from a slice; it knows no host functions.

use core::any::type_name;
use core::fmt;
use std::error::Error;

use postcard::ser_flavors::Flavor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use crate::output::Output;

/// How values of `T` become bytes, and bytes values.
///
/// A format is a type parameter of [`Mailbox`](crate::Mailbox) and
/// [`Process`](crate::Process), and needs no value of its own.
///
/// ```
/// use lunatic::format::{DecodeCause, EncodeError, Format, Output};
///
/// /// Numbers as decimal text.
/// struct Decimal;
///
/// impl Format<u64> for Decimal {
///     fn encode(value: &u64, output: &mut Output) -> Result<(), EncodeError> {
///         output.write(value.to_string().as_bytes());
///         Ok(())
///     }
///
///     fn decode(bytes: &[u8]) -> Result<u64, DecodeCause> {
///         let text = std::str::from_utf8(bytes).map_err(DecodeCause::new)?;
///         text.parse().map_err(DecodeCause::new)
///     }
/// }
///
/// let mailbox = lunatic::Mailbox::<u64, Decimal>::new();
/// mailbox.this().send(12);
/// assert_eq!(mailbox.receive().unwrap(), 12);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be a message in the format `{Self}`",
    label = "not a message",
    note = "in the default format, messages and arguments of processes are types that serde writes \
            and reads (`#[derive(Serialize, Deserialize)]`) and that own what they hold: `String` \
            instead of `&str`, `Vec<T>` instead of `&[T]`"
)]
pub trait Format<T> {
    /// Writes the value.
    ///
    /// # Errors
    ///
    /// If the value cannot be written in this format; what was written already is thrown away.
    fn encode(value: &T, output: &mut Output) -> Result<(), EncodeError>;

    /// Reads a value from all of these bytes; bytes that are left over are an error.
    ///
    /// # Errors
    ///
    /// If the bytes are no such value.
    fn decode(bytes: &[u8]) -> Result<T, DecodeCause>;

    /// The same from bytes that the format may keep: what [`Raw`] does.
    ///
    /// # Errors
    ///
    /// If the bytes are no such value.
    fn decode_owned(bytes: Vec<u8>) -> Result<T, DecodeCause> {
        Self::decode(&bytes)
    }

    /// Whether [`decode_owned`](Format::decode_owned) is to be called for messages of any size,
    /// since it keeps the bytes.
    ///
    /// ```
    /// use lunatic::format::{Format, Raw};
    ///
    /// assert!(<Raw as Format<Vec<u8>>>::KEEPS_BYTES);
    /// assert_eq!(<Raw as Format<Vec<u8>>>::decode_owned(vec![1, 2]).unwrap(), [1, 2]);
    /// ```
    const KEEPS_BYTES: bool = false;
}

/// The default: [postcard](https://docs.rs/postcard), compact, fast, and the same in all languages
/// that have a Lunatic library.
///
/// Values are read in another process, so they own what they hold: `String` instead of `&str`,
/// `Vec<T>` or [`Bytes`] instead of slices. Of references the compiler says that the implementation
/// of `Deserialize` is not general enough.
///
/// ```
/// use lunatic::{Mailbox, Postcard, Process};
///
/// // Both are the same type.
/// let mailbox: Mailbox<(u8, String)> = Mailbox::<_, Postcard>::new();
/// let me: Process<(u8, String), Postcard> = mailbox.this();
/// me.send((1, "one".to_owned()));
/// assert_eq!(mailbox.receive().unwrap(), (1, "one".to_owned()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Postcard;

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Format<T> for Postcard {
    #[inline]
    fn encode(value: &T, output: &mut Output) -> Result<(), EncodeError> {
        write(value, output)
    }

    #[inline]
    fn decode(bytes: &[u8]) -> Result<T, DecodeCause> {
        from_slice(bytes)
    }
}

/// Bytes as they are: the message is the value. One copy into the message, one out of it.
///
/// ```
/// use lunatic::{Mailbox, Raw};
///
/// let mailbox = Mailbox::<Vec<u8>, Raw>::new();
/// mailbox.this().send(vec![0; 100_000]);
/// assert_eq!(mailbox.receive().unwrap().len(), 100_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Raw;

impl Format<Vec<u8>> for Raw {
    fn encode(value: &Vec<u8>, output: &mut Output) -> Result<(), EncodeError> {
        output.write(value);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, DecodeCause> {
        Ok(bytes.to_vec())
    }

    fn decode_owned(bytes: Vec<u8>) -> Result<Vec<u8>, DecodeCause> {
        Ok(bytes)
    }

    const KEEPS_BYTES: bool = true;
}

impl Format<String> for Raw {
    fn encode(value: &String, output: &mut Output) -> Result<(), EncodeError> {
        output.write(value.as_bytes());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<String, DecodeCause> {
        String::from_utf8(bytes.to_vec()).map_err(DecodeCause::new)
    }

    fn decode_owned(bytes: Vec<u8>) -> Result<String, DecodeCause> {
        String::from_utf8(bytes).map_err(DecodeCause::new)
    }

    const KEEPS_BYTES: bool = true;
}

/// Bytes inside of a larger message, copied as one piece. Serde writes a `Vec<u8>` byte by byte;
/// on the wire both are the same.
///
/// ```
/// use lunatic::{Bytes, Mailbox};
///
/// let mailbox = Mailbox::<(String, Bytes)>::new();
/// mailbox.this().send(("picture.png".to_owned(), vec![0; 50_000].into()));
/// let (name, bytes) = mailbox.receive().unwrap();
/// assert_eq!((&name[..], bytes.len()), ("picture.png", 50_000));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Bytes(pub Vec<u8>);

impl core::ops::Deref for Bytes {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl core::ops::DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes(bytes.to_vec())
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// A value cannot be written in a format.
///
/// ```
/// use lunatic::format::{EncodeError, to_vec};
///
/// assert_eq!(to_vec(&7u8), Ok(vec![7]));
/// let error = EncodeError::new("it has no end");
/// assert_eq!(error.to_string(), "the value cannot be written as a message: it has no end");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct EncodeError(String);

impl EncodeError {
    /// From what the format says.
    pub fn new(cause: impl fmt::Display) -> EncodeError {
        EncodeError(cause.to_string())
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value cannot be written as a message: {}", self.0)
    }
}

impl Error for EncodeError {}

/// Why bytes are no value of a type, as the format says it.
///
/// ```
/// use lunatic::format::{DecodeCause, from_slice};
///
/// let cause: DecodeCause = from_slice::<bool>(&[2]).unwrap_err();
/// println!("{cause}");
/// assert_eq!(DecodeCause::new("no number").to_string(), "no number");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeCause(String);

impl DecodeCause {
    /// From what the format says.
    pub fn new(cause: impl fmt::Display) -> DecodeCause {
        DecodeCause(cause.to_string())
    }
}

impl fmt::Display for DecodeCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for DecodeCause {}

/// Postcard's end of an [`Output`].
struct Wire<'a>(&'a mut Output);

impl Flavor for Wire<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.write(&[byte]);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.write(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Writes a value as postcard.
///
/// # Errors
///
/// If the type cannot be serialised without a description of itself.
pub fn write<T: Serialize + ?Sized>(value: &T, output: &mut Output) -> Result<(), EncodeError> {
    postcard::serialize_with_flavor(value, Wire(output)).map_err(EncodeError::new)
}

/// A value as postcard.
///
/// # Errors
///
/// As for [`write()`].
///
/// ```
/// use lunatic::format::{Output, from_slice, to_vec, write};
///
/// let bytes = to_vec(&("seven", 7u32)).unwrap();
/// assert_eq!(bytes, b"\x05seven\x07");
/// assert_eq!(from_slice::<(String, u32)>(&bytes).unwrap(), ("seven".to_owned(), 7));
/// assert!(from_slice::<u8>(&bytes).is_err(), "bytes are left over");
///
/// let mut output = Output::in_memory();
/// write(&300u32, &mut output).unwrap();
/// assert_eq!(output.into_bytes(), [0xac, 2]);
/// ```
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut output = Output::in_memory();
    write(value, &mut output)?;
    Ok(output.into_bytes())
}

/// A value from postcard, which must be all of the bytes.
///
/// # Errors
///
/// If the bytes are no such value, or some are left over.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeCause> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(DecodeCause::new)?;
    if rest.is_empty() {
        return Ok(value);
    }
    Err(DecodeCause(format!("{} bytes are left over behind a {}", rest.len(), type_name::<T>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T>(value: T, bytes: &[u8])
    where
        T: Serialize + DeserializeOwned + PartialEq + fmt::Debug,
    {
        assert_eq!(to_vec(&value).unwrap(), bytes, "{value:?}");
        assert_eq!(from_slice::<T>(bytes).unwrap(), value);
    }

    #[test]
    fn bodies_are_those_of_the_page_about_the_wire() {
        #[derive(Serialize, Deserialize, PartialEq, Debug)]
        enum Two {
            First,
            Second(u8),
        }
        check(true, &[1]);
        check(200u8, &[0xc8]);
        check(-1i8, &[0xff]);
        check(127u32, &[0x7f]);
        check(128u32, &[0x80, 1]);
        check(300u64, &[0xac, 2]);
        check(1i32, &[2]);
        check(-1i64, &[1]);
        check(-65i16, &[0x81, 1]);
        check(1.0f32, &[0, 0, 0x80, 0x3f]);
        check('a', &[1, 0x61]);
        check("hé".to_owned(), &[3, 0x68, 0xc3, 0xa9]);
        check(vec![1u16, 300], &[2, 1, 0xac, 2]);
        check(Some(5u8), &[1, 5]);
        check((1u8, true), &[1, 1]);
        check(Two::Second(7), &[1, 7]);
        check(Two::First, &[0]);
        check(std::collections::BTreeMap::from([(1u8, 2u8)]), &[1, 1, 2]);
        check(crate::Pid::new(0, 300), &[0, 0xac, 2]);
        let duration = std::time::Duration::from_millis(1500);
        check(duration, &[1, 0x80, 0xca, 0xb5, 0xee, 1]);
    }

    #[test]
    fn bytes_are_a_list_of_bytes_on_the_wire() {
        check(Bytes(vec![1, 2]), &[2, 1, 2]);
        check(vec![1u8, 2], &[2, 1, 2]);
    }

    #[test]
    fn bytes_that_are_left_over_are_an_error() {
        assert!(from_slice::<u8>(&[1, 2]).unwrap_err().to_string().contains("left over"));
        assert!(from_slice::<u16>(&[0x80]).is_err());
        assert!(from_slice::<bool>(&[2]).is_err());
    }
}
