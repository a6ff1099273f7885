//! The guard at resolver and connector. Loopback addresses stand in for what must not be reached: a listener there
//! counts who comes, and a refused address sees nobody.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// A listener that counts connections and answers each request with the same bytes.
struct CountingListener {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
    probes: AtomicUsize,
    task: JoinHandle<()>,
}

impl CountingListener {
    async fn at(address: &str, answer: &'static str) -> Self {
        Self::answering(address, answer.to_owned()).await
    }

    async fn answering(address: &str, answer: String) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let (address, came) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let counter = Arc::clone(&came);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, came, probes: AtomicUsize::default(), task }
    }

    /// How many have come. Connections are taken in order: once a probe of ours is answered, all before it are counted.
    async fn came(&self) -> usize {
        let mut probe = TcpStream::connect(self.address).await.unwrap();
        probe.write_all(b"x").await.unwrap();
        let _ = probe.read(&mut [0; 1]).await;
        self.came.load(Ordering::SeqCst) - self.probes.fetch_add(1, Ordering::SeqCst) - 1
    }
}

impl Drop for CountingListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Names as the test says; each lookup takes the next answer, the last one stays.
#[derive(Debug, Default)]
struct Names {
    answers: Mutex<Vec<(String, Vec<Vec<IpAddr>>)>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn with(names: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        let all = names.iter().map(|(name, answers)| ((*name).to_owned(), answers.iter().map(parse).collect()));
        Arc::new(Self { answers: Mutex::new(all.collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolver for Names {
    fn lookup(&self, host: &str, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let found = answers.iter_mut().find(|(name, _)| name == host).map(|(_, answers)| {
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            answer.into_iter().map(|address| SocketAddr::new(address, port)).collect()
        });
        let found = found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name"));
        std::future::ready(found).boxed()
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// 127.0.0.1 stands for the public internet; every other loopback address for what is forbidden.
fn guard(names: Arc<Names>) -> Guard {
    let policy = Policy { allow_ranges: texts(&["127.0.0.1"]), ..Policy::strict() };
    Guard::new(policy).unwrap().with_resolver(names)
}

fn denied(error: NetError) -> Denied {
    match error {
        NetError::Denied(denied) => denied,
        NetError::Failed(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_address_that_is_denied_sees_no_connection() {
    for (address, written) in [
        ("127.0.0.2", "127.0.0.2"),
        ("127.0.0.3", "[::ffff:127.0.0.3]"),
        ("127.0.0.4", "127.4"),
        ("127.0.0.5", "0x7f000005"),
        ("127.0.0.6", "2130706438"),
        ("::1", "::1"),
        ("::1", "[::1]"),
    ] {
        let door = CountingListener::at(address, "").await;
        let guard = guard(Names::with(&[]));
        let error = denied(guard.connect(written, door.address.port()).await.unwrap_err());
        assert!(matches!(error, Denied::Private { host: None, .. }), "{written}: {error}");
        assert!(guard.check_host(written).is_err(), "{written}");
        assert_eq!(door.came().await, 0, "{written}");
        // The same address is reached where it is allowed: the door is open.
        Guard::open().connect(written, door.address.port()).await.unwrap();
        assert_eq!(door.came().await, 1, "{written}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_denied_address_sees_no_connection() {
    let (inner, outer) = (CountingListener::at("127.0.0.2", "").await, CountingListener::at("127.0.0.1", "").await);
    let names = Names::with(&[
        ("inner.test", &[&["127.0.0.2"]]),
        ("mapped.test", &[&["::ffff:127.0.0.2"]]),
        ("both.test", &[&["127.0.0.2", "::1", "127.0.0.1"]]),
        ("none.test", &[&[]]),
    ]);
    let guard = guard(names);
    for name in ["inner.test", "mapped.test"] {
        let error = denied(guard.connect(name, inner.address.port()).await.unwrap_err()).to_string();
        assert!(error.starts_with(&format!("{name} is at 127.0.0.2, a loopback address")), "{error}");
        assert!(guard.check_host(name).is_ok(), "the name alone says nothing");
    }
    assert_eq!(inner.came().await, 0);
    let found = guard.resolve("both.test", 7).await.unwrap();
    assert_eq!(found, ["127.0.0.1:7".parse().unwrap()], "only what is allowed is left");
    let stream = guard.connect("both.test", outer.address.port()).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), outer.address);
    assert!(guard.connect("none.test", 1).await.unwrap_err().to_string().contains("none.test has no address"));
    assert!(guard.connect("unknown.test", 1).await.unwrap_err().to_string().contains("no such name"));
}

#[tokio::test]
async fn a_name_whose_answer_changes_is_connected_to_at_the_address_that_was_judged() {
    let (inner, outer) = (CountingListener::at("127.0.0.2", "").await, CountingListener::at("127.0.0.1", "").await);
    let names = Names::with(&[("rebind.test", &[&["127.0.0.1"], &["127.0.0.2"]])]);
    let guard = guard(Arc::clone(&names));
    let stream = guard.connect("rebind.test", outer.address.port()).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), outer.address);
    assert_eq!(names.asked().len(), 1, "looked up once");
    assert!(guard.connect("rebind.test", inner.address.port()).await.is_err());
    assert_eq!(inner.came().await, 0);
}

#[tokio::test]
async fn a_denied_name_is_not_looked_up() {
    let names = Names::with(&[("a.bad.test", &[&["127.0.0.1"]])]);
    let policy = Policy { deny_hosts: texts(&["*.bad.test"]), ..Policy::open() };
    let guard = Guard::new(policy).unwrap().with_resolver(Arc::clone(&names) as Arc<dyn Resolver>);
    for name in ["a.bad.test", "A.Bad.Test.", "a%2ebad.test"] {
        let error = denied(guard.connect(name, 1).await.unwrap_err());
        assert!(matches!(&error, Denied::Host { rule, .. } if rule == "*.bad.test"), "{error}");
    }
    assert!(matches!(guard.connect("a b", 1).await, Err(NetError::Denied(Denied::NoHost { .. }))));
    assert_eq!(names.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_dead_address_does_not_hold_up_the_next_one() {
    let door = CountingListener::at("127.0.0.1", "").await;
    // Nobody listens at the first; the second is the door.
    let names = Names::with(&[("two.test", &[&["127.0.0.9", "127.0.0.1"]])]);
    let guard = Guard::open().with_resolver(names);
    let stream = guard.connect("two.test", door.address.port()).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), door.address);
    assert!(stream.nodelay().unwrap());
    let error = guard.connect("127.0.0.9", door.address.port()).await.unwrap_err();
    assert!(matches!(error, NetError::Failed(_)), "{error}");
}

#[tokio::test]
async fn the_systems_resolver_is_guarded_too() {
    let door = CountingListener::at("127.0.0.1", "").await;
    let strict = Guard::new(Policy::strict()).unwrap();
    let error = denied(strict.connect("localhost", door.address.port()).await.unwrap_err());
    assert!(error.to_string().starts_with("localhost is at "), "{error}");
    assert_eq!(door.came().await, 0);
    let stream = Guard::open().connect("localhost", door.address.port()).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), door.address);
}

// === over HTTP ===

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

fn client(guard: &Guard) -> http::Client {
    http::Client::new(guard, 5, |builder| builder).unwrap()
}

/// The answer's text, or why the guard refused.
async fn get(client: &http::Client, url: &str) -> Result<String, Denied> {
    let answer = client.request(Method::GET, url.parse().unwrap())?.send().await;
    match answer {
        Ok(answer) => Ok(answer.text().await.unwrap()),
        Err(error) => Err(http::denied(&error).unwrap_or_else(|| panic!("{error:?}")).clone()),
    }
}

#[tokio::test]
async fn requests_to_denied_places_send_nothing() {
    let (inner, outer) = (CountingListener::at("127.0.0.2", OK).await, CountingListener::at("127.0.0.1", OK).await);
    let six = CountingListener::at("::1", OK).await;
    let names = Names::with(&[("inner.test", &[&["127.0.0.2"]]), ("outer.test", &[&["127.0.0.1"]])]);
    let client = client(&guard(names));
    let (port, six_port) = (inner.address.port(), six.address.port());
    for url in [
        format!("http://127.0.0.2:{port}/?token=SECRET"),
        format!("http://inner.test:{port}/?token=SECRET"),
        format!("http://user:SECRET@0x7f.2:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://[::1]:{six_port}/"),
        "file:///etc/SECRET".to_owned(),
    ] {
        let error = get(&client, &url).await.unwrap_err().to_string();
        assert!(!error.contains("SECRET"), "{error}");
    }
    assert_eq!((inner.came().await, six.came().await), (0, 0));
    let port = outer.address.port();
    assert_eq!(get(&client, &format!("http://outer.test:{port}/")).await.unwrap(), "ok");
    assert_eq!(get(&client, &format!("http://127.0.0.1:{port}/")).await.unwrap(), "ok");
}

#[tokio::test]
async fn redirects_to_denied_places_send_nothing() {
    let (inner, six) = (CountingListener::at("127.0.0.2", OK).await, CountingListener::at("::1", OK).await);
    let names = Names::with(&[("inner.test", &[&["127.0.0.2"]]), ("outer.test", &[&["127.0.0.1"]])]);
    let client = client(&guard(names));
    let (port, six_port) = (inner.address.port(), six.address.port());
    let moved =
        |to: &str| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    for to in [
        format!("http://127.0.0.2:{port}/"),
        format!("//127.2:{port}/"),
        format!("http://inner.test:{port}/"),
        format!("http://[::1]:{six_port}/"),
    ] {
        let last = CountingListener::answering("127.0.0.1", moved(&to)).await;
        let first =
            CountingListener::answering("127.0.0.1", moved(&format!("http://outer.test:{}/", last.address.port())))
                .await;
        let error = get(&client, &format!("http://{}/", first.address)).await.unwrap_err();
        assert!(matches!(error, Denied::Private { .. }), "{to}: {error}");
        assert_eq!((first.came().await, last.came().await), (1, 1), "{to}: followed as far as allowed");
    }
    assert_eq!((inner.came().await, six.came().await), (0, 0));
}

#[tokio::test]
async fn without_redirects_one_is_an_answer() {
    let inner = CountingListener::at("127.0.0.2", OK).await;
    let to = format!("HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", inner.address);
    let door = CountingListener::answering("127.0.0.1", to).await;
    let client = http::Client::new(&Guard::open(), 0, |builder| builder).unwrap();
    let url = format!("http://{}/", door.address).parse().unwrap();
    let answer = client.request(Method::POST, url).unwrap().send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 302);
    assert_eq!(inner.came().await, 0);
}

/// The environment of a process is read where a client is built, so this test runs itself in a process of its own.
#[tokio::test]
async fn a_proxy_of_the_environment_is_no_way_around() {
    const NAME: &str = "tests::a_proxy_of_the_environment_is_no_way_around";
    const TARGET: &str = "OUTBOARD_TEST_TARGET";
    if let Ok(target) = std::env::var(TARGET) {
        assert_eq!(get(&client(&guard(Names::with(&[]))), &target).await.unwrap(), "ok");
        assert_eq!(get(&client(&Guard::open()), &target).await.unwrap(), "by proxy");
        return;
    }
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nby proxy";
    let (target, proxy) =
        (CountingListener::at("127.0.0.1", OK).await, CountingListener::at("127.0.0.1", answer).await);
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME]).env(TARGET, format!("http://{}/", target.address));
    child.env_remove("no_proxy").env_remove("NO_PROXY").env("http_proxy", format!("http://{}", proxy.address));
    let done = child.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!((target.came().await, proxy.came().await), (1, 1));
}
