//! Why a command did not do what it was asked to, in the words that a person reads.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::github::GitHubError;

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
    pub(super) fn github(doing: impl Into<String>, cause: GitHubError) -> Self {
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
