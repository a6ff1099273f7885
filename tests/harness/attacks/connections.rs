//! Connections that cost the server much and the client nothing: readers that never read, sockets that never
//! authenticate.
#![expect(clippy::unwrap_used, reason = "a harness that cannot do its part fails the test")]

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::server::Server;

/// Connects from another address of this machine.
pub async fn from(server: &Server, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    socket.connect(server.address().parse().unwrap()).await.unwrap()
}

/// The head of a request.
pub fn head(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.address())
}

/// The request that opens a WebSocket, without credentials.
pub fn opening(server: &Server) -> String {
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "graphql-transport-ws"),
    ];
    head(server, "GET", "/graphql", &headers)
}

/// Clients that each request a response of some hundred kB four times, in this form, and read nothing of it.
pub async fn that_never_read(server: &Server, token: &str, accept: &str, count: usize) -> Vec<TcpStream> {
    let query = "{ __schema { types { name description fields { name description args { name description } } } } }";
    let body = json!({ "query": query }).to_string();
    let (bearer, length) = (format!("Bearer {token}"), body.len().to_string());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", accept),
        ("content-length", length.as_str()),
    ];
    let request = head(server, "POST", "/graphql", &headers) + &body;
    let mut greedy = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        let mut stream = socket.connect(server.address().parse().unwrap()).await.unwrap();
        stream.write_all(request.repeat(4).as_bytes()).await.unwrap();
        greedy.push(stream);
    }
    greedy
}
