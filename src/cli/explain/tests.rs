//! `explain` against what the webhook decides.

use proptest::prelude::*;

use super::*;
use crate::config::{GitHubConfig, ReportAs};
use crate::domain::route::RouteTable;
use crate::domain::route::properties::{press, pull_request, push, real, table};

/// A decision in short: what becomes of which pipeline, and with which variables or why.
fn of_the_webhook(decision: Decision) -> Option<(Outcome, String, String)> {
    match decision {
        Decision::Start(request) => Some((Outcome::Starts, request.pipeline, format!("{:?}", request.variables))),
        Decision::Skip { pipeline, reason, .. } => Some((Outcome::Skipped, pipeline, reason.to_string())),
        Decision::Press(_, request) => Some((Outcome::Asked, request.pipeline, String::new())),
        Decision::Ignore(_) => None,
    }
}

fn of_explain(verdict: Verdict) -> Option<(Outcome, String, String)> {
    let variables = verdict.start.map(|start| start.variables.into_iter().collect::<Vec<_>>());
    match verdict.decision {
        Outcome::Starts => Some((Outcome::Starts, verdict.pipeline, format!("{:?}", variables?))),
        Outcome::Skipped => Some((Outcome::Skipped, verdict.pipeline, verdict.reason)),
        Outcome::Asked => Some((Outcome::Asked, verdict.pipeline, String::new())),
        Outcome::Ignored | Outcome::Overruled => None,
    }
}

proptest! {
    #[test]
    fn each_pipeline_comes_to_what_the_webhook_decides(
        routes in table(),
        kind in prop_oneof![4 => push(), 2 => pull_request(), 1 => press()],
    ) {
        let event = Event { delivery: "d-1".to_owned(), kind };
        let routes = RouteTable(routes.iter().map(real).collect());
        let mut decided: Vec<_> = routes.plan(&event).into_iter().filter_map(of_the_webhook).collect();
        let github = GitHubConfig { api_url: String::new(), report: ReportAs::Statuses, deployments: true };
        let explained = Explanation::of("push", &event, &Config { github, routes: routes.clone() }, "");
        prop_assert_eq!(explained.routes.len(), routes.0.len());
        let mut explained: Vec<_> = explained.routes.into_iter().filter_map(of_explain).collect();
        decided.sort();
        explained.sort();
        prop_assert_eq!(explained, decided);
    }
}
