//! The function behind the queue: that it is fed, and may go on.

use super::deployment::Deployment;
use super::finding::{Finding, Known};
use super::webhook::{judge_function, missing};
use crate::aws::setup::functions::{Functions, Mapping};
use crate::aws::setup::queues::queue;
use crate::aws::unread::Unread;
use crate::cli::account::Account;

/// Looks at it.
pub(super) async fn check(account: &Account, deployment: &Deployment) -> Vec<Finding> {
    const LINKS: [&str; 4] = ["worker function", "event source mapping", "recursion", "concurrency"];
    let name = match &deployment.worker {
        Ok(name) => name,
        Err(why) => return LINKS.map(|link| Finding::not_checked(link, why)).into(),
    };
    let functions = Functions::new(account.sdk_config());
    let parameter = account.github_token_parameter();
    let secret = ("PIPEHOOK_GITHUB_TOKEN", parameter.as_str());
    let function = match functions.get(name).await {
        Ok(Some(function)) => judge_function(LINKS[0], name, &function, deployment, secret),
        Ok(None) => {
            let rest = LINKS[1..].iter().map(|link| Finding::not_checked(link, "there is no function"));
            return std::iter::once(missing(LINKS[0], name)).chain(rest).collect();
        }
        Err(unread) => Finding::unread(LINKS[0], unread),
    };
    let (mappings, queue, may_recurse, reserved) = tokio::join!(
        functions.mappings(name),
        queue_arn(account, deployment),
        functions.may_recurse(name),
        functions.reserved(name),
    );
    let mapping = match mappings {
        Ok(mappings) => judge_mappings(LINKS[1], name, &mappings, &queue, account),
        Err(unread) => Finding::unread(LINKS[1], unread),
    };
    let recursion = match may_recurse {
        Ok(true) => Finding::ok(LINKS[2], "it may send itself wake-ups"),
        Ok(false) => {
            let allow = format!("lambda put-function-recursion-config --function-name {name} --recursive-loop Allow");
            let problem =
                "Lambda cuts its chains of wake-ups after about 16: runs of more than some minutes stay pending";
            Finding::wrong(LINKS[2], problem, account.command(&allow))
        }
        Err(unread) => Finding::unread(LINKS[2], unread),
    };
    let concurrency = match reserved {
        Ok(Some(0)) => {
            let delete = format!("lambda delete-function-concurrency --function-name {name}");
            let problem = "0 is reserved for it, so it never runs: somebody has throttled it";
            Finding::wrong(LINKS[3], problem, account.command(&delete))
        }
        Ok(None) => Finding::ok(LINKS[3], "the account's"),
        Ok(Some(reserved)) => Finding::ok(LINKS[3], format!("{reserved} reserved")),
        Err(unread) => Finding::unread(LINKS[3], unread),
    };
    vec![function, mapping, recursion, concurrency]
}

/// The ARN of the queue that is to feed it.
async fn queue_arn(account: &Account, deployment: &Deployment) -> Known<String> {
    let url = deployment.queue_url.as_ref().map_err(String::clone)?;
    match queue(account.sdk_config(), url).await {
        Ok(Some(queue)) => Ok(queue.arn),
        Ok(None) => Err("there is no queue".to_owned()),
        Err(Unread::ForNow(_) | Unread::ForGood(_)) => Err("the queue can't be read".to_owned()),
    }
}

fn judge_mappings(link: &str, name: &str, mappings: &[Mapping], queue: &Known<String>, account: &Account) -> Finding {
    let queue = match queue {
        Ok(queue) => queue,
        Err(why) => return Finding::not_checked(link, why),
    };
    let create = format!(
        "lambda create-event-source-mapping --function-name {name} --event-source-arn {queue} --batch-size 10 \
         --maximum-batching-window-in-seconds 1 --function-response-types ReportBatchItemFailures"
    );
    let Some(mapping) = mappings.iter().find(|mapping| mapping.source == *queue) else {
        return Finding::wrong(link, "nothing hands the queue's messages to the worker", account.command(&create));
    };
    let update = |what: &str| {
        let list =
            format!("lambda list-event-source-mappings --function-name {name} --query 'EventSourceMappings[0].UUID'");
        let uuid = format!("\"$({} --output text)\"", account.command(&list));
        account.command(&format!("lambda update-event-source-mapping --uuid {uuid} {what}"))
    };
    match mapping.state.as_str() {
        "Enabled" if mapping.reports_item_failures => Finding::ok(link, "it is enabled, and takes single failures"),
        "Enabled" => {
            let problem =
                "it does not take single failures (ReportBatchItemFailures): what could not be handled is deleted";
            Finding::wrong(link, problem, update("--function-response-types ReportBatchItemFailures"))
        }
        "Creating" | "Enabling" | "Updating" => {
            Finding::warning(link, format!("it is {}", mapping.state), "run this again in a minute")
        }
        state => Finding::wrong(link, format!("it is {state}: messages wait, and nothing starts"), update("--enabled")),
    }
}
