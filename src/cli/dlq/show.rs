//! `pipehook dlq show`.

use std::io::{self, Write};

use clap::Args;
use console::style;
use serde::Serialize;

use super::words::{Reading, readable};
use super::{Dead, MOST, day_and_time, only};
use crate::cli::Error;
use crate::cli::account::AccountArguments;
use crate::domain::template::one_line;
use crate::github::moment;

/// What `dlq show` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook dlq show 1b2c3d4e\n  pipehook dlq show 1b2c3d4e --json\n\n\
                  Exits with 0, and with 1 where the message is not there, or the queue can't be read.")]
pub(super) struct Arguments {
    /// The message, by its id or the first characters of it
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

/// A message, for a program.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    kind: &'a str,
    pipeline: Option<&'a str>,
    what: &'a str,
    why: &'a str,
    since: String,
    sent: String,
    tries: u32,
    receives: u32,
    delivery: Option<&'a str>,
    /// The body as people are shown it: secrets are masked, so it need not be JSON any more.
    body: &'a str,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let dead = Dead::open(&self.account).await?;
        let letters = dead.look(MOST).await?;
        let letter = only(&letters, &self.id)?;
        let (read, body) = (Reading::of(letter), readable(&letter.body));
        let mut out = io::stdout().lock();
        let written = if self.json {
            let shown = Shown {
                id: &letter.id,
                kind: read.kind,
                pipeline: read.pipeline.as_deref(),
                what: &read.what,
                why: &read.why,
                since: moment::format(read.since),
                sent: moment::format(letter.sent),
                tries: read.tries,
                receives: letter.receives,
                delivery: read.delivery.as_deref(),
                body: &body,
            };
            serde_json::to_string(&shown).map_err(io::Error::from).and_then(|json| writeln!(out, "{json}"))
        } else {
            let delivery = read.delivery.as_deref().map(one_line);
            let lines = [
                ("what", Some(read.what.clone())),
                ("why", Some(read.why.clone())),
                ("since", Some(format!("{} UTC", day_and_time(read.since)))),
                ("last sent", Some(format!("{} UTC", day_and_time(letter.sent)))),
                ("tries", Some(read.tries.to_string())),
                ("received", Some(format!("{} times, this look included", letter.receives))),
                ("delivery", delivery),
            ];
            let told = lines.into_iter().filter_map(|(name, value)| Some((name, value?)));
            writeln!(out, "{}", style(one_line(&letter.id)).bold())
                .and_then(|()| told.into_iter().try_for_each(|(name, value)| writeln!(out, "  {name:<10} {value}")))
                .and_then(|()| writeln!(out, "\n{body}"))
        };
        written.map_err(Error::Output)
    }
}
