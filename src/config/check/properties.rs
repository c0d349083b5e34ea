//! The functions' parser and the check never differ, whatever is written.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{check, mistakes, position};
use crate::config::Config;

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
}
