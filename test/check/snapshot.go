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

// Snapshot is everything that lies in all Redises, read one after the other: of use only at a quiet moment.
type Snapshot struct {
	Orders          map[string]Order
	Credit          map[string]int64 // free credit, by user
	Stock           map[string]int64 // free pieces, by item
	DirectPayments  map[string]int64 // what a user has paid by hand and not got back, by user
	Payments        map[string]int64 // what a user has paid by hand, by "user thing"; negative: given back
	Records         map[string]Record
	Keys            map[string]int // what came of requests with an idempotency key: the script's code, by key in Redis
	Undecided       []string
	Unconfirmed     []string
	RecordRetention time.Duration   // how long after an attempt's deadline its records are there for sure
	prices          map[string]bool // items that have one
	unexpected      []string        // keys of no known kind, and values that cannot be read
	taken           time.Time
}

// Order is an order's hash.
type Order struct {
	State, Attempt, User string
	Total, Pieces, Kinds int64
	Lines                map[string]int64 // pieces, by item
	LinesTotal           int64            // sum of the lines at their prices
	Deadline             time.Time        // of the attempt
}

// Record is what an attempt has left on one shard of a participant.
type Record struct {
	Attempt    string
	Refund     bool
	Code       int
	Amounts    map[string]int64 // by user or item
	Persistent bool             // it has no end yet
	TTL        time.Duration    // else: until it ends
}

// Codes of records, as common/participant/lua/reserve.lua documents them.
const (
	Reserved = 1
	Refunded = 5
)

const (
	// recordsKept is less than the 60 s for which confirmed records are kept: clocks may differ by 30 s.
	minRecordRetention = 30 * time.Second
	// longestKept is for how long a record may still be kept at most: a refund's ends 121 s after it, and clocks may differ.
	maxRecordTTL = 151 * time.Second
)

// Look reads everything.
func (all Shards) Snapshot(ctx context.Context) (*Snapshot, error) {
	sn := &Snapshot{
		Orders: map[string]Order{}, Credit: map[string]int64{}, Stock: map[string]int64{}, DirectPayments: map[string]int64{},
		Payments: map[string]int64{}, Records: map[string]Record{}, prices: map[string]bool{}, Keys: map[string]int{}, taken: time.Now(), RecordRetention: minRecordRetention,
	}
	for service, shards := range all {
		for i, shard := range shards {
			if err := sn.read(ctx, shard, tag(service, i)); err != nil {
				return nil, fmt.Errorf("shard %d of %s: %w", i, service, err)
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
			sn.unexpected = append(sn.unexpected, "the price of no item, "+item)
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
	hashes, texts, ends := map[string]*redis.MapStringStringCmd{}, map[string]*redis.StringCmd{}, map[string]*redis.DurationCmd{}
	for _, key := range keys {
		name, ok := strings.CutPrefix(key, tag)
		switch {
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
		case name == "batch", name == "growth":
		case isText(name):
			texts[name], ends[name] = pipe.Get(ctx, key), pipe.PTTL(ctx, key)
		default:
			hashes[name], ends[name] = pipe.HGetAll(ctx, key), pipe.PTTL(ctx, key)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) && len(ends) > 0 {
		return err
	}
	for name, text := range texts {
		if text.Err() == nil { // else it has ended since
			sn.addText(tag, name, text.Val(), ends[name].Val())
		}
	}
	for name, hash := range hashes {
		if len(hash.Val()) > 0 {
			sn.addHash(tag, name, hash.Val(), ends[name].Val())
		}
	}
	return nil
}

// isText tells, by its name, whether a key's value is a text: counters, prices, and records of attempts.
func isText(name string) bool {
	kind, _, _ := strings.Cut(name, ":")
	return kind == "u" || kind == "i" || kind == "p" || kind == "r"
}

func (sn *Snapshot) addText(tag, name, text string, ends time.Duration) {
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
		r := Record{Code: int(sn.number(code)), Amounts: map[string]int64{}, Persistent: ends < 0, TTL: max(0, ends)}
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

func (sn *Snapshot) addHash(tag, name string, fields map[string]string, ends time.Duration) {
	kind, id, _ := strings.Cut(name, ":")
	switch kind {
	case "o":
		sn.Orders[id] = sn.order(fields)
	case "d":
		for thing, value := range fields {
			amount := sn.number(value)
			sn.Payments[id+" "+thing] = amount
			sn.DirectPayments[id] += max(0, amount)
		}
	case "k":
		sn.Keys[tag+name] = int(sn.number(fields["code"]))
		if ends < 0 {
			sn.unexpected = append(sn.unexpected, tag+name+" without an end")
		}
	default:
		sn.unexpected = append(sn.unexpected, tag+name)
	}
}

func (sn *Snapshot) order(fields map[string]string) Order {
	o := Order{
		State: fields["s"], Attempt: fields["a"], User: fields["u"], Total: sn.number(fields["t"]), Pieces: sn.number(fields["q"]),
		Kinds: sn.number(fields["k"]), Lines: map[string]int64{},
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
