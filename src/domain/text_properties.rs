//! Every text that people read, made of whatever people, builds and services say.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::any::{any_rollout, reading, sha, text};

/// Secrets of the forms that builds print, none of which is a part of another text here.
const SECRETS: [&str; 6] = [
    "ghp_Zx9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0LzXcVb",
    "AKIAZ9Y8X7W6V5U4T3S2",
    "glpat-Zx9Qw8Er7Ty6Ui5Op4As",
    "password=Zx9Qw8Er7Ty6Ui5Op4As",
    "--token Zx9Qw8Er7Ty6Ui5Op4As",
    "https://octocat:Zx9Qw8Er7Ty6Ui5Op4As@example.com/x",
];

/// What is secret in each of them, to its first characters: less tells nothing.
const TELLING: [&str; 3] = ["Zx9Q", "AKIAZ9", "ghp_Z"];

fn assert_fits(told: &str) {
    assert!(told.encode_utf16().count() <= 140, "{} units: {told:?}", told.encode_utf16().count());
    assert!(!told.chars().any(char::is_control), "{told:?}");
    assert!(told.chars().all(|char| char.len_utf8() < 4), "GitHub refuses {told:?}");
    assert!(told.chars().all(|char| !char.is_whitespace() || char == ' '), "{told:?}");
    assert_eq!(told.trim(), told);
}

/// Whether a text was cut between two graphemes of what it was cut from.
fn is_cut_at_a_grapheme(cut: &str, whole: &str) -> bool {
    let ends: Vec<usize> = whole.grapheme_indices(true).map(|(at, _)| at).chain([whole.len()]).collect();
    // Blanks at the end go, and they are graphemes of their own.
    let kept = |end: &usize| whole[..*end].trim_end() == cut;
    whole.starts_with(cut) && ends.iter().any(kept)
}

/// A text of whole graphemes, or of pieces of them, with a secret somewhere.
fn with_secret() -> impl Strategy<Value = String> {
    (text(), select(&SECRETS[..]), text()).prop_map(|(before, secret, after)| format!("{before} {secret} {after}"))
}

proptest! {
    #[test]
    fn a_text_is_cut_where_it_is_too_long_and_nowhere_else(told in text()) {
        let whole = masked(&taken(&told));
        let clipped = clip(&told);
        assert_fits(&clipped);
        if whole.encode_utf16().count() <= 140 {
            prop_assert_eq!(&clipped, &whole);
        } else {
            let cut = clipped.strip_suffix('…').unwrap();
            prop_assert!(is_cut_at_a_grapheme(cut, &whole), "{cut:?} of {whole:?}");
            // Nothing is thrown away that there was room for.
            let next = whole[cut.len()..].graphemes(true).find(|grapheme| !grapheme.trim().is_empty()).unwrap_or_default();
            let blanks = whole[cut.len()..].len() - whole[cut.len()..].trim_start().len();
            let with_next = cut.encode_utf16().count() + blanks + next.encode_utf16().count() + 1;
            prop_assert!(with_next > 140, "{next:?} would have fitted behind {cut:?}");
        }
    }

    #[test]
    fn what_was_cut_is_cut_no_further(told in text()) {
        prop_assert_eq!(clip(&clip(&told)), clip(&told));
    }

    /// Wherever it is cut, and whatever it is put into then.
    #[test]
    fn a_secret_stays_masked(told in with_secret(), longest in 0_usize..160, around in text()) {
        let cut = clip_to(&told, longest);
        let texts = [
            clip(&told),
            cut.clone(),
            clip(&format!("{around}{cut}")),
            clip(&format!("{cut}{around}")),
            stopped(Some(&told)),
            cannot_start(&told, &around),
            cannot_start(&around, &told),
            queued_for(&told),
            left_out(&told),
        ];
        for shown in texts {
            prop_assert!(!TELLING.iter().any(|telling| shown.contains(telling)), "{shown:?}");
        }
    }

    #[test]
    fn every_text_is_a_line_that_github_takes(
        said in vec(text(), 3),
        rollout in any_rollout(),
        commit in sha(),
        (secs, newer) in any::<(u32, usize)>(),
        environment in option::of(text()),
        snapshot in reading(),
    ) {
        let took = Duration::from_secs(u64::from(secs));
        let wait = Wait::Held(said[0].clone());
        let rollouts = || std::iter::repeat_n(&rollout, 3);
        let mut texts = vec![
            clip(&said[0]),
            queued(),
            queued_for(&said[0]),
            rollout_failed(&rollout),
            waits_for_approval(&said[0], &commit, newer),
            waits(&said[1], &wait),
            waits(&said[1], &Wait::Occupied),
            stage_skipped(),
            stopping(Some(&said[0])),
            stopped(Some(&said[1])),
            cancelled(),
            superseded(Some(&commit)),
            superseded(None),
            built_another(&commit),
            failed_without_a_stage(Some(&said[0])),
            unknown_status(&said[2]),
            cannot_start(&said[0], &said[1]),
            execution_gone(),
            told_elsewhere(),
            given_up(),
            left_out(&said[0]),
        ];
        for (deployed, rollback) in [(true, true), (true, false), (false, false)] {
            texts.push(execution_succeeded(&commit, deployed, rollback, environment.as_deref(), took, rollouts()));
        }
        for stage in &snapshot.stages {
            texts.extend([in_progress(stage), stage_in_progress(stage), stage_succeeded(stage), stage_failed(stage)]);
        }
        for told in texts {
            assert_fits(&told);
            prop_assert!(!told.is_empty() || said.iter().any(|said| clip(said).is_empty()));
        }
    }

    /// What mends it is what the reader needs, whatever else is said.
    #[test]
    fn what_mends_a_start_stays_whole(what in text(), mending in "[a-z][a-z ]{0,50}[a-z]") {
        // Behind what looks like the name of a secret, whatever comes next is masked.
        prop_assume!(!what.trim_end().ends_with([':', '=']));
        let told = cannot_start(&what, &mending);
        prop_assert!(told.ends_with(&format!("; {}", one_line(&mending))), "{told:?}");
    }

    #[test]
    fn a_step_is_what_a_description_begins_with(told in text(), secs in any::<u32>()) {
        prop_assert!(told.starts_with(step(&told)));
        let goes_on = format!("{told}{FOR}{}", duration(Duration::from_secs(u64::from(secs))));
        prop_assert_eq!(step(&goes_on), if told.starts_with("Rollout ") { step(&told) } else { &told });
    }
}
