package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"checkout/test/stack"
)

// scale runs a copy of compose/scale, so that the script writes into a temporary folder.
func scale(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "compose", "scale")
	if _, err := os.Stat(script); err != nil {
		text, err := os.ReadFile(filepath.Join(root, "compose", "scale"))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(script), 0o755)
		}
		if err == nil {
			err = os.WriteFile(script, text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(script, args...)
	cmd.Env = append(os.Environ(), append([]string{"REPLICAS=", "KEEPER_TOKEN="}, env...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestScaleRemembersReplicas checks that compose/scale never reduces the number of nodes or shards, and writes a token
// for the keepers once.
func TestScaleRemembersReplicas(t *testing.T) {
	dir := t.TempDir()
	override, env := filepath.Join(dir, "docker-compose.override.yml"), filepath.Join(dir, ".env")
	for _, c := range []struct {
		replicas string
		args     []string
		want     string // end of the first line of the file; empty: compose/scale fails
	}{
		{"2", []string{"1"}, ""},
		{"", []string{"1"}, "compose/scale 1 1"},
		{"1", []string{"2", "1"}, "compose/scale 2 1"},
		{"3", []string{"2", "1"}, "compose/scale 2 1 with REPLICAS=3"},
		{"", []string{"1", "2"}, "compose/scale 1 2 with REPLICAS=3"},
		{"1", []string{"1", "2"}, ""},
		{"3", []string{"1", "1"}, ""},
	} {
		before, _ := os.ReadFile(override)
		out, err := scale(t, dir, []string{"REPLICAS=" + c.replicas}, c.args...)
		after, _ := os.ReadFile(override)
		first, _, _ := strings.Cut(string(after), "\n")
		if c.want == "" && (err == nil || string(before) != string(after)) ||
			c.want != "" && (err != nil || !strings.HasSuffix(first, c.want)) {
			t.Errorf("REPLICAS=%s compose/scale %v: got error %v, output %s, first line %q; want its end %q (empty: an error)",
				c.replicas, c.args, err, out, first, c.want)
		}
		if token, _ := os.ReadFile(env); strings.Count(string(token), "KEEPER_TOKEN=") != strings.Count(first, "REPLICAS") {
			t.Errorf("REPLICAS=%s: .env contains %q; want one KEEPER_TOKEN if the first line %q has REPLICAS, else none",
				c.replicas, token, first)
		}
	}
	if info, err := os.Stat(env); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("stat .env: got %v, error %v; want a file with mode 0600", info, err)
	}
}

// TestScaleEndsTheLastLine checks that compose/scale adds a missing newline before KEEPER_TOKEN.
func TestScaleEndsTheLastLine(t *testing.T) {
	for before, want := range map[string]string{"A=1": "A=1\nKEEPER_", "A=1\n": "A=1\nKEEPER_", "": "KEEPER_"} {
		dir := t.TempDir()
		env := filepath.Join(dir, ".env")
		if err := os.WriteFile(env, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := scale(t, dir, []string{"REPLICAS=3"}, "1"); err != nil {
			t.Fatal(err, out)
		}
		if got, err := os.ReadFile(env); err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("compose/scale with %q in .env: got %q in .env, error %v; want the prefix %q", before, got, err, want)
		}
	}
}

// TestReplicas checks the containers of replicated shards, as docker compose interprets the output of compose/scale.
func TestReplicas(t *testing.T) {
	if exec.Command("docker", "compose", "version").Run() != nil {
		t.Skip("docker compose is not installed")
	}
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := scale(t, dir, []string{"REPLICAS=3"}, "2", "2"); err != nil {
		t.Fatal(err, out)
	}
	cmd := exec.Command("docker", "compose",
		"-f", "docker-compose.yml", "-f", filepath.Join(dir, "docker-compose.override.yml"),
		"--env-file", filepath.Join(dir, ".env"), "config", "--format", "json")
	cmd.Dir = root
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var system struct {
		Services map[string]struct {
			Environment         map[string]string
			Entrypoint, Command []string
			Build               any
			Restart             string
			Volumes             []struct{ Source, Target string }
			Networks            map[string]any
			DependsOn           map[string]struct{ Condition string } `json:"depends_on"`
		}
	}
	if err := json.Unmarshal(text, &system); err != nil {
		t.Fatal(err)
	}
	builds := 0
	for _, service := range services {
		var addrs []string
		for shard := range 2 {
			redis, keeper := nth(service+"-redis", shard+1), nth(service+"-keeper", shard+1)
			nodes := func(name string, port int) string {
				return fmt.Sprintf("%s:%d+%[1]s-b:%[2]d+%[1]s-c:%[2]d", name, port)
			}
			addrs = append(addrs, nodes(redis, 6379))
			for i, letter := range []string{"", "-b", "-c"} {
				r, k := system.Services[redis+letter], system.Services[keeper+letter]
				if k.Build != nil {
					builds++
				}
				if len(r.Volumes) != 1 || len(k.Volumes) != 1 || r.Volumes[0] != k.Volumes[0] ||
					!hasKey(r.Networks, "nodes") || !hasKey(k.Networks, "nodes") || !slices.Contains(r.Entrypoint, "--replicaof") {
					t.Errorf("%s: got Redis %+v and keeper %+v; want a shared volume, network \"nodes\" and --replicaof",
						redis+letter, r, k)
				}
				for name, want := range map[string]string{
					"SHARD": fmt.Sprintf("%s-%d", service, shard), "NODE": fmt.Sprint(i), "NODES": nodes(redis, 6379),
					"KEEPERS": nodes(keeper, 7000), "STATE_FILE": "/data/keeper.json",
				} {
					if k.Environment[name] != want {
						t.Errorf("%s: %s is %q, want %q", keeper+letter, name, k.Environment[name], want)
					}
				}
				if len(k.Environment["KEEPER_TOKEN"]) != 40 {
					t.Errorf("%s: KEEPER_TOKEN is %q, want 40 characters", keeper+letter, k.Environment["KEEPER_TOKEN"])
				}
			}
			once := system.Services[nth(service+"-init", shard+1)]
			if once.Restart != "on-failure" || !slices.Equal(once.Command, []string{"init", "--if-needed"}) ||
				once.Environment["NODE"] != "0" || len(once.DependsOn) != 3 {
				t.Errorf("%s: got %+v, want `init --if-needed` for node 0, after three keepers, with a restart on failure",
					nth(service+"-init", shard+1), once)
			}
			for i := range 2 {
				instance := system.Services[nth(service, i+1)]
				if got := instance.DependsOn[nth(service+"-init", shard+1)].Condition; got != "service_completed_successfully" ||
					!hasKey(instance.Networks, "nodes") {
					t.Errorf("%s: got %+v, want a start after %s has completed, and the network \"nodes\"",
						nth(service, i+1), instance, nth(service+"-init", shard+1))
				}
			}
		}
		for i := range 2 {
			if got := system.Services[nth(service, i+1)].Environment["REDIS_ADDRS"]; got != strings.Join(addrs, ",") {
				t.Errorf("%s: REDIS_ADDRS is %s, want %s", nth(service, i+1), got, strings.Join(addrs, ","))
			}
		}
	}
	if builds != 1 {
		t.Errorf("%d services build the image of the keepers, want one", builds)
	}
}

func hasKey(m map[string]any, key string) bool { _, ok := m[key]; return ok }
