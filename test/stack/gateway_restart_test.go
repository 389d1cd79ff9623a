package stack_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestRestartedGatewayIgnoresFilesOfItsPredecessor runs the entrypoint of the gateway's container in a directory with
// the files of a container that was stopped. After a liveness probe has restarted the container, the volume of /tmp
// still has these files.
func TestRestartedGatewayIgnoresFilesOfItsPredecessor(t *testing.T) {
	root, err := stack.Root()
	must(t, err)
	dir, bin := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "nginx"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o755))
	for _, name := range []string{"leaving", "settings.conf", "nginx.pid"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("old\n"), 0o644))
	}
	run := func(env ...string) string {
		t.Helper()
		cmd := exec.Command("/bin/sh", filepath.Join(root, "compose/gateway"), "-g", "worker_processes 1;")
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GATEWAY_TMP="+dir)
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	want := "-e stderr -p " + dir + "/ -c /etc/nginx/nginx.conf -g worker_processes 1;\n"
	if got := run(); got != want {
		t.Errorf("nginx gets the arguments %q, want %q", got, want)
	}
	for _, name := range []string{"leaving", "nginx.pid"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("stat %s: got the error %v, want %v", name, err, os.ErrNotExist)
		}
	}
	_, err = os.Stat("/proc/net/if_inet6")
	hasIPv6 := err == nil
	for _, env := range []string{"ACCESS_LOG=0", "ACCESS_LOG=1"} {
		run(env)
		b, err := os.ReadFile(filepath.Join(dir, "settings.conf"))
		must(t, err)
		for part, want := range map[string]bool{
			"old": false, "listen [::]:8000": hasIPv6, "access_log": env == "ACCESS_LOG=1",
		} {
			if got := strings.Contains(string(b), part); got != want {
				t.Errorf("%s: settings.conf contains %q: %v, want %v:\n%s", env, part, got, want, b)
			}
		}
	}
}

// TestGatewayListensOnIPv6 checks that "localhost" reaches the gateway even if the name resolves to ::1.
func TestGatewayListensOnIPv6(t *testing.T) {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		t.Skip("this host has no IPv6")
	}
	s := start(t, stack.Config{})
	port := s.Gateway()[len("http://127.0.0.1:"):]
	if status, body := request(t, "GET", "http://[::1]:"+port+"/orders/", ""); status != 200 {
		t.Errorf("GET /orders/ over IPv6: got %d: %s, want 200", status, body)
	}
}
