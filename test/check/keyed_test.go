package check

import (
	"net/http"
	"strings"
	"testing"

	"checkout/common/idempotency"
)

type resps = []Response

// keyedResp returns a response to a request with an idempotency key. The request was sent at moment(from), and the
// response arrived at moment(to).
func keyedResp(from, to, status int, replayed bool, body string) Response {
	r := Response{Status: status, Body: body, Began: moment(from), Ended: moment(to), Header: http.Header{}, mayFail: true}
	r.Header.Set("Content-Type",
		map[bool]string{true: "application/json", false: "application/problem+json"}[status == 200])
	r.Header.Set("Retry-After", "1")
	if replayed {
		r.Header.Set(idempotency.ReplayedHeader, "true")
	}
	return r
}

// TestKeyedRequest checks Outcome and Violations for lists of responses to requests with the same key.
func TestKeyedRequest(t *testing.T) {
	const done = `{"done":true}`
	little := func(id string) string {
		return `{"type":"/problems/insufficient-stock","title":"too little","status":409,"request_id":"` + id + `"}`
	}
	unavailable := `{"type":"/problems/unavailable","title":"unavailable","status":503}`
	busy := `{"type":"/problems/overloaded","title":"busy","status":429}`
	for _, c := range []struct {
		name      string
		responses []Response
		outcome   int    // status of the outcome
		began     int    // the field Began of the outcome is moment(began)
		violation string // part of the violation; "" for none
	}{
		{"one response", resps{keyedResp(0, 1, 200, false, done)}, 200, 0, ""},
		{"one replay, after the gateway retried", resps{keyedResp(0, 1, 200, true, done)}, 200, 0, ""},
		{"executed, then replayed", resps{keyedResp(0, 1, 200, false, done), keyedResp(2, 3, 200, true, done)}, 200, 0, ""},
		{"executed twice",
			resps{keyedResp(0, 1, 200, false, done), keyedResp(2, 3, 200, false, done)}, 200, 0, "executed again"},
		{"executed twice concurrently", resps{keyedResp(0, 3, 200, false, done), keyedResp(1, 4, 200, false, done)},
			200, 0, "executed 2 times"},
		{"replayed, then executed", resps{keyedResp(0, 1, 200, true, done), keyedResp(2, 3, 200, false, done)},
			200, 0, "executed again"},
		{"replayed concurrently", resps{keyedResp(0, 4, 200, false, done), keyedResp(1, 3, 200, true, done)}, 200, 0, ""},
		{"different responses",
			resps{keyedResp(0, 1, 200, false, `{"order_id":"a"}`),
				keyedResp(2, 3, 200, true, `{"order_id":"b"}`)}, 200, 0, "differ"},
		{"refused, then refused", resps{keyedResp(0, 1, 409, false, little("a")), keyedResp(2, 3, 409, true, little("b"))},
			409, 0, ""},
		{"refused, then executed",
			resps{keyedResp(0, 1, 409, false, little("a")), keyedResp(2, 3, 200, false, done)}, 409, 0, "differ"},
		{"unknown, then executed", resps{keyedResp(0, 1, 503, false, unavailable), keyedResp(2, 3, 200, false, done)},
			200, 0, ""},
		{"unknown, then replayed", resps{keyedResp(0, 1, 503, false, unavailable), keyedResp(2, 3, 200, true, done)},
			200, 0, ""},
		{"executed, then unknown", resps{keyedResp(0, 1, 200, false, done), keyedResp(2, 3, 503, false, unavailable)},
			200, 0, ""},
		{"no response, then shed",
			resps{{Began: moment(1), Ended: moment(2), mayFail: true}, keyedResp(3, 4, 429, false, busy)}, 0, 1, ""},
		{"shed", resps{keyedResp(0, 1, 429, false, busy)}, 429, 0, ""},
		{"a reused key",
			resps{keyedResp(0, 1, 422, false,
				`{"type":"/problems/idempotency-key-reused","title":"reused","status":422}`)}, 422, 0, "one request only"},
		{"a malformed response", resps{keyedResp(0, 1, 200, false, "done")}, 200, 0, "200 with Content-Type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := &KeyedRequest{responses: c.responses}
			if got := k.Outcome(); got.Status != c.outcome || !got.Began.Equal(moment(c.began)) {
				t.Errorf("outcome: got status %d, began %v; want status %d, began %v",
					got.Status, got.Began, c.outcome, moment(c.began))
			}
			violations := strings.Join(k.Violations(), "\n")
			if (violations == "") != (c.violation == "") || !strings.Contains(violations, c.violation) {
				t.Errorf("violations: got %q, want a violation with %q (\"\": no violation)", violations, c.violation)
			}
		})
	}
}
