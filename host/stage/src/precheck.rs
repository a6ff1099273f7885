//! Cheap checks of an untrusted component before it is compiled.
//!
//! In: the file's bytes. Out: nothing, or why it is refused. One pass over the sections; function bodies are measured, not parsed.
//! Types may be nested, and a parser that recurses needs stack for each level. This pass uses a list instead, which takes a few
//! bytes per level and ends at [`STAGE_NESTING_MAX`].
//!
//! A file that passes may still be invalid: the compiler checks that, in a separate process.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType, ComponentTypeRef, CoreType,
    FunctionBody, Parser, Payload,
};

use crate::limits::{
    STAGE_CODE_BYTES_MAX, STAGE_EXPORTS_MAX, STAGE_FUNCTION_BYTES_MAX, STAGE_FUNCTIONS_MAX, STAGE_IMPORTS_MAX,
    STAGE_LOCALS_MAX, STAGE_NESTING_MAX, STAGE_PARTS_MAX, STAGE_TYPES_MAX,
};

/// The first byte of a component's type.
const COMPONENT_TYPE: u8 = 0x41;
/// The first byte of an instance's type.
const INSTANCE_TYPE: u8 = 0x42;
/// The first bytes of the declarations inside such a type.
const DECLARES_CORE_TYPE: u8 = 0;
const DECLARES_TYPE: u8 = 1;
const DECLARES_ALIAS: u8 = 2;
const DECLARES_IMPORT: u8 = 3;
const DECLARES_EXPORT: u8 = 4;

/// The counts so far.
#[derive(Debug, Default)]
struct Counts {
    parts: u64,
    types: u64,
    functions: u64,
    imports: u64,
    exports: u64,
    code: u64,
}

/// Checks a component against the bounds.
///
/// # Errors
/// A sentence: the bound that is exceeded, or where the file cannot be read.
pub(super) fn check(wasm: &[u8]) -> Result<(), String> {
    let mut counts = Counts::default();
    // Depth of nested modules and components.
    let mut open = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(unreadable)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                open += 1;
                bound("nests components", open as u64, STAGE_NESTING_MAX as u64, " deep")?;
                add(&mut counts.parts, 1, STAGE_PARTS_MAX as u64, "modules and components")?;
            }
            Payload::End(_) => open = open.saturating_sub(1),
            Payload::TypeSection(section) => counts.types(section.count())?,
            Payload::CoreTypeSection(section) => counts.types(section.count())?,
            Payload::ComponentTypeSection(section) => {
                let range = section.range();
                let bytes = wasm.get(range.clone()).unwrap_or_default();
                types(BinaryReader::new(bytes, range.start), &mut counts)?;
            }
            Payload::FunctionSection(section) => {
                add(&mut counts.functions, section.count().into(), STAGE_FUNCTIONS_MAX, "functions")?;
            }
            Payload::ComponentCanonicalSection(section) => {
                add(&mut counts.functions, section.count().into(), STAGE_FUNCTIONS_MAX, "functions")?;
            }
            Payload::ImportSection(section) => counts.imports(section.count())?,
            Payload::ComponentImportSection(section) => counts.imports(section.count())?,
            Payload::ExportSection(section) => counts.exports(section.count())?,
            Payload::ComponentExportSection(section) => counts.exports(section.count())?,
            Payload::ComponentAliasSection(section) => counts.imports(section.count())?,
            Payload::CodeSectionEntry(body) => function(&body, &mut counts)?,
            _ => {}
        }
    }
    Ok(())
}

// === impl Counts ===

impl Counts {
    fn types(&mut self, more: u32) -> Result<(), String> {
        add(&mut self.types, more.into(), STAGE_TYPES_MAX, "types")
    }

    fn imports(&mut self, more: u32) -> Result<(), String> {
        add(&mut self.imports, more.into(), STAGE_IMPORTS_MAX, "imports and aliases")
    }

    fn exports(&mut self, more: u32) -> Result<(), String> {
        add(&mut self.exports, more.into(), STAGE_EXPORTS_MAX, "exports")
    }
}

/// Checks a section of types, nested ones without recursion.
fn types(mut reader: BinaryReader<'_>, counts: &mut Counts) -> Result<(), String> {
    let declared = reader.read_var_u32().map_err(unreadable)?;
    // For each enclosing type, the declarations that are left in it.
    let mut open: Vec<u32> = Vec::new();
    for _ in 0..declared {
        one_type(&mut reader, &mut open, counts)?;
        while let Some(left) = open.last_mut() {
            match left.checked_sub(1) {
                None => drop(open.pop()),
                Some(less) => {
                    *left = less;
                    declaration(&mut reader, &mut open, counts)?;
                }
            }
        }
    }
    match reader.eof() {
        true => Ok(()),
        false => Err("it cannot be read: there is more in a section than its types".to_owned()),
    }
}

/// Reads a type; of a type that contains declarations, only its beginning.
fn one_type(reader: &mut BinaryReader<'_>, open: &mut Vec<u32>, counts: &mut Counts) -> Result<(), String> {
    counts.types(1)?;
    match first(reader)? {
        COMPONENT_TYPE | INSTANCE_TYPE => {
            reader.read_u8().map_err(unreadable)?;
            open.push(reader.read_var_u32().map_err(unreadable)?);
            bound("declares types inside of types", open.len() as u64, STAGE_NESTING_MAX as u64, " deep")
        }
        // Other types contain no declarations, so this does not recurse.
        _ => reader.read::<ComponentType<'_>>().map(drop).map_err(unreadable),
    }
}

/// Reads a declaration inside the type of a component or an instance.
fn declaration(reader: &mut BinaryReader<'_>, open: &mut Vec<u32>, counts: &mut Counts) -> Result<(), String> {
    match reader.read_u8().map_err(unreadable)? {
        DECLARES_CORE_TYPE => {
            counts.types(1)?;
            reader.read::<CoreType<'_>>().map(drop)
        }
        DECLARES_TYPE => return one_type(reader, open, counts),
        DECLARES_ALIAS => {
            counts.imports(1)?;
            reader.read::<ComponentAlias<'_>>().map(drop)
        }
        DECLARES_IMPORT => {
            counts.imports(1)?;
            reader.read::<ComponentImport<'_>>().map(drop)
        }
        DECLARES_EXPORT => {
            counts.exports(1)?;
            reader.read::<(ComponentExternName<'_>, ComponentTypeRef)>().map(drop)
        }
        other => return Err(format!("it cannot be read: {other:#04x} declares nothing in a type")),
    }
    .map_err(unreadable)
}

fn function(body: &FunctionBody<'_>, counts: &mut Counts) -> Result<(), String> {
    let bytes = body.range().len() as u64;
    bound("has a function of", bytes, STAGE_FUNCTION_BYTES_MAX, " bytes of code")?;
    add(&mut counts.code, bytes, STAGE_CODE_BYTES_MAX, "bytes of code")?;
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(unreadable)? {
        let (count, _) = group.map_err(unreadable)?;
        locals = locals.saturating_add(count.into());
    }
    bound("has a function with", locals, STAGE_LOCALS_MAX, " locals")
}

fn add(count: &mut u64, more: u64, most: u64, what: &str) -> Result<(), String> {
    *count = count.saturating_add(more);
    bound("has", *count, most, &format!(" {what}"))
}

fn bound(does: &str, found: u64, most: u64, what: &str) -> Result<(), String> {
    if found <= most {
        return Ok(());
    }
    // Counting stops here, so the file may have more.
    Err(format!("it {does} {found}{what} or more; {most} are possible"))
}

fn first(reader: &BinaryReader<'_>) -> Result<u8, String> {
    reader.clone().read_u8().map_err(unreadable)
}

fn unreadable(error: wasmparser::Error) -> String {
    format!("it cannot be read: {error}")
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
#[cfg(test)]
mod tests;
