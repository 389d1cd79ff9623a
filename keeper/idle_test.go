package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkout/common/env"
)

// newIdleKeeper returns node 0. It has no Redis and does not run.
func newIdleKeeper(t *testing.T) *keeper {
	t.Helper()
	k, err := newKeeper(env.Keeper{
		Service: "order", Keepers: [3]string{"a:1", "b:1", "c:1"}, Redis: env.Redis{Addrs: []string{"127.0.0.1:1"}},
		Token: "0123456789abcdef", State: filepath.Join(t.TempDir(), "keeper.json"),
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestInitRunsOnce(t *testing.T) {
	k := newIdleKeeper(t)
	k.founding.Lock()
	if err := k.found(t.Context()); err == nil || !strings.Contains(err.Error(), "another keeper init is still running") {
		t.Errorf("a second keeper init: got %v, want an error that names the first one", err)
	}
	k.founding.Unlock()
	if err := k.found(t.Context()); err != errStarting {
		t.Errorf("after the first keeper init: got %v, want %v", err, errStarting)
	}
}

// Two keepers must not use one state file.
func TestStateFileIsLocked(t *testing.T) {
	config := newIdleKeeper(t).config
	lock, err := lockState(config.State)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := guard(ctx, config); err == nil || !strings.Contains(err.Error(), "another keeper may be using") {
		t.Errorf("a second keeper: got %v, want an error", err)
	}
	lock.Close()
	if lock, err = lockState(config.State); err != nil {
		t.Fatalf("after the first keeper has exited: %v", err)
	}
	lock.Close()
}
