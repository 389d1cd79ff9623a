// Package servicetest runs an instance of a service on real Redis servers, for tests of its HTTP API.
package servicetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/service"
	"checkout/common/testredis"
	"checkout/common/web"
)

// Instance is the only instance of a service, with its shards.
type Instance struct {
	*service.Service
	Shards []*testredis.Server
}

// New returns an instance of a service with the given number of shards. batch_init and lists are allowed. The last
// arguments are functions that may change the configuration.
func New(t testing.TB, d service.Definition, shards int, configure ...func(*env.Config)) *Instance {
	t.Helper()
	gin.SetMode(gin.TestMode)
	c, servers := testredis.Open(t, d.Name, shards, d.Scripts)
	config := env.Config{Instance: 1, Instances: 1, BatchInit: true, BatchLimit: 10_000, Lists: true}
	for _, change := range configure {
		change(&config)
	}
	s := service.New(d, config, c)
	t.Cleanup(s.Close)
	return &Instance{s, servers}
}

// Call sends a request to the public port.
func (i *Instance) Call(method, path string) *httptest.ResponseRecorder {
	return serve(i.Public, method, path, "")
}

// CallInternal sends a request to the internal port.
func (i *Instance) CallInternal(method, path, body string) *httptest.ResponseRecorder {
	return serve(i.Internal, method, path, body)
}

func serve(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// WantInternal checks the response to a GET request to the internal port.
func (i *Instance) WantInternal(t *testing.T, path string, code int, body string) {
	t.Helper()
	if w := i.CallInternal("GET", path, ""); w.Code != code || w.Body.String() != body {
		t.Errorf("%s: got %d %s, want %d %s", path, w.Code, w.Body, code, body)
	}
}

// KillShard kills a shard and waits until it is unavailable.
func (i *Instance) KillShard(t *testing.T, index int) {
	t.Helper()
	i.Shards[index].Kill()
	testredis.Eventually(t, "the shard is unavailable", func() bool {
		return slices.Contains(i.Cluster.Unavailable(), fmt.Sprintf("shard %d", index))
	})
}

// WantUnavailable checks that a request fails because a shard is unavailable, and that the response asks for a retry.
func (i *Instance) WantUnavailable(t *testing.T, method, path string) {
	t.Helper()
	w := i.Call(method, path)
	if w.Code != 503 || w.Header().Get("Retry-After") != "1" ||
		!strings.Contains(w.Body.String(), api.Unavailable.Type()) {
		t.Errorf("%s %s: got %d %v %s, want 503 with Retry-After 1 and the problem %s",
			method, path, w.Code, w.Header(), w.Body, api.Unavailable.Type())
	}
}

// Want checks that a request succeeds and that the response has the given body.
func (i *Instance) Want(t *testing.T, method, path, body string) {
	t.Helper()
	if w := i.Call(method, path); w.Code != 200 || w.Body.String() != body {
		t.Errorf("%s %s: got %d %s, want 200 %s", method, path, w.Code, w.Body, body)
	}
}

// Refuse checks that a request fails with the given error and changes no data.
func (i *Instance) Refuse(t *testing.T, method, path string, want *api.Error) {
	t.Helper()
	before := i.Dump(t)
	w := i.Call(method, path)
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %.80s: got %d %v %s, error %v, want application/problem+json",
			method, path, w.Code, w.Header(), w.Body, err)
	}
	if w.Code != web.Status(want) || p.Status != w.Code || p.Type != want.Type() || p.Title != want.Title ||
		p.RequestID == "" {
		t.Errorf("%s %.80s: got %d %+v, want the problem %s", method, path, w.Code, p, want.Name)
	}
	if after := i.Dump(t); !maps.Equal(before, after) {
		t.Errorf("%s %.80s changed the data from\n%v\nto\n%v\nwant no change", method, path, before, after)
	}
}

// Dump returns the content of all shards.
func (i *Instance) Dump(t *testing.T) testredis.State {
	t.Helper()
	all := testredis.State{}
	for _, s := range i.Shards {
		maps.Copy(all, s.Dump(t))
	}
	return all
}
