//! Limits of components, of their calls, and of what they may decide.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Shortest batch length that can be set, seconds of media.
pub const BATCH_SECONDS_MIN: u32 = 2;
/// Longest batch length that can be set, seconds of media.
pub const BATCH_SECONDS_MAX: u32 = 120;
/// Default batch length, seconds of media.
pub const BATCH_SECONDS_DEFAULT: u32 = 30;
/// Largest component file, bytes: Python stages have 18 MB, JavaScript ones 12 MB.
pub const STAGE_COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// Most modules and components in one component.
pub const STAGE_PARTS_MAX: usize = 1_000;
/// Deepest nesting of components, and of type declarations, in a component. Interfaces need two or three.
pub const STAGE_NESTING_MAX: usize = 24;
/// Most types that a component declares, nested ones included. Python's stages have 4,000.
pub const STAGE_TYPES_MAX: u64 = 100_000;
/// Most functions in one component. Python's stages have 14,000, JavaScript's 16,000.
pub const STAGE_FUNCTIONS_MAX: u64 = 200_000;
/// Most locals of one function. Optimised code of large functions has some hundreds.
pub const STAGE_LOCALS_MAX: u64 = 10_000;
/// Most imports of a component and of everything in it. Python's stages have 4,000.
pub const STAGE_IMPORTS_MAX: u64 = 100_000;
/// Most exports of a component and of everything in it. Python's stages have 5,000.
pub const STAGE_EXPORTS_MAX: u64 = 100_000;
/// Largest code of one function, bytes. A compiler's time grows faster than the size of a function.
pub const STAGE_FUNCTION_BYTES_MAX: u64 = 1 << 20;
/// Largest code of all functions together, bytes. JavaScript's stages have 8 MB.
pub const STAGE_CODE_BYTES_MAX: u64 = 32 << 20;
/// Default processor time for compiling an untrusted component. In a build without optimisation Python's and JavaScript's stages
/// take 16 s.
pub const STAGE_COMPILE_CPU: Duration = Duration::from_secs(60);
/// Range of `limits.compile_seconds`, seconds.
pub const STAGE_COMPILE_SECONDS: std::ops::RangeInclusive<u64> = 1..=3_600;
/// Wall-clock time that a compilation may take in addition to its processor time: it has a low priority, and the machine may be busy.
pub const STAGE_COMPILE_GRACE: Duration = Duration::from_secs(180);
/// Default memory for compiling an untrusted component, bytes. Python's and JavaScript's stages take 340 MB.
pub const STAGE_COMPILE_BYTES: u64 = 2 << 30;
/// Range of `limits.compile_memory`, bytes.
pub const STAGE_COMPILE_BYTES_RANGE: std::ops::RangeInclusive<u64> = 128 << 20..=1 << 40;
/// Address space that a compilation may reserve in addition, bytes: four memories of 4 GiB with their guards.
pub const STAGE_COMPILE_RESERVED_BYTES: u64 = 64 << 30;
/// Size of the compiling thread's call stack, bytes.
pub const STAGE_COMPILE_STACK_BYTES: usize = 16 << 20;
/// Largest compiled code of one component, bytes. That of Python's stages has 60 MB.
pub const STAGE_COMPILED_BYTES_MAX: u64 = 256 << 20;
/// Longest line that the compiling process writes, bytes.
pub const STAGE_COMPILER_WORDS_BYTES: usize = 64 << 10;
/// Compilations of untrusted components at once.
pub const STAGE_COMPILES_AT_ONCE: usize = 2;
/// Most components of one tenant that wait to be compiled; more are refused.
pub const STAGE_COMPILES_WAITING_MAX: usize = 32;
/// Most quarantined components; the oldest are removed first.
pub const STAGE_QUARANTINED_MAX: usize = 256;
/// Default for the most stage instances in one host: enough for about 80 pipelines.
pub const STAGE_INSTANCES_DEFAULT: u32 = 256;
/// Largest memory limit of an instance that can be set, bytes.
pub const STAGE_MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Default memory limit of an instance, bytes: two minutes of WAV audio as input, output and working copy.
pub const STAGE_MEMORY_BYTES_DEFAULT: u64 = 128 << 20;
/// Default processor time of one call. A call takes microseconds, in Python milliseconds.
pub const STAGE_CALL_CPU_DEFAULT: Duration = Duration::from_millis(500);
/// Default wall-clock time of one call.
pub const STAGE_CALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// Default time to start an instance, and to open it: includes the start of the language's runtime.
pub const STAGE_OPEN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Default for the largest snapshot, bytes.
pub const STAGE_SNAPSHOT_BYTES_DEFAULT: u64 = 64 << 10;
/// How long a guest runs before other tasks may run. A call in a compiled language takes a thousandth of it, one in Python about
/// one tick.
pub const STAGE_EPOCH_TICK: Duration = Duration::from_millis(2);
/// Slow calls (longer than a tick) that may run at once, per core. Others wait, so that many slow calls do not delay the quick
/// ones.
pub const STAGE_SLOW_CALLS_A_CORE: usize = 1;
/// Most data that a guest may pass to the host in one call, bytes: the largest message, and some more.
pub const STAGE_ANSWER_BYTES_MAX: u64 = 72 << 20;
/// Most WASI resources (streams, timers) that an instance may hold at once.
pub const STAGE_HANDLES_MAX: usize = 256;
/// Most problems with settings that are kept of an answer.
pub const STAGE_PROBLEMS_MAX: usize = 64;
/// Size of a guest's call stack, bytes.
pub const STAGE_STACK_BYTES: usize = 1 << 20;
/// Most core instances in one component: languages with dynamic libraries have dozens.
pub const STAGE_CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Most linear memories in one component.
pub const STAGE_MEMORIES_PER_COMPONENT: u32 = 4;
/// Most tables in one component.
pub const STAGE_TABLES_PER_COMPONENT: u32 = 16;
/// Most elements in one table.
pub const STAGE_TABLE_ELEMENTS: usize = 20_000;
/// Longest line of a guest's output, bytes; the rest of a line is dropped.
pub const STAGE_LOG_LINE_BYTES: usize = 1024;
/// Lines per minute that one instance may write to the log; further ones are only counted.
pub const STAGE_LOG_LINES_PER_MINUTE: u32 = 60;
/// Largest cache of compiled components on disk, bytes; the least recently written entries are removed first.
pub const STAGE_AOT_BYTES_MAX: u64 = 1 << 30;
/// Waits before a stage that keeps failing is restarted, from its second failure on: 1 s doubling to 60 s. An instance that
/// ran for 120 s resets the count.
pub const STAGE_RESTART_BACKOFF: Schedule =
    Schedule::doubling(Duration::from_secs(1), Duration::from_secs(60)).healthy_after(Duration::from_secs(120));
/// Most calls of a stage that are kept for rehearsals and evidence.
pub const STAGE_RECORDED_CALLS: usize = 64;
/// Largest size of their inputs together, bytes: a batch's audio in both directions, and some more.
pub const STAGE_RECORDED_BYTES: usize = 4 << 20;
/// How long a rehearsal may take; calls that are left then are skipped.
pub const STAGE_REHEARSAL_LIMIT: Duration = Duration::from_secs(10);
/// Most segments that a batch may have, whatever their durations.
pub const BATCH_SEGMENTS_MAX: usize = 512;
/// Most fragments in flight that are remembered for each version of a framing stage.
pub const FRAMING_IN_FLIGHT_KEPT: usize = 64;
/// How long a version of a framing stage is kept after one with another dialect took over, to decode the replies to its fragments.
/// Longer than any reply is waited for.
pub const FRAMING_PREDECESSOR_KEPT: Duration = Duration::from_secs(300);
/// Longest name of a Socket.IO event, bytes.
pub const FRAMING_EVENT_NAME_BYTES_MAX: usize = 128;
/// Most messages that one call of a framing stage may send.
pub const FRAMING_MESSAGES_MAX: usize = 16;
/// Most events that one message may decode to.
pub const FRAMING_EVENTS_MAX: usize = 64;
/// Largest message, arguments and attachments together, bytes.
pub const FRAMING_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Largest metadata of a reply, bytes of JSON text.
pub const FRAMING_METADATA_BYTES_MAX: usize = 256 << 10;
/// Longest identifier in an event, bytes.
pub const FRAMING_ID_BYTES_MAX: usize = 512;
/// Longest wait between fragments that a processor may ask for, milliseconds.
pub const FRAMING_SLOW_DOWN_MS_MAX: u32 = 60_000;
/// Longest note or reason from a stage that is kept, characters.
pub const STAGE_TEXT_CHARS_MAX: usize = 500;
/// Bit rates that a plan may ask for, bits per second.
pub const REMUX_BITRATES: std::ops::RangeInclusive<u32> = 16_000..=512_000;
