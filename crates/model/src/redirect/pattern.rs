//! Which paths a redirection of files covers.
//!
//! A path is compared as the program's directories name it, without `.` and without symbolic
//! links: `*` stands for any characters of one part, `**` for any number of parts.

/// Parts of a pattern.
const PARTS_MAX: usize = 64;

/// A pattern for paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathPattern {
    parts: Vec<String>,
}

impl PathPattern {
    /// `None` if the text covers no path: it is empty, or holds `..` or a NUL.
    pub fn new(text: &str) -> Option<PathPattern> {
        let parts: Vec<String> = parts(text).map(str::to_owned).collect();
        let good = !parts.is_empty()
            && parts.len() <= PARTS_MAX
            && !text.contains('\0')
            && parts.iter().all(|part| part != "..");
        good.then_some(PathPattern { parts })
    }

    /// Whether a path is covered.
    pub fn covers(&self, path: &str) -> bool {
        let path: Vec<&str> = parts(path).collect();
        self.reach(&path).last() == Some(&true)
    }

    /// Whether something below a directory may be covered.
    pub fn covers_below(&self, directory: &str) -> bool {
        let path: Vec<&str> = parts(directory).collect();
        // Something of the pattern is left that has not been compared.
        self.reach(&path).iter().take(self.parts.len()).any(|reached| *reached)
    }

    /// For each number of parts of the pattern, whether so many of them cover the path.
    fn reach(&self, path: &[&str]) -> Vec<bool> {
        let mut reached = vec![false; self.parts.len() + 1];
        reached[0] = true;
        self.skip_empty(&mut reached);
        for name in path {
            let mut next = vec![false; reached.len()];
            for (index, part) in self.parts.iter().enumerate().filter(|(i, _)| reached[*i]) {
                if part == "**" {
                    next[index] = true;
                } else if matches(part.as_bytes(), name.as_bytes()) {
                    next[index + 1] = true;
                }
            }
            self.skip_empty(&mut next);
            reached = next;
        }
        reached
    }

    /// `**` may stand for nothing.
    fn skip_empty(&self, reached: &mut [bool]) {
        for (index, part) in self.parts.iter().enumerate() {
            if reached[index] && part == "**" {
                reached[index + 1] = true;
            }
        }
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// One part; takes time in proportion to the product of both lengths at most.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last star stands, and how much of the name it covers if what follows fails.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p) == Some(&name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, covered)) = star {
            star = Some((at, covered + 1));
            (p, n) = (at + 1, covered + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
