//! What the command line means, case by case.

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let args = line.split_whitespace().map(OsString::from);
    Cli::try_parse_from(with_implied_run(std::iter::once("lunatic".into()).chain(args)))
}

fn run(line: &str) -> RunArgs {
    match parse(line).expect(line).command {
        Command::Run(args) => args,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn run_is_implied_unless_the_first_argument_is_a_command_or_a_flag_of_lunatic() {
    let cases = [
        ("a.wasm", "run a.wasm"),
        ("--dir x a.wasm", "run --dir x a.wasm"),
        ("--bench a.wasm", "run --bench a.wasm"),
        ("run a.wasm", "run a.wasm"),
        ("test a.wasm", "test a.wasm"),
        ("./test", "run ./test"),
        ("init", "init"),
        ("new app", "new app"),
        ("info", "info"),
        ("--tier guarded a.wasm", "run --tier guarded a.wasm"),
        ("--version", "--version"),
        ("-h", "-h"),
        ("", ""),
    ];
    for (given, meant) in cases {
        let words = |line: &str| line.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        let with_program = |line| [vec!["lunatic".into()], words(line)].concat();
        assert_eq!(with_implied_run(with_program(given)), with_program(meant), "{given}");
    }
}

#[test]
fn what_follows_the_target_belongs_to_the_guest() {
    let cases: [(&str, &[&str]); 8] = [
        ("a.wasm", &[]),
        ("a.wasm one two", &["one", "two"]),
        ("a.wasm --dir x -q --help", &["--dir", "x", "-q", "--help"]),
        ("a.wasm -- --release", &["--release"]),
        ("a.wasm -- -- x", &["--", "x"]),
        ("a.wasm x -- y", &["x", "--", "y"]),
        ("-- a.wasm --quiet", &["--quiet"]),
        ("--bench a.wasm x", &["x", "--bench"]),
    ];
    for (line, guest) in cases {
        for line in [line.to_owned(), format!("run {line}")] {
            if line.starts_with("-- ") {
                continue;
            }
            let (target, args) = run(&line).split().unwrap();
            assert_eq!(target, PathBuf::from("a.wasm"), "{line}");
            assert_eq!(args, guest, "{line}");
        }
    }
}

#[test]
fn flags_before_the_target_are_ours() {
    let args = run("--dir a::b --dir c --env K=V --env L --no-inherit-env --workers 3 \
                    --max-memory 64M --cache-dir d --entry go --shutdown-timeout 0.5 -q \
                    --release --bin app -p pkg -F a,b --features c t.wat");
    assert_eq!(args.guest.dirs, ["a::b", "c"]);
    assert_eq!(args.guest.env, ["K=V", "L"]);
    assert!(args.guest.no_inherit_env && !args.guest.no_default_dir && args.node.quiet);
    assert_eq!(args.node.workers, Some(3));
    assert_eq!(args.node.max_memory, Some(64 << 20));
    assert_eq!(args.node.cache_dir, Some("d".into()));
    assert_eq!(args.entry, "go");
    assert_eq!(args.shutdown_timeout, Duration::from_millis(500));
    assert!(args.build.release);
    assert_eq!(args.build.features, ["a,b", "c"]);
    assert_eq!(args.build.bin.as_deref(), Some("app"));
    assert_eq!(args.build.package.as_deref(), Some("pkg"));
}

#[test]
fn defaults_are_those_in_the_help() {
    let args = run("a.wasm");
    assert_eq!(args.entry, ENTRY_DEFAULT);
    assert_eq!(args.shutdown_timeout, SHUTDOWN_TIMEOUT_DEFAULT);
    assert!(!args.guest.no_default_dir && !args.guest.no_inherit_env && !args.node.no_cache);
}

#[test]
fn a_wrong_command_line_is_refused_with_status_2() {
    let cases = [
        "run",
        "--wat a.wasm",
        "--workers 0 a.wasm",
        "--workers many a.wasm",
        "--max-memory 1T a.wasm",
        "--max-memory 99999999999G a.wasm",
        "--shutdown-timeout -1 a.wasm",
        "--shutdown-timeout NaN a.wasm",
        "--no-cache --cache-dir d a.wasm",
        "--deny-network --allow-bind * a.wasm",
        "--deny-network --allow-connect * a.wasm",
        "--allow-connect localhost:80 a.wasm",
        "--allow stdot a.wasm",
        "--deny read: a.wasm",
        "--allow-stdot a.wasm",
        "--allow-bind tcp:127.0.0.1:http a.wasm",
        "new",
        "init there",
    ];
    for line in cases {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), i32::from(status::USAGE), "{line}");
    }
}

#[test]
fn a_right_without_a_parameter_may_be_one_word_with_its_flag_before_the_target() {
    let args = run("--entry names --allow-names --dir d --deny-resolve a.wasm --allow-spawn");
    assert_eq!(args.entry, "names");
    let texts = |permits: &[Permit]| permits.iter().map(Permit::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&args.guest.allow), ["names"]);
    assert_eq!(texts(&args.guest.deny), ["resolve"]);
    assert_eq!(args.split().unwrap().1, ["--allow-spawn"]);
}

#[test]
fn test_without_a_target_means_the_current_directory() {
    let Command::Test(args) = parse("test").unwrap().command else { panic!("not test") };
    assert_eq!(args.split().unwrap(), (PathBuf::from("."), Vec::new()));
}

#[test]
fn the_harness_flags_follow_the_target_with_or_without_two_hyphens() {
    for line in ["test --release . --exact a", "test --release . -- --exact a"] {
        let Command::Test(args) = parse(line).unwrap().command else { panic!("not test") };
        assert!(args.build.release);
        assert_eq!(args.split().unwrap().1, ["--exact", "a"]);
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_unicode_is_refused_with_a_reason() {
    use std::os::unix::ffi::OsStringExt;
    let args = vec!["a.wasm".into(), OsString::from_vec(vec![0xff])];
    let error = split(&args).unwrap_err();
    assert_eq!(error.status(), status::USAGE);
}

#[test]
fn sizes_and_seconds_are_read_exactly() {
    assert_eq!(size("0"), Ok(0));
    assert_eq!(size("2k"), Ok(2048));
    assert_eq!(size("1G"), Ok(1 << 30));
    for wrong in ["", "K", "-1", "1.5M", "1 M", "ü"] {
        assert!(size(wrong).is_err(), "{wrong}");
    }
    assert_eq!(seconds("0"), Ok(Duration::ZERO));
    assert!(seconds("1e300").is_err() && seconds("").is_err() && seconds("inf").is_err());
}
