package check

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"checkout/common/once"
)

// Once is a request with an idempotency key, and all that it was answered, however often it was sent.
type Once struct {
	Key      string
	Together int                           // how many of it are sent at the same time, each time that it is sent; 0 is 1
	Again    func(a Answer, sent int) bool // whether it is sent again, when it was sent so often and is answered so; nil: never

	asked   string
	mu      sync.Mutex
	answers []Answer
}

// Once returns a client whose next Call is a whole row of them, all with one key. Its answer is Outcome's.
func (c *Client) Once(o *Once) *Client {
	keyed := *c
	keyed.once = o
	return &keyed
}

// call sends the request, and again.
func (o *Once) call(c *Client, method, path string) Answer {
	one := *c
	one.once = nil
	o.asked = method + " " + path
	for sent := 1; ; sent++ {
		var sending sync.WaitGroup
		for range max(1, o.Together) {
			sending.Go(func() {
				a := one.Call(method, path, once.Header, o.Key)
				o.mu.Lock()
				defer o.mu.Unlock()
				o.answers = append(o.answers, a)
			})
		}
		sending.Wait()
		if o.Again == nil || !o.Again(o.Outcome(), sent) {
			return o.Outcome()
		}
	}
}

// settles tells an answer that is kept with the key: what it says holds for every other.
func settles(a Answer) bool {
	return !a.Unknown() && a.Status != http.StatusTooManyRequests && a.Status != http.StatusBadRequest
}

// Outcome is what its sender knows of the request, as one answer from the first question on: the first that settles it, if there is
// one; else one that leaves it unknown; else that nothing was begun.
func (o *Once) Outcome() Answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.answers) == 0 {
		return Answer{}
	}
	rank := func(a Answer) int {
		switch {
		case settles(a):
			return 0
		case a.Unknown():
			return 1
		}
		return 2
	}
	best := slices.MinFunc(o.answers, func(a, b Answer) int {
		if by := rank(a) - rank(b); by != 0 {
			return by
		}
		if rank(a) > 0 {
			a, b = b, a // it is unknown until the last
		}
		return a.Ended.Compare(b.Ended)
	})
	best.Began = slices.MinFunc(o.answers, func(a, b Answer) int { return a.Began.Compare(b.Began) }).Began
	return best
}

// Lies tells what of the answers breaks the promise of the key: that all are the first one's, and that all but the one who has done it
// say that it had been done before.
func (o *Once) Lies() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var settled []Answer
	var found []string
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("%s with the key %s: %s\n%s", o.asked, o.Key, fmt.Sprintf(format, args...), o.tale()))
	}
	for _, a := range o.answers {
		if flaw := a.Flaw(); flaw != "" {
			say("%s", flaw)
		}
		if settles(a) {
			settled = append(settled, a)
		}
	}
	slices.SortFunc(settled, func(a, b Answer) int { return a.Ended.Compare(b.Ended) })
	done := 0
	for i, a := range settled {
		first := settled[0]
		replayed := a.Header.Get(once.ReplayedHeader) == "true"
		if !replayed {
			done++
		}
		switch {
		case a.Status == http.StatusUnprocessableEntity:
			say("the key was never sent with another request")
		case a.Status != first.Status || content(a) != content(first):
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
func content(a Answer) string {
	var fields map[string]any
	if json.Unmarshal([]byte(a.Body), &fields) != nil {
		return a.Body
	}
	delete(fields, "request_id")
	return fmt.Sprint(fields)
}

func (o *Once) tale() string {
	var b strings.Builder
	for _, a := range o.answers {
		fmt.Fprintf(&b, "    from %s to %s: %v, replayed: %q\n", a.Began.Format("05.000"), a.Ended.Format("05.000"), a, a.Header.Get(once.ReplayedHeader))
	}
	return b.String()
}

// Replays is how many of the answers said that it had been done before.
func (o *Once) Replays() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, a := range o.answers {
		if a.Header.Get(once.ReplayedHeader) == "true" {
			n++
		}
	}
	return n
}
