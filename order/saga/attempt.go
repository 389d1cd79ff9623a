package saga

import (
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"checkout/common/api"
	"checkout/order/store"
)

// attempt is one attempt to check an order out, as its coordinator knows it.
type attempt struct {
	orderID, id string
	reason      string // why it is closed, or will be

	user     string
	total    int64 // in minor units
	lines    []api.Line
	deadline int64 // Unix ms by Redis TIME
	notAfter int64 // time after which refunds are too late, Unix ms by Redis TIME

	stockHoldsNothing bool // stock's only shard has recorded a refusal, and will never hold anything for the attempt
}

func newAttempt(orderID string, r store.Result) *attempt {
	return &attempt{
		orderID: orderID, id: r.Attempt, reason: r.Reason,
		user: r.User, total: r.Total, lines: r.Lines, deadline: r.Deadline, notAfter: r.NotAfter,
	}
}

// credit is the attempt as payment sees it: one counter, the user's.
func (a *attempt) credit() api.Attempt {
	return api.Attempt{ID: a.id, Until: a.deadline, Lines: []api.Line{{ID: a.user, Quantity: a.total}}}
}

// stock is the attempt as stock sees it: one counter for each item.
func (a *attempt) stock() api.Attempt {
	return api.Attempt{ID: a.id, Until: a.deadline, Lines: a.lines}
}

// The gateway retries a checkout on another instance after a timeout, so two instances may handle one request. If the
// second instance reports that the attempt is closed, the first one, which was stopped and resumes, must not begin
// another attempt. Two things prevent that: an attempt contains the name of its request, and a checkout does not begin
// if its caller has disconnected. See docs/adr/0014-request-named-attempts.md.

// Request is a client's request for a checkout.
type Request struct {
	// Name is the gateway's name for the request, the same for every instance that it sends the request to: 32 hexadecimal
	// digits.
	Name string
	// Connected reports whether the caller still waits. nil means that it does.
	Connected func() bool
}

func (r Request) connected() bool { return r.Connected == nil || r.Connected() }

// errDisconnected is the result of a checkout that has not begun because its caller has disconnected.
var errDisconnected = fmt.Errorf("not begun, the caller has disconnected: %w", api.Unavailable)

// namedBytes is how many bytes of a request's name its attempts contain.
const namedBytes = 8

// mintAttempt returns a new attempt of a request. If the request has no valid name, the attempt is all random.
func mintAttempt(request string) string {
	attempt := uuid.New()
	var name [namedBytes]byte
	if len(request) >= hex.EncodedLen(namedBytes) {
		if _, err := hex.Decode(name[:], []byte(request[:hex.EncodedLen(namedBytes)])); err == nil {
			name[6] = name[6]&0x0f | attempt[6]&0xf0 // keeps the UUID's version
			copy(attempt[:], name[:])
		}
	}
	return attempt.String()
}

// sameRequest reports whether two attempts contain the same request's name.
func sameRequest(a, b string) bool {
	const named = len("01234567-89ab-4def-")
	return len(a) >= named && len(b) >= named && a[:named] == b[:named]
}
