package web

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
)

// idempotentServer returns a server with two idempotent routes, and the list of keys that their handler receives.
func idempotentServer() (*Server, *[]*idempotency.Key) {
	s := NewServer(false)
	var keys []*idempotency.Key
	handle := Idempotent(func(c *gin.Context, key *idempotency.Key) (string, error) {
		keys = append(keys, key)
		if key == nil {
			return "", nil
		}
		key.Replayed = strings.HasPrefix(key.Name, "old")
		if strings.HasSuffix(key.Name, "refused") {
			return "", fmt.Errorf("item 1: %w", api.InsufficientStock)
		}
		return "", nil
	})
	s.Public.POST("/add/:item/:amount", handle)
	s.Public.DELETE("/add/:item/:amount", handle)
	return s, &keys
}

func TestReplayedResponsesAreMarked(t *testing.T) {
	s, keys := idempotentServer()
	for _, c := range []struct {
		header, replayed string
		status           int
	}{
		{"", "", 200},
		{"new", "", 200},
		{`"new"`, "", 200},
		{"old", "true", 200},
		{"new-refused", "", 409},
		{"old-refused", "true", 409},
	} {
		var header []string
		if c.header != "" {
			header = []string{"Idempotency-Key", c.header}
		}
		w := send(s.Public, "POST", "/add/1/5", "", header...)
		if w.Code != c.status || w.Header().Get("Idempotent-Replayed") != c.replayed {
			t.Errorf("Idempotency-Key %q: got %d %v; want %d, Idempotent-Replayed %q",
				c.header, w.Code, w.Header(), c.status, c.replayed)
		}
	}
	if (*keys)[0] != nil {
		t.Errorf("a request without a key has the key %+v, want nil", (*keys)[0])
	}
}

// The fingerprint of a key covers the method, the route and the parameters, but not the encoding of the path.
func TestKeyFingerprintIdentifiesTheRequest(t *testing.T) {
	s, keys := idempotentServer()
	keyOf := func(method, path, header string) *idempotency.Key {
		send(s.Public, method, path, "", "Idempotency-Key", header)
		return (*keys)[len(*keys)-1]
	}
	first := keyOf("POST", "/add/1/5", "new")
	if quoted := keyOf("POST", "/add/1/5", `"new"`); first.Name != "new" || quoted.Name != "new" ||
		first.Fingerprint != quoted.Fingerprint {
		t.Errorf("got the key %+v, and %+v if quoted; want the same name and fingerprint", first, quoted)
	}
	for _, other := range []string{"POST /add/1/50", "POST /add/2/5", "POST /add/5/1", "DELETE /add/1/5"} {
		method, path, _ := strings.Cut(other, " ")
		if keyOf(method, path, "new").Fingerprint == first.Fingerprint {
			t.Errorf("%s has the fingerprint of POST /add/1/5, want a different fingerprint", other)
		}
	}
	if keyOf("POST", "/add/%31/5", "new").Fingerprint != first.Fingerprint {
		t.Error("another encoding of the path has another fingerprint, want the same fingerprint")
	}
}

// The gateway gives each DELETE request a name. A client's own key takes precedence. A malformed name is ignored, but a
// malformed key is rejected.
func TestGatewayNamesARequestWithoutAKey(t *testing.T) {
	s, keys := idempotentServer()
	name := strings.Repeat("0a", 16)
	for _, c := range []struct {
		header  []string
		want    string
		gateway bool
	}{
		{[]string{"X-Delete-Id", name}, name, true},
		{[]string{"X-Delete-Id", name, "Idempotency-Key", "K"}, "K", false},
		{[]string{"Idempotency-Key", "gateway-" + name}, "gateway-" + name, false},
		{[]string{"X-Delete-Id", "no-name"}, "", false},
	} {
		w := send(s.Public, "DELETE", "/add/1/5", "", c.header...)
		key := (*keys)[len(*keys)-1]
		name := ""
		if key != nil {
			name = key.Name
		}
		if w.Code != 200 || key.FromGateway() != c.gateway || name != c.want {
			t.Errorf("headers %q: got %d, key %+v; want 200, key %q, gateway %v", c.header, w.Code, key, c.want, c.gateway)
		}
	}
	for _, bad := range []string{"", "a b", strings.Repeat("x", 256)} {
		w := send(s.Public, "DELETE", "/add/1/5", "", "X-Delete-Id", name, "Idempotency-Key", bad)
		if p := problem(t, w); w.Code != 400 || p.Type != api.KeyMalformed.Type() {
			t.Errorf("Idempotency-Key %q: got %d %+v, want 400 idempotency-key-malformed", bad, w.Code, p)
		}
	}
}

func TestMalformedKeysAreRejected(t *testing.T) {
	s, keys := idempotentServer()
	for _, header := range []string{"", `"`, "a b", "é", strings.Repeat("x", 256)} {
		w := send(s.Public, "POST", "/add/1/5", "", "Idempotency-Key", header)
		if p := problem(t, w); w.Code != 400 || p.Type != api.KeyMalformed.Type() {
			t.Errorf("Idempotency-Key %q: got %d %+v, want 400 idempotency-key-malformed", header, w.Code, p)
		}
	}
	r := httptest.NewRequest("POST", "/add/1/5", nil)
	r.Host = "localhost"
	r.Header["Idempotency-Key"] = []string{"a", "a"}
	w := httptest.NewRecorder()
	if s.Public.ServeHTTP(w, r); problem(t, w).Type != api.KeyMalformed.Type() {
		t.Errorf("two Idempotency-Key headers: got %d %s, want 400 idempotency-key-malformed", w.Code, w.Body)
	}
	if len(*keys) != 0 {
		t.Error("the handler was called for a malformed key")
	}
}
