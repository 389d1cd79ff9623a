// Package testredis starts redis-server and valkey-server processes for tests. The servers are configured as in
// production: every write is synced to disk, and no key is evicted.
package testredis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/child"
	"checkout/common/freeport"
)

// Server is a redis-server or a valkey-server.
type Server struct {
	Addr   string
	Client *redis.Client // direct access for tests
	dir    string
	engine string   // the server program
	args   []string // arguments of every start
	cmd    *exec.Cmd
}

// Start starts a redis-server and stops it when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, "redis-server")
}

func start(t testing.TB, engine string, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath(engine); err != nil {
		t.Fatalf("%s is not installed: run make deps", engine)
	}
	s := &Server{Addr: freeport.Addr(t), dir: t.TempDir(), engine: engine, args: args}
	if err := s.run(); err != nil {
		t.Fatalf("start %s: %v", engine, err)
	}
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	t.Cleanup(func() {
		s.Client.Close()
		s.Kill()
	})
	return s
}

func (s *Server) run(args ...string) error {
	_, port, _ := net.SplitHostPort(s.Addr)
	s.cmd = exec.Command(s.engine, "--port", port, "--bind", "127.0.0.1",
		"--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
	s.cmd.Args = append(append(s.cmd.Args, s.args...), args...)
	if err := child.Start(s.cmd); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	defer client.Close()
	deadline := time.Now().Add(20 * time.Second)
	for {
		// Check the process ID: another server may have taken the port.
		info, err := client.Info(context.Background(), "server").Result()
		if err == nil && hasLine(info, "process_id:"+strconv.Itoa(s.cmd.Process.Pid)) {
			return nil
		}
		if time.Now().After(deadline) || s.exited() {
			s.Kill()
			return fmt.Errorf("the process does not serve %s; error of the last INFO: %v", s.Addr, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func hasLine(info, want string) bool {
	for line := range strings.Lines(info) {
		if strings.TrimSpace(line) == want {
			return true
		}
	}
	return false
}

// exited reports whether the process has exited. It does not wait.
func (s *Server) exited() bool {
	var status syscall.WaitStatus
	pid, _ := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WNOHANG, nil)
	return pid == s.cmd.Process.Pid
}

// Kill crashes the server with SIGKILL and waits for it to exit.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// Restart starts a killed server again, with the same address and data. The server may still be loading its data.
func (s *Server) Restart(t testing.TB, args ...string) {
	t.Helper()
	if err := s.run(args...); err != nil {
		t.Fatalf("restart %s: %v", s.engine, err)
	}
}

// Pause stops the server with SIGSTOP until Resume.
func (s *Server) Pause() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume continues a paused server.
func (s *Server) Resume() { s.cmd.Process.Signal(syscall.SIGCONT) }

// Erase kills the server, deletes its data and starts it again, as if its disk had been lost.
func (s *Server) Erase(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := os.RemoveAll(s.files()); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}

// Backup copies the data of the server and returns a function that replaces the current data with the copy.
func (s *Server) Backup(t testing.TB) (restore func()) {
	t.Helper()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(s.files())); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		s.Kill()
		if err := errors.Join(os.RemoveAll(s.files()), os.CopyFS(s.files(), os.DirFS(backup))); err != nil {
			t.Fatal(err)
		}
		s.Restart(t)
	}
}

// files returns the directory with the append-only file.
func (s *Server) files() string { return filepath.Join(s.dir, "appendonlydir") }
