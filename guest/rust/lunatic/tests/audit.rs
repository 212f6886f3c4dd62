//! Audits: what a process hears of its children, word for word.

use lunatic::audit::{Audit, Event, Outcome, Report, Value};
use lunatic::{Config, ExitReason, Mailbox, Spawn, register};

#[lunatic::test]
fn calls_come_with_arguments_and_results(reports: Mailbox<Report>) {
    let config = Config::new().unwrap().allow("names").unwrap();
    let config = config.audit(&reports, Audit::new().calls()).unwrap();
    let (child, monitor) = Spawn::new()
        .config(&config)
        .spawn_monitor((), |(), mailbox: Mailbox<()>| {
            register("somebody", mailbox.this().pid()).unwrap();
        })
        .unwrap();
    assert_eq!(monitor.wait(None).unwrap().reason, ExitReason::Normal);
    let mut registered = false;
    while let Ok(report) = reports.receive_timeout(core::time::Duration::ZERO) {
        assert_eq!((report.left_out, report.process), (0, child.pid()));
        let Event::Called(call) = report.event else { panic!("only calls were asked for") };
        if call.name == "lunatic::registry.register" {
            registered = true;
            assert_eq!(call.arguments[0], Value::Text("somebody".to_owned()));
            assert_eq!(call.outcome, Outcome::Returned(vec![Value::Integer(0)]));
            assert!(call.at() > std::time::SystemTime::UNIX_EPOCH);
            assert!(call.took() < std::time::Duration::from_secs(3600));
        }
    }
    assert!(registered);
}

#[lunatic::test]
fn rights_that_are_lacked_and_used_are_heard_of_descendants(reports: Mailbox<Report>) {
    let config = Config::new().unwrap().allow("names").unwrap().allow("spawn").unwrap();
    let config = config.audit(&reports, Audit::new().denied().used()).unwrap();
    let child = |(), _: Mailbox<()>| {
        let grandchild = |(), mailbox: Mailbox<()>| {
            println!("nobody sees this");
            register("somebody", mailbox.this().pid()).unwrap();
        };
        Spawn::new().spawn((), grandchild).unwrap();
    };
    let child = Spawn::new().config(&config).spawn((), child).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let report = reports.receive().unwrap();
        if report.process != child.pid() {
            heard.push(report.event);
        }
    }
    let denied = Event::Denied { right: "stdout".to_owned(), call: "fd_write".to_owned() };
    assert_eq!(heard[0], denied);
    assert!(matches!(&heard[1], Event::Used { right, .. } if right == "names"), "{heard:?}");
}
