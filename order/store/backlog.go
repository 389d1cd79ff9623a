package store

import (
	"context"
	"errors"
	"time"

	"checkout/common/api"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// Due returns the IDs of at most limit undecided orders that are due on a shard.
func (s *Store) Due(ctx context.Context, shard *redis.Shard, limit int) ([]string, error) {
	return texts(shard.Run(ctx, dueScript, []string{shard.Key(undecidedKey)}, limit))
}

// Backlog describes the undecided orders and unconfirmed attempts of a shard.
type Backlog struct {
	Undecided, Unconfirmed int64           // the number of each
	Orders                 []api.Undecided // some of the undecided orders, by due time
}

// Oldest returns the age of the oldest order in b.Orders: the time since its checkout or cancellation began.
func (b Backlog) Oldest() time.Duration {
	var oldest time.Duration
	for _, o := range b.Orders {
		oldest = max(oldest, time.Duration(o.AgeMS)*time.Millisecond)
	}
	return oldest
}

// Backlog returns the backlog of a shard, with at most limit orders in Orders. Undecided also counts orders that cannot
// be read; Orders lacks them, and recovery logs them.
func (s *Store) Backlog(ctx context.Context, shard *redis.Shard, limit int) (Backlog, error) {
	reply, err := shard.Run(ctx, backlogScript, []string{shard.Key(undecidedKey), shard.Key(unconfirmedKey)}, limit)
	if err != nil {
		return Backlog{}, err
	}
	now, ids := reply.Int(0), reply.List(3)
	b := Backlog{Undecided: reply.Int(1), Unconfirmed: reply.Int(2)}
	reads := make([]*redis.Read, ids.Len())
	for i := range reads {
		reads[i] = shard.StartFields(shard.Key(orderKey(ids.String(i))), stateField, userField, deadlineField)
	}
	errs := []error{reply.Err(), ids.Err()}
	for i, read := range reads {
		order, err := read.Wait(ctx)
		if err != nil && !Unreadable(err) {
			errs = append(errs, err)
		}
		// An order without a deadline was removed or overwritten after the script ran, so it is no longer undecided.
		if err != nil || !order.Has(2) {
			continue
		}
		age := time.Duration(now-order.Int(2))*time.Millisecond + protocol.Deadline
		o := api.Undecided{
			OrderID: ids.String(i), UserID: order.String(1), Shard: shard.Index, Status: order.String(0),
			AgeMS: max(0, age.Milliseconds()),
		}
		if order.Err() == nil {
			b.Orders = append(b.Orders, o)
		}
	}
	return b, errors.Join(errs...)
}

// The function "texts" returns the strings of a reply.
func texts(reply redis.Reply, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	values := make([]string, reply.Len())
	for i := range values {
		values[i] = reply.String(i)
	}
	return values, reply.Err()
}
