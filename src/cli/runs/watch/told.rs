//! What is told of an execution: what GitHub shows of it.

use crate::domain::event::CommitSha;
use crate::domain::execution::{ExecutionSnapshot, ExecutionStatus, Stage, Wait};
use crate::domain::listed::Listed;
use crate::domain::report::{Report, RunOptions, State, desired, execution_context};
use crate::domain::text;

/// Stands in texts for a commit that is not known yet. Sources that are no repository never show one.
const NO_COMMIT: &str = "ffffffffffffffffffffffffffffffffffffffff";

/// What is told of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Of itself.
    pub(super) run: Line,
    /// Of its stages, in the order in which it reaches them.
    pub(super) stages: Vec<Line>,
    /// Whether what is told of itself is more than what its stages tell.
    pub(super) run_has_its_say: bool,
    pub(super) commit: Option<CommitSha>,
}

/// A line: one commit status of GitHub's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// `None` for the execution itself.
    pub(super) stage: Option<String>,
    pub(super) state: State,
    /// As GitHub shows it.
    pub(super) description: String,
}

impl Told {
    pub(super) fn of(snapshot: &ExecutionSnapshot, listed: &Listed, options: &RunOptions) -> Self {
        let commit = snapshot.commit.clone().or_else(|| listed.commit.clone());
        let stand_in = commit.clone().or_else(|| CommitSha::parse(NO_COMMIT));
        let wanted = stand_in.map(|commit| desired(snapshot, &commit, options)).unwrap_or_default();
        let own = execution_context(&snapshot.pipeline);
        let line = |report: Report| Line {
            stage: report.context.strip_prefix(&format!("{own}/")).map(str::to_owned),
            state: report.state,
            description: match commit {
                Some(_) => report.description,
                None => report.description.replace(&NO_COMMIT[..7], "an unknown commit"),
            },
        };
        let (run, stages): (Vec<_>, Vec<_>) =
            wanted.into_iter().map(|wanted| line(wanted.report)).partition(|line| line.stage.is_none());
        let queued = Line { stage: None, state: State::Pending, description: text::queued() };
        let waits = matches!(snapshot.waiting, Some((_, Wait::Occupied)));
        let speaks = matches!(snapshot.status, ExecutionStatus::Stopping | ExecutionStatus::Unknown(_));
        Self {
            run: run.into_iter().next().unwrap_or(queued),
            run_has_its_say: waits || speaks || stages.is_empty(),
            stages,
            commit,
        }
    }

    /// A success of which ECS says nothing against it, as GitHub shows it.
    pub(super) fn is_success(&self, snapshot: &ExecutionSnapshot) -> bool {
        snapshot.status == ExecutionStatus::Succeeded && self.run.state == State::Success
    }
}

impl Line {
    /// The description without the name of the stage in front of it, for where that stands already.
    pub(super) fn beside_its_stage(&self) -> &str {
        let rest = self.stage.as_deref().and_then(|stage| self.description.strip_prefix(stage));
        let rest = rest.and_then(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' ')));
        rest.unwrap_or(&self.description)
    }

    /// Whether another says something new, and not only that the same has gone on for longer.
    pub(super) fn is_news_after(&self, before: &Self) -> bool {
        // Of a rollout that has failed, what ECS adds bit by bit is news to who watches.
        let is_same = text::step(&self.description) == text::step(&before.description)
            && (text::failed_rollout(&self.description).is_none() || self.description == before.description);
        self.state != before.state || !is_same
    }
}

/// The last lines, at most `most`, of what the build that failed has written, without secrets and colours. What CodeBuild
/// writes about its phases is left out.
pub(super) fn log(snapshot: &ExecutionSnapshot, most: usize) -> Vec<&String> {
    let failed = snapshot.stages.iter().rev().find_map(Stage::failed);
    let lines = failed.and_then(|action| action.build()).map_or(&[][..], |build| &build.log.lines);
    let of_build = lines.iter().rev().filter(|line| !line.starts_with("[Container] "));
    let mut last: Vec<_> = of_build.take(most).collect();
    last.reverse();
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stage: &str, description: &str) -> Line {
        let description = description.to_owned();
        Line { stage: Some(stage.to_owned()), state: State::Pending, description }
    }

    #[test]
    fn a_stage_is_not_named_twice() {
        assert_eq!(line("Build", "Build succeeded in 40 s").beside_its_stage(), "succeeded in 40 s");
        assert_eq!(line("Build", "Build: image, PRE_BUILD").beside_its_stage(), "image, PRE_BUILD");
        assert_eq!(line("Build", "Builder in progress").beside_its_stage(), "Builder in progress");
        assert_eq!(line("Staging", "Rolled back to :41").beside_its_stage(), "Rolled back to :41");
    }

    #[test]
    fn that_something_goes_on_is_no_news_and_what_ecs_adds_is() {
        let longer = line("Build", "Build: PRE_BUILD for 40 s");
        assert!(!longer.is_news_after(&line("Build", "Build: PRE_BUILD for 20 s")));
        assert!(line("Build", "Build: BUILD").is_news_after(&longer));
        let failed = line("Staging", "Rollout failed");
        assert!(line("Staging", "Rollout failed: tasks failed to start").is_news_after(&failed));
        assert!(!failed.is_news_after(&failed.clone()));
    }
}
