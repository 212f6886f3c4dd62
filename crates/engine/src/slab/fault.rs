//! The handler of SIGSEGV for memories that are lazy (`lazy`), before the one that was there.

use std::sync::OnceLock;

use super::lazy;

/// The action before ours.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();
static DONE: OnceLock<bool> = OnceLock::new();

/// Whether our handler is in place.
pub fn installed() -> bool {
    DONE.get().is_some_and(|done| *done)
}

/// Puts our handler before the present one, once. To be called after Wasmtime has installed its
/// own, which must see what is not ours. Gives whether it is in place.
pub fn install() -> bool {
    *DONE.get_or_init(|| {
        // SAFETY: an action is plain data, for which zero is valid.
        let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: only asks for the present action.
        if unsafe { libc::sigaction(libc::SIGSEGV, std::ptr::null(), &raw mut before) } != 0 {
            return false;
        }
        let _ = BEFORE.set(before);
        // SAFETY: as above.
        let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
        ours.sa_sigaction = on_fault as *const () as usize;
        // Nested, since the handler before may leave by another way than by returning.
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        // SAFETY: the handler keeps to what a handler may do, and stays for ever.
        unsafe { libc::sigaction(libc::SIGSEGV, &raw const ours, std::ptr::null_mut()) == 0 }
    })
}

unsafe extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the system passes a valid pointer, and each thread has its errno.
    let (address, errno) = unsafe { ((*info).si_addr().addr(), *libc::__errno_location()) };
    let resolved = lazy::resolve(address);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
    if !resolved {
        // SAFETY: the arguments are those of the system.
        unsafe { pass_on(signal, info, context) };
    }
}

/// # Safety
/// The arguments are those of a handler.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(before) = BEFORE.get() else { return };
    if before.sa_sigaction == libc::SIG_DFL || before.sa_sigaction == libc::SIG_IGN {
        // The instruction runs again, and this time the system does what it always does.
        // SAFETY: the action is one that was in place.
        unsafe { libc::sigaction(signal, before, std::ptr::null_mut()) };
    } else if before.sa_flags & libc::SA_SIGINFO != 0 {
        type Handler = unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: with this flag the action is a function of that type.
        let handler: Handler = unsafe { std::mem::transmute(before.sa_sigaction) };
        // SAFETY: called as the system would.
        unsafe { handler(signal, info, context) };
    } else {
        // SAFETY: without the flag the action is a function of the number alone.
        let handler: unsafe extern "C" fn(libc::c_int) =
            unsafe { std::mem::transmute(before.sa_sigaction) };
        // SAFETY: called as the system would.
        unsafe { handler(signal) };
    }
}
