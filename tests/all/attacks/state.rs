//! State that strangers can grow, and storage that is removed under the server.

mod origin;
mod storage;
