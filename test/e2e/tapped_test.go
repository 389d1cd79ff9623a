package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/stack"
)

// tapped is a system whose services reach their Redises through taps.
type tapped struct {
	*system
	taps map[string][]*tap // by service, in shard order
}

// startTapped starts a system of one machine of each service, order and payment with one shard, stock with two, with taps.
func startTapped(t *testing.T) *tapped {
	t.Helper()
	cfg := stack.Config{Machines: 1, Sizes: map[string]stack.Size{"stock": {Machines: 1, Shards: 2}}, Env: map[string][]string{}}
	scripts := scriptNames(t)
	taps := map[string][]*tap{}
	for service, shards := range map[string]int{"order": 1, "stock": 2, "payment": 1} {
		var addrs []string
		for range shards {
			tp := newTap(t, scripts)
			taps[service] = append(taps[service], tp)
			addrs = append(addrs, tp.l.Addr().String())
		}
		cfg.Env[service] = []string{"REDIS_ADDRS=" + strings.Join(addrs, ",")}
	}
	s := &tapped{launch(t, cfg), taps}
	t.Cleanup(func() { // before the parts end, so that none waits for a reply
		for _, taps := range taps {
			for _, tp := range taps {
				tp.close()
			}
		}
	})
	for service, taps := range taps {
		for i, tp := range taps {
			tp.mu.Lock()
			tp.target = s.RedisAddrs(service)[i]
			tp.mu.Unlock()
		}
	}
	s.ready()
	return s
}

// scriptNames maps the SHA-1 of every script to its name.
func scriptNames(t testing.TB) map[string]string {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, pattern := range []string{"*/lua/*.lua", "common/*/lua/*.lua"} {
		files, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha1.Sum(source)
			names[hex.EncodeToString(sum[:])] = strings.TrimSuffix(filepath.Base(file), ".lua")
		}
	}
	return names
}
