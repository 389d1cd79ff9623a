package testredis

import (
	"maps"
	"strconv"
	"strings"
	"testing"

	"checkout/common/redis"
)

// Row is one documented answer of a script: the whole state before, the call, what it returns, and the whole state after.
type Row struct {
	Name   string
	Script *redis.Script
	Before State
	Keys   []string
	Args   []any
	Want   string // the values returned, with a space between them
	After  State  // nil: as before
	Again  string // what a repeat returns; it leaves the state as it is. Empty: the script must not be repeated
}

// Same, as a Row's Again, is what the first call has returned.
const Same = "the same"

// Prove runs each row on the first shard of a service.
func Prove(t *testing.T, service string, scripts []*redis.Script, rows []Row) {
	db, servers := Open(t, service, 1, scripts)
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			if row.After == nil {
				row.After = maps.Clone(row.Before)
			}
			wants := []string{row.Want}
			switch row.Again {
			case "":
			case Same:
				wants = append(wants, row.Want)
			default:
				wants = append(wants, row.Again)
			}
			servers[0].Load(t, row.Before)
			for i, want := range wants {
				reply, err := db.Shards()[0].Run(t.Context(), row.Script, row.Keys, row.Args...)
				if err != nil {
					t.Fatal(err)
				}
				if got := values(reply); got != want {
					t.Errorf("call %d returned %q, want %q", i+1, got, want)
				}
				if got := servers[0].Dump(t); !maps.Equal(got, row.After) {
					t.Errorf("after call %d:\n got %v\nwant %v", i+1, got, row.After)
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
