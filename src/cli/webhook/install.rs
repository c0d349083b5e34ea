//! `pipehook webhook install`: creates the webhook, or makes what is there what it must be.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use console::style;
use serde::Serialize;

use super::patience::{Patience, Pauses};
use super::target::{Target, TargetArguments, find};
use crate::cli::Error;
use crate::cli::confirm;
use crate::cli::secret::{SecretSource, Signing, SourceParser};
use crate::domain::event::RepositoryName;
use crate::domain::template::one_line;
use crate::github::{Attempt, DeliveriesOf, GitHub, Hook, HookSettings};
use crate::settings::Secret;

/// GitHub hangs up after 10 s, and a delivery may be a while on its way.
const PING_PATIENCE: Duration = Duration::from_secs(30);

/// What `webhook install` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook webhook install --repo octo-org/node-server\n  \
                  pipehook webhook install --yes --json\n  \
                  pipehook webhook install --repo octo-org/node-server --url https://hooks.example.com/ --secret-from \
                  env:SECRET\n\n\
                  It changes the webhook that leads to the address already. While the secret is rotated, GitHub gets the first \
                  line each time, for it does not show which one it has.\n\
                  Exits with 0 once the webhook has accepted a ping, and with 1 where it has not.")]
pub(super) struct Arguments {
    /// Where the secret is: env:NAME, file:PATH, ssm:NAME, or - for standard input; without it, where the stack has it
    #[arg(long, value_name = "SOURCE", value_parser = SourceParser)]
    secret_from: Option<SecretSource>,
    /// The events, several with commas; without it, push and what the routes need, beside what the webhook hears of already
    #[arg(long, value_name = "EVENT", value_delimiter = ',')]
    events: Vec<String>,
    /// Do not ask before something is changed
    #[arg(long, short)]
    yes: bool,
    /// Print JSON, a line for each repository
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// What has become of a repository's webhook.
#[derive(Debug, Serialize)]
struct Installed {
    repository: String,
    webhook: u64,
    url: String,
    events: Vec<String>,
    outcome: Outcome,
    changes: Vec<Change>,
    /// `None` where GitHub has not told yet.
    ping: Option<Ping>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

#[derive(Debug, Serialize)]
struct Change {
    what: &'static str,
    from: String,
    to: String,
}

/// What the webhook made of a ping.
#[derive(Debug, Serialize)]
struct Ping {
    status_code: u16,
    status: String,
    /// Why it was refused, in the function's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Ping {
    fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

/// Installs webhooks that lead to one address and have one secret.
struct Installer<'a> {
    arguments: &'a Arguments,
    github: GitHub,
    patience: Patience,
    url: String,
    secret: Secret,
    /// GitHub may have an older secret that is still good, so that no ping tells.
    is_rotated: bool,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let target = self.target.target();
        let is_in_the_account = self.secret_from.as_ref().is_none_or(SecretSource::is_in_the_account);
        let github = target.github(is_in_the_account).await?;
        let repositories = target.repositories().await?;
        let url = target.url().await?;
        let Signing { secret, is_rotated } = self.secret(&target).await?;
        let installer = Installer { arguments: self, github, patience: Patience::new(), url, secret, is_rotated };
        let mut unanswered = Vec::new();
        for repository in &repositories {
            let needed = target.events(repository).await?;
            let installed = installer.install(repository, &needed).await?;
            let mut out = io::stdout().lock();
            let written = if self.json {
                let line = serde_json::to_string(&installed).map_err(io::Error::from);
                line.and_then(|line| writeln!(out, "{line}"))
            } else {
                installed.show(&mut out)
            };
            written.map_err(Error::Output)?;
            if !installed.ping.as_ref().is_some_and(Ping::is_accepted) {
                unanswered.push(format!("{repository}: {}", mending(installed.ping.as_ref())));
            }
        }
        if unanswered.is_empty() { Ok(()) } else { Err(Error::PingNotAccepted(unanswered)) }
    }

    async fn secret(&self, target: &Target) -> Result<Signing, Error> {
        let source = match &self.secret_from {
            Some(source) => source.clone(),
            None => target.secret_source().await?,
        };
        let account = if source.is_in_the_account() { Some(target.account().await?) } else { None };
        source.read_first(account).await
    }
}

impl Installer<'_> {
    async fn install(&self, repository: &RepositoryName, needed: &[String]) -> Result<Installed, Error> {
        let found = find(&self.github, &self.patience, repository, &self.url).await?;
        let Some(hook) = found.first() else {
            return self.create(repository, needed).await;
        };
        if let Some((_, others)) = found.split_first().filter(|(_, others)| !others.is_empty()) {
            let ids: Vec<_> = others.iter().map(|hook| hook.id.to_string()).collect();
            let ids = ids.join(", ");
            // Whoever reads the output is not to take it for a result.
            let _ = writeln!(
                io::stderr(),
                "{repository} has other webhooks that lead there, and tells everything twice: {ids}; `pipehook webhook \
                 remove --repo {repository} --id ID` removes one"
            );
        }
        let events = self.events(hook, needed);
        let mut changes = self.changes(hook, &events);
        if self.is_rotated && hook.has_secret {
            changes.push(Change {
                what: "secret",
                from: "one of several".to_owned(),
                to: "the first of them".to_owned(),
            });
        }
        if changes.is_empty() {
            let ping = self.ping(repository, hook.id).await?;
            if ping.as_ref().is_none_or(|ping| ping.status_code != 401) {
                return Ok(self.installed(repository, hook, Outcome::Unchanged, changes, ping));
            }
            // GitHub does not show which secret it has, but the webhook has just said that it is another one.
            changes.push(Change { what: "secret", from: "another one".to_owned(), to: "set".to_owned() });
        }
        let listed: Vec<_> = changes.iter().map(ToString::to_string).collect();
        let question = format!("Change the webhook {} of {repository}: {}?", hook.id, listed.join(", "));
        confirm::ask(&question, self.arguments.yes)?;
        let settings = HookSettings { url: &self.url, secret: &self.secret, events: &events };
        let doing = format!("change the webhook {} of {repository}", hook.id);
        let update = async || self.github.update_hook(repository, hook.id, &settings).await;
        let changed = self.patience.ask(doing, update).await?;
        let ping = self.ping(repository, changed.id).await?;
        Ok(self.installed(repository, &changed, Outcome::Updated, changes, ping))
    }

    async fn create(&self, repository: &RepositoryName, needed: &[String]) -> Result<Installed, Error> {
        let events = if self.arguments.events.is_empty() { needed.to_vec() } else { self.arguments.events.clone() };
        let question = format!("Create a webhook of {repository} for {}, to {}?", events.join(", "), self.url);
        confirm::ask(&question, self.arguments.yes)?;
        let settings = HookSettings { url: &self.url, secret: &self.secret, events: &events };
        let doing = format!("create a webhook of {repository}");
        let create = async || self.github.create_hook(repository, &settings).await;
        let hook = self.patience.ask(doing, create).await?;
        // GitHub has pinged it by itself.
        let ping = self.answer_to_ping(repository, hook.id, &BTreeSet::new()).await?;
        Ok(self.installed(repository, &hook, Outcome::Created, Vec::new(), ping))
    }

    /// What the webhook is to hear of: what was asked for, or what is needed beside what it hears of already.
    fn events(&self, hook: &Hook, needed: &[String]) -> Vec<String> {
        if !self.arguments.events.is_empty() {
            return self.arguments.events.clone();
        }
        let hears_all = hook.events.iter().any(|event| event == "*");
        let missing = needed.iter().filter(|event| !hears_all && !hook.events.contains(event));
        hook.events.iter().chain(missing).cloned().collect()
    }

    fn changes(&self, hook: &Hook, events: &[String]) -> Vec<Change> {
        let sorted = |events: &[String]| {
            let events: BTreeSet<&str> = events.iter().map(String::as_str).collect();
            events.into_iter().collect::<Vec<_>>().join(" ")
        };
        let wanted = [
            ("address", hook.url.clone(), self.url.clone()),
            ("content type", hook.content_type.clone(), "json".to_owned()),
            ("secret", set(hook.has_secret).to_owned(), "set".to_owned()),
            ("events", sorted(&hook.events), sorted(events)),
            ("active", yes(hook.active).to_owned(), "yes".to_owned()),
            ("certificate", checked(!hook.insecure_ssl).to_owned(), "checked".to_owned()),
        ];
        let differs = |(what, from, to): (&'static str, String, String)| {
            let from = one_line(&from);
            (from.trim_end_matches('/') != to.trim_end_matches('/')).then_some(Change { what, from, to })
        };
        wanted.into_iter().filter_map(differs).collect()
    }

    /// Pings a webhook and waits for what comes of it.
    async fn ping(&self, repository: &RepositoryName, hook: u64) -> Result<Option<Ping>, Error> {
        let of = DeliveriesOf::Hook(repository.clone(), hook);
        let doing = format!("list the deliveries of the webhook {hook} of {repository}");
        let before =
            self.patience.ask(doing, async || self.github.attempts(&of, Duration::from_secs(60)).await).await?;
        let known = before.attempts.iter().map(|attempt| attempt.id).collect();
        let doing = format!("ping the webhook {hook} of {repository}");
        self.patience.ask(doing, async || self.github.ping_hook(repository, hook).await).await?;
        self.answer_to_ping(repository, hook, &known).await
    }

    async fn answer_to_ping(
        &self,
        repository: &RepositoryName,
        hook: u64,
        known: &BTreeSet<u64>,
    ) -> Result<Option<Ping>, Error> {
        let of = DeliveriesOf::Hook(repository.clone(), hook);
        let doing = format!("list the deliveries of the webhook {hook} of {repository}");
        let mut pauses = Pauses::new(PING_PATIENCE);
        while pauses.wait().await {
            let list = async || self.github.attempts(&of, PING_PATIENCE * 2).await;
            let listed = self.patience.ask(doing.as_str(), list).await?;
            let is_ping = |attempt: &&Attempt| attempt.event == "ping" && !known.contains(&attempt.id);
            let Some(ping) = listed.attempts.iter().find(is_ping) else { continue };
            let reason = match ping.is_accepted() {
                true => None,
                // It only decorates what is known already.
                false => self.github.answer_to(&of, ping.id).await.ok().as_deref().and_then(reason),
            };
            return Ok(Some(Ping { status_code: ping.status_code, status: one_line(&ping.status), reason }));
        }
        Ok(None)
    }

    fn installed(
        &self,
        repository: &RepositoryName,
        hook: &Hook,
        outcome: Outcome,
        changes: Vec<Change>,
        ping: Option<Ping>,
    ) -> Installed {
        let events = hook.events.iter().map(|event| one_line(event)).collect();
        let (repository, url) = (repository.to_string(), one_line(&hook.url));
        Installed { repository, webhook: hook.id, url, events, outcome, changes, ping }
    }
}

fn set(is_set: bool) -> &'static str {
    if is_set { "set" } else { "none" }
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn checked(is_checked: bool) -> &'static str {
    if is_checked { "checked" } else { "not checked" }
}

/// The error in an answer of the function's.
pub(super) fn reason(answer: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    Some(one_line(answer["error"].as_str()?))
}

/// What to do where a ping was not accepted.
fn mending(ping: Option<&Ping>) -> String {
    let Some(ping) = ping else {
        return "GitHub has not said yet what came of the ping; `pipehook webhook status` shows it later".to_owned();
    };
    let hint = match ping.status_code {
        401 => {
            "the function has another secret: one that was changed is in force after five minutes at most, and then \
             `pipehook webhook install` tries again"
        }
        404 => "there is no webhook of pipehook at this address",
        502 | 504 | 0 => "GitHub can't reach it: check the address, and that the stack is there",
        500..=599 => "the function fails: its log says why",
        _ => "is it pipehook's address?",
    };
    format!("{} {}; {hint}", ping.status_code, ping.status)
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} → {}", self.what, self.from, self.to)
    }
}

impl Installed {
    fn show(&self, out: &mut impl io::Write) -> io::Result<()> {
        let Self { repository, webhook, url, events, outcome, changes, ping } = self;
        let name = style(repository).bold();
        match outcome {
            Outcome::Created => {
                writeln!(out, "{name}: webhook {webhook} created, for {}, to {url}", events.join(", "))?;
            }
            Outcome::Unchanged => writeln!(out, "{name}: webhook {webhook} is as it must be, nothing to do")?,
            Outcome::Updated => {
                writeln!(out, "{name}: webhook {webhook} changed")?;
                for change in changes {
                    writeln!(out, "  {change}")?;
                }
            }
        }
        match ping {
            Some(ping) if ping.is_accepted() => {
                writeln!(out, "  {} ping accepted with {}", style("✓").green(), ping.status_code)
            }
            Some(Ping { status, reason, .. }) => {
                let reason = reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
                writeln!(out, "  {} ping not accepted: {status}{reason}", style("✗").red())
            }
            None => writeln!(out, "  {} ping not answered yet", style("…").yellow()),
        }
    }
}
