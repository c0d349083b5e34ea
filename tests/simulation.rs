//! Stories drawn from seeds: the functions as they are, made-up time, and everything that goes wrong.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

use pipehook::simulation::{Plan, simulate};

/// Seeds that once failed, each for a reason of its own. What a seed draws changes with `src/simulation/draw.rs`; what a bug
/// needs to be seen for good, a story in the other files has.
const ONCE_FAILED: [(u64, &str); 5] = [
    (543, "a stage that was stopped between two actions, in PARALLEL mode, was called a success"),
    (1122, "each further task that failed without a circuit breaker was told"),
    (2075, "a push was started twice, whose token CodePipeline had forgotten"),
    (209, "a check run that was made twice"),
    (639, "a start that had worked was told as one that can't be made, for want of a permission to look for it"),
];

#[test]
fn what_once_failed_holds() {
    for (seed, why) in ONCE_FAILED {
        let verdict = simulate(&Plan::draw(seed), false).unwrap();
        assert_eq!(verdict.breaches, Vec::<String>::new(), "pipehook simulate --seed {seed}: {why}");
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in [3, 38, 123] {
        let [once, again] = [(); 2].map(|()| simulate(&Plan::draw(seed), false).unwrap());
        assert_eq!(once.digest, again.digest, "seed {seed}");
        assert_eq!((once.posted, once.lasted), (again.posted, again.lasted), "seed {seed}");
    }
}
