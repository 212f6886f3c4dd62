//! Writes the module anew: calls where the bulk instructions stood, helpers at the end.
//!
//! Only the type, function and code sections change; every other section is copied byte for byte.
//! Counts keep the width of their LEB128 and calls the length of what they replace wherever they
//! fit, which keeps code offsets (see the parent module).

use super::{BulkError, Module, Plan, Site, helper};
use std::ops::Range;
use wasmparser::BinaryReader;

const TYPE_SECTION: u8 = 1;
const FUNCTION_SECTION: u8 = 3;
const CODE_SECTION: u8 = 10;

/// Magic number and version.
const HEADER_BYTES: usize = 8;

/// `(func (param i32 i32 i32))`, the type of every helper.
const HELPER_TYPE: [u8; 6] = [0x60, 3, 0x7F, 0x7F, 0x7F, 0];

const CALL: u8 = 0x10;
const NOP: u8 = 0x01;

/// Most bytes that a LEB128 of 32 bits may take.
const LEB_BYTES_MAX: usize = 5;

/// Writes `wasm` with `plan` carried out.
pub fn rewrite(wasm: &[u8], module: &Module<'_>, plan: &Plan) -> Result<Vec<u8>, BulkError> {
    let occurs = |id| module.sections.iter().filter(|section| section.0 == id).count();
    if [TYPE_SECTION, FUNCTION_SECTION, CODE_SECTION].map(occurs) != [1, 1, 1] {
        return Err(BulkError::Inconsistent("it needs one type, function and code section each"));
    }
    let header = wasm.get(..HEADER_BYTES).ok_or(BulkError::Inconsistent("it has no header"))?;
    let mut out = Vec::with_capacity(wasm.len() + 1024 * (1 + plan.helpers.len()));
    out.extend_from_slice(header);
    for (id, range) in &module.sections {
        let contents = match *id {
            TYPE_SECTION => &append(wasm, range, 1, &HELPER_TYPE)?,
            FUNCTION_SECTION => &function_section(wasm, range, module, plan)?,
            CODE_SECTION => &code_section(wasm, range, module, plan)?,
            _ => &wasm[range.clone()],
        };
        out.push(*id);
        leb(&mut out, small(contents.len())?, 0);
        out.extend_from_slice(contents);
    }
    Ok(out)
}

fn function_section(
    wasm: &[u8],
    range: &Range<usize>,
    module: &Module<'_>,
    plan: &Plan,
) -> Result<Vec<u8>, BulkError> {
    let mut added = Vec::new();
    for _ in &plan.helpers {
        leb(&mut added, module.types, 0);
    }
    append(wasm, range, small(plan.helpers.len())?, &added)
}

fn code_section(
    wasm: &[u8],
    range: &Range<usize>,
    module: &Module<'_>,
    plan: &Plan,
) -> Result<Vec<u8>, BulkError> {
    let (count, width) = count_of(wasm, range)?;
    let helpers = small(plan.helpers.len())?;
    let mut out = Vec::with_capacity(range.len() + 128 * plan.helpers.len());
    leb(&mut out, count.checked_add(helpers).ok_or(BulkError::TooLarge)?, width);
    let mut done = range.start + width;
    let mut sites = plan.sites.as_slice();
    for (index, body) in module.bodies.iter().enumerate() {
        let at = body.range();
        let here = sites.iter().take_while(|site| site.body == index).count();
        let (of_body, rest) = sites.split_at(here);
        sites = rest;
        let patched = patched(wasm, &at, of_body, module)?;
        if patched.len() == at.len() {
            // The length as it was written, which may be longer than it had to be.
            out.extend_from_slice(&wasm[done..at.start]);
        } else {
            leb(&mut out, small(patched.len())?, 0);
        }
        out.extend_from_slice(&patched);
        done = at.end;
    }
    if done != range.end {
        return Err(BulkError::Inconsistent(
            "its code section does not end with its last function",
        ));
    }
    for bulk in &plan.helpers {
        let body = helper::body(*bulk, module);
        leb(&mut out, small(body.len())?, 0);
        out.extend_from_slice(&body);
    }
    Ok(out)
}

/// One function body with a call at each site.
fn patched(
    wasm: &[u8],
    body: &Range<usize>,
    sites: &[Site],
    module: &Module<'_>,
) -> Result<Vec<u8>, BulkError> {
    let mut out = Vec::with_capacity(body.len());
    let mut done = body.start;
    for site in sites {
        let function = module.functions.checked_add(site.helper).ok_or(BulkError::TooLarge)?;
        out.extend_from_slice(&wasm[done..site.bytes.start]);
        call(&mut out, function, site.bytes.len());
        done = site.bytes.end;
    }
    out.extend_from_slice(&wasm[done..body.end]);
    Ok(out)
}

/// A call of `function` that is `bytes` long, or longer where the index does not fit.
fn call(out: &mut Vec<u8>, function: u32, bytes: usize) {
    let end = out.len() + bytes;
    out.push(CALL);
    leb(out, function, bytes.saturating_sub(1).min(LEB_BYTES_MAX));
    if out.len() < end {
        out.resize(end, NOP);
    }
}

/// A section with `more` items at its end.
fn append(
    wasm: &[u8],
    range: &Range<usize>,
    more: u32,
    items: &[u8],
) -> Result<Vec<u8>, BulkError> {
    let (count, width) = count_of(wasm, range)?;
    let mut out = Vec::with_capacity(range.len() + items.len() + LEB_BYTES_MAX);
    leb(&mut out, count.checked_add(more).ok_or(BulkError::TooLarge)?, width);
    out.extend_from_slice(&wasm[range.start + width..range.end]);
    out.extend_from_slice(items);
    Ok(out)
}

/// The number of items at the start of a section, and how many bytes it takes there.
fn count_of(wasm: &[u8], range: &Range<usize>) -> Result<(u32, usize), BulkError> {
    let mut reader = BinaryReader::new(&wasm[range.clone()], range.start);
    let count = reader.read_var_u32()?;
    Ok((count, reader.original_position() - range.start))
}

/// Appends an unsigned LEB128 of at least `width` bytes, [`LEB_BYTES_MAX`] at most.
fn leb(out: &mut Vec<u8>, mut value: u32, width: usize) {
    let mut written = 1;
    while value > 0x7F || written < width.min(LEB_BYTES_MAX) {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
        written += 1;
    }
    // At most 7 bits are left.
    out.push(value as u8);
}

fn small(bytes: usize) -> Result<u32, BulkError> {
    u32::try_from(bytes).map_err(|_| BulkError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_padded_call_reads_back_as_its_index(function: u32, bytes in 1usize..10) {
            let mut out = Vec::new();
            call(&mut out, function, bytes);
            let mut reader = BinaryReader::new(&out, 0);
            prop_assert_eq!(reader.read_u8().unwrap(), CALL);
            prop_assert_eq!(reader.read_var_u32().unwrap(), function);
            prop_assert!(out[reader.original_position()..].iter().all(|byte| *byte == NOP));
            let fits = bytes > 5 || function < 1 << (7 * (bytes - 1));
            prop_assert_eq!(out.len() == bytes, fits);
        }
    }
}
