//! All mistakes, found by asking the functions' own parser again and again: what it complains of is noted and taken out,
//! until it has nothing more to say. So there is a mistake exactly where the functions refuse the configuration.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::words::told;
use super::{Finding, position};
use crate::config::{Config, wire};
use crate::domain::template::one_line;

/// So many are noted; who has more has most likely not written a configuration.
const MOST: usize = 100;

/// So often the text is parsed again without the lines that do not parse.
const MOST_ROUNDS: usize = 5;

/// What a route can't do without, with values that stand in while the rest is read.
const REQUIRED: [(&str, &str); 2] = [("repository", "o/r"), ("pipeline", "p")];

/// Where what stands in is: at no place that the parser would tell.
const NOWHERE: Range<usize> = usize::MAX..usize::MAX;

/// What is left of a configuration without its mistakes.
pub(super) struct Rest<'a> {
    pub(super) table: DeTable<'a>,
    pub(super) config: Config,
    /// Routes of which something was taken out, by their index.
    pub(super) damaged: BTreeSet<usize>,
}

/// What to do where a list goes on in the next line without a comma.
const CLOSE: &str = "a comma is missing, or the `]` at the end of the list";

/// A step from a table or an array to what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// All mistakes, and what is left without them: nothing where the text is no TOML, or is wrong beyond mending.
pub(super) fn find(text: &str) -> (Vec<Finding>, Option<Rest<'_>>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return ask(text, table, Vec::new(), &BTreeSet::new());
    }
    let mut findings = in_order(text, &errors, &[]);
    // Of a text that does not parse the parser leaves out some of what comes behind. Without the lines that are wrong it has
    // the rest, and may find more of them.
    for _ in 0..MOST_ROUNDS {
        let lost = lost_lines(text, &findings);
        let without = without_lines(text, &lost);
        let (table, errors) = DeTable::parse_recoverable(&without);
        let more = in_order(text, &errors, &findings);
        if more.is_empty() {
            return (ask(text, table, findings, &lost).0, None);
        }
        findings.extend(more);
    }
    (findings, None)
}

/// The parser's complaints, without what follows from one of them. `earlier` ones are of a round before.
fn in_order(text: &str, errors: &[toml::de::Error], earlier: &[Finding]) -> Vec<Finding> {
    let line = |place: &Range<usize>| position(text, place.start).0;
    let mut findings: Vec<Finding> = Vec::new();
    for error in errors {
        let place = error.span().unwrap_or(0..0);
        let in_line = text[..text.floor_char_boundary(place.start)].rsplit('\n').next().unwrap_or_default();
        let is_unclosed = error.message().starts_with("missing comma") && in_line.trim().is_empty();
        let finding = Finding::error(place, one_line(error.message()));
        // What else is wrong in a line follows from the first. A list that is not closed goes on to the end.
        let follows =
            |first: &Finding| line(&first.place) == line(&finding.place) || first.help.as_deref() == Some(CLOSE);
        // A text over several lines that is not closed ends wherever the lines that are left do.
        let is_told = earlier.iter().any(|first| follows(first) || first.message == finding.message);
        if !is_told && !findings.iter().any(follows) {
            findings.push(if is_unclosed { finding.help(CLOSE) } else { finding });
        }
    }
    findings
}

/// The text with blanks for some lines, so that everything else stays where it is.
fn without_lines(text: &str, lost: &BTreeSet<usize>) -> String {
    let blank = |c: char| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) };
    let line = |(index, line): (usize, &str)| {
        if lost.contains(&(index + 1)) { line.chars().map(blank).collect() } else { line.to_owned() }
    };
    text.split_inclusive('\n').enumerate().map(line).collect()
}

/// Asks the parser until it has nothing more to say. `lost` are lines that do not parse.
fn ask<'i>(
    text: &str,
    table: Spanned<DeTable<'i>>,
    mut findings: Vec<Finding>,
    lost: &BTreeSet<usize>,
) -> (Vec<Finding>, Option<Rest<'i>>) {
    let whole = table.span();
    let mut table = table.into_inner();
    let mut damaged = BTreeSet::new();
    for _ in 0..MOST {
        let (place, problem) = match wire::read(Spanned::new(whole.clone(), table.clone())) {
            Ok(config) => return (findings, Some(Rest { table, config, damaged })),
            Err((place, problem)) => (place.unwrap_or(0..0), problem),
        };
        let path = locate(&table, &place);
        let finding = told(&table, path.as_deref(), place, &problem);
        // Where a line does not parse, what it was to say is missing, or is taken for something else.
        let is_lost = lost.contains(&position(text, finding.place.start).0);
        let follows = is_lost || (!lost.is_empty() && missing(&problem).is_some());
        // One variable too many is told once, however many there are.
        let is_told =
            problem.starts_with("more than") && findings.iter().any(|earlier| earlier.message == finding.message);
        if !follows && !is_told {
            findings.push(finding);
        }
        let Some(path) = path else { break };
        if let [Step::Key(route), Step::Index(index), ..] = &path[..]
            && route == "route"
        {
            damaged.insert(*index);
        }
        if !mend(&mut table, &path, &problem) {
            break;
        }
    }
    // Something was refused, whatever became of the telling.
    if findings.is_empty() {
        findings.push(Finding::error(0..0, "the configuration can't be read"));
    }
    (findings, None)
}

/// The lines that say nothing, for they do not parse: of a table's header the whole table, of an open list all that follows.
fn lost_lines(text: &str, findings: &[Finding]) -> BTreeSet<usize> {
    let begins_table = |line: &str| line.trim_start().starts_with('[');
    let lost = |finding: &Finding| {
        let (first, _) = position(text, finding.place.start);
        let mut lines = text.lines().skip(first - 1);
        let is_header = lines.next().is_some_and(begins_table);
        if finding.help.as_deref() == Some(CLOSE) {
            return first..=text.lines().count();
        }
        let more = if is_header { lines.take_while(|line| !begins_table(line)).count() } else { 0 };
        first..=first + more
    };
    findings.iter().flat_map(lost).collect()
}

/// The way to the key, the value or the table that stands at a place.
fn locate(table: &DeTable<'_>, place: &Range<usize>) -> Option<Vec<Step>> {
    table.iter().find_map(|(key, value)| {
        let step = Step::Key(key.get_ref().to_string());
        if key.span() == *place || value.span() == *place {
            return Some(vec![step]);
        }
        Some([vec![step], locate_in(value.get_ref(), place)?].concat())
    })
}

fn locate_in(value: &DeValue<'_>, place: &Range<usize>) -> Option<Vec<Step>> {
    match value {
        DeValue::Table(table) => locate(table, place),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, value)| {
            let inside = || locate_in(value.get_ref(), place);
            let rest = if value.span() == *place { Some(Vec::new()) } else { inside() };
            Some([vec![Step::Index(index)], rest?].concat())
        }),
        _ => None,
    }
}

pub(super) fn value_at<'a, 'i>(table: &'a DeTable<'i>, path: &[Step]) -> Option<&'a Spanned<DeValue<'i>>> {
    let (Step::Key(key), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(table.get(key.as_str())?, |value, step| match step {
        Step::Key(key) => value.get_ref().as_table()?.get(key.as_str()),
        Step::Index(index) => value.get_ref().as_array()?.get(*index),
    })
}

/// Takes out what stands at the end of the path, or puts in what is missing. False where that can't be done.
fn mend(table: &mut DeTable<'_>, path: &[Step], problem: &str) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    if let Some(key) = missing(problem) {
        return match (stand_in(key), value_at_mut(table, path)) {
            (Some((key, value)), Some(DeValue::Table(route))) => route.insert(key, value).is_none(),
            _ => false,
        };
    }
    let is_top = parents.is_empty();
    let parent = if is_top { None } else { value_at_mut(table, parents) };
    match (last, parent) {
        // `[route]`: what is in it can be looked at all the same.
        (Step::Key(key), None) if is_top && key == "route" => {
            let Some((key, value)) = table.remove_entry(key.as_str()) else { return false };
            if value.get_ref().is_table() {
                let mut routes = DeArray::new();
                let place = value.span();
                routes.push(value);
                table.insert(key, Spanned::new(place, DeValue::Array(routes)));
            }
            true
        }
        (Step::Key(key), None) if is_top => table.remove(key.as_str()).is_some(),
        (Step::Key(key), Some(DeValue::Table(parent))) => {
            let is_route = matches!(parents, [Step::Key(route), Step::Index(_)] if route == "route");
            let removed = parent.remove(key.as_str()).is_some();
            if let Some((key, value)) = stand_in(key).filter(|_| is_route) {
                parent.insert(key, value);
            }
            removed
        }
        (Step::Index(index), Some(DeValue::Array(array))) => {
            // An array gives nothing up, so that it is made anew; the other routes keep their index.
            let is_route = matches!(parents, [Step::Key(route)] if route == "route");
            let mut kept = DeArray::new();
            for (at, value) in array.iter().enumerate() {
                if at != *index {
                    kept.push(value.clone());
                } else if is_route {
                    let route = REQUIRED.iter().filter_map(|(key, _)| stand_in(key)).collect();
                    kept.push(Spanned::new(NOWHERE, DeValue::Table(route)));
                }
            }
            *array = kept;
            true
        }
        _ => false,
    }
}

fn value_at_mut<'a, 'i>(table: &'a mut DeTable<'i>, path: &[Step]) -> Option<&'a mut DeValue<'i>> {
    let (Step::Key(key), rest) = path.split_first()? else { return None };
    rest.iter().try_fold(table.get_mut(key.as_str())?.get_mut(), |value, step| {
        let inside = match (step, value) {
            (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str()),
            (Step::Index(index), DeValue::Array(array)) => array.get_mut(*index),
            _ => None,
        };
        inside.map(Spanned::get_mut)
    })
}

/// An entry of a route that it can't do without.
fn stand_in(key: &str) -> Option<(Spanned<toml::de::DeString<'static>>, Spanned<DeValue<'static>>)> {
    let (key, value) = REQUIRED.iter().find(|(required, _)| *required == key)?;
    Some((Spanned::new(NOWHERE, (*key).into()), Spanned::new(NOWHERE, DeValue::String((*value).into()))))
}

/// The key that the parser misses.
pub(super) fn missing(problem: &str) -> Option<&str> {
    problem.strip_prefix("missing field `")?.split('`').next()
}
