package store

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/testredis"
)

// id is the ID of the order in the test tables. Most rows call its attempts A and B.
const id = "01a20ac5-5153-749e-8e14-d4476ca60000"

// Orders in the tables.
const (
	openOrder  = "o:O i:x=2@5 i:y=1@7,3@8 k=2 q=6 s=OPEN t=41 u=U"
	emptyOrder = "o:O k=0 q=0 s=OPEN t=0 u=U"
)

// openStore returns a store on a new Redis server.
func openStore(t testing.TB) (*Store, *redis.Client) {
	t.Helper()
	c, servers := testredis.Open(t, "order", 1, Scripts)
	s := New(c)
	s.by = "me"
	return s, servers[0].Client
}

// snapshot returns the data of a server as text: a line per key or sorted-set entry, with O for the order's ID. Times
// are relative to now, rounded to 5 s ("now+30"). Two kinds of data are left out: the keys of the shard itself, such as
// its identity, and the histories of orders (see history_test.go).
func snapshot(t testing.TB, c *redis.Client, now time.Time) string {
	t.Helper()
	ctx := context.Background()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, testredis.ShardKey)
	slices.Sort(keys)
	var lines []string
	for _, key := range keys {
		name := strings.TrimPrefix(strings.Replace(key, id, "O", 1), "{o0}")
		switch c.Type(ctx, key).Val() {
		case "hash":
			fields := c.HGetAll(ctx, key).Val()
			delete(fields, historyField)
			var parts []string
			for _, f := range slices.Sorted(maps.Keys(fields)) {
				parts = append(parts, f+"="+relative(fields[f], now))
			}
			lines = append(lines, name+" "+strings.Join(parts, " "))
		case "zset":
			for _, z := range c.ZRangeWithScores(ctx, key, 0, -1).Val() {
				var words []string
				for word := range strings.SplitSeq(strings.Replace(z.Member.(string), id, "O", 1), " ") {
					words = append(words, relative(word, now))
				}
				score := relative(strconv.FormatFloat(z.Score, 'f', 0, 64), now)
				lines = append(lines, fmt.Sprintf("%s %s at %s", name, strings.Join(words, " "), score))
			}
		}
		if ttl := c.PTTL(ctx, key).Val(); ttl >= 0 {
			t.Errorf("%s expires in %v: no key of the order service may expire", key, ttl)
		}
	}
	return strings.Join(lines, "\n")
}

// The function "relative" converts a Unix time in ms to the form "now+30" if the time is at most 1,000 s from now. It
// returns any other value unchanged.
func relative(value string, now time.Time) string {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || math.Abs(float64(n-now.UnixMilli())) > 1e6 {
		return value
	}
	seconds := 5 * int(math.Round(float64(n-now.UnixMilli())/5000))
	switch {
	case seconds == 0:
		return "now"
	case seconds > 0:
		return fmt.Sprintf("now+%d", seconds)
	}
	return fmt.Sprintf("now%d", seconds)
}

// The function "absolute" is the inverse of the function "relative".
func absolute(t testing.TB, text string, now time.Time) string {
	t.Helper()
	offset, ok := strings.CutPrefix(text, "now")
	if !ok {
		return text
	}
	seconds := 0
	if offset != "" {
		var err error
		if seconds, err = strconv.Atoi(offset); err != nil {
			t.Fatal(err)
		}
	}
	return strconv.FormatInt(now.UnixMilli()+int64(seconds)*1000, 10)
}

// restore replaces the content of a server with a snapshot.
func restore(t testing.TB, c *redis.Client, state string, now time.Time) {
	t.Helper()
	ctx := context.Background()
	for _, key := range slices.DeleteFunc(c.Keys(ctx, "*").Val(), testredis.ShardKey) {
		c.Del(ctx, key)
	}
	for line := range strings.SplitSeq(state, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		key := "{o0}" + strings.Replace(words[0], "O", id, 1)
		if words[0] == undecidedKey || words[0] == unconfirmedKey || strings.HasPrefix(words[0], ordersKey) {
			at := len(words) - 1
			score, err := strconv.ParseFloat(absolute(t, words[at], now), 64)
			if err != nil {
				t.Fatal(err)
			}
			for i := range words[1 : at-1] {
				words[1+i] = absolute(t, words[1+i], now)
			}
			member := strings.Replace(strings.Join(words[1:at-1], " "), "O", id, 1)
			c.ZAdd(ctx, key, redis.Z{Score: score, Member: member})
			continue
		}
		for _, word := range words[1:] {
			field, value, _ := strings.Cut(word, "=")
			c.HSet(ctx, key, field, absolute(t, value, now))
		}
	}
}
