//! GitHub's side of deliveries: sends what the stand-in wants to be sent, and tells it what came of that.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::Local;
use crate::standin::DeliveryOutcome;

/// GitHub hangs up after 10 s (docs.github.com, "Best practices for using webhooks").
const TIMEOUT: Duration = Duration::from_secs(10);

/// More of an answer than this is not kept.
const ANSWER_LIMIT: usize = 1024 * 1024;

type Sender = Client<HttpConnector, Full<Bytes>>;

impl Local {
    /// Sends every delivery that waits at the stand-in for GitHub, side by side, and gives their number. Each goes to its
    /// webhook's URL, over plain HTTP.
    pub async fn send_deliveries(&self) -> usize {
        let waiting = self.world().github().take_outgoing();
        if waiting.is_empty() {
            return 0;
        }
        let client: Sender = Client::builder(TokioExecutor::new()).build_http();
        let sent = waiting.into_iter().map(async |delivery| {
            let began = self.clock().now();
            let outcome = send(&client, delivery.request).await;
            let now = self.clock().now();
            self.world().github().settle_outgoing(now, delivery.id, now.since(began), outcome);
        });
        join_all(sent).await.len()
    }
}

async fn send(client: &Sender, request: Request<Bytes>) -> DeliveryOutcome {
    let exchange = async {
        let answer = client.request(request.map(Full::new)).await.ok()?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.ok()?.to_bytes();
        let headers = parts.headers.iter();
        let headers = headers
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Some(DeliveryOutcome::Answered {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    match tokio::time::timeout(TIMEOUT, exchange).await {
        Ok(answered) => answered.unwrap_or(DeliveryOutcome::NoConnection),
        Err(_) => DeliveryOutcome::TimedOut,
    }
}
