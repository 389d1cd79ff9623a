package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Snapshot is the content of every Redis shard, read one shard after the other. No request may be in flight
// during the read.
type Snapshot struct {
	Orders          map[string]Order
	Credit          map[string]int64 // free credit, by user
	Stock           map[string]int64 // free pieces, by item
	DirectPayments  map[string]int64 // sum of the direct payments that were not refunded, by user
	Payments        map[string]int64 // amounts of direct payments, by "<user> <purpose>"; negative if refunded
	Records         map[string]Record
	Keys            map[string]int // code of the outcome in each idempotency record, by Redis key
	Undecided       []string
	Unconfirmed     []string
	RecordRetention time.Duration   // minimum time that records exist after the attempt's deadline
	prices          map[string]bool // items that have a price
	unexpected      []string        // unknown keys and unreadable values
	taken           time.Time
}

// Order is the content of an order's hash.
type Order struct {
	State, Attempt, User string
	Total, Pieces, Kinds int64
	Lines                map[string]int64 // pieces, by item
	LinesTotal           int64            // sum of quantity times price of all lines
	Deadline             time.Time        // deadline of the attempt
}

// Record is the record of an attempt or of its refund on one participant shard.
type Record struct {
	Attempt    string
	Refund     bool
	Code       int
	Amounts    map[string]int64 // by user or item
	Persistent bool             // the record does not expire
	TTL        time.Duration    // 0 if the record does not expire
}

// Codes of records, as documented in common/participant/lua/reserve.lua.
const (
	Reserved = 1
	Refunded = 5
)

const (
	// minRecordRetention is the retention of confirmed records, 60 s, minus the allowed clock difference, 30 s.
	minRecordRetention = 30 * time.Second
	// maxRecordTTL is the longest TTL, 120 s for refunds, plus the allowed clock difference, 30 s, and a margin of 1 s.
	maxRecordTTL = 151 * time.Second
)

// Snapshot reads every key of every shard.
func (all Shards) Snapshot(ctx context.Context) (*Snapshot, error) {
	sn := &Snapshot{
		Orders: map[string]Order{}, Credit: map[string]int64{}, Stock: map[string]int64{}, DirectPayments: map[string]int64{},
		Payments: map[string]int64{}, Records: map[string]Record{}, prices: map[string]bool{}, Keys: map[string]int{},
		taken: time.Now(), RecordRetention: minRecordRetention,
	}
	for service, shards := range all {
		for i, shard := range shards {
			if err := sn.read(ctx, shard, tag(service, i)); err != nil {
				return nil, fmt.Errorf("read %s shard %d: %w", service, i, err)
			}
		}
	}
	for item := range sn.Stock {
		if !sn.prices[item] {
			sn.unexpected = append(sn.unexpected, "item "+item+" without a price")
		}
	}
	for item := range sn.prices {
		if _, known := sn.Stock[item]; !known {
			sn.unexpected = append(sn.unexpected, "a price without item "+item)
		}
	}
	return sn, nil
}

func (sn *Snapshot) read(ctx context.Context, shard *redis.Client, tag string) error {
	var keys []string
	all := shard.Scan(ctx, 0, "*", 5000).Iterator()
	for all.Next(ctx) {
		keys = append(keys, all.Val())
	}
	if err := all.Err(); err != nil {
		return err
	}
	pipe := shard.Pipeline()
	hashCmds, stringCmds := map[string]*redis.MapStringStringCmd{}, map[string]*redis.StringCmd{}
	ttls := map[string]*redis.DurationCmd{}
	for _, key := range keys {
		name, ok := strings.CutPrefix(key, tag)
		switch {
		case key == "identity":
		case !ok:
			sn.unexpected = append(sn.unexpected, key)
		case name == "undecided" || name == "unconfirmed":
			entries, err := shard.ZRange(ctx, key, 0, -1).Result()
			if err != nil {
				return err
			}
			if name == "undecided" {
				sn.Undecided = append(sn.Undecided, entries...)
			} else {
				sn.Unconfirmed = append(sn.Unconfirmed, entries...)
			}
		case name == "ids", name == "orders", strings.HasPrefix(name, "orders:"), strings.HasPrefix(name, "direct:"):
		case name == "batch", name == "epoch", name == "growth", name == "seq", name == "keys", name == "overwriting":
		case isString(name):
			stringCmds[name], ttls[name] = pipe.Get(ctx, key), pipe.PTTL(ctx, key)
		default:
			hashCmds[name], ttls[name] = pipe.HGetAll(ctx, key), pipe.PTTL(ctx, key)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) && len(ttls) > 0 {
		return err
	}
	for name, text := range stringCmds {
		if text.Err() == nil { // otherwise the key has expired meanwhile
			sn.addString(tag, name, text.Val(), ttls[name].Val())
		}
	}
	for name, hash := range hashCmds {
		if len(hash.Val()) > 0 {
			sn.addHash(tag, name, hash.Val(), ttls[name].Val())
		}
	}
	return nil
}

// isString reports whether the value of a key is a string: a counter, a price, or the record of an attempt or a refund.
func isString(name string) bool {
	kind, _, _ := strings.Cut(name, ":")
	return kind == "u" || kind == "i" || kind == "p" || kind == "r"
}

func (sn *Snapshot) addString(tag, name, text string, ttl time.Duration) {
	kind, id, _ := strings.Cut(name, ":")
	switch kind {
	case "u":
		sn.Credit[id] = sn.number(text)
	case "i":
		sn.Stock[id] = sn.number(text)
	case "p":
		sn.prices[id] = sn.number(text) >= 0
	case "r":
		code, rest, _ := strings.Cut(text, " ")
		r := Record{Code: int(sn.number(code)), Amounts: map[string]int64{}, Persistent: ttl < 0, TTL: max(0, ttl)}
		r.Attempt, r.Refund = strings.CutSuffix(id, ":refund")
		if r.Code == Reserved {
			for pair := range slices.Chunk(strings.Fields(rest), 2) {
				_, of, _ := strings.Cut(pair[0], ":")
				r.Amounts[of] = sn.number(pair[len(pair)-1])
			}
		}
		sn.Records[tag+name] = r
	}
}

func (sn *Snapshot) addHash(tag, name string, fields map[string]string, ttl time.Duration) {
	kind, id, _ := strings.Cut(name, ":")
	switch kind {
	case "o":
		sn.Orders[id] = sn.order(fields)
	case "d":
		for purpose, value := range fields {
			if strings.HasPrefix(value, "?") {
				continue // the payment is in progress, or has expired
			}
			amount := sn.number(value)
			sn.Payments[id+" "+purpose] = amount
			sn.DirectPayments[id] += max(0, amount)
		}
	case "k", "g":
		sn.Keys[tag+name] = int(sn.number(fields["code"]))
		if ttl < 0 {
			sn.unexpected = append(sn.unexpected, tag+name+" without expiry")
		}
	default:
		sn.unexpected = append(sn.unexpected, tag+name)
	}
}

func (sn *Snapshot) order(fields map[string]string) Order {
	o := Order{
		State: fields["s"], Attempt: fields["a"], User: fields["u"], Total: sn.number(fields["t"]),
		Pieces: sn.number(fields["q"]), Kinds: sn.number(fields["k"]), Lines: map[string]int64{},
	}
	if fields["dl"] != "" {
		o.Deadline = time.UnixMilli(sn.number(fields["dl"]))
	}
	for field, value := range fields {
		item, ok := strings.CutPrefix(field, "i:")
		if !ok {
			continue
		}
		for part := range strings.SplitSeq(value, ",") {
			quantity, price, _ := strings.Cut(part, "@")
			q := sn.number(quantity)
			o.Lines[item] += q
			o.LinesTotal += q * sn.number(price)
		}
	}
	return o
}

func (sn *Snapshot) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		sn.unexpected = append(sn.unexpected, fmt.Sprintf("number %q", text))
	}
	return n
}
