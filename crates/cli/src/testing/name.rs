//! The names under which a module exports its tests, and what they say about each test.
//!
//! `#lunatic_test_`, then `#ignore_` if the test is skipped by default, then `#panic_TEXT#` if it
//! must panic with a message that contains TEXT, then the test's path. Test macros of published
//! crates write these names, so the grammar is fixed.
//!
//! Where a language exports functions by their own names only, `lunatic_test_` and a name is a test,
//! too, without more to say about it.

/// What every exported test starts with.
const PREFIX: &str = "#lunatic_test_";
/// What a test starts with that is an identifier.
const PLAIN_PREFIX: &str = "lunatic_test_";

/// One test of a module.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Test {
    /// What the user knows it by: module path and function.
    pub name: String,
    /// The exported function.
    pub export: String,
    /// Skipped unless asked for.
    pub ignored: bool,
    /// Must panic, with a message that contains this text. Empty: any failure will do.
    pub expected_panic: Option<String>,
}

impl Test {
    /// The test that an export stands for; `None` if it is something else.
    pub fn from_export(export: &str) -> Option<Test> {
        if let Some(name) = export.strip_prefix(PLAIN_PREFIX) {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let (name, export) = (name.to_owned(), export.to_owned());
            let test = Test { name, export, ignored: false, expected_panic: None };
            return (plain && !test.name.is_empty()).then_some(test);
        }
        let rest = export.strip_prefix(PREFIX)?;
        let (ignored, rest) = match rest.strip_prefix("#ignore_") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (expected_panic, name) = match rest.strip_prefix("#panic_") {
            Some(rest) => {
                let (text, name) = split_panic_text(rest)?;
                (Some(text), name)
            }
            None => (None, rest),
        };
        let (name, export) = (name.to_owned(), export.to_owned());
        (!name.is_empty()).then_some(Test { name, export, ignored, expected_panic })
    }
}

/// The expected text and what follows it. A `#` of the text is written with a backslash before it,
/// but a backslash is written plainly: where the text itself ends with one, no bare `#` is left
/// and the last one must be the end.
fn split_panic_text(rest: &str) -> Option<(String, &str)> {
    let bare = |at: &usize| !rest[..*at].ends_with('\\');
    let end = rest.match_indices('#').map(|(at, _)| at).find(bare).or_else(|| rest.rfind('#'))?;
    Some((rest[..end].replace("\\#", "#"), &rest[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_form_of_the_name_is_read() {
        let cases = [
            ("#lunatic_test_app::works", "app::works", false, None),
            ("#lunatic_test_#ignore_app::slow", "app::slow", true, None),
            ("#lunatic_test_#panic_#app::fails", "app::fails", false, Some("")),
            ("#lunatic_test_#panic_no way#app::f", "app::f", false, Some("no way")),
            ("#lunatic_test_#ignore_#panic_x#app::f", "app::f", true, Some("x")),
            ("#lunatic_test_#panic_a\\#b\\#c#app::f", "app::f", false, Some("a#b#c")),
            ("#lunatic_test_#panic_\\##app::f", "app::f", false, Some("#")),
            ("#lunatic_test_#panic_\\#app::f", "app::f", false, Some("\\")),
            ("#lunatic_test_#panic_a::b#app::f", "app::f", false, Some("a::b")),
            ("#lunatic_test_app::r#try", "app::r#try", false, None),
            ("#lunatic_test_#panic_ü#app::f", "app::f", false, Some("ü")),
            ("lunatic_test_adds_up", "adds_up", false, None),
        ];
        for (export, name, ignored, panic) in cases {
            let test = Test::from_export(export).expect(export);
            assert_eq!(test.name, name, "{export}");
            assert_eq!(test.ignored, ignored, "{export}");
            assert_eq!(test.expected_panic.as_deref(), panic, "{export}");
            assert_eq!(test.export, export);
        }
    }

    #[test]
    fn other_exports_are_no_tests() {
        let cases = [
            "_start",
            "memory",
            "lunatic_test_app::f",
            "lunatic_test_",
            "#lunatic_test_",
            "#lunatic_test_#ignore_",
            "#lunatic_test_#panic_x#",
            "#lunatic_test_#panic_x",
        ];
        for export in cases {
            assert_eq!(Test::from_export(export), None, "{export}");
        }
    }

    proptest! {
        #[test]
        fn what_a_macro_writes_is_read_back(
            ignored: bool,
            text in proptest::option::of("[^\\\\]*"),
            name in "[a-z]+(::[a-z_]+){1,3}"
        ) {
            let ignore = if ignored { "#ignore_" } else { "" };
            let panic = match &text {
                Some(text) => format!("#panic_{}#", text.replace('#', "\\#")),
                None => String::new(),
            };
            let test = Test::from_export(&format!("#lunatic_test_{ignore}{panic}{name}")).unwrap();
            prop_assert_eq!(test.ignored, ignored);
            prop_assert_eq!(test.expected_panic, text);
            prop_assert_eq!(test.name, name);
        }

        #[test]
        fn no_export_name_is_too_strange_to_look_at(rest in ".*") {
            let _ = Test::from_export(&format!("#lunatic_test_{rest}"));
            let _ = Test::from_export(&format!("#lunatic_test_#panic_{rest}"));
        }
    }
}
