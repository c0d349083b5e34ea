//! The command-line tool: the whole system on one machine, and help with setting it up.

#[allow(dead_code)] // The commands that use it come one by one.
mod account;
mod confirm;
mod delivery;
mod demo;
mod dev;
mod dlq;
mod doctor;
mod explain;
mod functions;
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
use std::net::SocketAddr;
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
  pipehook doctor                        what is wrong with the deployed one
  pipehook explain push.json             what a delivery would start, and why not more
  pipehook watch node-server             follow the newest run of a pipeline, as GitHub shows it
  pipehook dlq list                      what could not be done, and why
  pipehook replay push.json              sends a delivery to the webhook, as GitHub would
  pipehook webhook install --repo octo-org/node-server
  pipehook webhook redeliver --since 3h  what the webhook could not take, once more
  pipehook serve --listen 0.0.0.0:8080   the functions without Lambda, against the real AWS and GitHub
  pipehook simulate --seeds 1000         a thousand stories in which everything goes wrong";

#[derive(Debug, Subcommand)]
enum Command {
    /// Tells stories of pushes, and checks that GitHub holds the truth in the end
    Demo(demo::Arguments),
    /// Keeps the system running, for deliveries of your own
    Dev(dev::Arguments),
    /// Looks into the dead-letter queue, and puts messages back
    Dlq(dlq::Arguments),
    /// Looks at each link from a push to what GitHub shows, and says what mends those that are broken
    Doctor(doctor::Arguments),
    /// Says which pipelines a delivery would start, and which filter keeps it from the others
    Explain(explain::Arguments),
    /// Approves what waits for approval in a pipeline
    Approve(runs::ApprovalArguments),
    /// Rejects what waits for approval in a pipeline
    Reject(runs::ApprovalArguments),
    /// Runs again what failed in an execution
    Retry(runs::RetryArguments),
    /// Lists the last runs of a pipeline
    Runs(runs::RunsArguments),
    /// Stops an execution
    Stop(runs::StopArguments),
    /// Follows an execution in the terminal, in the words in which GitHub shows it
    Watch(runs::WatchArguments),
    /// Signs a delivery and sends it to the webhook, as GitHub would
    Replay(replay::Arguments),
    /// Runs both functions in this process, against the real AWS and GitHub, without Lambda
    Serve(serve::Arguments),
    /// Runs stories drawn from seeds, in which everything goes wrong, and checks that every promise is kept
    Simulate(simulate::Arguments),
    /// Sets up the webhook at GitHub, and has GitHub deliver again what was lost
    Webhook(webhook::Arguments),
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
    /// The address is taken, is not this machine's, or may not be had.
    #[error("can't listen on {address}: {cause}; --listen takes another address")]
    Listen { address: SocketAddr, cause: io::Error },
    #[error("can't read {}: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("can't write {}: {cause}", path.display())]
    Write { path: PathBuf, cause: io::Error },
    #[error("{}: {cause}", path.display())]
    Config { path: PathBuf, cause: ConfigError },
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
    /// What the functions are told from outside can't be read, or is wrong.
    #[error("can't use the {function}'s settings: {cause}{mending}")]
    Settings { function: &'static str, cause: String, mending: &'static str },
    #[error("the queue {url} can't feed the worker: {problem}")]
    Queue { url: String, problem: String },
    /// Somebody did not want to wait until what was in flight had come to its end.
    #[error("ended at once; messages that were being worked on come back to the queue by themselves")]
    Cut,
    #[error("no GitHub token: set GH_TOKEN or GITHUB_TOKEN, as in GH_TOKEN=$(gh auth token)")]
    NoGitHubToken,
    /// GitHub did not do what it was asked to.
    #[error("can't {doing}: {cause}")]
    GitHub { doing: String, cause: GitHubError },
    /// An execution is not what it would have to be, or is not there.
    #[error("{0}")]
    Run(String),
    /// There is no terminal at which somebody could be asked.
    #[error("nothing was changed: \"{question}\" can only be asked at a terminal; --yes goes on without asking")]
    NotAsked { question: String },
    #[error("nothing was changed")]
    Declined,
    /// All is said, and only the exit code is left to tell.
    #[error("exit code {code}")]
    Said { code: u8 },
    #[error("there is no secret in {from}: {problem}")]
    NoSecret { from: String, problem: String },
    #[error("standard input can't be both the delivery and the secret; --secret-from names another place")]
    StdinTwice,
    #[error("{0} holds a token and no GitHub App's id and private key; --app-from says where they are")]
    NoApp(String),
    #[error("the configuration has no route, so there is no repository; --repo names one")]
    NoRepository,
    #[error("a webhook is only removed from a repository that is named: --repo OWNER/NAME")]
    RepositoryNotNamed,
    #[error("no webhook of {} leads to {url}; `pipehook webhook install` creates it, and --app asks for a GitHub App's", repositories.join(" or "))]
    NoWebhook { repositories: Vec<String>, url: String },
    #[error("the webhook is not as it must be at {}; `pipehook webhook install` mends most", .0.join(", "))]
    WebhookWrong(Vec<String>),
    #[error("the webhook has not accepted GitHub's ping:{}", listed(.0))]
    PingNotAccepted(Vec<String>),
    #[error("{accepted} of {of} deliveries were accepted; once what keeps the others is mended, run it again")]
    NotAllAccepted { accepted: usize, of: usize },
    /// Everything that was asked for before is under way.
    #[error("stopped after {done} of {of} redeliveries: {cause}; run it again, and it goes on with the rest")]
    RedeliveryStopped { done: usize, of: usize, cause: GitHubError },
    #[error("can't deliver to {url}: {cause}")]
    Unreachable { url: String, cause: String },
    /// Of a delivery that was replayed.
    #[error("the webhook did not accept it: {answer}{mending}")]
    Rejected { answer: String, mending: &'static str },
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
    /// What `doctor` has shown, in numbers.
    #[error("something is wrong: {0}")]
    Unwell(String),
    #[error("it could not be set up: {0}")]
    SetUp(String),
}

impl Error {
    fn github(doing: impl Into<String>, cause: GitHubError) -> Self {
        Self::GitHub { doing: doing.into(), cause }
    }

    /// Whether there is nothing left to say.
    pub fn is_said(&self) -> bool {
        self.is_closed_pipe() || matches!(self, Self::Said { .. })
    }

    /// 1 for everything that a command does not document otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Said { code } => *code,
            _ => 1,
        }
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
            Command::Dlq(arguments) => Box::pin(arguments.run()).await,
            Command::Doctor(arguments) => Box::pin(arguments.run()).await,
            Command::Explain(arguments) => arguments.run(),
            Command::Approve(arguments) => Box::pin(arguments.run(true)).await,
            Command::Reject(arguments) => Box::pin(arguments.run(false)).await,
            Command::Retry(arguments) => Box::pin(arguments.run()).await,
            Command::Runs(arguments) => Box::pin(arguments.run()).await,
            Command::Stop(arguments) => Box::pin(arguments.run()).await,
            Command::Watch(arguments) => Box::pin(arguments.run()).await,
            Command::Replay(arguments) => Box::pin(arguments.run()).await,
            Command::Webhook(arguments) => Box::pin(arguments.run()).await,
            Command::Serve(arguments) => functions.run_until(Box::pin(serve::run(arguments))).await,
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
