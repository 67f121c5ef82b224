//! Scripts that would do harm if they could: each ends with its request, and its process goes on.

use interlock::lab::http::Ask;
use serde_json::{Value, json};

use super::stage::{Model, said};

/// What meets its deadline, on a fast machine perhaps another bound before.
const ENDLESS: &str = r#"
deadline("1s");

get("/endless/fine", |request| #{ fine: true });
get("/loop", |request| { let n = 0; loop { n += 1; } });
get("/nested", |request| { let all = []; loop { all = [all]; } });
get("/sleep", |request| { sleep(3600); "awake" });
get("/pause", |request| { pause("1h"); "awake" });
get("/sql", |request| sql::all("with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) from n"));
"#;

/// What meets another bound, however busy the machine is.
const WILD: &str = r#"
deadline("30s");
migration("rows", "create table row(n integer)");
fn deeper(n) { deeper(n + 1) + 1 }

get("/wild/fine", |request| #{ fine: true });
get("/recursion", |request| deeper(0));
get("/string", |request| { let text = "x"; loop { text += text; } });
get("/padded", |request| { let text = "x"; text.pad(1000000000, "y"); text });
get("/array", |request| { let all = []; loop { all.push("some text"); } });
get("/rows", |request| sql::all("with recursive n(x) as (select 1 union all select x + 1 from n limit 5000) select x from n"));
get("/attach", |request| sql::run("attach 'elsewhere.sqlite' as elsewhere"));
get("/vacuum", |request| sql::run("vacuum into 'elsewhere.sqlite'"));
get("/pragma", |request| sql::run("pragma writable_schema = on"));
get("/open", |request| { sql::run("begin immediate"); "left open" });
get("/declares", |request| defect("late", "declared in a handler"));
get("/function", |request| Fn("deeper"));
get("/number", |request| 1 / 0);
get("/thrown", |request| throw "a word");
"#;

/// Asks for something that fails, and gives its line in the log, with what it was about.
fn failing(model: &Model, service: &str, path: &str) -> (Value, String) {
    let (replica, route) = (format!("{service}-0"), format!("/{path}"));
    let ask = Ask { headers: &[("x-request-id", path)], ..Ask::get(&route) };
    let expected = json!({
        "title": "Internal Server Error", "status": 500, "correlation_id": path,
        "detail": "the handler failed; the service's log has the place",
    });
    assert_eq!(said(&model.try_ask(&replica, ask).unwrap()), (500, expected), "{path}");
    let line = model.logged(&replica, &format!("\"correlation_id\":\"{path}\"")).pop();
    let line = line.unwrap_or_else(|| panic!("{path} is not in the log"));
    assert!(line["file"].as_str().unwrap().ends_with(&format!("services/{service}.rhai")), "{line}");
    assert_eq!(model.get(&replica, &format!("/{service}/fine")), (200, json!({ "fine": true })), "after {path}");
    let told = format!("{path} {}:{} {} -> {}", line["line"], line["column"], line["message"], line["hint"]);
    (line["message"].clone(), told)
}

#[test]
fn nothing_that_a_script_does_ends_its_process_or_holds_up_others() {
    let model = Model::up(&[("endless", ENDLESS), ("wild", WILD)]);
    let pids = || ["endless-0", "wild-0"].map(|replica| model.part(replica).identity);
    let before = pids();
    let bounds = ["the handler did not finish within its deadline", "too many operations for one call"];
    for path in ["loop", "nested", "sleep", "pause", "sql"] {
        let (message, told) = failing(&model, "endless", path);
        assert!(bounds.contains(&message.as_str().unwrap()), "{told}");
    }
    let paths = [
        "recursion",
        "string",
        "padded",
        "array",
        "rows",
        "attach",
        "vacuum",
        "pragma",
        "open",
        "declares",
        "function",
        "number",
        "thrown",
    ];
    insta::assert_snapshot!(paths.map(|path| failing(&model, "wild", path).1).join("\n"));
    assert_eq!(pids(), before, "they are the same processes");
    model.close();
}

#[test]
fn requests_that_are_none_are_refused_before_a_script_sees_them() {
    let model = Model::up(&[("wild", WILD)]);
    let ask = |method, path, body| model.ask("wild-0", method, path, body);
    assert_eq!(ask(http::Method::GET, "/nowhere", None).status, 404);
    let other = ask(http::Method::DELETE, "/wild/fine", None);
    assert_eq!((other.status.as_u16(), other.headers["allow"].to_str().unwrap()), (405, "GET"));
    let long = json!("x".repeat(300 << 10));
    assert_eq!(ask(http::Method::GET, "/wild/fine", Some(long)).status, 413);
    assert_eq!(model.get("wild-0", "/wild/fine?a=%").0, 400);
    model.close();
}

/// More handlers that never answer than run at a time.
#[test]
fn handlers_that_never_answer_hold_others_up_no_longer_than_their_deadline() {
    let model = Model::up(&[("endless", ENDLESS)]);
    let address = model.part("endless-0").address;
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
    assert_eq!(model.get("endless-0", "/endless/fine").0, 200);
    model.close();
}
