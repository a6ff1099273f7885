//! Limits of HTTP and GraphQL.

use std::time::Duration;

use outboard_control::limits::{
    DRY_RUN_DESTINATION_LIMIT, DRY_RUN_MEDIA_LIMIT_MAX, DRY_RUN_PLAYLIST_LIMIT, DRY_RUN_PROCESSOR_LIMIT,
    DRY_RUN_READY_WAIT, DRY_RUN_STAGE_LIMIT,
};

// === HTTP ===

/// Largest request body in bytes, unless a route has its own limit.
pub const API_BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body of a REST request in bytes.
pub const REST_BODY_BYTES_MAX: usize = 64 << 10;
/// Limit from the head of a REST request to the end of its body.
pub const REST_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// A response that has not begun after this time is abandoned.
pub const API_ANSWER_MAX: Duration = Duration::from_secs(90);
/// Delay before the next accept after an accept failed.
pub const API_ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A connection that has not sent a complete request head after this time is closed.
pub const API_HEAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Largest request line with all headers, in bytes; also the size of a connection's read and write buffers.
pub const API_HEAD_BYTES_MAX: usize = 32 << 10;
/// A client that reads nothing for this long is disconnected.
pub const API_WRITE_STALL_MAX: Duration = Duration::from_secs(20);
/// The operating system closes a connection whose data was not acknowledged for this long.
pub const API_UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(40);
/// Send buffer of a connection in bytes; Linux allocates twice that.
pub const API_SEND_BUFFER_BYTES: usize = 64 << 10;
/// Minimum number of threads that answer requests.
pub const API_THREADS_MIN: usize = 2;
/// Maximum number of threads that answer requests; at most one per core.
pub const API_THREADS_MAX: usize = 8;
/// Maximum number of threads for blocking work, such as files.
pub const API_BLOCKING_THREADS_MAX: usize = 64;
/// Nice value of the threads that answer requests, so that media threads are preferred.
pub const API_NICE: i32 = 5;
/// Stack of a thread that answers requests, in bytes: a deep query needs more than tokio's default in an unoptimised
/// build.
pub const API_STACK_BYTES: usize = 8 << 20;
/// Processor time that one tenant's requests may use beyond its share.
pub const API_BUSY_BURST: Duration = Duration::from_secs(20);
/// Sustained share of one processor for a tenant's requests, in per cent.
pub const API_BUSY_PERCENT: u32 = 50;
/// A response is passed to its connection in pieces of this many bytes, to measure how much the client has read.
pub const API_PIECE_BYTES: usize = 64 << 10;
/// Maximum bytes of one tenant's responses that clients have not read yet.
pub const API_WAITING_BYTES_OF_TENANT_MAX: usize = 64 << 20;
/// Maximum bytes of all tenants' responses that clients have not read yet.
pub const API_WAITING_BYTES_MAX: usize = 256 << 20;
/// Time for requests in progress to finish when the server stops.
pub const API_CLOSE_MAX: Duration = Duration::from_secs(5);
/// Time for which a browser may cache a CORS preflight response.
pub const API_PREFLIGHT_KEPT: Duration = Duration::from_secs(600);
/// Failed sign-ins that are answered at once; after that one per [`SIGN_IN_AGAIN`]. Valid tokens are always accepted.
pub const SIGN_IN_FAILURES: u32 = 20;
/// Interval after which one more failed sign-in is answered.
pub const SIGN_IN_AGAIN: Duration = Duration::from_secs(3);
/// Minimum interval between health checks, however many clients ask.
pub const HEALTH_CHECK_EVERY: Duration = Duration::from_secs(1);
/// A database that does not answer within this time is reported as broken.
pub const HEALTH_CHECK_MAX: Duration = Duration::from_secs(3);
/// Default number of finished batches of each pipeline that a manual clean keeps.
pub const REST_CLEAN_KEEPS: u32 = 5;
/// Names and reasons listed in one REST response.
pub const REST_NAMES_SHOWN: usize = 20;

// === GraphQL ===

/// Largest body of a request, in bytes.
pub const GRAPHQL_BODY_BYTES_MAX: usize = 256 << 10;
/// Largest query of a request, in bytes; the rest of its body is for variables.
pub const GRAPHQL_QUERY_BYTES_MAX: usize = 64 << 10;
/// Maximum number of tokens in a query: names, numbers, strings and punctuators. The parser uses memory and time for
/// each.
pub const GRAPHQL_TOKENS_MAX: usize = 8_000;
/// Maximum number of values in a request's JSON, including variables.
pub const GRAPHQL_VALUES_MAX: usize = 20_000;
/// Maximum nesting depth of a request's JSON.
pub const GRAPHQL_VALUES_DEPTH_MAX: usize = 64;
/// Largest response in bytes.
pub const GRAPHQL_ANSWER_BYTES_MAX: usize = 16 << 20;
/// Largest `map` of an upload request, in bytes.
pub const GRAPHQL_MAP_BYTES_MAX: usize = 1 << 10;
/// Largest headers of one part of an upload request, in bytes.
pub const GRAPHQL_PART_HEAD_BYTES_MAX: usize = 4 << 10;
/// Characters of an uploaded file's name that are kept.
pub const GRAPHQL_FILE_NAME_CHARS_MAX: usize = 255;
/// Concurrent upload requests of one tenant.
pub const GRAPHQL_UPLOADS_MAX: usize = 2;
/// Concurrent upload requests of all tenants.
pub const GRAPHQL_UPLOADS_IN_ALL_MAX: usize = 8;
/// Limit from the head of an upload request to the end of its body.
pub const GRAPHQL_UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// Limit from any other request's head to the end of its body.
pub const GRAPHQL_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Limit for a query or mutation. Longer than a dry run, which fetches, connects and may compile a stage; shorter than
/// [`API_ANSWER_MAX`], so that the client receives a GraphQL error.
pub const GRAPHQL_ANSWER_TIMEOUT: Duration = Duration::from_secs(80);
/// Maximum nesting of brackets in a query, including those of values. The parser uses stack for each.
pub const GRAPHQL_BRACKETS_MAX: usize = 48;
/// Maximum number of operations in one request, of which one is executed.
pub const GRAPHQL_OPERATIONS_MAX: usize = 10;
/// Maximum number of root fields of an operation.
pub const GRAPHQL_ROOT_FIELDS_MAX: usize = 24;
/// Maximum number of fields and spreads; those of a fragment count each time it is spread.
pub const GRAPHQL_SELECTIONS_MAX: usize = 1000;
/// Maximum depth of fields: introspection needs 15.
pub const GRAPHQL_DEPTH_MAX: usize = 16;
/// Maximum depth of fields and fragments together.
pub const GRAPHQL_NESTING_MAX: usize = 28;
/// Maximum number of aliased fields.
pub const GRAPHQL_ALIASES_MAX: usize = 48;
/// Maximum number of directives in one place.
pub const GRAPHQL_DIRECTIVES_MAX: usize = 8;
/// Maximum nesting of lists (types, fields and so on) in introspection: each level multiplies the response.
pub const GRAPHQL_INTROSPECTION_LISTS_MAX: usize = 2;
/// Maximum number of values that a response may have, estimated from the requested or usual sizes of lists.
pub const GRAPHQL_COMPLEXITY_MAX: usize = 20_000;
/// Assumed number of items in a list without pages.
pub const GRAPHQL_LIST_COST: usize = 20;
/// Default number of items in a page.
pub const GRAPHQL_PAGE_DEFAULT: usize = 20;
/// Maximum number of items in a page.
pub const GRAPHQL_PAGE_MAX: usize = 200;
/// Concurrent queries and mutations of one tenant.
pub const GRAPHQL_ANSWERS_MAX: usize = 64;
/// Concurrent queries and mutations of all tenants.
pub const GRAPHQL_ANSWERS_IN_ALL_MAX: usize = 512;
/// Concurrent subscriptions of one tenant, over all its connections.
pub const GRAPHQL_SUBSCRIPTIONS_MAX: usize = 2000;
/// Concurrent WebSocket connections of one tenant.
pub const GRAPHQL_SOCKETS_MAX: usize = 2000;
/// WebSocket connections that have not authenticated yet; one more closes the oldest of the address that has most.
pub const GRAPHQL_UNAUTHENTICATED_SOCKETS_MAX: usize = 256;
/// Concurrent operations of one WebSocket connection.
pub const GRAPHQL_SOCKET_OPERATIONS_MAX: usize = 128;
/// Longest operation id that a client may choose, in bytes.
pub const GRAPHQL_OPERATION_ID_BYTES_MAX: usize = 128;
/// Largest WebSocket message of a client, in bytes. There may be thousands of connections, each with an incomplete
/// message; larger requests must use POST.
pub const GRAPHQL_MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Read buffer of a WebSocket connection in bytes, allocated as long as the connection lasts.
pub const GRAPHQL_SOCKET_READ_BYTES: usize = 4 << 10;
/// Maximum bytes queued for a WebSocket connection, besides the message that is being written.
pub const GRAPHQL_SOCKET_WRITE_BYTES_MAX: usize = 16 << 20;
/// Time for a client to authenticate after its WebSocket is open.
pub const GRAPHQL_INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a client to read a message; after that the connection is closed.
pub const GRAPHQL_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Interval of pings on a connection without other messages; a client that does not answer within it is disconnected.
pub const GRAPHQL_PING_EVERY: Duration = Duration::from_secs(15);
/// Maximum log lines in one message of a subscription.
pub const GRAPHQL_LOG_LINES_AT_ONCE: usize = 200;
/// Minimum interval between two messages of a log subscription.
pub const GRAPHQL_LOG_UPDATE_EVERY: Duration = Duration::from_millis(200);
/// Default interval between two storage readings, in seconds.
pub const GRAPHQL_STORAGE_EVERY_SECONDS: u32 = 10;
/// Default interval between two server readings, in seconds.
pub const GRAPHQL_SERVER_EVERY_SECONDS: u32 = 5;
/// Longest interval between two readings that a client may request, in seconds.
pub const GRAPHQL_EVERY_SECONDS_MAX: u32 = 3600;

// === metrics ===

/// Longest value of a label in bytes; a longer one is truncated.
pub const METRICS_LABEL_BYTES_MAX: usize = 256;

// === dry runs, whose limits must end before an answer must be there ===

/// A dry run must end with its own result: none of its concurrent parts may take as long as the API waits.
const _: () = {
    let source = DRY_RUN_PLAYLIST_LIMIT.as_secs() + DRY_RUN_MEDIA_LIMIT_MAX.as_secs();
    let processor = DRY_RUN_STAGE_LIMIT.as_secs() + DRY_RUN_PROCESSOR_LIMIT.as_secs() + DRY_RUN_READY_WAIT.as_secs();
    let answer = GRAPHQL_ANSWER_TIMEOUT.as_secs();
    assert!(source < answer && processor < answer && DRY_RUN_DESTINATION_LIMIT.as_secs() < answer);
    assert!(answer < API_ANSWER_MAX.as_secs());
};
