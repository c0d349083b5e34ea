//! The webhooks at GitHub: that each repository has one that leads here, and what has become of its deliveries.

use std::time::Duration;

use super::deployment::Deployment;
use super::finding::Finding;
use super::token::{github_of_worker, repositories};
use crate::cli::account::Account;
use crate::cli::hub::token_of_person;
use crate::cli::webhook::{leads_to_the_same, newest_of_each};
use crate::clock::Clock;
use crate::config::{Config, ReportAs};
use crate::domain::event::RepositoryName;
use crate::domain::route::PullRequests;
use crate::github::transport::Transport;
use crate::github::{AppHook, Attempt, DeliveriesOf, GitHub, GitHubError, Hook};

/// Deliveries of this long are looked at.
const WHILE: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks at the App's webhook, or with the person's token at those of the repositories.
pub(super) async fn check(account: &Account, deployment: &Deployment) -> Vec<Finding> {
    let link = "webhooks";
    let (config, url) = match (&deployment.config, &deployment.webhook_url) {
        (Ok(config), Ok(url)) => (config, url),
        (Err(why), _) | (_, Err(why)) => return vec![Finding::not_checked(link, why)],
    };
    let mut findings = Vec::new();
    if let Some(worker) = github_of_worker(account, config).await.filter(GitHub::is_app) {
        let (finding, leads_here) = of_app(&worker, url).await;
        match (leads_here, config.github.report) {
            (true, _) => {
                findings.push(finding);
                findings.push(judge_deliveries(
                    "deliveries of the App's webhook",
                    worker.attempts(&DeliveriesOf::App, WHILE).await.map(|attempts| attempts.attempts),
                    "--app",
                ));
                return findings;
            }
            // Buttons come by no other webhook than the App's.
            (false, ReportAs::Checks) => findings.push(finding),
            (false, ReportAs::Statuses) => {}
        }
    }
    let Some(token) = token_of_person() else {
        let why = "it takes a token of somebody who administers the repositories";
        findings.push(Finding::not_checked_unless(link, why, "GH_TOKEN=$(gh auth token) pipehook doctor"));
        return findings;
    };
    let github = match GitHub::new(&config.github.api_url, Some(&token), &Transport::Network, Clock::system()) {
        Ok(github) => github,
        Err(error) => {
            findings.push(Finding::unasked(link, &error));
            return findings;
        }
    };
    for repository in repositories(config) {
        findings.extend(of_repository(&github, repository, url, config).await);
    }
    findings
}

/// What is to be said of an App's webhook, and whether it leads here.
async fn of_app(worker: &GitHub, url: &str) -> (Finding, bool) {
    let link = "the App's webhook";
    let page = "the App's page at GitHub, General, Webhook";
    match worker.app_hook().await {
        // Whose credentials they are has been said where the worker's token was looked at.
        Err(error) if error.needs_mending() => {
            (Finding::not_checked(link, "GitHub does not take the App's JWT"), false)
        }
        Err(error) => (Finding::unasked(link, &error), false),
        Ok(None) => {
            let problem = "it has none: buttons of check runs do nothing";
            (Finding::wrong(link, problem, format!("{page}: {url}, with the webhook's secret")), false)
        }
        Ok(Some(AppHook { url: own, .. })) if !leads_to_the_same(&own, url) => {
            let problem = format!("it leads to {own}, not to {url}: buttons of check runs do nothing");
            (Finding::wrong(link, problem, page), false)
        }
        Ok(Some(AppHook { has_secret: false, .. })) => {
            (Finding::wrong(link, "it has no secret: nothing that it delivers is accepted", page), true)
        }
        Ok(Some(AppHook { insecure_ssl: true, .. })) => {
            (Finding::warning(link, "GitHub does not check the certificate", format!("{page}: SSL verification")), true)
        }
        Ok(Some(_)) => (Finding::ok(link, "it leads here, with a secret"), true),
    }
}

async fn of_repository(github: &GitHub, repository: &RepositoryName, url: &str, config: &Config) -> Vec<Finding> {
    let link = format!("webhook of {repository}");
    let install = format!("pipehook webhook install --repo {repository}");
    let mut hooks = match github.hooks(repository).await {
        Ok(hooks) => hooks,
        Err(error @ GitHubError::NoAccess { .. }) => {
            let mending = "set GH_TOKEN to a token of somebody who administers it: fine-grained, with Webhooks read and \
                           write; classic, with the scope admin:repo_hook";
            let GitHubError::NoAccess { why, .. } = error else { return Vec::new() };
            return vec![Finding::not_checked_unless(link, format!("the token may not see them: {why}"), mending)];
        }
        Err(error @ GitHubError::Unauthorized(_)) => {
            return vec![Finding::not_checked_unless(
                link,
                error.to_string(),
                "GH_TOKEN=$(gh auth token) pipehook doctor",
            )];
        }
        Err(error) => return vec![Finding::unasked(link, &error)],
    };
    hooks.retain(|hook| leads_to_the_same(&hook.url, url));
    let Some(hook) = hooks.iter().find(|hook| hook.active).or(hooks.first()) else {
        return vec![Finding::wrong(link, format!("none leads to {url}: no push gets here"), install)];
    };
    let mut findings = vec![judge_hook(&link, hook, &events(config, repository), &install)];
    if hooks.iter().filter(|hook| hook.active).count() > 1 {
        let problem = format!("{} lead here: each push is told so often, and starts once", hooks.len());
        let page = format!("keep one: https://github.com/{repository}/settings/hooks");
        findings.push(Finding::warning(&link, problem, page));
    }
    let of = DeliveriesOf::Hook(repository.clone(), hook.id);
    let attempts = github.attempts(&of, WHILE).await.map(|attempts| attempts.attempts);
    let which = format!("--repo {repository}");
    findings.push(judge_deliveries(&format!("deliveries of {repository}"), attempts, &which));
    findings
}

/// The events that the routes of a repository need.
fn events(config: &Config, repository: &RepositoryName) -> Vec<&'static str> {
    let mut own = config.routes.0.iter().filter(|route| route.repository == *repository);
    let takes_pulls = own.any(|route| !matches!(route.pull_requests, PullRequests::None));
    if takes_pulls { vec!["push", "pull_request"] } else { vec!["push"] }
}

fn judge_hook(link: &str, hook: &Hook, needed: &[&str], install: &str) -> Finding {
    let hears = |event: &str| hook.events.iter().any(|own| own == event || own == "*");
    let wrong = |problem: &str| Finding::wrong(link, problem, install);
    if !hook.active {
        return wrong("it is not active: GitHub delivers nothing");
    }
    if !hook.has_secret {
        return wrong("it has no secret: nothing that it delivers is accepted");
    }
    if let Some(missing) = needed.iter().find(|event| !hears(event)) {
        return wrong(&format!("it does not hear of {missing}, which a route needs"));
    }
    if hook.insecure_ssl {
        return wrong("GitHub does not check the certificate of the URL: somebody between could read along");
    }
    if hook.content_type != "json" {
        let problem = format!(
            "it delivers as {}, which is taken, and reaches Lambda's limit sooner than JSON",
            hook.content_type
        );
        return Finding::warning(link, problem, install);
    }
    Finding::ok(link, format!("it is active, leads here, and delivers {} as JSON", hook.events.join(", ")))
}

/// What has become of the deliveries of a while. A delivery that failed and was delivered again is none that failed.
fn judge_deliveries(link: &str, attempts: Result<Vec<Attempt>, GitHubError>, which: &str) -> Finding {
    let attempts = match attempts {
        Ok(attempts) => attempts,
        Err(error) => return Finding::unasked(link, &error),
    };
    let newest = newest_of_each(&attempts);
    let failed = newest.iter().filter(|attempt| !attempt.is_accepted()).count();
    let redeliver = format!("pipehook webhook redeliver {which} --since 24h");
    match newest.first() {
        None => Finding::ok(link, "none within the last day"),
        Some(_) if failed == 0 => Finding::ok(link, format!("all {} of the last day were accepted", newest.len())),
        Some(last) if !last.is_accepted() => {
            let mending = match last.status_code {
                401 => format!("GitHub's webhook has another secret: `pipehook webhook install`; then {redeliver}"),
                _ => format!("mend what is said at the webhook above, then {redeliver}"),
            };
            let (status, code) = (&last.status, last.status_code);
            let problem =
                format!("the last one failed, with {code} {status}; {failed} of {} in the last day did", newest.len());
            Finding::wrong(link, problem, mending)
        }
        Some(_) => {
            let problem = format!("not accepted within the last day: {failed} of {}", newest.len());
            Finding::warning(link, problem, redeliver)
        }
    }
}
