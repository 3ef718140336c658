//! Connections: accepted, timed, counted, and let go in order when the process is to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::crowd::{Crowd, Member};
use super::tls::Tls;
use super::{Front, Lifecycle, Peer};
use crate::infra::metric::{HTTP_CONNECTIONS, Held, RATE_LIMIT_REFUSALS};
use crate::kernel::config::{HttpConfig, LimitsConfig};

/// hyper refuses a smaller buffer.
const MIN_HEADER_BYTES: usize = 8192;
const MAX_HEADERS: usize = 100;

/// How long a client may keep us waiting until it reads what it asked for.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// Bytes read that make up for a second of waiting: a client slower than this loses our patience,
/// however steadily it reads.
const WRITE_RATE: u32 = 4096;

/// How long a client may take to send its headers when most connections are taken: those that say nothing, and there may be as
/// many as strangers like, must not keep out those that do.
const HURRY: Duration = Duration::from_secs(1);

/// How long a connection between two requests stays when the process stops: a request may be on its way.
const LINGER: Duration = Duration::from_millis(250);

/// After the operating system ran out of something, e.g. open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The log is told no more often.
const ACCEPT_REPORTS: Duration = Duration::from_secs(10);

/// Serves until `stop` comes, then lets requests in flight finish.
///
/// # Errors
/// Nothing that a client does; only the listener itself can fail.
pub async fn serve(
    listener: TcpListener,
    front: Front,
    http: &HttpConfig,
    limits: &LimitsConfig,
    tls: Option<Arc<Tls>>,
    lifecycle: &Lifecycle,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let connections = TaskTracker::new();
    let mut reported: Option<Instant> = None;
    let permits = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let crowd = Crowd::new(limits.connections_per_address, &http.trusted_proxies);
    let patience = || {
        let is_crowded = permits.available_permits() < limits.connections / 4;
        let most = if is_crowded { HURRY } else { Duration::MAX };
        limits.header_timeout.min(most)
    };
    let connection = |peer: SocketAddr, place| Connection {
        builder: builder(limits, patience()),
        patience: patience(),
        front: front.clone(),
        peer: Peer(peer.ip()),
        place,
        closing: lifecycle.closing.clone(),
    };
    let mut stop = pin!(async {
        stop.await;
        lifecycle.stopping.cancel();
        tracing::info!("stopping");
        tokio::time::sleep(http.shutdown_delay).await;
    });
    loop {
        // A permit first: a connection that we cannot serve is left to wait in the system's queue.
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if reported.is_none_or(|at| at.elapsed() >= ACCEPT_REPORTS) {
                    reported = Some(Instant::now());
                    tracing::warn!(error = %error, "connections cannot be accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(member) = crowd.join(peer.ip()) else {
            // Without a word, which would be work.
            RATE_LIMIT_REFUSALS.counter(["connections"]).increment(1);
            continue;
        };
        let place = (permit.ok(), Some(member), HTTP_CONNECTIONS.hold());
        connections.spawn(connection(peer, place).serve(stream, tls.clone()));
    }
    // Who has connected before the end is served, too.
    let waiting = listener.into_std()?;
    while let Ok(permit) = Arc::clone(&permits).try_acquire_owned()
        && let Ok((stream, peer)) = waiting.accept()
    {
        let Some(member) = crowd.join(peer.ip()) else {
            continue;
        };
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream)?;
        let place = (Some(permit), Some(member), HTTP_CONNECTIONS.hold());
        connections.spawn(connection(peer, place).serve(stream, tls.clone()));
    }
    drop(waiting);
    lifecycle.closing.cancel();
    lifecycle.tasks.close();
    connections.close();
    let finished = async {
        connections.wait().await;
        lifecycle.tasks.wait().await;
    };
    if tokio::time::timeout(http.shutdown_grace, finished).await.is_err() {
        tracing::warn!(grace = ?http.shutdown_grace, "requests were cut off: they took longer than the grace");
    }
    Ok(())
}

/// What one connection needs.
struct Connection {
    builder: Builder,
    /// For a client to greet.
    patience: Duration,
    front: Front,
    peer: Peer,
    place: Place,
    closing: CancellationToken,
}

impl Connection {
    /// In a task of its own from the first byte: a client that greets slowly keeps nobody else waiting.
    async fn serve(self, stream: TcpStream, tls: Option<Arc<Tls>>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection was gone at once");
            return;
        }
        let Some(tls) = tls else {
            return self.talk(stream).await;
        };
        let greeting = tokio::time::timeout(self.patience, tls.accept(stream));
        match self.closing.run_until_cancelled(greeting).await {
            Some(Ok(Ok(stream))) => self.talk(stream).await,
            Some(Ok(Err(error))) => tracing::debug!(error = %error, "a client could not be greeted by TLS"),
            Some(Err(_)) => tracing::debug!("a client was too slow to be greeted by TLS"),
            None => {}
        }
    }

    async fn talk<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            builder,
            front,
            peer,
            place,
            closing,
            ..
        } = self;
        let pace = Pace::new(WRITE_PATIENCE, WRITE_RATE);
        let io = TokioIo::new(Timed::new(stream, pace, place));
        let connection = builder.serve_connection(io, front.of(peer)).with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = closing.cancelled() => {
                // What has just been sent here is answered, with the word that this was the last.
                match tokio::time::timeout(LINGER, connection.as_mut()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = %error, "a connection ended early");
        }
    }
}

/// HTTP/1.1 and nothing else: its headers are timed from the moment the connection stands, and an idle
/// connection is closed after the same time. Whoever wants HTTP/2 for browsers has a proxy to speak it.
fn builder(limits: &LimitsConfig, patience: Duration) -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(MAX_HEADERS)
        .max_buf_size(limits.header_bytes.max(MIN_HEADER_BYTES));
    builder
}

/// What a connection takes of those that there may be, in all and of its address, and its part in their number.
type Place = (Option<OwnedSemaphorePermit>, Option<Member>, Held);

/// A connection whose client must read what it asked for.
struct Timed<S> {
    stream: S,
    pace: Pace,
    /// Kept as long as the connection, which a WebSocket takes over from hyper.
    _place: Place,
}

/// Patience, which waiting uses up and bytes taken restore. A deadline that every byte moves would let
/// one byte in time hold a connection for ever.
struct Pace {
    patience: Duration,
    rate: u32,
    left: Duration,
    /// Since when nothing can be written, and when the patience ends.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Pace {
    fn new(patience: Duration, rate: u32) -> Self {
        Self {
            patience,
            rate: rate.max(1),
            left: patience,
            waiting: None,
        }
    }

    fn written(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let earned = Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / self.rate;
        self.left = self.patience.min(self.left + earned);
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let left = self.left;
        let (_, end) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        end.as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Timed<S> {
    fn new(stream: S, pace: Pace, place: Place) -> Self {
        Self {
            stream,
            pace,
            _place: place,
        }
    }

    fn wrote(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match poll {
            Poll::Pending => self.pace.wait(cx),
            Poll::Ready(Ok(bytes)) => {
                self.pace.written(bytes);
                poll
            }
            Poll::Ready(Err(_)) => poll,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => self.pace.wait(cx),
            ready @ Poll::Ready(_) => ready,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Comes with the first SIGINT or SIGTERM from now on, whether or not it is awaited yet: before, they end the process as
/// they always do. A second one ends it at once.
pub fn signal() -> impl Future<Output = ()> {
    let first = any_signal();
    async {
        first.await;
        let second = any_signal();
        tokio::spawn(async {
            second.await;
            tracing::warn!("stopped at once, by a second signal");
            std::process::exit(1);
        });
    }
}

#[cfg(unix)]
fn any_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};

    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        match signals {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            _ => {
                tracing::error!("signals cannot be listened to: only a kill will end this process");
                std::future::pending::<Infallible>().await;
            }
        }
    }
}

#[cfg(not(unix))]
async fn any_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<Infallible>().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Sends 4,000 bytes to a client that takes so many of them every 20 ms.
    async fn send(step: usize) -> io::Result<()> {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let client = tokio::spawn(async move {
            let mut some = vec![0; step];
            while theirs.read_exact(&mut some).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let mut timed = Timed::new(
            ours,
            Pace::new(Duration::from_millis(400), 100),
            (None, None, HTTP_CONNECTIONS.hold()),
        );
        let sent = timed.write_all(&[0; 4000]).await;
        client.abort();
        sent
    }

    #[tokio::test]
    async fn one_byte_in_time_does_not_hold_a_connection() {
        let begun = Instant::now();
        let error = send(1).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn whoever_reads_steadily_may_take_longer_than_the_patience() {
        let begun = Instant::now();
        send(100).await.unwrap();
        assert!(
            begun.elapsed() > Duration::from_millis(600),
            "{:?}",
            begun.elapsed()
        );
    }
}
