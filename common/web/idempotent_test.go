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

// A handler is given the key, with what tells its request from others; a header that is no key is refused before anything begins.
func TestOnce(t *testing.T) {
	d := NewServer(false)
	var got []*idempotency.Key
	handle := Idempotent(func(c *gin.Context, key *idempotency.Key) (string, error) {
		got = append(got, key)
		if key == nil {
			return "", nil
		}
		key.Replayed = strings.HasPrefix(key.Name, "old")
		if strings.HasSuffix(key.Name, "refused") {
			return "", fmt.Errorf("item 1: %w", api.InsufficientStock)
		}
		return "", nil
	})
	d.Public.POST("/add/:item/:amount", handle)
	d.Public.DELETE("/add/:item/:amount", handle)
	for _, c := range []struct {
		header, replayed string
		status           int
	}{
		{"", "", 200}, {"new", "", 200}, {`"new"`, "", 200}, {"old", "true", 200}, {"new-refused", "", 409}, {"old-refused", "true", 409},
	} {
		var header []string
		if c.header != "" {
			header = []string{"Idempotency-Key", c.header}
		}
		w := send(d.Public, "POST", "/add/1/5", "", header...)
		if w.Code != c.status || w.Header().Get("Idempotent-Replayed") != c.replayed {
			t.Errorf("%q: %d %v", c.header, w.Code, w.Header())
		}
	}
	if got[0] != nil || got[1].Name != "new" || got[2].Name != "new" || got[1].Fingerprint != got[2].Fingerprint {
		t.Errorf("got %+v %+v %+v", got[0], got[1], got[2])
	}
	for _, other := range []string{"POST /add/1/50", "POST /add/2/5", "POST /add/5/1", "DELETE /add/1/5"} {
		method, path, _ := strings.Cut(other, " ")
		send(d.Public, method, path, "", "Idempotency-Key", "new")
		if key := got[len(got)-1]; key.Fingerprint == got[1].Fingerprint {
			t.Errorf("%s passes for POST /add/1/5", other)
		}
	}
	if send(d.Public, "POST", "//add//%31/5", "", "Idempotency-Key", "new"); got[len(got)-1].Fingerprint != got[1].Fingerprint {
		t.Error("another spelling of the path is another request")
	}

	ran := len(got)
	for _, header := range []string{"", `"`, "a b", "é", strings.Repeat("x", 256)} {
		w := send(d.Public, "POST", "/add/1/5", "", "Idempotency-Key", header)
		if p := problem(t, w); w.Code != 400 || p.Type != api.KeyMalformed.Type() {
			t.Errorf("%q: %d %+v", header, w.Code, p)
		}
	}
	r := httptest.NewRequest("POST", "/add/1/5", nil)
	r.Header["Idempotency-Key"] = []string{"a", "a"}
	w := httptest.NewRecorder()
	if d.Public.ServeHTTP(w, r); problem(t, w).Type != api.KeyMalformed.Type() {
		t.Errorf("two headers: %d %s", w.Code, w.Body)
	}
	if len(got) != ran {
		t.Error("what was refused has run")
	}
}
