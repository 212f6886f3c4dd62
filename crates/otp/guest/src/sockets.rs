//! TCP on this machine, as far as the harness needs it.

/// IPv4, and the address.
const KIND: u32 = 4;
static LOOPBACK: [u8; 4] = [127, 0, 0, 1];
const FOR_EVER: i64 = -1;
const OK: i32 = 0;

#[link(wasm_import_module = "lunatic::networking")]
unsafe extern "C" {
    fn tcp_bind(
        kind: u32,
        address: *const u8,
        port: u32,
        flow: u32,
        scope: u32,
        id: *mut u64,
    ) -> i32;
    fn tcp_local_addr(listener: u64, addresses: *mut u64) -> i32;
    fn resolve_next(
        addresses: u64,
        kind: *mut u32,
        address: *mut u8,
        port: *mut u16,
        flow: *mut u32,
        scope: *mut u32,
    ) -> i32;
    fn tcp_connect(
        kind: u32,
        address: *const u8,
        port: u32,
        flow: u32,
        scope: u32,
        timeout: i64,
        id: *mut u64,
    ) -> i32;
    fn tcp_accept(listener: u64, id: *mut u64, addresses: *mut u64) -> i32;
    fn tcp_read(stream: u64, place: *mut u8, length: usize, count: *mut u64) -> i32;
}

/// A listener at a port of the system's choice, and that port.
pub fn listen() -> (u64, u16) {
    let (mut id, mut addresses) = (0, 0);
    // SAFETY: each place that is handed over in this file is as long as abi/networking.md says.
    let bound = unsafe { tcp_bind(KIND, LOOPBACK.as_ptr(), 0, 0, 0, &mut id) };
    assert_eq!(bound, OK, "a listener is there");
    // SAFETY: as above.
    assert_eq!(unsafe { tcp_local_addr(id, &mut addresses) }, OK, "a listener has an address");
    let (mut kind, mut address, mut port) = (0, [0; 16], 0);
    let (mut flow, mut scope) = (0, 0);
    // SAFETY: as above.
    let told = unsafe {
        let address = address.as_mut_ptr();
        resolve_next(addresses, &mut kind, address, &mut port, &mut flow, &mut scope)
    };
    assert_eq!(told, OK, "a listener has one address");
    (id, port)
}

/// A connection to a port of this machine.
pub fn connect(port: u16) -> u64 {
    let mut id = 0;
    let (address, port) = (LOOPBACK.as_ptr(), u32::from(port));
    // SAFETY: as above.
    let connected = unsafe { tcp_connect(KIND, address, port, 0, 0, FOR_EVER, &mut id) };
    assert_eq!(connected, OK, "somebody listens there");
    id
}

/// The next connection.
pub fn accept(listener: u64) -> u64 {
    let (mut id, mut addresses) = (0, 0);
    // SAFETY: as above.
    let accepted = unsafe { tcp_accept(listener, &mut id, &mut addresses) };
    assert_eq!(accepted, OK, "somebody connects");
    id
}

/// Waits for the end of what comes.
pub fn is_closed(stream: u64) -> bool {
    let (mut byte, mut count) = (0, 0);
    // SAFETY: as above.
    let read = unsafe { tcp_read(stream, &mut byte, 1, &mut count) };
    read != OK || count == 0
}
