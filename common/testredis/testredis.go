// Package testredis starts a real redis-server of its own for a test, configured as in production: fsync always, no eviction.
package testredis

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a running redis-server.
type Server struct {
	Addr   string
	Client *redis.Client // for the test's own looks and lies
	dir    string
	cmd    *exec.Cmd
}

// Start starts a redis-server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is missing: make deps installs it")
	}
	s := &Server{dir: t.TempDir()}
	// The port is free when it is picked and may be taken when it is bound: then another one is tried.
	var err error
	for range 10 {
		s.Addr = freeAddr(t)
		if err = s.run(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("redis-server: %v", err)
	}
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	t.Cleanup(func() {
		s.Client.Close()
		s.Kill()
	})
	return s
}

func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *Server) run() error {
	_, port, _ := net.SplitHostPort(s.Addr)
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	defer client.Close()
	deadline := time.Now().Add(20 * time.Second)
	for {
		// Another server on the port would answer as well: it must be this one.
		info, err := client.Info(context.Background(), "server").Result()
		if err == nil && contains(info, "process_id:"+strconv.Itoa(s.cmd.Process.Pid)) {
			return nil
		}
		if time.Now().After(deadline) || s.ended() {
			s.Kill()
			return fmt.Errorf("no answer at %s: %v", s.Addr, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func contains(info, line string) bool {
	for i := 0; i+len(line) <= len(info); i++ {
		if info[i:i+len(line)] == line && (i+len(line) == len(info) || info[i+len(line)] == '\r') {
			return true
		}
	}
	return false
}

// ended tells whether the process is gone, without waiting for it.
func (s *Server) ended() bool {
	var status syscall.WaitStatus
	pid, _ := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WNOHANG, nil)
	return pid == s.cmd.Process.Pid
}

// Kill ends the server as a crash does (SIGKILL) and waits until it is gone.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// Restart starts a killed server again, on its address and data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatalf("redis-server, again: %v", err)
	}
}

// Pause stops the server's clockwork (SIGSTOP) until Resume.
func (s *Server) Pause() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *Server) Resume() { s.cmd.Process.Signal(syscall.SIGCONT) }
