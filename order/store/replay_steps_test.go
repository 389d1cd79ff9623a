package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/test/model"
)

// The constant "past" is a time that has passed on every clock.
const past = 1

// callOrder runs a script of the saga.
func (r *replay) callOrder(step model.Step) (model.Code, error) {
	if err := r.setLease(step); err != nil {
		return "", err
	}
	attempt := r.attempts[step.Attempt]
	var stock, credit []int
	if len(r.before.Cart) > 0 {
		credit = []int{0}
	}
	for _, shard := range r.before.Cart {
		stock = append(stock, shard-1)
	}
	var got Result
	var err error
	switch step.Script {
	case model.Begin:
		got, err = r.store.Begin(r.ctx, replayOrder, attempt, r.attempts[step.After])
	case model.Claim:
		if r.orphan {
			dead := Orphan{ID: replayOrder, by: "dead"}
			got, err = r.store.ClaimOrphan(r.ctx, r.store.Shards()[0], dead, 2500*time.Millisecond)
		} else {
			got, err = r.store.Claim(r.ctx, r.store.Shards()[0], replayOrder, 2500*time.Millisecond)
		}
	case model.Commit:
		got, err = r.store.Commit(r.ctx, replayOrder, attempt, stock, credit, Steps{Credit: time.Millisecond})
	case model.Refuse:
		got, err = r.store.Refuse(r.ctx, replayOrder, attempt, "refused")
	case model.Abort:
		got, err = r.store.Abort(r.ctx, replayOrder, attempt, "aborted", Steps{})
	case model.Close:
		got, err = r.store.Close(r.ctx, replayOrder, attempt)
	case model.Cancel:
		got, err = r.store.Cancel(r.ctx, replayOrder, attempt)
	case model.MarkCancelled:
		got, err = r.store.Cancelled(r.ctx, replayOrder, attempt, stock, credit)
	}
	if err != nil {
		return "", err
	}
	if err := r.checkResult(step, got); err != nil {
		return "", err
	}
	return orderCode(step, got), nil
}

// setLease makes the lease of an undecided order valid or expired, as in the model. It also makes the order due in the
// work list (the set "undecided").
func (r *replay) setLease(step model.Step) error {
	if !r.before.Undecided || step.Script != model.Begin && step.Script != model.Claim {
		return nil
	}
	shard := r.store.Shards()[0]
	lease := time.Now().Add(time.Hour).UnixMilli()
	p := r.client.Pipeline()
	if step.LeaseExpired {
		lease = past
	}
	// An expired lease of the model stands for two cases on a real server: the time of the lease has passed, or the
	// order's instance is dead. Claims alternate between these two cases.
	if r.orphan = step.Script == model.Claim && step.LeaseExpired && !r.orphan; r.orphan {
		lease = time.Now().Add(time.Hour).UnixMilli()
		p.HSet(r.ctx, shard.Key(orderKey(replayOrder)), "by", "dead")
	}
	p.HSet(r.ctx, shard.Key(orderKey(replayOrder)), "lease", lease)
	p.ZAdd(r.ctx, shard.Key(undecidedKey), redis.Z{Score: past, Member: replayOrder})
	_, err := p.Exec(r.ctx)
	return err
}

// orderCodes maps the codes of scripts to those of the model. See orderCode for the exceptions.
var orderCodes = map[Code]model.Code{
	CodeNotFound: model.NotFound, CodeStarted: model.Started, CodeStale: model.Stale, CodeResumed: model.Resumed,
	CodeBusy: model.Busy, CodeRunning: model.Running, CodeAborting: model.Aborting, CodeClosed: model.Closed,
	CodePaid: model.Paid, CodeRefunding: model.Refunding, CodeCancelled: model.Cancelled,
}

// orderCode returns the code of the model for a result. The scripts return the same number for CLOSED and OPEN. The
// number means OPEN if the step is not about the last attempt of the order. But "close" always returns CLOSED.
func orderCode(step model.Step, got Result) model.Code {
	switch {
	case step.Script == model.Claim && got.Code == CodeNotFound:
		return model.Nothing
	case got.Code == CodeClosed && step.Script != model.Close && step.Then.Attempt != step.Attempt:
		return model.Open
	}
	return orderCodes[got.Code]
}

// checkResult checks a result except its code, and stores its deadline or not-after time for later messages.
func (r *replay) checkResult(step model.Step, got Result) error {
	if got.Attempt != "" && got.Attempt != r.attempts[step.Then.Attempt] {
		return fmt.Errorf("got attempt %q, want index %d in %q", got.Attempt, step.Then.Attempt, r.attempts)
	}
	if hasWork(step.Script, got.Code) {
		var cart []int
		for _, line := range got.Lines {
			item, _ := strconv.Atoi(line.ID)
			cart = append(cart, item+1)
		}
		slices.Sort(cart)
		if want := step.Then.Cart; !slices.Equal(cart, want) || got.User != replayUser ||
			got.Total != int64(len(want)*replayPrice) {
			return fmt.Errorf("got %+v; want user 0, price 1 and each item in %v (ID + 1)", got, want)
		}
		if step.Then.Order == StateRefunding {
			r.notAfters[step.Then.Attempt] = got.NotAfter
		} else {
			r.deadlines[step.Then.Attempt] = got.Deadline
		}
	}
	if step.Script == model.Refuse && got.Code == CodeClosed && r.before.Order == StateRunning {
		r.reasons[step.Attempt] = []string{"refused"}
	}
	if step.Script == model.Abort && r.before.Order == StateRunning && step.Then.Order == StateAborting {
		r.reasons[step.Attempt] = []string{"aborted"}
	}
	if got.Code == CodeClosed && got.Attempt != "" && !slices.Contains(r.reasons[step.Then.Attempt], got.Reason) {
		return fmt.Errorf("attempt %d is closed with reason %q, want one of %q",
			step.Then.Attempt, got.Reason, r.reasons[step.Then.Attempt])
	}
	return nil
}

// hasWork reports whether a result contains what a coordinator needs to continue.
func hasWork(script model.Script, c Code) bool {
	switch script {
	case model.Begin:
		return c == CodeStarted || c == CodeResumed || c == CodeAborting
	case model.Claim:
		return c != CodeNotFound
	case model.Cancel:
		return c == CodeRefunding
	}
	return false
}

// callParticipant sends a message about one attempt to one shard. If the deadline or not-after time has passed on that
// shard in the model, the message contains a time in the past.
func (r *replay) callParticipant(step model.Step) (model.Code, error) {
	store, line, at := r.payment, api.Line{ID: replayUser, Quantity: 1}, 0
	if step.Shard > 0 {
		store, line, at = r.stock, api.Line{ID: strconv.Itoa(step.Shard - 1), Quantity: 1}, step.Shard-1
	}
	before := r.before.Attempts[step.Attempt-1]
	deadline, notAfter := r.deadlines[step.Attempt], r.notAfters[step.Attempt]
	if before.Records[step.Shard].DeadlinePassed {
		deadline = past
	}
	if before.Refunds[step.Shard].DeadlinePassed {
		notAfter = past
	}
	attempt := api.Attempt{ID: r.attempts[step.Attempt], Until: deadline, Lines: []api.Line{line}, Wait: step.Waits}
	var outcomes []api.Outcome
	switch step.Script {
	case model.Reserve:
		outcomes = store.Reserve(r.ctx, []api.Attempt{attempt})
	case model.Release:
		outcomes = store.Release(r.ctx, []api.Attempt{attempt})
	case model.Refund:
		attempt.Until = notAfter
		outcomes = store.Refund(r.ctx, []api.Attempt{attempt})
	case model.Confirm, model.ConfirmRefund:
		confirmation := api.Confirmation{Record: attempt.ID, Until: r.deadlines[step.Attempt], Shards: []int{at}}
		if step.Script == model.ConfirmRefund {
			confirmation.Record, confirmation.Until = attempt.ID+":refund", r.notAfters[step.Attempt]
		}
		if done := store.Confirm(r.ctx, []api.Confirmation{confirmation}); !done[0].OK {
			return "", fmt.Errorf("confirm: got an unknown outcome, want OK")
		}
		return model.Done, nil
	}
	return participantCodes[outcomes[0].Code], nil
}

var participantCodes = map[api.Code]model.Code{
	api.Reserved: model.Reserved, api.Refused: model.Refused, api.Released: model.Released, api.Expired: model.Expired,
	api.Refunded: model.Refunded, api.Short: model.Short,
}

// read reads all data that the step may have changed: the data of one server. It updates r.stored.
func (r *replay) read(step model.Step) error {
	switch step.Script {
	case model.Reserve, model.Release, model.Refund, model.Confirm, model.ConfirmRefund,
		model.RivalTakes, model.RivalReturns, model.RecordExpires, model.RefundExpires:
		return r.readParticipant(step.Shard)
	case model.Mint:
		return nil
	}
	return r.readOrder()
}

func (r *replay) readOrder() error {
	shard, p := r.store.Shards()[0], r.client.Pipeline()
	order := p.HGetAll(r.ctx, shard.Key(orderKey(replayOrder)))
	undecided := p.ZScore(r.ctx, shard.Key(undecidedKey), replayOrder)
	unconfirmed := p.ZRange(r.ctx, shard.Key(unconfirmedKey), 0, -1)
	if _, err := p.Exec(r.ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	got, fields := &r.stored, order.Val()
	got.Order, got.Attempt = fields[stateField], slices.Index(r.attempts, fields[attemptField])
	got.Undecided, got.Cart = undecided.Err() == nil, nil
	for item, at := range []int{1, 2} {
		if fields[itemField+strconv.Itoa(item)] == "1@1" {
			got.Cart = append(got.Cart, at)
		}
	}
	for i, name := range r.attempts[1:] {
		has := func(record string) bool {
			of := func(entry string) bool { return strings.HasPrefix(entry, record+" ") }
			return slices.ContainsFunc(unconfirmed.Val(), of)
		}
		got.Attempts[i].Unconfirmed, got.Attempts[i].RefundUnconfirmed = has(name), has(name+":refund")
	}
	return nil
}

func (r *replay) readParticipant(at int) error {
	p := r.participant(at).Pipeline()
	free := p.Get(r.ctx, r.counters[at])
	var codes []*redis.StringCmd
	var ttls []*redis.DurationCmd
	for _, name := range r.attempts[1:] {
		for _, key := range []string{r.records[at] + name, r.records[at] + name + ":refund"} {
			codes = append(codes, p.GetRange(r.ctx, key, 0, 0))
			ttls = append(ttls, p.PTTL(r.ctx, key))
		}
	}
	if _, err := p.Exec(r.ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	n, err := free.Int()
	r.stored.Free[at] = n
	for i := range r.stored.Attempts {
		a := &r.stored.Attempts[i]
		a.Records[at], a.Refunds[at] = record(codes[2*i], ttls[2*i]), record(codes[2*i+1], ttls[2*i+1])
	}
	return err
}

// compare compares all stored data with the model.
func (r *replay) compare(want model.Snapshot) error {
	for i := range r.stored.Attempts {
		for at := range r.counters {
			complete(&r.stored.Attempts[i].Records[at], want.Attempts[i].Records[at])
			complete(&r.stored.Attempts[i].Refunds[at], want.Attempts[i].Refunds[at])
		}
	}
	if !reflect.DeepEqual(r.stored, want) {
		return fmt.Errorf("stored: %+v\nwant:   %+v", r.stored, want)
	}
	return nil
}

// The function "record" returns a stored record in the form of the model, or the zero value if there is none.
func record(code *redis.StringCmd, ttl *redis.DurationCmd) model.Record {
	n, err := code.Int()
	if err != nil {
		return model.Record{}
	}
	return model.Record{Code: participantCodes[api.Code(n)], HasTTL: ttl.Val() > 0}
}

// complete copies DeadlinePassed from the model if no record is stored: Redis does not store whether the deadline has
// passed. With a record, the model does not set DeadlinePassed.
func complete(got *model.Record, want model.Record) {
	if got.Code == model.Nothing {
		got.DeadlinePassed = want.DeadlinePassed
	}
}
