//! `pipehook completions` and `pipehook man`.

use crate::scene::Desk;

#[tokio::test]
async fn each_shell_gets_completions_of_every_command() {
    let desk = Desk::new().await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = desk.run(&["completions", shell]).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}");
        for command in ["demo", "explain", "config", "push", "completions", "man"] {
            assert!(ran.out.contains(command), "{shell} has no {command}");
        }
    }
    insta::assert_snapshot!(desk.run(&["completions", "cmd"]).await, @"
    --- standard error
    error: invalid value 'cmd' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

    For more information, try '--help'.
    --- exit code 2
    ");
}

#[tokio::test]
async fn the_manual_has_a_page_for_each_command_with_its_examples() {
    let desk = Desk::new().await;
    let main = desk.run(&["man"]).await;
    assert_eq!((main.code, main.err.as_str()), (0, ""));
    assert!(main.out.contains(".TH pipehook 1") && main.out.contains("pipehook\\-explain(1)"), "{}", main.out);
    let ran = desk.run(&["man", "--dir", "share/man1"]).await;
    assert_eq!(ran.to_string(), "");
    let dir = desk.home().join("share/man1");
    let mut pages: Vec<String> =
        std::fs::read_dir(&dir).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    for page in ["pipehook.1", "pipehook-config.1", "pipehook-config-push.1", "pipehook-explain.1"] {
        assert!(pages.iter().any(|own| own == page), "no {page} in {pages:?}");
    }
    for page in pages {
        let text = std::fs::read_to_string(dir.join(&page)).unwrap();
        assert!(text.contains(".SH EXAMPLES\n"), "{page} has no examples");
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    assert_eq!(std::fs::read_to_string(dir.join("pipehook.1")).unwrap(), main.out);
}

#[tokio::test]
async fn a_page_that_can_not_be_written_is_told() {
    let desk = Desk::new().await;
    desk.write("taken", "");
    insta::assert_snapshot!(desk.run(&["man", "--dir", "taken"]).await, @"
    --- standard error
    pipehook: can't write taken: File exists
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["man", "--dir", "taken/man1"]).await, @"
    --- standard error
    pipehook: can't write taken/man1: Not a directory
    --- exit code 1
    ");
}
