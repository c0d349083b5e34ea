//! Deliveries over plain HTTP, and the health endpoints beside them.
//!
//! Whoever reaches the port may be anybody, so nobody gets to hold it: each step of a request has its time, and requests,
//! connections and the bytes of bodies have their bounds.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ready::Readiness;
use crate::webhook::{Webhook, delivery_id};

/// GitHub delivers payloads of up to 25 MB. Lambda lets no more than 6 MB through; here nothing is lost for its size.
const BODY_LIMIT: usize = 25 * 1024 * 1024;

/// For a connection's first request to be there with all its headers.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// For the next one. Load balancers reuse connections that were idle for up to a minute, unless they are told otherwise
/// (Application Load Balancer: 60 s), and what they send on one that is being closed is lost.
const NEXT_REQUEST: Duration = Duration::from_secs(75);

/// For a body. GitHub hangs up after 10 s, GitHub Enterprise Server after 30 s.
const WHOLE_BODY: Duration = Duration::from_secs(20);

/// For a request to have its turn, where many come at once.
const TURN: Duration = Duration::from_secs(5);

/// Requests that are worked on at the same time.
const REQUESTS: usize = 64;

/// Connections that are open at the same time; further ones wait in the system's queue.
const CONNECTIONS: usize = 1_000;

/// Memory for the bodies that are being received or worked on, in units of [`UNIT`]: 100 MB, four of the largest.
const ROOM: usize = 4 * BODY_LIMIT / UNIT;
const UNIT: usize = 1024;

/// Who answers.
pub(super) struct Front {
    /// `None` where only the worker runs here.
    webhook: Option<Rc<Webhook>>,
    readiness: Readiness,
    turns: Semaphore,
    room: Semaphore,
}

/// Why a delivery did not get to the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Rejection {
    #[error("no deliveries are taken here; this process runs the worker only")]
    NoWebhook,
    #[error("the body is larger than the 25 MB that GitHub sends")]
    TooLarge,
    #[error("the body did not come within 20 s")]
    TooSlow,
    #[error("the body did not come in one piece")]
    Broken,
    #[error("too much comes at once; redeliver later")]
    Busy,
    #[error("the webhook failed; the log says why")]
    Failed,
}

impl Rejection {
    fn status(self) -> StatusCode {
        match self {
            Self::NoWebhook => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Accepts connections and answers what comes on them. Once `ending` is over, it accepts no more, and returns when the
/// requests in flight have their answers. Must be called within a `LocalSet`.
pub(super) async fn serve(listener: TcpListener, front: Rc<Front>, ending: impl Future<Output = ()> + Clone + 'static) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut ended = pin!(ending.clone());
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            // The semaphore is never closed.
            let permit = room.clone().acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = ended.as_mut() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let (front, ending) = (front.clone(), ending.clone());
                connections.spawn_local(async move {
                    attend(stream, front, ending).await;
                    drop(permit);
                });
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A connection that was gone before it was accepted is nobody's trouble; where there are no descriptors left, some have
/// to be given back first.
async fn pause_after(error: &io::Error) {
    let is_the_peers = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !is_the_peers {
        tracing::error!(%error, "a connection can't be accepted");
        sleep(Duration::from_secs(1)).await;
    }
}

/// Answers the requests of one connection, one after the other.
async fn attend<S>(stream: S, front: Rc<Front>, ending: impl Future<Output = ()>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let has_asked = Rc::new(Cell::new(false));
    let service = service_fn(|request: Request<Incoming>| {
        has_asked.set(true);
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(NEXT_REQUEST);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    let mut first = pin!(sleep(FIRST_REQUEST).fuse());
    let mut ending = pin!(ending.fuse());
    loop {
        tokio::select! {
            // A connection that breaks is the peer's affair.
            _ = connection.as_mut() => return,
            () = &mut first => if !has_asked.get() { return },
            () = &mut ending => connection.as_mut().graceful_shutdown(),
        }
    }
}

impl Front {
    pub(super) fn new(webhook: Option<Rc<Webhook>>, readiness: Readiness) -> Self {
        Self { webhook, readiness, turns: Semaphore::new(REQUESTS), room: Semaphore::new(ROOM) }
    }

    async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/healthz" | "/readyz" if !is_get => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this is asked by GET\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            "/healthz" => plain(StatusCode::OK, "it runs\n"),
            "/readyz" => match self.readiness.problem().await {
                None => plain(StatusCode::OK, "it is ready\n"),
                Some(problem) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
            },
            _ => {
                let delivery = delivery_id(request.headers());
                self.receive(request).await.unwrap_or_else(|rejection| reject(rejection, &delivery))
            }
        }
    }

    async fn receive<B>(&self, request: Request<B>) -> Result<Response<Full<Bytes>>, Rejection>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let webhook = self.webhook.as_ref().ok_or(Rejection::NoWebhook)?;
        let _turn = timeout(TURN, self.turns.acquire()).await.map_err(|_| Rejection::Busy)?;
        let (parts, mut body) = request.into_parts();
        let (body, _room) = timeout(WHOLE_BODY, self.read(&mut body)).await.map_err(|_| Rejection::TooSlow)??;
        let handled = AssertUnwindSafe(webhook.handle(Request::from_parts(parts, body))).catch_unwind();
        let response = handled.await.map_err(|_| Rejection::Failed)?;
        Ok(response.map(|text| Full::new(Bytes::from(text))))
    }

    /// Reads a body, and the room that it takes until it is forgotten.
    async fn read<B>(&self, body: &mut B) -> Result<(Bytes, Option<tokio::sync::SemaphorePermit<'_>>), Rejection>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        // Whoever says how much will come need not send it to hear that it is too much.
        if body.size_hint().lower() > BODY_LIMIT as u64 {
            return Err(Rejection::TooLarge);
        }
        let mut read = BytesMut::new();
        let mut room: Option<tokio::sync::SemaphorePermit<'_>> = None;
        let mut units = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Rejection::Broken)?.into_data() else { continue };
            if read.len() + data.len() > BODY_LIMIT {
                return Err(Rejection::TooLarge);
            }
            read.extend_from_slice(&data);
            // A buffer grows by doubling, so it may be twice what is in it.
            let needed = read.capacity().div_ceil(UNIT).saturating_sub(units);
            let more = u32::try_from(needed).map_err(|_| Rejection::TooLarge)?;
            let more = self.room.try_acquire_many(more).map_err(|_| Rejection::Busy)?;
            units += needed;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
        }
        Ok((read.freeze(), room))
    }
}

/// The answer where a delivery does not get to the webhook, as the webhook itself would give it.
fn reject(rejection: Rejection, delivery: &str) -> Response<Full<Bytes>> {
    match rejection {
        // The internet is full of these.
        Rejection::NoWebhook => tracing::info!(delivery, %rejection, "rejected"),
        Rejection::Failed => tracing::error!(delivery, "the webhook panicked"),
        _ => tracing::warn!(delivery, %rejection, "rejected"),
    }
    let body = json!({ "delivery": delivery, "error": rejection.to_string() }).to_string();
    respond(rejection.status(), "application/json", body)
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response<Full<Bytes>> {
    let mut response = respond(status, "text/plain; charset=utf-8", text.into());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::{Mutex, oneshot};
    use tokio::task::LocalSet;

    use super::super::health::Health;
    use super::*;
    use crate::aws::{Patience, sdk_config};
    use crate::clock::Clock;
    use crate::queue::Queue;
    use crate::settings::{Function, SettingsStore};

    /// With a webhook that knows a secret and has no queue.
    async fn front() -> Front {
        let sdk_config = sdk_config(Patience::WEBHOOK).await;
        let clock = Clock::system();
        let env = |name: &str| match name {
            "PIPEHOOK_CONFIG" => Some(String::new()),
            "PIPEHOOK_WEBHOOK_SECRET" => Some("secret".to_owned()),
            _ => None,
        };
        let settings = SettingsStore::new(&sdk_config, Function::Webhook, clock.clone(), &env);
        let webhook = Webhook { settings, queue: Queue::new(&sdk_config, String::new()), clock };
        let health = Rc::new(Health::default());
        let readiness = Readiness { health, webhook: None, worker: None, inbox: None, looked: Mutex::new(None) };
        Front::new(Some(Rc::new(webhook)), readiness)
    }

    /// A client of a connection whose server has a made-up clock: it jumps to whenever something happens next.
    async fn with_client<T>(front: Front, client: impl AsyncFnOnce(DuplexStream, oneshot::Sender<()>) -> T) -> T {
        let (ours, theirs) = duplex(1 << 20);
        let (end, ended) = oneshot::channel();
        let server = async {
            tokio::task::spawn_local(attend(theirs, Rc::new(front), ended.map(drop)));
            client(ours, end).await
        };
        LocalSet::new().run_until(server).await
    }

    async fn all(mut client: DuplexStream) -> String {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Sends this, and reads until the server closes the connection.
    async fn says(front: Front, sent: &str) -> String {
        with_client(front, async |mut client, _end| {
            client.write_all(sent.as_bytes()).await.unwrap();
            all(client).await
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_never_end_are_not_waited_for() {
        let front = front().await;
        let before = tokio::time::Instant::now();
        assert_eq!(says(front, "POST / HTTP/1.1\r\nhost: pipehook\r\nx: ").await, "");
        assert!(before.elapsed() < 2 * FIRST_REQUEST, "{:?}", before.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_not_waited_for() {
        let answer = says(front().await, "POST / HTTP/1.1\r\nhost: pipehook\r\ncontent-length: 10\r\n\r\n{").await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("the body did not come within 20 s"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_larger_than_github_sends_is_refused_before_it_is_sent() {
        let length = BODY_LIMIT + 1;
        let sent = format!("POST / HTTP/1.1\r\nhost: pipehook\r\ncontent-length: {length}\r\n\r\n");
        let answer = says(front().await, &sent).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_have_a_bounded_room_in_memory() {
        let front = Front { room: Semaphore::new(1), ..front().await };
        let body = "x".repeat(3 * UNIT);
        let sent = format!("POST / HTTP/1.1\r\nhost: pipehook\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let answer = says(front, &sent).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("too much comes at once; redeliver later"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_get_a_turn_is_told_to_come_again() {
        let front = Front { turns: Semaphore::new(0), ..front().await };
        let sent = "POST / HTTP/1.1\r\nhost: pipehook\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        let answer = says(front, sent).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_for_as_long_as_load_balancers_use_it_again_and_then_closed() {
        let answers = with_client(front().await, async |mut client, _end| {
            for _ in 0..2 {
                client.write_all(b"GET /healthz HTTP/1.1\r\nhost: pipehook\r\n\r\n").await.unwrap();
                sleep(Duration::from_secs(60)).await;
            }
            all(client).await
        })
        .await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    }

    #[tokio::test(start_paused = true)]
    async fn once_it_ends_a_request_in_flight_has_its_answer_and_an_idle_connection_is_closed() {
        let answer = with_client(front().await, async |mut client, end| {
            client.write_all(b"POST / HTTP/1.1\r\nhost: pipehook\r\ncontent-length: 2\r\n\r\n{").await.unwrap();
            sleep(Duration::from_secs(1)).await;
            end.send(()).unwrap();
            sleep(Duration::from_secs(1)).await;
            client.write_all(b"}").await.unwrap();
            all(client).await
        })
        .await;
        // There is no signature.
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        let answer = with_client(front().await, async |mut client, end| {
            client.write_all(b"GET /healthz HTTP/1.1\r\nhost: pipehook\r\n\r\n").await.unwrap();
            sleep(Duration::from_secs(1)).await;
            end.send(()).unwrap();
            all(client).await
        })
        .await;
        assert!(answer.ends_with("it runs\n"), "{answer}");
    }
}
