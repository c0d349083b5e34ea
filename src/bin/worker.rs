//! The Lambda function that the queue feeds.

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use pipehook::aws::{Patience, sdk_config};
use pipehook::clock::Clock;
use pipehook::queue::Queue;
use pipehook::settings::{Function, SettingsStore};
use pipehook::worker::Worker;

/// The function's timeout, as the template sets it.
const TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let sdk_config = sdk_config(Patience::WORKER).await;
    let clock = Clock::system();
    let settings = SettingsStore::from_env(&sdk_config, Function::Worker, clock.clone());
    let queue = Queue::from_env(&sdk_config);
    let worker = Worker::new(&sdk_config, settings, queue, clock);
    let worker = &worker;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        // A deadline in the past is a clock that is wrong, and no reason to do nothing.
        let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or(TIMEOUT);
        Ok::<_, Error>(worker.handle(event.payload, left).await)
    }))
    .await
}
