//! Applications: the Rust library for guests does what OTP's `application` does.

mod common;

use lunatic_otp::applications::{failures, load};

#[test]
fn otp_and_the_library_tell_what_every_scenario_of_applications_says() {
    let Some(library) = common::library() else { return };
    let scenarios = load().expect("the scenarios can be read");
    assert!(!scenarios.is_empty());
    let failures = failures(&scenarios, &library, common::oracle().is_some());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
