//! Which public items of the Rust library have no example in their documentation.
//!
//! The compiler's own lint for that is not in stable Rust, so this reads the source, which is
//! formatted and so has one item a line. What must stay true: a type and a trait have an example of
//! their own; a function has one, or is called in an example of its module, where a reader finds it
//! beside what it is used with. Examples run as tests; those marked `text` are none.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::tidy;
use crate::workspace::root;

/// What is not read: imports of the ABI, whose pages are `abi/`, and what is private altogether.
const SKIPPED: &[&str] = &["allocator/", "supervisor/stand.rs"];

/// Fails with a list of all that has no example.
pub fn check() -> Result<()> {
    let folder = root().join("guest/rust/lunatic/src");
    let mut modules = BTreeMap::<String, Module>::new();
    for path in tidy::files_below(&folder)? {
        let name = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if SKIPPED.iter().any(|skipped| name.starts_with(skipped)) || name.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        modules.entry(module_of(Path::new(&name))).or_default().read(&name, &text);
    }
    let without: Vec<String> = modules.values().flat_map(Module::without_example).collect();
    let items: usize = modules.values().map(|module| module.items.len()).sum();
    if without.is_empty() {
        println!("  {items} public items, and each has an example");
        return Ok(());
    }
    for item in &without {
        println!("  guest/rust/lunatic/src/{item}");
    }
    bail!("{} of {items} public items have no example, see above", without.len())
}

/// The folder of a file that is a part of one; else the file itself.
fn module_of(file: &Path) -> String {
    let first = file.components().next().map(|first| first.as_os_str().to_string_lossy());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

/// What the files of a module hold.
#[derive(Default)]
struct Module {
    items: Vec<Item>,
    examples: Vec<String>,
}

struct Item {
    place: String,
    name: String,
    owner: Owner,
    is_function: bool,
    has_example: bool,
}

/// What a function belongs to.
#[derive(Clone)]
enum Owner {
    Nobody,
    Type(String),
    Trait,
}

impl Module {
    fn read(&mut self, file: &str, text: &str) {
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let mut docs = Docs::default();
        let (mut owner, mut hidden) = (Owner::Nobody, false);
        // The last line of an attribute or of a private module, of which these lines are a part.
        let mut skipped = None;
        docs.lines = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
        self.examples.extend(docs.take_examples());
        for (index, line) in text[..end].lines().enumerate() {
            let code = line.trim_start();
            if let Some(end) = skipped {
                let over = line.trim_start() == end && (end != "}" || line == end);
                skipped = (!over).then_some(end);
                continue;
            }
            if let Some(doc) = code.strip_prefix("///") {
                docs.lines.push(doc);
                continue;
            }
            if code.starts_with("#[") {
                hidden |= code == "#[doc(hidden)]";
                skipped = (!code.ends_with(']')).then_some(")]");
                continue;
            }
            if line.starts_with("mod ") && line.ends_with('{') {
                skipped = Some("}");
                continue;
            }
            let examples = docs.take_examples();
            let in_trait = matches!(owner, Owner::Trait) && line.starts_with("    fn ");
            let found = item(code, in_trait).filter(|_| !hidden);
            if let Some((kind, name)) = found {
                let method = line.starts_with(' ');
                self.items.push(Item {
                    place: format!("{file}:{}", index + 1),
                    name: name.to_owned(),
                    owner: if method { owner.clone() } else { Owner::Nobody },
                    is_function: kind == "fn",
                    has_example: !examples.is_empty(),
                });
            }
            self.examples.extend(examples);
            hidden = false;
            owner = match (found, line) {
                (Some(("trait", _)), _) => Owner::Trait,
                (_, "}") => Owner::Nobody,
                _ if line.starts_with("impl") => owner_of(line),
                _ => owner,
            };
        }
    }

    fn without_example(&self) -> Vec<String> {
        let items = self.items.iter();
        let without = items.filter(|item| !item.has_example && !self.calls(item));
        without.map(|Item { place, name, .. }| format!("{place}: {name}")).collect()
    }

    /// Whether an example of the module calls the function.
    fn calls(&self, item: &Item) -> bool {
        let shows = |example: &String| {
            example.match_indices(item.name.as_str()).any(|(at, name)| {
                let (before, after) = (&example[..at], &example[at + name.len()..]);
                let called = after.starts_with('(') || after.starts_with("::<");
                // Given to another function.
                let given = after.starts_with(')') || after.starts_with(',');
                let of_it = match &item.owner {
                    Owner::Nobody => !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'),
                    _ if called && (before.ends_with('.') || before.ends_with("fn ")) => true,
                    Owner::Trait => before.ends_with("::"),
                    Owner::Type(name) => before.strip_suffix("::").is_some_and(|path| {
                        let path = path.rsplit([' ', '(', '\n', '&']).next().unwrap_or(path);
                        path.split("::").any(|part| part.starts_with(name.as_str()))
                    }),
                };
                of_it && (called || given)
            })
        };
        item.is_function && self.examples.iter().any(shows)
    }
}

/// Lines of documentation.
#[derive(Default)]
struct Docs<'a> {
    lines: Vec<&'a str>,
}

impl Docs<'_> {
    /// The blocks of code in them that are tests; the lines go.
    fn take_examples(&mut self) -> Vec<String> {
        let (mut examples, mut block) = (Vec::new(), None::<(bool, String)>);
        for line in self.lines.drain(..) {
            let fence = line.trim_start().strip_prefix("```");
            block = match (fence, block) {
                (Some(kind), None) => Some((kind != "text", String::new())),
                (Some(_), Some((runs, code))) => {
                    examples.extend(runs.then_some(code));
                    None
                }
                (None, Some((runs, code))) => Some((runs, code + line + "\n")),
                (None, None) => None,
            };
        }
        examples
    }
}

/// The kind and name of the public item that begins in this line.
fn item(code: &str, method_of_trait: bool) -> Option<(&str, &str)> {
    let rest = match code.strip_prefix("pub ") {
        Some(rest) => rest,
        None if method_of_trait => code,
        None => return None,
    };
    let rest = rest.trim_start_matches("const ").trim_start_matches("unsafe ");
    let (kind, rest) = rest.split_once(' ')?;
    let kinds = ["fn", "struct", "enum", "trait", "type"];
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (kinds.contains(&kind) && end > 0).then(|| (kind, &rest[..end]))
}

/// The type of an `impl` block: what stands behind its parameters.
fn owner_of(line: &str) -> Owner {
    let mut depth = 0;
    let begin = line.char_indices().skip("impl".len()).find(|(_, c)| {
        depth += i32::from(*c == '<') - i32::from(*c == '>');
        depth == 0 && c.is_alphabetic()
    });
    let name = begin.map_or("", |(begin, _)| &line[begin..]);
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    Owner::Type(name[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::Module;

    fn without(text: &str) -> Vec<String> {
        let mut module = Module::default();
        module.read("a.rs", text);
        module.without_example()
    }

    #[test]
    fn a_type_needs_an_example_of_its_own() {
        let text = "//! ```\n//! A;\n//! ```\n\n/// An A.\npub struct A;\n";
        assert_eq!(without(text), ["a.rs:6: A"]);
        assert!(without("/// ```\n/// A;\n/// ```\n#[derive(Debug)]\npub struct A;\n").is_empty());
        assert!(!without("/// ```text\n/// A;\n/// ```\npub struct A;\n").is_empty());
        assert!(without("/// An A.\npub(crate) struct A;\n").is_empty());
    }

    #[test]
    fn a_function_may_be_called_in_an_example_of_its_module() {
        let example = |code: &str| {
            let head = format!("//! ```\n//! {code}\n//! ```\n");
            without(&format!("{head}impl<T: Into<u8>> A<T> {{\n    pub fn get(self) {{}}\n}}\n"))
        };
        for shown in ["a.get();", "A::get(a)", "a.map(A::get)", "A::<u8>::get(a)", "a::A::get(a)"] {
            assert!(example(shown).is_empty(), "{shown}");
        }
        for other in ["a.get;", "B::get(a)", "a.forget()", "get(a)", "// get"] {
            assert_eq!(example(other), ["a.rs:5: get"], "{other}");
        }
    }

    #[test]
    fn methods_of_traits_count_and_hidden_items_and_tests_do_not() {
        let text = "/// ```\n/// 1;\n/// ```\npub trait A {\n    fn b();\n    fn c() {\n    }\n}\n";
        assert_eq!(without(text), ["a.rs:5: b", "a.rs:6: c"]);
        assert!(without("/// Not for people.\n#[doc(hidden)]\npub fn a() {}\n").is_empty());
        let attribute = "/// ```\n/// A;\n/// ```\n#[a(\n    b = \"c\"\n)]\npub struct A;\n";
        assert!(without(attribute).is_empty());
        assert!(without("mod sealed {\n    pub trait A {\n    }\n}\n").is_empty());
        assert!(without("#[cfg(test)]\nmod tests {\n    pub fn a() {}\n}\n").is_empty());
    }
}
