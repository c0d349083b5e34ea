//! The connections between the functions and the world: no socket, only time that passes.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use fastrand::Rng;
use futures_util::FutureExt;
use http::{Request, Response};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::sandbox;
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::github::transport::Transport;
use crate::standin::{Answer, World};

/// Where the world answers. Nothing listens there: the port is never opened, for no request leaves the process.
pub(super) const ENDPOINT: &str = "http://127.0.0.1";

/// Methods of requests that tell GitHub something.
const TELLS: [&str; 2] = ["POST", "PATCH"];

/// Everything that reaches the world goes through here, and takes its time.
pub(super) struct Wires {
    world: Mutex<World>,
    began: Instant,
    epoch: Timestamp,
    draw: Mutex<Rng>,
    /// How long a request or its answer is on its way, at most.
    slowest: Duration,
    /// Told whenever a call may have changed the world.
    pub(super) changed: Notify,
}

impl Wires {
    /// Must be called where tokio's clock is paused, from which on time is counted.
    pub(super) fn new(world: World, slowest: Duration, seed: u64) -> Arc<Self> {
        let epoch = world.now();
        let draw = Mutex::new(Rng::with_seed(seed));
        Arc::new(Self { world: Mutex::new(world), began: Instant::now(), epoch, draw, slowest, changed: Notify::new() })
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world's time.
    pub(super) fn now(&self) -> Timestamp {
        self.epoch + self.began.elapsed()
    }

    /// When the world's time is this.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        self.began + at.since(self.epoch)
    }

    /// A machine's clock, which may be ahead of the world's or behind it by so many milliseconds.
    pub(super) fn clock(self: &Arc<Self>, skew: i64) -> Clock {
        let wires = self.clone();
        Clock::from_fn(move || Timestamp::from_millis(wires.now().as_millis().saturating_add_signed(skew)))
    }

    async fn travel(&self) {
        let slowest = self.slowest.as_millis() as u64;
        let lasts = {
            let mut draw = self.draw.lock().unwrap_or_else(PoisonError::into_inner);
            // Most are quick, and a few take long.
            let most = if draw.u8(..) < 32 { slowest } else { slowest / 10 };
            Duration::from_millis(draw.u64(1..=most.max(1)))
        };
        sleep(lasts).await;
    }

    async fn exchange(&self, request: Request<Bytes>) -> io::Result<Response<Bytes>> {
        if TELLS.contains(&request.method().as_str()) && request.uri().path().contains("/repos/") {
            sandbox::is_telling();
        }
        self.travel().await;
        let answer = self.world().handle(self.now(), &request);
        self.changed.notify_one();
        match answer {
            Answer::Respond(response) => {
                self.travel().await;
                Ok(response)
            }
            Answer::Delay(lasts, response) => {
                sleep(lasts).await;
                Ok(response)
            }
            Answer::Hang => {
                let is_silent = self.draw.lock().unwrap_or_else(PoisonError::into_inner).bool();
                if is_silent {
                    // Nobody says that the line is dead: whoever waits has to lose patience.
                    std::future::pending::<()>().await;
                }
                self.travel().await;
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
    }

    /// What octocrab calls in place of its connections.
    pub(super) fn transport(self: &Arc<Self>) -> Transport {
        let wires = self.clone();
        Transport::InProcess(Arc::new(move |request| {
            let wires = wires.clone();
            async move { wires.exchange(request).await }.boxed()
        }))
    }

    /// What AWS's clients call in place of theirs.
    pub(super) fn http_client(self: &Arc<Self>) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(Connector(self.clone()));
        http_client_fn(move |_, _| connector.clone())
    }
}

struct Connector(Arc<Wires>);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wires = self.0.clone();
        HttpConnectorFuture::new(async move {
            let other = |error| ConnectorError::other(error, None);
            let request = request.try_into_http1x().map_err(|error| other(error.into()))?;
            let request = request.map(|body| Bytes::copy_from_slice(body.bytes().unwrap_or_default()));
            let response = wires.exchange(request).await.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from)).map_err(|error| other(error.into()))
        })
    }
}
