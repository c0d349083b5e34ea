//! What ECS does for a deploy action, and what follows from it.
//!
//! CodePipeline's action waits until the service is steady, which it also is after a rollback, and until its own timeout
//! where it never is. So ECS is asked, and what it says of the action's own deployment decides.
//!
//! Judging is a function of what was read now and of what was found before: a deployment that failed disappears from the
//! service's list, and must not be forgotten with it.

use std::time::Duration;

use super::execution::{ActionRun, ActionStatus};
use super::service::{Deployment, Revision, RolloutState, Service, ServiceDeployment, ServiceDeploymentStatus, Tasks};
use super::time::Timestamp;

/// The clocks of CodePipeline and ECS differ by less than this. An action takes longer to begin its deployment, and what
/// the action before has left behind is not to be taken for its own.
const CLOCK_SKEW: Duration = Duration::from_secs(1);

/// An action has registered its task definition and begun its deployment after this long.
const BEGINS_WITHIN: Duration = Duration::from_secs(60);

/// An action that has succeeded while ECS is still at work on its deployment is believed after this long.
pub const STILL_AT_WORK: Duration = Duration::from_secs(10 * 60);

/// A deploy action's rollout, as judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    pub service: String,
    /// What the action rolls out, once ECS shows it.
    pub revision: Option<Revision>,
    pub progress: Progress,
    pub tasks: Tasks,
    /// Why it failed, as ECS says.
    pub reason: Option<String>,
    /// Why its tasks stopped.
    pub cause: Option<String>,
    /// Where what was deployed answers.
    pub address: Option<String>,
}

/// How a rollout goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// ECS shows nothing of it yet.
    NotBegun,
    /// Tasks come up; with the stage of a strategy that has some.
    Rolling { lifecycle: Option<String> },
    /// Tasks fail one after the other, and there is no circuit breaker to end it. It may still recover.
    Failing,
    /// ECS has given it up, and brings the revision from before back where it knows one.
    Failed { rolling_back_to: Option<Revision> },
    /// The service runs another revision again.
    RolledBack { to: Option<Revision> },
    /// The service runs it.
    Runs { since: Timestamp },
    /// The action has succeeded, and ECS says nothing for it or against it.
    Unconfirmed,
    /// ECS does not let itself be read: CodePipeline's word has to do.
    Unreadable,
}

impl Rollout {
    /// Of which nothing is known yet.
    pub fn unknown(service: &str, progress: Progress) -> Self {
        Self {
            service: service.to_owned(),
            revision: None,
            progress,
            tasks: Tasks::default(),
            reason: None,
            cause: None,
            address: None,
        }
    }

    pub fn is_failed(&self) -> bool {
        matches!(self.progress, Progress::Failing | Progress::Failed { .. } | Progress::RolledBack { .. })
    }

    /// Nothing that is read later changes it.
    pub fn is_decided(&self) -> bool {
        matches!(self.progress, Progress::RolledBack { .. } | Progress::Runs { .. })
    }

    /// Whether all that is known is that the action has succeeded: it is held back until ECS can be read.
    pub fn is_held_back(&self) -> bool {
        matches!(self.progress, Progress::Rolling { .. }) && self.revision.is_none()
    }

    /// Whether ECS has more to say, as far as one can tell.
    pub fn is_at_work(&self) -> bool {
        matches!(self.progress, Progress::NotBegun | Progress::Rolling { .. })
    }

    /// Whether tasks have failed, so that it is worth asking why.
    pub fn has_failing_tasks(&self) -> bool {
        self.tasks.failed > 0 || self.is_failed()
    }
}

/// Whether the history has to be read too: where `deployments` alone does not tell which is the action's own, or what
/// became of it.
pub fn needs_history(service: &Service, action: &ActionRun, before: Option<&Rollout>, now: Timestamp) -> bool {
    let should_be_there = action.is_over() || now.since(action.started) > BEGINS_WITHIN;
    let tells = |own: &Deployment| own.is_primary || action.is_running();
    let began_with_it =
        || service.deployments.iter().any(|one| one.created.is_some_and(|created| is_of(created, action)));
    service.has_stages
        || match own(service, action, before) {
            Some(own) => !tells(own),
            None => should_be_there || began_with_it(),
        }
}

/// What has become of an action's rollout. `before` is what was found at an earlier look at the same run of the action.
pub fn judge(service: &Service, action: &ActionRun, before: Option<&Rollout>, now: Timestamp) -> Rollout {
    if let Some(before) = before.filter(|before| before.is_decided()) {
        return before.clone();
    }
    let recorded = recorded(service, action);
    // Where a later deploy has taken its place, the history still knows what became of it.
    let has_ended = |recorded: &ServiceDeployment| recorded.status == ServiceDeploymentStatus::Successful;
    let found = match (own(service, action, before), recorded) {
        (Some(own), Some(recorded)) if !own.is_primary && has_ended(recorded) => {
            of_history(service, recorded, action, now)
        }
        (Some(own), _) if !service.has_stages => of_deployment(service, own, action, now),
        (_, Some(recorded)) => of_history(service, recorded, action, now),
        (Some(own), None) => of_deployment(service, own, action, now),
        (None, None) => without_deployment(service, action, before, now),
    };
    keep(before, found)
}

/// What was found before stays where this reading knows less: above all, that it has failed.
fn keep(before: Option<&Rollout>, found: Rollout) -> Rollout {
    let Some(before) = before else { return found };
    let had_failed = matches!(before.progress, Progress::Failed { .. });
    let progress = match found.progress {
        Progress::RolledBack { to } => {
            let known = match &before.progress {
                Progress::Failed { rolling_back_to } => rolling_back_to.clone(),
                _ => None,
            };
            Progress::RolledBack { to: to.or(known) }
        }
        Progress::Failed { rolling_back_to: None } if had_failed => before.progress.clone(),
        Progress::Failed { .. } => found.progress,
        _ if had_failed => before.progress.clone(),
        other => other,
    };
    let failed_tasks = before.tasks.failed.max(found.tasks.failed);
    let is_failed = matches!(progress, Progress::Failed { .. } | Progress::RolledBack { .. });
    Rollout {
        revision: found.revision.or_else(|| before.revision.clone()),
        tasks: if is_failed { Tasks { failed: failed_tasks, ..found.tasks } } else { found.tasks },
        reason: found.reason.or_else(|| before.reason.clone()),
        cause: found.cause.or_else(|| before.cause.clone()),
        address: found.address.or_else(|| before.address.clone()),
        progress,
        service: found.service,
    }
}

/// The deployment that the action has begun: the one of the revision that is known to be its own, or that the action
/// names itself, or else the first that began after the action did and is no rollback.
fn own<'a>(service: &'a Service, action: &ActionRun, before: Option<&Rollout>) -> Option<&'a Deployment> {
    let deployments = || service.deployments.iter();
    if let Some(known) = before.and_then(|before| before.revision.as_ref()) {
        return deployments().filter(|one| one.revision.as_ref() == Some(known)).max_by_key(|one| one.created);
    }
    let named = deployments().find(|one| action.external_id.as_deref() == Some(one.id.as_str()));
    named.or_else(|| {
        let begins = |one: &&Deployment| one.created.is_some_and(|created| is_of(created, action));
        let mut began: Vec<&Deployment> = deployments().filter(begins).filter(|one| !goes_back(one, service)).collect();
        // One from just before is what the action before has left behind, unless it is all there is.
        if began.iter().any(|one| one.created >= Some(action.started)) {
            began.retain(|one| one.created >= Some(action.started));
        }
        // Of several the first is its own, and the others are what came of it, or later deploys.
        let first = began.into_iter().min_by_key(|one| one.created);
        first.filter(|one| goes_forward(one, service, action))
    })
}

/// Whether a deployment brings back what was there before one that began earlier: it is the rollback of that one, though it
/// began when this action had.
fn goes_back(one: &Deployment, service: &Service) -> bool {
    let is_before =
        |other: &Deployment| one.revision.as_ref().zip(other.revision.as_ref()).is_some_and(|(a, b)| a.is_before(b));
    service.deployments.iter().any(|other| other.created < one.created && is_before(other))
}

/// Whether a deployment is no rollback, which begins after the action as well, and is all that is left of a rollout that
/// has failed: the history has it for the action, or it has failed itself, or it takes the place of an earlier revision.
fn goes_forward(one: &Deployment, service: &Service, action: &ActionRun) -> bool {
    let Deployment { revision, state, .. } = one;
    let is_before =
        |other: &Deployment| other.revision.as_ref().zip(revision.as_ref()).is_some_and(|(a, b)| a.is_before(b));
    recorded(service, action).is_some_and(|recorded| recorded.revision == *revision)
        || *state == Some(RolloutState::Failed)
        || service.deployments.iter().any(is_before)
}

/// The first entry of the history that began after the action did: its own, for a rollback is part of an entry there.
fn recorded<'a>(service: &'a Service, action: &ActionRun) -> Option<&'a ServiceDeployment> {
    let began = service.history.iter().filter(|one| one.created.is_some_and(|created| is_of(created, action)));
    began.min_by_key(|one| one.created)
}

/// Whether something that was created then may be the action's work.
fn is_of(created: Timestamp, action: &ActionRun) -> bool {
    created >= action.started.before(CLOCK_SKEW) && (!action.is_over() || created <= action.updated + CLOCK_SKEW)
}

fn of_deployment(service: &Service, own: &Deployment, action: &ActionRun, now: Timestamp) -> Rollout {
    let primary = service.deployments.iter().find(|one| one.is_primary).unwrap_or(own);
    let progress = match own.state {
        Some(RolloutState::Failed) => brought_back(own, primary),
        _ if primary.id != own.id && is_newer(primary, own) => overtaken(service, action, now),
        _ if primary.id != own.id => brought_back(own, primary),
        Some(RolloutState::Completed) => Progress::Runs { since: own.updated.unwrap_or(now) },
        _ if action.status == ActionStatus::Succeeded && own.tasks.are_up() && service.deployments.len() == 1 => {
            Progress::Runs { since: own.updated.unwrap_or(action.updated) }
        }
        _ if action.status == ActionStatus::Succeeded && now.since(action.updated) > STILL_AT_WORK => {
            Progress::Unconfirmed
        }
        _ if !service.has_breaker && own.tasks.failed >= own.tasks.threshold() => Progress::Failing,
        _ => Progress::Rolling { lifecycle: None },
    };
    Rollout {
        service: service.name.clone(),
        revision: own.revision.clone(),
        progress,
        tasks: own.tasks,
        reason: own.reason.clone().filter(|_| own.state == Some(RolloutState::Failed)),
        cause: None,
        address: None,
    }
}

/// A deploy that has taken the place of this one says nothing of it; CodePipeline does, once the action has ended. Where
/// that was early, the later one has to come to an end too: it may be rolled back, and past this one.
fn overtaken(service: &Service, action: &ActionRun, now: Timestamp) -> Progress {
    let is_under_way =
        service.deployments.iter().any(|one| one.is_primary && one.state == Some(RolloutState::InProgress));
    let is_early = action.status == ActionStatus::Succeeded && now.since(action.updated) <= STILL_AT_WORK;
    if !action.is_over() || (is_under_way && is_early) {
        return Progress::Rolling { lifecycle: None };
    }
    Progress::Unconfirmed
}

/// A later deploy took the place of this one, by its revision, or where that does not tell, by its time.
fn is_newer(primary: &Deployment, own: &Deployment) -> bool {
    match (&primary.revision, &own.revision) {
        (Some(primary), Some(own)) if primary.family == own.family => primary.is_after(own),
        _ => primary.created > own.created,
    }
}

fn brought_back(own: &Deployment, primary: &Deployment) -> Progress {
    let is_other = primary.id != own.id && primary.revision != own.revision;
    let to = primary.revision.clone().filter(|_| is_other);
    if is_other
        && (primary.state == Some(RolloutState::Completed) || (primary.state.is_none() && primary.tasks.are_up()))
    {
        return Progress::RolledBack { to };
    }
    Progress::Failed { rolling_back_to: to }
}

/// As the service deployments API tells it: for strategies with stages, and where the own deployment is gone.
fn of_history(service: &Service, own: &ServiceDeployment, action: &ActionRun, now: Timestamp) -> Rollout {
    let progress = match own.status {
        ServiceDeploymentStatus::AtWork
            if action.status == ActionStatus::Succeeded && now.since(action.updated) > STILL_AT_WORK =>
        {
            Progress::Unconfirmed
        }
        ServiceDeploymentStatus::AtWork => Progress::Rolling { lifecycle: own.lifecycle.clone() },
        ServiceDeploymentStatus::Successful => Progress::Runs { since: own.finished.unwrap_or(now) },
        ServiceDeploymentStatus::RollingBack => Progress::Failed { rolling_back_to: own.rollback_to.clone() },
        ServiceDeploymentStatus::RolledBack => Progress::RolledBack { to: own.rollback_to.clone() },
        ServiceDeploymentStatus::Stopped => stopped(service, own, action, now),
        ServiceDeploymentStatus::RollbackFailed => Progress::Failed { rolling_back_to: None },
    };
    let has_failed = matches!(progress, Progress::Failed { .. } | Progress::RolledBack { .. });
    Rollout {
        service: service.name.clone(),
        revision: own.revision.clone(),
        progress,
        tasks: own.tasks,
        reason: own.reason.clone().filter(|_| has_failed),
        cause: None,
        address: None,
    }
}

/// A deployment that was stopped: for a later one, which may have been rolled back past this one since, or by somebody.
fn stopped(service: &Service, own: &ServiceDeployment, action: &ActionRun, now: Timestamp) -> Progress {
    let Some(revision) = &own.revision else { return Progress::Failed { rolling_back_to: None } };
    let is_later = |other: Option<&Revision>| other.is_some_and(|other| other.is_after(revision));
    let primary = service.deployments.iter().find(|one| one.is_primary);
    match primary.and_then(|primary| Some((primary, primary.revision.as_ref()?))) {
        Some((primary, runs)) if runs.is_before(revision) => went_back(primary, runs),
        Some((_, runs)) if is_later(Some(runs)) => overtaken(service, action, now),
        _ if service.history.iter().any(|one| is_later(one.revision.as_ref())) => overtaken(service, action, now),
        _ => Progress::Failed { rolling_back_to: None },
    }
}

/// The service runs an earlier revision again, or is on its way there.
fn went_back(primary: &Deployment, to: &Revision) -> Progress {
    match primary.state {
        Some(RolloutState::Completed) | None => Progress::RolledBack { to: Some(to.clone()) },
        _ => Progress::Failed { rolling_back_to: Some(to.clone()) },
    }
}

/// Nothing that ECS lists is the action's own: it has not begun, or is gone already.
fn without_deployment(service: &Service, action: &ActionRun, before: Option<&Rollout>, now: Timestamp) -> Rollout {
    let primary = service.deployments.iter().find(|one| one.is_primary);
    let known = before.and_then(|before| before.revision.as_ref());
    let runs = primary.and_then(|primary| primary.revision.as_ref());
    let progress = match (known, runs, primary) {
        // It was there before, and what the service is on its way to is older.
        (Some(known), Some(runs), Some(primary)) if runs.is_before(known) => went_back(primary, runs),
        (Some(_), ..) => overtaken(service, action, now),
        (None, ..) if action.is_over() => Progress::Unconfirmed,
        (None, ..) => Progress::NotBegun,
    };
    let mut rollout = Rollout::unknown(&service.name, progress);
    rollout.revision = known.cloned();
    rollout
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
