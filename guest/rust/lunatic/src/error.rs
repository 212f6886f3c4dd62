//! What the errors of this crate have in common: how they are shown to programmers.
//!
//! `Debug` is the same text as `Display`, since that is what people read when an `expect` fails.
//! And what a program may show lies in the memory of each of its processes: the derived `Debug` of
//! a text brings the tables with it that say which characters can be printed, over two kilobytes.

macro_rules! debug_is_display {
    ($($error:ty),* $(,)?) => {$(
        impl ::core::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(self, f)
            }
        }
    )*};
}

debug_is_display!(
    crate::application::ApplicationError,
    crate::budget::AccountError,
    crate::event::HandlerError,
    crate::format::DecodeCause,
    crate::format::EncodeError,
    crate::host_error::HostError,
    crate::message::DecodeError,
    crate::message::ReceiveError,
    crate::message::SendError,
    crate::process::RegisterError,
    crate::spawn::SpawnError,
    crate::call::CallError,
    crate::config::ConfigDenied,
    crate::behaviour::StartError,
    crate::registry::JoinError,
    crate::task::TaskError,
);

#[cfg(test)]
mod tests {
    #[test]
    fn what_an_expect_says_is_for_people() {
        let error = crate::SendError::NoName;
        assert_eq!(format!("{error:?}"), "nobody has the name");
    }
}
