//! `pipehook webhook deliveries`: what GitHub has delivered, or could not deliver.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use console::style;
use serde::Serialize;

use super::patience::Patience;
use super::target::{TargetArguments, find};
use crate::cli::Error;
use crate::cli::secret::{SecretSource, SourceParser};
use crate::cli::since::{in_words, since};
use crate::domain::template::one_line;
use crate::github::{Attempt, Attempts, DeliveriesOf, GitHub};

/// What `webhook deliveries` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook webhook deliveries\n  \
                  pipehook webhook deliveries --failed --since 3h\n  \
                  pipehook webhook deliveries --repo octo-org/node-server --json | jq -r .delivery\n  \
                  pipehook webhook deliveries --app --since 2d\n\n\
                  GitHub tells of the past 3 days (a GitHub Enterprise Server of 7). Times are GitHub's, in UTC.\n\
                  Exits with 0 whether or not something has failed, and with 1 where GitHub can't be asked.")]
pub(super) struct Arguments {
    /// Only those whose newest attempt the webhook did not accept
    #[arg(long)]
    failed: bool,
    /// Print JSON, a line for each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: WhichDeliveries,
}

/// Whose deliveries, and from when on.
#[derive(Args, Debug)]
pub(super) struct WhichDeliveries {
    /// How far back, as in 30m, 3h or 2d
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = since)]
    pub(super) since: Duration,
    /// Those of the GitHub App's webhook, in place of the repositories'
    #[arg(long, conflicts_with_all = ["repositories", "url"])]
    app: bool,
    /// Where the App's id and private key are, as JSON: env:NAME, file:PATH, ssm:NAME, or -; without it, where the stack has
    /// them
    #[arg(long, value_name = "SOURCE", value_parser = SourceParser, requires = "app")]
    app_from: Option<SecretSource>,
    #[command(flatten)]
    target: TargetArguments,
}

/// A webhook whose deliveries are meant, as people call it.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) of: DeliveriesOf,
}

impl WhichDeliveries {
    /// The webhooks that are meant, and a client that may ask for their deliveries.
    pub(super) async fn places(&self, patience: &Patience) -> Result<(GitHub, Vec<Place>), Error> {
        let target = self.target.target();
        if self.app {
            let github = target.github_as_app(self.app_from.as_ref()).await?;
            return Ok((github, vec![Place { name: "the App".to_owned(), of: DeliveriesOf::App }]));
        }
        let github = target.github(false).await?;
        let url = target.url().await?;
        let (mut places, mut without) = (Vec::new(), Vec::new());
        for repository in target.repositories().await? {
            let found = find(&github, patience, &repository, &url).await?;
            if found.is_empty() {
                without.push(repository.to_string());
            }
            places.extend(found.into_iter().map(|hook| Place {
                name: repository.to_string(),
                of: DeliveriesOf::Hook(repository.clone(), hook.id),
            }));
        }
        if places.is_empty() {
            return Err(Error::NoWebhook { repositories: without, url });
        }
        for repository in without {
            // The others are told of all the same.
            let _ = writeln!(io::stderr(), "{repository}: no webhook leads to {url}");
        }
        Ok((github, places))
    }

    /// The attempts of a webhook.
    pub(super) async fn attempts(
        &self,
        github: &GitHub,
        patience: &Patience,
        place: &Place,
    ) -> Result<Attempts, Error> {
        let doing = format!("list the deliveries of {}", place.name);
        let listed = patience.ask(doing, async || github.attempts(&place.of, self.since).await).await?;
        if !listed.is_whole {
            let name = &place.name;
            // What was found is of use without the rest.
            let _ = writeln!(io::stderr(), "{name}: only the newest {} attempts were looked at", listed.attempts.len());
        }
        Ok(listed)
    }
}

/// The newest attempt of each delivery, the newest first.
pub(in crate::cli) fn newest_of_each(attempts: &[Attempt]) -> Vec<&Attempt> {
    let mut newest: BTreeMap<&str, &Attempt> = BTreeMap::new();
    for attempt in attempts {
        let known = newest.entry(&attempt.delivery).or_insert(attempt);
        if (attempt.at, attempt.id) > (known.at, known.id) {
            *known = attempt;
        }
    }
    let mut newest: Vec<&Attempt> = newest.into_values().collect();
    newest.sort_by_key(|attempt| std::cmp::Reverse((attempt.at, attempt.id)));
    newest
}

/// The newest attempt of each delivery that was not accepted.
pub(super) fn failed(attempts: &[Attempt]) -> Vec<&Attempt> {
    newest_of_each(attempts).into_iter().filter(|attempt| !attempt.is_accepted()).collect()
}

/// An attempt as it is shown.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Whose webhook.
    webhook: &'a str,
    at: String,
    event: String,
    action: Option<String>,
    status_code: u16,
    status: String,
    /// GitHub's id of the delivery, which its attempts share and pipehook's log names.
    delivery: String,
    /// GitHub's id of the attempt.
    id: u64,
    redelivery: bool,
    accepted: bool,
}

impl<'a> Line<'a> {
    fn of(place: &'a Place, attempt: &Attempt) -> Self {
        Self {
            webhook: &place.name,
            at: attempt.written_at(),
            event: one_line(&attempt.event),
            action: attempt.action.as_deref().map(one_line),
            status_code: attempt.status_code,
            status: one_line(&attempt.status),
            delivery: one_line(&attempt.delivery),
            id: attempt.id,
            redelivery: attempt.is_redelivery,
            accepted: attempt.is_accepted(),
        }
    }
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let patience = Patience::new();
        let (github, places) = self.which.places(&patience).await?;
        let is_one_of_several = places.len() > 1;
        for place in &places {
            let listed = self.which.attempts(&github, &patience, place).await?;
            let chosen = if self.failed { failed(&listed.attempts) } else { listed.attempts.iter().collect() };
            let lines: Vec<Line<'_>> = chosen.into_iter().map(|attempt| Line::of(place, attempt)).collect();
            let mut out = io::stdout().lock();
            if self.json {
                for line in &lines {
                    let line = serde_json::to_string(line).map_err(|error| Error::Output(error.into()))?;
                    writeln!(out, "{line}").map_err(Error::Output)?;
                }
                continue;
            }
            if is_one_of_several {
                writeln!(out, "{}", style(&place.name).bold()).map_err(Error::Output)?;
            }
            self.show(&mut out, &lines).map_err(Error::Output)?;
        }
        Ok(())
    }

    fn show(&self, out: &mut impl io::Write, lines: &[Line<'_>]) -> io::Result<()> {
        if lines.is_empty() {
            let what = if self.failed { "No delivery failed" } else { "Nothing was delivered" };
            return writeln!(out, "{what} in the last {}.", in_words(self.which.since));
        }
        let event = |line: &Line<'_>| match &line.action {
            Some(action) => format!("{} {action}", line.event),
            None => line.event.clone(),
        };
        let widest = |width: usize, line: &Line<'_>| width.max(event(line).chars().count());
        let width = lines.iter().fold("EVENT".len(), widest);
        let heading = format!("{:<20}  {:<width$}  {:<36}  ANSWER", "TIME", "EVENT", "DELIVERY");
        writeln!(out, "{}", style(heading).dim())?;
        for line in lines {
            let mark = if line.accepted { style("✓").green() } else { style("✗").red() };
            let again = if line.redelivery { ", delivered again" } else { "" };
            let Line { at, delivery, status_code, status, .. } = line;
            let answer = if status == "OK" { String::new() } else { format!(" {status}") };
            writeln!(out, "{at:<20}  {:<width$}  {delivery:<36}  {mark} {status_code}{answer}{again}", event(line))?;
        }
        Ok(())
    }
}
