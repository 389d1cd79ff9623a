package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// data returns the content of the append-only file of a shard. The path is a directory in the volume of the shard, and
// may contain *.
func (f fakeSystem) data(t *testing.T, shard, path string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(string(f), shard, path, "appendonlydir", "appendonly.aof.1.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("data of %s: got the files %v, error %v; want one file", shard, files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// calls returns the calls of docker, one per line.
func (f fakeSystem) calls(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(string(f), "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRestore checks that compose/restore removes instances that are no longer configured, replaces the data and keeps
// the replaced data.
func TestRestore(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	f.write(t, "new")
	f.must(t, "restore", dir)
	for _, service := range services {
		restored, replaced := f.data(t, service+"-redis", "."), f.data(t, service+"-redis", "replaced-*")
		if restored != "old" || replaced != "new" {
			t.Errorf("%s-redis: got the data %q and the replaced data %q, want \"old\" and \"new\"", service, restored, replaced)
		}
	}
	if calls := f.calls(t); !strings.Contains(calls, "compose up --no-start --remove-orphans\ncompose stop\n") {
		t.Errorf("compose/restore: want `up --remove-orphans` just before `stop`, got the calls of docker\n%s", calls)
	}
}

// TestRestoreToEmptyVolume checks that compose/restore leaves no directory for replaced data in an empty volume.
func TestRestoreToEmptyVolume(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	empty := filepath.Join(string(f), "order-redis")
	if err := errors.Join(os.RemoveAll(empty), os.Mkdir(empty, 0o755)); err != nil {
		t.Fatal(err)
	}
	f.must(t, "restore", dir)
	if got := list(t, empty); !slices.Equal(got, []string{"appendonlydir"}) {
		t.Errorf("order-redis, empty before the restore: got the files %v, want only appendonlydir", got)
	}
}

// TestRestoreToMoreShards restores a backup to a system with more shards. The added shards must start empty.
// compose/restore must reject a backup that has order-redis-3 but not order-redis-2. It must also reject a backup
// without order-redis, and a backup without a shard that an argument names.
func TestRestoreToMoreShards(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	f.touch(t, "added", "order-redis-2", "order-redis-3")
	for _, shard := range []string{"order-redis-2", "order-redis-3"} {
		if err := os.CopyFS(filepath.Join(string(f), shard), os.DirFS(filepath.Join(string(f), "order-redis"))); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(from, to string) {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	rename("stock-redis.tar", "order-redis-3.tar")
	f.refuses(t, "a backup of order-redis-3, but not of order-redis-2;", "restore", dir)
	rename("order-redis-3.tar", "stock-redis.tar")
	rename("order-redis.tar", "saved")
	f.refuses(t, "has no backup of order-redis;", "restore", dir)
	rename("saved", "order-redis.tar")
	f.refuses(t, "has no backup of order-redis-2;", "restore", dir, "order-redis-2")
	f.must(t, "restore", dir)
	for _, shard := range []string{"order-redis-2", "order-redis-3"} {
		if got := list(t, filepath.Join(string(f), shard)); len(got) != 1 || !strings.HasPrefix(got[0], "replaced-") {
			t.Errorf("%s after the restore: got %v, want only the replaced data", shard, got)
		}
	}
	if got := f.data(t, "order-redis", "."); got != "old" {
		t.Errorf("order-redis: got the data %q, want \"old\"", got)
	}
}

// TestRestoreAgain checks that compose/restore reports partly restored data if it fails half-way, and that a second run
// restores all data.
func TestRestoreAgain(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	f.write(t, "new")
	f.touch(t, "full")
	f.refuses(t, "partly restored", "restore", dir)
	f.remove(t, "full")
	time.Sleep(time.Second) // the next run needs a new name replaced-<time>, and <time> has only whole seconds
	f.must(t, "restore", dir)
	for _, service := range services {
		if got := f.data(t, service+"-redis", "."); got != "old" {
			t.Errorf("%s-redis: got the data %q, want \"old\"", service, got)
		}
	}
}

// TestRestoreChecksFirst checks that compose/restore changes nothing if it cannot restore the whole backup.
func TestRestoreChecksFirst(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	f.write(t, "new")
	tar := filepath.Join(dir, "stock-redis.tar")
	whole, err := os.ReadFile(tar)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(tar, whole[:1024+200])
	f.refuses(t, "stock-redis.tar is damaged", "restore", dir)
	write(tar, make([]byte, 10240)) // an archive without files
	f.refuses(t, "has no append-only file", "restore", dir)
	write(tar, whole)
	f.refuses(t, "the configuration has no shard order-redis-2", "restore", dir, "order-redis-2")
	write(filepath.Join(dir, "order-redis-2.tar"), whole)
	f.refuses(t, "run compose/scale first", "restore", dir)
	for _, service := range services {
		if got := f.data(t, service+"-redis", "."); got != "new" {
			t.Errorf("%s-redis: got the data %q, want \"new\"", service, got)
		}
	}
	if calls := f.calls(t); strings.Contains(calls, "compose stop\n") {
		t.Errorf("rejected restores: want no `compose stop`, got the calls of docker\n%s", calls)
	}
	write(filepath.Join(dir, "replicated"), nil)
	f.refuses(t, "a backup of shards with three nodes", "restore", dir, "order-redis")
	if err := os.Remove(filepath.Join(dir, "replicated")); err != nil {
		t.Fatal(err)
	}
	f.must(t, "restore", dir, "order-redis") // order-redis-2.tar prevents only a restore of all shards
	if got := f.data(t, "order-redis", "."); got != "old" {
		t.Errorf("order-redis: got the data %q, want \"old\"", got)
	}
	if calls := f.calls(t); !strings.Contains(calls, "order /order adopt-shard 0") {
		t.Errorf("restore order-redis alone: want a call of adopt-shard, got the calls of docker\n%s", calls)
	}
}
