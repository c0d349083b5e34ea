//! What must be true of reports whatever is read and whatever GitHub shows.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::any::{
    EXECUTION, PIPELINE, STAGES, options, reading, run, run_without_retries, sha, text, without_ecs,
};

type Status = (Report, Option<Author>);

/// A commit at GitHub: its statuses, newest first.
#[derive(Clone, Debug, Default)]
struct Commit(Vec<Status>);

impl Commit {
    fn shown(&self) -> ShownStatuses {
        ShownStatuses::from_newest_first(self.0.clone())
    }

    fn post(&mut self, due: Vec<Report>) {
        let author = || Some(Author { execution: EXECUTION.to_owned(), push: None });
        self.0.splice(0..0, due.into_iter().rev().map(|report| (report, author())));
    }

    /// A worker's look: what it reads is compared with what is shown, and the difference is posted.
    fn look(&mut self, snapshot: &ExecutionSnapshot) -> usize {
        let due = diff(snapshot, &wanted(snapshot), &self.shown(), &[]);
        let posted = due.len();
        self.post(due);
        posted
    }

    /// The contexts in which an end is shown.
    fn ends(&self) -> Vec<String> {
        self.shown()
            .contexts
            .values()
            .filter(|shown| shown.state.is_final())
            .map(|shown| shown.context.clone())
            .collect()
    }
}

fn wanted(snapshot: &ExecutionSnapshot) -> Vec<Wanted> {
    desired(snapshot, &CommitSha::parse(&"a1".repeat(20)).unwrap(), &RunOptions::default())
}

/// Statuses that a commit may have from this execution, an older and a newer one, and from somebody else.
fn commit() -> impl Strategy<Value = Commit> {
    let mut contexts: Vec<String> = STAGES.iter().map(|stage| stage_context(PIPELINE, stage)).collect();
    contexts.extend([execution_context(PIPELINE), "CodePipeline/Node-Server".to_owned(), "lint".to_owned()]);
    let state = select(vec![State::Pending, State::Success, State::Failure, State::Error]);
    let said = prop_oneof![text(), Just("Build: BUILD".to_owned()), Just("Queued".to_owned())];
    let author = option::of(select(vec![EXECUTION, EXECUTION, "older", "newer"]));
    let status = (select(contexts), state, said, author).prop_map(|(context, state, description, execution)| {
        let author = execution.map(|execution| Author { execution: execution.to_owned(), push: None });
        (Report { context, state, description }, author)
    });
    // Some are posted again and again, and use an account up.
    let often = (status, 1..7_usize).prop_map(|(status, times)| vec![status; times]);
    vec(often, 0..8).prop_map(|statuses| Commit(statuses.concat()))
}

fn newer() -> impl Strategy<Value = Vec<String>> {
    select(vec![Vec::new(), vec!["newer".to_owned()]])
}

fn attempts(snapshot: &ExecutionSnapshot, context: &str) -> u32 {
    let is_of = |stage: &&Stage| {
        context == execution_context(PIPELINE) || stage_context(PIPELINE, &stage.name).eq_ignore_ascii_case(context)
    };
    snapshot.stages.iter().filter(is_of).map(|stage| stage.attempts - 1).sum()
}

proptest! {
    #[test]
    fn once_it_is_posted_nothing_is_left_to_post(
        snapshot in prop_oneof![reading(), run().prop_flat_map(select)],
        mut commit in commit(),
        newer in newer(),
    ) {
        let due = diff(&snapshot, &wanted(&snapshot), &commit.shown(), &newer);
        commit.post(due);
        prop_assert_eq!(diff(&snapshot, &wanted(&snapshot), &commit.shown(), &newer), Vec::new());
    }

    /// However many statuses were posted before: what is left out is progress.
    #[test]
    fn an_end_is_never_left_out(snapshot in reading(), mut commit in commit(), newer in newer()) {
        let wanted = wanted(&snapshot);
        let due = diff(&snapshot, &wanted, &commit.shown(), &newer);
        commit.post(due);
        let shown = commit.shown();
        for Wanted { report, yields_to, .. } in wanted.iter().filter(|wanted| wanted.report.state.is_final()) {
            let shown = shown.get(&report.context).unwrap();
            let is_newers = shown.execution.as_ref().is_some_and(|execution| newer.contains(execution));
            let stands = match yields_to {
                YieldsTo::Nothing => false,
                YieldsTo::Successes => shown.state == State::Success,
                YieldsTo::Ends => shown.state.is_final(),
            };
            prop_assert!(shown.state == report.state || is_newers || stands, "{report:?}, but there is {shown:?}");
        }
        if snapshot.is_settled() {
            prop_assert_eq!(shown.pending_of(PIPELINE, EXECUTION), Vec::<String>::new());
        }
    }

    /// As a run goes on, an end is taken back only by a retry, and not by a look that can't ask ECS either.
    #[test]
    fn an_end_is_taken_back_by_a_retry_alone(snapshots in run()) {
        let mut commit = Commit::default();
        let mut before: Option<&ExecutionSnapshot> = None;
        for snapshot in &snapshots {
            let ended = commit.ends();
            commit.look(snapshot);
            let still = commit.ends();
            let is_retried = |context: &str| before.is_some_and(|before| attempts(snapshot, context) > attempts(before, context));
            for context in ended {
                prop_assert!(still.contains(&context) || is_retried(&context), "{context} is pending again by {snapshot:?}");
            }
            before = Some(snapshot);
        }
        let last = snapshots.last().unwrap();
        prop_assert!(!last.is_settled() || commit.shown().pending_of(PIPELINE, EXECUTION).is_empty());
    }

    #[test]
    fn a_look_that_cannot_ask_ecs_takes_no_end_back(snapshots in run_without_retries()) {
        let mut commit = Commit::default();
        for snapshot in &snapshots {
            commit.look(snapshot);
            let before = commit.shown();
            let ended: Vec<_> = before.contexts.values().filter(|shown| shown.state.is_final()).collect();
            commit.look(&without_ecs(snapshot));
            for shown in ended {
                prop_assert_eq!(commit.shown().get(&shown.context).map(|now| now.state), Some(shown.state));
            }
        }
    }

    /// Looked at as often as you like, a context gets 4 statuses an attempt at most; a run 2 more for each further stage whose
    /// rollout fails.
    #[test]
    fn a_run_is_told_in_a_handful_of_statuses(snapshots in run()) {
        let mut commit = Commit::default();
        for snapshot in &snapshots {
            commit.look(snapshot);
            prop_assert_eq!(commit.look(snapshot), 0);
        }
        let last = snapshots.last().unwrap();
        for shown in commit.shown().contexts.values() {
            let undone = last.stages.iter().filter(|stage| stage.failed_rollout().is_some()).count() as u32;
            let further = if shown.context == execution_context(PIPELINE) { undone.saturating_sub(1) } else { 0 };
            let most = 4 * (1 + attempts(last, &shown.context)) + 2 * further;
            let posts: u32 = shown.posts.values().sum();
            prop_assert!(posts <= most, "{posts} statuses in {}, of {most}: {commit:#?}", shown.context);
        }
    }

    /// Even where readings contradict each other, only what turns from one state to another costs more than the account,
    /// and a rollback that is over.
    #[test]
    fn contradictions_cost_one_status_each(snapshots in vec(reading(), 1..4)) {
        let mut commit = Commit::default();
        let (mut most, mut turns): (BTreeMap<String, u32>, BTreeMap<String, u32>) = Default::default();
        for snapshot in snapshots.iter().cycle().take(12) {
            let before = commit.shown();
            commit.look(snapshot);
            for Wanted { report, account, .. } in wanted(snapshot) {
                let room = most.entry(report.context.to_lowercase()).or_default();
                *room = account.max(*room);
            }
            for (context, now) in &commit.shown().contexts {
                let turned = before.contexts.get(context).is_some_and(|before| before.state != now.state);
                *turns.entry(context.clone()).or_default() += u32::from(turned);
            }
        }
        let rolled_back = snapshots.iter().any(|snapshot| wanted(snapshot).iter().any(|wanted| wanted.is_rolled_back));
        for (context, shown) in &commit.shown().contexts {
            let posts: u32 = shown.posts.values().sum();
            // What a held stage leaves behind is ended without having been asked for again.
            let most = most.get(context).copied().unwrap_or(0) + turns[context] + u32::from(rolled_back);
            prop_assert!(posts <= most, "{posts} statuses in {context}, of {most}");
        }
    }

    #[test]
    fn whatever_is_read_each_context_gets_one_line_that_github_takes(
        snapshot in prop_oneof![reading(), run().prop_flat_map(select)],
        commit in sha(),
        options in options(),
    ) {
        let wanted = desired(&snapshot, &commit, &options);
        let mut contexts: Vec<String> = wanted.iter().map(|wanted| wanted.report.context.to_lowercase()).collect();
        contexts.sort();
        contexts.dedup();
        prop_assert_eq!(contexts.len(), wanted.len(), "a context twice");
        for Wanted { report: Report { context, description, .. }, .. } in wanted {
            prop_assert!(is_of_pipeline(&context, PIPELINE));
            prop_assert!(description.encode_utf16().count() <= 140, "{description:?}");
            prop_assert!(!description.chars().any(char::is_control), "{description:?}");
        }
    }

    /// GitHub lists statuses newest first, and that is the only order that counts: within a context.
    #[test]
    fn what_other_contexts_show_makes_no_difference(
        snapshot in reading(),
        commit in commit(),
        turn in any::<prop::sample::Index>(),
    ) {
        let mut apart = commit.clone();
        apart.0.sort_by_key(|(report, _)| report.context.to_lowercase());
        let middle = if apart.0.is_empty() { 0 } else { turn.index(apart.0.len()) };
        let at_context = |index: usize| apart.0[index..].iter().position(|(report, _)| report.context.to_lowercase() != apart.0[index].0.context.to_lowercase()).map_or(apart.0.len(), |more| index + more);
        let middle = if apart.0.is_empty() { 0 } else { at_context(middle) };
        apart.0.rotate_left(middle);
        let newers = ["newer".to_owned(), "another".to_owned()];
        let reversed: Vec<String> = newers.iter().rev().cloned().collect();
        let wanted = wanted(&snapshot);
        let due = |commit: &Commit, newer: &[String]| diff(&snapshot, &wanted, &commit.shown(), newer);
        prop_assert_eq!(due(&commit, &newers), due(&apart, &reversed));
    }
}
