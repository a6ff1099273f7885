//! State that strangers can grow, and storage that is taken away under the server.

mod origin;
mod storage;
