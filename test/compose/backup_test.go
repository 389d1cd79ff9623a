package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"checkout/test/stack"
)

// fakeSystem is the directory $STATE of testdata/docker. Its methods run the scripts of compose/ with testdata/docker
// instead of docker.
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

// refuses runs a script that must fail with a message.
func (f fakeSystem) refuses(t *testing.T, want, script string, args ...string) {
	t.Helper()
	if out, err := f.run(t, script, args...); err == nil || !strings.Contains(out, want) {
		t.Errorf("compose/%s %q: got error %v, want an error and the text %q in:\n%s", script, args, err, want, out)
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

// touch creates one of the files that control testdata/docker.
func (f fakeSystem) touch(t *testing.T, name string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(string(f), name), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// remove deletes one of the files that control testdata/docker.
func (f fakeSystem) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(string(f), name)); err != nil {
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

// list returns the sorted names of the files in a directory.
func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// content returns the content of the append-only file in a backup of a shard.
func content(t *testing.T, dir, shard string) string {
	t.Helper()
	file := filepath.Join(dir, shard+".tar")
	text, err := exec.Command("tar", "-xOf", file, "appendonlydir/appendonly.aof.1.incr.aof").CombinedOutput()
	if err != nil {
		t.Errorf("read %s: %v\n%s", file, err, text)
	}
	return string(text)
}

var backupFiles = []string{"order-redis.tar", "payment-redis.tar", "stock-redis.tar"}

// TestBackupStartsTheGateway checks that compose/backup starts the gateway again, but only if the gateway ran before:
//
//   - The fake `docker compose start` always fails, as the real command does while a service is unhealthy. The script
//     must use `docker start`.
//   - In the second backup, a Ctrl-C interrupts the first `docker start`, so the script must retry.
//   - Before the third backup, the gateway does not run.
func TestBackupStartsTheGateway(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	f.checkGateway(t, true)
	f.touch(t, "ctrl-c")
	f.must(t, "backup", dir)
	f.checkGateway(t, true)
	f.remove(t, "gateway")
	f.must(t, "backup", dir)
	f.checkGateway(t, false)
}

// TestBackupArguments checks that compose/backup and compose/restore reject a missing argument, and that compose/backup
// rejects a second argument.
func TestBackupArguments(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.refuses(t, "usage: ", "backup")
	f.refuses(t, "usage: ", "backup", dir, dir)
	f.refuses(t, "usage: ", "restore")
	f.checkGateway(t, true)
}

// TestFailedBackup checks backups that fail, either during a copy or at the check after the last copy. The older backup
// must stay as it is, and compose/restore must reject the directory. The next successful backup must replace the older
// backup and remove all .part files.
func TestFailedBackup(t *testing.T) {
	f, dir := newFakeSystem(t), t.TempDir()
	f.must(t, "backup", dir)
	f.write(t, "new")
	f.touch(t, "truncated")
	f.refuses(t, "stock-redis: the copy is incomplete", "backup", dir)
	f.remove(t, "truncated")
	for _, key := range []string{"{o0}unconfirmed", "{s0}overwriting", "{o0}undecided"} {
		f.touch(t, "request", key)
		f.refuses(t, "a request reached the services", "backup", dir)
		f.remove(t, key)
	}
	f.remove(t, "request")
	f.checkGateway(t, true)
	for _, service := range services {
		if got := content(t, dir, service+"-redis"); got != "old" {
			t.Errorf("%s-redis.tar after a failed backup: got the data %q, want \"old\"", service, got)
		}
	}
	f.refuses(t, "nothing was changed", "restore", dir)
	f.refuses(t, ".tar.part", "restore", dir, "order-redis")
	if err := os.WriteFile(filepath.Join(dir, "order-redis-2.tar.part"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f.must(t, "backup", dir)
	if got := list(t, dir); !slices.Equal(got, backupFiles) {
		t.Errorf("files in the backup directory: got %v, want %v", got, backupFiles)
	}
	for _, service := range services {
		if got := content(t, dir, service+"-redis"); got != "new" {
			t.Errorf("%s-redis.tar after a successful backup: got the data %q, want \"new\"", service, got)
		}
	}
}
