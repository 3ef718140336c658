//! Connections: accepted, timed, counted, and let go in order when the process is to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::Lifecycle;
use crate::kernel::config::{HttpConfig, LimitsConfig};

/// hyper refuses a smaller buffer.
const MIN_HEADER_BYTES: usize = 8192;
const MAX_HEADERS: usize = 100;
const HTTP2_STREAMS: u32 = 100;
const HTTP2_RESET_STREAMS: usize = 20;
const HTTP2_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How long a client may refuse to read what it asked for.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// The shortest request is longer, so this much tells nothing but that a client has begun.
const FIRST_BYTES: usize = 16;

/// After the operating system ran out of something, e.g. open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` comes, then lets requests in flight finish.
///
/// # Errors
/// Nothing that a client does; only the listener itself can fail.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    http: &HttpConfig,
    limits: &LimitsConfig,
    lifecycle: &Lifecycle,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let builder = builder(limits);
    let connections = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
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
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection was gone at once");
            continue;
        }
        let io = TokioIo::new(Timed::new(stream, limits.header_timeout, permit.ok()));
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection_with_upgrades(io, service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    lifecycle.closing.cancel();
    lifecycle.tasks.close();
    let finished = async {
        connections.shutdown().await;
        lifecycle.tasks.wait().await;
    };
    if tokio::time::timeout(http.shutdown_grace, finished).await.is_err() {
        tracing::warn!(grace = ?http.shutdown_grace, "requests were cut off: they took longer than the grace");
    }
    Ok(())
}

fn builder(limits: &LimitsConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(limits.header_bytes.max(MIN_HEADER_BYTES))
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_pending_accept_reset_streams(HTTP2_RESET_STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(HTTP2_KEEP_ALIVE)
        .keep_alive_timeout(HTTP2_KEEP_ALIVE);
    builder
}

/// A connection that must begin to speak, and must go on to listen.
///
/// hyper times the headers only once it knows which version of HTTP it reads; a client that sends nothing,
/// or half of a version, would stay for good.
struct Timed {
    stream: TcpStream,
    /// Bytes still to come before the deadline; None once they came.
    first: Option<(usize, Pin<Box<Sleep>>)>,
    /// Runs while the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Kept as long as the connection, which a WebSocket takes over from hyper.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Timed {
    fn new(stream: TcpStream, patience: Duration, permit: Option<OwnedSemaphorePermit>) -> Self {
        let first = Some((FIRST_BYTES, Box::pin(tokio::time::sleep(patience))));
        Self {
            stream,
            first,
            stalled: None,
            _permit: permit,
        }
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let deadline = Instant::now() + WRITE_PATIENCE;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let came = buffer.filled().len() - before;
        let Some((missing, deadline)) = &mut self.first else {
            return poll;
        };
        *missing = missing.saturating_sub(came);
        if *missing == 0 {
            self.first = None;
        } else if poll.is_pending() && deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Comes with the first SIGINT or SIGTERM. A second one ends the process at once.
pub async fn signal() {
    any_signal().await;
    tokio::spawn(async {
        any_signal().await;
        tracing::warn!("stopped at once, by a second signal");
        std::process::exit(1);
    });
}

#[cfg(unix)]
async fn any_signal() {
    use tokio::signal::unix::{SignalKind, signal};

    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
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

#[cfg(not(unix))]
async fn any_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<Infallible>().await;
    }
}
