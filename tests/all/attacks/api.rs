//! Requests that cost more than they are long, readers that never read, sockets that never greet.
