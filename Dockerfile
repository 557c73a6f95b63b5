# One static binary on nothing else: no shell, not root, and nothing that it writes outside of /data.
#
#   docker build -t catalog-broker .
#
# builds it from source. With the binary that config/dist.sh made, and so without a registry:
#
#   docker build --build-arg BINARY=prebuilt -t catalog-broker .
#
# The catalog is mounted at /etc/catalog-broker/catalog.yaml; settings, if any, at /etc/catalog-broker/config/broker.yaml.
ARG BINARY=built

FROM docker.io/library/rust:1-bookworm AS built
WORKDIR /src
# otlp, to send spans to an OpenTelemetry collector.
ARG FEATURES=
COPY . .
RUN FEATURES="$FEATURES" config/dist.sh && cp dist/bin/catalog-broker /catalog-broker
WORKDIR /data

FROM scratch AS prebuilt
COPY dist/bin/catalog-broker /catalog-broker
WORKDIR /data

FROM ${BINARY} AS binary

FROM scratch
COPY --from=binary /catalog-broker /bin/catalog-broker
COPY --from=binary --chown=65532:65532 /data /data
COPY catalog.yaml /etc/catalog-broker/catalog.yaml
USER 65532:65532
# catalog.yaml and config/broker.yaml are looked for here.
WORKDIR /etc/catalog-broker
# The weakest name that the store goes by, so that any other way to name one wins.
ENV DATABASE_URL=sqlite:/data/broker.db
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s CMD ["/bin/catalog-broker", "health"]
ENTRYPOINT ["/bin/catalog-broker"]
