//! What a report looks like, and what a storm of them prints.

use super::*;

fn failure() -> Failure {
    Failure {
        pid: "<0.12>".into(),
        names: vec!["worker".into()],
        label: Some("for order 12".into()),
        entry: "work".into(),
        reason: "trap: unreachable code was reached".into(),
        frames: vec!["app::work".into(), "<function 3>".into()],
        links: vec![
            ("died with it", vec!["<0.1>".into(), "<0.2>".into()]),
            ("ignored it", vec![]),
            ("received a message", vec!["<0.3>".into()]),
        ],
        links_unlisted: 0,
    }
}

#[test]
fn a_report_names_the_process_its_end_its_calls_and_its_links() {
    let expected = "\
process <0.12> \"worker\" failed: trap: unreachable code was reached
  label  for order 12
  entry  work
  trace   0: app::work
          1: <function 3>
  links  2 died with it: <0.1>, <0.2>
         1 received a message: <0.3>
";
    assert_eq!(failure().text(), expected);
}

#[test]
fn a_report_of_little_is_short() {
    let failure = Failure {
        pid: "<0.1>".into(),
        entry: "_start".into(),
        reason: "killed".into(),
        ..Failure::default()
    };
    assert_eq!(failure.text(), "process <0.1> failed: killed\n  entry  _start\n");
}

#[test]
fn what_a_guest_says_cannot_forge_lines_or_move_the_cursor() {
    let hostile = "x\nprocess <0.1> failed\r\x1b[2J";
    let failure = Failure {
        names: vec![hostile.into()],
        label: Some(hostile.into()),
        entry: hostile.into(),
        reason: hostile.into(),
        frames: vec![hostile.into()],
        ..failure()
    };
    let text = failure.text();
    assert!(!text.contains('\x1b') && !text.contains('\r'));
    assert_eq!(text.lines().count(), 6);
}

#[test]
fn a_report_is_bounded_whatever_it_is_about() {
    let many = |text: &str| vec![text.repeat(10_000); 10_000];
    let failure = Failure {
        names: many("n"),
        entry: "e".repeat(1 << 20),
        reason: "r".repeat(1 << 20),
        frames: many("f"),
        links: vec![("died with it", vec!["<0.1>".into(); 10_000])],
        ..failure()
    };
    let text = failure.text();
    assert!(text.len() < 20_000, "{} bytes", text.len());
    assert!(text.contains("and 9995 more") && text.contains("and 9976 more calls"));
}

#[test]
fn a_storm_shows_the_first_of_a_kind_and_counts_the_rest() {
    let mut throttle = Throttle::default();
    let shown = (0..9_993).filter(|_| throttle.admits("trap: x", ALL_KINDS_MAX)).count();
    assert_eq!(shown as u64, SAME_KIND_MAX);
    assert_eq!(throttle.close("failed"), "… and 9,990 more processes failed like this: trap: x\n");
    assert!(throttle.admits("trap: x", ALL_KINDS_MAX), "a new window starts afresh");
}

#[test]
fn failures_that_were_all_shown_need_no_count() {
    let mut throttle = Throttle::default();
    assert!(throttle.admits("a", ALL_KINDS_MAX) && throttle.admits("b", ALL_KINDS_MAX));
    assert_eq!(throttle.close("failed"), "");
}

#[test]
fn every_failure_is_either_shown_or_counted() {
    for kinds in [1, 2, 5, 15, 16, 17, 1000] {
        let mut throttle = Throttle::default();
        let mut shown = 0;
        let all = 5_000;
        for number in 0..all {
            let kind = format!("kind {:04}", number % kinds);
            shown += u64::from(throttle.admits(&kind, ALL_KINDS_MAX));
        }
        assert!(shown <= ALL_KINDS_MAX);
        let text = throttle.close("failed");
        assert!(text.lines().count() <= KINDS_MAX + 1);
        let counted: u64 = text
            .lines()
            .filter_map(|line| line.split(' ').nth(2)?.replace(',', "").parse::<u64>().ok())
            .sum();
        assert_eq!(shown + counted, all, "{kinds} kinds");
    }
}

#[test]
fn numbers_are_grouped_by_thousands() {
    let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
    for (number, text) in cases {
        assert_eq!(grouped(number), text);
    }
}

#[test]
fn a_denial_says_what_was_tried_and_at_the_end_how_often_for_what() {
    let denied = Denied {
        pid: "<0.2>".into(),
        entry: "plugin".into(),
        right: "connect",
        grant: "connect:tcp:192.0.2.1:80".into(),
        tried: "connect tcp 192.0.2.1:80".into(),
        in_all: None,
    };
    let first = "process <0.2> (entry plugin) was denied: connect tcp 192.0.2.1:80; it lacks \
        `connect:tcp:192.0.2.1:80` (grant it by --allow 'connect:tcp:192.0.2.1:80', or \
        config_allow where it is spawned)\n";
    assert_eq!(denied.text(), first);
    let ended = Denied { in_all: Some(1000), ..denied.clone() };
    let last = "process <0.2> (entry plugin) was denied `connect:tcp:192.0.2.1:80` 1,000 times\n";
    assert_eq!(ended.text(), last);
    let others = Denied { grant: String::new(), in_all: Some(1), ..denied.clone() };
    let text = "process <0.2> (entry plugin) was denied `connect` for other addresses, 1 time\n";
    assert_eq!(others.text(), text);
    let elsewhere = Denied { grant: "connect:tcp:192.0.2.2:80".into(), ..denied.clone() };
    assert_ne!(elsewhere.kind(), denied.kind(), "a storm of one does not hide the other");
}
