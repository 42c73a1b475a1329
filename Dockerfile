# The exporter in an image without a shell.
#
#   docker build -t datasphere-exporter --build-arg REVISION="$(git rev-parse --short=12 HEAD)" .
#   docker run --rm -p 127.0.0.1:10477:10477 datasphere-exporter demo --web.listen-address=:10477
#
# `serve` is the command when none is given. It keeps its state in /data, the one folder that its user may write to.
#
# The names after FROM are of images that are mended under the same name. `docker buildx imagetools inspect NAME` tells
# the digest behind one; for a build that can be had again, say `--build-context NAME=docker-image://NAME@DIGEST`.

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
# Benchmarks are not sent, and Cargo wants every file that it is told of.
RUN sed -i '/^\[\[bench\]\]$/,/^$/d' Cargo.toml
COPY proto proto
COPY src src
# The commit that is built, which the program tells in its metrics: git's own data is not sent to the builder.
ARG REVISION=unknown
# Dependencies are kept from build to build. What is our own is touched, because cargo goes by times, and those of an
# older checkout would leave in place what a newer one had built.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=datasphere-exporter,target=/src/target,sharing=locked \
    touch build.rs src/lib.rs src/main.rs \
    && DATASPHERE_EXPORTER_REVISION="$REVISION" cargo build --locked --release \
    && install -D -t /out/program/usr/local/bin target/release/datasphere-exporter \
    && install -d -m 0700 /out/state/data

FROM gcr.io/distroless/cc-debian12:nonroot
ARG REVISION=unknown
LABEL org.opencontainers.image.title="datasphere-exporter" \
      org.opencontainers.image.description="Prometheus exporter and observability sidecar for Yandex DataSphere" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/program/ /
COPY LICENSE /
# Not a VOLUME, which would leave one without a name behind each container: whoever keeps the state mounts one here.
COPY --from=build --chown=65532:65532 /out/state/ /
# The state is in ./data unless the configuration says otherwise.
WORKDIR /
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 10477
STOPSIGNAL SIGTERM
# By the program itself: there is nothing else to ask with. Its state may take a while to be read after a crash.
HEALTHCHECK --interval=15s --timeout=12s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/datasphere-exporter", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/datasphere-exporter"]
