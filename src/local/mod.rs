//! The whole system on one machine: the functions' own handlers between stand-ins for AWS and GitHub.
//!
//! The clock is handed in. The tool lets it run, faster where it is asked to; tests set it to whenever something
//! happens next.

pub(crate) mod account;
pub mod sample;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_lambda_events::sqs::SqsEvent;
use aws_smithy_http_client::Builder;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

pub use self::account::STACK;
use crate::aws::{Patience, loader};
use crate::clock::Clock;
use crate::standin::{REGION, Server, World};
use crate::webhook::Webhook;
use crate::worker::Worker;

/// Name of the queue between the functions.
pub const QUEUE: &str = "pipehook";

/// Name of the queue for what can't be handled.
pub const DEAD_LETTERS: &str = "pipehook-dead-letters";

/// A function's time, as the template sets it.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The system, set up and empty.
pub struct Local {
    world: Arc<Mutex<World>>,
    server: Server,
    sdk_config: SdkConfig,
    clock: Clock,
    pub webhook: Webhook,
    pub worker: Worker,
}

/// What the functions are set up with.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// The routes of the configuration, in TOML; `[github]` is put in front of them.
    pub routes: &'a str,
    pub webhook_secret: &'a str,
    pub github_token: &'a str,
}

impl Local {
    /// Starts the stand-ins on a port of loopback (0 takes a free one) and sets up the functions against them.
    ///
    /// # Errors
    /// Where the port can't be had.
    pub async fn start(port: u16, clock: Clock, setup: &Setup<'_>) -> std::io::Result<Self> {
        let world = Arc::new(Mutex::new(World::new(clock.now(), 1)));
        let standins_clock = clock.clone();
        let server = Server::start_on(port, world.clone(), move || standins_clock.now())?;
        let sdk_config = sdk_config(&server.aws_endpoint()).await;
        account::set_up(&mut lock(&world), clock.now(), &server.github_api_url(), setup);
        let (queue, dead_letters) = (server.queue_url(QUEUE), server.queue_url(DEAD_LETTERS));
        account::put_stack(&mut lock(&world), clock.now(), &queue, &dead_letters);
        let (webhook, worker) = functions(&sdk_config, &server, &clock);
        Ok(Self { world, server, sdk_config, clock, webhook, worker })
    }

    /// The stand-ins' state, to be looked at and scripted.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Tells the stack where the webhook is served.
    pub fn put_webhook_url(&self, url: &str) {
        self.world().stacks().set_output(STACK, "WebhookUrl", url);
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Replaces both functions by new ones, as a cold start does: nothing that they had in memory is left.
    pub fn restart_functions(&mut self) {
        (self.webhook, self.worker) = functions(&self.sdk_config, &self.server, &self.clock);
    }

    /// A second worker beside the first: Lambda runs as many as there is to do.
    pub fn another_worker(&self) -> Worker {
        functions(&self.sdk_config, &self.server, &self.clock).1
    }

    /// Changes the configuration's routes; the functions see it once theirs is five minutes old.
    pub fn put_routes(&self, routes: &str) {
        self.put_config(&account::config(&self.server.github_api_url(), routes));
    }

    /// Changes the whole configuration, right or wrong.
    pub fn put_config(&self, config: &str) {
        account::put_config(&mut self.world(), self.clock.now(), config);
    }

    pub fn put_webhook_secret(&self, secret: &str) {
        account::put_webhook_secret(&mut self.world(), self.clock.now(), secret);
    }

    pub fn put_github_token(&self, token: &str) {
        account::put_github_token(&mut self.world(), self.clock.now(), token);
    }

    /// The next batch for the worker, as the event source mapping gives it; `None` where no message is visible.
    pub fn next_batch(&self) -> Option<Value> {
        let now = self.clock.now();
        let mut world = self.world();
        world.advance(now);
        world.poll_mapping(now, QUEUE, 10)
    }

    /// Has a worker handle a batch, and takes what it says to the queue.
    ///
    /// # Errors
    /// Where the stand-in's batch is not one that the worker's runtime could read, which would be the stand-in's fault.
    pub async fn handle_batch(&self, worker: &Worker, batch: &Value) -> Result<(), serde_json::Error> {
        let event: SqsEvent = serde_json::from_value(batch.clone())?;
        let response = worker.handle(event, FUNCTION_TIMEOUT).await;
        let response = serde_json::to_value(response)?;
        let now = self.clock.now();
        self.world().settle_mapping(now, QUEUE, batch, Ok(&response));
        Ok(())
    }

    /// Delivers a payload to the webhook, signed as GitHub does.
    pub async fn deliver(&self, delivery: &str, event: &str, payload: &str, secret: &str) -> http::Response<String> {
        let request = signed_request(delivery, event, payload, secret);
        match request {
            Ok(request) => self.webhook.handle(request).await,
            Err(error) => {
                let mut response = http::Response::new(error.to_string());
                *response.status_mut() = http::StatusCode::BAD_REQUEST;
                response
            }
        }
    }
}

/// A delivery as GitHub sends it.
///
/// # Errors
/// Where delivery or event hold what no header can.
pub fn signed_request(
    delivery: &str,
    event: &str,
    payload: &str,
    secret: &str,
) -> Result<http::Request<Bytes>, http::Error> {
    http::Request::post("/")
        .header("content-type", "application/json")
        .header("user-agent", "GitHub-Hookshot/pipehook")
        .header("x-github-delivery", delivery)
        .header("x-github-event", event)
        .header("x-hub-signature-256", sign(secret, payload.as_bytes()))
        .body(Bytes::copy_from_slice(payload.as_bytes()))
}

/// The signature of a body, as GitHub writes it.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    // A panic elsewhere is that place's failure; the state is as good as it was.
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn functions(sdk_config: &SdkConfig, server: &Server, clock: &Clock) -> (Webhook, Worker) {
    let queue = server.queue_url(QUEUE);
    (account::webhook(sdk_config, &queue, clock), account::worker(sdk_config, &queue, clock))
}

async fn sdk_config(endpoint: &str) -> SdkConfig {
    loader(Patience::WORKER)
        .endpoint_url(endpoint)
        .region(Region::from_static(REGION))
        .http_client(Builder::new().build_http())
        // The stand-in's answers tell its own time, which is no error of the functions' clocks.
        .disable_clock_skew_correction(true)
        .load()
        .await
}
