//! What flags and policy files grant.

use super::file::{Wrong, parse};
use super::*;
use lunatic_model::{Budgeted, Deed, Extent, Policy as AtLimit, Scope};

fn flags(allow: &[&str], deny: &[&str]) -> GuestArgs {
    let permits = |texts: &[&str]| texts.iter().map(|text| text.parse().expect(text)).collect();
    GuestArgs { allow: permits(allow), deny: permits(deny), ..GuestArgs::default() }
}

fn grant(flags: &GuestArgs) -> Grant {
    Policy::of(flags).and_then(|policy| policy.grant()).expect("they can be granted")
}

#[test]
fn without_flags_everything_is_granted_and_with_sandbox_nothing() {
    assert_eq!(grant(&GuestArgs::default()), Grant::ALL);
    let nothing = grant(&GuestArgs { sandbox: true, ..GuestArgs::default() });
    assert_eq!(nothing, Grant { reach: Reach::WHOLE, ..Grant::SANDBOX });
}

#[test]
fn what_is_allowed_comes_with_streams_clocks_random_numbers_and_spawning() {
    let granted = grant(&flags(&["names", "connect:tcp:*:80"], &["stdin"]));
    let expected = Rights::BASIC.with(Rights::STDIN, false) | Rights::NAMES;
    assert_eq!(granted.rights, expected);
    assert!(!granted.network.resolve);
}

#[test]
fn what_is_denied_is_taken_from_everything_or_from_what_is_allowed() {
    let granted = grant(&flags(&[], &["names", "send:tree", "connect:*"]));
    assert_eq!(granted.rights, Rights::ALL.with(Rights::NAMES, false));
    assert_eq!(granted.reach.of(Deed::Send), Extent::Family);
    assert!(Policy::of(&flags(&[], &["connect:tcp"])).unwrap().grant().is_err());
}

#[test]
fn variables_are_inherited_unless_sandboxed_and_those_that_are_denied_never() {
    let open = Policy::of(&flags(&[], &["env:SECRET"])).unwrap();
    assert!(open.inherits("HOME") && !open.inherits("SECRET"));
    let closed = Policy::of(&flags(&["env:HOME"], &[])).unwrap();
    assert!(closed.inherits("HOME") && !closed.inherits("PATH"));
    assert!(Policy::of(&flags(&["env:*"], &[])).unwrap().inherits("PATH"));
}

#[test]
fn rights_to_files_make_directories_and_narrow_those_that_are_there() {
    let mut directories =
        vec![Preopen { host: "/work".into(), guest: ".".into(), access: FileAccess::FULL }];
    let flags = flags(
        &["read:in", "read:/out::out", "write:/out::out"],
        &["files:in", "write:.", "create:.", "remove:."],
    );
    let policy = Policy::of(&flags).unwrap();
    policy.change_directories(&mut directories).unwrap();
    let write = FileAccess { write: true, ..FileAccess::READ };
    let found: Vec<_> = directories.iter().map(|one| (one.guest.as_str(), one.access)).collect();
    assert_eq!(found, [(".", FileAccess::READ), ("out", write)]);
    let policy = Policy::of(&self::flags(&[], &["read:elsewhere"])).unwrap();
    assert!(policy.change_directories(&mut directories).is_err());
    let policy = Policy::of(&self::flags(&["read:/x::out"], &[])).unwrap();
    assert!(policy.change_directories(&mut directories).is_err());
}

#[test]
fn a_policy_file_has_rights_budgets_and_redirections() {
    let policy = parse(
        "[rights]\nallow = [\"stdout\", \"read:data\"]\ndeny = [\"send:tree\"]\n\
         [budget]\ncpu_rate_max = 100\n\
         tree_total_memory_max = { max = \"64M\", at_limit = \"end\" }\n\
         [redirect]\nstderr = \"null\"\n\"file:log/*\" = \"null\"\n",
    )
    .expect("it is right");
    assert!(policy.sandboxed);
    assert_eq!(policy.allow, ["stdout".parse().unwrap(), "read:data".parse().unwrap()]);
    assert_eq!(policy.deny, ["send:tree".parse().unwrap()]);
    let line = |scope, kind, amount, at_limit| BudgetLine { scope, kind, amount, at_limit };
    assert_eq!(
        policy.budgets,
        [
            line(Scope::Process, Budgeted::CpuRate, 100, AtLimit::Wait),
            line(Scope::Subtree, Budgeted::Memory, 64 << 20, AtLimit::End),
        ]
    );
    assert_eq!(policy.redirections.len(), 2);
    assert!(!parse("[rights]\ndeny = [\"names\"]").expect("it is right").sandboxed);
    assert!(parse("[rights]\nallow = []").expect("it is right").sandboxed);
}

#[test]
fn an_error_in_a_policy_file_says_what_is_expected_and_where() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("policy.toml");
    for (text, expected) in [
        ("x = 1", "line 1: `x` stands alone; there are [rights], [budget] and [redirect]"),
        ("\n[right]", "line 2: there is no table [right]"),
        ("[rights]\ngrant = []", "line 2: [rights] has no `grant`"),
        ("[rights]\nallow = \"stdout\"", "line 2: expected a list of rights"),
        ("[rights]\nallow = [\n  \"names\",\n  \"stdot\",\n]", "line 4: `stdot` is no right"),
        ("[budget]\nmemory = 1", "line 2: there is no budget `memory`; there are total_memory_max"),
        ("[budget]\ncpu_rate_max = -1", "line 2: expected a number"),
        ("[budget]\ncpu_time_max = { max = 1, at_limit = \"wait\" }", "line 2: at_limit of"),
        ("[redirect]\nstdout = 1", "line 2: expected where it goes"),
        ("[redirect]\n\nstdout = \"nul\"", "line 3: `nul` is no target"),
        ("[rights]\nallow = [", "line 2"),
    ] {
        std::fs::write(&path, text).expect("it can be written");
        let flags = GuestArgs { policy: Some(path.clone()), ..GuestArgs::default() };
        let error = Policy::of(&flags).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(matches!(parse(text), Err(Wrong { .. })));
    }
}
