//! Outboard takes a live HLS stream, sends its audio to an external processor, puts the returned audio back under the
//! untouched picture and publishes the stream, without ever going silent.
//!
//! The map, in the order of the data: [`pipeline`] is the spine (source, batch, demux, exchange, remux, air);
//! [`stage`] runs the WebAssembly components that decide; [`media`] knows containers and packets; [`store`] keeps what
//! must survive; [`net`] says what may be reached, [`redact`] what may be shown; [`preview`] shows what went on air; [`api`] is
//! what is served over HTTP. [`echo`] is the test processor.

pub mod address_space;
pub mod api;
pub mod asleep;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod control;
pub mod ffmpeg;
pub mod limits;
pub mod logs;
pub mod media;
pub mod metrics;
pub mod net;
pub mod process;
pub mod redact;
pub mod settings;
pub mod telemetry;
pub mod tls;
pub mod unix_time;
pub mod watchdog;

pub mod pipeline;

pub mod preview;

pub mod stage;

pub mod store;

pub mod demo;
pub mod echo;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
