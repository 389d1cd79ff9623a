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

// Once is a request with an idempotency key, and all that it was answered, however often it was sent.
type KeyedRequest struct {
	Key      string
	Parallel int                             // how many of it are sent at the same time, each time that it is sent; 0 is 1
	Retry    func(a Response, sent int) bool // whether it is sent again, when it was sent so often and is answered so; nil: never

	request   string
	mu        sync.Mutex
	responses []Response
}

// Once returns a client whose next Call is a whole row of them, all with one key. Its answer is Outcome's.
func (c *Client) WithKey(o *KeyedRequest) *Client {
	keyed := *c
	keyed.keyed = o
	return &keyed
}

// call sends the request, and again.
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

// settles tells an answer that is kept with the key: what it says holds for every other.
func isFinal(a Response) bool {
	return !a.Unknown() && a.Status != http.StatusTooManyRequests && a.Status != http.StatusBadRequest
}

// Outcome is what its sender knows of the request, as one answer from the first question on: the first that settles it, if there is
// one; else one that leaves it unknown; else that nothing was begun.
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
			a, b = b, a // it is unknown until the last
		}
		return a.Ended.Compare(b.Ended)
	})
	best.Began = slices.MinFunc(o.responses, func(a, b Response) int { return a.Began.Compare(b.Began) }).Began
	return best
}

// Lies tells what of the answers breaks the promise of the key: that all are the first one's, and that all but the one who has done it
// say that it had been done before.
func (o *KeyedRequest) Violations() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var settled []Response
	var found []string
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("%s with the key %s: %s\n%s", o.request, o.Key, fmt.Sprintf(format, args...), o.format()))
	}
	for _, a := range o.responses {
		if flaw := a.FormatViolation(); flaw != "" {
			say("%s", flaw)
		}
		if isFinal(a) {
			settled = append(settled, a)
		}
	}
	slices.SortFunc(settled, func(a, b Response) int { return a.Ended.Compare(b.Ended) })
	done := 0
	for i, a := range settled {
		first := settled[0]
		replayed := a.Header.Get(idempotency.ReplayedHeader) == "true"
		if !replayed {
			done++
		}
		switch {
		case a.Status == http.StatusUnprocessableEntity:
			say("the key was never sent with another request")
		case a.Status != first.Status || bodyWithoutRequestID(a) != bodyWithoutRequestID(first):
			say("the answers differ")
		case i > 0 && !replayed && a.Began.After(first.Ended):
			say("it had been answered, and was done again")
		}
	}
	if done > 1 {
		say("it was done %d times", done)
	}
	return found
}

// content is what an answer says, without the id of its request.
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
		fmt.Fprintf(&b, "    from %s to %s: %v, replayed: %q\n", a.Began.Format("05.000"), a.Ended.Format("05.000"), a, a.Header.Get(idempotency.ReplayedHeader))
	}
	return b.String()
}

// Replays is how many of the answers said that it had been done before.
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
