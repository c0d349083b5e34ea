//! Serves a world over HTTP on loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::moment;
use super::world::{Answer, World};
use crate::domain::time::Timestamp;

/// The largest body that is read: more than any request that the services take.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A world that is being served. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
}

impl Server {
    /// Serves a world on a free port of 127.0.0.1. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Where the port can't be bound.
    pub fn start(world: Arc<Mutex<World>>, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> io::Result<Self> {
        Self::start_on(0, world, clock)
    }

    /// Serves a world on a given port of 127.0.0.1; 0 for a free one.
    ///
    /// # Errors
    /// Where the port can't be bound.
    pub fn start_on(
        port: u16,
        world: Arc<Mutex<World>>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let clock: Clock = Arc::new(clock);
        let service =
            Router::new().fallback(answer).with_state((world, clock)).into_make_service_with_connect_info::<Line>();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            // Accepting goes on through errors, so the server only ends when it is stopped.
            drop(axum::serve(Lines(listener), service).with_graceful_shutdown(stopped).await);
        });
        Ok(Self { address, stop: Some(stop) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The world's address, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `AWS_ENDPOINT_URL` is to be.
    pub fn aws_endpoint(&self) -> String {
        self.url()
    }

    /// What GitHub's `api_url` is to be.
    pub fn github_api_url(&self) -> String {
        format!("{}/github", self.url())
    }

    /// The URL of a queue.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.url(), super::ACCOUNT)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens any more where the runtime is gone, and then there is nothing to stop.
            let _ = stop.send(());
        }
    }
}

async fn answer(
    State((world, clock)): State<(Arc<Mutex<World>>, Clock)>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request::from_parts(parts, body);
    let now = clock();
    let answer = {
        // A world whose lock is poisoned was left by a test that failed; its state still explains why.
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        world.handle(now, &request)
    };
    match answer {
        Answer::Respond(response) => dated(response, now),
        Answer::Delay(delay, response) => {
            tokio::time::sleep(delay).await;
            dated(response, now)
        }
        Answer::Hang => {
            line.cut();
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

/// The response with the moment of the world that made it.
fn dated(response: http::Response<Bytes>, now: Timestamp) -> Response {
    let mut response = response.map(Body::from);
    if let Ok(date) = http::HeaderValue::from_str(&moment::http(now)) {
        response.headers_mut().insert(http::header::DATE, date);
    }
    response
}

/// Whether a connection is cut: nothing is written to it any more, not even the answer that is due.
#[derive(Debug, Clone, Default)]
struct Line(Arc<AtomicBool>);

impl Line {
    fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

/// A listener whose connections can be cut.
struct Lines(TcpListener);

impl Listener for Lines {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Wire { stream, line: Line::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that can be cut.
struct Wire {
    stream: TcpStream,
    line: Line,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
