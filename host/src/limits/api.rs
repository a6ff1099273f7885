//! HTTP, GraphQL and the network.

use std::time::Duration;

// === HTTP ===

/// Largest body of a request unless an address says otherwise, bytes.
pub const API_BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body of a REST call, bytes.
pub const REST_BODY_BYTES_MAX: usize = 64 << 10;
/// A response begins within this time or is given up.
pub const API_ANSWER_MAX: Duration = Duration::from_secs(60);
/// Connections at a time; further ones wait in the system's queue.
pub const API_CONNECTIONS_MAX: usize = 8192;
/// Wait before the next connection is taken, after one could not be.
pub const API_ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A connection without a whole request head for so long is closed.
pub const API_HEAD_WAIT_MAX: Duration = Duration::from_secs(30);
/// Largest request line with all headers, bytes.
pub const API_HEAD_BYTES_MAX: usize = 64 << 10;
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

// === network ===

/// Entries in each list of a network policy.
pub const NET_RULES_MAX: usize = 256;
/// A name that is not looked up by then is given up.
pub const NET_LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Lookups under way at once for one tenant's guard; each holds a thread until the name server answers.
pub const NET_LOOKUPS_AT_ONCE: usize = 8;
/// Addresses of one name that are tried.
pub const NET_ADDRESSES_MAX: usize = 16;
/// An address that has not answered by then gets company from the next one.
pub const NET_CONNECT_STAGGER: Duration = Duration::from_millis(300);

// === GraphQL ===

/// Bytes of a request's body.
pub const GRAPHQL_BODY_BYTES_MAX: usize = 256 << 10;
/// From the head of a request with a file to the end of its body.
pub const GRAPHQL_UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// From any other request's head to the end of its body.
pub const GRAPHQL_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// For a query or mutation to be answered; a dry run fetches and connects.
pub const GRAPHQL_ANSWER_TIMEOUT: Duration = Duration::from_secs(50);
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
/// Subscriptions of one tenant at once, over all its connections.
pub const GRAPHQL_SUBSCRIPTIONS_MAX: usize = 2000;
/// WebSocket connections of one tenant at once.
pub const GRAPHQL_SOCKETS_MAX: usize = 2000;
/// WebSocket connections that have not said yet who they are.
pub const GRAPHQL_GREETINGS_MAX: usize = 256;
/// Operations of one WebSocket connection at once.
pub const GRAPHQL_SOCKET_OPERATIONS_MAX: usize = 128;
/// Bytes of a client's name for an operation.
pub const GRAPHQL_OPERATION_ID_BYTES_MAX: usize = 128;
/// Bytes of a WebSocket message from a client.
pub const GRAPHQL_MESSAGE_BYTES_MAX: usize = GRAPHQL_BODY_BYTES_MAX;
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
