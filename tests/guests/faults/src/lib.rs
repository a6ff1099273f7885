//! Faults on order: a guest's settings define what fails, in which call, and when.
//!
//! Settings, all optional: `{"fault": …, "call": "push", "on": 3, "fresh_only": true, "restored_only": true, "ms": 100,
//! "lie": "…"}`.
//! `on` counts the calls of that name in this instance from 1; absent: every call. `fresh_only`: never in an instance
//! that was opened with a state, and therefore not after a restart.

use serde::Deserialize;
use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

/// The fault to produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Panics.
    Trap,
    /// Never returns.
    Spin,
    /// Allocates memory until there is none.
    Hoard,
    /// Sleeps for `ms` milliseconds.
    Sleep,
    /// Computes for about `ms` million rounds.
    Work,
    /// Recurses without end.
    Stack,
    /// Exits the process.
    Exit,
    /// Returns an error value.
    Error,
    /// Returns an invalid answer; `lie` selects which.
    Lie,
    /// Returns what it sees of the host's environment, as an error value.
    Look,
    /// Writes `ms` lines to stdout and to stderr.
    Chatter,
    /// Refuses any state.
    RefuseState,
    /// Makes snapshots of `ms` KiB.
    HugeSnapshot,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Orders {
    fault: Option<Fault>,
    call: Option<String>,
    on: Option<u64>,
    fresh_only: bool,
    restored_only: bool,
    ms: u64,
    lie: String,
}

#[derive(Debug, Default)]
struct State {
    orders: Orders,
    fresh: bool,
    /// Calls of the ordered name so far.
    calls: u64,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// What a call must do.
#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    /// Continue without a fault.
    Well,
    /// Return this as an error value.
    Error(String),
    /// Return this invalid answer.
    Lie(String),
}

/// Parses the orders; must be called in `open`.
pub fn open(settings: &str, state: Option<&[u8]>) -> Result<(), String> {
    let orders = if settings.is_empty() {
        Orders::default()
    } else {
        serde_json::from_str(settings).map_err(|error| error.to_string())?
    };
    STATE.with_borrow_mut(|own| *own = State { orders, fresh: state.is_none(), calls: 0 });
    match strike("open") {
        Act::Well => {}
        Act::Error(text) | Act::Lie(text) => return Err(text),
    }
    let refuses = STATE.with_borrow(|own| own.orders.fault == Some(Fault::RefuseState));
    if refuses && state.is_some() { Err("refused".to_owned()) } else { Ok(()) }
}

/// A snapshot of the ordered size.
pub fn snapshot() -> Vec<u8> {
    let _ = strike("snapshot");
    STATE.with_borrow(|own| {
        let kib = if own.orders.fault == Some(Fault::HugeSnapshot) { own.orders.ms } else { 0 };
        vec![b's'; 1 + usize::try_from(kib).unwrap_or(0) * 1024]
    })
}

/// Applies the fault that is ordered for this call.
pub fn strike(call: &str) -> Act {
    let ordered = STATE.with_borrow_mut(|own| {
        let orders = &own.orders;
        if orders.call.as_deref() != Some(call)
            || (orders.fresh_only && !own.fresh)
            || (orders.restored_only && own.fresh)
        {
            return None;
        }
        own.calls += 1;
        if orders.on.is_some_and(|on| on != own.calls) {
            None
        } else {
            Some((orders.fault?, orders.ms, orders.lie.clone()))
        }
    });
    let Some((fault, ms, lie)) = ordered else { return Act::Well };
    match fault {
        Fault::Trap => panic!("told to trap in {call}"),
        Fault::Spin => loop {
            std::hint::black_box(());
        },
        Fault::Hoard => hoard(),
        Fault::Sleep => std::thread::sleep(Duration::from_millis(ms)),
        Fault::Work => work(ms),
        Fault::Stack => {
            std::hint::black_box(deeper(0));
        }
        Fault::Exit => std::process::exit(3),
        Fault::Error => return Act::Error("told to fail".to_owned()),
        Fault::Lie => return Act::Lie(lie),
        Fault::Look => return Act::Error(look()),
        Fault::Chatter => {
            for n in 0..ms {
                println!("out {n}");
                eprintln!("err {n}");
            }
        }
        Fault::RefuseState | Fault::HugeSnapshot => {}
    }
    Act::Well
}

fn hoard() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

fn work(million: u64) {
    for n in 0..million * 1_000_000 {
        std::hint::black_box(n);
    }
}

#[expect(unconditional_recursion, reason = "that is the fault")]
fn deeper(n: u64) -> u64 {
    std::hint::black_box(deeper(std::hint::black_box(n + 1))) + 1
}

/// What a guest can find out about its environment.
fn look() -> String {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(5));
    let elapsed = start.elapsed().as_nanos();
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let random = {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(1)
    };
    format!(
        "unix={unix} elapsed={elapsed} random={random:x} env={} args={} root={} write={}",
        std::env::vars().count(),
        std::env::args().count(),
        std::fs::read_dir("/").is_ok(),
        std::fs::write("x", "x").is_ok(),
    )
}
