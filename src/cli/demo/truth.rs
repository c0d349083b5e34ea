//! Whether what GitHub holds in the end is the truth.
//!
//! The truth is what CodePipeline did, unless ECS has gone back on it: an execution whose deploy was rolled back has
//! failed, whatever CodePipeline calls it.
//!
//! Invariant: nothing here is shared with the code that computes the statuses, so that a mistake there is seen here.

use std::collections::BTreeMap;

use crate::standin::{DeploymentView, ExecutionView, State, Status};

/// What GitHub holds about a commit, by context.
pub(super) type Held = BTreeMap<String, Status>;

/// As many characters of a commit's name as texts show.
const SHORT: usize = 7;

/// Something about a commit that is not true, or not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untruth {
    pub(super) sha: String,
    pub(super) what: String,
}

/// What AWS did, as the stand-ins know it themselves.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) pipeline: &'static str,
    /// The stage that deploys.
    pub(super) deploys_in: &'static str,
    /// The service that it deploys to.
    pub(super) service: &'static str,
    /// Oldest first.
    pub(super) executions: Vec<ExecutionView>,
    /// Oldest first.
    pub(super) deployments: Vec<DeploymentView>,
}

impl Evidence {
    pub(super) fn execution_of(&self, sha: &str) -> Option<&ExecutionView> {
        self.executions.iter().find(|execution| execution.commit.as_deref() == Some(sha))
    }

    /// The last time that a commit was deployed.
    pub(super) fn deployment_of(&self, sha: &str) -> Option<&DeploymentView> {
        self.deployments.iter().rfind(|deployment| deployment.commit.as_deref() == Some(sha))
    }

    /// What became of the deploy of an execution whose deploy stage has begun: whether the service came to run it, and
    /// in which words ECS says so.
    fn deploy_of(&self, execution: &ExecutionView) -> Option<Deploy<'_>> {
        execution.stage(self.deploys_in)?;
        let deployment = self.deployment_of(execution.commit.as_deref().unwrap_or_default());
        Some(match deployment {
            Some(deployment) if deployment.status == "SUCCESSFUL" => Deploy::Runs(deployment.definition),
            Some(DeploymentView { status: status @ ("IN_PROGRESS" | "ROLLBACK_IN_PROGRESS"), .. }) => {
                Deploy::IsAtWork(status)
            }
            Some(deployment) => Deploy::Failed(deployment.status),
            None => Deploy::NeverCame,
        })
    }
}

/// What ECS made of a deploy.
enum Deploy<'a> {
    /// With the number of its task definition.
    Runs(u32),
    IsAtWork(&'a str),
    Failed(&'a str),
    NeverCame,
}

/// Holds what GitHub has about each commit that was pushed to a pipeline against what became of it.
pub(super) fn untruths(evidence: &Evidence, held: &[(String, Held)]) -> Vec<Untruth> {
    let executions = &evidence.executions;
    let mut found = Vec::new();
    for (sha, held) in held {
        let mut say = |what: String| found.push(Untruth { sha: sha.clone(), what });
        let own: Vec<usize> =
            (0..executions.len()).filter(|at| executions[*at].commit.as_deref() == Some(sha)).collect();
        match own[..] {
            [at] => check(evidence, held, &executions[at], &executions[at + 1..], &mut say),
            _ => say(format!("it was to be started once, and was started {} times", own.len())),
        }
    }
    for execution in executions {
        let pushed = |commit: &String| held.iter().any(|(sha, _)| sha == commit);
        if !execution.commit.as_ref().is_some_and(pushed) {
            found.push(Untruth {
                sha: execution.commit.clone().unwrap_or_default(),
                what: format!("nobody pushed it, but execution {} builds it", execution.id),
            });
        }
    }
    found
}

/// Checks one execution; `newer` are those that began after it.
fn check(
    evidence: &Evidence,
    held: &Held,
    execution: &ExecutionView,
    newer: &[ExecutionView],
    say: &mut impl FnMut(String),
) {
    let own = format!("codepipeline/{}", evidence.pipeline);
    for (context, status) in held {
        if status.state == State::Pending {
            say(format!("{context} is left pending"));
        }
        let reached = |stage: &str| execution.stages.iter().any(|one| one.name == stage && one.status.is_some());
        match context.strip_prefix(&own).map(|rest| rest.strip_prefix('/').unwrap_or(rest)) {
            Some("") => {}
            Some(stage) if reached(stage) => {}
            // A stage that the execution waited for may have said so, and then says why it never began.
            Some(_) if matches!(status.state, State::Error | State::Failure) => {}
            Some(stage) => say(format!("{context} is {}, but {stage} was not reached", name(status))),
            None => say(format!("{context} is not a context of this pipeline")),
        }
    }
    let wanted = match execution.status {
        "Succeeded" => State::Success,
        "Failed" => State::Failure,
        "Superseded" | "Stopped" | "Cancelled" => State::Error,
        status => {
            say(format!("its execution is not over: {status}"));
            return;
        }
    };
    let deploy = evidence.deploy_of(execution);
    if let Some(Deploy::IsAtWork(status)) = deploy {
        say(format!("ECS is not done with it: {status}"));
        return;
    }
    let broken = match deploy {
        Some(Deploy::Failed(status)) => Some(format!("ECS says {status}")),
        Some(Deploy::NeverCame) if wanted == State::Success => Some("ECS never deployed it".to_owned()),
        _ => None,
    };
    let says = |status: &str| format!("CodePipeline says {status}");
    match &broken {
        Some(because) => expect(held, &own, State::Failure, because, say),
        None => expect(held, &own, wanted, &says(execution.status), say),
    }
    if execution.status == "Superseded" && !names_a_newer_commit(held.get(&own), newer) {
        say(format!("{own} does not say which newer commit superseded it"));
    }
    for stage in &execution.stages {
        let Some(status) = stage.status else { continue };
        let context = format!("{own}/{}", stage.name);
        let wanted = match status {
            "Succeeded" | "Skipped" => State::Success,
            "Failed" => State::Failure,
            _ => State::Error,
        };
        match broken.as_ref().filter(|_| stage.name == evidence.deploys_in) {
            Some(because) => expect(held, &context, State::Failure, because, say),
            None => expect(held, &context, wanted, &says(status), say),
        }
    }
    if let Some(Deploy::Runs(definition)) = deploy {
        let runs = format!("{}:{definition}", evidence.service);
        let mut says_of = held.iter().filter_map(|(context, status)| Some((context, said_to_run(status)?)));
        if let Some((context, said)) = says_of.find(|(_, said)| *said != runs) {
            say(format!("{context} says that {said} runs, but it was deployed as {runs}"));
        }
    }
}

/// The revision that a status says is running.
fn said_to_run(status: &Status) -> Option<&str> {
    status.description.as_deref()?.split_once(" runs since ")?.0.rsplit(' ').next()
}

fn expect(held: &Held, context: &str, wanted: State, because: &str, say: &mut impl FnMut(String)) {
    match held.get(context) {
        None => say(format!("{context} is missing, though {because}")),
        // That it is pending was said already.
        Some(status) if status.state == wanted || status.state == State::Pending => {}
        Some(status) => say(format!("{context} is {}, but {because}", name(status))),
    }
}

fn names_a_newer_commit(status: Option<&Status>, newer: &[ExecutionView]) -> bool {
    let text = status.and_then(|status| status.description.as_deref()).unwrap_or_default();
    let mut commits = newer.iter().filter_map(|execution| execution.commit.as_deref()?.get(..SHORT));
    commits.any(|commit| text.contains(commit))
}

fn name(status: &Status) -> &'static str {
    status.state.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::standin::StageView;

    const OLD: &str = "1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const NEW: &str = "2222222bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn execution(sha: &str, status: &'static str, stages: [Option<&'static str>; 2]) -> ExecutionView {
        let stages = [("Source", stages[0]), ("Build", stages[1])];
        ExecutionView {
            id: format!("execution of {sha}"),
            status,
            commit: Some(sha.to_owned()),
            variables: Vec::new(),
            started: Timestamp::default(),
            updated: Timestamp::default(),
            stages: stages.map(|(name, status)| StageView { name: name.to_owned(), status, started: None }).to_vec(),
        }
    }

    /// One that CodePipeline calls a success, with a stage that deploys.
    fn deployed() -> ExecutionView {
        let mut execution = execution(OLD, "Succeeded", [Some("Succeeded"), Some("Succeeded")]);
        execution.stages.push(StageView { name: "Staging".to_owned(), status: Some("Succeeded"), started: None });
        execution
    }

    fn held(sha: &str, statuses: &[(&str, State, &str)]) -> (String, Held) {
        let status = |(at, (context, state, text)): (usize, &(&str, State, &str))| Status {
            id: at as u64,
            state: *state,
            context: (*context).to_owned(),
            description: Some((*text).to_owned()),
            target_url: None,
            created: Timestamp::default(),
            creator: "octocat".to_owned(),
        };
        let statuses = statuses.iter().enumerate().map(status);
        let by_context = statuses.map(|status| (status.context.clone(), status));
        (sha.to_owned(), by_context.collect())
    }

    fn found(held: &[(String, Held)], executions: &[ExecutionView]) -> String {
        found_beside(held, executions, &[])
    }

    /// The same where ECS was told to deploy: the commit, the number of the task definition, and what became of it.
    fn found_beside(
        held: &[(String, Held)],
        executions: &[ExecutionView],
        deployments: &[(&str, u32, &'static str)],
    ) -> String {
        let deployment = |(sha, definition, status): &(&str, u32, &'static str)| DeploymentView {
            commit: Some((*sha).to_owned()),
            definition: *definition,
            status,
            created: Timestamp::default(),
        };
        let evidence = Evidence {
            pipeline: "app",
            deploys_in: "Staging",
            service: "app",
            executions: executions.to_vec(),
            deployments: deployments.iter().map(deployment).collect(),
        };
        let found = untruths(&evidence, held);
        let lines = found.iter().map(|untruth| format!("{:.7} {}", untruth.sha, untruth.what));
        lines.collect::<Vec<_>>().join("\n")
    }

    const RUN: &str = "codepipeline/app";
    const SOURCE: &str = "codepipeline/app/Source";
    const BUILD: &str = "codepipeline/app/Build";
    const STAGING: &str = "codepipeline/app/Staging";
    const GREEN: [(&str, State, &str); 3] =
        [(RUN, State::Success, ""), (SOURCE, State::Success, ""), (BUILD, State::Success, "")];

    fn superseded() -> [ExecutionView; 2] {
        [
            execution(OLD, "Superseded", [Some("Succeeded"), None]),
            execution(NEW, "Succeeded", [Some("Succeeded"), Some("Succeeded")]),
        ]
    }

    #[test]
    fn the_truth_is_found_true() {
        let old = held(
            OLD,
            &[
                (RUN, State::Error, "Superseded by 2222222"),
                (SOURCE, State::Success, ""),
                (BUILD, State::Error, "Superseded by 2222222"),
            ],
        );
        assert_eq!(found(&[old, held(NEW, &GREEN)], &superseded()), "");
        let failed = execution(OLD, "Failed", [Some("Succeeded"), Some("Failed")]);
        let red = [(RUN, State::Failure, ""), (SOURCE, State::Success, ""), (BUILD, State::Failure, "")];
        assert_eq!(found(&[held(OLD, &red)], &[failed]), "");
    }

    #[test]
    fn what_is_left_pending_is_found() {
        let run = execution(OLD, "Succeeded", [Some("Succeeded"), Some("Succeeded")]);
        let lie = [GREEN[0], GREEN[1], (BUILD, State::Pending, "")];
        insta::assert_snapshot!(found(&[held(OLD, &lie)], &[run]), @"1111111 codepipeline/app/Build is left pending");
    }

    #[test]
    fn a_green_superseded_run_is_found() {
        let lie = held(OLD, &[(RUN, State::Success, ""), GREEN[1]]);
        insta::assert_snapshot!(found(&[lie, held(NEW, &GREEN)], &superseded()), @r"
        1111111 codepipeline/app is success, but CodePipeline says Superseded
        1111111 codepipeline/app does not say which newer commit superseded it
        ");
        let blames_itself = held(OLD, &[(RUN, State::Error, "Superseded by 1111111"), GREEN[1]]);
        insta::assert_snapshot!(
            found(&[blames_itself, held(NEW, &GREEN)], &superseded()),
            @"1111111 codepipeline/app does not say which newer commit superseded it"
        );
    }

    #[test]
    fn a_deploy_that_ecs_undid_is_no_success_whatever_codepipeline_says() {
        let green = held(OLD, &[GREEN[0], GREEN[1], GREEN[2], (STAGING, State::Success, "")]);
        let red = held(OLD, &[(RUN, State::Failure, ""), GREEN[1], GREEN[2], (STAGING, State::Failure, "Rolled back")]);
        let undone = [(OLD, 42, "ROLLBACK_SUCCESSFUL")];
        assert_eq!(found_beside(std::slice::from_ref(&red), &[deployed()], &undone), "");
        insta::assert_snapshot!(found_beside(std::slice::from_ref(&green), &[deployed()], &undone), @r"
        1111111 codepipeline/app is success, but ECS says ROLLBACK_SUCCESSFUL
        1111111 codepipeline/app/Staging is success, but ECS says ROLLBACK_SUCCESSFUL
        ");
        insta::assert_snapshot!(found_beside(std::slice::from_ref(&green), &[deployed()], &[]), @r"
        1111111 codepipeline/app is success, but ECS never deployed it
        1111111 codepipeline/app/Staging is success, but ECS never deployed it
        ");
        let at_work = [(OLD, 42, "IN_PROGRESS")];
        insta::assert_snapshot!(found_beside(&[green], &[deployed()], &at_work), @"1111111 ECS is not done with it: IN_PROGRESS");
        insta::assert_snapshot!(found_beside(&[red], &[deployed()], &[(OLD, 42, "SUCCESSFUL")]), @r"
        1111111 codepipeline/app is failure, but CodePipeline says Succeeded
        1111111 codepipeline/app/Staging is failure, but CodePipeline says Succeeded
        ");
    }

    #[test]
    fn another_revision_than_the_deployed_one_is_found() {
        let says = |text| {
            let shown = [(RUN, State::Success, text), GREEN[1], GREEN[2], (STAGING, State::Success, "")];
            found_beside(&[held(OLD, &shown)], &[deployed()], &[(OLD, 42, "SUCCESSFUL"), (NEW, 43, "SUCCESSFUL")])
        };
        assert_eq!(says("Deployed 1111111 in 4 m; app:42 runs since 14:03 UTC"), "");
        insta::assert_snapshot!(says("Deployed 1111111 in 4 m; app:43 runs since 14:03 UTC"), @"1111111 codepipeline/app says that app:43 runs, but it was deployed as app:42");
    }

    #[test]
    fn a_stage_that_is_missing_or_made_up_is_found() {
        let run = execution(OLD, "Failed", [Some("Failed"), None]);
        let lie = held(OLD, &[(RUN, State::Failure, ""), (BUILD, State::Success, "")]);
        insta::assert_snapshot!(found(&[lie], &[run]), @r"
        1111111 codepipeline/app/Build is success, but Build was not reached
        1111111 codepipeline/app/Source is missing, though CodePipeline says Failed
        ");
        let run = execution(OLD, "Failed", [Some("Succeeded"), Some("Failed")]);
        let lie = held(OLD, &[(RUN, State::Failure, ""), GREEN[1], GREEN[2], ("lint", State::Success, "")]);
        insta::assert_snapshot!(found(&[lie], &[run]), @r"
        1111111 lint is not a context of this pipeline
        1111111 codepipeline/app/Build is success, but CodePipeline says Failed
        ");
    }

    #[test]
    fn every_push_is_started_once_and_nothing_else_is() {
        let run = || execution(OLD, "Succeeded", [Some("Succeeded"), Some("Succeeded")]);
        insta::assert_snapshot!(
            found(&[held(OLD, &GREEN), held(NEW, &[])], &[run(), run()]),
            @r"
        1111111 it was to be started once, and was started 2 times
        2222222 it was to be started once, and was started 0 times
        "
        );
        insta::assert_snapshot!(
            found(&[], &[run()]),
            @"1111111 nobody pushed it, but execution execution of 1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa builds it"
        );
    }

    #[test]
    fn an_execution_that_still_runs_is_no_end() {
        let run = execution(OLD, "InProgress", [Some("Succeeded"), Some("InProgress")]);
        let shown = held(OLD, &[(RUN, State::Pending, ""), GREEN[1]]);
        insta::assert_snapshot!(found(&[shown], &[run]), @r"
        1111111 codepipeline/app is left pending
        1111111 its execution is not over: InProgress
        ");
    }
}
