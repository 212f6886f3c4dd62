//! Comparing what a listing prints with what its page shows. Three things are never the same twice,
//! so a page shows an example of each: a pid (`<0.7>`), a port of this machine (`127.0.0.1:40123`)
//! and a time with a point (`0.02s`).
//!
//! What must stay true: everything else is compared byte for byte. A pid or a port of a page stands
//! for one real value, and a real value for one of the page, wherever it is met again.

use std::collections::HashMap;

/// What a page's example values really are.
#[derive(Debug, Default)]
pub struct Examples {
    real: HashMap<String, String>,
    shown: HashMap<String, String>,
}

/// A piece of an output.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Plain(&'a str),
    Pid(&'a str),
    Port(&'a str),
    Time(Time<'a>),
}

/// A number with a point and a unit. Only the units of two are compared.
#[derive(Clone, Copy, Debug)]
struct Time<'a> {
    text: &'a str,
    unit: &'a str,
}

impl PartialEq for Time<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.unit == other.unit
    }
}

impl Eq for Time<'_> {}

const HOST: &str = "127.0.0.1:";
/// The longer ones first, so that none is taken for a part of another.
const UNITS: &[&str] = &[" ms", " s", "ms", "µs", "ns", "s"];

impl Examples {
    /// Whether an output is what the page shows.
    pub fn fit(&mut self, shown: &str, real: &str) -> bool {
        let (shown, real) = (pieces(shown), pieces(real));
        shown.len() == real.len()
            && shown.iter().zip(&real).all(|pair| match pair {
                (Piece::Pid(shown), Piece::Pid(real)) => self.same(shown, real),
                (Piece::Port(shown), Piece::Port(real)) => self.same(shown, real),
                (shown, real) => shown == real,
            })
    }

    fn same(&mut self, shown: &str, real: &str) -> bool {
        let (shown, real) = (shown.to_owned(), real.to_owned());
        let first = self.real.entry(shown.clone()).or_insert_with(|| real.clone()) == &real;
        first && *self.shown.entry(real).or_insert_with(|| shown.clone()) == shown
    }

    /// A command with the real values in the places of the ports that were met before.
    pub fn fill_in(&self, command: &str) -> String {
        let pieces = pieces(command).into_iter().map(|piece| match piece {
            Piece::Port(port) => self.real.get(port).map_or(port, String::as_str).to_owned(),
            Piece::Plain(text) | Piece::Pid(text) | Piece::Time(Time { text, .. }) => {
                text.to_owned()
            }
        });
        pieces.collect()
    }
}

/// Splits a text at what varies.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut plain, mut at) = (0, 0);
    while let Some(letter) = text[at..].chars().next() {
        let rest = &text[at..];
        let number_begins = letter.is_ascii_digit()
            && !text[..at].ends_with(|before: char| before.is_ascii_digit() || before == '.');
        let found = match letter {
            '<' => pid(rest).map(|end| (end, Piece::Pid(&rest[..end]))),
            '1' if number_begins && rest.starts_with(HOST) => {
                port(rest).map(|end| (end, Piece::Port(&rest[..end])))
            }
            _ if number_begins => time(rest),
            _ => None,
        };
        match found {
            Some((length, piece)) => {
                if plain < at {
                    pieces.push(Piece::Plain(&text[plain..at]));
                }
                pieces.push(piece);
                at += length;
                plain = at;
            }
            None => at += letter.len_utf8(),
        }
    }
    if plain < at {
        pieces.push(Piece::Plain(&text[plain..]));
    }
    pieces
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The length of `<0.7>`.
fn pid(text: &str) -> Option<usize> {
    let node = digits(&text[1..]);
    let serial = digits(text[1 + node..].strip_prefix('.')?);
    let end = node + serial + 2;
    (node > 0 && serial > 0 && text[end..].starts_with('>')).then_some(end + 1)
}

/// The length of `127.0.0.1:40123`. Port 0 asks for any, and is no example of one.
fn port(text: &str) -> Option<usize> {
    let port = &text[HOST.len()..][..digits(&text[HOST.len()..])];
    (!port.is_empty() && port != "0").then_some(HOST.len() + port.len())
}

/// The length of `0.02s`, and the unit.
fn time(text: &str) -> Option<(usize, Piece<'_>)> {
    let whole = digits(text);
    let fraction = digits(text[whole..].strip_prefix('.')?);
    let rest = &text[whole + 1 + fraction..];
    let unit = UNITS.iter().find(|unit| rest.starts_with(**unit))?;
    let ends = !rest[unit.len()..].starts_with(|next: char| next.is_alphanumeric());
    let end = whole + 1 + fraction + unit.len();
    (fraction > 0 && ends).then(|| (end, Piece::Time(Time { text: &text[..end], unit })))
}

#[cfg(test)]
mod tests {
    use super::{Examples, Piece, Time, pieces};

    #[test]
    fn what_varies_is_found_and_nothing_else() {
        assert_eq!(
            pieces("a <0.12> b 127.0.0.1:80, 1.5 ms; 2.25s"),
            [
                Piece::Plain("a "),
                Piece::Pid("<0.12>"),
                Piece::Plain(" b "),
                Piece::Port("127.0.0.1:80"),
                Piece::Plain(", "),
                Piece::Time(Time { text: "1.5 ms", unit: " ms" }),
                Piece::Plain("; "),
                Piece::Time(Time { text: "2.25s", unit: "s" }),
            ]
        );
        for plain in ["<a.b>", "<0.>", "1 in 5s", "0.15.0", "1.5 seconds", "127.0.0.1:0", "1.5"] {
            assert_eq!(pieces(plain), [Piece::Plain(plain)], "{plain}");
        }
    }

    #[test]
    fn an_example_stands_for_one_real_value_and_the_other_way_round() {
        let mut examples = Examples::default();
        assert!(examples.fit("<0.1> and <0.2>\n", "<0.5> and <0.9>\n"));
        assert!(examples.fit("<0.2>", "<0.9>"));
        assert!(!examples.fit("<0.2>", "<0.5>"), "another value for the same example");
        assert!(!examples.fit("<0.3>", "<0.9>"), "another example for the same value");
        assert!(examples.fit("took 0.01s", "took 12.5s"));
        assert!(!examples.fit("took 0.01s", "took 12.5 s"));
    }

    #[test]
    fn a_word_that_differs_is_seen() {
        assert!(!Examples::default().fit("one\n", "two\n"));
        assert!(!Examples::default().fit("one\n", "one\ntwo\n"));
        assert!(!Examples::default().fit("one <0.1>\n", "one\n"));
        assert!(!Examples::default().fit("", "one\n"));
    }

    #[test]
    fn a_command_is_typed_with_the_port_that_was_printed() {
        let mut examples = Examples::default();
        assert!(examples.fit("listening on 127.0.0.1:40123\n", "listening on 127.0.0.1:7\n"));
        assert_eq!(examples.fill_in("curl http://127.0.0.1:40123/a"), "curl http://127.0.0.1:7/a");
        for other in ["curl 127.0.0.1:1", "sleep 0.5s", "echo '<0.1>'"] {
            assert_eq!(examples.fill_in(other), other);
        }
    }
}
