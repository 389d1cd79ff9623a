package check

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"checkout/common/idempotency"
)

// KeyedRequest is a request with an idempotency key, and the responses to all of its copies.
type KeyedRequest struct {
	Key      string
	Parallel int // number of copies to send concurrently in each round; 0 means 1

	// Retry, if set, reports whether to send another round. Its arguments are the outcome and the number of rounds so
	// far.
	Retry func(r Response, sent int) bool

	request   string
	mu        sync.Mutex
	responses []Response
}

// WithKey returns a client whose next Call sends the request with the key of k. Call sends the request again
// while k.Retry returns true, and returns k.Outcome.
func (c *Client) WithKey(k *KeyedRequest) *Client {
	keyed := *c
	keyed.keyed = k
	return &keyed
}

// send sends the request until Retry returns false.
func (k *KeyedRequest) send(c *Client, method, path string) Response {
	client := *c
	client.keyed = nil
	k.request = method + " " + path
	for sent := 1; ; sent++ {
		var sending sync.WaitGroup
		for range max(1, k.Parallel) {
			sending.Go(func() {
				r := client.Call(method, path, idempotency.Header, k.Key)
				k.mu.Lock()
				defer k.mu.Unlock()
				k.responses = append(k.responses, r)
			})
		}
		sending.Wait()
		if k.Retry == nil || !k.Retry(k.Outcome(), sent) {
			return k.Outcome()
		}
	}
}

// isFinal reports whether a response is final: 200 or 4xx, except 400 and 429, which the service does not store with
// the key. All final responses must be the same.
func isFinal(r Response) bool {
	return !r.Unknown() && r.Status != http.StatusTooManyRequests && r.Status != http.StatusBadRequest
}

// Outcome combines the responses into one. The result is the first final response. Without a final response, it is the
// last unknown response. Without an unknown response, it is the last response. The field Began of the result is the
// time of the first request.
func (k *KeyedRequest) Outcome() Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.responses) == 0 {
		return Response{}
	}
	rank := func(r Response) int {
		switch {
		case isFinal(r):
			return 0
		case r.Unknown():
			return 1
		}
		return 2
	}
	best := slices.MinFunc(k.responses, func(a, b Response) int {
		if by := rank(a) - rank(b); by != 0 {
			return by
		}
		if rank(a) > 0 {
			a, b = b, a // without a final response, choose the last response
		}
		return a.Ended.Compare(b.Ended)
	})
	best.Began = slices.MinFunc(k.responses, func(a, b Response) int { return a.Began.Compare(b.Began) }).Began
	return best
}

// Violations lists the responses that break the promise of an idempotency key, or have the wrong format. The promise is
// that the request is executed at most once, and that all final responses are the same.
func (k *KeyedRequest) Violations() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var final []Response
	var violations []string
	report := func(format string, args ...any) {
		violations = append(violations,
			fmt.Sprintf("%s with idempotency key %s: %s\n%s", k.request, k.Key, fmt.Sprintf(format, args...), k.format()))
	}
	for _, r := range k.responses {
		if violation := r.FormatViolation(); violation != "" {
			report("%s", violation)
		}
		if isFinal(r) {
			final = append(final, r)
		}
	}
	slices.SortFunc(final, func(a, b Response) int { return a.Ended.Compare(b.Ended) })
	executed := 0
	for i, r := range final {
		first := final[0]
		replayed := r.Header.Get(idempotency.ReplayedHeader) == "true"
		if !replayed {
			executed++
		}
		switch {
		case r.Status == http.StatusUnprocessableEntity:
			report("got 422, but the key was used for one request only")
		case r.Status != first.Status || bodyWithoutRequestID(r) != bodyWithoutRequestID(first):
			report("the responses differ")
		case i > 0 && !replayed && r.Began.After(first.Ended):
			report("the request was executed again after its first response")
		}
	}
	if executed > 1 {
		report("the request was executed %d times", executed)
	}
	return violations
}

// bodyWithoutRequestID formats the body of a response, except for the request ID.
func bodyWithoutRequestID(r Response) string {
	var fields map[string]any
	if json.Unmarshal([]byte(r.Body), &fields) != nil {
		return r.Body
	}
	delete(fields, "request_id")
	return fmt.Sprint(fields)
}

func (k *KeyedRequest) format() string {
	var b strings.Builder
	for _, r := range k.responses {
		fmt.Fprintf(&b, "    from %s to %s: %v, replayed: %q\n", r.Began.Format("05.000"), r.Ended.Format("05.000"), r,
			r.Header.Get(idempotency.ReplayedHeader))
	}
	return b.String()
}

// Replays returns the number of responses that were replays.
func (k *KeyedRequest) Replays() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, r := range k.responses {
		if r.Header.Get(idempotency.ReplayedHeader) == "true" {
			n++
		}
	}
	return n
}
