//! The stack of a Rust module has 1 MiB by default, which is all that the plugin may have.

fn main() {
    println!("cargo::rustc-link-arg=-zstack-size=65536");
    println!("cargo::rerun-if-changed=build.rs");
}
