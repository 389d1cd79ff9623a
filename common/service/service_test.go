package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/peer"
	"checkout/common/service"
	"checkout/common/testredis"
	"checkout/common/web"
)

// log is the output of a service. A test may read it while the service runs.
type log struct {
	sync.Mutex
	bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.Buffer.Write(p)
}

// after returns the word that follows the given text in the output, or "" if there is none.
func (l *log) after(mark string) string {
	l.Lock()
	defer l.Unlock()
	_, rest, _ := strings.Cut(l.String(), mark)
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return ""
}

// definition defines a service without routes of its own.
var definition = service.Definition{Name: "stock", Setup: func(*service.Service) {}}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	gin.SetMode(gin.TestMode)
	redis := testredis.Start(t)
	vars := map[string]string{"REDIS_ADDRS": redis.Addr, "MACHINE_ID": "2/3", "BIND": "127.0.0.1", "PORT": "0",
		"INTERNAL_PORT": "0"}
	getenv := func(name string) string { return vars[name] }
	ctx, stop := context.WithCancel(t.Context())
	var out log
	stopped := make(chan error, 1)
	go func() { stopped <- definition.Run(ctx, []string{"stock"}, getenv, &out) }()
	testredis.Eventually(t, "the service serves", func() bool { return out.after("internal=") != "" })
	testredis.Eventually(t, "the service is ready", func() bool {
		response, err := http.Get("http://" + out.after("internal=") + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == 200
	})
	response, err := http.Get("http://" + out.after("public=") + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if want := `{"service":"stock","machine":"2/3","shards":[{"shard":0,"up":true}]}`; string(body) != want {
		t.Errorf("GET /ping: got %s, want %s", body, want)
	}
	_, vars["INTERNAL_PORT"], _ = net.SplitHostPort(out.after("internal="))
	if err := definition.Run(t.Context(), []string{"stock", "healthcheck"}, getenv, &out); err != nil {
		t.Errorf("healthcheck of a ready instance: got %v, want success", err)
	}
	stop()
	select {
	case err := <-stopped:
		if err != nil {
			t.Errorf("run until stopped: got %v, want success", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the service has not stopped after 10 s")
	}
	if err := definition.Run(t.Context(), []string{"stock", "healthcheck"}, getenv, &out); err == nil {
		t.Error("healthcheck of a stopped instance: got no error, want one")
	}
}

func TestRunRejectsAnIncompleteEnvironment(t *testing.T) {
	for _, args := range [][]string{{"stock"}, {"stock", "healthcheck"}} {
		err := definition.Run(t.Context(), args, func(string) string { return "" }, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "REDIS_ADDRS") || !strings.Contains(err.Error(), "MACHINE_ID") {
			t.Errorf("run with the arguments %v: got %v, want an error about REDIS_ADDRS and MACHINE_ID", args, err)
		}
	}
}

func TestRunChecksItsArguments(t *testing.T) {
	for _, tt := range []struct{ args, out, err string }{
		{"--version", "stock devel ", ""},
		{"version", "stock devel ", ""},
		{"--help", "\n  REDIS_ADDRS ", ""},
		{"-h", "stock healthcheck ", ""},
		{"--verbose", "", `unexpected argument "--verbose"; run stock --help`},
		{"healthchek", "", `unexpected argument "healthchek"; run stock --help`},
		{"healthcheck 5001", "", `unexpected argument "5001"; run stock --help`},
		{"---help", "", `unexpected argument "---help"; run stock --help`},
	} {
		var out strings.Builder
		args := append([]string{"stock"}, strings.Fields(tt.args)...)
		err := definition.Run(t.Context(), args, func(string) string { return "" }, &out)
		if text := fmt.Sprint(err); err != nil && text != tt.err || err == nil && tt.err != "" ||
			!strings.Contains(out.String(), tt.out) {
			t.Errorf("%s: got %q and the error %v, want %q and the error %q", tt.args, out.String(), err, tt.out, tt.err)
		}
	}
}

// An instance is unfit if none of its shards has replied yet.
func TestShardMapSaysThatTheInstanceIsUnfit(t *testing.T) {
	gin.SetMode(gin.TestMode)
	redis := testredis.Start(t)
	redis.Pause()
	c := cluster.Open("stock", env.Redis{Addrs: []string{redis.Addr}}, nil)
	t.Cleanup(c.Close)
	s := service.New(definition, env.Config{Instance: 1, Instances: 1}, c)
	t.Cleanup(s.Close)
	unfit := func() string {
		r := httptest.NewRequest("GET", peer.ShardMapPath, nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		s.Internal.ServeHTTP(w, r)
		var m api.ShardMap
		if err := json.Unmarshal(w.Body.Bytes(), &m); w.Code != 200 || err != nil {
			t.Fatalf("get the shard map: got %d %s and the error %v, want 200 and a shard map", w.Code, w.Body, err)
		}
		return strings.Join(m.Unfit, ", ")
	}
	if got := unfit(); got != web.Starting {
		t.Errorf("before the end of the first health check: got %q, want %q", got, web.Starting)
	}
	testredis.Eventually(t, "the first health check timed out", c.Probed)
	if got := unfit(); got != "no shard has been available since the start" {
		t.Errorf("after the first health check timed out: got %q, want that no shard has been available", got)
	}
	redis.Resume()
	testredis.Eventually(t, "the instance is fit", func() bool { return unfit() == "" })
}
