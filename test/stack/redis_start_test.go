package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"checkout/common/child"
)

// go-redis logs each failed dial. The tests in this file dial until Redis starts.
func init() { redis.SetLogger(&logging.VoidLogger{}) }

// startedRedis is a redis-server that redis-start has started.
type startedRedis struct {
	*redis.Client
	dir string
	log bytes.Buffer
	cmd *exec.Cmd
}

// runRedis runs redis-start on a data directory, without waiting for the server.
func runRedis(t *testing.T, dir string, env ...string) *startedRedis {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	var p ports
	addr := p.addr(0)
	if p.err != nil {
		t.Fatal(p.err)
	}
	s := &startedRedis{dir: dir, Client: redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})}
	s.cmd = exec.Command("/bin/sh", filepath.Join(root, redisStart), "redis-server", "--port", portOf(addr),
		"--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := child.Start(s.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Client.Close()
		s.stop()
		p.close()
	})
	return s
}

func (s *startedRedis) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// redisTimeout limits each wait for redis-start. To cut 3 MiB of NUL bytes, redis-start runs about 200 processes, which
// take 2 s on an idle host and more than 10 s on a busy one.
const redisTimeout = 90 * time.Second

// responds waits until the server responds, and reports false after redisTimeout.
func (s *startedRedis) responds(ctx context.Context) bool {
	for until := time.Now().Add(redisTimeout); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if s.Ping(ctx).Err() == nil {
			return true
		}
	}
	return false
}

// filled fills a directory with the data of a stopped server that has acknowledged the given number of writes. It
// returns the path of the append-only file.
func filled(t *testing.T, dir string, writes int) (incr string) {
	t.Helper()
	s := runRedis(t, dir)
	if !s.responds(t.Context()) {
		t.Fatalf("Redis does not respond:\n%s", &s.log)
	}
	for i := range writes {
		if err := s.Set(t.Context(), fmt.Sprint("key", i), strings.Repeat("v", 100), 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s.stop()
	return filepath.Join(dir, "appendonlydir", "appendonly.aof.1.incr.aof")
}

// TestRedisStartsAfterACrash appends bytes to the append-only file of a killed Redis:
//   - part of a command or NUL bytes, as a crash of the host may leave them: Redis must start with every acknowledged
//     write
//   - garbage, or a command after NUL bytes: Redis must not start, and redis-start must cut nothing except NUL bytes at
//     the end
func TestRedisStartsAfterACrash(t *testing.T) {
	t.Parallel()
	nul := func(n int) string { return strings.Repeat("\x00", n) }
	const command = "*3\r\n$3\r\nSET\r\n$4\r\nlast\r\n$3\r\nend\r\n"
	for _, row := range []struct {
		name, tail string
		keys       int64 // 0: Redis must not start
	}{
		{"nothing", "", 50},
		{"a whole command", command, 51},
		{"one NUL byte", nul(1), 50},
		{"two NUL bytes", nul(2), 50},
		{"a page of NUL bytes", nul(4096), 50},
		{"many NUL bytes", nul(3<<20 + 17), 50},
		{"a whole command and NUL bytes", command + nul(100), 51},
		{"half a command", command[:21], 50},
		{"half a command and NUL bytes", command[:21] + nul(1000), 50},
		{"the first byte of a command and NUL bytes", command[:1] + nul(1000), 50},
		{"half of a transaction and NUL bytes", "*1\r\n$5\r\nMULTI\r\n" + command + nul(7), 50},
		{"a command after NUL bytes", nul(100) + command, 0},
		{"no command", "garbage\r\n", 0},
		{"no command and NUL bytes", "garbage\r\n" + nul(5), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			file := filled(t, t.TempDir(), 50)
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, append(whole, row.tail...), 0o644); err != nil {
				t.Fatal(err)
			}
			s := runRedis(t, filepath.Dir(filepath.Dir(file)))
			if row.keys == 0 {
				s.cmd.Wait()
				if got, _ := os.ReadFile(file); !bytes.HasPrefix(got, append(whole, strings.TrimRight(row.tail, "\x00")...)) {
					t.Errorf("the append-only file has changed:\n%s", &s.log)
				}
				return
			}
			if !s.responds(t.Context()) {
				t.Fatalf("Redis does not respond:\n%s", &s.log)
			}
			if got := s.DBSize(t.Context()).Val(); got != row.keys {
				t.Errorf("%d keys, want %d:\n%s", got, row.keys, &s.log)
			}
		})
	}
}

// TestRedisStartDoesNotCutWhatItCannotRead checks a file that ends with 1,000 NUL bytes. redis-start can read only the
// last 100 bytes of this file.
func TestRedisStartDoesNotCutWhatItCannotRead(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	failing := `#!/bin/sh
[ "$1" != -c ] || [ "$2" -le 100 ] || { echo 'read error' >&2; exit 1; }
exec /usr/bin/tail "$@"
`
	if err := os.WriteFile(filepath.Join(bin, "tail"), []byte(failing), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filled(t, t.TempDir(), 50)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(whole, make([]byte, 1000)...), 0o644); err != nil {
		t.Fatal(err)
	}
	s := runRedis(t, filepath.Dir(filepath.Dir(file)), "PATH="+bin+":"+os.Getenv("PATH"))
	limit := time.AfterFunc(redisTimeout, func() { _ = s.cmd.Process.Kill() })
	defer limit.Stop()
	s.cmd.Wait() // Redis exits, because NUL bytes are left
	if got, _ := os.ReadFile(file); !bytes.HasPrefix(got, whole) || !strings.Contains(s.log.String(), "read error") {
		t.Errorf("%d bytes are left, want all %d acknowledged bytes and a read error:\n%s", len(got), len(whole), &s.log)
	}
}

// TestRedisStartNeedsItsDirectory checks that redis-start exits with an error if the data directory does not exist.
func TestRedisStartNeedsItsDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lost")
	s := runRedis(t, dir)
	limit := time.AfterFunc(redisTimeout, func() { _ = s.cmd.Process.Kill() })
	defer limit.Stop()
	err := s.cmd.Wait()
	if want := "the data directory " + dir + " does not exist"; err == nil || !strings.Contains(s.log.String(), want) {
		t.Errorf("got the error %v and the log %q, want %q", err, &s.log, want)
	}
}

// TestRedisStartRemovesTemporaryFiles checks that redis-start removes only the temporary files of rewrites that a crash
// interrupted.
func TestRedisStartRemovesTemporaryFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, 1)
	stale := []string{"temp-rewriteaof-17.aof", "temp-rewriteaof-bg-17.aof", "temp-17.rdb",
		"appendonlydir/temp-appendonly.aof.manifest"}
	kept := []string{"notes", "temp.txt", "appendonlydir/appendonly.aof.1.base.rdb",
		"appendonlydir/appendonly.aof.1.incr.aof"}
	for _, name := range append(stale, kept[:2]...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if s := runRedis(t, dir); !s.responds(t.Context()) || s.DBSize(t.Context()).Val() != 1 {
		t.Errorf("Redis has lost its data:\n%s", &s.log)
	}
	for _, name := range stale {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("the file %s still exists", name)
		}
	}
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestRedisWaitsWhileItsDiskIsFull checks that Redis exits when its disk is full, and that redis-start starts Redis
// again only when the disk has free space. Redis must then have every acknowledged write.
func TestRedisWaitsWhileItsDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unmount, err := MountDisk(dir, "8m")
	if err != nil && os.Geteuid() != 0 {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount() })
	s := runRedis(t, dir)
	if !s.responds(t.Context()) {
		t.Fatalf("Redis does not respond:\n%s", &s.log)
	}
	acknowledged := int64(0)
	for s.Set(t.Context(), fmt.Sprint(acknowledged), strings.Repeat("v", 50_000), 0).Err() == nil {
		acknowledged++
	}
	if err := s.cmd.Wait(); err == nil || acknowledged == 0 {
		t.Fatalf("exit after %d acknowledged writes: got %v, want at least one write and an exit status other than 0",
			acknowledged, err)
	}
	s = runRedis(t, dir)
	time.Sleep(1500 * time.Millisecond)
	if err := s.Ping(t.Context()).Err(); err == nil {
		t.Error("Redis runs on a full disk, want redis-start to wait")
	}
	if err := ResizeDisk(dir, "16m"); err != nil {
		t.Fatal(err)
	}
	if !s.responds(t.Context()) {
		t.Fatalf("Redis does not respond after its disk got free space:\n%s", &s.log)
	}
	if got := s.DBSize(t.Context()).Val(); got < acknowledged {
		t.Errorf("got %d keys, want %d, the number of acknowledged writes", got, acknowledged)
	}
	if err := s.Set(t.Context(), "more", "x", 0).Err(); err != nil {
		t.Error(err)
	}
}
