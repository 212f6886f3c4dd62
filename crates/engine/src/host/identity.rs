//! Pids and references as pairs of 64 bits: the node with its incarnation, and the serial.
//!
//! The first number is `incarnation << 32 | node`; it is 0 for what belongs to a node without a
//! cluster. A pair that names nothing is one that no process has, never a trap.

use lunatic_model::{Pid, Ref};

/// Bytes of a pair.
pub(super) const PAIR_BYTES: usize = 16;

fn split(node: i64) -> (u32, u32) {
    let node = node.cast_unsigned();
    // The halves of the number.
    (node as u32, (node >> 32) as u32)
}

fn joined(node: u32, incarnation: u32) -> u64 {
    u64::from(incarnation) << 32 | u64::from(node)
}

/// The pid of a pair.
pub(super) fn pid(node: i64, serial: i64) -> Pid {
    let (node, incarnation) = split(node);
    Pid { node, incarnation, serial: serial.cast_unsigned() }
}

/// The reference of a pair.
pub(super) fn reference(node: i64, serial: i64) -> Ref {
    let (node, incarnation) = split(node);
    Ref { node, incarnation, serial: serial.cast_unsigned() }
}

/// The pair of a pid.
pub(crate) fn pid_pair(pid: Pid) -> [u64; 2] {
    [joined(pid.node, pid.incarnation), pid.serial]
}

/// The pair of a reference; two zeros for none.
pub(crate) fn reference_pair(reference: Option<Ref>) -> [u64; 2] {
    reference.map_or([0, 0], |of| [joined(of.node, of.incarnation), of.serial])
}

/// Numbers in the byte order of the ABI.
pub(super) fn little_endian(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
