//! Values as they cross the border of this room, borrowed from whoever has them.

/// A value of SQLite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT. In a column it may be any bytes: SQLite does not insist on UTF-8.
    Text(&'a [u8]),
    /// BLOB.
    Blob(&'a [u8]),
}

/// Which parameter of a statement a value is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// By number, from 1.
    Index(u64),
    /// By name, with its `:`, `@` or `$`, or without.
    Name(&'a str),
}
