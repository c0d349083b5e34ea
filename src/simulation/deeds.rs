//! What happens, done to the world.

use std::time::Duration;

use super::plan::{BRANCH, DEPLOYS_IN, Incident, What};
use super::run::{APP, Deed, Runner, github_api_url};
use super::sandbox::Fate;
use super::truth;
use crate::domain::time::Timestamp;
use crate::local::{DEAD_LETTERS, QUEUE, account, sample};
use crate::standin::{Answered, ExecutionView, Fault, Permission, Release, When};

const MINUTE: Duration = Duration::from_secs(60);

/// Settings are kept for five minutes; after six everybody has the new ones, unless SSM can't be read.
const KNOWN_TO_ALL: Duration = Duration::from_secs(6 * 60);

/// A message that nobody can read.
pub(super) const POISON: &str = "{ this is no JSON";

/// How long an incident goes on.
pub(super) fn lasts(what: &What) -> Duration {
    match what {
        What::Outage { lasts, .. }
        | What::Hold { lasts, .. }
        | What::BrokenConfig { lasts }
        | What::NewToken { lasts }
        | What::NoPermission { lasts }
        | What::Worker(Fate::Freezes { lasts, .. } | Fate::FreezesTelling { lasts })
        | What::Webhook(Fate::Freezes { lasts, .. }) => *lasts,
        What::NewSecret => KNOWN_TO_ALL * 2,
        _ => Duration::ZERO,
    }
}

impl Runner<'_> {
    pub(super) fn act(&mut self, deed: Deed) {
        let now = self.now();
        match deed {
            Deed::Incident(at) => {
                let Incident { number, what, .. } = self.plan.incidents[at].clone();
                if self.happens(now, &what) {
                    self.watch.tell(now, || format!("[{number}] {what:?}"));
                    self.watch.happened(&what);
                }
            }
            Deed::Deliver(commit) => self.deliver(commit),
            Deed::LetGo { pipeline, stage } => {
                let name = &self.plan.set_up.pipelines[pipeline].name;
                self.wires.world().pipelines().let_go(now, name, stage);
            }
            Deed::MendConfig => {
                self.watch.undone("configuration broken");
                let config = account::config(&github_api_url(), &self.routes());
                account::put_config(&mut self.wires.world(), now, &config);
            }
            Deed::ReplaceToken => {
                let token = format!("ghp_{:040}", self.tokens.len());
                let mut world = self.wires.world();
                world.github().add_token(&token, "octocat");
                account::put_github_token(&mut world, now, &token);
                drop(world);
                self.tokens.push(token);
                self.watch.undone("token revoked");
            }
            Deed::Permit => {
                self.permit(Permission::Write);
                self.watch.undone("permission lost");
            }
            Deed::SignAnew => {
                let secret = format!("secret {} of the simulation", self.secrets.len());
                self.secrets.push(secret);
                self.put_down(now + KNOWN_TO_ALL, Deed::DropOldSecret);
            }
            Deed::DropOldSecret => {
                let secret = self.secrets.last().cloned().unwrap_or_default();
                account::put_webhook_secret(&mut self.wires.world(), now, &secret);
                self.is_rotating = false;
            }
            Deed::Tidy => {
                self.wires.world().faults().clear();
                self.is_tidy = true;
                self.act(Deed::Sweep);
            }
            Deed::Sweep => self.sweep(now),
        }
    }

    fn permit(&self, permission: Permission) {
        let mut world = self.wires.world();
        for token in &self.tokens {
            world.github().set_permission(token, permission);
        }
    }

    /// Gives approvals that still wait, and stops what has hung for longer than any deploy may take.
    fn sweep(&mut self, now: Timestamp) {
        let mut is_over = true;
        let wires = self.wires.clone();
        let mut world = wires.world();
        for pipeline in &self.plan.set_up.pipelines {
            let open = |execution: &ExecutionView| matches!(execution.status, "InProgress" | "Stopping");
            for execution in world.pipelines().executions(&pipeline.name).into_iter().filter(open) {
                is_over = false;
                let pipelines = world.pipelines();
                let has_answered = pipelines.answer_approval(now, &execution.id, Answered::Approved, "go on");
                if !has_answered && now.since(execution.updated) > MINUTE * 25 {
                    pipelines.stop(now, &execution.id, true, "it hangs");
                }
            }
        }
        // What is on the queue, or on its way there, may start something yet.
        is_over &= world.queues().is_empty(QUEUE) && self.commits.iter().all(|one| one.is_accepted || one.is_forged);
        is_over &= self.is_idle();
        drop(world);
        if !is_over {
            self.put_down(now + MINUTE * 5, Deed::Sweep);
        }
    }

    /// Whether it could happen at all.
    fn happens(&mut self, now: Timestamp, what: &What) -> bool {
        let name = |at: usize| self.plan.set_up.pipelines[at].name.clone();
        let wires = self.wires.clone();
        if matches!(what, What::Release { .. } | What::Retry { .. } | What::RollBack { .. }) {
            // Of what somebody else begins, nothing but its events tells.
            wires.world().faults().clear_events();
        }
        let newest = |at: usize| wires.world().pipelines().executions(&name(at)).pop();
        match what {
            What::Push { pipeline, commit, course } => {
                let repository = self.plan.set_up.pipelines[*pipeline].repository.clone();
                let message = format!("Commit {commit} of seed {}", self.plan.seed);
                let at = self.push(&repository, &message, false);
                let sha = sample::sha(&message);
                let mut world = wires.world();
                world.github().set_ref(&repository, &format!("refs/heads/{BRANCH}"), &sha);
                for pipeline in self.plan.set_up.pipelines.iter().filter(|one| one.repository == repository) {
                    world.pipelines().script_commit(&pipeline.name, &sha, course.script());
                    world.pipelines().set_head(&pipeline.name, &sha);
                }
                drop(world);
                self.pushed.insert(*commit, at);
                self.deliver(at);
            }
            What::Redelivery { commit } => {
                let Some(at) = self.pushed.get(commit).copied() else { return false };
                self.deliver(at);
            }
            What::Release { pipeline, commit } => {
                let Some(at) = self.pushed.get(commit) else { return false };
                let commit = &self.commits[*at];
                if commit.repository != self.plan.set_up.pipelines[*pipeline].repository {
                    return false;
                }
                let mut world = wires.world();
                world.pipelines().set_head(&name(*pipeline), &commit.sha);
                let started = world.pipelines().release_change(now, &name(*pipeline), Release::StartPipelineExecution);
                return started.is_some_and(|id| self.watch.note_foreign(id));
            }
            What::Stop { pipeline, abandon } => {
                let Some(execution) = newest(*pipeline) else { return false };
                return wires.world().pipelines().stop(now, &execution.id, *abandon, "not this one");
            }
            What::Retry { pipeline, all_actions } => {
                let Some(execution) = newest(*pipeline) else { return false };
                let failed = execution.stages.iter().find(|stage| stage.status == Some("Failed"));
                let Some(stage) = failed else { return false };
                return wires.world().pipelines().retry(now, &execution.id, &stage.name, *all_actions);
            }
            What::Answer { pipeline, approves } => {
                let answer = if *approves { Answered::Approved } else { Answered::Rejected };
                let executions = wires.world().pipelines().executions(&name(*pipeline));
                let mut answered = false;
                for execution in executions {
                    answered |= wires.world().pipelines().answer_approval(now, &execution.id, answer, "so be it");
                }
                return answered;
            }
            What::Hold { pipeline, stage, lasts } => {
                wires.world().pipelines().hold(now, &name(*pipeline), stage, "not on Fridays");
                self.put_down(now + *lasts, Deed::LetGo { pipeline: *pipeline, stage });
            }
            What::Update { pipeline } => wires.world().pipelines().update(now, &name(*pipeline), |spec| spec),
            What::RollBack { pipeline } => {
                let mut world = wires.world();
                let executions = world.pipelines().executions(&name(*pipeline));
                let target = executions.iter().rev().skip(1).find(|one| one.stage(DEPLOYS_IN) == Some("Succeeded"));
                let Some(target) = target else { return false };
                let started = world.pipelines().rollback(now, &name(*pipeline), DEPLOYS_IN, &target.id, false);
                return started.is_some_and(|id| self.watch.note_foreign(id));
            }
            What::Deploy { pipeline } => {
                return wires.world().services().deploy(now, "staging", &name(*pipeline)).is_some();
            }
            What::Forgery { commit } => {
                let message = format!("Forged commit {commit} of seed {}", self.plan.seed);
                let repository = self.plan.set_up.pipelines[0].repository.clone();
                let at = self.push(&repository, &message, true);
                self.deliver(at);
            }
            What::Poison => {
                wires.world().queues().inject(now, QUEUE, POISON);
            }
            What::Outage { service, operation, lasts, fault } => {
                wires.world().faults().add(service, operation, When::Between(now, now + *lasts), *fault);
            }
            What::Calls { service, operation, count, fault } => {
                wires.world().faults().next(service, operation, *count, *fault);
            }
            What::Events { count, fault } => wires.world().faults().events(When::Next(*count), *fault),
            What::Twice { count } => wires.world().queues().deliver_twice(QUEUE, *count),
            What::Worker(fate) => self.worker_fates.push_back(*fate),
            What::Webhook(fate) => self.webhook_fates.push_back(*fate),
            What::ColdStart => {
                let idle = self.idle_workers.len() + self.idle_webhooks.len();
                self.idle_workers.clear();
                self.idle_webhooks.clear();
                return idle > 0;
            }
            What::Skew { millis } => {
                self.skew = *millis;
                self.idle_workers.clear();
                self.idle_webhooks.clear();
            }
            What::BrokenConfig { lasts } => {
                account::put_config(&mut wires.world(), now, "[github\nthis is no TOML");
                self.put_down(now + *lasts, Deed::MendConfig);
            }
            What::NewSecret => {
                if self.is_rotating {
                    return false;
                }
                self.is_rotating = true;
                let old = self.secrets.last().cloned().unwrap_or_default();
                let new = format!("secret {} of the simulation", self.secrets.len());
                account::put_webhook_secret(&mut wires.world(), now, &format!("{old}\n{new}"));
                self.put_down(now + KNOWN_TO_ALL, Deed::SignAnew);
            }
            What::NewToken { lasts } => {
                if self.plan.set_up.is_app {
                    wires.world().github().revoke_app_tokens(APP);
                } else {
                    let token = self.tokens.last().cloned().unwrap_or_default();
                    wires.world().github().revoke(&token);
                    self.put_down(now + *lasts, Deed::ReplaceToken);
                }
            }
            What::NoPermission { lasts } => {
                if self.plan.set_up.is_app {
                    return false;
                }
                self.permit(Permission::Read);
                self.put_down(now + *lasts, Deed::Permit);
            }
            What::ForgetTokens => {
                // It remembers for longer than it takes until GitHub shows which push has started what. Where neither can
                // be asked, a push that is delivered again is started again. Who is frozen gets no answer either.
                let keeps_from_github = |what: &What| match what {
                    What::NewToken { .. } | What::NoPermission { .. } | What::BrokenConfig { .. } => true,
                    What::Outage { service, .. } | What::Calls { service, .. } => *service == "github",
                    What::Worker(Fate::Freezes { .. } | Fate::FreezesTelling { .. }) => true,
                    _ => false,
                };
                if self.plan.incidents.iter().any(|incident| keeps_from_github(&incident.what)) {
                    return false;
                }
                let mut world = wires.world();
                for pipeline in &self.plan.set_up.pipelines {
                    for commit in self.commits.iter().filter(|one| one.repository == pipeline.repository) {
                        if !truth::is_marked(&mut world, pipeline, &commit.sha) {
                            return false;
                        }
                    }
                }
                world.pipelines().forget_tokens();
            }
            What::Redrive => {
                return wires.world().queues().redrive(now, DEAD_LETTERS) > 0;
            }
        }
        true
    }

    /// What must hold once nothing is left to happen.
    pub(super) fn check_the_end(&mut self) {
        let wires = self.wires.clone();
        let now = wires.now();
        let mut world = wires.world();
        for body in world.queues().bodies(DEAD_LETTERS) {
            if body != POISON {
                self.watch.breach(format!("a message can't be handled, even after a redrive: {body}"));
            }
        }
        let mut all: Vec<ExecutionView> = Vec::new();
        for pipeline in &self.plan.set_up.pipelines {
            let executions = world.pipelines().executions(&pipeline.name);
            for commit in self.commits.iter().filter(|commit| commit.repository == pipeline.repository) {
                let own: Vec<_> = executions.iter().filter(|one| one.commit.as_deref() == Some(&commit.sha)).collect();
                let started = own.iter().filter(|one| !self.watch.foreign.contains(&one.id)).count();
                let shown = truth::shown(&mut world, &commit.repository, &commit.sha, self.plan.set_up.is_app);
                let context = format!("codepipeline/{}", pipeline.name);
                let said = shown.get(&context).map(|told| format!("{}: {}", told.state, told.text));
                let was_denied = self.watch.denied_starts.contains(&(pipeline.name.clone(), commit.sha.clone()));
                match started {
                    0 if commit.is_forged || !commit.is_accepted => {}
                    // A worker that looked before it started has found what somebody else had started.
                    0 if !own.is_empty() => {}
                    0 if was_denied
                        && shown.get(&context).is_some_and(|told| told.state == crate::standin::State::Error) => {}
                    1 if !commit.is_forged => {}
                    n => self.watch.breach(format!(
                        "{:.7} was to be started once in {}, and was started {n} times; GitHub shows {said:?}",
                        commit.sha, pipeline.name
                    )),
                }
                if !commit.is_forged && !commit.is_accepted {
                    self.watch.breach(format!("the push of {:.7} was never accepted", commit.sha));
                }
                let newest = own.iter().max_by_key(|one| one.started);
                // Nobody knows the commit of an execution before its source is there, unless by having started it: where
                // the answer was lost, another execution of the commit may have been taken for its own.
                let told_of = shown.get(&context).and_then(|told| told.execution.as_ref());
                let has_source =
                    |one: &ExecutionView| one.stage("Source") == Some("Succeeded") || one.stage(DEPLOYS_IN).is_some();
                // Nor after a retry that did not come to it: only its own chain knew.
                let has_retries = self.watch.count_of(&["retry"]) > 0;
                // What others began is told once its commit is known, which a rollback's is from its beginning.
                let is_known = |one: &ExecutionView| {
                    let is_told = told_of == Some(&one.id);
                    match self.watch.foreign.contains(&one.id) {
                        true => is_told,
                        false => !has_retries && (is_told || own.len() == 1),
                    }
                };
                let is_judged = |one: &ExecutionView| has_source(one) || is_known(one);
                let with_source = || own.iter().filter(|one| has_source(one)).max_by_key(|one| one.started);
                if let Some(execution) = newest.filter(|one| is_judged(one)).or_else(with_source) {
                    let without_ecs = self.watch.without_ecs.contains(&execution.id);
                    let seen = truth::Seen { is_only: own.len() == 1, without_ecs };
                    for untruth in truth::untruths(&mut world, pipeline, execution, seen, self.plan.set_up.is_app) {
                        self.watch.breach(format!("{:.7}: {untruth}", commit.sha));
                    }
                }
            }
            self.watch.judge_successes(&mut world, pipeline, &executions);
            if self.plan.set_up.deployments {
                self.watch.judge_deployments(&mut world, pipeline, &executions);
            }
            all.extend(executions);
        }
        self.watch.bounds(&all, now, &self.plan.set_up);
    }
}

/// Whether a fault makes a start impossible, as far as the worker can tell: it says so, and leaves it.
pub(super) fn is_final_for_a_start(fault: &str) -> bool {
    [Fault::AccessDenied, Fault::NotFound, Fault::Unprocessable].iter().any(|known| known.name() == fault)
}
