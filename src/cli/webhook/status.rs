//! `pipehook webhook status`.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use console::style;
use serde::Serialize;

use super::deliveries::newest_of_each;
use super::patience::Patience;
use super::target::{TargetArguments, find};
use crate::cli::Error;
use crate::domain::event::RepositoryName;
use crate::domain::template::one_line;
use crate::github::{DeliveriesOf, GitHub, Hook};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What `webhook status` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook webhook status\n  \
                  pipehook webhook status --repo octo-org/node-server --json\n\n\
                  Nothing is changed. Exits with 0 where the webhook of each repository is as it must be, and with 1 where \
                  one is missing, wrong, or answers with failures.")]
pub(super) struct Arguments {
    /// Print JSON, a line for each repository
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArguments,
}

/// How a repository's webhooks stand.
#[derive(Debug, Serialize)]
struct Standing {
    repository: String,
    webhooks: Vec<Webhook>,
    /// What is not as it must be.
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Webhook {
    id: u64,
    url: String,
    active: bool,
    events: Vec<String>,
    content_type: String,
    secret: bool,
    last_status_code: Option<u16>,
    last_status: Option<String>,
    /// Deliveries of the last day that were accepted, and those that were not, however often they were tried.
    accepted: usize,
    failed: usize,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let target = self.target.target();
        let (github, patience) = (target.github(false).await?, Patience::new());
        let url = target.url().await?;
        let mut wrong = Vec::new();
        for repository in target.repositories().await? {
            let needed = target.events(&repository).await?;
            let standing = Standing::read(&github, &patience, &repository, &url, &needed).await?;
            let mut out = io::stdout().lock();
            let written = if self.json {
                let line = serde_json::to_string(&standing).map_err(io::Error::from);
                line.and_then(|line| writeln!(out, "{line}"))
            } else {
                standing.show(&mut out)
            };
            written.map_err(Error::Output)?;
            if !standing.problems.is_empty() {
                wrong.push(repository.to_string());
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::WebhookWrong(wrong)) }
    }
}

impl Standing {
    async fn read(
        github: &GitHub,
        patience: &Patience,
        repository: &RepositoryName,
        url: &str,
        needed: &[String],
    ) -> Result<Self, Error> {
        let found = find(github, patience, repository, url).await?;
        let (mut webhooks, mut problems) = (Vec::new(), Vec::new());
        for hook in &found {
            let of = DeliveriesOf::Hook(repository.clone(), hook.id);
            let doing = format!("list the deliveries of the webhook {} of {repository}", hook.id);
            let listed = patience.ask(doing, async || github.attempts(&of, DAY).await).await?;
            let newest = newest_of_each(&listed.attempts);
            let accepted = newest.iter().filter(|attempt| attempt.is_accepted()).count();
            let failed = newest.len() - accepted;
            problems.extend(of_hook(hook, needed));
            if failed > 0 {
                problems.push(format!(
                    "{failed} of its deliveries were not accepted; `pipehook webhook redeliver` has them delivered again"
                ));
            }
            webhooks.push(Webhook {
                id: hook.id,
                url: one_line(&hook.url),
                active: hook.active,
                events: hook.events.iter().map(|event| one_line(event)).collect(),
                content_type: one_line(&hook.content_type),
                secret: hook.has_secret,
                last_status_code: hook.last_response.as_ref().map(|(code, _)| *code),
                last_status: hook.last_response.as_ref().map(|(_, text)| one_line(text)),
                accepted,
                failed,
            });
        }
        match found.len() {
            0 => problems.push(format!("no webhook leads to {url}")),
            1 => {}
            several => problems.push(format!("{several} webhooks lead there: everything is told {several} times")),
        }
        Ok(Self { repository: repository.to_string(), webhooks, problems })
    }

    fn show(&self, out: &mut impl io::Write) -> io::Result<()> {
        writeln!(out, "{}", style(&self.repository).bold())?;
        for webhook in &self.webhooks {
            let Webhook { id, url, active, events, content_type, secret, accepted, failed, .. } = webhook;
            let active = if *active { "active" } else { "not active" };
            let secret = if *secret { "with a secret" } else { "without a secret" };
            writeln!(out, "  webhook {id} to {url}")?;
            writeln!(out, "  {active}, for {}, as {content_type}, {secret}", events.join(", "))?;
            match (&webhook.last_status, webhook.last_status_code) {
                (Some(text), Some(code)) => writeln!(out, "  last answer: {code} {text}")?,
                _ => writeln!(out, "  nothing was delivered yet")?,
            }
            writeln!(out, "  deliveries of the last 24 h: {accepted} accepted, {failed} not")?;
        }
        for problem in &self.problems {
            writeln!(out, "  {} {problem}", style("✗").red())?;
        }
        if self.problems.is_empty() {
            writeln!(out, "  {} as it must be", style("✓").green())?;
        }
        Ok(())
    }
}

/// What is not as it must be with a webhook. A form is as good as JSON, only longer.
fn of_hook(hook: &Hook, needed: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut wrong = |is_wrong: bool, text: &str| {
        if is_wrong {
            problems.push(text.to_owned());
        }
    };
    wrong(!hook.active, "it is not active: GitHub delivers nothing");
    wrong(!hook.has_secret, "it has no secret: nothing that it delivers is accepted");
    wrong(hook.insecure_ssl, "GitHub does not check the certificate of the address");
    let hears = |event: &String| hook.events.iter().any(|own| own == event || own == "*");
    for event in needed.iter().filter(|event| !hears(event)) {
        wrong(true, &format!("it does not hear of {event}, which the routes need"));
    }
    match &hook.last_response {
        Some((code, text)) if !(200..300).contains(code) => {
            wrong(true, &format!("its last answer was a failure: {code} {}", one_line(text)));
        }
        _ => {}
    }
    problems
}
