//! CodePipeline's events, which make the worker look at once, and tell it of runs that nobody else told it of.

use super::deployment::Deployment;
use super::finding::Finding;
use crate::aws::setup::queues::{Queue, queue};
use crate::aws::setup::rules::{Rule, rule};
use crate::cli::account::Account;

const SOURCE: &str = "aws.codepipeline";

/// Looks at the rule and at what the queue lets it do.
pub(super) async fn check(account: &Account, deployment: &Deployment) -> Vec<Finding> {
    let (link, policy) = ("event rule", "queue's policy");
    let (name, url) = match (&deployment.rule, &deployment.queue_url) {
        (Ok(name), Ok(url)) => (name, url),
        (Err(why), _) | (_, Err(why)) => {
            return vec![Finding::not_checked(link, why), Finding::not_checked(policy, why)];
        }
    };
    let (rule, queue) = tokio::join!(rule(account.sdk_config(), name), queue(account.sdk_config(), url));
    let rule = match rule {
        Ok(Some(rule)) => rule,
        Ok(None) => {
            let problem = format!("EventBridge has no rule {name}: runs that somebody else starts are not told");
            let wrong = Finding::wrong(link, problem, "it was deleted by hand: delete the stack and deploy it again");
            return vec![wrong, Finding::not_checked(policy, "there is no rule")];
        }
        Err(unread) => {
            return vec![Finding::unread(link, unread), Finding::not_checked(policy, "the rule is not known")];
        }
    };
    match queue {
        Ok(Some(queue)) => {
            vec![judge_rule(link, name, &rule, &queue, account), judge_policy(policy, &rule, &queue, url, account)]
        }
        Ok(None) => [link, policy].map(|link| Finding::not_checked(link, "there is no queue")).into(),
        Err(_) => [link, policy].map(|link| Finding::not_checked(link, "the queue can't be read")).into(),
    }
}

fn judge_rule(link: &str, name: &str, rule: &Rule, queue: &Queue, account: &Account) -> Finding {
    if !rule.enabled {
        return Finding::wrong(link, "it is disabled", account.command(&format!("events enable-rule --name {name}")));
    }
    if !rule.sources.iter().any(|source| source == SOURCE) {
        let put = format!("events put-rule --name {name} --event-pattern '{{\"source\":[\"{SOURCE}\"]}}'");
        return Finding::wrong(link, "it is not about CodePipeline's events", account.command(&put));
    }
    if !rule.targets.contains(&queue.arn) {
        let put = format!("events put-targets --rule {name} --targets Id=Queue,Arn={}", queue.arn);
        let found = if rule.targets.is_empty() { "nowhere".to_owned() } else { rule.targets.join(", ") };
        return Finding::wrong(link, format!("it sends to {found}, not to the queue"), account.command(&put));
    }
    Finding::ok(link, "it sends CodePipeline's events to the queue")
}

fn judge_policy(link: &str, rule: &Rule, queue: &Queue, url: &str, account: &Account) -> Finding {
    if queue.takes_from_rule(&rule.arn) {
        return Finding::ok(link, "it lets the rule send");
    }
    let statement = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"events.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"{}","Condition":{{"ArnEquals":{{"aws:SourceArn":"{}"}}}}}}]}}"#,
        queue.arn, rule.arn
    );
    let attributes = format!(r#"{{"Policy":"{}"}}"#, statement.replace('"', "\\\""));
    let set = format!("sqs set-queue-attributes --queue-url {url} --attributes '{attributes}'");
    Finding::wrong(link, "it does not let the rule send: every event is refused", account.command(&set))
}
