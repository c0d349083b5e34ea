//! Finds what a failing story can do without.

use std::collections::BTreeSet;
use std::panic::{RefUnwindSafe, catch_unwind};

use super::{Plan, Verdict, simulate};

impl Plan {
    /// The same with only these of its incidents, by their numbers.
    pub fn only(&self, kept: &BTreeSet<usize>) -> Self {
        let incidents = self.incidents.iter().filter(|incident| kept.contains(&incident.number)).cloned().collect();
        Self { incidents, ..self.clone() }
    }

    fn numbers(&self) -> BTreeSet<usize> {
        self.incidents.iter().map(|incident| incident.number).collect()
    }
}

/// As [`simulate`], and a panic is a breach.
///
/// # Errors
/// Where no runtime can be made.
pub fn simulate_safely(plan: &Plan) -> std::io::Result<Verdict> {
    catch_unwind(|| simulate(plan, false)).unwrap_or_else(|_| Ok(Verdict::of_a_panic()))
}

/// The numbers of incidents without any of which the story does not fail any more as it does. All of them, where it does not fail.
///
/// # Errors
/// Where no runtime can be made.
pub fn shrink(plan: &Plan) -> std::io::Result<BTreeSet<usize>> {
    let wrong = gists(&simulate_safely(plan)?.breaches);
    shrink_while(plan, |fewer| Ok(!gists(&simulate_safely(fewer)?.breaches).is_disjoint(&wrong)))
}

fn shrink_while(
    plan: &Plan,
    fails: impl Fn(&Plan) -> std::io::Result<bool> + RefUnwindSafe,
) -> std::io::Result<BTreeSet<usize>> {
    let mut kept = plan.numbers();
    loop {
        let before = kept.len();
        // The last ones first: they have the least to do with what happened before.
        for number in kept.clone().into_iter().rev() {
            let mut fewer = kept.clone();
            fewer.remove(&number);
            if fails(&plan.only(&fewer))? {
                kept = fewer;
            }
        }
        if kept.len() == before {
            return Ok(kept);
        }
    }
}

/// What breaches are about, without the names, numbers and texts that are another story's.
fn gists(breaches: &[String]) -> BTreeSet<String> {
    let is_plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphabetic() || ",.:;".contains(c));
    let gist = |breach: &String| {
        let outside_of_quotes = breach.split('"').step_by(2).flat_map(str::split_whitespace);
        outside_of_quotes.filter(is_plain).collect::<Vec<_>>().join(" ")
    };
    breaches.iter().map(gist).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::What;

    #[test]
    fn a_story_loses_what_it_can_fail_without() {
        let plan = Plan::draw(3_600_003_543);
        let needs = |what: &str, fewer: &Plan| fewer.incidents.iter().any(|one| one.what.kind() == what);
        let fails = |fewer: &Plan| Ok(needs("retry", fewer) && needs("stop", fewer));
        let kept = plan.only(&shrink_while(&plan, fails).unwrap());
        assert!(plan.incidents.len() > 10);
        assert!(matches!(kept.incidents[..], [_, _]), "{kept}");
        assert!(kept.incidents.iter().any(|one| matches!(one.what, What::Stop { .. })), "{kept}");
        assert_eq!(shrink_while(&plan, |_| Ok(false)).unwrap(), plan.numbers());
    }

    #[test]
    fn breaches_are_the_same_whatever_they_are_about() {
        let of = |breach: &str| gists(&[breach.to_owned()]);
        let one = of("9de8366: codepipeline/node-server is left pending: \"Stopping: not this one\"");
        assert_eq!(one, of("1f7ad5b: codepipeline/worker is left pending: \"Queued\""));
        assert_ne!(one, of("9de8366 was to be started once in node-server, and was started 2 times"));
    }
}
