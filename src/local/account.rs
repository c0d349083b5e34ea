//! What stands in the account before anything happens, and the functions in it.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};

use serde_json::{Value, json};

use super::{DEAD_LETTERS, FUNCTION_TIMEOUT, QUEUE, Setup};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::queue::Queue;
use crate::settings::{Function, SettingsStore};
use crate::standin::{ACCOUNT, FunctionSpec, MappingSpec, QueueSpec, REGION, RuleSpec, World, connection_arn};
use crate::webhook::Webhook;
use crate::worker::Worker;

/// A message's time out of sight, and how often it may be received, as the template sets them.
const VISIBILITY: Duration = Duration::from_secs(180);
pub(crate) const MAX_RECEIVES: u32 = 5;

/// GitHub waits 10 s for an answer, and the webhook has no longer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// The stack as which pipehook would have been deployed.
pub const STACK: &str = "pipehook";

// As the template names them in a stack called `pipehook`: what the functions were seen to ask for is held against the
// roles that it gives them.
const CONFIG_PARAMETER: &str = "/pipehook/config";
const SECRET_PARAMETER: &str = "/aws/reference/secretsmanager/pipehook-webhook";
const TOKEN_PARAMETER: &str = "/aws/reference/secretsmanager/pipehook-github-token";

// The names that CloudFormation would give.
pub(crate) const WEBHOOK_FUNCTION: &str = "pipehook-Webhook-8XjT0yq3fWkA";
pub(crate) const WORKER_FUNCTION: &str = "pipehook-Worker-2b9QmLr7sDxC";
pub(crate) const EVENT_RULE: &str = "pipehook-PipelineEvents-5KcN1vHt6gZB";

/// The queues, the event rule, the functions, the parameters and the token.
pub(crate) fn set_up(world: &mut World, now: Timestamp, github_api_url: &str, setup: &Setup<'_>) {
    let queues = world.queues();
    queues.create(QueueSpec::new(DEAD_LETTERS));
    let queue = QueueSpec::new(QUEUE).visibility(VISIBILITY).redrive(DEAD_LETTERS, MAX_RECEIVES);
    queues.create(queue.policy(&queue_policy().to_string()));
    world.pipelines().send_events_to(QUEUE, Duration::from_millis(500));
    world.github().add_token(setup.github_token, "octocat");
    put_config(world, now, &config(github_api_url, setup.routes));
    put_github_token(world, now, setup.github_token);
    put_webhook_secret(world, now, setup.webhook_secret);
}

/// That EventBridge may send what the rule is about.
fn queue_policy() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "EventsOfThePipelines",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn(),
        "Condition": {"ArnEquals": {"aws:SourceArn": format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{EVENT_RULE}")}},
    }]})
}

fn queue_arn() -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}")
}

/// The functions, what feeds them, and the connection, as who looks at the account sees them.
fn put_functions(world: &mut World, queue_url: &str) {
    let function = |name, timeout| {
        FunctionSpec::new(name)
            .timeout(timeout)
            .variable("PIPEHOOK_CONFIG_PARAMETER", CONFIG_PARAMETER)
            .variable("PIPEHOOK_QUEUE_URL", queue_url)
    };
    let webhook = function(WEBHOOK_FUNCTION, WEBHOOK_TIMEOUT);
    let worker = function(WORKER_FUNCTION, FUNCTION_TIMEOUT);
    let functions = world.functions();
    functions.create(webhook.variable("PIPEHOOK_WEBHOOK_SECRET_PARAMETER", SECRET_PARAMETER).with_public_url());
    functions.create(worker.variable("PIPEHOOK_GITHUB_TOKEN_PARAMETER", TOKEN_PARAMETER).recursive());
    functions.mappings.push(MappingSpec::new(WORKER_FUNCTION, &queue_arn()));
    let about = ["Pipeline", "Stage", "Action"].map(|what| format!("CodePipeline {what} Execution State Change"));
    let pattern = json!({"source": ["aws.codepipeline"], "detail-type": about});
    world.rules().create(RuleSpec::new(EVENT_RULE, pattern).target(&queue_arn()));
    world.connections().set(&connection_arn(), "AVAILABLE");
}

/// What the stack tells of itself, where the tool looks for names and addresses.
pub(crate) fn put_stack(world: &mut World, now: Timestamp, queue_url: &str, dead_letters_url: &str) {
    let stacks = world.stacks();
    stacks.create(now, STACK);
    for (logical, kind, physical) in [
        ("Configuration", "AWS::SSM::Parameter", CONFIG_PARAMETER),
        ("Queue", "AWS::SQS::Queue", queue_url),
        ("DeadLetters", "AWS::SQS::Queue", dead_letters_url),
        ("Webhook", "AWS::Lambda::Function", WEBHOOK_FUNCTION),
        ("Worker", "AWS::Lambda::Function", WORKER_FUNCTION),
        ("PipelineEvents", "AWS::Events::Rule", EVENT_RULE),
    ] {
        stacks.set_resource(STACK, logical, kind, physical);
    }
    stacks.set_output(STACK, "ConfigurationParameter", CONFIG_PARAMETER);
    stacks.set_output(STACK, "Queue", queue_url);
    stacks.set_output(STACK, "DeadLetters", dead_letters_url);
    put_functions(world, queue_url);
}

/// A configuration with these routes; what stands in front of the first one belongs to `[github]`.
pub(crate) fn config(github_api_url: &str, routes: &str) -> String {
    format!("[github]\napi_url = \"{github_api_url}\"\n{routes}")
}

pub(crate) fn put_config(world: &mut World, now: Timestamp, config: &str) {
    world.parameters().put(now, CONFIG_PARAMETER, config);
}

pub(crate) fn put_webhook_secret(world: &mut World, now: Timestamp, secret: &str) {
    world.parameters().put_secret(now, secret_name(SECRET_PARAMETER), secret);
}

pub(crate) fn put_github_token(world: &mut World, now: Timestamp, token: &str) {
    world.parameters().put_secret(now, secret_name(TOKEN_PARAMETER), token);
}

/// The function that receives deliveries, as after a cold start.
pub(crate) fn webhook(sdk_config: &SdkConfig, queue_url: &str, clock: &Clock) -> Webhook {
    let own = signed_as(sdk_config, "webhook");
    let settings = settings(&own, Function::Webhook, clock);
    Webhook { settings, queue: Queue::new(&own, queue_url.to_owned()), clock: clock.clone() }
}

/// The function behind the queue, as after a cold start.
pub(crate) fn worker(sdk_config: &SdkConfig, queue_url: &str, clock: &Clock) -> Worker {
    let own = signed_as(sdk_config, "worker");
    let settings = settings(&own, Function::Worker, clock);
    Worker::new(&own, settings, Queue::new(&own, queue_url.to_owned()), clock.clone())
}

fn settings(sdk_config: &SdkConfig, function: Function, clock: &Clock) -> SettingsStore {
    let env = |name: &str| {
        let value = match name {
            "PIPEHOOK_CONFIG_PARAMETER" => CONFIG_PARAMETER,
            "PIPEHOOK_WEBHOOK_SECRET_PARAMETER" => SECRET_PARAMETER,
            "PIPEHOOK_GITHUB_TOKEN_PARAMETER" => TOKEN_PARAMETER,
            _ => return None,
        };
        Some(value.to_owned())
    };
    SettingsStore::new(sdk_config, function, clock.clone(), &env)
}

/// With credentials of a function's own, as each has those of its role: the journal tells by them who called.
fn signed_as(sdk_config: &SdkConfig, function: &'static str) -> SdkConfig {
    let credentials = Credentials::new(function, "stand-in", None, None, "stand-in");
    sdk_config.to_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

fn secret_name(parameter: &str) -> &str {
    parameter.trim_start_matches("/aws/reference/secretsmanager/")
}
