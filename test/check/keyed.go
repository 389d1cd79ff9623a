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

// KeyedRequest is a request with an idempotency key, and all its responses. It may be sent many times.
type KeyedRequest struct {
	Key      string
	Parallel int                             // how many copies to send at the same time; 0 is 1
	Retry    func(a Response, sent int) bool // reports whether to send again; nil: never

	request   string
	mu        sync.Mutex
	responses []Response
}

// WithKey returns a client whose next Call sends the request with a key, as often as o wants. The call returns
// o.Outcome.
func (c *Client) WithKey(o *KeyedRequest) *Client {
	keyed := *c
	keyed.keyed = o
	return &keyed
}

// send sends the request until Retry declines.
func (o *KeyedRequest) send(c *Client, method, path string) Response {
	one := *c
	one.keyed = nil
	o.request = method + " " + path
	for sent := 1; ; sent++ {
		var sending sync.WaitGroup
		for range max(1, o.Parallel) {
			sending.Go(func() {
				a := one.Call(method, path, idempotency.Header, o.Key)
				o.mu.Lock()
				defer o.mu.Unlock()
				o.responses = append(o.responses, a)
			})
		}
		sending.Wait()
		if o.Retry == nil || !o.Retry(o.Outcome(), sent) {
			return o.Outcome()
		}
	}
}

// isFinal reports whether the service stores the response with the key, so that every later response must repeat it.
func isFinal(a Response) bool {
	return !a.Unknown() && a.Status != http.StatusTooManyRequests && a.Status != http.StatusBadRequest
}

// Outcome combines the responses into one that begins with the first request: the first final response, or else the
// last unknown one, or else one that says that the request was not processed.
func (o *KeyedRequest) Outcome() Response {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.responses) == 0 {
		return Response{}
	}
	rank := func(a Response) int {
		switch {
		case isFinal(a):
			return 0
		case a.Unknown():
			return 1
		}
		return 2
	}
	best := slices.MinFunc(o.responses, func(a, b Response) int {
		if by := rank(a) - rank(b); by != 0 {
			return by
		}
		if rank(a) > 0 {
			a, b = b, a // the outcome stays unknown until the last response
		}
		return a.Ended.Compare(b.Ended)
	})
	best.Began = slices.MinFunc(o.responses, func(a, b Response) int { return a.Began.Compare(b.Began) }).Began
	return best
}

// Violations lists responses that break the promise of the key: all final responses are the same, and all but one are
// replays.
func (o *KeyedRequest) Violations() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var settled []Response
	var found []string
	report := func(format string, args ...any) {
		found = append(found,
			fmt.Sprintf("%s with the key %s: %s\n%s", o.request, o.Key, fmt.Sprintf(format, args...), o.format()))
	}
	for _, a := range o.responses {
		if violation := a.FormatViolation(); violation != "" {
			report("%s", violation)
		}
		if isFinal(a) {
			settled = append(settled, a)
		}
	}
	slices.SortFunc(settled, func(a, b Response) int { return a.Ended.Compare(b.Ended) })
	executed := 0
	for i, a := range settled {
		first := settled[0]
		replayed := a.Header.Get(idempotency.ReplayedHeader) == "true"
		if !replayed {
			executed++
		}
		switch {
		case a.Status == http.StatusUnprocessableEntity:
			report("422, but the key was used for one request only")
		case a.Status != first.Status || bodyWithoutRequestID(a) != bodyWithoutRequestID(first):
			report("the responses differ")
		case i > 0 && !replayed && a.Began.After(first.Ended):
			report("it had a response and was executed again")
		}
	}
	if executed > 1 {
		report("it was executed %d times", executed)
	}
	return found
}

// bodyWithoutRequestID formats the body of a response without the request ID.
func bodyWithoutRequestID(a Response) string {
	var fields map[string]any
	if json.Unmarshal([]byte(a.Body), &fields) != nil {
		return a.Body
	}
	delete(fields, "request_id")
	return fmt.Sprint(fields)
}

func (o *KeyedRequest) format() string {
	var b strings.Builder
	for _, a := range o.responses {
		fmt.Fprintf(&b, "    from %s to %s: %v, replayed: %q\n", a.Began.Format("05.000"), a.Ended.Format("05.000"), a,
			a.Header.Get(idempotency.ReplayedHeader))
	}
	return b.String()
}

// Replays returns the number of responses that were replays.
func (o *KeyedRequest) Replays() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, a := range o.responses {
		if a.Header.Get(idempotency.ReplayedHeader) == "true" {
			n++
		}
	}
	return n
}
