//! `config verify`: what is refused before anybody is asked, and instances that are not there.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
};

use crate::{folder, interlock};

const HEAD: &str = "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {name: shop}\n";

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let (_guard, folder) = folder();
    let written = [
        "",
        "configs: {shop: {instances: {lab: {}}}}\n",
        "target: {lab: {services: s}}\nconfigs: {shop: {instances: {lab: {}}, desired: {generation: a}}}\n",
        "configs: {shop: {instances: {json: {urls: [], generation: /a}}}}\n",
        "configs: {shop: {instances: {json: {urls: [\"http://a\", \"http://a\"], generation: /a}}}}\n",
        "configs: {shop: {instances: {json: {urls: [\"ftp://a\"], generation: /a}}}}\n",
        "configs: {shop: {instances: {json: {urls: [\"http://me:SECRET@a\"], generation: /a}}}}\n",
        "configs: {shop: {instances: {json: {urls: [\"http://a\"], generation: hash}}}}\n",
        "configs: {shop: {instances: {prometheus: {urls: [\"http://a:9090\"]}}}}\n",
        "configs: {shop: {instances: {promethues: {urls: [\"http://a:9090\"]}}}}\n",
        "configs: {shop: {instances: {metric: {urls: [\"http://a\"], nmae: x}}}}\n",
        "configs: {shop: {instances: {configMap: {name: settings}}}}\n",
        "databases: {orders: {lab: {}}}\ntarget: {lab: {}}\nconfigs: {shop: {instances: {database: ordrs}}}\n",
        "databases: {orders: {lab: {}}}\ntarget: {lab: {}}\nconfigs: {shop: {instances: {database: orders}, desired: {generation: a}}}\n",
        "configs: {a b: {instances: {metric: {urls: [\"http://a\"], name: x}}}}\n",
        "configs: {shpo: {instances: {metric: {urls: [\"http://a\"], name: x}}}}\n",
    ];
    let said = written.map(|text| {
        fs::write(folder.join("interlock.yaml"), format!("{HEAD}{text}")).unwrap();
        let said = interlock(&folder, &["config", "verify", "shop"]);
        assert!(!said.err.contains("SECRET"), "{}", said.err);
        format!("{text}{}", said.told(&folder))
    });
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn instances_that_nobody_answers_for_are_silent() {
    let (_guard, folder) = folder();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let text =
        format!("configs: {{shop: {{instances: {{json: {{urls: [\"http://{closed}/config\"], generation: /a}}}}}}}}\n");
    fs::write(folder.join("interlock.yaml"), format!("{HEAD}{text}")).unwrap();
    let said = interlock(&folder, &["config", "verify"]);
    let told = said.told(&folder).replace(&closed.to_string(), "[address]");
    assert_eq!(said.code, 4, "{told}");
    assert!(told.contains("shop: silent: [address]/config: cannot reach http://[address]: cannot connect"), "{told}");
    assert!(told.contains("shop: 0 of 1 instances agree, 1 silent"), "{told}");
}
