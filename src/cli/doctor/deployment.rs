//! The account, the stack in it, and the configuration: what everything else is found by.

use super::finding::{Finding, Known};
use crate::aws::setup::caller::Caller;
use crate::aws::setup::parameters::parameter;
use crate::aws::stacks::Stack;
use crate::aws::unread::Unread;
use crate::cli::Error;
use crate::cli::account::Account;
use crate::config::{Config, ConfigError, ReportAs};

/// What is looked at, as far as it is known.
pub(super) struct Deployment {
    /// Whether there is a stack, by whose name the secrets are called.
    pub(super) has_stack: bool,
    pub(super) config: Known<Config>,
    pub(super) config_parameter: Known<String>,
    pub(super) webhook_url: Known<String>,
    pub(super) queue_url: Known<String>,
    pub(super) dead_letters_url: Known<String>,
    /// The functions' names.
    pub(super) webhook: Known<String>,
    pub(super) worker: Known<String>,
    /// The name of EventBridge's rule.
    pub(super) rule: Known<String>,
}

/// Looks at the stack and the configuration.
pub(super) async fn check(account: &Account, caller: &Caller) -> (Deployment, Vec<Finding>) {
    let mut findings =
        vec![Finding::ok("AWS account", format!("{} in {}, as {}", caller.account, account.region(), caller.arn))];
    let link = format!("stack {}", account.stack_name());
    let stack = account.stack().await;
    let needs_stack = format!("it needs the stack {}", account.stack_name());
    findings.push(match &stack {
        Ok(stack) => judge_stack(&link, stack, account),
        Err(error) => unread_stack(&link, error, account),
    });
    let resource = |logical: &str| match &stack {
        Ok(stack) => stack.resources.get(logical).cloned().ok_or_else(|| format!("the stack has no {logical}")),
        Err(_) => Err(needs_stack.clone()),
    };
    // A name that the environment gives needs no stack; what is wrong with the stack has been said.
    let named = |found: Result<String, Error>| {
        found.map_err(|error| match error {
            Error::NoOutput { output, .. } => format!("the stack has no output {output}"),
            _ => needs_stack.clone(),
        })
    };
    let config_parameter = named(account.config_parameter().await);
    let (config, finding) = match &config_parameter {
        Ok(name) => configuration(account, name).await,
        Err(why) => (Err("the configuration is not known".to_owned()), Finding::not_checked("configuration", why)),
    };
    findings.push(finding);
    let deployment = Deployment {
        config,
        config_parameter,
        has_stack: stack.is_ok(),
        webhook_url: named(account.webhook_url().await),
        queue_url: named(account.queue_url().await),
        dead_letters_url: named(account.dead_letters_url().await),
        webhook: resource("Webhook"),
        worker: resource("Worker"),
        rule: resource("PipelineEvents"),
    };
    (deployment, findings)
}

/// Statuses of a stack end in `_COMPLETE`, `_FAILED` or `_IN_PROGRESS` (botocore: `StackStatus`).
fn judge_stack(link: &str, stack: &Stack, account: &Account) -> Finding {
    let status = stack.status.as_str();
    if !["Webhook", "Worker", "Queue"].iter().any(|logical| stack.resources.contains_key(*logical)) {
        return Finding::wrong(
            link,
            "it is not pipehook's: it has no Webhook, no Worker, no Queue",
            "--stack names another one",
        );
    }
    let events =
        account.command(&format!("cloudformation describe-stack-events --stack-name {}", account.stack_name()));
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Finding::ok(link, status),
        _ if status.ends_with("_IN_PROGRESS") => {
            Finding::warning(link, format!("{status}: it is being changed"), "run this again when it is done")
        }
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
            Finding::warning(link, format!("{status}: the last deploy was undone"), events)
        }
        _ => Finding::wrong(link, format!("it is {status}"), events),
    }
}

fn unread_stack(link: &str, error: &Error, account: &Account) -> Finding {
    match error {
        // CloudFormation's own word for it.
        Error::Aws { cause, .. } if cause.contains("does not exist") => {
            let problem = format!("there is none of this name in {}", account.region());
            Finding::wrong(
                link,
                problem,
                "`sam deploy --parameter-overrides Repository=OWNER/NAME` makes it; --stack or --region names another one",
            )
        }
        Error::Aws { cause, .. } => Finding::unread(link, Unread::ForGood(cause.clone())),
        other => Finding::wrong(link, other.to_string(), ""),
    }
}

async fn configuration(account: &Account, name: &str) -> (Known<Config>, Finding) {
    let link = format!("configuration {name}");
    let unknown = || Err("the configuration is not known".to_owned());
    match parameter(account.sdk_config(), name).await {
        Err(unread) => (unknown(), Finding::unread(link, unread)),
        Ok(None) => {
            let put = format!("ssm put-parameter --name {name} --type String --value file://pipehook.toml");
            (unknown(), Finding::wrong(link, "there is no such parameter", account.command(&put)))
        }
        Ok(Some(text)) => match Config::parse(text.expose()) {
            Err(error) => (unknown(), judge_mistake(link, &error, name, account)),
            Ok(config) => {
                let finding = judge_config(link, &config);
                (Ok(config), finding)
            }
        },
    }
}

fn judge_mistake(link: String, mistake: &ConfigError, name: &str, account: &Account) -> Finding {
    // The parser draws the line and a mark below it, which is nothing for one line.
    let mistake = mistake.to_string();
    let told: Vec<&str> = mistake.lines().filter(|line| !line.contains(" |")).map(str::trim).collect();
    let mistake = told.join(": ");
    let put = format!("ssm put-parameter --name {name} --overwrite --value file://pipehook.toml");
    Finding::wrong(link, mistake, format!("mend the file, and {}", account.command(&put)))
}

fn judge_config(link: String, config: &Config) -> Finding {
    let routes = &config.routes.0;
    if routes.is_empty() {
        return Finding::wrong(link, "it has no routes, so nothing is ever started", "add a [[route]]");
    }
    let number = if routes.len() == 1 { "1 route".to_owned() } else { format!("{} routes", routes.len()) };
    let report = match config.github.report {
        ReportAs::Statuses => "commit statuses",
        ReportAs::Checks => "check runs",
    };
    Finding::ok(link, format!("{number}, told as {report}"))
}
