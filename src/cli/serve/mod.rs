//! `pipehook serve`: both functions in one ordinary process, against the real AWS and GitHub.
//!
//! They are the functions' own handlers. What Lambda does around them is done here: the webhook's HTTP, the worker's
//! batches, deadlines, and what becomes of messages that were not done.

mod environment;
mod health;
mod http;
mod inbox;
mod poller;
mod ready;

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use aws_config::SdkConfig;
use clap::{Args, ValueEnum};
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;

use super::Error;
use super::account::{Account, AccountArguments, mending};
use super::signals::Signals;
use crate::aws::{Patience, with_patience};
use crate::clock::Clock;
use crate::queue::Queue;
use crate::settings::{Function, SettingsStore};
use crate::webhook::Webhook;
use crate::worker::Worker;
use environment::Environment;
use health::Health;
use http::Front;
use inbox::Inbox;
use poller::{Pollers, Times};
use ready::Readiness;

/// What `serve` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pipehook serve                             beside a tunnel that leads to http://127.0.0.1:8080
  pipehook serve --listen 0.0.0.0:8080       in a container, behind a load balancer
  pipehook serve --only worker --workers 8   on a machine that nothing from outside reaches

Configuration, secret, token and queue come from the functions' variables (PIPEHOOK_CONFIG, PIPEHOOK_CONFIG_PARAMETER, …),
and where these are not set, from the stack. It speaks plain HTTP. GET /healthz is 200 while it runs; GET /readyz is 200
while it can work, and 503 with the reason otherwise and while it shuts down. docs/serve.md has the rest.

It ends on SIGTERM or Ctrl-C, once what is in flight is over. Exit codes: 0 when it ended so; 1 when it could not begin, or
was told to end a second time; 2 for wrong arguments.")]
pub(super) struct Arguments {
    /// Where to listen; from outside of this machine it is reached only where this says so
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Run one of the two functions, and leave the other to Lambda or another process
    #[arg(long, value_name = "FUNCTION", value_enum)]
    only: Option<Only>,
    /// Batches of up to ten messages that are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// How long what is in flight has when it is told to end; ECS gives 30 s before it kills
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = seconds)]
    grace: Duration,
    /// How to log, on standard error; without it, text on a terminal and JSON elsewhere. RUST_LOG says how much
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Take deliveries
    Webhook,
    /// Work on what is queued
    Worker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// What runs, once it is known that it can.
struct Ready {
    listener: TcpListener,
    webhook: Option<Rc<Webhook>>,
    worker: Option<Rc<Worker>>,
    fresh_worker: Box<dyn Fn() -> Worker>,
    inbox: Rc<Inbox>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Error> {
    log(arguments.log_format);
    let mut signals = Signals::listen();
    let times = Times::within(arguments.grace);
    let ready = tokio::select! {
        ready = prepare(&arguments, times) => ready?,
        () = signals.next() => return Ok(()),
    };
    let (end, ending) = watch::channel(None);
    let health = Rc::new(Health::default());
    let address = ready.listener.local_addr().map_err(|cause| Error::Listen { address: arguments.listen, cause })?;
    let Ready { listener, webhook, worker, fresh_worker, inbox } = ready;
    tracing::info!(
        address = %address,
        webhook = webhook.is_some(),
        workers = if worker.is_some() { arguments.workers } else { 0 },
        queue = inbox.url(),
        "listening"
    );

    let readiness = Readiness {
        health: health.clone(),
        webhook: webhook.clone(),
        worker: worker.clone(),
        inbox: worker.is_none().then(|| inbox.clone()),
        looked: Mutex::new(None),
    };
    let mut polling = JoinSet::new();
    if let Some(worker) = worker {
        let worker = RefCell::new(worker);
        let pollers = Pollers { inbox, worker, fresh: fresh_worker, health: health.clone(), times, ending };
        let pollers = Rc::new(pollers);
        for number in 0..usize::from(arguments.workers) {
            polling.spawn_local(pollers.clone().run(number));
        }
    }
    let (polled, all_polled) = tokio::sync::oneshot::channel::<()>();
    let front = Rc::new(Front::new(webhook, readiness));
    let close = all_polled.map(drop).shared();
    let serving = tokio::task::spawn_local(http::serve(listener, front, close));

    signals.next().await;
    tracing::info!(grace_s = arguments.grace.as_secs(), "asked to end; what is in flight is finished");
    health.end();
    end.send_replace(Some(Instant::now() + arguments.grace));
    let finish = async {
        while polling.join_next().await.is_some() {}
        // Until here deliveries are still taken: whoever sends them may not know yet that this ends, and GitHub does not
        // try again. What was taken is on the queue.
        drop(polled);
        // That the task panicked could only mean that there is nothing left to wait for.
        drop(serving.await);
    };
    tokio::select! {
        finished = tokio::time::timeout(arguments.grace, finish) => {
            match finished {
                Ok(()) => tracing::info!("ended"),
                Err(_) => tracing::warn!("the grace is over; messages that were being worked on come back to the queue"),
            }
            Ok(())
        }
        () = signals.next() => Err(Error::Cut),
    }
}

/// Finds everything, and sees that it is usable: what is wrong from the beginning is told at once, not to the first push.
async fn prepare(arguments: &Arguments, times: Times) -> Result<Ready, Error> {
    let functions: &[Function] = match arguments.only {
        None => &[Function::Webhook, Function::Worker],
        Some(Only::Webhook) => &[Function::Webhook],
        Some(Only::Worker) => &[Function::Worker],
    };
    let address = arguments.listen;
    let listener = TcpListener::bind(address).await.map_err(|cause| Error::Listen { address, cause })?;
    let account = arguments.account.open().await?;
    let environment = Rc::new(Environment::read(&account, functions).await?);
    let inbox = queue(&account, &environment, times).await?;

    let sdk_config = account.sdk_config();
    let webhook = functions.contains(&Function::Webhook).then(|| Rc::new(webhook(sdk_config, &environment)));
    if let Some(webhook) = &webhook {
        check("webhook", &webhook.settings).await?;
        let settings = webhook.settings.get().await;
        if settings.is_ok_and(|settings| settings.webhook_secrets.is_empty()) {
            let cause = "the secret is empty, so that every delivery would be refused".to_owned();
            return Err(Error::Settings { function: "webhook", cause, mending: "" });
        }
    }
    let fresh_worker = {
        let (sdk_config, environment) = (sdk_config.clone(), environment.clone());
        Box::new(move || worker(&sdk_config, &environment))
    };
    let worker = functions.contains(&Function::Worker).then(|| Rc::new(fresh_worker()));
    if let Some(worker) = &worker {
        check("worker", &worker.settings).await?;
    }
    Ok(Ready { listener, webhook, worker, fresh_worker, inbox: Rc::new(inbox) })
}

/// The queue, once it has said what it is.
async fn queue(account: &Account, environment: &Environment, times: Times) -> Result<Inbox, Error> {
    let url = environment.queue_url.clone();
    let inbox = Inbox::new(account.sdk_config(), url.clone(), times.poll);
    let nature = inbox.nature().await.map_err(|unread| Error::aws(format!("read the queue {url}"), unread))?;
    if !nature.has_dead_letters {
        tracing::warn!(
            queue = url,
            "the queue has no dead-letter queue: a message that can't be read comes back for days"
        );
    }
    // As Lambda has it of an event source mapping: what comes back while it is worked on would be worked on twice.
    match nature.visibility {
        Some(visibility) if visibility <= times.batch => {
            let (visibility, batch) = (visibility.as_secs(), times.batch.as_secs());
            let problem = format!(
                "its visibility timeout is {visibility} s, and must be longer than the {batch} s that a batch may take"
            );
            Err(Error::Queue { url, problem })
        }
        _ => Ok(inbox.named(nature)),
    }
}

fn webhook(sdk_config: &SdkConfig, environment: &Environment) -> Webhook {
    let sdk_config = with_patience(sdk_config, Patience::WEBHOOK);
    let clock = Clock::system();
    let settings = SettingsStore::new(&sdk_config, Function::Webhook, clock.clone(), &|name| environment.get(name));
    Webhook { settings, queue: Queue::new(&sdk_config, environment.queue_url.clone()), clock }
}

fn worker(sdk_config: &SdkConfig, environment: &Environment) -> Worker {
    let sdk_config = with_patience(sdk_config, Patience::WORKER);
    let clock = Clock::system();
    let settings = SettingsStore::new(&sdk_config, Function::Worker, clock.clone(), &|name| environment.get(name));
    let queue = Queue::new(&sdk_config, environment.queue_url.clone());
    Worker::new(&sdk_config, settings, queue, clock)
}

async fn check(function: &'static str, settings: &SettingsStore) -> Result<(), Error> {
    ready::usable(settings).await.map_err(|cause| {
        let mending = mending(&cause);
        Error::Settings { function, cause, mending }
    })
}

fn log(format: Option<LogFormat>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,pipehook=info"));
    let format = format.unwrap_or(if io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json });
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // One that is there already is as good.
    let _ = match format {
        LogFormat::Text => subscriber.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}

/// `--grace`: whole seconds, or minutes.
fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(seconds @ 1..=3_600) => Ok(Duration::from_secs(seconds)),
        _ => Err("it must be from 1s to 60m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_some_seconds_or_minutes() {
        assert_eq!(seconds("25s"), Ok(Duration::from_secs(25)));
        assert_eq!(seconds("90"), Ok(Duration::from_secs(90)));
        assert_eq!(seconds("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["0s", "61m", "-1s", "1h", "s", "", "1.5s", "18446744073709551615m"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
