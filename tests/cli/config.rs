//! `config verify`: what is refused before anybody is asked, and instances that are not there.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
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
        "configs: {shop: {instances: {tls: {addresses: [\"https://a:443\"]}}}}\n",
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

/// `openssl s_server` with a certificate of its own, valid for so many days.
struct TlsServer {
    child: Child,
    address: String,
}

impl TlsServer {
    fn start(folder: &Path, name: &str, days: u32) -> Self {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let days = days.to_string();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-subj", "/CN=shop", "-days", &days, "-keyout", &key, "-out", &pem])
            .current_dir(folder)
            .output();
        let made =
            made.unwrap_or_else(|e| panic!("`openssl` makes the certificates of this test, and does not run: {e}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", &pem, "-key", &key])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address =
            lines.map(Result::unwrap).find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned)).unwrap();
        Self { child, address }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn who_serves_another_certificate_or_one_that_expires_is_stale() {
    let (_guard, folder) = folder();
    let (new, old) = (TlsServer::start(&folder, "new", 90), TlsServer::start(&folder, "old", 5));
    let standing = |more: &str, desired: &str| {
        let tls = format!("{{tls: {{addresses: [\"{}\", \"{}\"]{more}}}}}", new.address, old.address);
        let text = format!("{HEAD}configs: {{shop: {{instances: {tls}{desired}}}}}\n");
        fs::write(folder.join("interlock.yaml"), text).unwrap();
        let said = interlock(&folder, &["config", "verify", "-o", "json"]);
        let instances = said.json()[0]["instances"].as_array().unwrap().clone();
        let words: Vec<_> = instances.iter().map(|one| one["standing"].as_str().unwrap().to_owned()).collect();
        let whys: Vec<_> = instances.iter().map(|one| one["why"].as_str().unwrap_or_default().to_owned()).collect();
        (said.code, words.join(" "), whys.join("; "))
    };
    let is =
        |(code, words, _): &(i32, String, String), wanted: (i32, &str)| assert_eq!((*code, words.as_str()), wanted);
    is(&standing("", ""), (6, "unclear unclear"));
    is(&standing("", ", desired: {file: new.pem}"), (1, "current stale"));
    is(&standing("", ", desired: {file: old.pem}"), (1, "stale current"));
    let short = standing(", validFor: 14d, serverName: shop.example.org", ", desired: {file: new.pem}");
    is(&short, (1, "current stale"));
    assert!(short.2.contains("and should be valid for 14days yet"), "{short:?}");
    drop(old);
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let text = format!("{HEAD}configs: {{shop: {{instances: {{tls: {{addresses: [\"{gone}\"]}}}}}}}}\n");
    fs::write(folder.join("interlock.yaml"), text).unwrap();
    assert_eq!(interlock(&folder, &["config", "verify"]).code, 4);
    // A key is no certificate.
    let text = format!(
        "{HEAD}configs: {{shop: {{instances: {{tls: {{addresses: [\"{gone}\"]}}}}, desired: {{file: new.key}}}}}}\n"
    );
    fs::write(folder.join("interlock.yaml"), text).unwrap();
    let refused = interlock(&folder, &["config", "verify"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("new.key") && refused.err.contains("no certificate in PEM"), "{}", refused.err);
    assert!(!refused.err.contains("PRIVATE KEY"), "{}", refused.err);
}
