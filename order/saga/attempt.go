package saga

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"checkout/common/api"
	"checkout/order/store"
)

// attempt is one attempt to check an order out.
type attempt struct {
	orderID, id string
	reason      string // why the attempt was or will be closed

	user     string
	total    int64 // in minor units
	lines    []api.Line
	deadline int64 // Unix ms by Redis TIME
	notAfter int64 // the time after which refunds have no effect; Unix ms by Redis TIME

	creditReserved    time.Time   // when the coordinator sent the message to which payment replied RESERVED
	arrived           time.Time   // when the client's request arrived; zero if no client waits for the attempt
	started           time.Time   // when this coordinator began to reserve
	steps             store.Steps // durations from "started" until each reservation
	shardHangs        bool        // whether a shard of the attempt hung when the attempt was aborted
	stockHoldsNothing bool        // whether stock has nothing to release: the attempt's only stock shard has refused
}

func newAttempt(orderID string, r store.Result) *attempt {
	return &attempt{
		orderID: orderID, id: r.Attempt, reason: r.Reason,
		user: r.User, total: r.Total, lines: r.Lines, deadline: r.Deadline, notAfter: r.NotAfter,
		shardHangs: r.Reason == reasonHung,
	}
}

// credit returns the message to payment about the attempt. The message has one line: the user and the order's total.
// The message contains the order's ID, so that payment can refuse an order that the user has paid directly.
func (a *attempt) credit() api.Attempt {
	return api.Attempt{ID: a.id, Order: a.orderID, Until: a.deadline, Lines: []api.Line{{ID: a.user, Quantity: a.total}}}
}

// stock returns the message to stock about the attempt. The message has one line for each item.
func (a *attempt) stock() api.Attempt {
	return api.Attempt{ID: a.id, Until: a.deadline, Lines: a.lines}
}

// The gateway retries a checkout on another instance after a timeout, so two instances may handle one request. The
// second may respond with 4xx while the first is paused. When the first continues, it must not begin another attempt.
// Two rules prevent this; see docs/adr/0014-request-named-attempts.md:
//
//   - An attempt ID starts with the name of its request. If the order's last attempt has the same name,
//     no other attempt begins.
//   - A checkout does not begin if its client, the gateway, has disconnected.

// Request is a client's request for a checkout.
type Request struct {
	// Name is the gateway's name for the request: 32 hexadecimal digits. A retry on another instance has the same name.
	Name string
	// Connected reports whether the client is still connected. If Connected is nil, the client counts as connected.
	Connected func() bool

	arrived time.Time
}

func (r Request) connected() bool { return r.Connected == nil || r.Connected() }

// errClientDisconnected is the error of a checkout that did not begin because its client disconnected.
var errClientDisconnected = fmt.Errorf("checkout not started: client disconnected: %w", api.Unavailable)

// namedBytes is the number of bytes of a request's name at the start of an attempt ID.
const namedBytes = 8

// mintAttempt returns a new attempt ID that starts with the first namedBytes bytes of a request's name. The UUID's
// version replaces 4 bits of the name. If the name is invalid, the whole ID is random.
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

// sameRequest reports whether two attempts belong to the same request: whether their IDs start with the same name.
func sameRequest(a, b string) bool {
	const named = store.AttemptNameLength
	return len(a) >= named && len(b) >= named && a[:named] == b[:named]
}
