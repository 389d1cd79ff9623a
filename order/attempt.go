package main

import (
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"checkout/common/api"
)

// A client's request may be on two machines at once: the gateway passes a checkout on when a machine is silent for too long, or cuts
// the connection. Where the second one answers that the attempt is closed, and nothing can be taken any more, the first one, which was
// stopped, wakes up and finds the request that it was sent. It must not begin an attempt then, whatever has become of the
// credit and the stock since. Two things keep it from that:
//
//   - The attempts of a request have its name in them. So a machine that finds the order closed by an attempt of the request that it
//     has answers with that attempt's reason; and one that finds it paid by such an attempt, and cancelled since, that it was paid.
//   - Nothing is begun for a caller who has left (web.ClientConnected), as the gateway has before it passes a request on. That is asked after the
//     order's last attempt was read, and begin starts nothing once another has followed, so that it does not matter how long
//     the message to Redis takes. It holds, too, where the request was answered in another's name, which it had joined; where
//     others have followed it; and where it was shed.
//
// Left is what neither sees: a machine that wakes up before the end of the gateway's connection has reached it, as a virtual machine
// may that was stopped together with its kernel, and whose request was answered in one of those three ways.

// requestHeader is how the gateway names what a client has asked for, to whichever machine it sends that: 32 hexadecimal digits.
// What a caller says there is not passed on.
const requestHeader = "X-Checkout-Id"

// nameLength is how much of a request's name an attempt has in it, in bytes.
const nameLength = 8

// errLeft is the end of a checkout that was not begun, because nobody waits for it.
var errLeft = fmt.Errorf("not begun, since its caller has left: %w", api.Unavailable)

// mintAttempt returns a new attempt of a request; of one without a name, or with none that the gateway gives, one that is all random.
func mintAttempt(request string) string {
	attempt := uuid.New()
	var name [nameLength]byte
	if len(request) >= hex.EncodedLen(nameLength) {
		if _, err := hex.Decode(name[:], []byte(request[:hex.EncodedLen(nameLength)])); err == nil {
			name[6] = name[6]&0x0f | attempt[6]&0xf0 // the version stays
			copy(attempt[:], name[:])
		}
	}
	return attempt.String()
}

// ofOneRequest tells whether two attempts have the same name in them.
func ofOneRequest(a, b string) bool {
	const named = len("01234567-89ab-4def-")
	return len(a) >= named && len(b) >= named && a[:named] == b[:named]
}
