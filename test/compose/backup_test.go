package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"checkout/test/stack"
)

// fakeSystem runs the scripts of compose/ against testdata/docker. Its name is the state directory of that script.
type fakeSystem string

// newFakeSystem returns a running system. Each file of its shards contains the text "old".
func newFakeSystem(t *testing.T) fakeSystem {
	t.Helper()
	f := fakeSystem(t.TempDir())
	f.write(t, "old")
	f.touch(t, "gateway")
	return f
}

// run runs a script of compose/ in its own process group, as a terminal does.
func (f fakeSystem) run(t *testing.T, script string, args ...string) (string, error) {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "compose", script), args...)
	cmd.Env = append(os.Environ(), "STATE="+string(f),
		"PATH="+filepath.Join(root, "test/compose/testdata")+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs a script that must succeed.
func (f fakeSystem) must(t *testing.T, script string, args ...string) {
	t.Helper()
	if out, err := f.run(t, script, args...); err != nil {
		t.Fatalf("compose/%s: %v\n%s", script, err, out)
	}
}

// write replaces the data of all shards.
func (f fakeSystem) write(t *testing.T, text string) {
	t.Helper()
	for _, service := range services {
		dir := filepath.Join(string(f), service+"-redis", "appendonlydir")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"appendonly.aof.manifest", "appendonly.aof.1.incr.aof"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// touch creates a file of testdata/docker.
func (f fakeSystem) touch(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(string(f), name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkGateway checks whether the gateway runs.
func (f fakeSystem) checkGateway(t *testing.T, want bool) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(string(f), "gateway")); (err == nil) != want {
		t.Errorf("the gateway runs: got %v, want %v", err == nil, want)
	}
}

// TestBackupStartsTheGateway checks that compose/backup starts the gateway again even if a service is unhealthy
// (testdata/docker then rejects `docker compose start`) and after a second Ctrl-C, but only if the gateway ran before.
func TestBackupStartsTheGateway(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	f.checkGateway(t, true)
	f.touch(t, "ctrl-c")
	f.must(t, "backup", dir)
	f.checkGateway(t, true)
	if err := os.Remove(filepath.Join(string(f), "gateway")); err != nil {
		t.Fatal(err)
	}
	f.must(t, "backup", dir)
	f.checkGateway(t, false)
}
