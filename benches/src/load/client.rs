//! HTTP/1.1 over one connection that is kept, as little of it as the loads need: the generator shares its core with the
//! database, so what it saves is the database's.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    /// What was read; an answer is at most this much.
    buffer: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        })
    }

    /// The body of the answer, which must be a 200 with its length.
    pub(super) async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<&[u8]> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: souk\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        loop {
            if let Some((begin, end)) = body_of(&self.buffer)? {
                return self.buffer.get(begin..end).context("an answer without end");
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            anyhow::ensure!(read > 0, "the server closed the connection");
        }
    }
}

/// Where the body begins and ends, once all of it is there.
fn body_of(answer: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = answer.windows(END.len()).position(|window| window == END) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(answer.get(..head).unwrap_or_default())?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, length)| length.trim().parse::<usize>())
        .context("an answer without its length")??;
    let end = head + END.len() + length;
    if answer.len() < end {
        return Ok(None);
    }
    let whole = String::from_utf8_lossy(answer);
    anyhow::ensure!(text.starts_with("HTTP/1.1 200 "), "{whole}");
    Ok(Some((head + END.len(), end)))
}
