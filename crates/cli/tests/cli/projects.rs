//! Cargo projects as targets. They have no dependencies, so that no registry is needed, but they
//! do need the toolchain's wasm32-wasip1 target: without it, what is tested is the way to get it.

use crate::Sandbox;

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    let manifest = "[package]\nname = \"guest\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    sandbox.write("guest/Cargo.toml", format!("{manifest}\n[workspace]\n"));
    sandbox.write(
        "guest/src/main.rs",
        r##"
        fn main() {
            let args: Vec<String> = std::env::args().skip(1).collect();
            println!("hello {}", args.join(" "));
        }

        #[cfg(all(test, target_arch = "wasm32"))]
        mod tests {
            #[unsafe(export_name = "#lunatic_test_guest::passes")]
            extern "C" fn passes() {
                assert_eq!(std::env::var("CARGO_MANIFEST_DIR").is_ok(), true);
                assert!(std::fs::metadata("src/main.rs").is_ok());
            }

            #[unsafe(export_name = "#lunatic_test_#panic_on purpose#guest::panics")]
            extern "C" fn panics() {
                panic!("on purpose");
            }

            #[unsafe(export_name = "#lunatic_test_#ignore_guest::fails")]
            extern "C" fn fails() {
                panic!("as it should");
            }
        }
        "##,
    );
    sandbox
}

#[test]
fn a_project_is_built_and_run_by_its_directory_or_manifest() {
    let sandbox = project();
    for target in ["guest", "guest/Cargo.toml"] {
        let run = sandbox.lunatic(&["--no-cache", target, "you", "-x"]);
        assert_eq!((run.status, run.stdout.as_str()), (0, "hello you -x\n"), "{}", run.stderr);
    }
    let run = sandbox.lunatic(&["run", "--bin", "other", "guest"]);
    run.expect_error(1, &["does not build"]);
}

#[test]
fn a_projects_tests_are_built_and_run() {
    let sandbox = project();
    let run = sandbox.lunatic(&["test", "--no-cache", "guest"]);
    assert!(run.stdout.contains("test guest::passes ... ok"), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("test guest::panics - should panic ... ok"), "{}", run.stdout);
    assert_eq!(run.status, 0);
    let run = sandbox.lunatic(&["test", "--no-cache", "guest", "--include-ignored"]);
    assert!(run.stdout.contains("as it should"), "{}", run.stdout);
    assert_eq!(run.status, 101);
}

#[test]
fn a_project_that_does_not_build_is_an_error_with_the_compilers_words() {
    let sandbox = project();
    sandbox.write("guest/src/main.rs", "fn main() { nonsense }");
    let run = sandbox.lunatic(&["run", "guest"]);
    run.expect_error(1, &["nonsense", "does not build"]);
    assert_eq!(run.stdout, "");
}

#[test]
fn init_prepares_a_project_once_and_respects_what_is_set() {
    let sandbox = project();
    let init = || {
        let mut command = sandbox.command(&["init"]);
        crate::outcome(command.current_dir(sandbox.path().join("guest")).output().unwrap())
    };
    assert_eq!(init().status, 0);
    let path = sandbox.path().join("guest/.cargo/config.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("runner = \"lunatic run\""));
    assert_eq!(init().status, 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    std::fs::write(&path, "[target.wasm32-wasip1]\nrunner = \"wasmtime\"\n").unwrap();
    init().expect_error(1, &["already set to \"wasmtime\"", "hint: "]);
    sandbox.lunatic(&["init"]).expect_error(1, &["no Cargo.toml", "lunatic new"]);
}

#[test]
fn new_makes_a_project_and_leaves_others_alone() {
    let sandbox = Sandbox::new();
    let run = sandbox.lunatic(&["new", "my-app"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    assert!(run.stderr.contains("lunatic run my-app"));
    assert!(sandbox.path().join("my-app/src/main.rs").is_file());
    assert!(sandbox.path().join("my-app/vendor/lunatic/lunatic/src/lib.rs").is_file());
    sandbox.lunatic(&["new", "my-app"]).expect_error(1, &["exists already"]);
}
