//! Routing, told as pushes and what they start.

use super::*;

const SHA: &str = "1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b";

fn patterns(texts: &[&str]) -> Patterns {
    Patterns::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn route(pipeline: &str) -> Route {
    Route {
        repository: RepositoryName::parse("octo-org/node-server").unwrap(),
        branches: Branches::Default,
        tags: Patterns::default(),
        paths: None,
        paths_ignore: Patterns::default(),
        pull_requests: PullRequests::None,
        pipeline: pipeline.to_owned(),
        source_action: Some("Source".to_owned()),
        variables: Vec::new(),
        options: RunOptions::default(),
    }
}

fn push(full_ref: &str) -> Push {
    Push {
        repository: RepositoryName::parse("Octo-Org/node-server").unwrap(),
        default_branch: "main".to_owned(),
        git_ref: Ref::parse(full_ref).unwrap(),
        commit: CommitSha::parse(SHA).unwrap(),
        may_be_tag_object: false,
        message: "Say hello".to_owned(),
        actor: "octocat".to_owned(),
        changed: ChangedFiles::Known(vec!["src/server.js".to_owned(), "README.md".to_owned()]),
    }
}

fn pull_request(head: &str, base: &str) -> PullRequest {
    PullRequest {
        repository: RepositoryName::parse("octo-org/node-server").unwrap(),
        default_branch: "main".to_owned(),
        number: 7,
        title: "Say hello".to_owned(),
        head_branch: head.to_owned(),
        base_branch: base.to_owned(),
        commit: CommitSha::parse(SHA).unwrap(),
        actor: "octocat".to_owned(),
        from_fork: false,
    }
}

/// The plan in short: `start PIPELINE`, `skip PIPELINE: why`, `ignore: why`.
fn plan(routes: &[Route], kind: EventKind) -> String {
    let event = Event { delivery: "d-1".to_owned(), kind };
    let short = |decision: &Decision| match decision {
        Decision::Start(request) => format!("start {}", request.pipeline),
        Decision::Skip { pipeline, reason, .. } => format!("skip {pipeline}: {reason}"),
        Decision::Press(press, request) => format!("press on {} by {}", request.pipeline, press.actor),
        Decision::Ignore(reason) => format!("ignore: {reason}"),
    };
    let decisions = RouteTable(routes.to_vec()).plan(&event);
    decisions.iter().map(short).collect::<Vec<_>>().join("\n")
}

fn plan_push(routes: &[Route], push: Push) -> String {
    plan(routes, EventKind::Push(push))
}

#[test]
fn without_branches_a_route_takes_the_default_branch() {
    let routes = [route("node-server")];
    assert_eq!(plan_push(&routes, push("refs/heads/main")), "start node-server");
    insta::assert_snapshot!(plan_push(&routes, push("refs/heads/next")), @"ignore: the route to node-server does not take branch next");
    insta::assert_snapshot!(plan_push(&routes, push("refs/tags/v1")), @"ignore: the route to node-server does not take tag v1");
    let trunk = Push { default_branch: "trunk".to_owned(), ..push("refs/heads/trunk") };
    assert_eq!(plan_push(&routes, trunk), "start node-server");
}

#[test]
fn an_empty_list_of_branches_takes_none() {
    let routes = [Route { branches: Branches::Matching(patterns(&[])), ..route("node-server") }];
    assert!(plan_push(&routes, push("refs/heads/main")).starts_with("ignore"));
}

#[test]
fn a_star_stays_within_a_part_of_the_name_and_two_cross() {
    let one = [Route { branches: Branches::Matching(patterns(&["release/*"])), ..route("p") }];
    assert_eq!(plan_push(&one, push("refs/heads/release/1")), "start p");
    assert!(plan_push(&one, push("refs/heads/release/1/hotfix")).starts_with("ignore"));
    let two = [Route { branches: Branches::Matching(patterns(&["release/**"])), ..route("p") }];
    assert_eq!(plan_push(&two, push("refs/heads/release/1/hotfix")), "start p");
}

#[test]
fn two_stars_cross_wherever_they_stand() {
    let takes = |pattern: &str, name: &str| patterns(&[pattern]).matches(name);
    assert!(takes("**.js", "server.js") && takes("**.js", "src/server.js") && !takes("**.js", "src/server.ts"));
    assert!(
        takes("release**", "release/1/hotfix") && takes("release**", "releases") && !takes("release**", "x/release")
    );
    assert!(takes("src/**test.js", "src/a/b.test.js") && !takes("src/**test.js", "lib/test.js"));
    assert!(takes("a**/b", "a1/2/b") && takes("a**/b", "a/b") && !takes("a**/b", "ab"));
    assert!(takes("{docs/**.md,**.txt}", "docs/a/b.md") && takes("{docs/**.md,**.txt}", "a/b.txt"));
    // What is between brackets or behind a backslash stands for itself.
    assert!(takes("[**]x", "*x") && !takes("[**]x", "a/x") && takes("\\**", "*x") && !takes("\\**", "*/x"));
    assert!(takes("[a**]x", "*x") && !takes("[a**]x", ",x") && !takes("[a**]x", "a/x"));
    assert!(takes("[!]**]x", "ax") && takes("[!]**]x", "{x") && !takes("[!]**]x", "]x") && !takes("[!]**]x", "*x"));
    assert!(takes("[é]**.js", "é/a.js") && takes("[!€]**.js", "é/a.js") && !takes("[!€]**.js", "€/a.js"));
}

#[test]
fn the_merge_queues_branches_are_taken_only_by_a_pattern_that_names_them() {
    let queued = "refs/heads/gh-readonly-queue/main/pr-7";
    let all = [Route { branches: Branches::Matching(patterns(&["**"])), ..route("p") }];
    assert!(plan_push(&all, push(queued)).starts_with("ignore"));
    let named = [Route { branches: Branches::Matching(patterns(&["gh-readonly-queue/**"])), ..route("p") }];
    assert_eq!(plan_push(&named, push(queued)), "start p");
}

#[test]
fn another_repository_has_no_route() {
    let other = Push { repository: RepositoryName::parse("octo-org/docs").unwrap(), ..push("refs/heads/main") };
    insta::assert_snapshot!(plan_push(&[route("p")], other), @"ignore: no route is for octo-org/docs");
}

#[test]
fn a_path_filter_skips_what_changes_nothing_of_it() {
    let docs = [Route { paths: Some(patterns(&["docs/**"])), ..route("p") }];
    insta::assert_snapshot!(plan_push(&docs, push("refs/heads/main")), @"skip p: the 2 changed files are left out by the path filters");
    let src = [Route { paths: Some(patterns(&["src/**", "Dockerfile"])), ..route("p") }];
    assert_eq!(plan_push(&src, push("refs/heads/main")), "start p");
}

#[test]
fn ignored_paths_skip_a_push_of_nothing_else() {
    let routes = [Route { paths_ignore: patterns(&["*.md", "docs/**"]), ..route("p") }];
    assert_eq!(plan_push(&routes, push("refs/heads/main")), "start p");
    let only_docs = ChangedFiles::Known(vec!["README.md".to_owned()]);
    let skipped = plan_push(&routes, Push { changed: only_docs, ..push("refs/heads/main") });
    insta::assert_snapshot!(skipped, @"skip p: the 1 changed file is left out by the path filters");
}

#[test]
fn a_file_must_match_the_paths_and_not_be_ignored() {
    let routes = [Route { paths: Some(patterns(&["src/**"])), paths_ignore: patterns(&["**/*.md"]), ..route("p") }];
    let changed = |files: &[&str]| ChangedFiles::Known(files.iter().map(|file| (*file).to_owned()).collect());
    let notes = Push { changed: changed(&["src/notes.md", "docs/a.js"]), ..push("refs/heads/main") };
    assert!(plan_push(&routes, notes).starts_with("skip"));
    let code = Push { changed: changed(&["src/notes.md", "src/a.js"]), ..push("refs/heads/main") };
    assert_eq!(plan_push(&routes, code), "start p");
}

#[test]
fn where_the_files_are_not_known_the_filter_lets_the_push_through() {
    let routes = [Route { paths: Some(patterns(&["docs/**"])), ..route("p") }];
    let clipped = Push { changed: ChangedFiles::Unknown("clipped"), ..push("refs/heads/main") };
    assert_eq!(plan_push(&routes, clipped), "start p");
}

#[test]
fn a_push_without_changed_files_is_skipped_only_where_files_are_filtered() {
    let nothing = Push { changed: ChangedFiles::Known(Vec::new()), ..push("refs/heads/main") };
    assert_eq!(plan_push(&[route("p")], nothing.clone()), "start p");
    let filtered = [Route { paths: Some(patterns(&["**"])), ..route("p") }];
    assert_eq!(plan_push(&filtered, nothing), "skip p: no file changed");
}

#[test]
fn a_message_that_says_so_skips() {
    for mark in ["[skip ci]", "[CI Skip]", "[skip pipeline]"] {
        let quiet = Push { message: format!("Fix typo {mark}"), ..push("refs/heads/main") };
        assert!(plan_push(&[route("p")], quiet).starts_with("skip p: the commit's message says ["), "{mark}");
    }
}

#[test]
fn two_routes_to_one_pipeline_start_it_once_and_the_first_wins() {
    let first = Route { variables: vec![("FROM".to_owned(), Template::parse("first").unwrap())], ..route("p") };
    let event = Event { delivery: String::new(), kind: EventKind::Push(push("refs/heads/main")) };
    let decisions = RouteTable(vec![first, route("p"), route("q")]).plan(&event);
    let [Decision::Start(p), Decision::Start(q)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!((p.pipeline.as_str(), q.pipeline.as_str()), ("p", "q"));
    assert_eq!(p.variables, [("FROM".to_owned(), "first".to_owned())]);
}

#[test]
fn a_route_that_starts_wins_over_an_earlier_one_that_skips() {
    let docs = Route { paths: Some(patterns(&["docs/**"])), ..route("p") };
    assert_eq!(plan_push(&[docs, route("p")], push("refs/heads/main")), "start p");
}

#[test]
fn variables_are_filled_and_an_empty_one_is_left_out() {
    let template = |text| Template::parse(text).unwrap();
    let route = Route {
        variables: vec![
            ("GIT_BRANCH".to_owned(), template("{branch}")),
            ("GIT_TAG".to_owned(), template("{tag}")),
            ("WHO".to_owned(), template("{actor} {short_sha} {ref} {delivery}")),
        ],
        ..route("p")
    };
    let event = Event { delivery: "d-1".to_owned(), kind: EventKind::Push(push("refs/heads/main")) };
    let decisions = RouteTable(vec![route]).plan(&event);
    let [Decision::Start(request)] = &decisions[..] else { panic!("{decisions:?}") };
    insta::assert_debug_snapshot!(request.variables, @r#"
    [
        (
            "GIT_BRANCH",
            "main",
        ),
        (
            "WHO",
            "octocat 1f7ad5b refs/heads/main d-1",
        ),
    ]
    "#);
}

#[test]
fn pull_requests_start_only_where_the_route_takes_them() {
    let pull = || EventKind::PullRequest(pull_request("feature", "main"));
    insta::assert_snapshot!(plan(&[route("p")], pull()), @"ignore: the route to p does not take pull requests");
    let all = [Route { pull_requests: PullRequests::All, ..route("p") }];
    assert_eq!(plan(&all, pull()), "start p");
    let into_release = [Route { pull_requests: PullRequests::Into(patterns(&["release/*"])), ..route("p") }];
    insta::assert_snapshot!(plan(&into_release, pull()), @"ignore: the route to p does not take pull requests into main");
}

#[test]
fn a_pull_request_from_a_fork_never_starts_a_pipeline() {
    let all = [Route { pull_requests: PullRequests::All, ..route("p") }];
    let fork = EventKind::PullRequest(PullRequest { from_fork: true, ..pull_request("feature", "main") });
    insta::assert_snapshot!(plan(&all, fork), @"ignore: #7 comes from a fork, and forks never start a pipeline");
}

#[test]
fn a_pull_request_whose_push_already_starts_the_pipeline_starts_nothing_more() {
    let both = Route {
        pull_requests: PullRequests::All,
        branches: Branches::Matching(patterns(&["main", "feature/*"])),
        ..route("p")
    };
    let pull = EventKind::PullRequest(pull_request("feature/x", "main"));
    insta::assert_snapshot!(plan(&[both], pull), @"ignore: the push to feature/x already starts p");
}

fn pressed(name: &str) -> EventKind {
    EventKind::Press(Press {
        repository: RepositoryName::parse("octo-org/node-server").unwrap(),
        default_branch: "main".to_owned(),
        commit: CommitSha::parse(SHA).unwrap(),
        head_branch: Some("topic".to_owned()),
        actor: "octocat".to_owned(),
        what: match name {
            "" => Pressed::RerunAll { updated: "2026-01-24T22:03:44Z".to_owned() },
            name => Pressed::Button { check_run: 7, name: name.to_owned(), identifier: "approve:1".to_owned() },
        },
    })
}

#[test]
fn a_press_is_for_the_pipeline_whose_check_run_it_is_on() {
    let routes = [route("node-server"), route("node-server-docs")];
    insta::assert_snapshot!(plan(&routes, pressed("codepipeline/node-server/Staging")), @"press on node-server by octocat");
    insta::assert_snapshot!(plan(&routes, pressed("codepipeline/Node-Server-Docs")), @"press on node-server-docs by octocat");
    insta::assert_snapshot!(plan(&routes, pressed("lint")), @"
    ignore: the check run is not one of node-server
    ignore: the check run is not one of node-server-docs
    ");
    insta::assert_snapshot!(plan(&routes, pressed("")), @"
    press on node-server by octocat
    press on node-server-docs by octocat
    ");
}

/// Where a stage can't be retried, the run begins anew, with what its route says.
#[test]
fn a_press_is_for_the_route_that_takes_the_branch() {
    let to = |branch: &str| Route {
        branches: Branches::Matching(patterns(&[branch])),
        variables: vec![("FROM".to_owned(), Template::parse(branch).unwrap())],
        ..route("node-server")
    };
    let planned = |routes: [&str; 2]| {
        let event = Event { delivery: "d-1".to_owned(), kind: pressed("codepipeline/node-server") };
        let decisions = RouteTable(routes.map(to).to_vec()).plan(&event);
        let [Decision::Press(_, request)] = &decisions[..] else { panic!("{decisions:?}") };
        request.variables[0].1.clone()
    };
    assert_eq!(planned(["main", "topic"]), "topic");
    assert_eq!(planned(["topic", "main"]), "topic");
    assert_eq!(planned(["release/1", "release/2"]), "release/1", "the first, where none takes it");
}

#[test]
fn every_field_of_a_variable_is_filled_whatever_started_the_pipeline() {
    let all = "{sha} {short_sha} {ref} branch={branch} tag={tag} {actor} {delivery} {message}";
    let route = Route {
        tags: patterns(&["v*"]),
        pull_requests: PullRequests::All,
        variables: vec![("ALL".to_owned(), Template::parse(all).unwrap())],
        ..route("p")
    };
    let filled = |kind| {
        let event = Event { delivery: "d-1".to_owned(), kind };
        let decisions = RouteTable(vec![route.clone()]).plan(&event);
        let (Decision::Start(request) | Decision::Press(_, request)) = &decisions[0] else { panic!("{decisions:?}") };
        request.variables[0].1.clone()
    };
    let press = |head_branch: Option<&str>| match pressed("codepipeline/p") {
        EventKind::Press(press) => EventKind::Press(Press { head_branch: head_branch.map(str::to_owned), ..press }),
        other => other,
    };
    let texts = [
        filled(EventKind::Push(push("refs/heads/main"))),
        filled(EventKind::Push(push("refs/tags/v1"))),
        filled(EventKind::PullRequest(PullRequest { title: "Hello".to_owned(), ..pull_request("feature", "main") })),
        filled(press(Some("topic"))),
        filled(press(None)),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b 1f7ad5b refs/heads/main branch=main tag= octocat d-1 Say hello
    1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b 1f7ad5b refs/tags/v1 branch= tag=v1 octocat d-1 Say hello
    1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b 1f7ad5b refs/heads/feature branch=feature tag= octocat d-1 Hello
    1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b 1f7ad5b refs/heads/topic branch=topic tag= octocat d-1
    1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b 1f7ad5b refs/heads/main branch=main tag= octocat d-1
    ");
}

#[test]
fn the_routes_of_a_pipeline_stand_in_their_order() {
    let other = Route { repository: RepositoryName::parse("octo-org/docs").unwrap(), ..route("p") };
    let table = RouteTable(vec![route("p"), route("q"), other]);
    let repositories =
        |pipeline| table.of_pipeline(pipeline).map(|route| route.repository.as_str()).collect::<Vec<_>>();
    assert_eq!(repositories("p"), ["octo-org/node-server", "octo-org/docs"]);
    assert_eq!(repositories("q"), ["octo-org/node-server"]);
    assert!(repositories("r").is_empty());
}

#[test]
fn a_skip_is_told_once_and_for_the_first_of_the_routes_that_skip() {
    let quiet = || Push { message: "Fix typo [skip ci]".to_owned(), ..push("refs/heads/main") };
    let docs = Route { paths: Some(patterns(&["docs/**"])), ..route("p") };
    assert_eq!(plan_push(&[docs.clone(), docs.clone()], push("refs/heads/main")).lines().count(), 1);
    insta::assert_snapshot!(plan_push(&[route("p"), route("q"), route("p")], quiet()), @"
    skip p: the commit's message says [skip ci]
    skip q: the commit's message says [skip ci]
    ");
    let not_main = Route { branches: Branches::Matching(patterns(&["next"])), ..route("q") };
    assert_eq!(plan_push(&[route("p"), not_main], push("refs/heads/main")), "start p", "who ignores it has no say");
    assert_eq!(plan_push(&[route("p"), docs], push("refs/heads/main")), "start p", "nor who skips it later");
}

#[test]
fn a_route_says_for_itself_what_it_makes_of_an_event_and_which_of_its_keys_decide() {
    let decided = |route: Route, kind| match route.decide(&Event { delivery: String::new(), kind }) {
        Decision::Ignore(reason) | Decision::Skip { reason, .. } => format!("{reason} {:?}", reason.keys()),
        decision => format!("{decision:?}"),
    };
    let pushed = |full_ref| EventKind::Push(push(full_ref));
    let docs = Route { paths: Some(patterns(&["docs/**"])), ..route("p") };
    let elsewhere = Route { repository: RepositoryName::parse("octo-org/docs").unwrap(), ..route("p") };
    let taking = |pull_requests| Route { pull_requests, ..route("p") };
    let pull = |head| EventKind::PullRequest(pull_request(head, "main"));
    let fork = EventKind::PullRequest(PullRequest { from_fork: true, ..pull_request("feature", "main") });
    let quiet = EventKind::Push(Push { message: "Fix typo [skip ci]".to_owned(), ..push("refs/heads/main") });
    let all = [
        decided(route("p"), pushed("refs/heads/next")),
        decided(route("p"), pushed("refs/tags/v1")),
        decided(docs, pushed("refs/heads/main")),
        decided(route("p"), quiet),
        decided(elsewhere, pushed("refs/heads/main")),
        decided(route("p"), pull("feature")),
        decided(taking(PullRequests::Into(patterns(&["release/*"]))), pull("feature")),
        decided(taking(PullRequests::All), pull("main")),
        decided(taking(PullRequests::All), fork),
        decided(route("p"), pressed("lint")),
        decided(route("p"), EventKind::Nothing("a ping".to_owned())),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    the route to p does not take branch next ["branches"]
    the route to p does not take tag v1 ["tags"]
    the 2 changed files are left out by the path filters ["paths", "paths_ignore"]
    the commit's message says [skip ci] []
    the route is for octo-org/docs ["repository"]
    the route to p does not take pull requests ["pull_requests"]
    the route to p does not take pull requests into main ["pull_requests"]
    the push to main already starts p ["branches"]
    #7 comes from a fork, and forks never start a pipeline []
    the check run is not one of p ["pipeline"]
    a ping []
    "#);
}
