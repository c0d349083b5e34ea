//! Whether what GitHub holds in the end is the truth.
//!
//! Invariant: nothing here is shared with the code that computes the statuses, so that a mistake there is seen here.

use std::collections::BTreeMap;

use crate::standin::{ExecutionView, State, Status};

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

/// Holds what GitHub has about each pushed commit against the pipeline's executions, oldest first.
pub(super) fn untruths(pipeline: &str, held: &[(String, Held)], executions: &[ExecutionView]) -> Vec<Untruth> {
    let mut found = Vec::new();
    for (sha, held) in held {
        let mut say = |what: String| found.push(Untruth { sha: sha.clone(), what });
        let own: Vec<usize> =
            (0..executions.len()).filter(|at| executions[*at].commit.as_deref() == Some(sha)).collect();
        match own[..] {
            [at] => check(pipeline, held, &executions[at], &executions[at + 1..], &mut say),
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
    pipeline: &str,
    held: &Held,
    execution: &ExecutionView,
    newer: &[ExecutionView],
    say: &mut impl FnMut(String),
) {
    let own = format!("codepipeline/{pipeline}");
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
    expect(held, &own, wanted, execution.status, say);
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
        expect(held, &context, wanted, status, say);
    }
}

fn expect(held: &Held, context: &str, wanted: State, because: &str, say: &mut impl FnMut(String)) {
    match held.get(context) {
        None => say(format!("{context} is missing, though CodePipeline says {because}")),
        // That it is pending was said already.
        Some(status) if status.state == wanted || status.state == State::Pending => {}
        Some(status) => say(format!("{context} is {}, but CodePipeline says {because}", name(status))),
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
        let stages = ["Source", "Build"].iter().zip(stages);
        ExecutionView {
            id: format!("execution of {sha}"),
            status,
            commit: Some(sha.to_owned()),
            variables: Vec::new(),
            started: Timestamp::default(),
            updated: Timestamp::default(),
            stages: stages.map(|(name, status)| StageView { name: (*name).to_owned(), status }).collect(),
        }
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
        let found = untruths("app", held, executions);
        let lines = found.iter().map(|untruth| format!("{:.7} {}", untruth.sha, untruth.what));
        lines.collect::<Vec<_>>().join("\n")
    }

    const RUN: &str = "codepipeline/app";
    const SOURCE: &str = "codepipeline/app/Source";
    const BUILD: &str = "codepipeline/app/Build";
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
