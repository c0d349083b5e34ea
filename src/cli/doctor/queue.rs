//! The queue between the functions, and the one for what failed.

use std::time::Duration;

use super::deployment::Deployment;
use super::finding::{Finding, Known};
use crate::aws::setup::functions::Functions;
use crate::aws::setup::queues::{Queue, queue};
use crate::aws::unread::Unread;
use crate::cli::account::Account;

/// So many times the worker's timeout a message should stay out of sight (Lambda's guide: using Lambda with SQS).
const ADVISED: u32 = 6;

/// A message should be received so often at least before it is given up (as above): some of it is throttling's doing.
const FEWEST_RECEIVES: u64 = 5;

/// More messages than this do not wait where the worker keeps up: they are taken within a second.
const MOST_WAITING: u64 = 100;

/// The worker's timeout in the template, where its own can't be read.
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Looks at both.
pub(super) async fn check(account: &Account, deployment: &Deployment) -> Vec<Finding> {
    let functions = Functions::new(account.sdk_config());
    let (queue, dead_letters, timeout) =
        tokio::join!(read(account, &deployment.queue_url), read(account, &deployment.dead_letters_url), async {
            let name = deployment.worker.as_ref().ok()?;
            Some(functions.get(name).await.ok()??.timeout)
        },);
    vec![
        judge_queue(&queue, &deployment.queue_url, &dead_letters, timeout.unwrap_or(USUAL_TIMEOUT), account),
        judge_dead_letters(&dead_letters),
    ]
}

/// A queue that is looked at: not known where, not to be read, not there, or there.
type Looked = Known<Result<Option<Queue>, Unread>>;

async fn read(account: &Account, url: &Known<String>) -> Looked {
    match url {
        Ok(url) => Ok(queue(account.sdk_config(), url).await),
        Err(why) => Err(why.clone()),
    }
}

fn judge_queue(
    queue: &Looked,
    url: &Known<String>,
    dead_letters: &Looked,
    timeout: Duration,
    account: &Account,
) -> Finding {
    let link = "queue";
    let queue = match queue {
        Err(why) => return Finding::not_checked(link, why),
        Ok(Err(unread)) => return Finding::unread(link, again(unread)),
        Ok(Ok(None)) => return gone(link, "what the webhook accepts has nowhere to go"),
        Ok(Ok(Some(queue))) => queue,
    };
    let url = url.as_deref().unwrap_or_default();
    let set = |attributes: &str| {
        account.command(&format!("sqs set-queue-attributes --queue-url {url} --attributes '{attributes}'"))
    };
    let dead_letters_arn = match dead_letters {
        Ok(Ok(Some(found))) => Some(found.arn.as_str()),
        _ => None,
    };
    let redriven_to = |target: &str| {
        let policy = format!(r#"{{"deadLetterTargetArn":"{target}","maxReceiveCount":5}}"#);
        set(&format!(r#"{{"RedrivePolicy":"{}"}}"#, policy.replace('"', "\\\"")))
    };
    let advised = timeout * ADVISED;
    let visibility = queue.visibility.as_secs();
    match (&queue.redrive, dead_letters_arn) {
        (None, target) => {
            let problem =
                "it has no dead-letter queue: a message that can't be handled comes back for four days, and is lost";
            return Finding::wrong(link, problem, target.map(redriven_to).unwrap_or_else(|| "`sam deploy`".to_owned()));
        }
        (Some(redrive), Some(target)) if redrive.target != target => {
            let problem = format!("what fails goes to {}, and nobody looks there", redrive.target);
            return Finding::wrong(link, problem, redriven_to(target));
        }
        (Some(redrive), _) if redrive.max_receives < FEWEST_RECEIVES => {
            let problem = format!(
                "a message is given up after {} receives, and a worker that is throttled or crashes uses them up",
                redrive.max_receives
            );
            return Finding::warning(link, problem, redriven_to(&redrive.target));
        }
        _ => {}
    }
    if queue.visibility < advised {
        let problem = format!(
            "messages come back after {visibility} s, while a worker that has {} s may still be at them; {} s are advised",
            timeout.as_secs(),
            advised.as_secs()
        );
        return Finding::warning(link, problem, set(&format!(r#"{{"VisibilityTimeout":"{}"}}"#, advised.as_secs())));
    }
    if queue.waiting > MOST_WAITING {
        let problem = format!("{} messages wait: the worker does not keep up, or does not run", queue.waiting);
        return Finding::warning(link, problem, "see the worker below; WorkerConcurrency lets more of them run");
    }
    let receives = queue.redrive.as_ref().map_or(0, |redrive| redrive.max_receives);
    let waiting = queue.waiting;
    Finding::ok(link, format!("messages come back after {visibility} s, {receives} times at most; {waiting} wait"))
}

fn judge_dead_letters(queue: &Looked) -> Finding {
    let link = "dead-letter queue";
    match queue {
        Err(why) => Finding::not_checked(link, why),
        Ok(Err(unread)) => Finding::unread(link, again(unread)),
        Ok(Ok(None)) => gone(link, "what fails is lost"),
        Ok(Ok(Some(Queue { waiting: 0, .. }))) => Finding::ok(link, "it is empty"),
        Ok(Ok(Some(Queue { waiting, .. }))) => {
            let lie = if *waiting == 1 { "1 message lies".to_owned() } else { format!("{waiting} messages lie") };
            let mending = "`pipehook dlq list` says what they are, `pipehook dlq redrive` has them tried again";
            Finding::warning(link, format!("{lie} in it: that could not be handled"), mending)
        }
    }
}

/// A queue of which the stack tells and SQS does not know.
fn gone(link: &str, so: &str) -> Finding {
    let mending =
        "it was deleted by hand: delete the stack and deploy it again, or create the queue under its old name";
    Finding::wrong(link, format!("SQS has no such queue: {so}"), mending)
}

/// The same once more, for a finding of its own.
fn again(unread: &Unread) -> Unread {
    match unread {
        Unread::ForNow(why) => Unread::ForNow(why.clone()),
        Unread::ForGood(why) => Unread::ForGood(why.clone()),
    }
}
