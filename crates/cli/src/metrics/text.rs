//! The text format in which Prometheus reads figures, version 0.0.4. Knows no figure itself.
//!
//! Written here rather than taken from a crate: `prometheus-client` writes OpenMetrics out of a
//! registry of metrics that it keeps itself, while ours are looked up when they are asked for, and
//! some of their names are a guest's. The format is a page long.
//!
//! Invariants: a family is announced once, before its samples; what a guest chose stands in the
//! text only as a name that [`is_name`] takes or as the escaped value of a label.

use std::fmt::{self, Display, Write as _};

/// The type of this text in HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the samples of a family are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Counts by bounds, with a sum.
    Histogram,
}

/// A text that grows.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Announces a family. `help` is one line without backslashes.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        debug_assert!(is_name(name) && !help.contains(['\n', '\\']), "{name}: {help}");
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// Adds a sample to the family that was announced last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.line(format_args!("{name}{} {value}", Labels(labels)));
    }

    /// Adds a histogram. `counts` are those between one bound and the next; there is one more of
    /// them than of `bounds`.
    pub fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        (bounds, counts): (&[f64], &[u64]),
        sum: f64,
    ) {
        let mut count = 0_u64;
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        for (bound, samples) in bounds.zip(counts) {
            count = count.saturating_add(*samples);
            let bound = Number(bound).to_string();
            let labels = [labels, &[("le", &bound)]].concat();
            self.sample(&format!("{name}_bucket"), &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, Number(sum));
        self.sample(&format!("{name}_count"), labels, count);
    }

    /// The text.
    pub fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a string never fails.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }
}

/// Whether a text can be the name of a metric.
pub fn is_name(text: &str) -> bool {
    text.chars().enumerate().all(|(place, c)| match c {
        'a'..='z' | 'A'..='Z' | '_' | ':' => true,
        '0'..='9' => place > 0,
        _ => false,
    }) && !text.is_empty()
}

/// A value as Prometheus writes it.
#[derive(Clone, Copy)]
pub struct Number(pub f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            // Debug has an exponent where hundreds of digits would stand otherwise.
            value => write!(f, "{value:?}"),
        }
    }
}

struct Labels<'a>(&'a [(&'a str, &'a str)]);

impl Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{name}=\"", if place == 0 { '{' } else { ',' })?;
            for c in value.chars() {
                match c {
                    '\\' => f.write_str(r"\\")?,
                    '"' => f.write_str("\\\"")?,
                    '\n' => f.write_str(r"\n")?,
                    c => f.write_char(c)?,
                }
            }
            f.write_char('"')?;
        }
        if self.0.is_empty() { Ok(()) } else { f.write_char('}') }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Number, Text, is_name};

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        let cases = [
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (3e-6, "3e-6"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, text) in cases {
            assert_eq!(Number(value).to_string(), text);
        }
    }

    #[test]
    fn names_are_letters_digits_underscores_and_colons() {
        for name in ["a", "_", ":", "aZ_:09"] {
            assert!(is_name(name), "{name}");
        }
        for text in ["", "0a", "a b", "a\n", "é", "a-b", "a{}"] {
            assert!(!is_name(text), "{text:?}");
        }
    }

    #[test]
    fn a_histogram_counts_what_is_below_each_bound() {
        let mut text = Text::default();
        text.family("size", Kind::Histogram, "How large.");
        text.histogram("size", &[("of", "a\"b\\c\nd")], (&[0.5, 1.0], &[2, 0, 1]), 7.25);
        let expected = r#"# HELP size How large.
# TYPE size histogram
size_bucket{of="a\"b\\c\nd",le="0.5"} 2
size_bucket{of="a\"b\\c\nd",le="1.0"} 2
size_bucket{of="a\"b\\c\nd",le="+Inf"} 3
size_sum{of="a\"b\\c\nd"} 7.25
size_count{of="a\"b\\c\nd"} 3
"#;
        assert_eq!(text.finish(), expected);
    }
}
