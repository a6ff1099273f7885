//! Components that crash or block the compiler.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use wasm_encoder::{
    BlockType, CodeSection, Component, Function, FunctionSection, Instruction, Module, ModuleSection, TypeSection,
    ValType,
};

/// 9 kB of nested component types: a recursive parser overflows its stack.
pub fn nested_types() -> Vec<u8> {
    const DEEP: usize = 3000;
    let mut section = vec![1];
    section.extend([0x41, 1, 1].repeat(DEEP));
    section.push(0x7f);
    let mut wasm = b"\0asm\x0d\0\x01\0\x07".to_vec();
    let size = section.len();
    wasm.extend([u8::try_from(size & 0x7f).unwrap() | 0x80, u8::try_from(size >> 7).unwrap()]);
    wasm.extend(section);
    wasm
}

/// Functions with many nested loops, each of which carries all locals.
fn bomb(functions: u32, loops: u32, locals: u32) -> Vec<u8> {
    let (mut types, mut list, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for _ in 0..functions {
        list.function(0);
        let mut function = Function::new([(locals, ValType::I32)]);
        for _ in 0..loops {
            function.instruction(&Instruction::Loop(BlockType::Empty));
        }
        for local in 0..locals {
            let set = [Instruction::LocalGet(local), Instruction::I32Const(1), Instruction::I32Add];
            set.iter().for_each(|instruction| {
                function.instruction(instruction);
            });
            function.instruction(&Instruction::LocalSet(local));
        }
        for _ in 0..loops {
            function.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::BrIf(0));
            function.instruction(&Instruction::End);
        }
        function.instruction(&Instruction::End);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&list).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}

/// Takes minutes and little memory; 1 MB.
pub fn slow() -> Vec<u8> {
    bomb(500, 100, 200)
}

/// Takes gigabytes; 50 kB.
pub fn large() -> Vec<u8> {
    bomb(1, 400, 5000)
}
