package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"checkout/common/api"
	"checkout/common/list"
	"checkout/common/protocol"
	"checkout/common/redis"
	"checkout/common/shard"
)

// maxExamined limits a query by State or Purchases. List examines at most this number of orders of each shard, and at
// most this number of orders of batch_init on all shards together.
const maxExamined = 200

// maxUndecided is the size of the largest set "undecided" that List reads. If one is larger, List searches all orders.
const maxUndecided = 1000

// Undecided is the value of Query.State that selects the orders that are RUNNING, ABORTING or REFUNDING.
const Undecided = "undecided"

// Query selects orders of a list. A field with its zero value selects every order.
type Query struct {
	User  string
	State string // a state or Undecided
	// Purchases selects the orders that a checkout has paid, whether they were cancelled later or not.
	Purchases bool
}

// The method "selects" reports whether the query selects the given order.
func (q Query) selects(o Listed) bool {
	undecided := o.State == StateRunning || o.State == StateAborting || o.State == StateRefunding
	paid := o.State == StatePaid || o.State == StateRefunding || o.State == StateCancelled
	return (q.User == "" || o.User == q.User) && (!q.Purchases || paid) &&
		(q.State == "" || q.State == o.State || q.State == Undecided && undecided)
}

// onlyUndecided reports whether the query selects only undecided orders.
func (q Query) onlyUndecided() bool {
	return slices.Contains([]string{Undecided, StateRunning, StateAborting, StateRefunding}, q.State)
}

// Listed is an order of a list.
type Listed struct {
	ID, User, State string
	Total, Pieces   int64
	Paid, Refunded  int64 // times of the payment and the refund, Unix ms by Redis TIME; 0 if there was none or if unknown
}

// listedFields has the fields that the function "listed" parses.
var listedFields = []string{
	stateField, userField, totalField, piecesField, historyField, attemptField, byField, deadlineField,
}

func listed(id string, r redis.Reply) (Listed, error) {
	o := Listed{ID: id, State: r.String(0), User: r.String(1), Total: r.Int(2), Pieces: r.Int(3)}
	if history := r.String(4); history != "" && r.Has(7) {
		events, _ := parseHistory(history, r.String(5), r.String(6), r.Int(7)-protocol.Deadline.Milliseconds())
		for _, e := range events {
			switch e.Kind {
			case EventPaid:
				o.Paid = e.At
			case EventCancelled:
				o.Refunded = e.At
			}
		}
	}
	return o, r.Err()
}

// List returns a page of orders. A page may be shorter than its limit even if more orders follow, because List examines
// a limited number of orders. The orders of batch_init come last. No index by user contains them, so a query for a user
// finds them only if it is limited to undecided orders.
//
// If the query selects only undecided orders, List reads the whole set "undecided" of each shard, because the set is
// not sorted by ID. If a set is too large for this, as in a long outage, List searches all orders instead, as it does
// for every other state.
func (s *Store) List(ctx context.Context, q Query, page list.Page) (api.List[Listed], error) {
	if q.onlyUndecided() {
		parts, err := s.listUndecided(ctx, q, page)
		if !errors.Is(err, errManyUndecided) {
			return list.Merge(parts, page.Limit), err
		}
	}
	examine := page.Limit
	if q.State != "" || q.Purchases {
		examine = maxExamined
	}
	_, afterDecimal := shard.ParseDecimal(page.After)
	var parts []list.Part[Listed]
	if !afterDecimal {
		var err error
		parts, err = s.each(func(at *redis.Shard) (list.Part[Listed], error) {
			index := ordersKey
			if q.User != "" {
				index = userPrefix + q.User
			}
			ids, err := texts(at.Run(ctx, listScript, []string{at.Key(index)}, page.After, examine+1))
			if err != nil {
				return list.Part[Listed]{}, err
			}
			return read(ctx, q, page.Limit, examine, ids, func(string) *redis.Shard { return at })
		})
		if err != nil {
			return api.List[Listed]{}, err
		}
	}
	more := slices.ContainsFunc(parts, func(p list.Part[Listed]) bool { return p.Through != "" })
	if more || q.User != "" && !q.onlyUndecided() {
		return list.Merge(parts, page.Limit), nil
	}
	decimal, err := s.listDecimal(ctx, q, page, examine)
	return list.Merge(append(parts, decimal), page.Limit), err
}

// errManyUndecided is the error of listUndecided if a shard has more than maxUndecided undecided orders.
var errManyUndecided = errors.New("too many undecided orders")

// listUndecided returns the parts of a page of undecided orders. It reads the set of undecided orders of each shard.
func (s *Store) listUndecided(ctx context.Context, q Query, page list.Page) ([]list.Part[Listed], error) {
	return s.each(func(at *redis.Shard) (list.Part[Listed], error) {
		ids, err := texts(at.Run(ctx, undecidedScript, []string{at.Key(undecidedKey)}, maxUndecided+1))
		if err == nil && len(ids) > maxUndecided {
			err = errManyUndecided
		}
		if err != nil {
			return list.Part[Listed]{}, err
		}
		slices.SortFunc(ids, list.Compare)
		ids = slices.DeleteFunc(ids, func(id string) bool { return page.After != "" && list.Compare(id, page.After) <= 0 })
		return read(ctx, q, page.Limit, maxExamined, ids, func(string) *redis.Shard { return at })
	})
}

// listDecimal returns the part of a page that has the orders of batch_init. It reads them from all shards.
func (s *Store) listDecimal(ctx context.Context, q Query, page list.Page, examine int) (list.Part[Listed], error) {
	if s.cluster.Modulus() == 0 {
		return list.Part[Listed]{}, fmt.Errorf("list orders of batch_init: shard map not loaded: %w", api.Unavailable)
	}
	next := s.cluster.Decimals()
	if after, ok := shard.ParseDecimal(page.After); ok {
		next = min(next, after)
	}
	var ids []string
	for n := next - 1; n >= 0 && len(ids) <= examine; n-- {
		ids = append(ids, shard.FormatDecimal(n))
	}
	return read(ctx, q, page.Limit, examine, ids, func(id string) *redis.Shard {
		at, _ := s.cluster.LocateOrFirst(id)
		return at
	})
}

// The method "each" calls a function for every shard concurrently, and returns the results.
func (s *Store) each(call func(*redis.Shard) (list.Part[Listed], error)) ([]list.Part[Listed], error) {
	parts, errs := make([]list.Part[Listed], len(s.Shards())), make([]error, len(s.Shards()))
	var calls sync.WaitGroup
	for i, at := range s.Shards() {
		calls.Go(func() { parts[i], errs[i] = call(at) })
	}
	calls.Wait()
	return parts, errors.Join(errs...)
}

// The function "read" loads the first orders of ids, at most "examine", and returns those that the query selects, at
// most "limit". If there are more IDs than "examine", the list continues on the next page. Unreadable orders are logged
// and skipped, so that they do not end the list.
func read(
	ctx context.Context, q Query, limit, examine int, ids []string, locate func(string) *redis.Shard,
) (part list.Part[Listed], err error) {
	more := len(ids) > examine
	ids = ids[:min(examine, len(ids))]
	reads := make([]*redis.Read, len(ids))
	for i, id := range ids {
		at := locate(id)
		if at == nil {
			return part, fmt.Errorf("order %s: locate: %w", id, api.Unavailable)
		}
		reads[i] = at.StartFields(at.Key(orderKey(id)), listedFields...)
	}
	for i, read := range reads {
		reply, waitErr := read.Wait(ctx)
		if err != nil || len(part.Entries) == limit {
			continue // wait for all reads
		}
		o, parseErr := listed(ids[i], reply)
		switch readErr := cmp.Or(waitErr, parseErr); {
		case waitErr == nil && !reply.Has(0): // there is no such order
		case Unreadable(readErr):
			slog.ErrorContext(ctx, "skip unreadable order", "order", ids[i], "error", readErr)
		case readErr != nil:
			err = readErr
		case q.selects(o):
			part.Entries = append(part.Entries, list.Entry[Listed]{ID: o.ID, Value: o})
			if len(part.Entries) == limit && (more || i+1 < len(ids)) {
				part.Through = o.ID
			}
		}
	}
	if more && part.Through == "" {
		part.Through = ids[len(ids)-1]
	}
	return part, err
}

// States returns the possible values of Query.State.
func States() []string {
	return []string{StateOpen, StateRunning, StateAborting, StatePaid, StateRefunding, StateCancelled, Undecided}
}

// ParseState returns the Query.State for a query parameter, or an error that wraps api.BadRequest.
func ParseState(state string) (string, error) {
	if !slices.Contains(States(), state) {
		return "", fmt.Errorf("state %.40q: want one of %s: %w", state, strings.Join(States(), ", "), api.BadRequest)
	}
	return state, nil
}
