//! Routes that require a token, and the identity provider that users log in at.

use std::fs;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use interlock::{
    lab::http::{Answer, Ask},
    process::Signal,
};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::stage::{Model, said};
use crate::stage::until;

const ORDERS: &str = r#"
post("/orders", requires(#{ role: ["buyer", "admin"], scope: "orders:write", site: true }), |request| {
    reply(201, #{ actor: request.actor, role: request.role, site: request.site, shown: request.headers["authorization"] })
});
get("/sites/{site}/orders", requires(#{ site: true }), |request| #{ site: request.params.site });
get("/open", |request| #{ actor: request.actor });
post("/reservations", requires(#{}), |request| {
    let answer = http::post("stock", "/stock", #{ key: request.id });
    reply(answer.status, answer.body)
});
"#;

const STOCK: &str = r#"
post("/stock", requires(#{ scope: "stock:write" }), |request| #{ actor: request.actor, role: request.role });
"#;

const USERS: &str = "\
ada: {role: buyer, site: site-1, scopes: [orders:write, stock:write]}
bob: {role: visitor, site: site-1, scopes: [orders:write]}
cleo: {role: admin, scopes: [orders:write]}
";

const VERIFIER: &str = "a-verifier-of-43-characters-or-more-0123456789";
const BACK: &str = "http://127.0.0.1:1/callback";

fn up() -> Model {
    let model = Model::written(&[("orders", ORDERS), ("stock", STOCK)]);
    fs::write(model.folder.join("services/users.yaml"), USERS).unwrap();
    model.raise(&[]);
    model
}

/// What a client asks for a user's login, with some of it otherwise.
fn login_path(user: &str, other: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut asked = vec![
        ("client_id", "shop"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid orders:write stock:write"),
        ("state", "a state"),
        ("nonce", "n-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("login_hint", user),
    ];
    for (name, value) in other {
        asked.iter_mut().filter(|(known, _)| known == name).for_each(|pair| pair.1 = value);
    }
    let url =
        Url::parse_with_params("http://127.0.0.1/oauth2/authorize", asked.iter().filter(|pair| !pair.1.is_empty()));
    let url = url.unwrap();
    format!("{}?{}", url.path(), url.query().unwrap())
}

/// Where the provider sends the client, which is back with what was asked for.
fn sent_back(answer: &Answer, name: &str) -> Option<String> {
    let location = Url::parse(answer.headers.get("location")?.to_str().unwrap()).unwrap();
    assert!(location.as_str().starts_with(BACK), "{location}");
    location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn code(model: &Model, user: &str) -> String {
    let answer = model.ask("identity", Method::GET, &login_path(user, &[]), None);
    assert_eq!((answer.status.as_u16(), sent_back(&answer, "state").as_deref()), (302, Some("a state")));
    sent_back(&answer, "code").unwrap()
}

/// What is answered to a client that shows a code, with some of it otherwise.
fn exchanged(model: &Model, code: &str, other: &[(&str, &str)]) -> Value {
    let mut shown = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("client_id", "shop"),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in other {
        shown.iter_mut().filter(|(known, _)| known == name).for_each(|pair| pair.1 = value);
    }
    let form = Url::parse_with_params("http://127.0.0.1/", &shown).unwrap().query().unwrap().to_owned();
    let address = model.part("identity").address;
    let done = model.shell(&format!("curl -s http://{address}/oauth2/token -d '{form}'"));
    serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"))
}

pub fn logged_in(model: &Model, user: &str) -> String {
    exchanged(model, &code(model, user), &[])["access_token"].as_str().unwrap().to_owned()
}

fn showing(model: &Model, replica: &str, ask: Ask<'_>, token: &str, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [&[("authorization", &*bearer)][..], more].concat();
    model.try_ask(replica, Ask { headers: &headers, ..ask }).unwrap()
}

fn order(model: &Model, token: &str, more: &[(&str, &str)]) -> Answer {
    showing(model, "orders-0", Ask::post("/orders", json!({})), token, more)
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[test]
fn a_user_logs_in_by_the_code_flow() {
    let model = up();
    let address = model.part("identity").address;
    let (_, discovered) = model.get("identity", "/.well-known/openid-configuration");
    assert_eq!(discovered["issuer"], format!("http://{address}"));
    assert_eq!(discovered["token_endpoint"], format!("http://{address}/oauth2/token"));
    assert_eq!(model.get("identity", "/.well-known/jwks.json").1["keys"][0]["alg"], "EdDSA");

    let code = code(&model, "ada");
    let granted = exchanged(&model, &code, &[]);
    assert_eq!(
        (&granted["token_type"], &granted["scope"]),
        (&json!("Bearer"), &json!("openid orders:write stock:write"))
    );
    let access = claims(granted["access_token"].as_str().unwrap());
    let of = |name: &str| access[name].clone();
    assert_eq!([of("sub"), of("role"), of("site")], [json!("ada"), json!("buyer"), json!("site-1")]);
    let id = claims(granted["id_token"].as_str().unwrap());
    assert_eq!((&id["aud"], &id["nonce"], &id["sub"]), (&json!("shop"), &json!("n-1"), &json!("ada")));
    assert_eq!(exchanged(&model, &code, &[])["error"], "invalid_grant", "a code is exchanged once");
    // A user has no scope that the platform does not give, whatever a client asks for.
    let bob = logged_in(&model, "bob");
    assert_eq!(claims(&bob)["scope"], "openid orders:write");
    let secrets = [code, bob, granted["access_token"].as_str().unwrap().to_owned()];
    for name in ["identity", "orders-0", "supervisor"] {
        assert!(secrets.iter().all(|secret| model.logged(name, secret).is_empty()), "a secret is in the log of {name}");
    }
    model.close();
}

#[test]
fn a_login_without_its_proof_ends_with_an_error() {
    let model = up();
    let mut told = Vec::new();
    for other in [
        &[("code_challenge", "")][..],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "")],
        &[("code_challenge", "short")],
        &[("response_type", "token")],
        &[("login_hint", "")],
        &[("login_hint", "mallory")],
        &[("redirect_uri", "https://shop.example.org/")],
        &[("client_id", "")],
    ] {
        let answer = model.ask("identity", Method::GET, &login_path("ada", other), None);
        let error = sent_back(&answer, "error").unwrap_or_else(|| said(&answer).1["detail"].to_string());
        assert!(sent_back(&answer, "code").is_none(), "{other:?}");
        told.push(format!("{other:?}: {} {error}", answer.status.as_u16()));
    }
    for other in [
        [("code_verifier", "another-verifier-of-43-characters-or-more-01234")],
        [("client_id", "other")],
        [("redirect_uri", "http://127.0.0.1:2/")],
        [("grant_type", "password")],
        [("code", "0123")],
    ] {
        let refused = exchanged(&model, &code(&model, "ada"), &other);
        assert!(refused.get("access_token").is_none(), "{refused}");
        told.push(format!("{other:?}: {} {}", refused["error"], refused["error_description"]));
    }
    insta::assert_snapshot!(told.join("\n"));
    model.close();
}

#[test]
fn a_route_lets_in_whose_token_says_what_it_requires() {
    let model = up();
    until("keys are there", || order(&model, &logged_in(&model, "ada"), &[]).status == 201);
    let (ada, bob, cleo) = (logged_in(&model, "ada"), logged_in(&model, "bob"), logged_in(&model, "cleo"));
    // Whatever headers claim, the token counts; and no script sees it.
    let claimed = [("x-claim-role", "admin"), ("x-claim-subject", "root")];
    let (status, answer) = said(&order(&model, &ada, &claimed));
    assert_eq!((status, answer), (201, json!({ "actor": "ada", "role": "buyer", "site": "site-1", "shown": null })));
    let get = |path: &'static str| showing(&model, "orders-0", Ask::get(path), &ada, &[]);
    assert_eq!(get("/sites/site-1/orders").status, 200);

    let from_elsewhere =
        model.run(&["lab", "token", "--role", "buyer", "--scope", "orders:write", "--audience", "tenants"]);
    let brief = model.run(&["lab", "token", "--role", "buyer", "--lifetime", "1s"]).out;
    // A character in the middle of the signature, since the last one holds only some bits of it.
    let at = ada.rfind('.').unwrap() + 20;
    let other = if &ada[at..=at] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &ada[..at], &ada[at + 1..]);
    until("it has expired", || order(&model, brief.trim(), &[]).status == 401);
    let refused = [
        ("no token", model.ask("orders-0", Method::POST, "/orders", None)),
        ("a forged one", order(&model, &forged, &[])),
        ("one for others", order(&model, from_elsewhere.out.trim(), &[])),
        ("one of yesterday", order(&model, brief.trim(), &[])),
        ("another role", order(&model, &bob, &[])),
        ("no site", order(&model, &cleo, &[])),
        ("about another site", order(&model, &ada, &[("x-site-id", "site-2")])),
        ("of another site", get("/sites/site-2/orders")),
    ];
    let told = refused.map(|(what, answer)| {
        let (status, problem) = said(&answer);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        format!("{what}: {status} {} {challenge}", problem["detail"])
    });
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(model.get("orders-0", "/open"), (200, json!({ "actor": null })));
    model.close();
}

#[test]
fn a_token_goes_on_with_calls_to_other_services() {
    let model = up();
    let reserve = |token: &str| said(&showing(&model, "orders-0", Ask::post("/reservations", json!({})), token, &[]));
    let ada = logged_in(&model, "ada");
    until("they find each other", || reserve(&ada).0 == 200);
    assert_eq!(reserve(&ada), (200, json!({ "actor": "ada", "role": "buyer" })));
    let (status, problem) = reserve(&logged_in(&model, "bob"));
    assert_eq!((status, &problem["detail"]), (403, &json!("it takes the scope stock:write")));
    model.close();
}

/// What was issued is a promise; what was only begun is begun again.
#[test]
fn tokens_outlive_the_provider_and_codes_do_not() {
    let model = up();
    let ada = logged_in(&model, "ada");
    until("keys are there", || order(&model, &ada, &[]).status == 201);
    let begun = code(&model, "ada");
    model.signal("identity", Signal::SIGSTOP);
    assert_eq!(order(&model, &ada, &[]).status, 201, "it is checked without the provider");
    // A replica that has no keys yet says so until the provider is back, and is not ready: another may have them.
    let before = model.part("orders-0").identity;
    model.signal("orders-0", Signal::SIGKILL);
    until("the replica is back", || model.part("orders-0").identity.is_some_and(|now| Some(&now) != before.as_ref()));
    until("it tells that it has no keys", || {
        let told = model.try_ask("orders-0", Ask::get("/readyz")).map(|answer| said(&answer));
        told.is_ok_and(|(status, problem)| {
            status == 503 && problem["detail"] == "the keys are not known yet that tokens are checked with"
        })
    });
    let (status, problem) = said(&order(&model, &ada, &[]));
    assert_eq!((status, &problem["detail"]), (503, &json!("tokens cannot be checked at the moment")));
    model.signal("identity", Signal::SIGCONT);
    model.restart("identity");
    until("keys are fetched again", || order(&model, &ada, &[]).status == 201);
    assert_eq!(exchanged(&model, &begun, &[])["error"], "invalid_grant");
    assert_eq!(order(&model, &logged_in(&model, "ada"), &[]).status, 201);
    assert_eq!(claims(&logged_in(&model, "ada"))["iss"], claims(&ada)["iss"]);
    model.close();
}

/// Nobody could log in there.
#[test]
fn a_script_that_comes_to_require_tokens_waits_for_a_lab_with_a_provider() {
    let model = Model::up(&[("stock", "get(\"/stock\", |request| 1);\n")]);
    model.write("stock", "get(\"/stock\", requires(#{ role: \"clerk\" }), |request| 2);\n");
    until("that is told", || !model.logged("stock-0", "started without an identity provider").is_empty());
    assert_eq!(model.get("stock-0", "/stock"), (200, json!(1)), "the script before goes on");
    let done = model.run(&["lab", "token", "--role", "clerk"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    model.close();
}

#[test]
fn users_and_requirements_that_make_no_sense_are_found() {
    let model = Model::written(&[
        ("orders", "get(\"/a\", requires(#{ rol: \"buyer\" }), |request| 1);\n"),
        ("stock", "get(\"/b\", requires(#{ role: 7 }), |request| 1);\n"),
        ("shop", "get(\"/c\", requires(#{ site: \"a\" }), |request| 1);\n"),
        ("bank", "get(\"/d\", requires(#{ scope: [] }), |request| 1);\n"),
    ]);
    fs::write(model.folder.join("services/users.yaml"), "ada: {role: buyer, sight: site-1}\n").unwrap();
    let done = model.run(&["lab", "check", "services"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    insta::assert_snapshot!(done.out);
}
