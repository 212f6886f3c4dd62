//! What redirections mean as they are written.

use lunatic_model::{
    LossPolicy, NetworkRule, PathPattern, Pid, Redirection, RedirectionError, Routes, SinkOption,
    Target, What,
};
use proptest::prelude::*;

fn rule(text: &str) -> NetworkRule {
    text.parse().expect("a rule")
}

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
        ("stdout=syslog:tls:log:6514", What::Stdout, Target::SyslogTls("log:6514".into())),
        ("stdout=tls:log:99", What::Stdout, Target::Tls("log:99".into())),
        ("stdout=own", What::Stdout, Target::Own),
        ("connect:tcp:10.0.0.0/8=null", What::Connect(rule("tcp:10.0.0.0/8")), Target::Null),
        (
            "connect:*=address:[::1]:8080",
            What::Connect(rule("*")),
            Target::Address("::1".parse().expect("an address"), Some(8080)),
        ),
        ("host:*=null", What::Host(None), Target::Null),
        (
            "host:DB.local=addresses:10.0.0.1/::1",
            What::Host(Some("db.local".into())),
            Target::Addresses(["10.0.0.1", "::1"].map(|ip| ip.parse().expect("one")).into()),
        ),
        (
            "stdout=https://log.example/in?app=a",
            What::Stdout,
            Target::Http { address: "log.example:443".into(), path: "/in?app=a".into(), tls: true },
        ),
        (
            "stdout=http://[::1]:99",
            What::Stdout,
            Target::Http { address: "[::1]:99".into(), path: "/".into(), tls: false },
        ),
    ];
    for (text, what, target) in cases {
        let read = read(text);
        assert_eq!((read.what, read.target), (what, target), "{text}");
    }
}

#[test]
fn options_stand_behind_a_sink() {
    let read = read("file:log/*=elasticsearch:es:9200/logs,batch_lines=7,loss=drop-oldest");
    let (address, index) = ("es:9200".into(), "logs".into());
    assert_eq!(read.target, Target::Elasticsearch { address, index, tls: false });
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
        ("connect:sctp=null", "cannot be redirected"),
        ("connect:*=addresses:1.2.3.4", "a connection goes to"),
        ("host:a=address:1.2.3.4", "a name is"),
        ("host:a=addresses:1.2.3", "addresses:IP"),
        ("dir:data=null", "served by a process"),
        ("stdout=http:here", "http://HOST"),
        ("stdout=http://a/<b>", "characters"),
        ("random=null", "seed:"),
        ("bind:tcp:127.0.0.1:80=null", "in a message"),
        ("unix:run/socket=null", "the directories"),
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

#[test]
fn only_what_can_be_written_or_asked_goes_to_a_process() {
    let asked = ["stdin", "clock", "dir:data", "random", "connect:*", "host:a"];
    for what in ["stdout", "stderr", "file:a"].into_iter().chain(asked) {
        let redirection = Redirection::to_process(what).expect(what);
        assert_eq!(redirection.target, Target::Process);
    }
    for what in ["env:A", "bind:*", "unix:a", "sound", ""] {
        assert!(Redirection::to_process(what).is_err(), "{what}");
    }
}

fn pid(serial: u64) -> Pid {
    Pid { node: 0, incarnation: 0, serial }
}

#[test]
fn a_circle_of_any_length_is_refused_and_changes_nothing() {
    let mut routes = Routes::default();
    assert!(!routes.add_all(pid(1), &[pid(1)]));
    assert!(routes.is_empty());
    assert!(routes.add_all(pid(1), &[pid(2), pid(3)]));
    assert!(routes.add_all(pid(2), &[pid(4)]));
    assert!(!routes.add_all(pid(4), &[pid(5), pid(1)]));
    assert!(routes.add_all(pid(5), &[pid(4)]), "nothing is left of what was refused");
    routes.set(pid(1), Vec::new());
    assert!(routes.add_all(pid(4), &[pid(1)]), "who has ended is redirected to nobody");
    assert_eq!(routes.len(), 3);
}

proptest! {
    // A chain of any redirections that were taken never comes back to where it began.
    #[test]
    fn no_sequence_of_redirections_closes_a_circle(
        steps in prop::collection::vec((0u64..8, 0u64..8), 0..60),
    ) {
        let mut routes = Routes::default();
        let mut taken: Vec<(u64, u64)> = Vec::new();
        for (from, to) in steps {
            let mut reached = vec![to];
            for _ in 0..8 {
                let known = taken.iter().filter(|(one, _)| reached.contains(one));
                let next: Vec<u64> = known.map(|(_, two)| *two).collect();
                reached.extend(next);
                reached.sort_unstable();
                reached.dedup();
            }
            let circle = reached.contains(&from);
            prop_assert_eq!(routes.add_all(pid(from), &[pid(to)]), !circle);
            if !circle {
                taken.push((from, to));
            }
        }
    }

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
