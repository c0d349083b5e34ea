//! The whole system on one machine: the functions' own handlers between stand-ins for AWS and GitHub.
//!
//! The clock is handed in. The tool lets it run, faster where it is asked to; tests set it to whenever something
//! happens next.

pub mod sample;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::aws::{Patience, loader};
use crate::clock::Clock;
use crate::queue::Queue;
use crate::settings::{Function, SettingsStore};
use crate::standin::{QueueSpec, REGION, Server, World};
use crate::webhook::Webhook;
use crate::worker::Worker;

/// Name of the queue between the functions.
pub const QUEUE: &str = "pipehook";

/// Name of the queue for what can't be handled.
pub const DEAD_LETTERS: &str = "pipehook-dead-letters";

/// A function's time and a message's time out of sight, as the template sets them.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(30);
const VISIBILITY: Duration = Duration::from_secs(180);
const MAX_RECEIVES: u32 = 5;

// As the template names them in a stack called `pipehook`: what the functions were seen to ask for is held against the
// roles that it gives them.
const CONFIG_PARAMETER: &str = "/pipehook/config";
const SECRET_PARAMETER: &str = "/aws/reference/secretsmanager/pipehook-webhook";
const TOKEN_PARAMETER: &str = "/aws/reference/secretsmanager/pipehook-github-token";

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
        {
            let mut world = lock(&world);
            let queues = world.queues();
            queues.create(QueueSpec::new(DEAD_LETTERS));
            queues.create(QueueSpec::new(QUEUE).visibility(VISIBILITY).redrive(DEAD_LETTERS, MAX_RECEIVES));
            world.pipelines().send_events_to(QUEUE, Duration::from_millis(500));
            world.github().add_token(setup.github_token, "octocat");
            let now = clock.now();
            let config = format!("[github]\napi_url = \"{}\"\n{}", server.github_api_url(), setup.routes);
            world.parameters().put(now, CONFIG_PARAMETER, &config);
            world.parameters().put_secret(now, secret_name(TOKEN_PARAMETER), setup.github_token);
            world.parameters().put_secret(now, secret_name(SECRET_PARAMETER), setup.webhook_secret);
        }
        let (webhook, worker) = functions(&sdk_config, &server, &clock);
        Ok(Self { world, server, sdk_config, clock, webhook, worker })
    }

    /// The stand-ins' state, to be looked at and scripted.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
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
        let config = format!("[github]\napi_url = \"{}\"\n{routes}", self.server.github_api_url());
        self.put_config(&config);
    }

    /// Changes the whole configuration, right or wrong.
    pub fn put_config(&self, config: &str) {
        let now = self.clock.now();
        self.world().parameters().put(now, CONFIG_PARAMETER, config);
    }

    pub fn put_webhook_secret(&self, secret: &str) {
        let now = self.clock.now();
        self.world().parameters().put_secret(now, secret_name(SECRET_PARAMETER), secret);
    }

    pub fn put_github_token(&self, token: &str) {
        let now = self.clock.now();
        self.world().parameters().put_secret(now, secret_name(TOKEN_PARAMETER), token);
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

fn secret_name(parameter: &str) -> &str {
    parameter.trim_start_matches("/aws/reference/secretsmanager/")
}

fn functions(sdk_config: &SdkConfig, server: &Server, clock: &Clock) -> (Webhook, Worker) {
    let env = |name: &str| {
        let value = match name {
            "PIPEHOOK_CONFIG_PARAMETER" => CONFIG_PARAMETER,
            "PIPEHOOK_WEBHOOK_SECRET_PARAMETER" => SECRET_PARAMETER,
            "PIPEHOOK_GITHUB_TOKEN_PARAMETER" => TOKEN_PARAMETER,
            _ => return None,
        };
        Some(value.to_owned())
    };
    let settings = |sdk_config, function| SettingsStore::new(sdk_config, function, clock.clone(), &env);
    let queue = |sdk_config| Queue::new(sdk_config, server.queue_url(QUEUE));
    let own = &signed_as(sdk_config, "webhook");
    let webhook = Webhook { settings: settings(own, Function::Webhook), queue: queue(own), clock: clock.clone() };
    let own = &signed_as(sdk_config, "worker");
    let worker = Worker::new(own, settings(own, Function::Worker), queue(own), clock.clone());
    (webhook, worker)
}

/// With credentials of a function's own, as each has those of its role: the journal tells by them who called.
fn signed_as(sdk_config: &SdkConfig, function: &'static str) -> SdkConfig {
    let credentials = Credentials::new(function, "stand-in", None, None, "stand-in");
    sdk_config.to_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

async fn sdk_config(endpoint: &str) -> SdkConfig {
    loader(Patience::WORKER)
        .endpoint_url(endpoint)
        .region(Region::from_static(REGION))
        .http_client(Builder::new().build_http())
        .load()
        .await
}
