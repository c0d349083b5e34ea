//! The command-line tool: the whole system on one machine, and help with setting it up.

mod account;
mod config;
mod confirm;
mod delivery;
mod demo;
mod dev;
mod dlq;
mod doctor;
mod error;
mod explain;
mod functions;
mod generate;
mod hub;
mod pace;
mod places;
mod replay;
mod runs;
mod secret;
mod serve;
mod show;
mod signals;
mod simulate;
mod since;
mod webhook;

use std::io;

use clap::{Parser, Subcommand};
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

pub use error::Error;

/// Push to GitHub, deploy with AWS CodePipeline, and see every stage on the commit.
#[derive(Debug, Parser)]
#[command(name = "pipehook", version, about, long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const LONG_ABOUT: &str = "\
Push to GitHub, deploy with AWS CodePipeline, and see every stage on the commit.

demo, dev, simulate, explain and config check need nothing but this machine. The other commands ask AWS with the credentials
that the AWS CLI would take, and find pipehook there by its stack (--stack, PIPEHOOK_STACK); GitHub is asked with the token in
GH_TOKEN or GITHUB_TOKEN. Exit codes: 0 it is done, or all is well; 1 it is not; 2 the arguments are wrong; other ones are
told in a command's own help. RUST_LOG=pipehook=info shows the functions' own log on standard error.";

const EXAMPLES: &str = "\
Examples:
  pipehook demo                          six pushes, from the delivery to the last status
  pipehook demo --story rollback         one story: a deploy that ECS rolls back
  pipehook dev                           the system to send deliveries to
  pipehook config check                  every mistake in pipehook.toml
  pipehook explain push.json             what a delivery would start, and why not more
  pipehook doctor                        what is wrong with the deployed one
  pipehook webhook install --repo octo-org/node-server
  pipehook webhook redeliver --since 3h  what the webhook could not take, once more
  pipehook watch node-server             the newest run of a pipeline, as GitHub shows it
  pipehook approve node-server           what waits there for approval
  pipehook dlq list                      what could not be done, and why
  pipehook simulate --seeds 1000         a thousand stories in which everything goes wrong";

/// In the order in which people come to need them.
#[derive(Debug, Subcommand)]
enum Command {
    /// Tells stories of pushes, and checks that GitHub holds the truth in the end
    Demo(demo::Arguments),
    /// Keeps the whole system running on this machine, for deliveries of your own
    Dev(dev::Arguments),
    /// Checks a configuration, and puts it in force
    Config(config::Arguments),
    /// Says which pipelines a delivery would start, and which filter keeps it from the others
    Explain(explain::Arguments),
    /// Looks at each link from a push to what GitHub shows, and says what mends those that are broken
    Doctor(doctor::Arguments),
    /// Sets up the webhook at GitHub, and has GitHub deliver again what was lost
    Webhook(webhook::Arguments),
    /// Signs a delivery and sends it to the webhook, as GitHub would
    Replay(replay::Arguments),
    /// Lists the last runs of a pipeline
    Runs(runs::RunsArguments),
    /// Follows a run in the terminal, in the words in which GitHub shows it
    Watch(runs::WatchArguments),
    /// Approves what waits for approval in a pipeline
    Approve(runs::ApprovalArguments),
    /// Rejects what waits for approval in a pipeline
    Reject(runs::ApprovalArguments),
    /// Runs again what failed in a run
    Retry(runs::RetryArguments),
    /// Stops a run
    Stop(runs::StopArguments),
    /// Looks into the dead-letter queue, and puts messages back
    Dlq(dlq::Arguments),
    /// Runs both functions in this process, against the real AWS and GitHub, without Lambda
    Serve(serve::Arguments),
    /// Runs stories drawn from seeds, in which everything goes wrong, and checks that every promise is kept
    Simulate(simulate::Arguments),
    /// Prints what makes a shell complete pipehook's commands
    Completions(generate::Completions),
    /// Prints the manual page, or writes one for each command
    Man(generate::Man),
}

impl Cli {
    /// Does what the command line asks for.
    ///
    /// # Errors
    /// Where that did not work out, or where what GitHub holds is not the truth.
    pub async fn run(self) -> Result<(), Error> {
        let functions = LocalSet::new();
        match self.command {
            Command::Demo(arguments) => {
                log_to_stderr("pipehook=error");
                functions.run_until(Box::pin(demo::run(arguments))).await
            }
            Command::Dev(arguments) => {
                log_to_stderr("pipehook=warn");
                functions.run_until(Box::pin(dev::run(arguments))).await
            }
            Command::Config(arguments) => Box::pin(arguments.run()).await,
            Command::Explain(arguments) => arguments.run(),
            Command::Doctor(arguments) => Box::pin(arguments.run()).await,
            Command::Webhook(arguments) => Box::pin(arguments.run()).await,
            Command::Replay(arguments) => Box::pin(arguments.run()).await,
            Command::Runs(arguments) => Box::pin(arguments.run()).await,
            Command::Watch(arguments) => Box::pin(arguments.run()).await,
            Command::Approve(arguments) => Box::pin(arguments.run(true)).await,
            Command::Reject(arguments) => Box::pin(arguments.run(false)).await,
            Command::Retry(arguments) => Box::pin(arguments.run()).await,
            Command::Stop(arguments) => Box::pin(arguments.run()).await,
            Command::Dlq(arguments) => Box::pin(arguments.run()).await,
            Command::Serve(arguments) => functions.run_until(Box::pin(serve::run(arguments))).await,
            Command::Completions(arguments) => arguments.run(),
            Command::Man(arguments) => arguments.run(),
            Command::Simulate(arguments) => {
                // It has runtimes of its own, one for each story.
                let told = tokio::task::spawn_blocking(move || arguments.run()).await;
                told.map_err(|error| Error::SetUp(error.to_string()))?
            }
        }
    }
}

fn log_to_stderr(unless_set: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(unless_set));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // One that is there already is as good.
    let _ = subscriber.try_init();
}

/// `--speed`: a number above zero.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn verify_cli() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_speed_is_a_number_above_zero() {
        assert_eq!(speed("2.5"), Ok(2.5));
        for wrong in ["0", "-1", "NaN", "inf", "fast", ""] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
