//! Programs in C and AssemblyScript as targets, and what is said where a tool is missing.
//!
//! The compilers are those of the machine: without them a test says what it skips, and how to get
//! what it needs. None of these tests asks a registry.

use std::process::Command;

use crate::Sandbox;

const HELLO: &str = r##"
#include <stdio.h>

int main(int argc, char **argv) {
    printf("hello %s\n", argc > 1 ? argv[1] : "nobody");
    return 0;
}

__attribute__((export_name("#lunatic_test_hello::passes"))) void passes(void) {}

__attribute__((export_name("lunatic_test_traps"))) void traps(void) { __builtin_trap(); }
"##;

/// Whether clang can make WebAssembly here.
fn clang() -> bool {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n");
    let mut clang = Command::new("clang");
    clang.current_dir(sandbox.path()).args(["--target=wasm32-wasi", "a.c", "-o", "a.wasm"]);
    let works = clang.output().is_ok_and(|output| output.status.success());
    if !works {
        println!(
            "SKIPPED: no clang for WebAssembly; next: apt-get install clang lld wasi-libc \
             libclang-rt-dev-wasm32"
        );
    }
    works
}

#[test]
fn a_program_in_c_runs_by_its_file_and_by_its_directory() {
    if !clang() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("hello/hello.c", HELLO);
    for target in ["hello", "hello/hello.c"] {
        sandbox.lunatic(&["--no-cache", target, "you"]).expect(0, "hello you\n");
    }
    assert!(sandbox.path().join("hello/build/hello.wasm").is_file());
}

#[test]
fn functions_that_c_exports_under_names_of_tests_are_tests() {
    if !clang() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("hello/hello.c", HELLO);
    let run = sandbox.lunatic(&["test", "--no-cache", "hello"]);
    assert_eq!(run.status, 101, "{run:?}");
    assert!(run.stdout.contains("test hello::passes ... ok\n"), "{}", run.stdout);
    assert!(run.stdout.contains("test traps ... FAILED\n"), "{}", run.stdout);
}

#[test]
fn a_program_in_c_that_does_not_compile_is_an_error_with_clangs_words() {
    if !clang() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "int main(void) { return nonsense; }\n");
    let run = sandbox.lunatic(&["run", "a.c"]);
    run.expect_error(1, &["nonsense", "error: `a.c` does not build", "messages of clang above"]);
    assert_eq!(run.stdout, "");
}

#[cfg(unix)]
#[test]
fn a_makefile_is_told_the_compiler_and_leaves_a_module() {
    let make = Command::new("make").arg("--version").output();
    if !clang() || make.is_err() {
        println!("SKIPPED: needs make, too; next: apt-get install make");
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("hello/src/hello.c", HELLO);
    sandbox.write(
        "hello/Makefile",
        "build/hello.wasm: src/hello.c\n\tmkdir -p build\n\t$(WASI_CC) -o $@ $<\n",
    );
    let run = sandbox.lunatic(&["--no-cache", "hello", "make"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, "hello make\n"), "{}", run.stderr);
}

/// `lunatic` where no tool is to be found.
fn without_tools(sandbox: &Sandbox, target: &str) -> crate::Outcome {
    let mut command = sandbox.command(&["run", target]);
    command.env("PATH", sandbox.path()).env_remove("WASI_SDK_PATH").env_remove("WASI_CC");
    crate::outcome(command.output().expect("the command starts"))
}

#[test]
fn a_missing_tool_is_named_with_the_way_to_get_it() {
    let sandbox = Sandbox::new();
    sandbox.write("package/package.json", "{}");
    sandbox.write("script.ts", "");
    let npm = without_tools(&sandbox, "package");
    npm.expect_error(1, &["because: it is not installed", "npm`", "hint: "]);
    without_tools(&sandbox, "script.ts").expect_error(
        1,
        &["no compiler for AssemblyScript", "hint: install it", "npm install --save-dev"],
    );
    // On a machine with Homebrew's packages clang is found without PATH.
    #[cfg(target_os = "linux")]
    {
        sandbox.write("a.c", HELLO);
        let clang = without_tools(&sandbox, "a.c");
        clang.expect_error(1, &["cannot start `clang`", "because: it is not installed", "hint: "]);
    }
}

#[test]
fn an_sdk_that_is_not_there_is_said_so() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", HELLO);
    let mut command = sandbox.command(&["run", "a.c"]);
    command.env("WASI_SDK_PATH", sandbox.path().join("nowhere"));
    let run = crate::outcome(command.output().expect("the command starts"));
    run.expect_error(1, &["WASI_SDK_PATH is no WASI SDK", "wasi-sdk/releases"]);
}

#[test]
fn a_directory_without_anything_to_build_lists_what_could_be_there() {
    let sandbox = Sandbox::new();
    sandbox.write("empty/readme", "");
    let run = sandbox.lunatic(&["run", "empty"]);
    run.expect_error(66, &["nothing to build", "Cargo.toml", "package.json", "Makefile", ".c"]);
    sandbox.write("empty/a.c", "");
    sandbox.write("empty/b.c", "");
    sandbox.lunatic(&["run", "empty"]).expect_error(66, &["several .c files", "Makefile"]);
    sandbox.lunatic(&["run", "--release", "empty/a.c"]).expect_error(2, &["no Cargo project"]);
}

#[cfg(unix)]
#[test]
fn from_new_to_run_and_test_in_c() {
    if !clang() || Command::new("make").arg("--version").output().is_err() {
        println!("SKIPPED: needs clang for WebAssembly, and make; next: apt-get install make");
        return;
    }
    let sandbox = Sandbox::new();
    let new = sandbox.lunatic(&["new", "--lang", "c", "hello"]);
    assert_eq!((new.status, new.stdout.as_str()), (0, ""));
    assert_eq!(
        new.stderr,
        "made the project `hello`. Next:\n  lunatic run hello\n  lunatic test hello\n"
    );
    sandbox.lunatic(&["--no-cache", "hello"]).expect(0, "Hello world, from another process!\n");
    let test = sandbox.lunatic(&["test", "--no-cache", "hello"]);
    assert_eq!((test.status, test.stderr.as_str()), (0, ""));
    let (lines, time) = test.stdout.rsplit_once("; finished in ").expect("a summary");
    assert_eq!(
        lines,
        "\nrunning 1 test\ntest a_process_greets ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 \
         ignored; 0 measured; 0 filtered out"
    );
    assert!(time.ends_with("s\n\n"), "{time:?}");
    let main = std::fs::read_to_string(sandbox.path().join("hello/main.c")).unwrap();
    sandbox.write("hello/main.c", main.replace("another process!", "far away!"));
    sandbox.lunatic(&["--no-cache", "hello"]).expect(0, "Hello world, from far away!\n");
}

#[test]
fn a_single_file_in_c_has_the_library_at_hand() {
    if !clang() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write(
        "a.c",
        "#include <stdio.h>\n#include \"lunatic.h\"\n\
         int main(void) { return puts(lunatic_is_alive(lunatic_self()) ? \"alive\" : \"dead\"); }\n",
    );
    let run = sandbox.lunatic(&["--no-cache", "a.c"]);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("alive\n", ""));
}

/// That such a project runs is seen by `cargo xtask guide`, since npm asks its registry.
#[test]
fn a_new_project_in_assemblyscript_says_what_it_needs() {
    let sandbox = Sandbox::new();
    for (name, language) in [("hello", "assemblyscript"), ("again", "as")] {
        let new = sandbox.lunatic(&["new", "--lang", language, name]);
        assert_eq!((new.status, new.stdout.as_str()), (0, ""));
        let next = format!("made the project `{name}`. Next:\n  lunatic run {name}\n");
        assert!(new.stderr.starts_with(&next), "{}", new.stderr);
        let npm = without_tools(&sandbox, name);
        npm.expect_error(1, &["cannot start `npm", "because: it is not installed", "hint: "]);
        assert!(sandbox.path().join(name).join("vendor/lunatic/asconfig.json").is_file());
    }
}
