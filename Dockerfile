# Every image of the system, for any architecture: docker build --target order|stock|payment|gateway .
# The three services are built in one go: they share most of what there is to compile. An image whose binary has not
# changed by it stays the same image, since the build is reproducible.

FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY common common
COPY order order
COPY stock stock
COPY payment payment
ARG TARGETOS TARGETARCH
ARG VERSION=devel
# nomsgpack leaves out Gin's codec of a format that no route speaks: a third of the binary.
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -tags nomsgpack -ldflags "-s -w -X checkout/common/metrics.version=$VERSION" -o /out/ ./order ./stock ./payment

# Nothing but a static binary, and the certificates by which REDIS_TLS=1 knows its server.
FROM scratch AS service
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# The Go runtime has a thread that looks after the others. It sleeps when a process has nothing to do, and the next system call wakes
# it: with 64 clients that was a quarter of all the time of stock, which waits a little, works a little. It never sleeps, and looks a
# hundred times a second, where it has a line to print every so many ms (runtime/proc.go, sysmon). These are 24 days.
ENV GIN_MODE=release GODEBUG=schedtrace=2147483647
EXPOSE 5000 5001
USER 65532:65532

FROM service AS order
COPY --from=build /out/order /order
ENTRYPOINT ["/order"]
LABEL org.opencontainers.image.title="checkout order" \
      org.opencontainers.image.description="carts, and the coordinator of the checkout"

FROM service AS stock
COPY --from=build /out/stock /stock
ENTRYPOINT ["/stock"]
LABEL org.opencontainers.image.title="checkout stock" \
      org.opencontainers.image.description="items, their prices and how many there are"

FROM service AS payment
COPY --from=build /out/payment /payment
ENTRYPOINT ["/payment"]
LABEL org.opencontainers.image.title="checkout payment" \
      org.opencontainers.image.description="users, their credit and their payments"

# The gateway carries its configuration, so that it needs no file of the host: neither its permissions nor its path matter.
FROM nginx:1.30-alpine AS gateway
COPY --chmod=444 nginx.conf compose/upstreams.conf compose/listen.conf /etc/nginx/
COPY --chmod=555 compose/gateway /usr/local/bin/gateway
EXPOSE 8000
USER nginx
STOPSIGNAL SIGQUIT
ENTRYPOINT ["gateway"]
CMD ["-g", "worker_processes auto;"]
LABEL org.opencontainers.image.title="checkout gateway" \
      org.opencontainers.image.description="nginx before the services order, stock and payment"
