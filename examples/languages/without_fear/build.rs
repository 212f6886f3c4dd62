//! Compiles words.c with clang for the target of the program, and links it.
//!
//! The file needs no headers but the compiler's own, so there is nothing else to install.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=words.c");
    let folder = env::var("OUT_DIR").expect("cargo tells the folder");
    let object = Path::new(&folder).join("words.o");
    let mut clang = Command::new("clang");
    clang.args([
        "--target=wasm32-wasip1",
        "-std=c11",
        "-ffreestanding",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
    ]);
    let status = clang.args(["-c", "words.c", "-o"]).arg(&object).status();
    let status = status.unwrap_or_else(|error| {
        panic!("cannot start clang ({error}); next: apt-get install clang")
    });
    assert!(status.success(), "clang has failed: {status}");
    println!("cargo:rustc-link-arg={}", object.display());
}
