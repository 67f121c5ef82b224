# interlock with the lab, from source. `docker build -t interlock/interlock:1 .`
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin interlock

FROM debian:bookworm-slim
# For metrics, traces and webhooks behind TLS; the cluster's own authority comes with the pod.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/interlock /usr/bin/interlock
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/bin/interlock"]
