//! Similarity search: what it has taken is there after kill -9, and what is most alike comes first.

use http::Method;
use interlock::{lab::http::Ask, process::Signal};
use serde_json::{Value, json};

use super::stage::Model;
use crate::stage::until;

const CATALOGUE: &str = r#"
put("/books/{id}", |request| vectors::put("books", request.params.id, request.body.vector, request.body.title));
put("/texts/{id}", |request| {
    vectors::put("texts", request.params.id, vectors::embed(request.body.text), #{ text: request.body.text });
});
post("/near", |request| vectors::near("books", request.body.vector, request.body.count));
get("/search", |request| vectors::near("texts", vectors::embed(request.query.q), 2));
delete("/books/{id}", |request| #{ gone: vectors::drop("books", request.params.id) });
delete("/books", |request| #{ gone: vectors::drop("books") });
"#;

fn put(model: &Model, id: &str, vector: &Value) -> u16 {
    let body = json!({ "vector": vector, "title": format!("the {id}") });
    let path = format!("/books/{id}");
    let ask = Ask { method: Method::PUT, path: &path, headers: &[], body: Some(body) };
    model.try_ask("catalogue-0", ask).map_or(0, |answer| answer.status.as_u16())
}

fn near(model: &Model, vector: &Value, count: u32) -> Value {
    let (status, near) = model.post("catalogue-0", "/near", json!({ "vector": vector, "count": count }));
    assert_eq!(status, 200, "{near}");
    near
}

#[test]
fn a_search_that_is_killed_again_and_again_loses_no_vector_that_it_has_taken() {
    let model = Model::up(&[("catalogue", CATALOGUE)]);
    let mut taken = Vec::new();
    for n in 0..90 {
        if n % 30 == 10 {
            model.signal("vectors", Signal::SIGKILL);
        }
        let id = format!("b-{n:03}");
        if put(&model, &id, &json!([n, 1])) == 204 {
            taken.push(id);
        }
    }
    until("it is back", || model.part("vectors").ready);
    model.restart("vectors");
    let found = near(&model, &json!([1, 0]), 100);
    let found: Vec<_> = found.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let lost = taken.iter().filter(|id| !found.contains(&id.as_str())).count();
    println!("{} taken, {} found, {lost} lost, {} kills", taken.len(), found.len(), model.part("vectors").exits);
    assert_eq!(lost, 0);
    assert!(taken.len() >= 45, "most get through: {taken:?}");
    assert_eq!(found[0], "b-089", "the most alike");
    assert!(model.part("vectors").exits >= 4);
    model.close();
}

#[test]
fn the_most_alike_come_first_and_by_id_where_they_are_as_alike() {
    let model = Model::up(&[("catalogue", CATALOGUE)]);
    for (id, vector) in [("c", [2, 2]), ("a", [7, 7]), ("across", [1, -1]), ("b", [1, 1]), ("almost", [10, 9])] {
        assert_eq!(put(&model, id, &json!(vector)), 204);
    }
    let first = near(&model, &json!([3.0, 3.0]), 4);
    insta::assert_snapshot!(first, @r#"[{"id":"a","payload":"the a","score":1.0},{"id":"b","payload":"the b","score":1.0},{"id":"c","payload":"the c","score":1.0},{"id":"almost","payload":"the almost","score":0.998617829}]"#);
    model.restart("vectors");
    assert_eq!(near(&model, &json!([3, 3]), 4), first);
    let gone =
        |path: &str| model.ask("catalogue-0", Method::DELETE, path, None).json::<Value>().unwrap()["gone"].clone();
    assert_eq!((gone("/books/a"), gone("/books/a"), gone("/books")), (json!(1), json!(0), json!(4)));
    assert_eq!(near(&model, &json!([3, 3, 3]), 4), json!([]), "a new collection may have other vectors");

    for (id, text) in [("1", "A harbour mystery"), ("2", "The garden in winter"), ("3", "Winter mystery")] {
        let body = json!({ "text": text });
        let path = format!("/texts/{id}");
        let ask = Ask { method: Method::PUT, path: &path, headers: &[], body: Some(body) };
        assert_eq!(model.try_ask("catalogue-0", ask).unwrap().status, 204);
    }
    let found = model.get("catalogue-0", "/search?q=mystery%20winter").1;
    assert_eq!((&found[0]["id"], &found[0]["score"]), (&json!("3"), &json!(1.0)), "{found}");
    model.close();
}

#[test]
fn what_does_not_fit_is_refused_and_who_comes_while_it_is_away_is_told() {
    let model = Model::up(&[("catalogue", CATALOGUE)]);
    assert_eq!(put(&model, "a", &json!([1, 0])), 204);
    let mut told = Vec::new();
    for vector in [json!([1, 0, 0]), json!([]), json!([0, 0]), json!(["x"])] {
        assert_eq!(put(&model, "a", &vector), 500);
        let last = model.logged("catalogue-0", "vector").pop().unwrap();
        assert_eq!(last["line"], 2, "{last}");
        told.push(last["message"].as_str().unwrap().to_owned());
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    the vectors of `books` have 2 numbers, and this one has 3
    a vector has 1 to 1024 numbers, and this one has 0
    a vector of zeros has no direction
    a vector is an array of numbers
    ");
    assert_eq!(model.post("catalogue-0", "/near", json!({ "vector": [1, 0], "count": 0 })).0, 500);
    assert_eq!(model.run(&["lab", "break", "vectors"]).code, Some(0));
    let away = model.ask("catalogue-0", Method::POST, "/near", Some(json!({ "vector": [1, 0], "count": 1 })));
    assert_eq!(away.status, 503);
    assert!(away.headers.contains_key("retry-after"));
    assert_eq!(model.run(&["lab", "mend", "vectors"]).code, Some(0));
    assert_eq!(near(&model, &json!([1, 0]), 1)[0]["id"], "a");
    model.close();
}
