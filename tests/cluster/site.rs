//! An application of which nothing knows interlock: the static site of `manifests/site` and `scenarios/site`, behind Traefik,
//! whose counters a Prometheus reads.

use std::{fs, net::TcpListener};

use crate::{
    api_server::shared,
    servers::Server,
    stage::{Done, Load, Stage},
};

const MANIFESTS: &str = include_str!("../../manifests/site/site.yaml");
const PLATFORM: &str = include_str!("../../scenarios/site/interlock.yaml");
const SLO: &str = include_str!("../../scenarios/site/slo.yaml");
/// A page that the application draws itself, which no smoke test asks for.
pub const PAGE: &str = "/offers/7";
/// Without it a server has nothing to send for such a page: nginx answers 500, and Caddy 404.
pub const GREENS_PAGE: &str = "  app.html: <h1>An offer, by release 2</h1>\n";

/// Replaces what has to be there.
pub fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} in {text}");
        text.replace(old, new)
    })
}

/// The site in a namespace of its own, with its gateway and its Prometheus.
struct Site {
    traefik: Server,
    _prometheus: Server,
    stage: Stage,
}

impl Site {
    /// The site, serving from blue; `None` where there is no cluster.
    fn up(name: &str, changes: &[(&str, &str)]) -> Option<Self> {
        let stage = Stage::bare(name, shared)?;
        let counters = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut traefik = Server::start("env", "", |_, address| {
            let program = stage.kubeconfig.with_file_name("bin").join("traefik");
            vec![
                format!("KUBECONFIG={}", stage.kubeconfig.display()),
                program.display().to_string(),
                "--global.checkNewVersion=false".to_owned(),
                "--global.sendAnonymousUsage=false".to_owned(),
                format!("--entryPoints.web.address={address}"),
                format!("--entryPoints.metrics.address={counters}"),
                "--metrics.prometheus.entryPoint=metrics".to_owned(),
                // Another test has a Traefik of its own.
                format!("--providers.kubernetesGateway.namespaces={}", stage.namespace),
            ]
        });
        let scraped = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: traefik, static_configs: [{{targets: ['{counters}']}}]}}]\n"
        );
        let mut prometheus = Server::start("prometheus", &scraped, |file, address| {
            vec![
                format!("--config.file={}", file.display()),
                format!("--storage.tsdb.path={}", file.with_file_name("data").display()),
                format!("--web.listen-address={address}"),
                "--log.level=error".to_owned(),
            ]
        });
        let port = traefik.url.rsplit(':').next().unwrap_or_default();
        stage.apply(&replaced(&replaced(MANIFESTS, &[("port: 8000", &format!("port: {port}"))]), changes));
        let platform = [
            ("{namespace: shop}", format!("{{namespace: {}}}", stage.namespace)),
            ("-svc-shop-", format!("-svc-{}-", stage.namespace)),
            // How fast the site is on a busy machine is not what is asked here.
            ("defaults: {", "defaults: {answerWithin: 10s, ".to_owned()),
            ("http://site.example.org", traefik.url.clone()),
            ("http://prometheus.example.org", prometheus.url.clone()),
        ];
        let platform = platform.each_ref().map(|(old, new)| (*old, new.as_str()));
        fs::write(stage.folder().join("interlock.yaml"), replaced(PLATFORM, &platform)).unwrap();
        fs::write(stage.folder().join("slo.yaml"), SLO).unwrap();
        for slot in ["blue", "green"] {
            stage.kubectl(&["rollout", "status", &format!("deployment/site-{slot}"), "--timeout=300s"]);
        }
        stage.runtime.block_on(async {
            traefik.ready(PAGE).await;
            prometheus.ready("/-/ready").await;
        });
        Some(Self { traefik, _prometheus: prometheus, stage })
    }

    /// Begins to ask for pages, over connections that are kept.
    fn offer(&self) -> Load {
        self.stage.offer_at(self.traefik.url.trim_start_matches("http://"), 200, &["--path", PAGE])
    }

    fn switch(&self, to: &str) -> Done {
        let run = ["switchover", "run", "site", "--to", to, "--yes", "--weights", "10,50,100"];
        let times = ["--bake", "3s", "--max-bake", "60s", "--baseline", "6s", "--accept-local-guardian"];
        self.stage.ask(&[&run[..], &times].concat())
    }

    /// The weights of both backends in the route.
    fn weights(&self) -> String {
        self.stage.kubectl(&["get", "httproute", "site", "-o", "jsonpath={.spec.rules[0].backendRefs[*].weight}"])
    }
}

#[test]
fn an_application_that_knows_nothing_of_us_is_switched_there_and_back_without_a_lost_request() {
    let Some(site) = Site::up("site", &[]) else { return };
    let load = site.offer();
    // Traefik forgets the counters of a backend that gets nothing for a while, so blue's begin anew.
    for (to, weights) in [("green", "0 100"), ("blue", "100 0")] {
        let done = site.switch(to);
        assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
        assert_eq!(site.weights(), weights);
    }
    load.end().none_lost();
}

#[test]
fn a_bad_release_of_an_application_that_knows_nothing_of_us_is_put_back() {
    let Some(site) = Site::up("bad-site", &[(GREENS_PAGE, "")]) else { return };
    let load = site.offer();
    let done = site.switch("green");
    assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
    assert!(done.out.contains("rolled-back: site-availability"), "{}\n{}", done.out, done.err);
    assert_eq!(site.weights(), "100 0");
    let requests = load.end();
    let bad = requests.failed - requests.unsent;
    // It never had more than a tenth.
    assert!(bad > 0 && bad < requests.ok / 9, "{requests:?}");
}
