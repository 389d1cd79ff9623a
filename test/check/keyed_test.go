package check

import (
	"net/http"
	"strings"
	"testing"

	"checkout/common/idempotency"
)

type resps = []Response

// keyedResp is a response to a request with an idempotency key.
func keyedResp(from, to, status int, replayed bool, body string) Response {
	a := Response{Status: status, Body: body, Began: moment(from), Ended: moment(to), Header: http.Header{}, mayFail: true}
	a.Header.Set("Content-Type",
		map[bool]string{true: "application/json", false: "application/problem+json"}[status == 200])
	a.Header.Set("Retry-After", "1")
	if replayed {
		a.Header.Set(idempotency.ReplayedHeader, "true")
	}
	return a
}

// TestKeyedRequest checks which responses keep the promise of the key, and the outcome that they give.
func TestKeyedRequest(t *testing.T) {
	const done = `{"done":true}`
	little := func(id string) string {
		return `{"type":"/problems/insufficient-stock","title":"too little","status":409,"request_id":"` + id + `"}`
	}
	away := `{"type":"/problems/unavailable","title":"away","status":503}`
	busy := `{"type":"/problems/overloaded","title":"busy","status":429}`
	for _, c := range []struct {
		name      string
		responses []Response
		outcome   int    // status
		began     int    // of the outcome
		violation string // "": none
	}{
		{"one response", resps{keyedResp(0, 1, 200, false, done)}, 200, 0, ""},
		{"retried by the gateway", resps{keyedResp(0, 1, 200, true, done)}, 200, 0, ""},
		{"sent again", resps{keyedResp(0, 1, 200, false, done), keyedResp(2, 3, 200, true, done)}, 200, 0, ""},
		{"executed again",
			resps{keyedResp(0, 1, 200, false, done), keyedResp(2, 3, 200, false, done)}, 200, 0, "was executed again"},
		{"executed twice at the same moment", resps{keyedResp(0, 3, 200, false, done), keyedResp(1, 4, 200, false, done)},
			200, 0, "executed 2 times"},
		{"replayed, then executed", resps{keyedResp(0, 1, 200, true, done), keyedResp(2, 3, 200, false, done)},
			200, 0, "was executed again"},
		{"at the same moment", resps{keyedResp(0, 4, 200, false, done), keyedResp(1, 3, 200, true, done)}, 200, 0, ""},
		{"different responses",
			resps{keyedResp(0, 1, 200, false, `{"order_id":"a"}`),
				keyedResp(2, 3, 200, true, `{"order_id":"b"}`)}, 200, 0, "differ"},
		{"refused, then refused", resps{keyedResp(0, 1, 409, false, little("a")), keyedResp(2, 3, 409, true, little("b"))},
			409, 0, ""},
		{"refused, then executed",
			resps{keyedResp(0, 1, 409, false, little("a")), keyedResp(2, 3, 200, false, done)}, 409, 0, "differ"},
		{"unknown, then known", resps{keyedResp(0, 1, 503, false, away), keyedResp(2, 3, 200, false, done)},
			200, 0, ""},
		{"unknown, then replayed", resps{keyedResp(0, 1, 503, false, away), keyedResp(2, 3, 200, true, done)},
			200, 0, ""},
		{"known, then unknown", resps{keyedResp(0, 1, 200, false, done), keyedResp(2, 3, 503, false, away)},
			200, 0, ""},
		{"no response, then shed",
			resps{{Began: moment(1), Ended: moment(2), mayFail: true}, keyedResp(3, 4, 429, false, busy)}, 0, 1, ""},
		{"shed", resps{keyedResp(0, 1, 429, false, busy)}, 429, 0, ""},
		{"a reused key",
			resps{keyedResp(0, 1, 422, false,
				`{"type":"/problems/idempotency-key-reused","title":"reused","status":422}`)}, 422, 0, "one request only"},
		{"a malformed response", resps{keyedResp(0, 1, 200, false, "done")}, 200, 0, "200 as"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &KeyedRequest{responses: c.responses}
			if got := o.Outcome(); got.Status != c.outcome || !got.Began.Equal(moment(c.began)) {
				t.Errorf("outcome %d from %v", got.Status, got.Began)
			}
			found := strings.Join(o.Violations(), "\n")
			if (found == "") != (c.violation == "") || !strings.Contains(found, c.violation) {
				t.Errorf("violations: %s", found)
			}
		})
	}
}
