//! The functions' parser and the check never differ, whatever is written.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::patterns::{of_path, of_ref, of_ref_name};
use super::{check, mistakes, position};
use crate::config::Config;
use crate::domain::event::{Event, EventKind};
use crate::domain::route::properties::{pull_request, push};
use crate::domain::route::{Decision, Patterns};

const SEEDS: [&str; 20] = [
    include_str!("../../../pipehook.example.toml"),
    include_str!("../../../fuzz/corpus/config/address"),
    include_str!("../../../fuzz/corpus/config/all-pulls"),
    include_str!("../../../fuzz/corpus/config/bases"),
    include_str!("../../../fuzz/corpus/config/enterprise"),
    include_str!("../../../fuzz/corpus/config/example"),
    include_str!("../../../fuzz/corpus/config/inline"),
    include_str!("../../../fuzz/corpus/config/loopback"),
    include_str!("../../../fuzz/corpus/config/missing"),
    include_str!("../../../fuzz/corpus/config/no-glob"),
    include_str!("../../../fuzz/corpus/config/no-repository"),
    include_str!("../../../fuzz/corpus/config/odd-name"),
    include_str!("../../../fuzz/corpus/config/pending"),
    include_str!("../../../fuzz/corpus/config/stars"),
    include_str!("../../../fuzz/corpus/config/two-routes"),
    include_str!("../../../fuzz/corpus/config/unclosed"),
    include_str!("../../../fuzz/corpus/config/unknown-field"),
    include_str!("../../../fuzz/corpus/config/unknown-key"),
    include_str!("../../../fuzz/corpus/config/unpinned"),
    include_str!("../../../fuzz/corpus/config/wrong-report"),
];

/// What a mutation puts in, in place of a line or in the middle of one.
const PIECES: [&str; 32] = [
    "[github]",
    "[[github]]",
    "[route]",
    "[[route]]",
    "[[routes]]",
    "[route.variables]",
    "[github.x]",
    "route = 3",
    "route = [3, [], {}]",
    "github = []",
    "repository = \"o/r\"",
    "repository = 5",
    "pipeline = \"p\"",
    "pipeline = []",
    "branches = \"main\"",
    "branches = [\"[\", 3, \"{\"]",
    "tags.x = 1",
    "variables = []",
    "variables.A = \"{x}\"",
    "pull_requests = { base = [1] }",
    "pull_requests = { bases = true, base = [\"[\"] }",
    "pull_requests = 1979-05-27",
    "x = 1",
    "\"\" = 1",
    "\"",
    "'",
    "]",
    "= ",
    "\u{7f}",
    "\u{1b}",
    "\n",
    "ü",
];

/// What patterns are put together from.
const GLOB_PIECES: [&str; 16] =
    ["a", "b", "/", "//", ".", "..", "./", "*", "**", "**/", "/**", "?", "~", "{a,./b}", "[ab]", "\\."];

/// What routes to one pipeline may differ in.
const ROUTE_LINES: [&str; 13] = [
    "branches = []",
    "branches = [\"**\"]",
    "branches = [\"*\"]",
    "branches = [\"main\", \"a/**\"]",
    "branches = [\"a/*\", \"gh-readonly-queue/**\"]",
    "tags = [\"**\"]",
    "tags = [\"a*\", \"main\"]",
    "paths = [\"a/**\"]",
    "paths_ignore = [\"**/*.md\"]",
    "pull_requests = true",
    "pull_requests = { base = [\"main\"] }",
    "pull_requests = { base = [] }",
    "superseded = \"success\"",
];

#[derive(Clone, Debug)]
enum Mutation {
    RemoveLine(Index),
    DoubleLine(Index),
    PutLine(Index, &'static str),
    PutText(Index, &'static str),
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        3 => at().prop_map(Mutation::RemoveLine),
        1 => at().prop_map(Mutation::DoubleLine),
        4 => (at(), select(&PIECES[..])).prop_map(|(at, piece)| Mutation::PutLine(at, piece)),
        2 => (at(), select(&PIECES[..])).prop_map(|(at, piece)| Mutation::PutText(at, piece)),
        1 => at().prop_map(Mutation::Cut),
    ]
}

fn mutated(text: &str, mutations: &[Mutation]) -> String {
    let mutate = |text: String, mutation: &Mutation| {
        let mut lines: Vec<&str> = text.lines().collect();
        let place = |at: &Index| text.floor_char_boundary(at.index(text.len() + 1));
        match mutation {
            Mutation::RemoveLine(at) if !lines.is_empty() => drop(lines.remove(at.index(lines.len()))),
            Mutation::DoubleLine(at) if !lines.is_empty() => lines.push(lines[at.index(lines.len())]),
            Mutation::PutLine(at, piece) => lines.insert(at.index(lines.len() + 1), piece),
            Mutation::PutText(at, piece) => return [&text[..place(at)], piece, &text[place(at)..]].concat(),
            Mutation::Cut(at) => return text[..place(at)].to_owned(),
            _ => {}
        }
        lines.join("\n")
    };
    mutations.iter().fold(text.to_owned(), mutate)
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    let (found, rest) = mistakes::find(text);
    prop_assert_eq!(found.is_empty(), Config::parse(text).is_ok(), "{}: {:?}", text, found);
    prop_assert!(!found.is_empty() || rest.is_some());
    for finding in check(text) {
        prop_assert!(finding.place.start <= finding.place.end && finding.place.end <= text.len());
        prop_assert!(text.is_char_boundary(finding.place.start) && text.is_char_boundary(finding.place.end));
        prop_assert!(position(text, finding.place.start) <= position(text, finding.place.end));
        let told = [Some(&finding.message), finding.help.as_ref()].into_iter().flatten();
        for text in told {
            prop_assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
        }
    }
    Ok(())
}

#[test]
fn the_samples_are_taken_or_refused_by_both() {
    for seed in SEEDS {
        holds(seed).unwrap();
    }
}

proptest! {
    #[test]
    fn what_the_functions_refuse_is_a_mistake_and_nothing_else_is(
        seed in select(&SEEDS[..]), mutations in vec(mutation(), 1..6),
    ) {
        holds(&mutated(seed, &mutations))?;
    }

    #[test]
    fn what_is_no_configuration_at_all_is_refused_by_both(text in "\\PC{0,80}") {
        holds(&text)?;
    }

    /// A pattern that can match nothing matches no name that there can be.
    #[test]
    fn what_is_told_to_match_nothing_does(
        pattern in vec(select(&GLOB_PIECES[..]), 1..5), names in vec("[ab./~-]{1,6}", 1..60),
    ) {
        let pattern = pattern.concat();
        let Ok(patterns) = Patterns::new(std::slice::from_ref(&pattern)) else { return Ok(()) };
        let is_path = |name: &String| !name.split('/').any(|part| matches!(part, "" | "." | ".."));
        let matches_nothing = |doubt: Option<(String, _)>| doubt.is_some_and(|(why, _)| why.starts_with("can match nothing"));
        if matches_nothing(of_ref(&pattern, "branch", "refs/heads/")) {
            for name in names.iter().filter(|name| of_ref_name(name).is_none()) {
                prop_assert!(!patterns.matches(name), "{pattern} matches {name}");
            }
        }
        if matches_nothing(of_path(&pattern, "paths")) {
            for name in names.iter().filter(|name| is_path(name)) {
                prop_assert!(!patterns.matches(name), "{pattern} matches {name}");
            }
        }
    }

    /// A route that is told to start nothing, for an earlier one takes all, starts nothing whatever comes.
    #[test]
    fn a_route_that_is_told_to_be_behind_another_never_decides(
        first in vec(select(&ROUTE_LINES[..]), 0..3), second in vec(select(&ROUTE_LINES[..]), 0..3),
        kinds in vec(prop_oneof![3 => push(), 1 => pull_request()], 1..20),
    ) {
        let route = |lines: &[&str], number: usize| {
            let mut lines = lines.to_vec();
            lines.sort_unstable();
            lines.dedup_by_key(|line| line.split(' ').next());
            let head = "[[route]]\nrepository = \"octo-org/node-server\"\npipeline = \"p\"\n";
            format!("{head}variables = {{ ROUTE = \"{number}\" }}\n{}\n", lines.join("\n"))
        };
        let text = route(&first, 1) + &route(&second, 2);
        let told = check(&text);
        let is_behind = told.iter().any(|finding| finding.message.contains("this route never starts p"));
        let config = Config::parse(&text).unwrap();
        // Nobody's default branch is one of the merge queue's.
        let is_odd = |kind: &EventKind| match kind {
            EventKind::Push(push) => push.default_branch.starts_with("gh-readonly-queue/"),
            _ => false,
        };
        for kind in kinds.into_iter().filter(|kind| !is_odd(kind)) {
            let event = Event { delivery: String::new(), kind };
            for decision in config.routes.plan(&event) {
                if let Decision::Start(request) = decision {
                    prop_assert!(!is_behind || request.variables[0].1 == "1", "{text} {event:?}");
                }
            }
            let starts = |index: usize| matches!(config.routes.0[index].decide(&event), Decision::Start(_));
            let is_default = !text.contains("branches");
            if starts(0) && starts(1) && is_default {
                prop_assert!(told.iter().any(|finding| finding.context.is_some()), "{text} {event:?}");
            }
        }
    }
}
