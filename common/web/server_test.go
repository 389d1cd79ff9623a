package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// running is doors that serve, at addresses that were free.
type running struct {
	*Server
	at    Addresses
	stop  context.CancelFunc
	ended chan error
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func start(t *testing.T, d *Server) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{d, Addresses{freeAddr(t), freeAddr(t)}, stop, make(chan error, 1)}
	go func() { r.ended <- d.Serve(ctx, r.at) }()
	t.Cleanup(stop)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if answer, err := http.Get("http://" + r.at.Internal + "/healthz"); err == nil {
			answer.Body.Close()
			return r
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// wait waits until the doors are closed.
func (r *running) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("stopped with %v", err)
		}
	case <-time.After(stopWithin + 5*time.Second):
		t.Fatal("it does not stop")
	}
}

// Who calls while a machine starts is answered when nothing is missing any more, and soon in any case; but not by a machine that has
// not asked yet who is there.
func TestOpensWhenReady(t *testing.T) {
	for name, after := range map[string]struct{ heard, ready, opens time.Duration }{
		"soon":          {0, 200 * time.Millisecond, 200 * time.Millisecond},
		"never":         {0, time.Hour, openWithin},
		"ready unheard": {300 * time.Millisecond, 0, 300 * time.Millisecond},
		"late":          {openWithin + time.Second/2, time.Hour, openWithin + time.Second/2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, began := NewServer(false), time.Now()
			d.HandleReadiness(func() []string {
				if time.Since(began) < after.ready {
					return []string{"shard 0"}
				}
				return nil
			}, func() bool { return time.Since(began) >= after.heard })
			d.Public.GET("/", JSON(func(*gin.Context) (time.Duration, error) { return time.Since(began), nil }))
			r := start(t, d)
			answer, err := http.Get("http://" + r.at.Public + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			var at time.Duration
			if err := json.NewDecoder(answer.Body).Decode(&at); err != nil {
				t.Fatal(err)
			}
			if at < after.opens || at > after.opens+time.Second {
				t.Errorf("answered after %v, and not %v", at, after.opens)
			}
			r.stop()
			r.wait(t)
		})
	}
}

// A stop waits for what is in flight, at both doors, and loses no request that is on its way.
func TestStopLosesNothing(t *testing.T) {
	d := NewServer(false)
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	slow := JSON(func(*gin.Context) (string, error) {
		entered <- struct{}{}
		<-leave
		return "done", nil
	})
	d.Public.POST("/slow", slow)
	d.Internal.POST("/slow", slow)
	var done atomic.Int64
	d.Public.POST("/quick", JSON(func(*gin.Context) (string, error) { done.Add(1); return "", nil }))
	r := start(t, d)
	var inFlight sync.WaitGroup
	for _, address := range []string{r.at.Public, r.at.Internal} {
		inFlight.Go(func() {
			answer, err := http.Post("http://"+address+"/slow", "", nil)
			if err != nil {
				t.Errorf("in flight: %v", err)
				return
			}
			defer answer.Body.Close()
			if body, err := io.ReadAll(answer.Body); answer.StatusCode != 200 || string(body) != `"done"` || err != nil {
				t.Errorf("in flight: %d %s %v", answer.StatusCode, body, err)
			}
		})
		<-entered
	}
	// Callers that keep their connections, as a gateway does, and callers that do not. A connection that is not made is no loss:
	// nothing was sent, and another machine is asked.
	var callers sync.WaitGroup
	var answered atomic.Int64
	for i := range 16 {
		callers.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
			defer client.CloseIdleConnections()
			for {
				answer, err := client.Post("http://"+r.at.Public+"/quick", "", nil)
				var dial *net.OpError
				if errors.As(err, &dial) && dial.Op == "dial" {
					return
				}
				if err != nil {
					t.Errorf("lost: %v", err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				answered.Add(1)
			}
		})
	}
	for answered.Load() < 500 {
		time.Sleep(time.Millisecond)
	}
	r.stop()
	callers.Wait()
	if done.Load() != answered.Load() {
		t.Errorf("%d were done and %d answered", done.Load(), answered.Load())
	}
	select {
	case err := <-r.ended:
		t.Fatalf("stopped with requests in flight: %v", err)
	case <-time.After(gatewayLeaves + time.Second):
	}
	close(leave)
	inFlight.Wait()
	r.wait(t)
	for _, address := range []string{r.at.Public, r.at.Internal} {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Errorf("%s is still open", address)
		}
	}
}

// A stop closes no connection that its caller may still use: a gateway keeps connections for a while, and a request that meets the
// closing of one is lost.
func TestStopLeavesClosingToTheCaller(t *testing.T) {
	d := NewServer(false)
	answer := JSON(func(*gin.Context) (string, error) { return "", nil })
	d.Public.POST("/", answer)
	d.Internal.POST("/", answer)
	r := start(t, d)
	type caller struct {
		net.Conn
		keeps time.Duration // without a use
	}
	var callers []caller
	for address, keeps := range map[string]time.Duration{r.at.Public: 2 * time.Second, r.at.Internal: time.Second} {
		for range 8 {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			callers = append(callers, caller{conn, keeps})
		}
	}
	ask := func(c caller, leave bool) {
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("lost: %v", err)
		} else if answer.Close != leave {
			t.Errorf("told to leave: %v, want %v", answer.Close, leave)
		}
	}
	for _, c := range callers {
		ask(c, false)
	}
	began := time.Now()
	r.stop()
	var asking sync.WaitGroup
	for i, c := range callers {
		asking.Go(func() {
			time.Sleep(arriveWithin + 50*time.Millisecond + c.keeps*time.Duration(i%8)/8)
			ask(c, true)
		})
	}
	asking.Wait()
	for _, c := range callers {
		c.Close()
	}
	r.wait(t)
	if took := time.Since(began); took > gatewayLeaves {
		t.Errorf("it took %v to stop, and everybody had left", took)
	}
}

// A stop that comes at the first moment, when a server may not have begun to listen, is as graceful as any other.
func TestStopAtTheFirstMoment(t *testing.T) {
	t.Parallel()
	var stopping sync.WaitGroup
	for range 200 {
		stopping.Go(func() {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := NewServer(false).Serve(ctx, JoinHostPorts("127.0.0.1", 0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
	stopping.Wait()
}

// Each door fails alone and tells which, and leaves none open behind.
func TestPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := freeAddr(t)
	for which, at := range map[string]Addresses{"public door": {taken.Addr().String(), free}, "internal door": {free, taken.Addr().String()}} {
		if err := NewServer(false).Serve(t.Context(), at); !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), which) {
			t.Errorf("%s: %v", which, err)
		}
		if c, err := net.Dial("tcp", free); err == nil {
			c.Close()
			t.Errorf("%s failed, and the other door stayed open", which)
		}
	}
	if got := JoinHostPorts("::1", 80, 81); got != (Addresses{"[::1]:80", "[::1]:81"}) {
		t.Errorf("addresses %v", got)
	}
}

func TestReadiness(t *testing.T) {
	d := NewServer(true)
	var missing atomic.Pointer[[]string]
	missing.Store(&[]string{"shard 1"})
	d.HandleReadiness(func() []string { return *missing.Load() }, func() bool { return true })
	leave := make(chan struct{})
	entered := make(chan struct{})
	d.Public.GET("/slow", JSON(func(*gin.Context) (string, error) { close(entered); <-leave; return "", nil }))
	r := start(t, d)
	_, port, _ := net.SplitHostPort(r.at.Internal)
	number, _ := strconv.Atoi(port)
	check := func(status int, want ...string) {
		t.Helper()
		answer, err := http.Get("http://" + r.at.Internal + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var got Readiness
		if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || answer.StatusCode != status || got.Ready != (status == 200) ||
			strings.Join(got.Missing, "; ") != strings.Join(want, "; ") {
			t.Errorf("%d %+v, %v, want %d %v", answer.StatusCode, got, err, status, want)
		}
		for _, bind := range []string{"", "127.0.0.1"} {
			if err := Healthcheck(t.Context(), bind, number); (err == nil) != (status == 200) {
				t.Errorf("healthcheck at %q: %v", bind, err)
			}
		}
	}
	check(503, "shard 1")
	missing.Store(&[]string{})
	check(200)
	go http.Get("http://" + r.at.Public + "/slow")
	<-entered
	r.stop()
	for deadline := time.Now().Add(5 * time.Second); !d.draining.Load() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	check(503, "the machine is stopping") // and alive: whoever watches must not kill it before it is done
	if answer, err := http.Get("http://" + r.at.Internal + "/healthz"); err != nil || answer.StatusCode != 200 {
		t.Errorf("health while stopping: %v", err)
	} else {
		answer.Body.Close()
	}
	close(leave)
	r.wait(t)
	if err := Healthcheck(t.Context(), "", number); err == nil {
		t.Error("a machine that is gone is healthy")
	}
}
