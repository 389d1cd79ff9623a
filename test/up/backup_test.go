package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkout/test/stack"
)

// startUp starts a system with serve(). It returns the URL of the gateway, the output of the system, and a function
// that stops the system.
func startUp(t *testing.T, cfg stack.Config) (gateway string, out *output, stop func()) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	out = &output{}
	done := make(chan error, 1)
	go func() { done <- serve(ctx, cfg, out) }()
	stop = func() {
		interrupt()
		if err := <-done; err != nil {
			t.Errorf("serve: %v\n%s", err, out)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return out.await(t, `The system is ready at (http://[^/]+)/`)[1], out, stop
}

// call sends a request and returns the body of its response. It retries after a 503, which a slow host may cause. An
// idempotency key makes the retries safe.
func call(t *testing.T, method, url string) string {
	t.Helper()
	key, until := rand.Text(), time.Now().Add(testTimeout)
	for {
		response, body := send(t, method, url, "Idempotency-Key", key)
		if response.StatusCode == http.StatusOK {
			return body
		}
		if response.StatusCode != http.StatusServiceUnavailable || time.Now().After(until) {
			t.Fatalf("%s %s: got %s, want 200\n%s", method, url, response.Status, body)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// runScript runs a script of this folder in its own process group, as an interactive shell does.
func runScript(t *testing.T, data, script string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("./"+script, args...)
	cmd.Env = append(os.Environ(), "DATA="+data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestBackupAndRestore checks that a backup of a running or a stopped system contains the state of the system at that
// time, and that test/up/restore rejects a running system.
func TestBackupAndRestore(t *testing.T) {
	real, running, stopped := t.TempDir(), t.TempDir(), t.TempDir()
	data := filepath.Join(t.TempDir(), "link") // DATA may be a link to a directory on another disk
	if err := os.Symlink(real, data); err != nil {
		t.Fatal(err)
	}
	cfg := stack.Config{Instances: 1, Dir: data}
	gateway, out, stop := startUp(t, cfg)
	user := strings.Split(call(t, "POST", gateway+"/payment/create_user"), `"`)[3]
	add := func(amount int) { call(t, "POST", fmt.Sprintf("%s/payment/add_funds/%s/%d", gateway, user, amount)) }
	add(5)
	call(t, "POST", gateway+"/orders/create/%7Dun") // backup must not mistake {o0}orders:}un for {o0}undecided
	if text, err := runScript(t, data, "backup", running); err != nil {
		t.Fatalf("backup of a running system: %v\n%s", err, text)
	}
	out.await(t, "started the gateway on SIGUSR2")
	unfinished := t.TempDir()
	backupWithGateway(t, data, unfinished)
	out.await(t, "(?s)(started the gateway on SIGUSR2.*){3}") // two by backups, one by the tar wrapper
	backupWithCtrlC(t, data)
	out.await(t, "(?s)(started the gateway on SIGUSR2.*){4}")
	add(10)
	if text, err := runScript(t, data, "restore", running); err == nil || !strings.Contains(text, "stop make up first") {
		t.Errorf("restore of a running system: got %v, want \"stop make up first\" in:\n%s", err, text)
	}
	stop()
	if text, err := runScript(t, data, "backup", stopped); err != nil {
		t.Fatalf("backup of a stopped system: %v\n%s", err, text)
	}
	for want, dir := range map[string]string{"has no backup of order-redis": t.TempDir(), ".tar.part": unfinished} {
		text, err := runScript(t, data, "restore", dir)
		if err == nil || !strings.Contains(text, want) || !strings.Contains(text, "nothing was changed") {
			t.Errorf("restore: got %v, want %q and \"nothing was changed\" in:\n%s", err, want, text)
		}
	}
	for backup, credit := range map[string]string{running: `"credit":5`, stopped: `"credit":15`} {
		if text, err := runScript(t, data, "restore", backup); err != nil {
			t.Fatalf("restore: %v\n%s", err, text)
		}
		gateway, _, stop = startUp(t, cfg)
		if body := call(t, "GET", gateway+"/payment/find_user/"+user); !strings.Contains(body+",", credit) {
			t.Errorf("the restored system has %s, want %s", body, credit)
		}
		stop()
	}
	if replaced, _ := filepath.Glob(filepath.Join(data, "replaced-*", "redis-order-0")); len(replaced) != 2 {
		t.Errorf("the replaced data are in %v, want two directories", replaced)
	}
}

// backupWith runs test/up/backup, and runs a shell script before each call of a program. The script can read the
// arguments of the program.
func backupWith(t *testing.T, data, dir, program, script string) (string, error) {
	t.Helper()
	file, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	script = fmt.Sprintf("#!/bin/sh\n%s\nexec %s \"$@\"\n", script, file)
	if err := os.WriteFile(filepath.Join(programs, program), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", programs+":"+path)
	defer t.Setenv("PATH", path)
	return runScript(t, data, "backup", dir)
}

// backupWithGateway checks that a backup fails and leaves no .tar file if another program starts the gateway while the
// last shard is copied.
func backupWithGateway(t *testing.T, data, dir string) {
	t.Helper()
	text, err := backupWith(t, data, dir, "tar", fmt.Sprintf(
		"case $* in *redis-stock-0*) kill -USR2 %d; while [ -e %s/%s ]; do sleep 0.01; done ;; esac",
		os.Getpid(), data, pauseFile))
	if err == nil || !strings.Contains(text, "has started the gateway") {
		t.Errorf("backup while the gateway runs: got %v, want \"has started the gateway\" in:\n%s", err, text)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*.tar")); err != nil || len(files) != 0 {
		t.Errorf("*.tar files after a failed backup: got %v, error %v, want none", files, err)
	}
}

// backupWithCtrlC checks that a Ctrl-C at the end of test/up/backup does not leave the gateway stopped.
func backupWithCtrlC(t *testing.T, data string) {
	t.Helper()
	text, err := backupWith(t, data, t.TempDir(), "redis-cli", `case $* in *percentage" 100") kill -INT 0 ;; esac`)
	if err != nil {
		t.Errorf("backup with a Ctrl-C at its end: %v\n%s", err, text)
	}
}

// TestBackupArguments checks that the scripts reject a missing, an empty and a second argument, and that make passes
// a directory with spaces to the scripts as one argument.
func TestBackupArguments(t *testing.T) {
	data, dir := t.TempDir(), filepath.Join(t.TempDir(), "a b")
	for _, service := range []string{"order", "stock", "payment"} {
		aof := filepath.Join(data, "redis-"+service+"-0", "appendonlydir")
		if err := os.MkdirAll(aof, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(aof, "appendonly.aof.manifest"), []byte("file"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, script := range []string{"backup", "restore"} {
		for _, args := range [][]string{nil, {""}, {dir, dir}} {
			if text, err := runScript(t, data, script, args...); err == nil || !strings.Contains(text, "usage: ") {
				t.Errorf("%s %q: got %v, want a usage message in:\n%s", script, args, err, text)
			}
		}
		text, err := exec.Command("make", "-C", "../..", script, "DIR="+dir, "DATA="+data).CombinedOutput()
		if err != nil {
			t.Errorf("make %s DIR=%q: %v\n%s", script, dir, err, text)
		}
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*.tar")); err != nil || len(files) != 3 {
		t.Errorf("*.tar files in %q: got %v, error %v, want three", dir, files, err)
	}
}

// TestBackupSignalsDuringTheStart checks that SIGUSR1 from test/up/backup does not kill a starting system, and
// that the system stops the gateway as soon as the system is ready.
func TestBackupSignalsDuringTheStart(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	dir, out, done := t.TempDir(), &output{}, make(chan error, 1)
	sent := false
	first := writerFunc(func(p []byte) (int, error) {
		if !sent { // the first output is "building …": the system is still starting
			sent = true
			if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
				t.Error(err)
			}
		}
		return out.Write(p)
	})
	go func() { done <- serve(ctx, stack.Config{Instances: 1, Dir: dir}, first) }()
	gateway := out.await(t, "The system is ready at (http://[^/]+)/")[1]
	out.await(t, "stopped the gateway on SIGUSR1")
	if pid, err := os.ReadFile(filepath.Join(dir, pauseFile)); string(pid) != strconv.Itoa(os.Getpid()) {
		t.Errorf("the file %s contains %q (error %v), want the ID of this process", pauseFile, pid, err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR2); err != nil {
		t.Error(err)
	}
	out.await(t, "started the gateway on SIGUSR2")
	call(t, "GET", gateway+"/orders/")
	if _, err := os.Stat(filepath.Join(dir, pauseFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file %s after SIGUSR2: got error %v, want that the file does not exist", pauseFile, err)
	}
	interrupt()
	if err := <-done; err != nil {
		t.Errorf("serve: %v\n%s", err, out)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
