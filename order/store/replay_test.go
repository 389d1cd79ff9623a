package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/participant"
	"checkout/common/testredis"
	"checkout/test/model"
)

// The tests in test/model explore the model of the protocol exhaustively. The replay in this file runs random walks of
// the model on the real scripts. After each step, the reply and all stored data must equal those of the model. So the
// scripts have the properties of the model, as far as the walks reach.

// The objects of a walk. The IDs are decimal, so that batch_init can overwrite the order.
const (
	replayOrder = "0"
	replayUser  = "0"
	replayPrice = 1
)

// replay runs one random walk of the model on real Redis servers, one for each shard.
type replay struct {
	t              *testing.T
	ctx            context.Context
	client         *redis.Client
	store          *Store
	stock, payment *participant.Reservations
	servers        []*testredis.Server // the order shard, then the participant shards by their number in the model
	counters       []string            // keys, by number of the participant shard in the model
	records        []string            // key prefixes, by number of the participant shard in the model
	attempts       []string            // IDs, by number of the attempt in the model, from 1; index 0 is ""
	deadlines      []int64             // by attempt, Unix ms
	notAfters      []int64             // by attempt, Unix ms
	reasons        [][]string          // by attempt: possible reasons why the attempt was closed
	orphan         bool                // whether the last claim was for an order of a dead instance
	before         model.Snapshot
	stored         model.Snapshot // what the servers stored when they were last read
}

func TestScriptsBehaveLikeTheModel(t *testing.T) {
	const walks, steps = 250, 80
	var servers []*testredis.Server
	for range 4 {
		server := testredis.Start(t)
		if err := server.Client.ConfigSet(t.Context(), "appendfsync", "no").Err(); err != nil { // the server never crashes
			t.Fatal(err)
		}
		servers = append(servers, server)
	}
	config := env.Redis{Durable: env.Unchecked}
	orders := testredis.ConnectWith(t, config, "order", servers[:1], Scripts)
	payment := testredis.ConnectWith(t, config, "payment", servers[1:2], participant.Scripts)
	stock := testredis.ConnectWith(t, config, "stock", servers[2:], participant.Scripts)
	m := model.Model{Config: model.Config{Attempts: 3, StockShards: 2, Cancel: true, Edits: true, Remove: true,
		Rivals: true, Retried: true, Reset: model.ResetQuiet}}
	seen := map[string]bool{}
	for _, wild := range []bool{false, true} {
		for walk := range walks {
			r := &replay{t: t, ctx: t.Context(), servers: servers, client: servers[0].Client, store: New(orders),
				stock: participant.NewReservations(stock, "i:"), payment: participant.NewReservations(payment, "u:"),
				counters: []string{payment.Shards()[0].Key("u:0"), stock.Shards()[0].Key("i:0"), stock.Shards()[1].Key("i:1")},
				records:  []string{payment.Shards()[0].Key("r:"), stock.Shards()[0].Key("r:"), stock.Shards()[1].Key("r:")},
			}
			r.start(m.Attempts)
			var done []string
			for _, step := range m.Walk(rand.New(rand.NewPCG(20261123, uint64(walk))), steps, wild) {
				done = append(done, fmt.Sprintf("%s -> %s", step, step.Code))
				seen[fmt.Sprintf("%s %s", step.Script, step.Code)] = true
				if err := r.step(step); err != nil {
					t.Fatalf("walk %d (wild: %v): %v; steps:\n%s", walk, wild, err, strings.Join(done, "\n"))
				}
			}
		}
	}
	for _, want := range replayed {
		script, codes, _ := strings.Cut(want, ": ")
		for code := range strings.SplitSeq(codes, " ") {
			if !seen[script+" "+code] {
				t.Errorf("no walk has seen %s return %s", script, code)
			}
		}
	}
}

// The walks must produce each code in the list "replayed": all codes in the headers of the saga's scripts, and those
// codes of other scripts that occur in the model.
var replayed = []string{
	"begin: NOT_FOUND STARTED STALE RESUMED BUSY ABORTING CLOSED PAID REFUNDING CANCELLED",
	"claim: RUNNING ABORTING REFUNDING",
	"commit: PAID NOT_FOUND ABORTING CLOSED OPEN REFUNDING CANCELLED RUNNING",
	"refuse: CLOSED NOT_FOUND ABORTING OPEN PAID REFUNDING CANCELLED RUNNING",
	"abort: ABORTING NOT_FOUND CLOSED OPEN PAID REFUNDING CANCELLED RUNNING",
	"close: CLOSED",
	"cancel: REFUNDING NOT_FOUND ABORTING CLOSED OPEN PAID CANCELLED RUNNING",
	"cancelled: CANCELLED NOT_FOUND ABORTING CLOSED OPEN PAID REFUNDING RUNNING",
	"addItem: DONE NOT_FOUND NOT_OPEN",
	"removeItem: DONE NOT_FOUND NOT_OPEN",
	"remove: DONE NOT_FOUND NOT_OPEN",
	"batch_init: DONE UNDECIDED",
	"reserve: RESERVED REFUSED RELEASED EXPIRED SHORT",
	"release: RELEASED REFUSED",
	"refund: REFUNDED EXPIRED",
	"confirm: DONE",
	"confirm refund: DONE",
	"unconfirm: DONE",
	"unconfirm refund: DONE",
}

// start stores the initial state of the model: one piece of each item, enough credit for one order, and an open order.
func (r *replay) start(attempts int) {
	for _, server := range r.servers {
		server.Wipe(r.t)
	}
	for shard, counter := range r.counters {
		r.must(r.participant(shard).Set(r.ctx, counter, 1, 0).Err())
	}
	r.must(r.store.Create(r.ctx, nil, replayOrder, replayUser))
	for _, item := range []string{"0", "1"} {
		r.must(r.store.AddItem(r.ctx, nil, replayOrder, item, 1, replayPrice))
	}
	later := time.Now().Add(time.Hour).UnixMilli()
	r.attempts = []string{""}
	for range attempts {
		r.attempts = append(r.attempts, uuid.NewString())
	}
	// The last two attempts belong to one request, so their IDs start with the same name.
	last := r.attempts[attempts]
	r.attempts[attempts-1] = last[:AttemptNameLength] + r.attempts[attempts-1][AttemptNameLength:]
	r.deadlines, r.notAfters, r.reasons = make([]int64, attempts+1), make([]int64, attempts+1), make([][]string,
		attempts+1)
	for i := range r.deadlines {
		r.deadlines[i], r.notAfters[i] = later, later
	}
	for _, state := range []*model.Snapshot{&r.before, &r.stored} {
		for range attempts {
			state.Attempts = append(state.Attempts,
				model.AttemptSnapshot{Records: make([]model.Record, 3), Refunds: make([]model.Record, 3)})
		}
	}
	r.before.Order, r.before.Cart = StateOpen, []int{1, 2}
	r.stored.Free = make([]int, len(r.counters))
	r.must(r.readOrder())
	for at := range r.counters {
		r.must(r.readParticipant(at))
	}
}

func (r *replay) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// step runs one step and compares the reply and the stored data with the model.
func (r *replay) step(step model.Step) error {
	code, err := r.call(step)
	if err != nil {
		return err
	}
	if code != step.Code {
		return fmt.Errorf("reply: got the code %q, want %q", code, step.Code)
	}
	if err := r.read(step); err != nil {
		return err
	}
	r.before = step.Then
	return r.compare(step.Then)
}

func (r *replay) call(step model.Step) (model.Code, error) {
	switch step.Script {
	case model.Begin, model.Claim, model.Commit, model.Refuse, model.Abort, model.Close, model.Cancel, model.MarkCancelled:
		return r.callOrder(step)
	case model.Reserve, model.Release, model.Refund, model.Confirm, model.ConfirmRefund:
		return r.callParticipant(step)
	case model.AddItem:
		return edited(r.store.AddItem(r.ctx, nil, replayOrder, strconv.Itoa(step.Shard-1), 1, replayPrice))
	case model.RemoveItem:
		return edited(r.store.RemoveItem(r.ctx, nil, replayOrder, strconv.Itoa(step.Shard-1), 1))
	case model.Remove:
		return edited(r.store.Remove(r.ctx, nil, replayOrder))
	case model.BatchInit:
		return r.batchInit()
	case model.Unconfirm:
		return model.Done, r.unconfirm(r.attempts[step.Attempt])
	case model.UnconfirmRefund:
		return model.Done, r.unconfirm(r.attempts[step.Attempt] + ":refund")
	}
	return model.Nothing, r.simulate(step)
}

func edited(err error) (model.Code, error) {
	switch {
	case err == nil:
		return model.Done, nil
	case errors.Is(err, api.OrderNotFound):
		return model.NotFound, nil
	case errors.Is(err, api.OrderNotOpen):
		return model.NotOpen, nil
	}
	return "", err
}

// batchInit runs the script "batch_init" directly, because Store.BatchInit would reject an undecided order before it
// calls the script.
func (r *replay) batchInit() (model.Code, error) {
	shard := r.store.Shards()[0]
	marker := shard.Key(cluster.OverwritingKey)
	r.client.Set(r.ctx, marker, "B", 0)
	defer r.client.Del(r.ctx, marker)
	keys := []string{shard.Key(orderKey(replayOrder)), marker}
	reply, err := shard.Run(r.ctx, batchInitScript, keys, "B", replayPrice, replayUser, "0", "1")
	if err != nil {
		return "", err
	}
	if reply.Int(0) == 0 {
		return model.Undecided, reply.Err()
	}
	return model.Done, reply.Err()
}

// simulate runs a step of the model that has no script.
func (r *replay) simulate(step model.Step) error {
	switch step.Script {
	case model.Mint:
		return nil
	case model.RivalTakes, model.RivalReturns:
		free, err := r.participant(step.Shard).Get(r.ctx, r.counters[step.Shard]).Int()
		if err != nil {
			return err
		}
		return r.participant(step.Shard).IncrBy(r.ctx, r.counters[step.Shard], int64(step.Then.Free[step.Shard]-free)).Err()
	case model.RecordExpires:
		return r.expire(step.Shard, r.records[step.Shard]+r.attempts[step.Attempt],
			step.Then.Attempts[step.Attempt-1].Records[step.Shard].DeadlinePassed)
	case model.RefundExpires:
		return r.expire(step.Shard, r.records[step.Shard]+r.attempts[step.Attempt]+":refund",
			step.Then.Attempts[step.Attempt-1].Refunds[step.Shard].DeadlinePassed)
	}
	return fmt.Errorf("the replay has no step %s", step)
}

// expire deletes a record if it has expired in the model. In production, its TTL does this; the method compare has
// checked the TTL before.
func (r *replay) expire(shard int, key string, expired bool) error {
	if !expired {
		return nil
	}
	return r.participant(shard).Del(r.ctx, key).Err()
}

// participant returns the client of a participant shard, by its number in the model.
func (r *replay) participant(shard int) *redis.Client { return r.servers[1+shard].Client }

// unconfirm removes an entry of the set "unconfirmed", as the confirmation worker does.
func (r *replay) unconfirm(record string) error {
	shard := r.store.Shards()[0]
	entries, err := r.client.ZRange(r.ctx, shard.Key(unconfirmedKey), 0, -1).Result()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry, record+" ") {
			return r.store.Confirmed(r.ctx, shard, []Unconfirmed{{Entry: entry}})
		}
	}
	return fmt.Errorf("the set unconfirmed has no entry of %s", record)
}
