//! The client against the stand-in, over HTTP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::event::CommitSha;
use crate::domain::report::{Report, State};
use crate::domain::time::Timestamp;
use crate::standin::{
    APP_PERMISSIONS, EXAMPLE_APP_KEY, Fault, Permission, Role, Server, World, example_app_credentials,
};

const NOW: u64 = 1_769_292_224_000;
const APP: u64 = 123;
const SHA: &str = "1111111111111111111111111111111111111111";
const TOKENS: &str = "POST /app/installations/{installation_id}/access_tokens";

/// A GitHub with an App that is installed on octo-org/app, and a clock.
struct Scene {
    world: Arc<Mutex<World>>,
    server: Server,
    now: Arc<AtomicU64>,
}

impl Scene {
    fn new() -> Self {
        let now = Arc::new(AtomicU64::new(NOW));
        let at = Timestamp::from_millis(NOW);
        let mut world = World::new(at, 1);
        let github = world.github();
        github.add_repository("octo-org/app", "main");
        github.set_ref("octo-org/app", "main", SHA);
        github.add_token("ghp_person", "octocat");
        github.add_app(at, APP, "pipehook", EXAMPLE_APP_KEY).unwrap();
        github.install_app(at, APP, "octo-org/app", &APP_PERMISSIONS);
        let world = Arc::new(Mutex::new(world));
        let clock = now.clone();
        let server =
            Server::start(world.clone(), move || Timestamp::from_millis(clock.load(Ordering::SeqCst))).unwrap();
        Self { world, server, now }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn wait(&self, time: Duration) {
        self.now.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn client(&self, token: &str) -> GitHub {
        let now = self.now.clone();
        let clock = Clock::from_fn(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        GitHub::new(&self.server.github_api_url(), Some(&Secret::new(token)), &Transport::Network, clock).unwrap()
    }

    fn app(&self) -> GitHub {
        self.client(&example_app_credentials(APP))
    }

    fn calls(&self, operation: &str) -> usize {
        self.world().journal().iter().filter(|call| call.operation == operation).count()
    }
}

/// What was called is left for the check against GitHub's own description.
impl Drop for Scene {
    fn drop(&mut self) {
        let Some(folder) = std::env::var_os("PIPEHOOK_TEST_JOURNALS") else {
            return;
        };
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("client-{}-{}.jsonl", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let folder = std::path::PathBuf::from(folder);
        let journal = self.world().journal_json_lines();
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), journal)).unwrap();
    }
}

fn repository() -> RepositoryName {
    RepositoryName::parse("octo-org/app").unwrap()
}

fn sha() -> CommitSha {
    CommitSha::parse(SHA).unwrap()
}

fn report() -> Report {
    Report { context: "ci".to_owned(), state: State::Pending, description: "Queued".to_owned() }
}

fn content(state: CheckState) -> CheckContent {
    CheckContent {
        state,
        started_at: Some(Timestamp::from_millis(NOW)),
        completed_at: None,
        details_url: Some("https://example.com/run".to_owned()),
        output: CheckOutput { title: "Build".to_owned(), summary: "At work".to_owned(), ..CheckOutput::default() },
        actions: Vec::new(),
    }
}

fn new_run(name: &str, content: CheckContent) -> NewCheckRun {
    NewCheckRun { name: name.to_owned(), head_sha: sha(), external_id: "e1/Build".to_owned(), content }
}

#[tokio::test]
async fn an_app_gets_a_token_once_and_again_before_the_old_one_ends() {
    let scene = Scene::new();
    let github = scene.app();
    assert!(github.is_app());
    let (repository, sha) = (repository(), sha());
    let (one, two) = tokio::join!(github.statuses(&repository, &sha), github.statuses(&repository, &sha));
    assert!(one.unwrap().is_empty() && two.unwrap().is_empty());
    github.post_status(&repository, &sha, &report(), None).await.unwrap();
    assert_eq!(scene.calls(TOKENS), 1, "those who need it at once ask once");
    scene.wait(Duration::from_secs(55 * 60 - 1));
    github.statuses(&repository, &sha).await.unwrap();
    assert_eq!(scene.calls(TOKENS), 1);
    scene.wait(Duration::from_secs(1));
    assert_eq!(github.statuses(&repository, &sha).await.unwrap()[0].context, "ci");
    assert_eq!(scene.calls(TOKENS), 2);
    let world = scene.world();
    let asked = world.journal().iter().find(|call| call.operation == TOKENS).unwrap();
    assert_eq!(asked.request, json!({"repositories": ["app"]}), "it is for this repository alone");
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once_and_a_refused_one_is_forgotten() {
    let scene = Scene::new();
    let github = scene.app();
    github.statuses(&repository(), &sha()).await.unwrap();
    scene.world().github().revoke_app_tokens(APP);
    github.post_status(&repository(), &sha(), &report(), None).await.unwrap();
    assert_eq!(scene.calls(TOKENS), 2);
    let post = "POST /repos/{owner}/{repo}/statuses/{sha}";
    scene.world().faults().next("github", post, 2, Fault::Unauthorized);
    let refused = github.post_status(&repository(), &sha(), &report(), None).await.unwrap_err();
    insta::assert_snapshot!(refused, @"GitHub does not take a token that it has just given to the App: 401 Bad credentials; check that the App is installed");
    assert_eq!(scene.calls(TOKENS), 3);
    let at = scene.at();
    scene.world().github().install_app(at, APP, "octo-org/app", &[("statuses", Permission::Write)]);
    scene.world().github().revoke_app_tokens(APP);
    let refused = github.deployments(&repository(), &sha(), "staging").await.unwrap_err();
    insta::assert_snapshot!(refused, @"GitHub denies access to /repos/octo-org/app/deployments: 403 Resource not accessible by integration (it takes deployments=read); give the App's installation access to the repository, with permission to write checks, commit statuses and deployments, and accept them where the App is installed");
    scene.world().github().install_app(at, APP, "octo-org/app", &APP_PERMISSIONS);
    github.deployments(&repository(), &sha(), "staging").await.expect("a token with the new permission");
}

#[tokio::test]
async fn what_is_wrong_with_an_app_is_said_in_words() {
    let scene = Scene::new();
    let refused = async |github: GitHub| github.statuses(&repository(), &sha()).await.unwrap_err();
    let stranger = scene.client(&example_app_credentials(7));
    insta::assert_snapshot!(refused(stranger).await, @"GitHub does not take the App's JWT: 404 Integration not found; check app_id and the private key");
    scene.wait(Duration::from_secs(3600));
    let early = GitHub::new(
        &scene.server.github_api_url(),
        Some(&Secret::new(example_app_credentials(APP))),
        &Transport::Network,
        Clock::from_fn(|| Timestamp::from_millis(NOW)),
    );
    insta::assert_snapshot!(refused(early.unwrap()).await, @"GitHub does not take the App's JWT: 401 'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires; check app_id and the private key");
    scene.world().github().uninstall_app(APP, "octo-org/app");
    let refusal = refused(scene.app()).await;
    insta::assert_snapshot!(refusal, @"the GitHub App is not installed on octo-org/app: 404 Not Found; install it there");
    assert!(matches!(refusal, GitHubError::NotInstalled { .. }) && refusal.needs_mending());
    let peeled = scene.app().peel(&repository(), &sha()).await;
    assert!(matches!(peeled, Err(GitHubError::NotInstalled { .. })), "that says nothing of a tag");
}

#[tokio::test]
async fn an_app_finds_a_renamed_repository() {
    let scene = Scene::new();
    scene.world().github().rename("octo-org/app", "octo-org/renamed");
    let github = scene.app();
    github.post_status(&repository(), &sha(), &report(), None).await.unwrap();
    let run = github.create_check_run(&repository(), &new_run("ci", content(CheckState::Queued))).await.unwrap();
    assert_eq!(github.check_runs(&repository(), &sha(), None).await.unwrap(), [run]);
}

#[tokio::test]
async fn a_check_run_is_made_found_and_changed() {
    let scene = Scene::new();
    let github = scene.app();
    let made =
        github.create_check_run(&repository(), &new_run("a b/c", content(CheckState::InProgress))).await.unwrap();
    github.create_check_run(&repository(), &new_run("other", content(CheckState::Queued))).await.unwrap();
    assert_eq!((made.state, made.app), (Some(CheckState::InProgress), Some(APP)));
    assert_eq!((made.external_id.as_str(), made.head_sha.as_str()), ("e1/Build", SHA));
    assert_eq!(made.started_at, Some(Timestamp::from_millis(NOW)));
    let found = github.check_runs(&repository(), &sha(), Some("a b/c")).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&made));
    let ended = CheckContent {
        completed_at: Some(scene.at()),
        output: CheckOutput {
            title: "Failed".to_owned(),
            summary: "é".repeat(40_000),
            text: Some("It was the tests.".to_owned()),
            annotations: Vec::new(),
        },
        actions: vec![CheckAction {
            label: "Retry Build".to_owned(),
            description: "Runs what failed again".to_owned(),
            identifier: "retry".to_owned(),
        }],
        ..content(CheckState::Completed(Conclusion::Failure))
    };
    let updated = github.update_check_run(&repository(), made.id, "5a1b/Build", &ended).await.unwrap();
    assert_eq!(updated.state, Some(CheckState::Completed(Conclusion::Failure)));
    let summary = updated.summary.clone().unwrap();
    assert!(summary.len() <= 65_535 && summary.ends_with("GitHub shows no more)"), "{}", summary.len());
    assert_eq!(github.check_run(&repository(), made.id).await.unwrap(), updated);
    assert_eq!(scene.world().github().check_runs("octo-org/app", SHA)[0].actions[0].identifier, "retry");
    let plain = content(CheckState::Completed(Conclusion::Neutral));
    let changed = github.update_check_run(&repository(), made.id, "5a1b/Build", &plain).await.unwrap();
    assert_eq!(changed.state, Some(CheckState::Completed(Conclusion::Neutral)));
    assert_eq!(changed.text, None, "nothing is left of what it said before");
    assert!(scene.world().github().check_runs("octo-org/app", SHA)[0].actions.is_empty());
}

#[tokio::test]
async fn many_annotations_go_in_several_requests_and_many_runs_come_in_several_pages() {
    let scene = Scene::new();
    let github = scene.app();
    let mut long = content(CheckState::Completed(Conclusion::Failure));
    let annotation = |line| Annotation {
        path: "src/server.js".to_owned(),
        start_line: line,
        end_line: line,
        level: AnnotationLevel::Warning,
        message: "unused".to_owned(),
        title: None,
    };
    long.output.annotations = (1..=120).map(annotation).collect();
    github.create_check_run(&repository(), &new_run("lint", long)).await.unwrap();
    {
        let mut world = scene.world();
        let run = &world.github().check_runs("octo-org/app", SHA)[0];
        let lines: Vec<u64> = run.output.annotations.iter().map(|annotation| annotation.start_line).collect();
        assert_eq!(lines, (1..=120).collect::<Vec<u64>>());
        assert_eq!(world.github().checks_since(0).1, 3, "50, 50 and 20");
    }
    for number in 0..102 {
        let run = new_run(&format!("check {number}"), content(CheckState::Queued));
        github.create_check_run(&repository(), &run).await.unwrap();
    }
    let runs = github.check_runs(&repository(), &sha(), None).await.unwrap();
    assert_eq!((runs.len(), runs[0].name.as_str(), runs[102].name.as_str()), (103, "check 101", "lint"));
}

#[tokio::test]
async fn without_an_app_there_are_no_check_runs() {
    let scene = Scene::new();
    let github = scene.client("ghp_person");
    assert!(!github.is_app());
    let made = github.create_check_run(&repository(), &new_run("ci", content(CheckState::Queued))).await.unwrap_err();
    insta::assert_snapshot!(made, @r#"report = "checks" needs a GitHub App: GitHub takes check runs from no other token"#);
    let listed = github.check_runs(&repository(), &sha(), None).await;
    assert!(matches!(listed, Err(GitHubError::NeedsApp(_))));
    assert!(scene.world().journal().is_empty(), "GitHub is not even asked");
}

#[tokio::test]
async fn what_became_of_a_write_may_be_unknown_but_not_of_one_that_never_left() {
    let scene = Scene::new();
    let github = scene.app();
    let new = new_run("ci", content(CheckState::Queued));
    scene.world().faults().next("github", TOKENS, 1, Fault::LostAfter);
    let never_left = github.create_check_run(&repository(), &new).await;
    assert!(matches!(never_left, Err(GitHubError::Unavailable(_))), "{never_left:?}");
    for fault in [Fault::LostAfter, Fault::BadGateway, Fault::Nonsense] {
        scene.world().faults().next("github", "POST /repos/{owner}/{repo}/check-runs", 1, fault);
        let lost = github.create_check_run(&repository(), &new).await;
        assert!(matches!(lost, Err(GitHubError::Uncertain(_))), "{lost:?}");
    }
    let unknown = CommitSha::parse(&SHA.replace('1', "4")).unwrap();
    let unknown = NewCheckRun { head_sha: unknown, ..new };
    let unknown = github.create_check_run(&repository(), &unknown).await;
    assert!(matches!(unknown, Err(GitHubError::UnknownCommit(_))), "{unknown:?}");
}

#[tokio::test]
async fn a_status_counts_as_posted_only_where_github_says_so() {
    let scene = Scene::new();
    let github = scene.client("ghp_person");
    scene.world().faults().next("github", "POST /repos/{owner}/{repo}/statuses/{sha}", 1, Fault::Nonsense);
    let (repository, sha, report) = (repository(), sha(), report());
    let post = || github.post_status(&repository, &sha, &report, None);
    assert!(matches!(post().await, Err(GitHubError::Uncertain(_))), "a proxy has answered");
    assert!(post().await.is_ok());
}

#[tokio::test]
async fn a_deployment_is_made_in_spite_of_pending_statuses_and_found_again() {
    let scene = Scene::new();
    for github in [scene.app(), scene.client("ghp_person")] {
        github.post_status(&repository(), &sha(), &report(), None).await.unwrap();
        let payload = json!({"execution": "e1"}).as_object().unwrap().clone();
        let environment = "staging & more".to_owned();
        let new = NewDeployment { commit: sha(), environment, payload, description: "By pipehook".to_owned() };
        let made = github.create_deployment(&repository(), &new).await.unwrap();
        assert_eq!((made.sha.as_str(), &made.payload), (SHA, &new.payload));
        let found = github.deployments(&repository(), &sha(), "staging & more").await.unwrap();
        assert_eq!(found[0], made);
        assert!(github.deployments(&repository(), &sha(), "staging").await.unwrap().is_empty());
        for state in [DeploymentState::InProgress, DeploymentState::Success] {
            let status = NewDeploymentStatus {
                state,
                log_url: Some("https://example.com/log".to_owned()),
                description: "Rolling out".to_owned(),
                environment_url: None,
                auto_inactive: true,
            };
            github.create_deployment_status(&repository(), made.id, &status).await.unwrap();
        }
        let shown = github.deployment_statuses(&repository(), made.id).await.unwrap();
        let states: Vec<_> = shown.iter().map(|status| status.state).collect();
        assert_eq!(states, [Some(DeploymentState::Success), Some(DeploymentState::InProgress)]);
        assert_eq!(shown[0].log_url.as_deref(), Some("https://example.com/log"));
        assert_eq!(shown[0].environment_url, None);
    }
    let states: Vec<_> =
        scene.world().github().deployments("octo-org/app").iter().map(|deployment| deployment.state()).collect();
    assert_eq!(states, [Some("inactive"), Some("success")]);
}

#[tokio::test]
async fn who_may_write_is_asked_of_github() {
    let scene = Scene::new();
    let github = scene.app();
    for (login, role) in [("ann", Role::Maintain), ("bob", Role::Triage), ("robot[bot]", Role::Write)] {
        scene.world().github().set_role("octo-org/app", login, role);
    }
    for (login, may) in [("ann", true), ("bob", false), ("robot[bot]", true), ("mallory", false)] {
        assert_eq!(github.may_write(&repository(), login).await.unwrap(), may, "{login}");
    }
    scene.world().faults().next("github", "*", 1, Fault::ServerError);
    assert!(github.may_write(&repository(), "ann").await.is_err());
}
