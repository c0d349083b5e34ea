//! `pipehook webhook redeliver`: has GitHub deliver again what the webhook did not accept.
//!
//! It can be run again and again: what was accepted since is left alone, and a push that is delivered twice starts its
//! pipelines once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use console::style;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::deliveries::{Place, WhichDeliveries, failed};
use super::patience::{Patience, Pauses};
use crate::cli::Error;
use crate::cli::since::in_words;
use crate::domain::template::one_line;
use crate::domain::time::Timestamp;
use crate::github::{Attempt, GitHub, GitHubError};

/// How long after the last redelivery was asked for its outcome is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many calls in a row without an answer are taken for the end of GitHub's being there.
const MOST_UNANSWERED: usize = 3;

/// What `webhook redeliver` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook webhook redeliver --since 3h\n  \
                  pipehook webhook redeliver --since 2d --dry-run\n  \
                  pipehook webhook redeliver --app --since 3h --json\n\n\
                  Each delivery whose newest attempt failed is delivered once more. It does not ask: a push that is \
                  delivered twice starts once, so it may be run again at any time, and goes on where it was stopped.\n\
                  Exits with 0 once all of them were accepted, and with 1 where some were not.")]
pub(super) struct Arguments {
    /// Only say what would be delivered again
    #[arg(long)]
    dry_run: bool,
    /// How many a minute. GitHub asks for a second between calls that change something, and takes no more than 80 a minute;
    /// a GitHub Enterprise Server has no such limits unless they are turned on
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    per_minute: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: WhichDeliveries,
}

/// A delivery that is to be delivered again.
struct Lost {
    place: usize,
    attempt: Attempt,
}

/// What has come of it all.
#[derive(Debug, Default, Serialize)]
struct Redelivered {
    /// Deliveries whose newest attempt had failed.
    failed: usize,
    /// Those that GitHub was asked to deliver again.
    redelivered: usize,
    /// Those that the webhook has accepted now.
    accepted: usize,
    /// Those that it has not accepted again.
    rejected: Vec<Rejected>,
    /// Ids of deliveries of which GitHub has not told yet what came of them, or that it was not asked for.
    unanswered: Vec<String>,
    /// Ids of deliveries that GitHub knows no more.
    forgotten: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Rejected {
    delivery: String,
    event: String,
    status_code: u16,
    status: String,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let bar = ProgressBar::no_length();
        let patience = Patience::beside(bar.clone());
        let (github, places) = self.which.places(&patience).await?;
        let (mut lost, mut known, mut began) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
        for (place, named) in places.iter().enumerate() {
            let listed = self.which.attempts(&github, &patience, named).await?;
            began.insert(place, listed.asked);
            known.extend(listed.attempts.iter().map(|attempt| attempt.id));
            // In the order in which they were first to be delivered.
            lost.extend(failed(&listed.attempts).into_iter().rev().map(|one| Lost { place, attempt: one.clone() }));
        }
        if self.dry_run || lost.is_empty() {
            return self.say_what_would_be(&places, &lost);
        }
        let redelivery = Redelivery { github: &github, places: &places, patience, bar };
        let (mut came, asked_for, stop) = redelivery.ask_for(&lost, self.pause()).await;
        match stop {
            None => redelivery.wait_for(&asked_for, &known, &began, &mut came).await,
            // GitHub is not there to tell what came of them.
            Some(_) => came.unanswered = asked_for.iter().map(|one| one_line(&one.attempt.delivery)).collect(),
        }
        redelivery.bar.finish_and_clear();
        self.say(&came)?;
        match stop {
            Some(cause) => Err(Error::RedeliveryStopped { done: came.redelivered, of: lost.len(), cause }),
            None if came.accepted + came.forgotten.len() == came.failed => Ok(()),
            None => Err(Error::NotAllAccepted { accepted: came.accepted, of: came.failed }),
        }
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(60) / self.per_minute
    }

    fn say_what_would_be(&self, places: &[Place], lost: &[Lost]) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        if self.json {
            let ids = lost.iter().map(|one| one_line(&one.attempt.delivery)).collect();
            let nothing = Redelivered { failed: lost.len(), unanswered: ids, ..Redelivered::default() };
            let text = serde_json::to_string(&nothing).map_err(|error| Error::Output(error.into()))?;
            return writeln!(out, "{text}").map_err(Error::Output);
        }
        let since = in_words(self.which.since);
        let written = if lost.is_empty() {
            writeln!(out, "No delivery failed in the last {since}; nothing to do.")
        } else {
            let lines = lost.iter().map(|Lost { place, attempt }| {
                let name = places.get(*place).map_or("", |place| place.name.as_str());
                let [event, delivery, status] =
                    [&attempt.event, &attempt.delivery, &attempt.status].map(|text| one_line(text));
                format!("\n  {}  {name}  {event}  {delivery}  {status}", attempt.written_at())
            });
            writeln!(out, "{} would be delivered again:{}", count(lost.len()), lines.collect::<String>())
        };
        written.map_err(Error::Output)
    }

    fn say(&self, came: &Redelivered) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        if self.json {
            let text = serde_json::to_string(came).map_err(|error| Error::Output(error.into()))?;
            return writeln!(out, "{text}").map_err(Error::Output);
        }
        came.show(&mut out, &in_words(self.which.since)).map_err(Error::Output)
    }
}

fn count(deliveries: usize) -> String {
    match deliveries {
        1 => "1 delivery".to_owned(),
        more => format!("{more} deliveries"),
    }
}

impl Redelivered {
    fn show(&self, out: &mut impl io::Write, since: &str) -> io::Result<()> {
        let Self { failed, redelivered, accepted, rejected, unanswered, forgotten } = self;
        writeln!(out, "{} had failed in the last {since}", count(*failed))?;
        writeln!(out, "  {redelivered} delivered again, {accepted} accepted")?;
        for Rejected { delivery, event, status, .. } in rejected {
            writeln!(out, "  {} {event} {delivery} failed again: {status}", style("✗").red())?;
        }
        for delivery in unanswered {
            writeln!(out, "  {} {delivery}: GitHub has not told yet what came of it", style("…").yellow())?;
        }
        for delivery in forgotten {
            writeln!(out, "  {} {delivery} is too old: GitHub knows it no more", style("–").yellow())?;
        }
        Ok(())
    }
}

/// Redeliveries under way.
struct Redelivery<'a> {
    github: &'a GitHub,
    places: &'a [Place],
    patience: Patience,
    bar: ProgressBar,
}

impl Redelivery<'_> {
    /// Asks for each redelivery. Gives those that GitHub has taken, or may have, and why it was stopped.
    async fn ask_for<'a>(
        &self,
        lost: &'a [Lost],
        pause: Duration,
    ) -> (Redelivered, Vec<&'a Lost>, Option<GitHubError>) {
        self.begin(lost.len());
        let mut came = Redelivered { failed: lost.len(), ..Redelivered::default() };
        let (mut asked_for, mut without_answer, mut denied) = (Vec::new(), 0, None);
        for one in lost {
            if !asked_for.is_empty() {
                tokio::time::sleep(pause).await;
            }
            let Some(place) = self.places.get(one.place) else { continue };
            let ask = async || self.github.redeliver(&place.of, one.attempt.id).await;
            match self.patience.call(ask).await {
                Ok(()) => {
                    without_answer = 0;
                    came.redelivered += 1;
                    asked_for.push(one);
                }
                Err(cause @ GitHubError::NoAccess { status: 404, .. }) => {
                    came.forgotten.push(one_line(&one.attempt.delivery));
                    denied = Some(cause);
                }
                Err(cause @ (GitHubError::Uncertain(_) | GitHubError::Unavailable(_))) => {
                    without_answer += 1;
                    if without_answer == MOST_UNANSWERED {
                        return (came, asked_for, Some(cause));
                    }
                    // It may have been taken, which is seen when it is looked for.
                    asked_for.push(one);
                }
                Err(cause) => return (came, asked_for, Some(cause)),
            }
            self.bar.inc(1);
        }
        if asked_for.is_empty() {
            // Where every one is unknown, it is the token that may not ask for them.
            came.forgotten.clear();
            return (came, asked_for, denied);
        }
        (came, asked_for, None)
    }

    fn begin(&self, all: usize) {
        self.bar.set_length(all as u64);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len} delivered again, {eta} left") {
            self.bar.set_style(style);
        }
    }

    /// Waits until GitHub tells what came of each.
    async fn wait_for(
        &self,
        asked_for: &[&Lost],
        known: &BTreeSet<u64>,
        began: &BTreeMap<usize, Timestamp>,
        came: &mut Redelivered,
    ) {
        let mut waiting: Vec<&Lost> = asked_for.to_vec();
        let mut pauses = Pauses::new(PATIENCE);
        while !waiting.is_empty() && pauses.wait().await {
            for (place, named) in self.places.iter().enumerate() {
                let since = began.get(&place).copied().unwrap_or_default();
                let list = async || self.github.attempts_since(&named.of, since).await;
                // Who is not there now may be at the next look.
                let Ok(listed) = self.patience.call(list).await else { continue };
                let new: Vec<&Attempt> =
                    listed.attempts.iter().filter(|attempt| !known.contains(&attempt.id)).collect();
                waiting.retain(|one| {
                    let is_of_it = |attempt: &&&Attempt| attempt.delivery == one.attempt.delivery;
                    let Some(attempt) = new.iter().find(is_of_it).filter(|_| one.place == place) else { return true };
                    came.take(attempt);
                    false
                });
            }
        }
        // Some of which GitHub did not say that it had taken them were seen to arrive.
        came.redelivered = came.redelivered.max(came.accepted + came.rejected.len());
        came.unanswered = waiting.into_iter().map(|one| one_line(&one.attempt.delivery)).collect();
    }
}

impl Redelivered {
    fn take(&mut self, attempt: &Attempt) {
        if attempt.is_accepted() {
            self.accepted += 1;
            return;
        }
        self.rejected.push(Rejected {
            delivery: one_line(&attempt.delivery),
            event: one_line(&attempt.event),
            status_code: attempt.status_code,
            status: one_line(&attempt.status),
        });
    }
}
