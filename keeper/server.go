package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"checkout/common/metrics"
	"checkout/common/web"
)

const (
	maxBody         = 64 << 10 // bytes
	handoverTimeout = 3 * time.Second
	initTimeout     = 3 * time.Second
)

// handler returns the routes for the other keepers, the commands of this program and health checks.
func (k *keeper) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		s := k.status()
		if !s.Ready {
			respond(w, http.StatusServiceUnavailable, web.Readiness{Unavailable: []string{s.Role + ": " + s.Problem}})
			return
		}
		respond(w, http.StatusOK, web.Readiness{Ready: true})
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusOK, k.status())
	})
	handle(k, mux, "/beat", answer(k.onBeat))
	handle(k, mux, "/prevote", answer(k.prevote))
	handle(k, mux, "/vote", answer(k.vote))
	handle(k, mux, "/grant", answer(k.grant))
	handle(k, mux, "/resign", k.onResign)
	handle(k, mux, "/init", func(ctx context.Context, _ struct{}) (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), initTimeout)
		defer cancel()
		return struct{}{}, k.found(ctx)
	})
	handle(k, mux, "/handover", func(ctx context.Context, _ struct{}) (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handoverTimeout)
		defer cancel()
		return struct{}{}, k.handover(ctx)
	})
	return mux
}

func answer[Q, A any](f func(context.Context, Q) A) func(context.Context, Q) (A, error) {
	return func(ctx context.Context, request Q) (A, error) { return f(ctx, request), nil }
}

// handle adds a route that requires a token. Its request and its response are JSON. An error of f becomes the text of
// a response with status 409.
func handle[Q, A any](k *keeper, mux *http.ServeMux, path string, f func(context.Context, Q) (A, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		if !k.authorized(r.Header.Get("Authorization")) {
			http.Error(w, "the header Authorization does not contain a token of KEEPER_TOKEN", http.StatusUnauthorized)
			return
		}
		var request Q
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&request); err != nil {
			http.Error(w, "the body is not JSON: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := k.checkSender(r); err != nil {
			http.Error(w, err.Error(), http.StatusMisdirectedRequest)
			return
		}
		// A keeper that resumes after a pause must not act on requests whose senders no longer wait for the response.
		if !web.ClientConnected(r.Context()) {
			return
		}
		response, err := f(r.Context(), request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		respond(w, http.StatusOK, response)
	})
}

// authorized compares a header Authorization with every token in constant time.
func (k *keeper) authorized(header string) bool {
	accepted := 0
	for _, token := range k.config.Tokens {
		accepted |= subtle.ConstantTimeCompare([]byte(header), []byte(web.Authorization(token)))
	}
	return accepted == 1
}

// checkSender returns an error if the sender belongs to another shard, if it sends no valid node index, or if it sends
// the index of this node. The commands "keeper init" and "keeper handover" may send the index of this node.
func (k *keeper) checkSender(r *http.Request) error {
	if shard := r.Header.Get(shardHeader); shard != k.config.ShardName() {
		return fmt.Errorf("this is a keeper of %s, not of %q: KEEPERS is wrong", k.config.ShardName(), shard)
	}
	node, err := strconv.Atoi(r.Header.Get(nodeHeader))
	if err != nil || node < 0 || node >= len(k.config.Nodes) {
		return fmt.Errorf("%s %q is not the index of a node", nodeHeader, r.Header.Get(nodeHeader))
	}
	if command := r.URL.Path == "/init" || r.URL.Path == "/handover"; node == k.config.Node && !command {
		return fmt.Errorf("the sender and this keeper are both node %d: NODE or KEEPERS is wrong", node)
	}
	return nil
}

func respond(w http.ResponseWriter, code int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	w.Write(append(body, '\n')) // an error means that the client has disconnected
}

// serve runs the keeper and serves both ports until ctx ends. Then it hands over if this node is the primary.
func (k *keeper) serve(ctx context.Context, listener, monitoring net.Listener) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, 3)
	monitor := http.NewServeMux()
	monitor.Handle("GET /metrics", metrics.Handler("keeper", k))
	for l, handler := range map[net.Listener]http.Handler{listener: k.handler(), monitoring: monitor} {
		server := &http.Server{
			Handler: handler, ConnContext: web.WithClientConn, ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: log.New(discard{}, "", 0),
		}
		defer server.Close()
		go func() { failed <- server.Serve(l) }()
	}
	go func() { failed <- k.run(work) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	k.mu.Lock()
	k.stopping = true
	k.mu.Unlock()
	bounded, cancel := context.WithTimeout(work, handoverTimeout)
	defer cancel()
	if err := k.handover(bounded); err != nil && !errors.Is(err, errNotPrimary) {
		k.log.Warn("stopping without a handover", "error", err)
	}
	return nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
