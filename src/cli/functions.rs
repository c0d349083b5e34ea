//! Runs the two functions as Lambda does: the webhook behind HTTP, the workers behind the queue.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::pace::Pace;
use crate::local::{FUNCTION_TIMEOUT, Local, QUEUE};
use crate::worker::Worker;

/// The most that Lambda hands to a function (Lambda quotas: synchronous invocation payload).
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// The queue is looked at this often at least, for deliveries come at any time.
const LONGEST_NAP: Duration = Duration::from_millis(10);

/// The running functions. They stop when this is dropped.
pub(super) struct Functions {
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Functions {
    /// Serves the webhook on a port of loopback (0 takes a free one) and feeds the workers from the queue. Must be called
    /// within a `LocalSet`: the workers stay on one thread, as each does on Lambda.
    pub(super) async fn start(port: u16, local: Arc<Local>, pace: Pace) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let service = Router::new().fallback(receive).with_state((local.clone(), pace.clone()));
        let webhook = tokio::spawn(async move {
            // Accepting goes on through errors, so it only ends when the task is aborted.
            drop(axum::serve(listener, service).await);
        });
        let workers = tokio::task::spawn_local(feed(local, pace));
        Ok(Self { address, tasks: [webhook, workers] })
    }

    /// Where deliveries go.
    pub(super) fn webhook_url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn receive(State((local, pace)): State<(Arc<Local>, Pace)>, request: Request) -> Response {
    let _at_work = pace.at_work();
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = http::Request::from_parts(parts, body);
    local.webhook.handle(request).await.map(Body::from)
}

/// Takes batches from the queue and has workers handle them, each batch in a task of its own. A worker that is free is
/// used again, as Lambda does with its environments; where none is, there is another.
async fn feed(local: Arc<Local>, pace: Pace) {
    let mut free: Vec<Worker> = Vec::new();
    let mut batches: JoinSet<Option<Worker>> = JoinSet::new();
    loop {
        while let Some(ended) = batches.try_join_next() {
            free.extend(ended.ok().flatten());
        }
        if let Some(batch) = local.next_batch() {
            let worker = free.pop().unwrap_or_else(|| local.another_worker());
            batches.spawn_local(invoke(local.clone(), pace.clone(), worker, batch));
            continue;
        }
        let next = local.world().next_change();
        let nap = next.map_or(LONGEST_NAP, |next| pace.real_time_until(next));
        tokio::time::sleep(nap.clamp(Duration::from_millis(1), LONGEST_NAP)).await;
    }
}

/// One invocation. It gives the worker back, unless that crashed or ran out of its time: Lambda then starts anew, and
/// the messages come back when their visibility timeout is over.
async fn invoke(local: Arc<Local>, pace: Pace, worker: Worker, batch: Value) -> Option<Worker> {
    let _at_work = pace.at_work();
    let handled = AssertUnwindSafe(local.handle_batch(&worker, &batch)).catch_unwind();
    let problem = match tokio::time::timeout(FUNCTION_TIMEOUT, handled).await {
        Ok(Ok(Ok(()))) => return Some(worker),
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_)) => "it panicked".to_owned(),
        Err(_) => "it ran out of time".to_owned(),
    };
    tracing::error!(problem, "an invocation of the worker failed");
    local.world().settle_mapping(pace.now(), QUEUE, &batch, Err(()));
    None
}
