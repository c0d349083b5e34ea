//! What must be true in the end of the deployments that GitHub shows.
//!
//! Invariant: as in `truth`, nothing here is shared with the code that decides what GitHub shows.

use super::plan::{DEPLOYS_IN, PipelinePlan};
use super::truth::{Deploy, deploy_of};
use crate::standin::{Deployment, ExecutionView, World};

/// Where the deployments of a pipeline's runs go, as its route says.
fn environment(pipeline: &PipelinePlan) -> String {
    format!("{} staging", pipeline.name)
}

/// Under which circumstances an execution's deployment is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// GitHub has taken whatever it was told.
    pub(super) has_taken_all: bool,
    /// Nothing has left open whether something was done, or has had two workers do it.
    pub(super) is_without_doubt: bool,
    /// Somebody knew the execution's commit in time to follow it.
    pub(super) was_followed: bool,
    /// It was told a success while ECS could not be asked.
    pub(super) without_ecs: bool,
}

/// What is not true of the deployments of an execution.
pub(super) fn untruths(
    world: &mut World,
    pipeline: &PipelinePlan,
    execution: &ExecutionView,
    seen: Seen,
) -> Vec<String> {
    let id = &execution.id;
    let all = world.github().deployments(&pipeline.repository);
    let own: Vec<&Deployment> =
        all.iter().filter(|one| one.payload["execution"].as_str() == Some(id.as_str())).collect();
    let stage = execution.stage(DEPLOYS_IN);
    let mut found = Vec::new();
    if own.is_empty() && stage == Some("Succeeded") && seen.has_taken_all && seen.was_followed {
        found.push(format!("{id} has no deployment, and it has deployed"));
    }
    let deploy = deploy_of(world, pipeline, execution.commit.as_deref().unwrap_or_default());
    for (at, one) in own.into_iter().enumerate() {
        let states: Vec<&str> = one.statuses.iter().map(|status| status.state).collect();
        let what = format!("the deployment of {id} to {}: {}", one.environment, states.join(", "));
        if execution.commit.as_deref() != Some(&one.sha) {
            found.push(format!("{what}: it is on {:.7}, and {:?} was built", one.sha, execution.commit));
        }
        if one.environment != environment(pipeline) {
            found.push(format!("{what}: that is not where its route leads"));
        }
        let expected: &[&str] = match (stage, deploy) {
            // A deployment makes room for the next one that succeeds.
            (Some("Succeeded"), Deploy::Runs) => &["success", "inactive"],
            (Some("Succeeded"), Deploy::Failed | Deploy::NeverCame) if !seen.without_ecs => &["failure"],
            (Some("Succeeded"), _) => &["success", "inactive", "failure"],
            (Some("Failed"), _) => &["failure"],
            _ => &["failure", "error", "inactive"],
        };
        match one.state() {
            Some(state) if expected.contains(&state) => {}
            // The first one tells, and no other stays open.
            Some("inactive") if at > 0 => {}
            // What was made in vain by whoever did not hear that it was made is told of nowhere.
            None if !seen.is_without_doubt => {}
            state => found.push(format!("{what}: it is left {state:?}; {DEPLOYS_IN} is {stage:?}, at ECS {deploy:?}")),
        }
    }
    found
}
