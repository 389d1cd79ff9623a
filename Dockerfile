# Builds all images of the system, for any architecture: docker build --target order|stock|payment|keeper|gateway .
# One RUN instruction builds the services and the keeper, because they share most packages. The build is reproducible:
# if a binary does not change, its image does not change either.

FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY common common
COPY order order
COPY stock stock
COPY payment payment
COPY keeper keeper
ARG TARGETOS TARGETARCH
ARG VERSION=devel
# The build tag nomsgpack omits Gin's MessagePack codec, which is a third of the binary. No route uses the codec.
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -tags nomsgpack -ldflags "-s -w -X checkout/common/version.version=$VERSION" -o /out/ ./order ./stock ./payment ./keeper

# An image of a service contains only a static binary, and the CA certificates for REDIS_TLS=1.
FROM scratch AS service
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# schedtrace keeps the Go runtime's monitor thread awake. Otherwise, many system calls would have to wake this thread.
# With this value, schedtrace prints a trace line only every 24 days. See docs/adr/0009-godebug-schedtrace.md.
ENV GIN_MODE=release GODEBUG=schedtrace=2147483647
EXPOSE 5000 5001 5002
USER 65532:65532

FROM service AS order
COPY --from=build /out/order /order
ENTRYPOINT ["/order"]
LABEL org.opencontainers.image.title="checkout order" \
      org.opencontainers.image.description="carts, and the coordinator of checkouts"

FROM service AS stock
COPY --from=build /out/stock /stock
ENTRYPOINT ["/stock"]
LABEL org.opencontainers.image.title="checkout stock" \
      org.opencontainers.image.description="items, their prices and their stock"

FROM service AS payment
COPY --from=build /out/payment /payment
ENTRYPOINT ["/payment"]
LABEL org.opencontainers.image.title="checkout payment" \
      org.opencontainers.image.description="users, their credit and their payments"

FROM service AS keeper
COPY --from=build /out/keeper /keeper
EXPOSE 7000 7001
ENTRYPOINT ["/keeper"]
LABEL org.opencontainers.image.title="checkout keeper" \
      org.opencontainers.image.description="guards a Redis node of a replicated shard"

# This image contains the configuration, so that the gateway needs no files of the host.
FROM nginx:1.30-alpine AS gateway
COPY --chmod=444 nginx.conf compose/upstreams.conf compose/listen.conf /etc/nginx/
COPY --chmod=555 compose/gateway /usr/local/bin/gateway
EXPOSE 8000
USER nginx
STOPSIGNAL SIGQUIT
ENTRYPOINT ["gateway"]
CMD ["-g", "worker_processes auto;"]
LABEL org.opencontainers.image.title="checkout gateway" \
      org.opencontainers.image.description="nginx in front of the services order, stock and payment"
