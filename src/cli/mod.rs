//! The command-line tool: the whole system on one machine, and help with setting it up.

#[allow(dead_code)] // The commands that use it come one by one.
mod account;
mod config;
mod delivery;
mod demo;
mod dev;
mod explain;
mod functions;
mod generate;
#[allow(dead_code)] // As above.
mod hub;
mod pace;
mod places;
mod show;
mod simulate;

use std::io;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

use crate::config::ConfigError;
use crate::github::GitHubError;

/// GitHub webhook to CodePipeline to commit statuses, on one machine.
#[derive(Debug, Parser)]
#[command(name = "pipehook", version, about, long_about = LONG_ABOUT, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const LONG_ABOUT: &str = "\
GitHub webhook to CodePipeline to commit statuses, on one machine.

Both functions run as they do on Lambda, between stand-ins for AWS and GitHub that listen on loopback only. No account, no
token and no network is needed. RUST_LOG=pipehook=info shows the functions' own log on standard error.";

const EXAMPLES: &str = "\
Examples:
  pipehook demo                          six pushes, from the delivery to the last status
  pipehook demo --story rollback         one story: a deploy that ECS rolls back
  pipehook demo --speed 10 --json        the same in seconds, for a script
  pipehook dev                           the system to send deliveries to
  pipehook dev --config pipehook.toml    with your own routes
  pipehook explain push.json             what a delivery would start, and why not more
  pipehook config check                  every mistake in pipehook.toml
  pipehook simulate --seeds 1000         a thousand stories in which everything goes wrong";

#[derive(Debug, Subcommand)]
enum Command {
    /// Tells stories of pushes, and checks that GitHub holds the truth in the end
    Demo(demo::Arguments),
    /// Checks a configuration, and puts it in force
    Config(config::Arguments),
    /// Keeps the system running, for deliveries of your own
    Dev(dev::Arguments),
    /// Says which pipelines a delivery would start, and which filter keeps it from the others
    Explain(explain::Arguments),
    /// Runs stories drawn from seeds, in which everything goes wrong, and checks that every promise is kept
    Simulate(simulate::Arguments),
    /// Prints what makes a shell complete pipehook's commands
    Completions(generate::Completions),
    /// Prints the manual page, or writes one for each command
    Man(generate::Man),
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Standard output does not take what is to be shown.
    #[error("can't write to standard output: {0}")]
    Output(#[source] io::Error),
    /// The port is taken, or may not be had.
    #[error("can't listen on 127.0.0.1:{port}: {cause}; --port takes another one")]
    Port { port: u16, cause: io::Error },
    #[error("can't read {}: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("can't write {}: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("can't read {}: {cause}; --config names the configuration", path.display())]
    ReadConfig { path: PathBuf, cause: io::Error },
    #[error("{0}: {cause}\n`pipehook config check {0}` shows everything that is wrong with it", path.display())]
    Config { path: PathBuf, cause: ConfigError },
    /// What `config check` has shown already.
    #[error("{}: {what}", path.display())]
    Findings { path: PathBuf, what: String },
    /// The parameter is not what it has to be for a configuration.
    #[error("the parameter {name} {problem}")]
    Parameter { name: String, problem: String },
    /// Nobody has said yes.
    #[error("{what}; nothing was changed")]
    Unconfirmed { what: String },
    /// It is no delivery, or not one that can be read.
    #[error("{}: {problem}", path.display())]
    Delivery { path: PathBuf, problem: String },
    #[error("no AWS region: set it with --region, AWS_REGION, or in the profile")]
    NoRegion,
    #[error(
        "no AWS credentials: {0}; set AWS_PROFILE, sign in with `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials(String),
    /// AWS did not do what it was asked to.
    #[error("can't {doing}: {cause}{mending}")]
    Aws { doing: String, cause: String, mending: &'static str },
    #[error("the stack {stack} has no output {output}; is it pipehook's? --stack names another one")]
    NoOutput { stack: String, output: String },
    #[error("no GitHub token: set GH_TOKEN or GITHUB_TOKEN, as in GH_TOKEN=$(gh auth token)")]
    NoGitHubToken,
    /// GitHub did not do what it was asked to.
    #[error("can't {doing}: {cause}")]
    GitHub { doing: String, cause: GitHubError },
    /// What the webhook answered instead of 202.
    #[error("the webhook did not accept the push of {sha}: {answer}")]
    NotAccepted { sha: String, answer: String },
    /// The demo's limit of time is over.
    #[error("it took too long; missing: {}", missing.join("; "))]
    TooLong { missing: Vec<String> },
    /// What GitHub holds in the end and what CodePipeline and ECS did are not the same.
    #[error("GitHub does not hold the truth:{}", listed(.0))]
    NotTrue(Vec<String>),
    /// What the simulation found.
    #[error("a promise was not kept:{}", listed(.0))]
    Breached(Vec<String>),
    #[error("it could not be set up: {0}")]
    SetUp(String),
}

impl Error {
    fn github(doing: impl Into<String>, cause: GitHubError) -> Self {
        Self::GitHub { doing: doing.into(), cause }
    }

    /// What a person is told. Parts of it come from whatever was read: control characters in them would reach the terminal.
    pub fn told(&self) -> String {
        self.to_string().replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "\u{fffd}")
    }

    /// Whether all that is wrong is that nobody reads the output any more, as after `| head`.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn listed(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
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
