package participant

import (
	"context"
	"slices"
	"strconv"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/peer"
	"checkout/common/web"
)

// Client is the coordinator's HTTP client for the Reservations of a participant. Concurrent calls of one method share
// HTTP requests, but a slow shard must not delay attempts on other shards:
//   - Calls of Release share a request only if their attempts use the same shards. So do calls of Refund.
//   - Calls of Reserve share a request even if their attempts use different shards, unless a shard is slow.
type Client struct {
	peer                     *peer.Peer
	reserve, release, refund *peer.Batcher[api.Attempt, api.Outcome]
}

// NewClient returns the client of a participant.
func NewClient(p *peer.Peer) *Client {
	c := &Client{peer: p}
	c.reserve = peer.NewBatcher[api.Attempt](p, reservePath, c.group, shardHangs).ShareRequests(shardLate)
	c.release = peer.NewBatcher[api.Attempt](p, releasePath, c.group, shardHangs)
	c.refund = peer.NewBatcher[api.Attempt](p, refundPath, c.group, shardHangs)
	return c
}

func shardHangs(o api.Outcome) bool { return o.Reason == api.ShardHangs }
func shardLate(o api.Outcome) bool  { return o.Reason == api.ShardLate }

// Unavailable returns why the participant is unavailable, or "" if it is available.
func (c *Client) Unavailable() string { return c.peer.Unavailable() }

// Reserve reserves all lines of an attempt. If the outcome is api.Unknown, the caller may retry.
func (c *Client) Reserve(ctx context.Context, a api.Attempt) api.Outcome {
	return failpoint.Reply(ctx, a, "reserve", c.peer.Service(), c.reserve.Do(ctx, a))
}

// Release releases the reservations that an attempt may have. The attempt cannot reserve anything afterwards.
func (c *Client) Release(ctx context.Context, a api.Attempt) api.Outcome {
	return failpoint.Reply(ctx, a, "release", c.peer.Service(), c.release.Do(ctx, a))
}

// Refund refunds all lines of a cancelled attempt, once.
func (c *Client) Refund(ctx context.Context, a api.Attempt) api.Outcome {
	return failpoint.Reply(ctx, a, "refund", c.peer.Service(), c.refund.Do(ctx, a))
}

// Confirm sets an expiry for the records of paid and refunded attempts. The caller may retry after an error.
func (c *Client) Confirm(ctx context.Context, list []api.Confirmation) ([]api.Done, error) {
	var done []api.Done
	for part := range slices.Chunk(list, web.MaxEntries) {
		var partDone []api.Done
		if err := c.peer.Call(ctx, confirmPath, part, &partDone); err != nil {
			return nil, err
		}
		done = append(done, partDone...)
	}
	return done, failpoint.Reached(ctx, list, "confirm", c.peer.Service())
}

// group lists the shards of an attempt in a string. peer.Batcher groups attempts by this string.
func (c *Client) group(a api.Attempt) string {
	var shards []int
	for _, line := range a.Lines {
		if s := c.peer.ShardOf(line.ID); !slices.Contains(shards, s) {
			shards = append(shards, s)
		}
	}
	slices.Sort(shards)
	var name []byte
	for _, s := range shards {
		name = append(strconv.AppendInt(name, int64(s), 10), ',')
	}
	return string(name)
}
