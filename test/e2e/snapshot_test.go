package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// snapshot is everything that lies in all Redises, read one after the other: of use only at a quiet moment.
type snapshot struct {
	orders      map[string]order
	credit      map[string]int64 // free credit, by user
	stock       map[string]int64 // free pieces, by item
	direct      map[string]int64 // what a user has paid by hand and not got back, by user
	records     map[string]record
	undecided   []string
	unconfirmed []string
	odd         []string // keys of no known kind, and values that cannot be read
	now         time.Time
}

// order is an order's hash.
type order struct {
	state, attempt, user string
	total, pieces, kinds int64
	lines                map[string]int64 // pieces, by item
	worth                int64            // sum of the lines at their prices
	deadline             time.Time        // of the attempt
}

// record is what an attempt has left on one shard of a participant.
type record struct {
	attempt string
	refund  bool
	code    int
	taken   map[string]int64 // by user or item
	forever bool             // it has no end yet
}

// Codes of records, as common/participant/lua/reserve.lua documents them.
const (
	reserved = 1
	refunded = 5
)

// snapshot reads everything. An error of a Redis ends the test.
func (s *system) snapshot() *snapshot {
	s.t.Helper()
	sn := &snapshot{
		orders: map[string]order{}, credit: map[string]int64{}, stock: map[string]int64{}, direct: map[string]int64{},
		records: map[string]record{}, now: time.Now(),
	}
	for service, shards := range s.shards {
		for i, shard := range shards {
			s.must(sn.read(shard, fmt.Sprintf("{%s%d}", service[:1], i)))
		}
	}
	return sn
}

func (sn *snapshot) read(shard *redis.Client, tag string) error {
	ctx := context.Background()
	var keys []string
	all := shard.Scan(ctx, 0, "*", 5000).Iterator()
	for all.Next(ctx) {
		keys = append(keys, all.Val())
	}
	if err := all.Err(); err != nil {
		return err
	}
	pipe := shard.Pipeline()
	hashes, ends := map[string]*redis.MapStringStringCmd{}, map[string]*redis.DurationCmd{}
	for _, key := range keys {
		name, ok := strings.CutPrefix(key, tag)
		switch {
		case !ok:
			sn.odd = append(sn.odd, key)
		case name == "undecided" || name == "unconfirmed":
			entries, err := shard.ZRange(ctx, key, 0, -1).Result()
			if err != nil {
				return err
			}
			if name == "undecided" {
				sn.undecided = append(sn.undecided, entries...)
			} else {
				sn.unconfirmed = append(sn.unconfirmed, entries...)
			}
		case name == "batch":
		default:
			hashes[name], ends[name] = pipe.HGetAll(ctx, key), pipe.PTTL(ctx, key)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && len(hashes) > 0 {
		return err
	}
	for name, hash := range hashes {
		if len(hash.Val()) > 0 { // else it has ended since
			sn.add(tag, name, hash.Val(), ends[name].Val() < 0)
		}
	}
	return nil
}

func (sn *snapshot) add(tag, name string, fields map[string]string, forever bool) {
	kind, id, _ := strings.Cut(name, ":")
	switch kind {
	case "o":
		sn.orders[id] = sn.order(fields)
	case "u":
		sn.credit[id] = sn.number(fields["n"])
		for field, value := range fields {
			if strings.HasPrefix(field, "o:") {
				sn.direct[id] += max(0, sn.number(value)) // negative: given back
			}
		}
	case "i":
		sn.stock[id] = sn.number(fields["n"])
	case "r":
		r := record{code: int(sn.number(fields["code"])), taken: map[string]int64{}, forever: forever}
		r.attempt, r.refund = strings.CutSuffix(id, ":refund")
		for field, value := range fields {
			if counter, ok := strings.CutPrefix(field, tag); ok {
				_, of, _ := strings.Cut(counter, ":")
				r.taken[of] = sn.number(value)
			}
		}
		sn.records[tag+name] = r
	default:
		sn.odd = append(sn.odd, tag+name)
	}
}

func (sn *snapshot) order(fields map[string]string) order {
	o := order{
		state: fields["s"], attempt: fields["a"], user: fields["u"], total: sn.number(fields["t"]), pieces: sn.number(fields["q"]),
		kinds: sn.number(fields["k"]), lines: map[string]int64{},
	}
	if fields["dl"] != "" {
		o.deadline = time.UnixMilli(sn.number(fields["dl"]))
	}
	for field, value := range fields {
		item, ok := strings.CutPrefix(field, "i:")
		if !ok {
			continue
		}
		for part := range strings.SplitSeq(value, ",") {
			quantity, price, _ := strings.Cut(part, "@")
			q := sn.number(quantity)
			o.lines[item] += q
			o.worth += q * sn.number(price)
		}
	}
	return o
}

func (sn *snapshot) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		sn.odd = append(sn.odd, fmt.Sprintf("number %q", text))
	}
	return n
}
