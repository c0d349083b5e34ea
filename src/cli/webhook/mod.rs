//! `pipehook webhook`: the webhook at GitHub, and what GitHub could not deliver to it.

mod deliveries;
mod install;
mod patience;
mod redeliver;
mod remove;
mod status;
mod target;

use clap::{Args, Subcommand};

use super::Error;
pub(super) use deliveries::newest_of_each;
pub(super) use target::{address, leads_to_the_same};

/// What `webhook` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook webhook install --repo octo-org/node-server\n  pipehook webhook status\n  \
                  pipehook webhook deliveries --failed --since 3h\n  pipehook webhook redeliver --since 3h\n\n\
                  The token in GH_TOKEN or GITHUB_TOKEN must be of somebody who administers the repository: a \
                  fine-grained one with Webhooks: Read and write, or a classic one with admin:repo_hook."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Creates or mends the webhook of a repository, and pings it
    Install(install::Arguments),
    /// Says whether the webhook is as it must be
    Status(status::Arguments),
    /// Removes the webhook of a repository
    Remove(remove::Arguments),
    /// Lists what GitHub has delivered, or could not deliver
    Deliveries(deliveries::Arguments),
    /// Has GitHub deliver again what the webhook did not accept
    Redeliver(redeliver::Arguments),
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::Install(arguments) => arguments.run().await,
            Command::Status(arguments) => arguments.run().await,
            Command::Remove(arguments) => arguments.run().await,
            Command::Deliveries(arguments) => arguments.run().await,
            Command::Redeliver(arguments) => arguments.run().await,
        }
    }
}
