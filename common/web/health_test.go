package web

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"
)

// The public port opens after all first health checks. It also waits until the instance is ready, but not beyond
// startupTimeout.
func TestPublicPortOpensWhenReady(t *testing.T) {
	for name, after := range map[string]struct{ checked, ready, opens time.Duration }{
		"ready soon":             {0, 200 * time.Millisecond, 200 * time.Millisecond},
		"never ready":            {0, time.Hour, startupTimeout},
		"ready before the check": {300 * time.Millisecond, 0, 300 * time.Millisecond},
		"checked late":           {startupTimeout + time.Second/2, time.Hour, startupTimeout + time.Second/2},
	} {
		synctest.Test(t, func(t *testing.T) {
			started := time.Now()
			s := &Server{
				unavailable: func() []string {
					if time.Since(started) < after.ready {
						return []string{"shard 0"}
					}
					return nil
				},
				probed: func() bool { return time.Since(started) >= after.checked },
			}
			s.awaitReady(t.Context())
			if opened := time.Since(started); opened != after.opens {
				t.Errorf("%s: the public port opens after %v, want %v", name, opened, after.opens)
			}
		})
	}
}

// If a request arrives before the public port opens, the request waits.
func TestRequestWaitsForThePublicPort(t *testing.T) {
	t.Parallel()
	s := NewServer(false)
	s.closing = closeTimeouts{}
	var checked atomic.Bool
	s.HandleReadiness(fit, fit, checked.Load)
	s.Public.GET("/", JSON(func(*gin.Context) (bool, error) { return checked.Load(), nil }))
	r := start(t, s)
	time.AfterFunc(20*time.Millisecond, func() { checked.Store(true) })
	response, err := http.Get("http://" + r.at.Public + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "true" {
		t.Errorf("a request before the first health check: got %s, %v; want a response after the check", body, err)
	}
	r.stop()
	r.wait(t)
}

// fit returns an empty list of problems.
func fit() []string { return nil }

func TestReadiness(t *testing.T) {
	s := NewServer(true)
	var unavailable, unfit atomic.Pointer[[]string]
	var probed atomic.Bool
	unavailable.Store(&[]string{"shard 1"})
	unfit.Store(&[]string{})
	s.HandleReadiness(func() []string { return *unavailable.Load() }, func() []string { return *unfit.Load() },
		probed.Load)
	entered, release := make(chan struct{}), make(chan struct{})
	s.Public.GET("/slow", JSON(func(*gin.Context) (string, error) {
		close(entered)
		<-release
		return "", nil
	}))
	r := start(t, s)
	_, port, _ := net.SplitHostPort(r.at.Internal)
	internalPort, _ := strconv.Atoi(port)
	get := func(path string, status int, want ...string) {
		t.Helper()
		response, err := http.Get("http://" + r.at.Internal + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var got Readiness
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != status || got.Ready != (status == 200) ||
			strings.Join(got.Unavailable, "; ") != strings.Join(want, "; ") {
			t.Errorf("GET %s: got %d %+v, want %d %v", path, response.StatusCode, got, status, want)
		}
	}
	check := func(status int, want ...string) {
		t.Helper()
		get("/readyz", status, want...)
		for _, host := range []string{"", "127.0.0.1"} {
			if err := Healthcheck(t.Context(), host, internalPort); (err == nil) != (status == 200) {
				t.Errorf("health check of host %q: got %v, want an error unless the instance is ready", host, err)
			}
		}
	}
	check(503, "shard 1")
	get("/readyz/instance", 503, Starting) // the public port is closed
	probed.Store(true)
	for deadline := time.Now().Add(5 * time.Second); !s.open.Load() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	check(503, "shard 1")
	get("/readyz/instance", 200)
	unavailable.Store(&[]string{})
	check(200)
	unfit.Store(&[]string{"too few shards"})
	check(200)
	get("/readyz/instance", 503, "too few shards")
	unfit.Store(&[]string{})

	go http.Get("http://" + r.at.Public + "/slow")
	<-entered
	r.stop()
	for deadline := time.Now().Add(5 * time.Second); !s.draining.Load() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	check(503, stopping)
	get("/readyz/instance", 503, stopping)
	// /healthz still succeeds, so that an orchestrator does not kill an instance that is shutting down.
	if response, err := http.Get("http://" + r.at.Internal + "/healthz"); err != nil || response.StatusCode != 200 {
		t.Errorf("GET /healthz while the instance stops: got %+v, %v; want 200", response, err)
	} else {
		response.Body.Close()
	}
	close(release)
	r.wait(t)
	if err := Healthcheck(t.Context(), "", internalPort); err == nil {
		t.Error("healthcheck of a stopped instance: got no error, want one")
	}
}
