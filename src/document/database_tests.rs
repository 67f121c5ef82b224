//! Tests of the databases of a platform file.

use super::{tests::loaded, *};

/// People who have hosts alone name no target, and no more of a node than they have to.
#[test]
fn databases_by_address_need_no_target() {
    let head = "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {name: own}\n";
    let read = |text: &str| loaded(&format!("{head}{text}"), &[], &[]);
    let database = |kind: &str, nodes: &str| {
        format!(
            "databases:\n  orders:\n    {kind}:\n      login: {{database: app, user: me}}\n      nodes: {{{nodes}}}\n"
        )
    };
    let own = read(&database("postgres", "pg1: 10.0.0.1, pg2: \"10.0.0.2:5433\"")).unwrap().platform;
    assert_eq!(own.target, Target::default());
    assert_eq!(serde_json::from_value::<Platform>(serde_json::to_value(&own).unwrap()).unwrap(), own);

    let nodes = "a: 10.0.0.1, b: \"db:5433\", c: \"[::1]:5432\", d: \"::1\", e: {sql: \"h:1\"}, f: {sql: \"h:1\", rest: \"https://r\"}";
    let own = read(&database("patroni", nodes)).unwrap().platform;
    let Database::Patroni(cluster) = &own.databases["orders"] else { panic!("{own:?}") };
    let rest: Vec<_> = cluster.nodes.values().map(|node| node.rest.as_str()).collect();
    let wanted = [
        "http://10.0.0.1:8008",
        "http://db:8008",
        "http://[::1]:8008",
        "http://[::1]:8008",
        "http://h:8008",
        "https://r",
    ];
    assert_eq!(rest, wanted);

    let services = "services: {shop: {slos: []}}\n";
    let said = [
        "databases: {orders: {lab: {}}}\n".to_owned(),
        services.to_owned(),
        "metrics: {lab: {}}\n".to_owned(),
        "metrics: {pods: {}}\n".to_owned(),
        "services: {shop: {pods: {port: 9090}}}\n".to_owned(),
        "target: {hosts: {folder: x}}\n".to_owned(),
        "target: nowhere\n".to_owned(),
        database("patroni", "a: 5432, b: db"),
        database("patroni", "a: [db], b: db"),
        database("patroni", "a: {sql: db, rst: \"http://db\"}, b: db"),
        database("patroni", "a: {rest: \"http://db\"}, b: db"),
        database("postgres", "a: {sql: db, rest: \"http://db\"}, b: db"),
    ]
    .map(|text| read(&text).unwrap_err());
    let what = said.each_ref().map(|said| said.lines().next().unwrap().split_once(": ").unwrap().1);
    let wanted = [
        "the database is said to be the lab's, and no lab is named",
        "no source of counters is named, so nothing could be decided",
        "no target is named, so there is no lab",
        "no target is named, so there are no pods",
        "no target is named that has this",
        "unknown key `folder`",
        "unknown value `nowhere`",
        "the address of a node is wanted here",
        "the address of a node is wanted here",
        "unknown key `rst`",
        "`sql` is missing",
        "one text is wanted here, not a list or a map",
    ];
    assert_eq!(what, wanted);
}
