//! The lean way: the same bytes and the same headers as the slow one, and only for requests that it may know.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Kind, Server, Shop, TestDatabase, product};

const LIST: &str = "{ products(first: 5) { nodes { id name description } } }";
const KEPT: (&str, &str) = ("SOUK_ANSWER_CACHE_BYTES", "8MiB");

/// An answer as it came.
#[derive(Clone, Debug, PartialEq)]
struct Came {
    status: u16,
    /// By name, without the date.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Came {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    fn data(&self) -> Value {
        let body: Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        body["data"].clone()
    }

    /// What does not differ from one request to the next.
    fn lasting(&self) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| name != "x-request-id");
        headers
    }
}

/// A connection that is kept.
struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    async fn to(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn more(&mut self) {
        let mut part = [0; 4096];
        let reading = self.stream.read(&mut part);
        let count = tokio::time::timeout(Duration::from_secs(30), reading)
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "closed after {}", String::from_utf8_lossy(&self.read));
        self.read.extend_from_slice(&part[..count]);
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).unwrap();
            }
            self.more().await;
        }
    }

    async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            self.more().await;
        }
        self.read.drain(..count).collect()
    }

    async fn answer(&mut self) -> Came {
        let status = self.line().await.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            if name != "date" {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        headers.sort();
        let mut came = Came {
            status,
            headers,
            body: Vec::new(),
        };
        if came.header("transfer-encoding") == "chunked" {
            loop {
                let size = usize::from_str_radix(&self.line().await, 16).unwrap();
                came.body.extend(self.bytes(size).await);
                self.line().await;
                if size == 0 {
                    break;
                }
            }
        } else if status != 304 {
            let length = came.header("content-length").parse().unwrap_or(0);
            came.body = self.bytes(length).await;
        }
        came
    }

    async fn ask(&mut self, request: &str) -> Came {
        self.write(request).await;
        self.answer().await
    }
}

fn post(headers: &str, document: &str) -> String {
    let body = json!({ "query": document }).to_string();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: shop.test\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn get(headers: &str) -> String {
    let query: String = url::form_urlencoded::byte_serialize(LIST.as_bytes()).collect();
    format!("GET /graphql?query={query} HTTP/1.1\r\nhost: shop.test\r\n{headers}\r\n")
}

/// Asks until it is known, and once more; how the last two came.
async fn warm(server: &Server, wire: &mut Wire, request: &str) -> [Came; 2] {
    wire.ask(request).await;
    let slow = wire.ask(request).await;
    let before = server.lean.answered();
    let lean = wire.ask(request).await;
    assert_eq!(server.lean.answered(), before + 1, "{request}");
    [slow, lean]
}

async fn with_server(settings: &[(&str, &str)], test: impl AsyncFnOnce(&Shop, &Server)) {
    let Some(database) = TestDatabase::new(Kind::Sqlite).await else {
        return;
    };
    let shop = Shop::open(&database, &[("SOUK_ANSWER_CACHE_BYTES", "0")]).await;
    let text = "A cup for tea, or for coffee. ".repeat(100);
    shop.add(product("Mug").description(&text)).await;
    let settings: Vec<_> = [KEPT].into_iter().chain(settings.iter().copied()).collect();
    let server = shop.serve(&settings).await;
    test(&shop, &server).await;
    server.stop().await;
    shop.close().await;
}

#[tokio::test]
async fn it_answers_with_the_same_bytes_and_headers() {
    with_server(&[("SOUK_PUBLIC_URL", "https://shop.test")], async |_, server| {
        let mut wire = Wire::to(server).await;
        for request in [
            post("", LIST),
            post("accept: application/json\r\nuser-agent: Shop/1\r\n", LIST),
            post("accept-encoding: gzip\r\n", LIST),
            post("accept-encoding: gzip, deflate, br\r\n", LIST),
            get(""),
            get("accept: */*\r\naccept-encoding: br\r\n"),
        ] {
            let [slow, lean] = warm(server, &mut wire, &request).await;
            assert_eq!(slow.status, 200, "{slow:?}");
            assert_eq!(lean.lasting(), slow.lasting(), "{request}");
            assert_eq!(lean.body, slow.body, "{request}");
            assert_ne!(lean.header("x-request-id"), slow.header("x-request-id"));
            let compressed = request.contains("accept-encoding");
            assert_eq!(
                !slow.header("content-encoding").is_empty(),
                compressed,
                "{slow:?}"
            );
            assert!(!slow.header("strict-transport-security").is_empty(), "{slow:?}");
        }
        let named = wire.ask(&post("x-request-id: abc-1\r\n", LIST)).await;
        assert_eq!(named.header("x-request-id"), "abc-1");
    })
    .await;
}

#[tokio::test]
async fn it_leaves_alone_what_it_may_not_know() {
    with_server(&[], async |_, server| {
        let mut wire = Wire::to(server).await;
        warm(server, &mut wire, &post("", LIST)).await;
        warm(server, &mut wire, &get("")).await;
        let before = server.lean.answered();
        let [_, slow] = [wire.ask(&post("", LIST)).await, wire.ask(&get("")).await];
        assert_eq!(server.lean.answered(), before + 2);
        let tag = slow.header("etag").to_owned();
        for (request, status) in [
            (post("authorization: Bearer nonsense\r\n", LIST), 401),
            (post("origin: https://elsewhere.test\r\n", LIST), 200),
            (post("cookie: a=b\r\n", LIST), 200),
            (post("x-unknown: 1\r\n", LIST), 200),
            (post("x-request-id: not sane\r\n", LIST), 200),
            (post("accept: text/html\r\n", LIST), 406),
            (
                post("accept: application/json\r\naccept: text/html\r\n", LIST),
                200,
            ),
            (post("", LIST).replace("application/json", "text/plain"), 415),
            // The first one counts, as on the slow way.
            (
                post("", LIST).replace("content-type:", "content-type: text/plain\r\ncontent-type:"),
                415,
            ),
            (post("content-type: text/plain\r\n", LIST), 200),
            (post("", LIST).replace("host: shop.test", "host: a@b"), 400),
            (post("", LIST).replace("host: shop.test\r\n", ""), 400),
            (post("host: other.test\r\n", LIST), 400),
            (post("", LIST).replace("POST", "PUT"), 405),
            (get(&format!("if-none-match: {tag}\r\n")), 304),
            (post("", "{ products(first: 5) { nodes { id nam } } }"), 400),
            (post("", "mutation { signOut { userErrors { code } } }"), 401),
        ] {
            let mut other = Wire::to(server).await;
            let came = other.ask(&request).await;
            let seen = [status, 200, 400];
            // What a mutation nobody may make is answered with is another test's affair.
            assert!(seen.contains(&came.status), "{came:?} to {request}");
            if !request.contains("mutation") {
                assert_eq!(came.status, status, "{came:?} to {request}");
            }
        }
        assert_eq!(
            server.lean.answered(),
            before + 2,
            "none of them went the lean way"
        );
    })
    .await;
}

#[tokio::test]
async fn it_remembers_nothing_by_long_headers() {
    with_server(&[], async |_, server| {
        let mut wire = Wire::to(server).await;
        for (name, value) in [("accept", "application/json"), ("accept-encoding", "gzip")] {
            for (length, known) in [(256, true), (257, false)] {
                // Followed by commas, which say nothing.
                let value = format!("{value:,<length$}");
                let request = post(&format!("{name}: {value}\r\n"), LIST);
                let before = server.lean.answered();
                for _ in 0..4 {
                    wire.ask(&request).await;
                }
                assert_eq!(server.lean.answered() > before, known, "{request}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_request() {
    with_server(&[], async |shop, server| {
        let mut wire = Wire::to(server).await;
        let [_, lean] = warm(server, &mut wire, &post("", LIST)).await;
        let id = lean.data()["products"]["nodes"][0]["id"].as_str().unwrap().to_owned();
        let token = shop.token(souk::kernel::actor::Role::Staff);
        for name in ["Cup", "Jar", "Pot"] {
            let document = format!("mutation {{ productUpdate(input: {{productId: \"{id}\", name: \"{name}\"}}) {{ userErrors {{ code }} }} }}");
            let changed = wire.ask(&post(&format!("authorization: Bearer {token}\r\n"), &document)).await;
            assert_eq!(changed.data()["productUpdate"]["userErrors"], json!([]), "{changed:?}");
            let seen = wire.ask(&post("", LIST)).await;
            assert_eq!(seen.data()["products"]["nodes"][0]["name"], name);
            warm(server, &mut wire, &post("", LIST)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn bodies_may_come_in_parts_and_requests_in_rows() {
    with_server(&[], async |_, server| {
        let mut wire = Wire::to(server).await;
        let request = post("", LIST);
        let [_, lean] = warm(server, &mut wire, &request).await;
        for cut in [request.len() - 1, request.len() - 30, request.find("\r\n\r\n").unwrap() + 4, 20] {
            wire.write(&request[..cut]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            wire.write(&request[cut..]).await;
            assert_eq!(wire.answer().await.body, lean.body, "cut at {cut}");
        }
        wire.write(request.repeat(10)).await;
        for _ in 0..10 {
            assert_eq!(wire.answer().await.body, lean.body);
        }
        let body = json!({ "query": LIST }).to_string();
        let (one, two) = body.split_at(9);
        let chunked = format!(
            "POST /graphql HTTP/1.1\r\nhost: shop.test\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
            one.len(),
            two.len()
        );
        assert_eq!(wire.ask(&chunked).await.body, lean.body);
        // One that never comes in full is waited for on the slow way, within its time.
        let mut slow = Wire::to(server).await;
        slow.write(&request[..request.len() - 1]).await;
        assert_eq!(wire.ask(&request).await.body, lean.body);
        drop(slow);
    })
    .await;
}

#[tokio::test]
async fn who_sends_half_a_body_is_told_in_time() {
    with_server(&[("SOUK_LIMIT_BODY_TIMEOUT", "1s")], async |_, server| {
        let mut wire = Wire::to(server).await;
        let request = post("", LIST);
        warm(server, &mut wire, &request).await;
        wire.write(&request[..request.len() - 5]).await;
        assert_eq!(wire.answer().await.status, 408);
    })
    .await;
}

#[tokio::test]
async fn it_is_off_where_nothing_is_kept() {
    with_server(&[("SOUK_ANSWER_CACHE_BYTES", "0")], async |_, server| {
        let mut wire = Wire::to(server).await;
        for _ in 0..3 {
            assert_eq!(wire.ask(&post("", LIST)).await.status, 200);
        }
        assert_eq!(server.lean.answered(), 0);
    })
    .await;
}
