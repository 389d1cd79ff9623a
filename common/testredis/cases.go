package testredis

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"checkout/common/redis"
)

// Case is a test case for one script call.
type Case struct {
	Name   string
	Script *redis.Script
	Before State // all keys before the call
	Keys   []string
	Args   []any
	Want   string // the reply: its values, separated by spaces
	After  State  // all keys after the call; nil if the call changes nothing

	// OnRetry is the reply to a second, identical call, which must change nothing. OnRetry is empty if a retry of the
	// script is not safe.
	OnRetry string
}

// SameReply is a value of Case.OnRetry: the second call has the same reply as the first call.
const SameReply = "the same"

// RunCases runs each case in a subtest, on one shard of a service.
func RunCases(t *testing.T, service string, scripts []*redis.Script, cases []Case) {
	cluster, servers := Open(t, service, 1, scripts)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, key := range c.Keys { // on an engine, all keys of a script must have the same hash tag
				if tag := cluster.Shards()[0].Key(""); !strings.HasPrefix(key, tag) {
					t.Errorf("the key %s lacks the hash tag %s", key, tag)
				}
			}
			if c.After == nil {
				c.After = maps.Clone(c.Before)
			}
			wants := []string{c.Want}
			switch c.OnRetry {
			case "":
			case SameReply:
				wants = append(wants, c.Want)
			default:
				wants = append(wants, c.OnRetry)
			}
			servers[0].Load(t, c.Before)
			for i, want := range wants {
				reply, err := cluster.Shards()[0].Run(t.Context(), c.Script, c.Keys, c.Args...)
				if err != nil {
					t.Fatal(err)
				}
				if got := values(reply); got != want {
					t.Errorf("call %d returned %q, want %q", i+1, got, want)
				}
				if got := servers[0].Dump(t); !maps.Equal(got, c.After) {
					t.Errorf("after call %d:\n got %v\nwant %v", i+1, got, c.After)
				}
			}
		})
	}
}

func values(reply redis.Reply) string {
	list := make([]string, reply.Len())
	for i := range list {
		asNumber := reply
		if n := asNumber.Int(i); asNumber.Err() == nil {
			list[i] = strconv.FormatInt(n, 10)
		} else {
			list[i] = reply.String(i)
		}
	}
	return strings.Join(list, " ")
}
