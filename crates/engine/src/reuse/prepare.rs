//! Writes a module anew so that its instances can be made as they were at first.
//!
//! Two sections change. What the data section puts into memory at the start goes, since
//! [`super::image`] puts it there instead; and everything that a program can change gets an export
//! with a name of our own: its memory and its mutable variables. **Invariant:** indices stay, and
//! with them the meaning: an active segment becomes an empty passive one, which is what it is for
//! the program once it runs.
//!
//! A module of which something else can change (tables, dropped segments), or whose start section
//! would have to run again, is left alone.

use std::borrow::Cow;
use std::ops::Range;

use wasm_encoder::{RawSection, Section, SectionId};
use wasmparser::{
    BinaryReaderError, DataKind, Export, FunctionBody, GlobalType, MemoryType, Operator, Parser,
    Payload, TypeRef, ValType,
};

/// The export of the memory; its presence says that the module was rewritten.
pub(crate) const MEMORY: &str = "lunatic:memory";
/// Exports of mutable variables: this, and a number.
const VARIABLE: &str = "lunatic:variable:";
/// No name of the program's own may begin so.
const RESERVED: &str = "lunatic:";
/// At most so many variables are put back for each process.
const VARIABLES_MAX: usize = 16;
/// At most so many segments: each may take two pages of the image for a single byte.
const SEGMENTS_MAX: usize = 1_024;

/// The name under which the nth mutable variable is exported.
pub(crate) fn variable(number: usize) -> String {
    format!("{VARIABLE}{number}")
}

/// An active segment of the one memory.
pub(crate) struct Segment<'a> {
    pub(crate) offset: usize,
    pub(crate) data: &'a [u8],
}

/// What of a module matters here, as far as it has been read.
#[derive(Default)]
struct Facts<'a> {
    sections: Vec<(u8, Range<usize>)>,
    memories: Vec<MemoryType>,
    globals: Vec<GlobalType>,
    exports: Vec<Export<'a>>,
    /// The bytes of each data segment, and whether it is active.
    segments: Vec<(Range<usize>, bool)>,
    /// Something that speaks against it.
    unfit: bool,
}

/// The module as it is compiled: rewritten, or as it is if it cannot be.
pub(crate) fn prepare(wasm: &[u8]) -> Result<Cow<'_, [u8]>, BinaryReaderError> {
    let mut facts = Facts::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Some(section) = payload.as_section() {
            facts.sections.push(section);
        }
        facts.note(payload)?;
        if facts.unfit {
            return Ok(Cow::Borrowed(wasm));
        }
    }
    Ok(if facts.fit() { Cow::Owned(facts.rewritten(wasm)) } else { Cow::Borrowed(wasm) })
}

/// What an active segment puts into the memory, if it says so plainly.
pub(crate) fn active<'a>(data: &wasmparser::Data<'a>) -> Option<Segment<'a>> {
    let DataKind::Active { memory_index: 0, offset_expr } = &data.kind else { return None };
    let mut operators = offset_expr.get_operators_reader();
    let Ok(Operator::I32Const { value }) = operators.read() else { return None };
    let alone = matches!(operators.read(), Ok(Operator::End)) && operators.eof();
    let offset = value.cast_unsigned() as usize;
    alone.then_some(Segment { offset, data: data.data })
}

impl<'a> Facts<'a> {
    fn note(&mut self, payload: Payload<'a>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let function = matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                    self.unfit |= !function;
                }
            }
            Payload::MemorySection(memories) => {
                self.memories = memories.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    self.globals.push(global?.ty);
                }
            }
            Payload::ExportSection(exports) => {
                self.exports = exports.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::DataSection(segments) => {
                for data in segments {
                    let data = data?;
                    let passive = matches!(data.kind, DataKind::Passive);
                    let fits = active(&data).is_some_and(|segment| self.holds(&segment));
                    self.unfit |= !passive && !fits;
                    self.segments.push((data.range.clone(), !passive));
                }
            }
            Payload::CodeSectionEntry(body) => self.unfit |= changes_more(&body)?,
            Payload::StartSection { .. } | Payload::TagSection(_) => self.unfit = true,
            _ => {}
        }
        Ok(())
    }

    /// Otherwise the instantiation fails, as it must.
    fn holds(&self, segment: &Segment<'_>) -> bool {
        let bytes = self.memories.first().and_then(first_bytes);
        let end = segment.offset.checked_add(segment.data.len());
        end.zip(bytes).is_some_and(|(end, bytes)| end <= bytes)
    }

    fn fit(&self) -> bool {
        let [memory] = &self.memories[..] else { return false };
        let numbers = |ty: &GlobalType| {
            matches!(ty.content_type, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
        };
        first_bytes(memory).is_some()
            && !self.exports.is_empty()
            && self.exports.iter().all(|export| !export.name.starts_with(RESERVED))
            && self.variables().count() <= VARIABLES_MAX
            && self.segments.len() <= SEGMENTS_MAX
            && self.globals.iter().filter(|ty| ty.mutable).all(numbers)
    }

    /// The indices of what the program can change.
    fn variables(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.globals).filter(|(_, ty)| ty.mutable).map(|(index, _)| index)
    }

    fn rewritten(&self, wasm: &[u8]) -> Vec<u8> {
        let mut module = wasm_encoder::Module::new();
        for (id, range) in &self.sections {
            let data = match id {
                7 => &self.export_section(),
                11 => &self.data_section(wasm),
                _ => &wasm[range.clone()],
            };
            module.section(&RawSection { id: *id, data });
        }
        module.finish()
    }

    fn export_section(&self) -> Vec<u8> {
        let mut section = wasm_encoder::ExportSection::new();
        for export in &self.exports {
            section.export(export.name, export.kind.into(), export.index);
        }
        section.export(MEMORY, wasm_encoder::ExportKind::Memory, 0);
        for (number, index) in self.variables().enumerate() {
            section.export(&variable(number), wasm_encoder::ExportKind::Global, index);
        }
        contents(&section)
    }

    fn data_section(&self, wasm: &[u8]) -> Vec<u8> {
        let mut section = wasm_encoder::DataSection::new();
        for (range, active) in &self.segments {
            match active {
                true => section.passive([]),
                false => section.raw(&wasm[range.clone()]),
            };
        }
        contents(&section)
    }
}

/// A section without its length.
fn contents(section: &impl Section) -> Vec<u8> {
    debug_assert!(section.id() != SectionId::Custom as u8, "only known sections are written anew");
    let mut with_length = Vec::new();
    section.encode(&mut with_length);
    let length = with_length.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    with_length.split_off(length)
}

/// The first size of a memory that can be made anew: a plain one.
fn first_bytes(memory: &MemoryType) -> Option<usize> {
    let plain = !memory.memory64 && !memory.shared && memory.page_size_log2.is_none();
    let bytes = usize::try_from(memory.initial).ok()?.checked_mul(64 << 10)?;
    plain.then_some(bytes)
}

/// Whether the function can change something else than memory and variables.
fn changes_more(body: &FunctionBody<'_>) -> Result<bool, BinaryReaderError> {
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        if let Operator::TableSet { .. }
        | Operator::TableGrow { .. }
        | Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::ElemDrop { .. }
        | Operator::DataDrop { .. } = operators.read()?
        {
            return Ok(true);
        }
    }
    Ok(false)
}
