//! A strict reader of Prometheus' text format, version 0.0.4: what it takes, every reader takes.
//!
//! Stricter than the format: each family is announced by one line of help and one of its type, in
//! this order, before its samples stand together; no sample has a time.
#![allow(dead_code)] // the tests that share it use a part of it each

use std::collections::{BTreeMap, BTreeSet, HashMap};

type Labels = BTreeMap<String, String>;

/// What one scrape brought.
#[derive(Debug, Default)]
pub struct Scrape {
    samples: HashMap<(String, Labels), f64>,
    types: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads a whole text, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Scrape, String> {
        let mut scrape = Scrape::default();
        let mut helped = String::new();
        let mut family = String::new();
        let body = text.strip_suffix('\n').ok_or("the last line has no end")?;
        for line in body.split('\n') {
            let wrong = |what: &str| format!("{what} in the line {line:?}");
            if let Some(help) = line.strip_prefix("# HELP ") {
                helped = help.split_once(' ').ok_or_else(|| wrong("no help"))?.0.to_owned();
            } else if let Some(ty) = line.strip_prefix("# TYPE ") {
                let (name, ty) = ty.split_once(' ').ok_or_else(|| wrong("no type"))?;
                if !["counter", "gauge", "histogram"].contains(&ty) {
                    return Err(wrong("an unknown type"));
                }
                if name != helped || !is_name(name) {
                    return Err(wrong("a type without help, or with a bad name"));
                }
                family = name.to_owned();
                if scrape.types.insert(name.to_owned(), ty.to_owned()).is_some() {
                    return Err(wrong("a family that was announced before"));
                }
            } else {
                let (name, labels, value) = sample(line).ok_or_else(|| wrong("no sample"))?;
                let histogram = scrape.types.get(&family).is_some_and(|ty| ty == "histogram");
                let rest = name.strip_prefix(&family).filter(|_| !family.is_empty());
                let belongs = match rest {
                    Some("") => !histogram,
                    Some("_bucket") => histogram && labels.contains_key("le"),
                    Some("_sum" | "_count") => histogram,
                    _ => false,
                };
                if !belongs {
                    return Err(wrong("a sample of another family"));
                }
                if scrape.samples.insert((name, labels), value).is_some() {
                    return Err(wrong("a sample that was there before"));
                }
            }
        }
        scrape.check_histograms()?;
        Ok(scrape)
    }

    /// Buckets grow with their bounds, and the last has all samples.
    fn check_histograms(&self) -> Result<(), String> {
        let mut buckets: BTreeMap<(String, Labels), Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), count) in &self.samples {
            let mut labels = labels.clone();
            let Some(family) = name.strip_suffix("_bucket") else { continue };
            let Some(bound) = labels.remove("le") else { continue };
            let bound = number(&bound).ok_or("a bound that is no number")?;
            buckets.entry((family.to_owned(), labels)).or_default().push((bound, *count));
        }
        for ((family, labels), mut buckets) in buckets {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            let all = self.samples.get(&(format!("{family}_count"), labels.clone()));
            let sum = self.samples.get(&(format!("{family}_sum"), labels));
            let grow = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
            let last = buckets.last().filter(|(bound, _)| *bound == f64::INFINITY);
            if !grow || sum.is_none() || all.is_none() || last.map(|(_, count)| count) != all {
                return Err(format!("the histogram {family} does not add up"));
            }
        }
        Ok(())
    }

    /// The value of one series.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        self.samples.get(&(name.to_owned(), labels.collect())).copied()
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// The number of series of one name.
    pub fn count(&self, name: &str) -> usize {
        self.samples.keys().filter(|(sample, _)| sample == name).count()
    }

    /// The names of all families.
    pub fn families(&self) -> BTreeSet<&str> {
        self.types.keys().map(String::as_str).collect()
    }
}

fn is_name(text: &str) -> bool {
    let letter = |c: u8| c.is_ascii_alphabetic() || c == b'_' || c == b':';
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|c| letter(*c))
        && bytes.iter().all(|c| letter(*c) || c.is_ascii_digit())
}

/// A line such as `name{label="value",other="value"} 1.5`.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(['{', ' '])?;
    let name = &line[..end];
    let (labels, value) = match line[end..].strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), &line[end..]),
    };
    let value = number(value.strip_prefix(' ')?)?;
    is_name(name).then(|| (name.to_owned(), labels, value))
}

/// What stands behind the brace: the labels, and what follows the closing brace.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        let (name, value) = rest.split_once("=\"")?;
        if !is_name(name) || name.contains(':') {
            return None;
        }
        let mut text = String::new();
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => text.push(match chars.next()?.1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    _ => return None,
                }),
                (_, c) => text.push(c),
            }
        };
        if labels.insert(name.to_owned(), text).is_some() {
            return None;
        }
        let after = &value[end + 1..];
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    let signed = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = signed.starts_with(|c: char| c.is_ascii_digit());
    (plain || ["NaN", "+Inf", "-Inf"].contains(&text)).then(|| text.parse().ok())?
}

#[test]
fn what_prometheus_refuses_is_refused_here() {
    let head = "# HELP a b\n# TYPE a counter\n";
    for good in ["a 1\n", "a{x=\"1\"} 1e3\na{x=\"\\\\\\\"\\n,}\"} +Inf\n", ""] {
        assert!(Scrape::parse(&format!("{head}{good}")).is_ok(), "{good:?}");
    }
    for bad in [
        "a 1",
        "a x\n",
        "a\n",
        "b 1\n",
        "a_sum 1\n",
        "a 1\na 2\n",
        "a{x=\"1\" 1\n",
        "a{x=\"\\t\"} 1\n",
        "a{0=\"1\"} 1\n",
        "a{x=\"1\",x=\"2\"} 1\n",
        "a{x=\"1\"}1\n",
        "a inf\n",
        "a 1 2\n",
        "\n",
        "# HELP a b\n# TYPE a counter\n",
        "# TYPE c gauge\nc 1\n",
        "# HELP c d\n# TYPE c text\nc 1\n",
        "# HELP h d\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 0\nh_count 1\n",
    ] {
        assert!(Scrape::parse(&format!("{head}{bad}")).is_err(), "{bad:?}");
    }
}
