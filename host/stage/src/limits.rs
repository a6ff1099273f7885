//! Bounds of components, of their calls and of what they may decide.

use std::time::Duration;

use outboard_base::backoff::Schedule;

/// Shortest batch that can be set.
pub const BATCH_SECONDS_MIN: u32 = 2;
/// Longest batch that can be set.
pub const BATCH_SECONDS_MAX: u32 = 120;
/// Batch length unless set.
pub const BATCH_SECONDS_DEFAULT: u32 = 30;
/// Largest component file: Python stages have 18 MB, JavaScript ones 12 MB.
pub const STAGE_COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// Modules and components in one component.
pub const STAGE_PARTS_MAX: usize = 1_000;
/// Components in components in a component's file, and declared types in types: interfaces need two or three.
pub const STAGE_NESTING_MAX: usize = 24;
/// Types that a component declares, those inside of others included. Python's stages have 4,000.
pub const STAGE_TYPES_MAX: u64 = 100_000;
/// Functions in one component. Python's stages have 14,000, JavaScript's 16,000.
pub const STAGE_FUNCTIONS_MAX: u64 = 200_000;
/// Locals of one function: optimised code of large ones has some hundreds.
pub const STAGE_LOCALS_MAX: u64 = 10_000;
/// Imports of a component and of everything in it. Python's stages have 4,000.
pub const STAGE_IMPORTS_MAX: u64 = 100_000;
/// Exports of a component and of everything in it. Python's stages have 5,000.
pub const STAGE_EXPORTS_MAX: u64 = 100_000;
/// Code of one function, bytes: a compiler's time grows faster than that.
pub const STAGE_FUNCTION_BYTES_MAX: u64 = 1 << 20;
/// Code of all functions, bytes. JavaScript's stages have 8 MB.
pub const STAGE_CODE_BYTES_MAX: u64 = 32 << 20;
/// Time of execution that a stranger's component may take to be compiled, unless set. In a build without optimisation Python's and
/// JavaScript's stages take 16 s.
pub const STAGE_COMPILE_CPU: Duration = Duration::from_secs(60);
/// Least and most that can be set, seconds.
pub const STAGE_COMPILE_SECONDS: std::ops::RangeInclusive<u64> = 1..=3_600;
/// So much longer a compilation may take from start to end: what runs live goes before, and a busy machine is not the file's fault.
pub const STAGE_COMPILE_GRACE: Duration = Duration::from_secs(180);
/// Memory that may be taken to compile a stranger's component, bytes, unless set. Python's and JavaScript's stages take 340 MB.
pub const STAGE_COMPILE_BYTES: u64 = 2 << 30;
/// Least and most that can be set, bytes.
pub const STAGE_COMPILE_BYTES_RANGE: std::ops::RangeInclusive<u64> = 128 << 20..=1 << 40;
/// Address space for what is only reserved meanwhile, bytes: four memories of 4 GiB with what guards them.
pub const STAGE_COMPILE_RESERVED_BYTES: u64 = 64 << 30;
/// Call stack of the thread that compiles, bytes.
pub const STAGE_COMPILE_STACK_BYTES: usize = 16 << 20;
/// Compiled code of one component, bytes. That of Python's stages has 60 MB.
pub const STAGE_COMPILED_BYTES_MAX: u64 = 256 << 20;
/// Bytes of what a compiler says of a component besides its code.
pub const STAGE_COMPILER_WORDS_BYTES: usize = 64 << 10;
/// Compilations of strangers' components at once.
pub const STAGE_COMPILES_AT_ONCE: usize = 2;
/// Components of one tenant that wait to be compiled; more are refused.
pub const STAGE_COMPILES_WAITING_MAX: usize = 32;
/// Components that are remembered because their compilation was ended.
pub const STAGE_QUARANTINED_MAX: usize = 256;
/// Stage instances in one host unless set: about 80 pipelines.
pub const STAGE_INSTANCES_DEFAULT: u32 = 256;
/// Most memory that one instance can be given.
pub const STAGE_MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Memory of one instance unless set: two minutes of WAV audio, in, out and in between.
pub const STAGE_MEMORY_BYTES_DEFAULT: u64 = 128 << 20;
/// Time of execution in one call unless set. A call takes microseconds, milliseconds in Python.
pub const STAGE_CALL_CPU_DEFAULT: Duration = Duration::from_millis(500);
/// Time from start to end of one call unless set.
pub const STAGE_CALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);
/// Time to start an instance and open it unless set: a language's runtime may start up in it.
pub const STAGE_OPEN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Size of a snapshot unless set.
pub const STAGE_SNAPSHOT_BYTES_DEFAULT: u64 = 64 << 10;
/// How long a guest runs before others get their turn. A call of a compiled language takes a thousandth of it, one of Python
/// about one.
pub const STAGE_EPOCH_TICK: Duration = Duration::from_millis(2);
/// Calls that have run for longer than a tick and may go on at the same time, for each core; the others wait their turn, so that
/// many of them do not hold up those that are quick.
pub const STAGE_SLOW_CALLS_A_CORE: usize = 1;
/// Data that a guest may hand to the host in one call, bytes: the largest message, and room for what is around it.
pub const STAGE_ANSWER_BYTES_MAX: u64 = 72 << 20;
/// WASI resources (streams, timers) that an instance may hold at once.
pub const STAGE_HANDLES_MAX: usize = 256;
/// Problems with settings that are kept of an answer.
pub const STAGE_PROBLEMS_MAX: usize = 64;
/// Call stack of a guest, bytes.
pub const STAGE_STACK_BYTES: usize = 1 << 20;
/// Core instances in one component: languages with dynamic libraries have dozens.
pub const STAGE_CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Linear memories in one component.
pub const STAGE_MEMORIES_PER_COMPONENT: u32 = 4;
/// Tables in one component.
pub const STAGE_TABLES_PER_COMPONENT: u32 = 16;
/// Elements in one table.
pub const STAGE_TABLE_ELEMENTS: usize = 20_000;
/// Longest line of a guest's output that is kept.
pub const STAGE_LOG_LINE_BYTES: usize = 1024;
/// Lines that one instance may write to the log in a minute; the rest is counted.
pub const STAGE_LOG_LINES_PER_MINUTE: u32 = 60;
/// Size of the cache of compiled components on disk; the least recently written go first.
pub const STAGE_AOT_BYTES_MAX: u64 = 1 << 30;
/// Waits before a stage that keeps failing is restarted, from its second failure on: 1 s doubling to 60 s. An instance that
/// ran for 120 s resets the count.
pub const STAGE_RESTART_BACKOFF: Schedule =
    Schedule::doubling(Duration::from_secs(1), Duration::from_secs(60)).healthy_after(Duration::from_secs(120));
/// Calls of a stage that are kept to rehearse on.
pub const STAGE_RECORDED_CALLS: usize = 64;
/// Their inputs together, bytes: a batch's audio out and back, and room for what is around it.
pub const STAGE_RECORDED_BYTES: usize = 4 << 20;
/// How long a rehearsal may take; what was not rehearsed by then is not.
pub const STAGE_REHEARSAL_LIMIT: Duration = Duration::from_secs(10);
/// Most segments that a batch may have, whatever their durations.
pub const BATCH_SEGMENTS_MAX: usize = 512;
/// Fragments without a reply that a version of a framing stage is remembered for.
pub const FRAMING_IN_FLIGHT_KEPT: usize = 64;
/// How long a version of a framing stage is kept after another dialect took over, for the replies to what it sent: longer than a
/// reply can be waited for.
pub const FRAMING_PREDECESSOR_KEPT: Duration = Duration::from_secs(300);
/// Longest name of a Socket.IO event, bytes.
pub const FRAMING_EVENT_NAME_BYTES_MAX: usize = 128;
/// Most messages that one call of a framing stage may send.
pub const FRAMING_MESSAGES_MAX: usize = 16;
/// Most events that one message may decode to.
pub const FRAMING_EVENTS_MAX: usize = 64;
/// Largest message, arguments and attachments together.
pub const FRAMING_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Largest metadata of a reply, as JSON text.
pub const FRAMING_METADATA_BYTES_MAX: usize = 256 << 10;
/// Longest identifier in an event, bytes.
pub const FRAMING_ID_BYTES_MAX: usize = 512;
/// Longest wait that a processor may ask for between fragments.
pub const FRAMING_SLOW_DOWN_MS_MAX: u32 = 60_000;
/// Longest text of a stage's that is kept: notes and reasons, characters.
pub const STAGE_TEXT_CHARS_MAX: usize = 500;
/// Bit rates that a plan may ask for, bits per second.
pub const REMUX_BITRATES: std::ops::RangeInclusive<u32> = 16_000..=512_000;
