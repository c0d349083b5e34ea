//! `pipehook dlq`: what could not be done, why, and putting it back.

mod list;
mod redrive;
mod show;
mod words;

use clap::{Args, Subcommand};

use super::Error;
use super::account::AccountArguments;
use crate::aws::dead_letters::{DeadLetters, Letter};
use crate::aws::moments::Moments;
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::github::moment;

/// The most messages that are looked at. A message can only be read by receiving it.
const MOST: usize = 1_000;

/// What `dlq` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook dlq list\n  pipehook dlq show 1b2c3d4e\n  pipehook dlq redrive 1b2c3d4e\n  \
                  pipehook dlq redrive --all --yes\n\n\
                  A message of SQS can only be read by receiving it. So who looks takes messages out of sight for a moment \
                  and gives them back at once, or, where the tool is killed on the way, after a minute; each look counts \
                  as a receive of the messages that it sees, which has no consequence in a dead-letter queue.\n\n\
                  Exits with 0, and with 1 where the queue can't be read, something is not there, not all could be put \
                  back, or nobody agrees."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists what lies in the dead-letter queue, and why
    List(list::Arguments),
    /// Shows a message in full, without secrets
    Show(show::Arguments),
    /// Puts messages back on the queue, from where they are tried again for a day
    Redrive(redrive::Arguments),
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::List(arguments) => arguments.run().await,
            Command::Show(arguments) => arguments.run().await,
            Command::Redrive(arguments) => arguments.run().await,
        }
    }
}

/// The dead-letter queue of an account.
struct Dead {
    letters: DeadLetters,
    /// Goes as AWS's own.
    clock: Clock,
}

impl Dead {
    async fn open(arguments: &AccountArguments) -> Result<Self, Error> {
        let account = arguments.open().await?;
        let (url, main_url) = (account.dead_letters_url().await?, account.queue_url().await?);
        let moments = Moments::default();
        let letters = DeadLetters::new(account.sdk_config(), &moments, url, main_url);
        Ok(Self { letters, clock: moments.clock() })
    }

    /// Looks at messages, at most `most`, and gives them back.
    async fn look(&self, most: usize) -> Result<Vec<Letter>, Error> {
        let mut letters = self.take(most, |_| false).await?;
        self.letters.release(&letters).await;
        letters.sort_by(|one, other| (one.sent, &one.id).cmp(&(other.sent, &other.id)));
        Ok(letters)
    }

    /// Holds that a queue of which nothing can be had is empty: somebody may look at what is there.
    ///
    /// # Errors
    /// Where somebody does.
    async fn none_in_flight(&self) -> Result<(), Error> {
        let in_flight = self.letters.in_flight().await;
        match in_flight.map_err(|unread| Error::aws("count the dead-letter queue", unread))? {
            0 => Ok(()),
            taken => Err(Error::Run(format!(
                "somebody looks at what is in the dead-letter queue just now ({taken}): try again in a minute"
            ))),
        }
    }

    async fn take(&self, most: usize, enough: impl Fn(&[Letter]) -> bool) -> Result<Vec<Letter>, Error> {
        let taken = self.letters.take(most, enough).await;
        taken.map_err(|unread| Error::aws("read the dead-letter queue", unread))
    }
}

/// The one message that an id or the beginning of one is of.
fn only<'a>(letters: &'a [Letter], given: &str) -> Result<&'a Letter, Error> {
    let mut found = letters.iter().filter(|letter| !given.is_empty() && letter.id.starts_with(given));
    let given = given.escape_debug();
    match (found.next(), found.next()) {
        (Some(letter), None) => Ok(letter),
        (Some(_), Some(_)) => Err(Error::Run(format!("several messages begin with {given}; give more of the id"))),
        (None, _) => Err(Error::Run(format!(
            "no message {given} in the dead-letter queue; `pipehook dlq list` lists what is there"
        ))),
    }
}

/// `2026-01-24 22:03:44`.
fn day_and_time(at: Timestamp) -> String {
    moment::format(at).replace('T', " ").trim_end_matches('Z').to_owned()
}
