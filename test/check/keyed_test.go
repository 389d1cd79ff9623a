package check

import (
	"net/http"
	"strings"
	"testing"

	"checkout/common/idempotency"
)

// reply is an answer to a request with an idempotency key.
func keyedResponse(from, to, status int, replayed bool, body string) Response {
	a := Response{Status: status, Body: body, Began: moment(from), Ended: moment(to), Header: http.Header{}, mayFail: true}
	a.Header.Set("Content-Type", map[bool]string{true: "application/json", false: "application/problem+json"}[status == 200])
	a.Header.Set("Retry-After", "1")
	if replayed {
		a.Header.Set(idempotency.ReplayedHeader, "true")
	}
	return a
}

// TestOnce shows which answers to one request keep the promise of its key, and what its sender knows by them.
func TestKeyedRequest(t *testing.T) {
	const done = `{"done":true}`
	little := func(id string) string {
		return `{"type":"/problems/insufficient-stock","title":"too little","status":409,"request_id":"` + id + `"}`
	}
	away, busy := `{"type":"/problems/unavailable","title":"away","status":503}`, `{"type":"/problems/overloaded","title":"busy","status":429}`
	for _, c := range []struct {
		name    string
		answers []Response
		outcome int    // status
		began   int    // of the outcome
		lie     string // none if empty
	}{
		{"answered", []Response{keyedResponse(0, 1, 200, false, done)}, 200, 0, ""},
		{"passed on by the gateway", []Response{keyedResponse(0, 1, 200, true, done)}, 200, 0, ""},
		{"sent again", []Response{keyedResponse(0, 1, 200, false, done), keyedResponse(2, 3, 200, true, done)}, 200, 0, ""},
		{"done again", []Response{keyedResponse(0, 1, 200, false, done), keyedResponse(2, 3, 200, false, done)}, 200, 0, "was done again"},
		{"done twice at the same moment", []Response{keyedResponse(0, 3, 200, false, done), keyedResponse(1, 4, 200, false, done)}, 200, 0, "done 2 times"},
		{"done before, and again", []Response{keyedResponse(0, 1, 200, true, done), keyedResponse(2, 3, 200, false, done)}, 200, 0, "was done again"},
		{"at the same moment", []Response{keyedResponse(0, 4, 200, false, done), keyedResponse(1, 3, 200, true, done)}, 200, 0, ""},
		{"another answer", []Response{keyedResponse(0, 1, 200, false, `{"order_id":"a"}`), keyedResponse(2, 3, 200, true, `{"order_id":"b"}`)}, 200, 0, "differ"},
		{"refused, and refused", []Response{keyedResponse(0, 1, 409, false, little("a")), keyedResponse(2, 3, 409, true, little("b"))}, 409, 0, ""},
		{"refused, and done", []Response{keyedResponse(0, 1, 409, false, little("a")), keyedResponse(2, 3, 200, false, done)}, 409, 0, "differ"},
		{"unknown, then known", []Response{keyedResponse(0, 1, 503, false, away), keyedResponse(2, 3, 200, false, done)}, 200, 0, ""},
		{"unknown, then known to be done before", []Response{keyedResponse(0, 1, 503, false, away), keyedResponse(2, 3, 200, true, done)}, 200, 0, ""},
		{"known, then unknown", []Response{keyedResponse(0, 1, 200, false, done), keyedResponse(2, 3, 503, false, away)}, 200, 0, ""},
		{"no answer, then shed", []Response{{Began: moment(1), Ended: moment(2), mayFail: true}, keyedResponse(3, 4, 429, false, busy)}, 0, 1, ""},
		{"shed", []Response{keyedResponse(0, 1, 429, false, busy)}, 429, 0, ""},
		{"a key of another request", []Response{keyedResponse(0, 1, 422, false, `{"type":"/problems/idempotency-key-reused","title":"reused","status":422}`)}, 422, 0, "another request"},
		{"an answer out of form", []Response{keyedResponse(0, 1, 200, false, "done")}, 200, 0, "200 as"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &KeyedRequest{responses: c.answers}
			if got := o.Outcome(); got.Status != c.outcome || !got.Began.Equal(moment(c.began)) {
				t.Errorf("outcome %d from %v", got.Status, got.Began)
			}
			lies := strings.Join(o.Violations(), "\n")
			if (lies == "") != (c.lie == "") || !strings.Contains(lies, c.lie) {
				t.Errorf("lies: %s", lies)
			}
		})
	}
}
