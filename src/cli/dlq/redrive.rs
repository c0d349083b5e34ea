//! `pipehook dlq redrive`.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use console::style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::words::{Reading, put_back};
use super::{Dead, MOST, only};
use crate::aws::dead_letters::{Letter, MoveStatus};
use crate::cli::Error;
use crate::cli::account::AccountArguments;
use crate::cli::confirm;
use crate::domain::listed::short_id;

/// So often SQS is asked how far a move is.
const EVERY: Duration = Duration::from_millis(500);

/// Characters of a whole id (a UUID).
const WHOLE_ID: usize = 36;

/// What the exit code is after Ctrl-C, as of a shell's.
const INTERRUPTED: u8 = 130;

/// What `dlq redrive` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook dlq redrive 1b2c3d4e\n  pipehook dlq redrive --all --yes\n\n\
                  With --all, SQS moves the messages itself, and Ctrl-C (exit code 130) cancels that. Single ones are \
                  sent to the queue before they are deleted here. Either way none is lost, and what was given up after a \
                  day of failures is tried for a day again.")]
pub(super) struct Arguments {
    /// The messages, by their ids or the first characters of them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<String>,
    /// All of them
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        let dead = Dead::open(&self.account).await?;
        let redriven = if self.all { self.all(&dead).await? } else { self.some(&dead).await? };
        self.print(redriven)
    }

    fn print(&self, redriven: u64) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Redriven {
            redriven: u64,
        }
        let mut out = io::stdout().lock();
        let written = match (self.json, redriven) {
            (true, redriven) => {
                let json = serde_json::to_string(&Redriven { redriven }).map_err(io::Error::from);
                json.and_then(|json| writeln!(out, "{json}"))
            }
            (false, 0) => writeln!(out, "The dead-letter queue is empty."),
            (false, redriven) => {
                writeln!(out, "{} {} on the queue again", style("✓").green(), messages(redriven, "is", "are"))
            }
        };
        written.map_err(Error::Output)
    }

    /// Has SQS move all, and gives how many those were.
    async fn all(&self, dead: &Dead) -> Result<u64, Error> {
        let count = dead.letters.count().await;
        let count = count.map_err(|unread| Error::aws("count the dead-letter queue", unread))?;
        if count == 0 {
            return dead.none_in_flight().await.map(|()| 0);
        }
        confirm::ask(&format!("Redrive {}?", messages(count, "", "").trim_end()), self.yes)?;
        let started = dead.letters.start_move().await;
        let handle = started.map_err(|unread| Error::aws("redrive the dead-letter queue", unread))?;
        let bar = bar(count);
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        let moved = tokio::select! {
            moved = follow(dead, &bar) => moved,
            _ = &mut interrupted => {
                bar.finish_and_clear();
                let cancelled = dead.letters.cancel_move(&handle).await;
                cancelled.map_err(|unread| Error::aws("cancel the redrive, which goes on at SQS", unread))?;
                // Nobody reads standard error where this fails.
                let _ = writeln!(io::stderr(), "pipehook: cancelled; what was put back so far stays there");
                return Err(Error::Said { code: INTERRUPTED });
            }
        };
        bar.finish_and_clear();
        moved
    }

    /// Puts single ones back, and gives how many.
    async fn some(&self, dead: &Dead) -> Result<u64, Error> {
        if !self.yes {
            let letters = dead.look(MOST).await?;
            let chosen = self.chosen(&letters)?;
            let lines =
                chosen.iter().map(|letter| format!("\n  {} {}", short_id(&letter.id), Reading::of(letter).what));
            let count = messages(chosen.len() as u64, "", "");
            confirm::ask(&format!("Redrive {}?{}\n", count.trim_end(), lines.collect::<String>()), false)?;
        }
        // The beginning of an id may be of several, so all have to be seen.
        let are_there = |letters: &[Letter]| {
            self.ids.iter().all(|id| id.len() == WHOLE_ID && letters.iter().any(|letter| letter.id == *id))
        };
        let taken = dead.take(MOST, are_there).await?;
        let chosen = match self.chosen(&taken) {
            Ok(chosen) => chosen,
            Err(error) => {
                dead.letters.release(&taken).await;
                return Err(error);
            }
        };
        let is_chosen = |letter: &&Letter| chosen.iter().any(|chosen| chosen.id == letter.id);
        let others: Vec<Letter> = taken.iter().filter(|letter| !is_chosen(letter)).cloned().collect();
        dead.letters.release(&others).await;
        let mut redriven = 0;
        for (place, letter) in chosen.iter().enumerate() {
            let body = put_back(letter, dead.clock.now());
            if let Err(unread) = dead.letters.put_back(letter, &body).await {
                let left: Vec<Letter> = chosen[place..].iter().map(|letter| (*letter).clone()).collect();
                dead.letters.release(&left).await;
                let doing = format!("redrive {}, after {redriven} of {}", short_id(&letter.id), chosen.len());
                return Err(Error::aws(doing, unread));
            }
            redriven += 1;
        }
        Ok(redriven)
    }

    /// The messages that are meant, each once.
    fn chosen<'a>(&self, letters: &'a [Letter]) -> Result<Vec<&'a Letter>, Error> {
        let mut chosen: Vec<&Letter> = Vec::new();
        for id in &self.ids {
            let letter = only(letters, id)?;
            if !chosen.iter().any(|other| other.id == letter.id) {
                chosen.push(letter);
            }
        }
        Ok(chosen)
    }
}

/// Follows a move to its end.
async fn follow(dead: &Dead, bar: &ProgressBar) -> Result<u64, Error> {
    loop {
        let going = dead.letters.newest_move().await;
        let going = going.map_err(|unread| Error::aws("ask how the redrive goes, which goes on at SQS", unread))?;
        if let Some(of) = going.of {
            bar.set_length(of);
        }
        bar.set_position(going.moved);
        match going.status {
            MoveStatus::Running => tokio::time::sleep(EVERY).await,
            MoveStatus::Completed => return Ok(going.moved),
            MoveStatus::Cancelled => {
                let moved = messages(going.moved, "was", "were");
                return Err(Error::Run(format!("somebody has cancelled the redrive; {moved} put back before")));
            }
            MoveStatus::Failed(why) => {
                let moved = messages(going.moved, "was", "were");
                return Err(Error::Run(format!("SQS has given the redrive up: {why}; {moved} put back before")));
            }
        }
    }
}

/// `1 message is`, `3 messages are`.
fn messages(count: u64, one: &str, more: &str) -> String {
    match count {
        1 => format!("1 message {one}"),
        count => format!("{count} messages {more}"),
    }
}

fn bar(count: u64) -> ProgressBar {
    let is_terminal = io::stderr().is_terminal();
    let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    // The template parses; were it ever to stop doing so, the plain look does.
    let look = ProgressStyle::with_template("  {bar:32.cyan/dim} {pos} of {len}");
    let look = look.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─");
    let bar = ProgressBar::with_draw_target(Some(count), target);
    bar.set_style(look);
    bar
}
