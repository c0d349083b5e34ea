//! Why an event does not start a route's pipeline.

use std::fmt;

use super::event::RepositoryName;

/// Why an event does not start a route's pipeline. Shown, it is a sentence for whoever wonders why nothing happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Deliveries of this kind start nothing, whatever the routes say; the text says why.
    Nothing(String),
    /// No route is for the repository.
    NoRoute(RepositoryName),
    /// This route is for another repository.
    Repository(RepositoryName),
    Branch {
        pipeline: String,
        branch: String,
    },
    Tag {
        pipeline: String,
        tag: String,
    },
    /// The head commit's message holds this mark.
    Message(&'static str),
    /// None of so many changed files counts.
    Paths {
        files: usize,
    },
    /// The route takes no pull requests.
    PullRequests {
        pipeline: String,
    },
    /// The pull request of this number comes from a fork.
    Fork(u64),
    /// The pull request is for a base branch that the route does not take.
    Base {
        pipeline: String,
        branch: String,
    },
    /// The route takes the pull request's head branch by itself, so that the push to it has started the pipeline.
    PushStarts {
        pipeline: String,
        branch: String,
    },
    /// What was pressed is on a check run of something else.
    CheckRun {
        pipeline: String,
    },
}

impl Reason {
    /// The keys of a route that decide this; none where no route could decide otherwise.
    pub fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Nothing(_) | Self::NoRoute(_) | Self::Message(_) | Self::Fork(_) => &[],
            Self::Repository(_) => &["repository"],
            Self::Branch { .. } | Self::PushStarts { .. } => &["branches"],
            Self::Tag { .. } => &["tags"],
            Self::Paths { .. } => &["paths", "paths_ignore"],
            Self::PullRequests { .. } | Self::Base { .. } => &["pull_requests"],
            Self::CheckRun { .. } => &["pipeline"],
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(why) => f.write_str(why),
            Self::NoRoute(repository) => write!(f, "no route is for {repository}"),
            Self::Repository(repository) => write!(f, "the route is for {repository}"),
            Self::Branch { pipeline, branch } => write!(f, "the route to {pipeline} does not take branch {branch}"),
            Self::Tag { pipeline, tag } => write!(f, "the route to {pipeline} does not take tag {tag}"),
            Self::Message(mark) => write!(f, "the commit's message says {mark}"),
            Self::Paths { files: 0 } => f.write_str("no file changed"),
            Self::Paths { files: 1 } => f.write_str("the 1 changed file is left out by the path filters"),
            Self::Paths { files } => write!(f, "the {files} changed files are left out by the path filters"),
            Self::PullRequests { pipeline } => write!(f, "the route to {pipeline} does not take pull requests"),
            Self::Fork(number) => write!(f, "#{number} comes from a fork, and forks never start a pipeline"),
            Self::Base { pipeline, branch } => {
                write!(f, "the route to {pipeline} does not take pull requests into {branch}")
            }
            Self::PushStarts { pipeline, branch } => write!(f, "the push to {branch} already starts {pipeline}"),
            Self::CheckRun { pipeline } => write!(f, "the check run is not one of {pipeline}"),
        }
    }
}
