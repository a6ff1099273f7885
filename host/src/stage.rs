//! WebAssembly stages: wasmtime lives only here.
