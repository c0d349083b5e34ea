//! Executions, as a person looks at them and acts on them: `runs`, `watch`, `approve`, `reject`, `retry`, `stop`.

mod approval;
pub(super) mod consent;
mod lately;
mod outcome;
mod retry;
mod stop;
mod watch;

use aws_sdk_ssm::Client as ParameterStore;

pub(super) use self::approval::Arguments as ApprovalArguments;
pub(super) use self::lately::Arguments as RunsArguments;
pub(super) use self::retry::Arguments as RetryArguments;
pub(super) use self::stop::Arguments as StopArguments;
pub(super) use self::watch::Arguments as WatchArguments;

use super::Error;
use super::account::{Account, AccountArguments};
use crate::aws::codepipeline::{CodePipeline, PipelineError};
use crate::aws::moments::Moments;
use crate::aws::unread::Unread;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::event::RepositoryName;
use crate::domain::execution::ExecutionSnapshot;
use crate::domain::listed::{Listed, short_id};
use crate::domain::reading::{Reading, Source};
use crate::domain::report::RunOptions;
use crate::reader::{Extras, Reader};

/// Characters of a whole id (a UUID).
const WHOLE_ID: usize = 36;

/// Fewer characters than this could be of any execution.
const SHORTEST_ID: usize = 4;

/// An abbreviated id is looked for among so many of the newest executions.
const AMONG: usize = 1_000;

/// The pipelines of an account.
pub(super) struct Pipelines {
    account: Account,
    pipelines: CodePipeline,
    reader: Reader,
    /// Goes as AWS's own.
    clock: Clock,
}

impl Pipelines {
    async fn open(arguments: &AccountArguments) -> Result<Self, Error> {
        let account = arguments.open().await?;
        let moments = Moments::default();
        let pipelines = CodePipeline::that_tells_the_time(account.sdk_config(), &moments);
        let clock = moments.clock();
        let reader = Reader::new(account.sdk_config(), pipelines.clone(), clock.clone());
        Ok(Self { account, pipelines, reader, clock })
    }

    /// The newest executions, newest first, at least `most` of them where there are so many.
    async fn newest(&self, pipeline: &str, most: usize) -> Result<Vec<Listed>, Error> {
        let listed = self.pipelines.listed(pipeline, |listed| listed.len() >= most).await;
        listed.map_err(|error| Error::pipeline(format!("list the runs of {pipeline}"), error))
    }

    /// An execution by its id or the beginning of it; without one, the newest.
    async fn find(&self, pipeline: &str, given: Option<&str>) -> Result<Listed, Error> {
        let Some(given) = given else {
            let newest = self.newest(pipeline, 1).await?.into_iter().next();
            return newest.ok_or_else(|| Error::Run(format!("{pipeline} has not run yet")));
        };
        let given = given.to_ascii_lowercase();
        let is_id = |c: char| c.is_ascii_hexdigit() || c == '-';
        if !(SHORTEST_ID..=WHOLE_ID).contains(&given.len()) || !given.chars().all(is_id) {
            return Err(Error::Run(format!(
                "\"{}\" is no execution's id, and not the first {SHORTEST_ID} characters of one; `pipehook runs \
                 {pipeline}` lists them",
                given.escape_debug()
            )));
        }
        let is_it = |listed: &&Listed| listed.id.starts_with(&given);
        let is_whole = given.len() == WHOLE_ID;
        let enough = |listed: &[Listed]| listed.len() >= AMONG || (is_whole && listed.iter().any(|one| is_it(&one)));
        let listed = self.pipelines.listed(pipeline, enough).await;
        let listed = listed.map_err(|error| Error::pipeline(format!("list the runs of {pipeline}"), error))?;
        let mut found = listed.iter().filter(is_it);
        match (found.next(), found.next()) {
            (Some(found), None) => Ok(found.clone()),
            (Some(one), Some(other)) => {
                Err(Error::Run(format!("{given} may be {} or {} of {pipeline}; give more of it", one.id, other.id)))
            }
            (None, _) => Err(Error::Run(format!(
                "{pipeline} has no execution {given}; `pipehook runs {pipeline}` lists the newest"
            ))),
        }
    }

    /// An execution as it stands now, with what is behind its actions.
    async fn read(&self, pipeline: &str, execution: &str) -> Result<Reading, PipelineError> {
        self.reader.read(pipeline, execution, None, &[], Extras::default()).await
    }

    async fn snapshot(&self, pipeline: &str, execution: &str) -> Result<ExecutionSnapshot, Error> {
        let read = self.read(pipeline, execution).await;
        let doing = || format!("read {} of {pipeline}", short_id(execution));
        Ok(read.map_err(|error| Error::pipeline(doing(), error))?.snapshot(ANY_SOURCE))
    }

    /// What the route says that reports the pipeline's executions. The texts are the same without it, but for the name of
    /// the environment, so where it can't be read that is no failure.
    async fn options(&self, pipeline: &str, repository: Option<&RepositoryName>) -> RunOptions {
        match self.config().await {
            Ok(config) => {
                let is_of = |route: &&crate::domain::route::Route| {
                    route.pipeline == pipeline && repository.is_none_or(|repository| *repository == route.repository)
                };
                config.routes.0.iter().find(is_of).map(|route| route.options.clone()).unwrap_or_default()
            }
            Err(why) => {
                tracing::debug!(why, "the route's options can't be read");
                RunOptions::default()
            }
        }
    }

    async fn config(&self) -> Result<Config, String> {
        let name = self.account.config_parameter().await.map_err(|error| error.to_string())?;
        let client = ParameterStore::new(self.account.sdk_config());
        let answer = client.get_parameter().name(name).with_decryption(true).send().await;
        let parameter = answer.map_err(|error| error.to_string())?.parameter;
        let text = parameter.and_then(|parameter| parameter.value).unwrap_or_default();
        Config::parse(&text).map_err(|error| error.to_string())
    }
}

/// Where a pipeline has several sources, the first one's commit is shown.
const ANY_SOURCE: Source<'static> = Source { action: None, repository: None };

impl Error {
    /// That CodePipeline did not do something.
    fn pipeline(doing: impl Into<String>, error: PipelineError) -> Self {
        let (PipelineError::Unavailable(cause)
        | PipelineError::NotFound(cause)
        | PipelineError::Denied(cause)
        | PipelineError::Invalid(cause)) = error;
        Self::aws(doing, Unread::ForGood(cause))
    }
}

/// `8f3c1a2b of node-server, commit abc1234`.
fn named(snapshot: &ExecutionSnapshot) -> String {
    let commit = snapshot.commit.as_ref().map(|commit| format!(", commit {}", commit.short())).unwrap_or_default();
    format!("{} of {}{commit}", short_id(&snapshot.id), snapshot.pipeline)
}
