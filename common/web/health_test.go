package web

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// The public port opens when the instance is ready, or after startupTimeout, but not before the first probe.
func TestPublicPortOpensWhenReady(t *testing.T) {
	for name, after := range map[string]struct{ probed, ready, opens time.Duration }{
		"ready soon":          {0, 200 * time.Millisecond, 200 * time.Millisecond},
		"never ready":         {0, time.Hour, startupTimeout},
		"ready before probed": {300 * time.Millisecond, 0, 300 * time.Millisecond},
		"probed late":         {startupTimeout + time.Second/2, time.Hour, startupTimeout + time.Second/2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, started := NewServer(false), time.Now()
			s.HandleReadiness(func() []string {
				if time.Since(started) < after.ready {
					return []string{"shard 0"}
				}
				return nil
			}, func() bool { return time.Since(started) >= after.probed })
			s.Public.GET("/", JSON(func(*gin.Context) (time.Duration, error) { return time.Since(started), nil }))
			r := start(t, s)
			response, err := http.Get("http://" + r.at.Public + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			var opened time.Duration
			if err := json.NewDecoder(response.Body).Decode(&opened); err != nil {
				t.Fatal(err)
			}
			if opened < after.opens || opened > after.opens+time.Second {
				t.Errorf("the public port opened after %v, want %v", opened, after.opens)
			}
			r.stop()
			r.wait(t)
		})
	}
}

func TestReadiness(t *testing.T) {
	s := NewServer(true)
	var unavailable atomic.Pointer[[]string]
	unavailable.Store(&[]string{"shard 1"})
	s.HandleReadiness(func() []string { return *unavailable.Load() }, func() bool { return true })
	entered, release := make(chan struct{}), make(chan struct{})
	s.Public.GET("/slow", JSON(func(*gin.Context) (string, error) {
		close(entered)
		<-release
		return "", nil
	}))
	r := start(t, s)
	_, port, _ := net.SplitHostPort(r.at.Internal)
	internalPort, _ := strconv.Atoi(port)
	check := func(status int, want ...string) {
		t.Helper()
		response, err := http.Get("http://" + r.at.Internal + "/readyz")
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
			t.Errorf("%d %+v, want %d %v", response.StatusCode, got, status, want)
		}
		for _, host := range []string{"", "127.0.0.1"} {
			if err := Healthcheck(t.Context(), host, internalPort); (err == nil) != (status == 200) {
				t.Errorf("health check of host %q: %v", host, err)
			}
		}
	}
	check(503, "shard 1")
	unavailable.Store(&[]string{})
	check(200)

	go http.Get("http://" + r.at.Public + "/slow")
	<-entered
	r.stop()
	for deadline := time.Now().Add(5 * time.Second); !s.draining.Load() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	check(503, stopping)
	// /healthz still succeeds, so that an orchestrator does not kill an instance that is shutting down.
	if response, err := http.Get("http://" + r.at.Internal + "/healthz"); err != nil || response.StatusCode != 200 {
		t.Errorf("health while stopping: %v", err)
	} else {
		response.Body.Close()
	}
	close(release)
	r.wait(t)
	if err := Healthcheck(t.Context(), "", internalPort); err == nil {
		t.Error("an instance that has stopped is healthy")
	}
}
