#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| outboard::fuzz::segments(data));
