//! The languages that take part, and their modules: each is compiled once in each process that
//! spawns from it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;

use lunatic::Module;
use serde::{Deserialize, Serialize};

use crate::Result;

/// A language, and the folder with its modules.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Language {
    pub name: String,
    folder: String,
}

/// Those of the command line.
pub fn languages() -> Result<Vec<Language>> {
    let arguments = std::env::args().skip(1);
    let languages: Option<Vec<Language>> = arguments
        .map(|argument| {
            let (name, folder) = argument.split_once('=')?;
            Some(Language { name: name.to_owned(), folder: folder.to_owned() })
        })
        .collect();
    match languages {
        Some(languages) if !languages.is_empty() => Ok(languages),
        _ => Err("usage: mix LANGUAGE=FOLDER...".into()),
    }
}

lunatic::process_local! {
    static COMPILED: RefCell<HashMap<String, Module>> = RefCell::default();
}

/// Does something with the module of a program.
pub fn with_module<R>(
    language: &Language,
    program: &str,
    function: impl FnOnce(&Module) -> Result<R>,
) -> Result<R> {
    let file = format!("{}/{program}.wasm", language.folder);
    COMPILED.with_borrow_mut(|compiled| {
        if !compiled.contains_key(&file) {
            let bytes = fs::read(&file).map_err(|error| format!("cannot read {file}: {error}"))?;
            let module = Module::compile(&bytes)
                .map_err(|error| format!("cannot compile {file}: {error}"))?;
            compiled.insert(file.clone(), module);
        }
        function(&compiled[&file])
    })
}
