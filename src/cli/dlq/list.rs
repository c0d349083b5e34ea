//! `pipehook dlq list`.

use std::io::{self, Write};

use clap::Args;
use console::{Alignment, pad_str, style};
use serde::Serialize;

use super::words::Reading;
use super::{Dead, MOST, day_and_time};
use crate::aws::dead_letters::Letter;
use crate::cli::Error;
use crate::cli::account::AccountArguments;
use crate::domain::listed::short_id;
use crate::github::moment;

/// What `dlq list` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook dlq list\n  pipehook dlq list --stack pipehook-staging --json\n\n\
                  Exits with 0, whatever lies there, and with 1 where the queue can't be read.")]
pub(super) struct Arguments {
    /// Look at so many messages
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=MOST as i64))]
    limit: u16,
    /// Print JSON, with whole ids
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

/// A message, for a program.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    kind: &'a str,
    pipeline: Option<&'a str>,
    what: &'a str,
    why: &'a str,
    since: String,
    tries: u32,
    receives: u32,
    delivery: Option<&'a str>,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let dead = Dead::open(&self.account).await?;
        let letters = dead.look(usize::from(self.limit)).await?;
        if letters.is_empty() {
            dead.none_in_flight().await?;
        }
        let left = match letters.len() < usize::from(self.limit) {
            true => 0,
            false => {
                let count = dead.letters.count().await;
                let count = count.map_err(|unread| Error::aws("count the dead-letter queue", unread))?;
                count.saturating_sub(letters.len() as u64)
            }
        };
        let read: Vec<(Letter, Reading)> =
            letters.into_iter().map(|letter| (letter.clone(), Reading::of(&letter))).collect();
        let mut out = io::stdout().lock();
        let written = if self.json {
            let rows: Vec<_> = read.iter().map(row).collect();
            serde_json::to_string(&rows).map_err(io::Error::from).and_then(|json| writeln!(out, "{json}"))
        } else if read.is_empty() {
            writeln!(out, "The dead-letter queue is empty.")
        } else {
            let more = (left > 0).then(|| format!("about {left} more; --limit shows more of them"));
            table(&read).into_iter().chain(more).try_for_each(|line| writeln!(out, "{line}"))
        };
        written.map_err(Error::Output)
    }
}

fn row<'a>((letter, read): &'a (Letter, Reading)) -> Row<'a> {
    Row {
        id: &letter.id,
        kind: read.kind,
        pipeline: read.pipeline.as_deref(),
        what: &read.what,
        why: &read.why,
        since: moment::format(read.since),
        tries: read.tries,
        receives: letter.receives,
        delivery: read.delivery.as_deref(),
    }
}

fn table(read: &[(Letter, Reading)]) -> Vec<String> {
    let heads = ["message", "since (UTC)", "tries", "what"].map(str::to_owned);
    let cells = |(letter, read): &(Letter, Reading)| {
        [short_id(&letter.id).to_owned(), day_and_time(read.since), read.tries.to_string(), read.what.clone()]
    };
    let rows: Vec<_> = read.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain([&heads[column]]);
        cells.map(|cell| console::measure_text_width(cell)).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[String; 4]| -> String {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| pad_str(cell, width + 2, Alignment::Left, None));
        padded.collect()
    };
    let head = style(format!("{}why", line(&heads))).dim().to_string();
    let rows = rows.iter().zip(read).map(|(cells, (_, read))| line(cells) + &read.why);
    std::iter::once(head).chain(rows).collect()
}
