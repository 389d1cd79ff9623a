package saga

import (
	"context"
	"errors"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/testredis"
)

// If a shard replies only to some commands even before a checkout begins, the checkout ends soon. If such checkouts
// waited, they would take all slots of the instance. The time budgets are an hour, so that they do not end the
// checkout.
func TestALaterCheckoutDoesNotAwaitAShardThatRepliesInPart(t *testing.T) {
	faults := map[string]string{
		"writes paused": "CLIENT PAUSE 600000 WRITE",
		"maxclients":    "CONFIG SET maxclients 2;CLIENT KILL TYPE normal SKIPME yes",
	}
	for name, commands := range refusals {
		faults[name] = commands[0]
	}
	for _, service := range []string{"order", "stock", "payment"} {
		for name, commands := range faults {
			t.Run(service+" "+name, func(t *testing.T) {
				t.Parallel()
				s := openShards(t)
				s.co.total.after, s.co.forward.after = time.Hour, time.Hour
				id, at := s.order(0), s.clusters[service].Shards()[0]
				s.do(service, commands)
				testredis.Eventually(t, "the shard has a problem", func() bool {
					// A read uses the connection for scripts, so that the instance notices a closed connection.
					at.Hash(t.Context(), at.Key("none"))
					return !at.Writable()
				})
				ended := make(chan error)
				go func() { ended <- s.co.Checkout(context.WithoutCancel(t.Context()), id, Request{}) }()
				select {
				case err := <-ended:
					if !errors.Is(err, api.Unavailable) && !errors.Is(err, api.AttemptClosed) {
						t.Errorf("checkout: got %v, want unavailable or attempt-closed", err)
					}
				case <-time.After(time.Minute):
					t.Fatal("checkout: no result after a minute, want unavailable or attempt-closed")
				}
			})
		}
	}
}

// If the order's shard does not reply before the timeout, begin returns errNoReply, and not errStillRunning.
func TestBeginWithoutAReplySaysSo(t *testing.T) {
	t.Parallel()
	s := openShards(t)
	id := s.order(0)
	s.servers["order"][0].Kill()
	ctx, cancel := context.WithTimeout(t.Context(), beginBudget/3)
	defer cancel()
	if _, err := s.co.begin(ctx, id, Request{}); !errors.Is(err, errNoReply) {
		t.Errorf("begin: got %v, want %v", err, errNoReply)
	}
}
