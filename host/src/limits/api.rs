//! HTTP and GraphQL.

use std::time::Duration;

// === HTTP ===

/// Largest body of a request unless an address says otherwise, bytes.
pub const API_BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body of a REST call, bytes.
pub const REST_BODY_BYTES_MAX: usize = 64 << 10;
/// From a REST call's head to the end of its body.
pub const REST_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// A response begins within this time or is given up.
pub const API_ANSWER_MAX: Duration = Duration::from_secs(90);
/// Connections at a time; further ones wait in the system's queue.
pub const API_CONNECTIONS_MAX: usize = 8192;
/// Wait before the next connection is taken, after one could not be.
pub const API_ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A connection without a whole request head for so long is closed.
pub const API_HEAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Largest request line with all headers, bytes; a connection reads and writes in buffers of at most this size.
pub const API_HEAD_BYTES_MAX: usize = 32 << 10;
/// Connections of one address at a time (`server.connections_per_peer`), unless it is a trusted proxy's.
pub const API_CONNECTIONS_OF_PEER: usize = 512;
/// A client that takes nothing of what is sent to it for so long is disconnected.
pub const API_WRITE_STALL_MAX: Duration = Duration::from_secs(20);
/// The system ends a connection whose data was not acknowledged for so long.
pub const API_UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(40);
/// Bytes that the system keeps of what a client has not taken yet; Linux takes twice that.
pub const API_SEND_BUFFER_BYTES: usize = 64 << 10;
/// Threads that answer requests, at least; no more than the machine has cores otherwise.
pub const API_THREADS_MIN: usize = 2;
/// Threads that answer requests, at most.
pub const API_THREADS_MAX: usize = 8;
/// Threads for what answers wait for, such as files, at most.
pub const API_BLOCKING_THREADS_MAX: usize = 64;
/// How far threads that answer requests stand back behind those of media, as `nice` counts.
pub const API_NICE: i32 = 5;
/// Stack of a thread that answers requests, bytes: a deep query takes more than tokio's default in an unoptimised build.
pub const API_STACK_BYTES: usize = 8 << 20;
/// Time of a processor that the requests of one tenant may have taken beyond its share.
pub const API_BUSY_BURST: Duration = Duration::from_secs(20);
/// Share of one processor that a tenant's requests may take on and on, in hundredths.
pub const API_BUSY_PERCENT: u32 = 50;
/// An answer is handed to its connection in pieces of so many bytes, so that it is known what was taken.
pub const API_PIECE_BYTES: usize = 64 << 10;
/// Bytes of one tenant's answers that wait to be taken by their clients.
pub const API_WAITING_BYTES_OF_TENANT_MAX: usize = 64 << 20;
/// The same of all tenants together.
pub const API_WAITING_BYTES_MAX: usize = 256 << 20;
/// Requests that are under way when the server stops have so long to end.
pub const API_CLOSE_MAX: Duration = Duration::from_secs(5);
/// How long a browser may keep what another origin may do.
pub const API_PREFLIGHT_KEPT: Duration = Duration::from_secs(600);
/// Failed sign-ins that are answered as such at once; then only one each [`SIGN_IN_AGAIN`]. Right tokens always get in.
pub const SIGN_IN_FAILURES: u32 = 20;
/// One more failed sign-in is allowed after so long.
pub const SIGN_IN_AGAIN: Duration = Duration::from_secs(3);
/// Health is looked at at most this often, however many ask.
pub const HEALTH_CHECK_EVERY: Duration = Duration::from_secs(1);
/// A database that does not answer within this time is told to be broken.
pub const HEALTH_CHECK_MAX: Duration = Duration::from_secs(3);
/// Finished batches of each pipeline that cleaning by hand leaves, unless told otherwise.
pub const REST_CLEAN_KEEPS: u32 = 5;
/// Names and reasons that one REST answer lists.
pub const REST_NAMES_SHOWN: usize = 20;

// === GraphQL ===

/// Bytes of a request's body.
pub const GRAPHQL_BODY_BYTES_MAX: usize = 256 << 10;
/// Bytes of a request's query; the rest of its body is for variables.
pub const GRAPHQL_QUERY_BYTES_MAX: usize = 64 << 10;
/// Words, numbers, strings and signs in a request's query: the parser takes some memory and time for each.
pub const GRAPHQL_TOKENS_MAX: usize = 8_000;
/// Values in a request's JSON, variables included.
pub const GRAPHQL_VALUES_MAX: usize = 20_000;
/// Lists and objects in each other in a request's JSON.
pub const GRAPHQL_VALUES_DEPTH_MAX: usize = 64;
/// Bytes of an answer.
pub const GRAPHQL_ANSWER_BYTES_MAX: usize = 16 << 20;
/// Bytes of the `map` of a request with a file.
pub const GRAPHQL_MAP_BYTES_MAX: usize = 1 << 10;
/// Bytes of the headers of one part of a request with a file.
pub const GRAPHQL_PART_HEAD_BYTES_MAX: usize = 4 << 10;
/// Characters of an uploaded file's name that are kept.
pub const GRAPHQL_FILE_NAME_CHARS_MAX: usize = 255;
/// Requests with a file of one tenant at once.
pub const GRAPHQL_UPLOADS_MAX: usize = 2;
/// Requests with a file of all tenants at once.
pub const GRAPHQL_UPLOADS_IN_ALL_MAX: usize = 8;
/// From the head of a request with a file to the end of its body.
pub const GRAPHQL_UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// From any other request's head to the end of its body.
pub const GRAPHQL_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// For a query or mutation to be answered: longer than a dry run, which fetches, connects and may compile a stage, and
/// shorter than [`API_ANSWER_MAX`], so that it ends in an answer of GraphQL's.
pub const GRAPHQL_ANSWER_TIMEOUT: Duration = Duration::from_secs(80);
/// Brackets in brackets in a request's text, those of values included. The parser takes some stack for each.
pub const GRAPHQL_BRACKETS_MAX: usize = 48;
/// Operations in one request, of which one is run.
pub const GRAPHQL_OPERATIONS_MAX: usize = 10;
/// Fields at the root of an operation.
pub const GRAPHQL_ROOT_FIELDS_MAX: usize = 24;
/// Fields and spreads, those of fragments counted each time that they are spread.
pub const GRAPHQL_SELECTIONS_MAX: usize = 1000;
/// Fields below each other: introspection takes 15.
pub const GRAPHQL_DEPTH_MAX: usize = 16;
/// Fields and fragments below each other.
pub const GRAPHQL_NESTING_MAX: usize = 28;
/// Fields that are given another name.
pub const GRAPHQL_ALIASES_MAX: usize = 48;
/// Directives in one place.
pub const GRAPHQL_DIRECTIVES_MAX: usize = 8;
/// Lists of types, fields and the like below each other in introspection: each multiplies the answer.
pub const GRAPHQL_INTROSPECTION_LISTS_MAX: usize = 2;
/// Values that an answer may come to, by the sizes that lists are asked for or usually have.
pub const GRAPHQL_COMPLEXITY_MAX: usize = 20_000;
/// Things that a list without pages counts for.
pub const GRAPHQL_LIST_COST: usize = 20;
/// Things in a page unless asked for.
pub const GRAPHQL_PAGE_DEFAULT: usize = 20;
/// Things in a page.
pub const GRAPHQL_PAGE_MAX: usize = 200;
/// Queries and mutations of one tenant under way at once.
pub const GRAPHQL_ANSWERS_MAX: usize = 64;
/// Queries and mutations of all tenants under way at once.
pub const GRAPHQL_ANSWERS_IN_ALL_MAX: usize = 512;
/// Subscriptions of one tenant at once, over all its connections.
pub const GRAPHQL_SUBSCRIPTIONS_MAX: usize = 2000;
/// WebSocket connections of one tenant at once.
pub const GRAPHQL_SOCKETS_MAX: usize = 2000;
/// WebSocket connections that have not said yet who they are; one more ends the oldest of the address that has most.
pub const GRAPHQL_UNAUTHENTICATED_SOCKETS_MAX: usize = 256;
/// Operations of one WebSocket connection at once.
pub const GRAPHQL_SOCKET_OPERATIONS_MAX: usize = 128;
/// Bytes of a client's name for an operation.
pub const GRAPHQL_OPERATION_ID_BYTES_MAX: usize = 128;
/// Bytes of a WebSocket message from a client. There may be thousands of connections, each with the beginning of one; what
/// is larger goes by POST.
pub const GRAPHQL_MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Bytes that a WebSocket connection reads at once; each has such a buffer for as long as it lasts.
pub const GRAPHQL_SOCKET_READ_BYTES: usize = 4 << 10;
/// Bytes that wait to be written to a WebSocket connection, beyond the answer that is being written.
pub const GRAPHQL_SOCKET_WRITE_BYTES_MAX: usize = 16 << 20;
/// For a client to say who it is, once its WebSocket is open.
pub const GRAPHQL_INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client to take a message; one that does not is let go of.
pub const GRAPHQL_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between signs of life to a client that hears nothing else; one that gives none itself in that time is let go of.
pub const GRAPHQL_PING_EVERY: Duration = Duration::from_secs(15);
/// Lines of the log in one answer of a subscription...
pub const GRAPHQL_LOG_LINES_AT_ONCE: usize = 200;
/// ...and answers come at most this often.
pub const GRAPHQL_LOG_UPDATE_EVERY: Duration = Duration::from_millis(200);
/// Between two looks at the storage, in seconds, unless asked for.
pub const GRAPHQL_STORAGE_EVERY_SECONDS: u32 = 10;
/// Between two looks at the server, in seconds, unless asked for.
pub const GRAPHQL_SERVER_EVERY_SECONDS: u32 = 5;
/// Longest time between two looks that can be asked for, in seconds.
pub const GRAPHQL_EVERY_SECONDS_MAX: u32 = 3600;
