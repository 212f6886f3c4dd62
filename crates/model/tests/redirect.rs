//! What redirections mean as they are written.

use lunatic_model::{
    LossPolicy, PathPattern, Redirection, RedirectionError, SinkOption, Target, What,
};
use proptest::prelude::*;

fn read(text: &str) -> Redirection {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn each_form_is_read_as_what_it_says() {
    let cases = [
        ("stdin=text:a,b=c", What::Stdin, Target::Text("a,b=c".into())),
        ("stdout=null", What::Stdout, Target::Null),
        ("stderr=file:/tmp/a,b", What::Stderr, Target::File("/tmp/a,b".into())),
        ("clock=fixed:7", What::Clock, Target::FixedTime(7)),
        ("clock=step:5/10", What::Clock, Target::SteppedTime(5, 10)),
        ("clock=script:1/2/3", What::Clock, Target::ScriptedTime(vec![1, 2, 3])),
        ("random=seed:42", What::Random, Target::Seed(42)),
        ("env:HOME=null", What::Variable("HOME".into()), Target::Null),
        ("stdout=tcp:[::1]:99", What::Stdout, Target::Tcp("[::1]:99".into())),
        ("stdout=syslog:udp:log:514", What::Stdout, Target::SyslogUdp("log:514".into())),
    ];
    for (text, what, target) in cases {
        let read = read(text);
        assert_eq!((read.what, read.target), (what, target), "{text}");
    }
}

#[test]
fn options_stand_behind_a_sink() {
    let read = read("file:log/*=elasticsearch:es:9200/logs,batch_lines=7,loss=drop-oldest");
    assert_eq!(read.target, Target::Elasticsearch("es:9200".into(), "logs".into()));
    assert_eq!(read.options, [(SinkOption::BatchLines, 7)]);
    assert_eq!(read.loss, LossPolicy::DropOldest);
}

#[test]
fn dates_are_nanoseconds_since_1970() {
    let cases = [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T00:00:00Z", 951_782_400),
        ("2026-01-01T00:00:01Z", 1_767_225_601),
    ];
    for (date, seconds) in cases {
        let target = Target::FixedTime(seconds * 1_000_000_000);
        assert_eq!(read(&format!("clock=fixed:{date}")).target, target);
    }
    for date in ["2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "-1", ""] {
        assert!(format!("clock=fixed:{date}").parse::<Redirection>().is_err(), "{date}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let cases = [
        ("stdout", "WHAT=WHERE"),
        ("sound=null", "stdin, stdout"),
        ("stdout=seed:1", "output goes to"),
        ("clock=null", "a clock is"),
        ("random=text:4", "seed:"),
        ("stdin=tcp:a:1", "input comes from"),
        ("env:A=file:x", "a variable is"),
        ("stdout=tcp:nowhere", "HOST:PORT"),
        ("stdout=tcp:a:0", "HOST:PORT"),
        ("stdout=elasticsearch:a:1/Upper", "index"),
        ("stdout=elasticsearch:a:1/a/b", "index"),
        ("stdout=tcp:a:1,queue_bytes=0", "queue_bytes"),
        ("stdout=tcp:a:1,loss=all", "drop-oldest"),
        ("stdout=null,loss=drop-newest", "only tcp:"),
        ("file:../a=null", "cannot be redirected"),
    ];
    for (text, part) in cases {
        let error = text.parse::<Redirection>().expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let long = format!("stdin=text:{}", "a".repeat(5000));
    assert_eq!(long.parse::<Redirection>(), Err(RedirectionError::TooLong));
}

#[test]
fn a_pattern_covers_paths_part_by_part() {
    let cases = [
        ("log/app.log", "log/app.log", true),
        ("log/app.log", "./log//app.log", true),
        ("log/*.log", "log/a.log", true),
        ("log/*.log", "log/deep/a.log", false),
        ("log/**", "log/deep/a.log", true),
        ("**/*.log", "a.log", true),
        ("**/x/*", "a/x/b", true),
        ("*", "a/b", false),
        ("a*b*c", "axxbyyc", true),
        ("a*b*c", "axxbyy", false),
    ];
    for (pattern, path, covered) in cases {
        let pattern = PathPattern::new(pattern).expect("a pattern");
        assert_eq!(pattern.covers(path), covered, "{pattern:?} {path}");
    }
}

#[test]
fn a_directory_may_hold_what_a_pattern_covers() {
    let pattern = PathPattern::new("log/*/a").expect("a pattern");
    for (directory, may) in [("", true), ("log", true), ("log/x", true), ("log/x/a", false)] {
        assert_eq!(pattern.covers_below(directory), may, "{directory}");
    }
    assert!(PathPattern::new("log/**").expect("a pattern").covers_below("log/a/b"));
}

proptest! {
    #[test]
    fn what_is_covered_lies_in_directories_that_may_hold_it(
        pattern in "(\\*\\*|[ab*]{1,3})(/(\\*\\*|[ab*]{1,3})){0,3}",
        path in "[ab]{1,3}(/[ab]{1,3}){0,3}",
    ) {
        let pattern = PathPattern::new(&pattern).expect("a pattern");
        if pattern.covers(&path) {
            for (at, _) in path.match_indices('/') {
                prop_assert!(pattern.covers_below(&path[..at]), "{:?} {} {}", pattern, path, at);
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(stdout|clock|env:A|file:[a*/]{0,5})?=?.{0,60}") {
        text.parse::<Redirection>().ok();
    }
}
