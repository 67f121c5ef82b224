//! Scripts that would do harm if they could: each ends with its request, and its process goes on.

use interlock::lab::http::Ask;
use serde_json::json;

use super::stage::{Model, said};

const WILD: &str = r#"
deadline("1s");
migration("rows", "create table row(n integer)");
fn deeper(n) { deeper(n + 1) + 1 }

get("/fine", |request| #{ fine: true });
get("/loop", |request| { let n = 0; loop { n += 1; } });
get("/recursion", |request| deeper(0));
get("/string", |request| { let text = "x"; loop { text += text; } });
get("/padded", |request| { let text = "x"; text.pad(1000000000, "y"); text });
get("/array", |request| { let all = []; loop { all.push("some text"); } });
get("/nested", |request| { let all = []; loop { all = [all]; } });
get("/sleep", |request| { sleep(3600); "awake" });
get("/pause", |request| { pause("1h"); "awake" });
get("/sql", |request| sql::all("with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) from n"));
get("/rows", |request| sql::all("with recursive n(x) as (select 1 union all select x + 1 from n limit 5000) select x from n"));
get("/attach", |request| sql::run("attach '/tmp/elsewhere.sqlite' as elsewhere"));
get("/vacuum", |request| sql::run("vacuum into '/tmp/elsewhere.sqlite'"));
get("/pragma", |request| sql::run("pragma writable_schema = on"));
get("/open", |request| { sql::run("begin immediate"); "left open" });
get("/declares", |request| defect("late", "declared in a handler"));
get("/function", |request| Fn("deeper"));
get("/number", |request| 1 / 0);
get("/thrown", |request| throw "a word");
"#;

#[test]
fn nothing_that_a_script_does_ends_its_process_or_holds_up_others() {
    let model = Model::up(&[("wild", WILD)]);
    let pid = model.part("wild-0").identity;
    let mut told = Vec::new();
    for path in [
        "loop",
        "recursion",
        "string",
        "padded",
        "array",
        "nested",
        "sleep",
        "pause",
        "sql",
        "rows",
        "attach",
        "vacuum",
        "pragma",
        "open",
        "declares",
        "function",
        "number",
        "thrown",
    ] {
        let answer =
            model.try_ask("wild-0", Ask { headers: &[("x-request-id", path)], ..Ask::get(&format!("/{path}")) });
        let (status, problem) = said(&answer.unwrap());
        let expected = json!({
            "title": "Internal Server Error", "status": 500, "correlation_id": path,
            "detail": "the handler failed; the service's log has the place",
        });
        assert_eq!((status, problem), (500, expected), "{path}");
        let line = model.logged("wild-0", &format!("\"correlation_id\":\"{path}\"")).pop();
        let line = line.unwrap_or_else(|| panic!("{path} is not in the log"));
        assert!(line["file"].as_str().unwrap().ends_with("services/wild.rhai"), "{line}");
        told.push(format!("{path} {}:{} {} -> {}", line["line"], line["column"], line["message"], line["hint"]));
        assert_eq!(model.get("wild-0", "/fine"), (200, json!({ "fine": true })), "after {path}");
    }
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(model.part("wild-0").identity, pid, "it is the same process");
    assert!(!std::path::Path::new("/tmp/elsewhere.sqlite").exists());
    model.close();
}

#[test]
fn requests_that_are_none_are_refused_before_a_script_sees_them() {
    let model = Model::up(&[("wild", WILD)]);
    let ask = |method, path, body| model.ask("wild-0", method, path, body);
    assert_eq!(ask(http::Method::GET, "/nowhere", None).status, 404);
    let other = ask(http::Method::DELETE, "/fine", None);
    assert_eq!((other.status.as_u16(), other.headers["allow"].to_str().unwrap()), (405, "GET"));
    let long = json!("x".repeat(300 << 10));
    assert_eq!(ask(http::Method::GET, "/fine", Some(long)).status, 413);
    assert_eq!(model.get("wild-0", "/fine?a=%").0, 400);
    model.close();
}

/// More handlers that never answer than run at a time.
#[test]
fn handlers_that_never_answer_hold_others_up_no_longer_than_their_deadline() {
    let model = Model::up(&[("wild", WILD)]);
    let address = model.part("wild-0").address;
    let asked: Vec<_> = (0..80)
        .map(|_| {
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let client = interlock::lab::http::Client::new(address, None);
                runtime.block_on(client.ask(Ask::get("/sql"), crate::stage::PATIENCE)).unwrap().status.as_u16()
            })
        })
        .collect();
    let statuses: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| [500, 503].contains(status)), "{statuses:?}");
    assert_eq!(model.get("wild-0", "/fine").0, 200);
    model.close();
}
