use super::*;
use crate::bundled;
use wasm_encoder::{
    CodeSection, Component, ComponentBuilder, ComponentType as TypeOfComponent, ComponentTypeSection, ComponentValType,
    Function, FunctionSection, Instruction, Module, ModuleSection, NestedComponentSection, PrimitiveValType,
    TypeSection, ValType,
};

/// A component whose only type is `declared`, as it is encoded.
fn of_type(declared: &[u8]) -> Vec<u8> {
    let mut section = vec![1];
    section.extend(declared);
    let mut component = b"\0asm\x0d\0\x01\0\x07".to_vec();
    leb(&mut component, section.len());
    component.extend(section);
    component
}

fn leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
}

/// A type of `deep` components in each other, with a primitive in the innermost.
fn nested(deep: usize, kind: u8) -> Vec<u8> {
    let mut declared = [kind, 1, DECLARES_TYPE].repeat(deep);
    declared.push(0x7f);
    of_type(&declared)
}

fn module(functions: u32, locals: u32, nops: usize) -> Component {
    let (mut types, mut list, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for _ in 0..functions {
        list.function(0);
        let mut function = Function::new([(locals, ValType::I32)]);
        for _ in 0..nops {
            function.instruction(&Instruction::Nop);
        }
        function.instruction(&Instruction::End);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&list).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component
}

#[test]
fn what_comes_with_the_host_passes() {
    for (name, wasm) in crate::StageKind::ALL.into_iter().flat_map(bundled::of_kind) {
        assert_eq!(check(wasm), Ok(()), "{name}");
    }
}

#[test]
fn types_in_types_are_bounded_whatever_their_depth() {
    for kind in [COMPONENT_TYPE, INSTANCE_TYPE] {
        assert_eq!(check(&nested(STAGE_NESTING_MAX, kind)), Ok(()));
        // The last is as large as a component may be: with recursion it would take gigabytes of stack.
        for deep in [STAGE_NESTING_MAX + 1, 5000, 20_000_000] {
            let refused = check(&nested(deep, kind)).unwrap_err();
            assert_eq!(refused, "it declares types inside of types 25 deep or more; 24 are possible");
        }
    }
}

#[test]
fn declarations_of_each_kind_are_read_on_to_the_next() {
    let mut inner = TypeOfComponent::new();
    inner.ty().function().params([("a", PrimitiveValType::U8)]).result(None);
    inner.core_type().core().function([ValType::I32], []);
    inner.import("f", wasm_encoder::ComponentTypeRef::Func(0));
    inner.export("g", wasm_encoder::ComponentTypeRef::Func(0));
    inner.alias(wasm_encoder::Alias::Outer { kind: wasm_encoder::ComponentOuterAliasKind::Type, count: 1, index: 0 });
    inner.ty().defined_type().list(ComponentValType::Primitive(PrimitiveValType::U8));
    let mut types = ComponentTypeSection::new();
    types.defined_type().primitive(PrimitiveValType::Bool);
    types.component(&inner);
    types.defined_type().option(ComponentValType::Type(0));
    let mut component = Component::new();
    component.section(&types);
    assert_eq!(check(&component.finish()), Ok(()));
}

#[test]
fn components_in_components_are_bounded() {
    let nest = |deep: usize| {
        (0..deep).fold(Component::new(), |inner, _| {
            let mut outer = Component::new();
            outer.section(&NestedComponentSection(&inner));
            outer
        })
    };
    assert_eq!(check(&nest(STAGE_NESTING_MAX).finish()), Ok(()));
    let refused = check(&nest(STAGE_NESTING_MAX + 1).finish()).unwrap_err();
    assert_eq!(refused, "it nests components 25 deep or more; 24 are possible");
    let mut many = ComponentBuilder::default();
    for _ in 0..=STAGE_PARTS_MAX {
        many.component_raw(None, &Component::new().finish());
    }
    assert!(check(&many.finish()).unwrap_err().starts_with("it has 1001 modules and components or more"));
}

#[test]
fn functions_their_code_and_their_locals_are_bounded() {
    let (functions, locals) = (u32::try_from(STAGE_FUNCTIONS_MAX).unwrap(), u32::try_from(STAGE_LOCALS_MAX).unwrap());
    let code = usize::try_from(STAGE_FUNCTION_BYTES_MAX).unwrap();
    assert_eq!(check(&module(2, locals, 1000).finish()), Ok(()));
    let wrong = [
        (module(functions + 1, 0, 0), "it has 200001 functions or more; 200000 are possible"),
        (module(1, locals + 1, 0), "it has a function with 10001 locals or more; 10000 are possible"),
        (module(1, u32::MAX, 0), "it has a function with 4294967295 locals or more; 10000 are possible"),
        (module(1, 0, code), "it has a function of 1048580 bytes of code or more; 1048576 are possible"),
    ];
    for (component, refused) in wrong {
        assert_eq!(check(&component.finish()), Err(refused.to_owned()));
    }
    let parts = usize::try_from(STAGE_CODE_BYTES_MAX).unwrap() / (code / 2);
    let half = module(u32::try_from(parts).unwrap() + 1, 0, code / 2 - 10).finish();
    assert!(check(&half).unwrap_err().contains("bytes of code or more; 33554432 are possible"));
}

#[test]
fn what_cannot_be_read_is_refused_and_nothing_panics() {
    let (_, good) = bundled::default_of(crate::StageKind::Framing);
    // Where a section ends, what is there is whole.
    let cuts: Vec<usize> = (9..good.len()).step_by(good.len() / 200).collect();
    let refused = cuts.iter().filter(|cut| check(&good[..**cut]).is_err()).count();
    assert!(refused > cuts.len() * 9 / 10, "{refused} of {}", cuts.len());
    for at in (8..good.len()).step_by(good.len() / 500) {
        let mut changed = good.to_vec();
        changed[at] ^= 0xff;
        // Either is right; what matters is that it ends.
        let _ = check(&changed);
    }
    for end in [&[COMPONENT_TYPE][..], &[COMPONENT_TYPE, 200], &[COMPONENT_TYPE, 1, 9], &[COMPONENT_TYPE, 1, 1, 0x68]] {
        assert!(check(&of_type(end)).unwrap_err().starts_with("it cannot be read: "), "{end:?}");
    }
}
