//! The guest libraries, whose sources are in the command as data (see `build.rs`): no registry has
//! them yet.

use std::io;
use std::path::Path;

use crate::error::CliError;
use crate::target::shown;

/// The files of a library: path below its folder, with `/`, and text.
pub type Files = [(&'static str, &'static str)];

include!(concat!(env!("OUT_DIR"), "/libraries.rs"));

/// Writes a library into `folder`. Files that are there already with the same text keep their
/// time, so that what was built from them stays built.
pub fn write(library: &Files, folder: &Path) -> Result<(), CliError> {
    write_files(library, folder).map_err(|error| {
        CliError::failure(format!("cannot write the library to `{}`", shown(folder)))
            .because(&error)
    })
}

/// The same, for those who have words of their own.
pub fn write_files(library: &Files, folder: &Path) -> io::Result<()> {
    for (name, text) in library {
        let path = folder.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}
