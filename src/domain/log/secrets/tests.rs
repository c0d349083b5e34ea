use super::*;

fn of(line: &str) -> String {
    mask(vec![line.to_owned()]).join("\n")
}

fn all(lines: &[&str]) -> String {
    lines.iter().map(|line| of(line)).collect::<Vec<_>>().join("\n")
}

const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSIsImV4cCI6MX0.c2lnbmF0dXJl-_c2ln";

#[test]
fn tokens_are_known_by_their_form() {
    let found = all(&[
        "clone with ghp_0123456789abcdefghijklmnopqrstuvwxyz.",
        "installed with ghs_0123456789abcdefghijklmnopqrstuvwxyz...",
        "gho_0123456789abcdefghijklmnopqrstuvwxyz ghu_0123456789abcdefghijklmnopqrstuvwxyz",
        &format!("installation ghs_123456_{JWT}, refreshed by ghr_0123456789abcdefghijklmnopqrstuvwxyz"),
        "(github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ)",
        &format!("jwt: {JWT};"),
        "npm_0123456789abcdefghijklmnopqrstuvwxyz glpat-0123456789abcdefghij xoxb-0123456789-abcdefghij",
        &format!("eyJ{} is ECR's", "A".repeat(200)),
        &format!("IQoJb3JpZ2luX2Vj{}==", "Ab/+".repeat(40)),
    ]);
    insta::assert_snapshot!(found, @"
    clone with ***.
    installed with ***...
    *** ***
    installation ***, refreshed by ***
    (***)
    jwt: ***;
    *** *** ***
    *** is ECR's
    ***
    ");
}

#[test]
fn secrets_that_touch_are_one() {
    assert_eq!(of("AKIAIOSFODNN7EXAMPLEghp_0123456789abcdefghijklmnopqrstuvwxyz"), "***");
}

#[test]
fn keys_of_aws_are_masked_with_their_ids() {
    let found = mask(
        [
            "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "ASIAIOSFODNN7EXAMPLE",
            "  wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "commit 0123456789abcdef0123456789abcdef01234567",
            "later",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY without an id",
            "aws configure set aws_secret_access_key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS Secret Access Key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            r#"{"SecretAccessKey": "wJalr", "SessionToken":"IQoJ", "Expiration": "2026-01-24"}"#,
            "<SecretAccessKey>wJalr</SecretAccessKey><Expiration>2026</Expiration>",
            "https://bucket.s3.amazonaws.com/a?X-Amz-Credential=AKIA%2F&X-Amz-Signature=0123&X-Amz-Expires=60",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    insta::assert_snapshot!(found.join("\n"), @r#"
    *** ***
    ***
      ***
    commit 0123456789abcdef0123456789abcdef01234567
    later
    wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY without an id
    aws configure set aws_secret_access_key ***
    AWS Secret Access Key: ***
    {"SecretAccessKey": "***", "SessionToken":"***", "Expiration": "2026-01-24"}
    <SecretAccessKey>***</SecretAccessKey><Expiration>2026</Expiration>
    https://bucket.s3.amazonaws.com/a?X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Expires=60
    "#);
}

#[test]
fn values_are_masked_by_their_names() {
    let found = all(&[
        "password=hunter2 user=octocat",
        "DB_PASSWORD: hunter2",
        r#""password": "hunter \"2\"", "user": "octocat""#,
        r#"{\"password\": \"x y\", \"user\": \"octocat\"}"#,
        r#"{"token":12345,"user":"octocat"}"#,
        "export API_KEY='a b' OTHER=1",
        "client_secret := \"x\"",
        ":secret_key => 'x', :user => 'octocat'",
        "dbPassword = b\"x y\"",
        "'--token=a b' --verbose",
        "GET /?access_token=abc&page=2 HTTP/1.1",
        "GET /blob?sv=2026&sig=abc%3D&se=1",
        "passphrase: correct horse battery",
        "DB_PASSWORD_2=x SecretString=y",
        "//registry.example.com/:_authToken=abc",
        "env[\"TOKEN\"] = \"x\"",
        "password = \"\"\"x\"\"\" and \"password\": \"\"",
        "password=\"never closed",
        "deploy --password hunter2 --token \"a b\" now",
        r#"[{"name":"DB_PASSWORD","value":"x"},{"name":"PORT","value":"8080"}]"#,
        "net use /password:hunter2 and userPassword={SSHA}hunter2 and password=[hunter2]x",
        "secrets: tokens=[\"a\", \"b\"] credentials=[\"a\", \"b\"] end",
    ]);
    insta::assert_snapshot!(found, @r#"
    password=*** user=octocat
    DB_PASSWORD: ***
    "password": "***", "user": "octocat"
    {\"password\": \"***\", \"user\": \"octocat\"}
    {"token":***,"user":"octocat"}
    export API_KEY='***' OTHER=1
    client_secret := "***"
    :secret_key => '***', :user => 'octocat'
    dbPassword = b"***"
    '--token=***' --verbose
    GET /?access_token=***&page=2 HTTP/1.1
    GET /blob?sv=2026&sig=***&se=1
    passphrase: ***
    DB_PASSWORD_2=*** SecretString=***
    //registry.example.com/:_authToken=***
    env["TOKEN"] = "***"
    password = """***""" and "password": ""
    password="***
    deploy --password *** --token "***" now
    [{"name":"DB_PASSWORD","value":"***"},{"name":"PORT","value":"8080"}]
    net use /password:*** and userPassword=*** and password=[***
    secrets: tokens=["a", "b"] credentials=[*** end
    "#);
}

#[test]
fn names_of_secrets_have_many_forms() {
    let found = all(&[
        "DB_PWD=hunter2 DB_PASS=hunter2 app-pass: hunter2",
        "API key: abc, private\tkey: abc",
        "GET /a?signature=abc&x=1",
        "password=frost password=u password=a&b,c] end",
        "/password:hunter2",
        "src/auth/token: hunter2",
        "src/auth/token=hunter2",
        "unexpected password: hunter2",
        "unexpected token=hunter2",
        "my token: hunter2",
        r#"token:\"a b\" end"#,
        "<Token>a b</Token> and Map<Token>x",
        "proxy --token=abc --secret 'a b' --name Node1",
        r#"Proxy-Authorization: Digest username="a", response="b""#,
        "authorization: Negotiate abc def",
        r#"{"authorization": "Digest a b", "x": 1}"#,
        "password: '''a b''' end, secret='' end",
        r#"passwords: ["a"] end"#,
        "TOKEN_2_BASE64_1=x",
        "userPassword: {SSHA}hunter2",
    ]);
    insta::assert_snapshot!(found, @r#"
    DB_PWD=*** DB_PASS=*** app-pass: ***
    API key: *** private	key: ***
    GET /a?signature=***&x=1
    password=*** password=*** password=*** end
    /password:***
    src/auth/token: ***
    src/auth/token=***
    unexpected password: ***
    unexpected token=***
    my token: ***
    token:\"***\" end
    <Token>***</Token> and Map<Token>x
    proxy --token=*** --secret '***' --name Node1
    Proxy-Authorization: ***
    authorization: Negotiate *** def
    {"authorization": "***", "x": 1}
    password: '''***''' end, secret='' end
    passwords: [*** end
    TOKEN_2_BASE64_1=***
    userPassword: ***
    "#);
}

#[test]
fn a_pair_of_name_and_value_may_stand_on_lines_that_are_near() {
    let masked = |between: usize, name: &str| {
        let lines = [format!("- name: {name}")].into_iter();
        let lines = lines.chain(vec!["  comment".to_owned(); between]).chain(["  value: x1".to_owned()]);
        mask(lines.collect()).pop().unwrap()
    };
    assert_eq!(masked(0, "DB_PASSWORD"), "  value: ***");
    assert_eq!(masked(1, "DB_PASSWORD"), "  value: ***");
    assert_eq!(masked(2, "DB_PASSWORD"), "  value: x1");
    assert_eq!(masked(0, "PORT"), "  value: x1");
    assert_eq!(masked(0, &format!("{}_PASSWORD", "X".repeat(100))), "  value: ***");
    assert_eq!(masked(0, &format!("{}_PASSWORD", "X".repeat(200))), "  value: x1", "that is no name");
    let two = mask(["name: DB_PASSWORD", "value: x1", "value: x2"].map(str::to_owned).to_vec());
    assert_eq!(two[1..], ["value: ***", "value: x2"], "a name has one value");
}

#[test]
fn a_key_of_aws_may_stand_on_a_line_that_is_near_its_ids() {
    let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let after = |between: usize, key: &str| {
        let lines = ["AKIAIOSFODNN7EXAMPLE".to_owned()].into_iter();
        let lines = lines.chain(vec!["between".to_owned(); between]).chain([format!("({key})")]);
        mask(lines.collect()).pop().unwrap()
    };
    assert_eq!(after(0, key), "(***)");
    assert_eq!(after(1, key), "(***)");
    assert_eq!(after(2, key), format!("({key})"));
    // Not what is shorter, and neither capitals alone nor small letters alone.
    for other in [&key[1..], &key.to_uppercase(), &key.to_lowercase()] {
        assert_eq!(after(0, other), format!("({other})"));
    }
}

#[test]
fn a_web_token_has_three_parts_and_some_length() {
    // Encrypted with a key that both have: its second part is empty.
    let encrypted = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..c2l4dGVlbl9ieXRlcw.Y2lwaGVydGV4dA.dGFn";
    assert_eq!(of(&format!("session {encrypted}.")), "session ***.");
    assert_eq!(of(&format!("signed {JWT}.")), "signed ***.");
    // Without a signature, as `alg: none` has it.
    assert_eq!(of("eyJhbGciOiJub25lIn0.eyJpc3MiOiIxMjM0NSJ9. end"), "*** end");
    let of_length = |length: usize| format!("(eyJhbGci.eyJpc3Mi.{})", "x".repeat(length - 18));
    assert_eq!(of(&of_length(30)), "(***)");
    for other in
        [of_length(29), "(eyJhbGciOiJub25lIn0.eyJpc3MiOiIxMjM0NSJ9)".to_owned(), format!("no{JWT}"), format!("-{JWT}")]
    {
        assert_eq!(of(&other), other);
    }
}

#[test]
fn what_follows_the_word_bearer_is_a_token_if_it_looks_like_one() {
    for (word, is_token) in [
        ("0123456789abcdef.ghi-jkl_m~n", true),
        ("abcdefghijklmnopqrstuvwx", true),
        ("abcdefghijklmnopqrstuvw", false),
        ("abcdefg8", true),
        ("abcdef8", false),
        ("abcdefgh", false),
    ] {
        let shown = if is_token { "***" } else { word };
        assert_eq!(of(&format!("a bearer {word} end")), format!("a bearer {shown} end"));
    }
}

#[test]
fn headers_and_addresses_lose_their_credentials() {
    let found = all(&[
        "> Authorization: Bearer abc.def",
        "> authorization: Basic b2N0b2NhdDpodW50ZXIy",
        "curl -H \"Authorization: token abc\" https://api.github.com",
        r#"{"Authorization": "Bearer abc", "Accept": "*/*"}"#,
        "Authorization: AWS4-HMAC-SHA256 Credential=x/20260124, SignedHeaders=host, Signature=0123",
        "sent bearer 0123456789abcdef to it",
        "Set-Cookie: session=abc; Path=/",
        "git clone https://octocat:hunter2@github.com/octo-org/node-server",
        "postgres://app:p@ss:word@db:5432/app and https://git@github.com and http://localhost:8080/@x",
    ]);
    insta::assert_snapshot!(found, @r#"
    > Authorization: Bearer ***
    > authorization: Basic ***
    curl -H "Authorization: token ***" https://api.github.com
    {"Authorization": "Bearer ***", "Accept": "*/*"}
    Authorization: ***
    sent bearer *** to it
    Set-Cookie: ***
    git clone https://octocat:***@github.com/octo-org/node-server
    postgres://app:***@db:5432/app and https://git@github.com and http://localhost:8080/@x
    "#);
}

#[test]
fn a_private_key_is_masked_whole() {
    let body = "MIIEpAIBAAKCAQEA0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL";
    let masked = |lines: &[&str]| mask(lines.iter().map(|line| (*line).to_owned()).collect()).join("\n");
    let whole = masked(&[
        "cat key.pem",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Proc-Type: 4,ENCRYPTED",
        "",
        body,
        &format!("#12 0.345 {body}"),
        "c2hvcnQ=",
        "-----END RSA PRIVATE KEY-----",
        "done",
    ]);
    insta::assert_snapshot!(whole, @"
    cat key.pem
    -----BEGIN RSA PRIVATE KEY-----
    ***
    -----END RSA PRIVATE KEY-----
    done
    ");
    let end_only = masked(&["make test", body, body, "-----END PRIVATE KEY----- done"]);
    insta::assert_snapshot!(end_only, @"
    make test
    ***
    -----END PRIVATE KEY----- done
    ");
    let longer = masked(&["cd app", "make test", body, body, body, "-----END PRIVATE KEY-----"]);
    insta::assert_snapshot!(longer, @"
    cd app
    make test
    ***
    -----END PRIVATE KEY-----
    ");
    let cut_off = masked(&["expected an end:", "-----END PRIVATE KEY-----"]);
    insta::assert_snapshot!(cut_off, @"
    expected an end:
    -----END PRIVATE KEY-----
    ");
    let in_a_line =
        masked(&[&format!("echo -----BEGIN EC PRIVATE KEY-----\\n{body}\\n-----END EC PRIVATE KEY----- > k")]);
    insta::assert_snapshot!(in_a_line, @"echo -----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY----- > k");
    let never_ends = masked(&["expected -----BEGIN PRIVATE KEY----- here", "error: no key was given", body]);
    insta::assert_snapshot!(never_ends, @"
    expected -----BEGIN PRIVATE KEY-----***
    error: no key was given
    MIIEpAIBAAKCAQEA0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL
    ");
    let several = masked(&[&format!(
        "-----BEGIN CERTIFICATE-----x -----BEGIN PRIVATE KEY-----{body}-----END PRIVATE KEY----- a -----BEGIN PRIVATE KEY-----"
    )]);
    insta::assert_snapshot!(several, @"-----BEGIN CERTIFICATE-----x -----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY----- a -----BEGIN PRIVATE KEY-----");
    let ended = masked(&[body, "x-----END CERTIFICATE----- -----END PRIVATE KEY-----"]);
    insta::assert_snapshot!(ended, @"
    ***
    x-----END CERTIFICATE----- -----END PRIVATE KEY-----
    ");
    let headers =
        masked(&["-----BEGIN PRIVATE KEY-----", "DEK-Info: AES-128-CBC,00", "a sentence ends it", "c2hvcnQ="]);
    insta::assert_snapshot!(headers, @"
    -----BEGIN PRIVATE KEY-----
    ***
    a sentence ends it
    c2hvcnQ=
    ");
    // What a tool puts before each line is told from a sentence by how long the last word is.
    let numbered = |length: usize| masked(&["-----BEGIN PRIVATE KEY-----", &format!("#12 0.3 {}", &body[..length])]);
    assert!(numbered(60).ends_with("***"));
    assert!(numbered(59).ends_with(&body[..59]));
    let public = masked(&["-----BEGIN CERTIFICATE-----", body, "-----END CERTIFICATE-----"]);
    assert_eq!(public, format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----"));
}

#[test]
fn everything_else_stays_as_it_is() {
    let lines = [
        "WARNING! Using --password via the CLI is insecure. Use --password-stdin.",
        "aws ecr get-login-password | docker login --username AWS --password-stdin registry",
        "SyntaxError: Unexpected token: punc (})",
        "src/token.rs:12:5: error: cannot find `token::parse` in this scope",
        "src/auth/token:12: warning",
        "pushing octo-org/client-secret:latest and node-server-tokenizer:42",
        "max_tokens=512 token_type=bearer tokens: 3 AWS_ACCESS_KEY_ID is not set",
        "PWD=/codebuild/output OLDPWD=/ PASS: 12 passing",
        "fn parse(input: Vec<Token>) -> Option<Token> { secret }",
        "Bearer authentication required; the bearer of this",
        "commit 0123456789abcdef0123456789abcdef01234567 sha256:e3b0c44298fc1c149afbf4c8996fb924",
        "npm_config_registry ghp_ AKIA eyJ eyJ.eyJ. ghs_ github_pat_short",
        "http://user@host/ git@github.com:octo-org/node-server.git",
        "name: node-server, value: 3, key: x",
        "token=",
        "\"password\": {",
        "serving http://localhost:8080 for octocat@github.com and 'http://[::1]:80',git@github.com",
        "\"password\":{\"length\": 3}, \"token\": { \"kind\": 1 }",
        "the password abc123 is wrong, --output File1 and aws_session_token IS_MISSING",
        "secret number: 7, public key: abc, key: abc",
        "https://octocat:@github.com/ https://github.com/a:b@c",
        "größe: 3 – päßword ok 👨‍👩‍👧",
    ];
    for line in lines {
        assert_eq!(of(line), line);
    }
}

/// Pieces of all that is looked for, and of what may lie between, put together in every order.
#[test]
fn no_text_makes_it_fail() {
    let pieces = [
        "password",
        "=",
        ":",
        "\"",
        "'",
        "\\",
        " ",
        "ü",
        "👨‍👩‍👧",
        "://",
        "@",
        "AKIAIOSFODNN7EXAMPLE",
        "Bearer ",
        "eyJ",
        ".",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "<",
        ">",
        "[",
        "{",
        "--token",
        "?",
        "&sig",
        "name",
        "value",
        "authorization",
        "\u{fffd}",
        "]",
    ];
    let mut seed = 1_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for _ in 0..20_000 {
        let lines: Vec<String> =
            (0..1 + next(3)).map(|_| (0..next(9)).map(|_| pieces[next(pieces.len())]).collect()).collect();
        let once = mask(lines.clone());
        assert!(!once.join("\n").contains("AKIAIOSFODNN7EXAMPLE"), "{lines:?} became {once:?}");
    }
}

#[test]
fn what_is_masked_stays_as_it_is() {
    for line in
        ["password=*** x", "Authorization: Bearer ***", "https://u:***@h/", "\"token\": \"***\"", "--password ***"]
    {
        assert_eq!(of(line), line);
    }
}

/// The time grows with the length: what repeats whatever could be begun again and again is done at once all the same.
#[test]
fn long_lines_take_no_longer_than_they_are() {
    for piece in [
        "password=",
        "name=[",
        "value=[",
        "eyJ.",
        "eyJ",
        "://",
        "://a:",
        "ghs_.",
        "--token ",
        "bearer ",
        "\"",
        "\\\"",
        "a:",
        "token:",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "<token>",
        " ",
        "=",
        "\\",
        "A",
        "Aa",
        "authorization=",
        "'name'='",
        "key ",
        "AKIA",
    ] {
        of(&piece.repeat(100_000 / piece.len()));
    }
}
