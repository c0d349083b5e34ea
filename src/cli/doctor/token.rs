//! What the worker may do at GitHub.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use super::deployment::Deployment;
use super::finding::Finding;
use crate::aws::setup::parameters::parameter;
use crate::cli::account::Account;
use crate::clock::Clock;
use crate::config::{Config, ReportAs};
use crate::domain::event::RepositoryName;
use crate::domain::route::Route;
use crate::github::transport::Transport;
use crate::github::{GitHub, GitHubError, Identity, Installed};
use crate::settings::Secret;

/// What the template puts where no token was given.
const PLACEHOLDER: &str = "not-set-yet";

/// What stands for the two in a command.
const TOKEN: &str = "\"$TOKEN\"";
const CREDENTIALS: &str = "file://app.json";

/// How long before its end a token should be replaced.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

const DAY: u64 = 24 * 60 * 60;

/// So many repositories are asked about at once.
const AT_ONCE: usize = 4;

/// The worker's own client, where its credentials can be had.
pub(super) async fn github_of_worker(account: &Account, config: &Config) -> Option<GitHub> {
    let token = parameter(account.sdk_config(), &account.github_token_parameter()).await.ok()??;
    let token = Secret::new(token.expose().trim());
    GitHub::new(&config.github.api_url, Some(&token), &Transport::Network, Clock::system()).ok()
}

/// Looks at the token, and at what it may do in each repository.
pub(super) async fn check(account: &Account, deployment: &Deployment) -> Vec<Finding> {
    let link = "token";
    let config = match &deployment.config {
        Ok(config) => config,
        Err(why) => return vec![Finding::not_checked(link, why)],
    };
    let name = account.github_token_parameter();
    let token = match parameter(account.sdk_config(), &name).await {
        Ok(Some(token)) => Secret::new(token.expose().trim()),
        Ok(None) => return vec![Finding::wrong(link, format!("there is none at {name}"), put(account, &name, TOKEN))],
        Err(unread) => return vec![Finding::unread(link, unread)],
    };
    if token.expose() == PLACEHOLDER || token.expose().is_empty() {
        return vec![Finding::wrong(link, "it was never set: nothing is told to GitHub", put(account, &name, TOKEN))];
    }
    let kind = if token.expose().starts_with('{') { CREDENTIALS } else { TOKEN };
    let clock = Clock::system();
    let github = match GitHub::new(&config.github.api_url, Some(&token), &Transport::Network, clock.clone()) {
        Ok(github) => github,
        Err(error) => return vec![Finding::wrong(link, error.to_string(), put(account, &name, kind))],
    };
    let identity = github.identity().await;
    let untaken = match &identity {
        Ok(_) => None,
        Err(error) if error.needs_mending() => Some("the token is not taken"),
        Err(_) => Some("GitHub could not be asked"),
    };
    let mut findings = vec![judge_identity(link, identity, &clock, &put(account, &name, kind))];
    findings.extend(judge_kind(config, &github, account, &name));
    if let Some(why) = untaken {
        let unasked = |repository: &RepositoryName| Finding::not_checked(in_repository(repository), why);
        findings.extend(repositories(config).into_iter().map(unasked));
    } else {
        let asked =
            stream::iter(repositories(config)).map(async |repository| of_repository(&github, repository, config).await);
        findings.extend(asked.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().flatten());
    }
    findings
}

/// The command that puts a token, or a file with an App's credentials, where the worker reads it.
fn put(account: &Account, parameter: &str, what: &str) -> String {
    match parameter.strip_prefix("/aws/reference/secretsmanager/") {
        Some(name) => {
            account.command(&format!("secretsmanager put-secret-value --secret-id {name} --secret-string {what}"))
        }
        None => account.command(&format!("ssm put-parameter --name {parameter} --overwrite --value {what}")),
    }
}

/// The repositories of the routes, each once.
pub(super) fn repositories(config: &Config) -> Vec<&RepositoryName> {
    let mut all: Vec<&RepositoryName> = Vec::new();
    for route in &config.routes.0 {
        if !all.contains(&&route.repository) {
            all.push(&route.repository);
        }
    }
    all
}

fn judge_identity(link: &str, identity: Result<Identity, GitHubError>, clock: &Clock, put: &str) -> Finding {
    match identity {
        Ok(Identity::App { slug }) => Finding::ok(link, format!("the GitHub App {slug}")),
        Ok(Identity::Person { login, expires: None }) => Finding::ok(link, format!("{login}'s")),
        Ok(Identity::Person { login, expires: Some(expires) }) => {
            let left = expires.since(clock.now());
            let days = left.as_secs() / DAY;
            let when = if days == 1 { "in 1 day".to_owned() } else { format!("in {days} days") };
            if left > SOON {
                return Finding::ok(link, format!("{login}'s, and expires {when}"));
            }
            let when = if days == 0 { "within a day".to_owned() } else { when };
            let mending = format!("make a new one at GitHub, then {put}");
            Finding::warning(
                link,
                format!("{login}'s, and expires {when}: nothing is told to GitHub from then on"),
                mending,
            )
        }
        // The token is known to be the matter.
        Err(error) if error.needs_mending() => Finding::wrong(link, error.to_string(), put),
        Err(error) => Finding::unasked(link, &error),
    }
}

/// Check runs are an App's alone.
fn judge_kind(config: &Config, github: &GitHub, account: &Account, name: &str) -> Option<Finding> {
    let link = "check runs";
    if config.github.report != ReportAs::Checks || github.is_app() {
        return None;
    }
    let problem = "the configuration says report = \"checks\", and GitHub takes these from a GitHub App alone";
    let mending = format!(
        "report = \"statuses\", or an App's credentials as JSON in place of the token: {}",
        put(account, name, CREDENTIALS)
    );
    Some(Finding::wrong(link, problem, mending))
}

fn in_repository(repository: &RepositoryName) -> String {
    format!("reports in {repository}")
}

async fn of_repository(github: &GitHub, repository: &RepositoryName, config: &Config) -> Vec<Finding> {
    let link = in_repository(repository);
    let deploys = config.github.deployments
        && config.routes.0.iter().any(|route| route.repository == *repository && environment(route).is_some());
    match github.installed(repository).await {
        Ok(Some(installed)) => return judge_installed(&link, &installed, config.github.report, deploys),
        Ok(None) => {}
        Err(GitHubError::NotInstalled { .. }) => {
            let mending = "install it there: the App's page at GitHub, Install App";
            return vec![Finding::wrong(link, "the GitHub App is not installed there", mending)];
        }
        Err(error) => return vec![Finding::unasked(link, &error)],
    }
    vec![match github.try_statuses(repository).await {
        Ok(()) => Finding::ok(link, "commit statuses may be written"),
        Err(GitHubError::NoAccess { status: 404, .. }) => {
            let problem = "GitHub shows the token no such repository";
            let mending = "check the route's repository, and give the token access to it: fine-grained, with Commit \
                           statuses read and write; classic, with the scope repo:status";
            Finding::wrong(link, problem, mending)
        }
        Err(GitHubError::NoAccess { why, .. }) => {
            let mending = "give the token what it takes: fine-grained, Commit statuses read and write, and Deployments \
                           for environments; classic, the scopes repo:status and repo_deployment";
            Finding::wrong(link, format!("commit statuses may not be written: {why}"), mending)
        }
        Err(error) => Finding::unasked(link, &error),
    }]
}

fn environment(route: &Route) -> Option<&str> {
    route.options.environment.as_deref()
}

/// Whether an App may do where it is installed what the configuration asks of it.
fn judge_installed(link: &str, installed: &Installed, report: ReportAs, deploys: bool) -> Vec<Finding> {
    let page = &installed.url;
    if installed.is_suspended {
        return vec![Finding::wrong(link, "the App's installation is suspended", format!("unsuspend it: {page}"))];
    }
    let writes = |area: &str| installed.permissions.get(area).is_some_and(|level| level == "write");
    let needed = match report {
        ReportAs::Statuses => "statuses",
        ReportAs::Checks => "checks",
    };
    let accept =
        format!("ask for it at the App's page, Permissions & events, and accept it where it is installed: {page}");
    if !writes(needed) {
        return vec![Finding::wrong(link, format!("the App may not write {needed} there"), accept)];
    }
    let what = if report == ReportAs::Checks { "check runs" } else { "commit statuses" };
    let mut findings = vec![Finding::ok(link, format!("the App is installed, and may write {what}"))];
    if deploys && !writes("deployments") {
        let problem = "a route names an environment, and the App may not write deployments";
        findings.push(Finding::warning(
            format!("deployments in {}", link.trim_start_matches("reports in ")),
            problem,
            accept,
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    fn judged(installed: &Installed) -> Vec<(String, Verdict)> {
        let findings = judge_installed("reports in octo-org/node-server", installed, ReportAs::Statuses, true);
        findings.into_iter().map(|finding| (finding.link, finding.verdict)).collect()
    }

    #[test]
    fn an_app_that_is_suspended_may_do_nothing() {
        let write = |area: &str| (area.to_owned(), "write".to_owned());
        let permissions = ["statuses", "deployments"].map(write).into();
        let mut installed = Installed { is_suspended: false, permissions, url: String::new() };
        let link = || "reports in octo-org/node-server".to_owned();
        assert_eq!(judged(&installed), [(link(), Verdict::Ok)]);
        installed.permissions.insert("deployments".to_owned(), "read".to_owned());
        assert_eq!(judged(&installed)[1], ("deployments in octo-org/node-server".to_owned(), Verdict::Warning));
        installed.is_suspended = true;
        assert_eq!(judged(&installed), [(link(), Verdict::Wrong)]);
    }
}
