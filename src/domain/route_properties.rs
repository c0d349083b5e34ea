//! Routing against a model: the rules of the configuration, told again as slowly and obviously as can be.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A route as it is written: patterns are texts.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    repository: &'static str,
    branches: Option<Vec<String>>,
    tags: Vec<String>,
    paths: Option<Vec<String>>,
    paths_ignore: Vec<String>,
    /// `None` takes none; an empty list of bases all.
    pull_requests: Option<Vec<String>>,
    pipeline: &'static str,
    /// Which of the routes it is, as a variable of what it starts.
    number: usize,
}

/// What comes of an event, in short.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Start { pipeline: String, route: String },
    Skip { pipeline: String, reason: String },
    Press { pipeline: String, route: String },
    Ignore,
}

// ---- The model.

/// Whether a pattern takes a name: `*` is any text without a slash, `**` any text; `**/` as a part of its own is also
/// nothing at all.
fn takes(pattern: &[char], name: &[char]) -> bool {
    takes_rest(pattern, name, true)
}

fn takes_rest(pattern: &[char], name: &[char], is_at_part: bool) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', '*', '/', rest @ ..] if is_at_part && takes_rest(rest, name, true) => true,
        ['*', '*', rest @ ..] => (0..=name.len()).any(|end| takes_rest(rest, &name[end..], false)),
        ['*', rest @ ..] => {
            let until = name.iter().position(|char| *char == '/').unwrap_or(name.len());
            (0..=until).any(|end| takes_rest(rest, &name[end..], false))
        }
        [char, rest @ ..] => name.first() == Some(char) && takes_rest(rest, &name[1..], *char == '/'),
    }
}

fn one_takes(patterns: &[String], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    patterns.iter().any(|pattern| takes(&pattern.chars().collect::<Vec<_>>(), &name))
}

fn one_takes_branch(patterns: &[String], branch: &str) -> bool {
    let is_queued = branch.starts_with("gh-readonly-queue/");
    one_takes(patterns, branch) && (!is_queued || patterns.iter().any(|text| text.starts_with("gh-readonly-queue/")))
}

impl Written {
    fn takes_branch(&self, branch: &str, default_branch: &str) -> bool {
        match &self.branches {
            None => branch == default_branch,
            Some(patterns) => one_takes_branch(patterns, branch),
        }
    }

    fn outcome(&self, kind: &EventKind) -> Outcome {
        let (pipeline, route) = (self.pipeline.to_owned(), self.number.to_string());
        let (start, pressed) = (
            Outcome::Start { pipeline: pipeline.clone(), route: route.clone() },
            Outcome::Press { pipeline: pipeline.clone(), route },
        );
        match kind {
            EventKind::Nothing(_) => Outcome::Ignore,
            EventKind::Press(press) => match &press.what {
                Pressed::Button { name, .. } | Pressed::Rerun { name, .. } => {
                    let parts: Vec<String> = name.split('/').map(str::to_lowercase).collect();
                    let is_ours = parts.len() >= 2 && parts[0] == "codepipeline" && parts[1] == pipeline.to_lowercase();
                    if is_ours { pressed } else { Outcome::Ignore }
                }
                Pressed::RerunAll { .. } => pressed,
            },
            EventKind::PullRequest(pull) => {
                let is_base = match &self.pull_requests {
                    None => false,
                    Some(bases) => bases.is_empty() || one_takes_branch(bases, &pull.base_branch),
                };
                let is_pushed = self.takes_branch(&pull.head_branch, &pull.default_branch);
                if is_base && !is_pushed && !pull.from_fork { start } else { Outcome::Ignore }
            }
            EventKind::Push(push) => {
                let is_taken = match &push.git_ref {
                    Ref::Branch(branch) => self.takes_branch(branch, &push.default_branch),
                    Ref::Tag(tag) => one_takes(&self.tags, tag),
                };
                if !is_taken {
                    return Outcome::Ignore;
                }
                let said = push.message.to_lowercase();
                for mark in ["[skip ci]", "[ci skip]", "[skip pipeline]"] {
                    if said.contains(mark) {
                        return Outcome::Skip { pipeline, reason: format!("the commit's message says {mark}") };
                    }
                }
                let ChangedFiles::Known(files) = &push.changed else { return start };
                let is_filtered = self.paths.is_some() || !self.paths_ignore.is_empty();
                for file in files {
                    let is_wanted = match &self.paths {
                        None => true,
                        Some(paths) => one_takes(paths, file),
                    };
                    if is_wanted && !one_takes(&self.paths_ignore, file) {
                        return start;
                    }
                }
                if !is_filtered {
                    return start;
                }
                let reason = match files.len() {
                    0 => "no file changed".to_owned(),
                    1 => "the 1 changed file is left out by the path filters".to_owned(),
                    more => format!("the {more} changed files are left out by the path filters"),
                };
                Outcome::Skip { pipeline, reason }
            }
        }
    }
}

/// The first route that starts a pipeline, or else the first that skips it; pipelines in the order in which a route first
/// had something to do with them. A press asks those first that take its branch.
fn model(routes: &[Written], repository: &RepositoryName, kind: &EventKind) -> Vec<Outcome> {
    let is_its = |route: &&Written| route.repository.to_lowercase() == repository.as_str().to_lowercase();
    let of_route = |route: &Written| (route.pipeline, route.outcome(kind));
    let takes = |route: &&Written| match kind {
        EventKind::Press(press) => {
            let branch = press.head_branch.as_ref().unwrap_or(&press.default_branch);
            route.takes_branch(branch, &press.default_branch)
        }
        _ => true,
    };
    let (first, others): (Vec<&Written>, Vec<&Written>) = routes.iter().filter(is_its).partition(takes);
    let all: Vec<(&str, Outcome)> = first.into_iter().chain(others).map(of_route).collect();
    let told: Vec<_> = all.iter().filter(|(_, outcome)| *outcome != Outcome::Ignore).collect();
    let mut pipelines: Vec<&str> = Vec::new();
    for (pipeline, _) in &told {
        if !pipelines.contains(pipeline) {
            pipelines.push(pipeline);
        }
    }
    let decided = pipelines.into_iter().map(|pipeline| {
        let of_it = || told.iter().filter(move |(other, _)| *other == pipeline).map(|(_, outcome)| outcome);
        let starts = |outcome: &&Outcome| !matches!(outcome, Outcome::Skip { .. });
        of_it().find(starts).or_else(|| of_it().next()).unwrap().clone()
    });
    let decided: Vec<Outcome> = decided.collect();
    if !decided.is_empty() { decided } else { vec![Outcome::Ignore; all.len().max(1)] }
}

// ---- What is really decided.

pub(crate) fn real(written: &Written) -> Route {
    let patterns = |texts: &Vec<String>| Patterns::new(texts).unwrap();
    Route {
        repository: RepositoryName::parse(written.repository).unwrap(),
        branches: written.branches.as_ref().map_or(Branches::Default, |texts| Branches::Matching(patterns(texts))),
        tags: patterns(&written.tags),
        paths: written.paths.as_ref().map(patterns),
        paths_ignore: patterns(&written.paths_ignore),
        pull_requests: match &written.pull_requests {
            None => PullRequests::None,
            Some(bases) if bases.is_empty() => PullRequests::All,
            Some(bases) => PullRequests::Into(patterns(bases)),
        },
        pipeline: written.pipeline.to_owned(),
        source_action: None,
        variables: vec![("ROUTE".to_owned(), Template::parse(&written.number.to_string()).unwrap())],
        options: RunOptions::default(),
    }
}

fn decided(decision: Decision) -> Outcome {
    let route = |request: &StartRequest| request.variables[0].1.clone();
    match decision {
        Decision::Start(request) => Outcome::Start { route: route(&request), pipeline: request.pipeline },
        Decision::Skip { pipeline, reason, .. } => Outcome::Skip { pipeline, reason: reason.to_string() },
        Decision::Press(_, request) => Outcome::Press { route: route(&request), pipeline: request.pipeline },
        Decision::Ignore(_) => Outcome::Ignore,
    }
}

// ---- Routes and events.

/// Names and patterns of a few pieces, so that they often fit together.
fn name() -> impl Strategy<Value = String> {
    let part = vec(select(vec!["a", "b", "main", ".md", "-"]), 1..3).prop_map(|pieces| pieces.concat());
    prop_oneof![
        4 => vec(part, 1..4).prop_map(|parts| parts.join("/")),
        1 => Just("gh-readonly-queue/main/pr-7".to_owned()),
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    let part = vec(select(vec!["a", "b", "main", ".md", "-", "*", "*", "**"]), 1..4).prop_map(|pieces| pieces.concat());
    let parts = vec(prop_oneof![3 => part, 1 => Just("**".to_owned())], 1..4);
    prop_oneof![
        4 => parts.prop_map(|parts| parts.join("/")),
        1 => select(vec!["main", "**", "*", "gh-readonly-queue/**"]).prop_map(str::to_owned),
    ]
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    vec(pattern(), 0..3)
}

const REPOSITORIES: [&str; 3] = ["octo-org/node-server", "Octo-Org/Node-Server", "octo-org/docs"];

fn written() -> impl Strategy<Value = Written> {
    let option = |texts: BoxedStrategy<Vec<String>>| proptest::option::of(texts);
    let what = (select(&REPOSITORIES[..]), select(vec!["node-server", "node", "Docs"]));
    let refs = (option(patterns().boxed()), patterns(), option(patterns().boxed()));
    let files = (proptest::option::weighted(0.3, patterns()), prop_oneof![2 => Just(Vec::new()), 1 => patterns()]);
    (what, refs, files).prop_map(|((repository, pipeline), (branches, tags, pull_requests), (paths, paths_ignore))| {
        Written { repository, branches, tags, paths, paths_ignore, pull_requests, pipeline, number: 0 }
    })
}

pub(crate) fn table() -> impl Strategy<Value = Vec<Written>> {
    let number = |routes: Vec<Written>| {
        routes.into_iter().enumerate().map(|(number, route)| Written { number, ..route }).collect()
    };
    vec(written(), 0..6).prop_map(number)
}

fn repository() -> impl Strategy<Value = RepositoryName> {
    select(&REPOSITORIES[..]).prop_map(|name| RepositoryName::parse(name).unwrap())
}

fn commit() -> CommitSha {
    CommitSha::parse(&"a1".repeat(20)).unwrap()
}

pub(crate) fn push() -> impl Strategy<Value = EventKind> {
    let git_ref = prop_oneof![2 => name().prop_map(Ref::Branch), 1 => name().prop_map(Ref::Tag)];
    let message = prop_oneof![
        4 => Just("Say hello".to_owned()),
        1 => select(vec!["x [skip ci]", "[CI SKIP]\n\nx", "[Skip Pipeline]", "[skip  ci]", "skip ci", "[ci skip"]).prop_map(str::to_owned),
    ];
    let changed = prop_oneof![
        4 => vec(name(), 0..4).prop_map(ChangedFiles::Known),
        1 => Just(ChangedFiles::Unknown("clipped")),
    ];
    (repository(), name(), git_ref, message, changed).prop_map(
        |(repository, default_branch, git_ref, message, changed)| {
            EventKind::Push(Push {
                repository,
                default_branch,
                git_ref,
                commit: commit(),
                may_be_tag_object: false,
                message,
                actor: "octocat".to_owned(),
                changed,
            })
        },
    )
}

pub(crate) fn pull_request() -> impl Strategy<Value = EventKind> {
    (repository(), name(), name(), name(), prop::bool::weighted(0.3)).prop_map(
        |(repository, default_branch, head_branch, base_branch, from_fork)| {
            EventKind::PullRequest(PullRequest {
                repository,
                default_branch,
                number: 7,
                title: "Say hello [skip ci]".to_owned(),
                head_branch,
                base_branch,
                commit: commit(),
                actor: "octocat".to_owned(),
                from_fork,
            })
        },
    )
}

pub(crate) fn press() -> impl Strategy<Value = EventKind> {
    let names = vec![
        "codepipeline/node-server",
        "CodePipeline/Node-Server/Build",
        "codepipeline/node",
        "codepipeline/docs/x/y",
        "codepipeline/node-server-2",
        "codepipeline",
        "lint",
    ];
    let button =
        |name: &str| Pressed::Button { check_run: 7, name: name.to_owned(), identifier: "approve:1".to_owned() };
    let what = prop_oneof![
        4 => select(names).prop_map(button),
        1 => Just(Pressed::RerunAll { updated: String::new() }),
    ];
    (repository(), prop::option::of(name()), what).prop_map(|(repository, head_branch, what)| {
        let (default_branch, actor) = ("main".to_owned(), "octocat".to_owned());
        EventKind::Press(Press { repository, default_branch, commit: commit(), head_branch, actor, what })
    })
}

fn repository_of(kind: &EventKind) -> &RepositoryName {
    match kind {
        EventKind::Push(push) => &push.repository,
        EventKind::PullRequest(pull) => &pull.repository,
        EventKind::Press(press) => &press.repository,
        EventKind::Nothing(_) => unreachable!("it has none"),
    }
}

proptest! {
    #[test]
    fn every_event_comes_to_what_the_rules_say(
        routes in table(),
        kind in prop_oneof![4 => push(), 2 => pull_request(), 1 => press()],
    ) {
        let event = Event { delivery: "d-1".to_owned(), kind };
        let table = RouteTable(routes.iter().map(real).collect());
        let decided: Vec<Outcome> = table.plan(&event).into_iter().map(decided).collect();
        prop_assert_eq!(decided, model(&routes, repository_of(&event.kind), &event.kind));
    }

    #[test]
    fn what_is_no_event_for_pipelines_starts_nothing(routes in table(), why in "\\PC{0,20}") {
        let table = RouteTable(routes.iter().map(real).collect());
        let event = Event { delivery: String::new(), kind: EventKind::Nothing(why.clone()) };
        prop_assert_eq!(table.plan(&event), [Decision::Ignore(Reason::Nothing(why))]);
    }

    #[test]
    fn a_pattern_takes_what_its_stars_stand_for(pattern in pattern(), names in vec(name(), 1..20)) {
        let patterns = Patterns::new(std::slice::from_ref(&pattern)).unwrap();
        for name in names {
            let taken = takes(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>());
            prop_assert_eq!(patterns.matches(&name), taken, "{} for {}", pattern, name);
        }
    }

    /// A pattern that ends in a name, whatever the name holds, takes it.
    #[test]
    fn a_name_is_taken_by_itself(name in name(), other in name()) {
        let patterns = Patterns::new(std::slice::from_ref(&name)).unwrap();
        prop_assert!(patterns.matches(&name));
        prop_assert_eq!(patterns.matches(&other), name == other);
    }
}
