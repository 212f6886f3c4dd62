//! The C library in guest/c: its test programs, built with Debian's clang and run on the runtime,
//! and its headers read as C99 and as C++17. Its examples are tested with those of other languages
//! (languages.rs).
//!
//! What must stay true: every source in guest/c/tests is built, without a warning, and run; a
//! machine without the compiler is told so, with the command that helps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::shell;
use crate::workspace::{Profile, guests_dir, lunatic, root};

const LIMIT: Duration = Duration::from_secs(60);
const FLAGS: &[&str] = &[
    "--target=wasm32-wasi",
    "--sysroot=/usr",
    "-O2",
    "-mmutable-globals",
    "-Wall",
    "-Wextra",
    "-Werror",
];
const HEADERS: &[&str] = &[
    "guest/c/lunatic.h",
    "guest/c/lunatic_supervisor.h",
    "guest/c/lunatic_tcp.h",
    "guest/c/lunatic_tls.h",
    "guest/c/lunatic_udp.h",
];
/// A stack of 61 KiB before the data, as `lunatic run` has it.
const STACK: &str = "-Wl,--stack-first,-z,stack-size=62464,--export=__stack_pointer";
/// The goal for a program that says hello from another process, without names for traces.
const HELLO_BYTES_MAX: u64 = 20 << 10;
/// Pages of 4 KiB that a waiting process has written to, constants included.
const WAITING_PAGES_MAX: u32 = 3;
/// The library, compiled once for all programs.
const LIBRARY: &str = "c_library.o";

/// Builds and runs what tests the C library.
pub fn run_all(profile: Profile) -> Result<()> {
    if !can_build() {
        return Ok(());
    }
    build_library()?;
    read_headers()?;
    let tests = sources(&root().join("guest/c/tests"))?;
    ensure!(!tests.is_empty(), "guest/c/tests holds no test; bring core.c back");
    let lunatic = lunatic(profile)?;
    let certificate = make_certificate()?;
    for test in &tests {
        if test.ends_with("tls.c") && !certificate {
            println!("SKIPPED: tls.c needs openssl; next: apt-get install openssl");
            continue;
        }
        let said = run_one(&lunatic, test, &[])?;
        ensure!(said == "ok\n", "{} says {said:?}, and not `ok`", test.display());
    }
    small_programs(&lunatic)?;
    zig(&lunatic)
}

/// For the tests of TLS: a certificate of `localhost`, and its key; false without openssl.
fn make_certificate() -> Result<bool> {
    if !shell::exists("openssl") {
        return Ok(false);
    }
    let mut make = Command::new("openssl");
    make.current_dir(guests_dir())
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "tls_key.pem", "-out", "tls_certificate.pem"]);
    shell::output(&mut make)?;
    Ok(true)
}

/// Holds the size of a small program and the memory of a waiting process against their limits.
fn small_programs(lunatic: &Path) -> Result<()> {
    let folder = root().join("guest/c/examples");
    let said = run_one(lunatic, &folder.join("hello.c"), &["-Wl,-s"])?;
    ensure!(said == "Hello from another process!\n", "hello says {said:?}");
    let bytes = fs::metadata(module_of(&folder.join("hello.c")))?.len();
    println!("  hello: {bytes} bytes of wasm, at most {HELLO_BYTES_MAX}");
    let said = run_one(lunatic, &folder.join("waiting.c"), &[])?;
    let pages = said.strip_suffix(" pages\n").and_then(|pages| pages.parse().ok());
    let pages: u32 = pages.with_context(|| format!("waiting says {said:?}"))?;
    println!("  a waiting process: {pages} pages written, at most {WAITING_PAGES_MAX}");
    ensure!(
        bytes <= HELLO_BYTES_MAX && pages <= WAITING_PAGES_MAX,
        "a program on guest/c has outgrown its limit, see above"
    );
    Ok(())
}

/// Each header by itself, in the oldest C and in a C++ of today.
fn read_headers() -> Result<()> {
    let c = ["-x", "c", "-std=c99", "-Wpedantic"];
    let plus = ["-x", "c++", "-std=c++17", "-Wpedantic", "-nostdinc++"];
    for header in HEADERS {
        for language in [&c[..], &plus[..]] {
            let mut read = Command::new("clang");
            read.current_dir(root()).args(FLAGS).args(language).arg("-fsyntax-only");
            // Included from an empty source: a header by itself is warned about.
            shell::run(read.args(["-include", header, "/dev/null"]))?;
        }
    }
    Ok(())
}

/// Whether there is a compiler for C with a C library; if not, says so.
pub fn can_build() -> bool {
    let libc = Path::new("/usr/lib/wasm32-wasi/libc.a").is_file();
    let can = libc && shell::exists("clang") && shell::exists("wasm-ld");
    if !can {
        println!(
            "SKIPPED: clang for wasm32-wasi is missing; next: \
             apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32"
        );
    }
    can
}

/// Compiles the library, for [`build`].
pub fn build_library() -> Result<()> {
    fs::create_dir_all(guests_dir())?;
    let library = guests_dir().join(LIBRARY);
    let mut object = Command::new("clang");
    object.current_dir(root()).args(FLAGS).args(["-std=c11", "-c", "guest/c/lunatic.c", "-o"]);
    shell::run(object.arg(&library))
}

/// The example in Zig, where there is a compiler: it is too large to be installed for one program.
fn zig(lunatic: &Path) -> Result<()> {
    if !shell::exists("zig") {
        println!("SKIPPED: zig is missing; next: pip install ziglang, and `zig` for its program");
        return Ok(());
    }
    let mut translate = Command::new("zig");
    translate.current_dir(root()).args(["translate-c", "-target", "wasm32-wasi", "-lc"]);
    let header = shell::output(translate.args(["-Iguest/c", "guest/c/lunatic.h"]))?;
    let folder = guests_dir().join("zig");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("lunatic.zig"), header)?;
    let source = root().join("guest/c/examples/double.zig");
    fs::copy(source, folder.join("double.zig"))?;
    let mut build = Command::new("zig");
    build.current_dir(&folder).args(["build-exe", "double.zig"]);
    build.arg(root().join("guest/c/lunatic.c")).arg(format!("-I{}/guest/c", root().display()));
    shell::run(build.args(["-target", "wasm32-wasi", "-lc", "-rdynamic", "-O", "ReleaseSmall"]))?;
    let said = shell::output(Command::new(lunatic).arg("run").arg(folder.join("double.wasm")))?;
    ensure!(said == "twice 21 is 42\n", "the example in Zig says {said:?}");
    Ok(())
}

/// Builds a program and runs it where its module lies. Gives what it prints.
fn run_one(lunatic: &Path, source: &Path, flags: &[&str]) -> Result<String> {
    let module = module_of(source);
    build_with(source, &module, flags)?;
    let mut run = Command::new(lunatic);
    run.current_dir(guests_dir()).arg("run").arg(module);
    let finished = shell::run_limited(&mut run, LIMIT)?;
    ensure!(
        finished.success(),
        "{} failed ({}); it printed\n{}\n{}",
        source.display(),
        finished.ending(),
        finished.stdout,
        finished.stderr
    );
    Ok(finished.stdout)
}

fn module_of(source: &Path) -> PathBuf {
    let name = source.strip_prefix(root()).unwrap_or(source).display().to_string();
    guests_dir().join(format!("c_{}.wasm", name.replace('/', "_")))
}

/// A program of one source with the library. In C++ it has no standard library: there is none in
/// Debian for this target.
pub fn build(source: &Path, module: &Path) -> Result<()> {
    build_with(source, module, &[])
}

fn build_with(source: &Path, module: &Path, more: &[&str]) -> Result<()> {
    let plus = source.extension().is_some_and(|extension| extension == "cpp");
    let (compiler, flags): (_, &[&str]) = match plus {
        true => ("clang++", &["-nostdinc++", "-nostdlib++"]),
        false => ("clang", &["-std=c11"]),
    };
    let mut build = Command::new(compiler);
    build.current_dir(root()).args(FLAGS).args(flags).arg(STACK).args(more);
    build.args(["-I", "guest/c"]).arg(source);
    shell::run(build.arg(guests_dir().join(LIBRARY)).arg("-o").arg(module))
}

/// The sources in C and C++ of a folder, in the order of their names.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c" || extension == "cpp") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
