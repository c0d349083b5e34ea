//! Globs taken apart, to see what two of them have in common. What a glob matches, `domain::route` alone decides: a name
//! that is found here is tried there before anything is said of it.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;

/// A glob with more alternatives than this is not looked into.
const MOST_ALTERNATIVES: usize = 64;

/// What stands for characters that may be any: letters that every name may hold.
const PLAIN: [char; 8] = ['x', 'a', 'b', '0', '1', 'A', '-', '_'];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// One character but a slash.
    One,
    /// One character whatever it is.
    AnyOne,
    Class {
        negated: bool,
        ranges: Vec<RangeInclusive<char>>,
    },
    /// Any text without a slash.
    Star,
    /// Any text.
    Any,
}

impl Token {
    fn repeats(&self) -> bool {
        matches!(self, Self::Star | Self::Any)
    }

    fn takes(&self, c: char) -> bool {
        match self {
            Self::Literal(own) => *own == c,
            Self::One | Self::Star => c != '/',
            Self::AnyOne | Self::Any => true,
            Self::Class { negated, ranges } => ranges.iter().any(|range| range.contains(&c)) != *negated,
        }
    }
}

/// A glob without braces, for each way through those that it has.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<Vec<Token>>);

impl Glob {
    /// `None` where the text is no glob, or has too many alternatives.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // Alone, `**/` is as good as `**`.
        if text.starts_with("**/") && matches!(text.trim_start_matches("**/"), "" | "**") {
            return Some(Self(vec![vec![Token::Any]]));
        }
        let mut reader = Reader { text, before: None };
        let alternatives = reader.sequence(0)?;
        reader.text.is_empty().then_some(Self(alternatives))
    }

    /// The text that it matches, where it is one only.
    pub(super) fn literal(&self) -> Option<String> {
        let [only] = &self.0[..] else { return None };
        only.iter().map(|token| if let Token::Literal(c) = token { Some(*c) } else { None }).collect()
    }

    /// How names look that it matches: one for each alternative, with an `x` for whatever may be anything.
    pub(super) fn shapes(&self) -> impl Iterator<Item = String> {
        let shape = |token: &Token| if let Token::Literal(c) = token { *c } else { 'x' };
        self.0.iter().map(move |tokens| tokens.iter().map(shape).collect())
    }

    /// Names that this and another match, as plain as can be; none where there is no such name.
    pub(super) fn common(&self, other: &Self) -> Vec<String> {
        let pairs = self.0.iter().flat_map(|own| other.0.iter().map(move |others| (own, others)));
        // Where a star may stand for nothing, a name in which it stands for something says more.
        let name =
            |(own, others): (&Vec<_>, &Vec<_>)| meet(&filled(own), &filled(others)).or_else(|| meet(own, others));
        pairs.filter_map(name).collect()
    }
}

/// The tokens with one character at least for each star.
fn filled(tokens: &[Token]) -> Vec<Token> {
    let filled = |token: &Token| match token {
        Token::Star => vec![Token::One, Token::Star],
        Token::Any => vec![Token::AnyOne, Token::Any],
        other => vec![other.clone()],
    };
    tokens.iter().flat_map(filled).collect()
}

/// The shortest text that both sequences match.
fn meet(left: &[Token], right: &[Token]) -> Option<String> {
    type Place = (usize, usize);
    let end = (left.len(), right.len());
    let mut came_from: HashMap<Place, (Place, Option<char>)> = HashMap::from([((0, 0), ((0, 0), None))]);
    let mut queue = VecDeque::from([(0, 0)]);
    while let Some(place) = queue.pop_front() {
        if place == end {
            let mut text = Vec::new();
            let mut at = place;
            while at != (0, 0) {
                let (before, c) = came_from.get(&at).copied()?;
                text.extend(c);
                at = before;
            }
            return Some(text.into_iter().rev().collect());
        }
        let (own, others) = (left.get(place.0), right.get(place.1));
        let mut steps: Vec<(Place, Option<char>)> = Vec::new();
        if let (Some(own), Some(others)) = (own, others)
            && let Some(c) = common_char(own, others)
        {
            let after = |at: usize, token: &Token| if token.repeats() { at } else { at + 1 };
            steps.push(((after(place.0, own), after(place.1, others)), Some(c)));
        }
        if own.is_some_and(Token::repeats) {
            steps.push(((place.0 + 1, place.1), None));
        }
        if others.is_some_and(Token::repeats) {
            steps.push(((place.0, place.1 + 1), None));
        }
        for (next, c) in steps {
            if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(next) {
                entry.insert((place, c));
                queue.push_back(next);
            }
        }
    }
    None
}

fn common_char(left: &Token, right: &Token) -> Option<char> {
    let own = |token: &Token| match token {
        Token::Literal(c) => vec![*c],
        Token::Class { ranges, .. } => ranges.iter().map(|range| *range.start()).collect(),
        _ => Vec::new(),
    };
    let candidates = [own(left), own(right), PLAIN.to_vec()].concat();
    candidates.into_iter().find(|c| left.takes(*c) && right.takes(*c))
}

/// Reads a glob from its left.
struct Reader<'a> {
    text: &'a str,
    /// The character in front of what is left.
    before: Option<char>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.text.chars().next()?;
        self.text = &self.text[c.len_utf8()..];
        self.before = Some(c);
        Some(c)
    }

    /// All ways to the end of the text or, within braces, to the next comma or the closing one.
    fn sequence(&mut self, depth: usize) -> Option<Vec<Vec<Token>>> {
        let mut ways: Vec<Vec<Token>> = vec![Vec::new()];
        loop {
            let more: Vec<Vec<Token>> = match self.text.chars().next() {
                None => return Some(ways),
                Some(',' | '}') if depth > 0 => return Some(ways),
                Some('*') => self.stars(),
                Some('{') => self.alternates(depth)?,
                Some('[') => vec![vec![self.class()?]],
                Some('?') => {
                    self.next();
                    vec![vec![Token::One]]
                }
                Some('\\') => {
                    self.next();
                    vec![vec![Token::Literal(self.next()?)]]
                }
                Some(c) => {
                    self.next();
                    vec![vec![Token::Literal(c)]]
                }
            };
            let join = |way: &Vec<Token>| more.iter().map(|more| [&way[..], more].concat()).collect::<Vec<_>>();
            ways = ways.iter().flat_map(join).collect();
            if ways.len() > MOST_ALTERNATIVES {
                return None;
            }
        }
    }

    fn stars(&mut self) -> Vec<Vec<Token>> {
        let begins_part = matches!(self.before, None | Some('/' | '{' | ','));
        let count = self.text.len() - self.text.trim_start_matches('*').len();
        for _ in 0..count {
            self.next();
        }
        if count == 2 && begins_part && self.text.starts_with('/') {
            self.next();
            // `**/` is any folders, or none.
            return vec![Vec::new(), vec![Token::Any, Token::Literal('/')]];
        }
        vec![vec![if count == 1 { Token::Star } else { Token::Any }]]
    }

    fn alternates(&mut self, depth: usize) -> Option<Vec<Vec<Token>>> {
        self.next();
        let mut ways = Vec::new();
        loop {
            ways.extend(self.sequence(depth + 1)?);
            match self.next()? {
                ',' => {}
                _ => return Some(ways),
            }
        }
    }

    fn class(&mut self) -> Option<Token> {
        self.next();
        let negated = self.text.starts_with(['!', '^']);
        if negated {
            self.next();
        }
        let mut ranges: Vec<RangeInclusive<char>> = Vec::new();
        loop {
            let first = self.next()?;
            if first == ']' && !ranges.is_empty() {
                return Some(Token::Class { negated, ranges });
            }
            let is_range = self.text.starts_with('-') && !self.text.starts_with("-]");
            if is_range {
                self.next();
                ranges.push(first..=self.next()?);
            } else {
                ranges.push(first..=first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::domain::route::Patterns;

    fn common(left: &str, right: &str) -> Option<String> {
        Glob::parse(left).unwrap().common(&Glob::parse(right).unwrap()).into_iter().next()
    }

    #[test]
    fn two_globs_have_a_name_in_common_or_none() {
        for (left, right, name) in [
            ("main", "main", Some("main")),
            ("main", "m*", Some("main")),
            ("release/*", "release/**", Some("release/x")),
            ("release/*", "*/1.?", Some("release/1.x")),
            ("*-a", "b-*", Some("b-a")),
            ("{main,dev}", "[d-e]*", Some("dev")),
            ("**/x", "x", Some("x")),
            ("**/", "a", Some("a")),
            ("main", "dev", None),
            ("*", "a/b", None),
            ("[!m]*", "main", None),
        ] {
            assert_eq!(common(left, right).as_deref(), name, "{left} and {right}");
        }
    }

    #[test]
    fn a_glob_without_signs_is_its_own_name() {
        assert_eq!(Glob::parse("release/1.x").unwrap().literal().as_deref(), Some("release/1.x"));
        assert_eq!(Glob::parse(r"a\*").unwrap().literal().as_deref(), Some("a*"));
        assert!(Glob::parse("a*").unwrap().literal().is_none());
        assert!(Glob::parse("{a").is_none() && Glob::parse("[a").is_none() && Glob::parse("a\\").is_none());
    }

    fn glob() -> impl Strategy<Value = String> {
        let pieces = vec!["a", "b", "/", "*", "**", "?", "[ab]", "[!a]", "{a,b*}", "-", "**/", "/**"];
        vec(select(pieces), 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_two_globs_have_in_common_both_match(left in glob(), right in glob()) {
            let patterns = |text: &String| Patterns::new(std::slice::from_ref(text));
            let (Ok(is_left), Ok(is_right)) = (patterns(&left), patterns(&right)) else { return Ok(()) };
            let (Some(left), Some(right)) = (Glob::parse(&left), Glob::parse(&right)) else { return Ok(()) };
            for name in left.common(&right) {
                prop_assert!(is_left.matches(&name) && is_right.matches(&name), "{name}");
            }
        }

        #[test]
        fn where_a_name_is_matched_by_two_globs_they_have_one_in_common(
            texts in vec(glob(), 2..12), names in vec("[ab/-]{0,4}", 1..30),
        ) {
            let patterns = |text: &String| Patterns::new(std::slice::from_ref(text)).ok();
            let globs: Vec<_> = texts.iter().filter_map(|text| Some((text, patterns(text)?, Glob::parse(text)?))).collect();
            for name in names {
                let matching: Vec<_> = globs.iter().filter(|(_, patterns, _)| patterns.matches(&name)).collect();
                for (left, _, own) in &matching {
                    for (right, _, other) in &matching {
                        prop_assert!(!own.common(other).is_empty(), "{name} is matched by {left} and {right}");
                    }
                }
            }
        }
    }
}
