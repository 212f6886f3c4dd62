//! Exports the pointer of the stack, which the runtime puts back where a process hibernates.

fn main() {
    println!("cargo:rustc-link-arg=--export=__stack_pointer");
}
