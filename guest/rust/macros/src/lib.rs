//! The attributes `lunatic::main` and `lunatic::test`: a function with a mailbox as the beginning
//! of a program, and as a test that runs in processes of its own.
//!
//! Written on the compiler's own tokens: nothing else has to be compiled for them.

use proc_macro::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};

/// Makes a function the beginning of the program. It may take a `Mailbox`, and give a `Result`
/// whose error is why the program ends. A panic ends it with its message and place.
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    if !attribute.is_empty() {
        return error(Span::call_site(), "`#[lunatic::main]` takes no arguments");
    }
    match Function::read(item) {
        Ok(function) if function.name.to_string() != "main" => {
            error(function.name.span(), "`#[lunatic::main]` stands at the function `main`")
        }
        Ok(function) => {
            let call = function.call("run_main", "__lunatic_main");
            let renamed = function.renamed("__lunatic_main");
            [parse(&format!("fn main() {{ {call} }}")), renamed].into_iter().collect()
        }
        Err(error) => error,
    }
}

/// Makes a function a test for `lunatic test` and `cargo test`: it runs as the first process of an
/// environment of its own. It may take a `Mailbox`, and give a `Result`. `#[should_panic]`, also
/// with `expected = "…"`, and the attribute that leaves a test out work as std's.
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    if !attribute.is_empty() {
        return error(Span::call_site(), "`#[lunatic::test]` takes no arguments");
    }
    match Function::read(item) {
        Ok(function) => function.test(),
        Err(error) => error,
    }
}

/// A function, as far as these attributes must know it.
struct Function {
    /// Other attributes, each without its `#`.
    attributes: Vec<Group>,
    /// All tokens behind the attributes.
    tokens: Vec<TokenTree>,
    /// Where in them the name is.
    name_at: usize,
    name: Ident,
    takes_mailbox: bool,
}

impl Function {
    fn read(item: TokenStream) -> Result<Function, TokenStream> {
        let mut attributes = Vec::new();
        let mut tokens: Vec<TokenTree> = Vec::new();
        for token in item {
            match (&token, tokens.last()) {
                (TokenTree::Group(group), Some(TokenTree::Punct(punct)))
                    if tokens.len() == 1
                        && punct.as_char() == '#'
                        && group.delimiter() == Delimiter::Bracket =>
                {
                    attributes.push(group.clone());
                    tokens.clear();
                }
                _ => tokens.push(token),
            }
        }
        let Some(at) = tokens.iter().position(|token| is(token, "fn")) else {
            return Err(error(Span::call_site(), "this attribute stands at a function"));
        };
        if let Some(token) = tokens[..at].iter().find(|token| is(token, "async")) {
            return Err(error(token.span(), "processes block: there is no `async` here"));
        }
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(parameters))) =
            (tokens.get(at + 1), tokens.get(at + 2))
        else {
            let message = "the function may have no type parameters";
            return Err(error(tokens[at].span(), message));
        };
        let takes_mailbox = match parameter_count(parameters.stream()) {
            0 => false,
            1 => true,
            _ => {
                let message = "the function takes a mailbox or nothing: `mailbox: Mailbox<M>`";
                return Err(error(parameters.span(), message));
            }
        };
        let name = name.clone();
        Ok(Function { attributes, name_at: at + 1, name, takes_mailbox, tokens })
    }

    /// An expression that lets the library run the function under this name.
    fn call(&self, run: &str, name: &str) -> String {
        let mailbox = if self.takes_mailbox { "::lunatic::Mailbox::new()" } else { "" };
        format!("::lunatic::{run}(|| {name}({mailbox}))")
    }

    /// The function with its attributes under another name.
    fn renamed(mut self, name: &str) -> TokenStream {
        self.tokens[self.name_at] = TokenTree::Ident(Ident::new(name, self.name.span()));
        let attributes = self.attributes.into_iter().flat_map(|group| {
            let mark = proc_macro::Punct::new('#', Spacing::Alone);
            [TokenTree::Punct(mark), TokenTree::Group(group)]
        });
        attributes.chain(self.tokens).collect()
    }

    /// The export that `lunatic test` looks for; elsewhere than in tests, nothing.
    fn test(mut self) -> TokenStream {
        let (mut ignored, mut panics) = (false, None);
        self.attributes.retain(|group| {
            let text = group.stream().to_string();
            let word = text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            match word {
                "ignore" => ignored = true,
                "should_panic" => panics = Some(expected(&text)),
                _ => return true,
            }
            false
        });
        let mut prefix = "#lunatic_test_".to_owned();
        if ignored {
            prefix.push_str("#ignore_");
        }
        if let Some(expected) = panics {
            prefix.push_str(&format!("#panic_{}#", expected.replace('#', "\\#")));
        }
        let name = self.name.to_string();
        let call = self.call("run_test", &name);
        // The export lies in a constant without a name, so that it cannot collide with anything.
        let export = parse(&format!(
            "#[cfg(all(test, target_family = \"wasm\"))] const _: () = {{
                #[unsafe(export_name = concat!({prefix:?}, module_path!(), \"::\", {name:?}))]
                extern \"C\" fn __lunatic_test() {{ {call} }}
            }};"
        ));
        let tests_only = parse("#[cfg(test)] #[allow(dead_code)]");
        [export, tests_only, self.renamed(&name)].into_iter().collect()
    }
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':')
}

/// Counts single colons: a comma may stand inside of `Mailbox<M, F>`, and `::` inside of a path.
fn parameter_count(parameters: TokenStream) -> usize {
    let tokens: Vec<TokenTree> = parameters.into_iter().collect();
    let colon_at = |at: Option<usize>| at.and_then(|at| tokens.get(at)).is_some_and(is_colon);
    let single =
        |at: usize| colon_at(Some(at)) && !colon_at(Some(at + 1)) && !colon_at(at.checked_sub(1));
    (0..tokens.len()).filter(|at| single(*at)).count()
}

/// The text in `should_panic(expected = "…")`; empty without one.
fn expected(attribute: &str) -> String {
    let (Some(begin), Some(end)) = (attribute.find('"'), attribute.rfind('"')) else {
        return String::new();
    };
    let inner = attribute.get(begin + 1..end).unwrap_or_default();
    inner.replace("\\\"", "\"").replace("\\\\", "\\")
}

fn parse(code: &str) -> TokenStream {
    code.parse().expect("what this crate writes is Rust")
}

/// A compiler error at a place.
fn error(span: Span, message: &str) -> TokenStream {
    let code = parse(&format!("::core::compile_error!({message:?});"));
    code.into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}
