//! What a replica has counted, and what it has in hand now.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use super::service::Service;
use crate::lab::{
    SERVICE,
    flight::Ages,
    page::{Kind, Page},
};

/// The upper edges of the buckets of ages, in seconds.
const EDGES: [f64; 8] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
/// How many clients are shown by their address.
const CLIENTS: usize = 20;

/// Shows everything.
pub fn page(service: &Service) -> Page {
    let Service { options, .. } = service;
    let mut page = Page::new(&[("service", SERVICE), ("slot", options.slot.name()), ("replica", &options.replica)]);
    page.family("tenant_info", Kind::Gauge, "The release.");
    page.sample("tenant_info", &[("version", &options.version)], 1);
    counted(&mut page, [("ok", &service.ok), ("error", &service.failed)]);
    page.family("tenant_leaked_bytes", Kind::Gauge, "Memory kept by the leak fault.");
    page.sample("tenant_leaked_bytes", &[], service.defects.leaked());
    in_flight(&mut page, &service.flights.ages(options.slot));
    connections(&mut page, &service.connections.by_client());
    page
}

/// A series is born with its first count, as in the client libraries.
fn counted(page: &mut Page, outcomes: [(&str, &AtomicU64); 2]) {
    page.family("tenant_requests_total", Kind::Counter, "Business requests served.");
    for (outcome, counter) in outcomes {
        let n = counter.load(Ordering::Relaxed);
        if n > 0 {
            page.sample("tenant_requests_total", &[("outcome", outcome)], n);
        }
    }
}

/// Ages as OpenMetrics' GaugeHistogram counts them: what is in flight now, up to each edge. The text format has no such
/// type, so buckets and their sum are declared as the gauges that they are.
fn in_flight(page: &mut Page, ages: &Ages) {
    let buckets = "tenant_in_flight_age_seconds_bucket";
    page.family(buckets, Kind::Gauge, "Business requests in flight now, by the greatest age.");
    for edge in EDGES {
        let younger = ages.all.iter().filter(|age| age.as_secs_f64() <= edge).count();
        page.sample(buckets, &[("le", &edge.to_string())], younger);
    }
    page.sample(buckets, &[("le", "+Inf")], ages.all.len());
    let count = "tenant_in_flight_age_seconds_gcount";
    page.family(count, Kind::Gauge, "Business requests in flight now.");
    page.sample(count, &[], ages.all.len());
    let oldest = "tenant_in_flight_oldest_seconds";
    page.family(oldest, Kind::Gauge, "The age of the oldest of them.");
    page.sample(oldest, &[], ages.all.first().map_or(0.0, std::time::Duration::as_secs_f64));
    let example = "tenant_in_flight_example_seconds";
    page.family(example, Kind::Gauge, "The ages of the ten oldest.");
    for one in &ages.examples {
        let labels = [("request", &*one.request), ("client", &one.peer.to_string())];
        page.sample(example, &labels, one.age.as_secs_f64());
    }
}

fn connections(page: &mut Page, clients: &[(IpAddr, u64)]) {
    page.family("tenant_open_connections", Kind::Gauge, "Open connections of the business listener.");
    page.sample("tenant_open_connections", &[], clients.iter().map(|(_, n)| n).sum::<u64>());
    let by_client = "tenant_connections";
    page.family(by_client, Kind::Gauge, "The same by client; the twenty with most.");
    for (client, n) in clients.iter().take(CLIENTS) {
        page.sample(by_client, &[("client", &client.to_string())], n);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lab::flight::Example;

    fn samples(page: Page) -> String {
        page.text().lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn ages_are_counted_up_to_each_edge() {
        let mut page = Page::new(&[("slot", "blue")]);
        let all = [90_000, 2_000, 700, 100].map(Duration::from_millis).to_vec();
        let peer = "10.244.0.9:41234".parse().unwrap();
        let examples = vec![Example { request: "GET /tenants/\"7\"".into(), peer, age: all[0] }];
        in_flight(&mut page, &Ages { all, examples });
        insta::assert_snapshot!(samples(page), @r#"
tenant_in_flight_age_seconds_bucket{slot="blue",le="0.1"} 1
tenant_in_flight_age_seconds_bucket{slot="blue",le="0.5"} 1
tenant_in_flight_age_seconds_bucket{slot="blue",le="1"} 2
tenant_in_flight_age_seconds_bucket{slot="blue",le="2"} 3
tenant_in_flight_age_seconds_bucket{slot="blue",le="5"} 3
tenant_in_flight_age_seconds_bucket{slot="blue",le="10"} 3
tenant_in_flight_age_seconds_bucket{slot="blue",le="30"} 3
tenant_in_flight_age_seconds_bucket{slot="blue",le="60"} 3
tenant_in_flight_age_seconds_bucket{slot="blue",le="+Inf"} 4
tenant_in_flight_age_seconds_gcount{slot="blue"} 4
tenant_in_flight_oldest_seconds{slot="blue"} 90
tenant_in_flight_example_seconds{slot="blue",request="GET /tenants/\"7\"",client="10.244.0.9:41234"} 90
"#);
    }

    #[test]
    fn the_sum_of_connections_counts_those_that_are_not_shown() {
        let mut page = Page::new(&[]);
        let clients: Vec<_> = (1..=25).map(|n| (IpAddr::from([10, 0, 0, n]), 2)).collect();
        connections(&mut page, &clients);
        let text = samples(page);
        assert_eq!(text.lines().next(), Some("tenant_open_connections 50"));
        assert_eq!(text.lines().count(), 1 + CLIENTS);
    }
}
