package stack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestGatewayEntrypoint checks which settings the entrypoint of the gateway's container writes. A wrong value
// must stop the container. A malformed origin could even add directives to the configuration.
func TestGatewayEntrypoint(t *testing.T) {
	root, err := stack.Root()
	must(t, err)
	dir := t.TempDir()
	settings := filepath.Join(dir, "settings.conf")
	must(t, os.WriteFile(filepath.Join(dir, "nginx"), []byte("#!/bin/sh\necho started\n"), 0o755))
	hosts := filepath.Join(dir, "hosts")
	const lines = "127.0.0.1\tlocalhost\n10.0.0.12\torder\n10.0.0.11\torder\n10.0.0.21\tstock\n"
	must(t, os.WriteFile(hosts, []byte(lines), 0o644))
	for _, c := range []struct {
		env  []string
		want string // "" if the container must not start
	}{
		{nil, "set $cors_origins \"\";\n"},
		{[]string{"CORS_ORIGINS=https://a.example,http://localhost:3000", "CLIENT_TRACES=1"},
			"set $cors_origins \"https://a.example http://localhost:3000\";\n" +
				"set $client_traceparent $http_traceparent; set $client_tracestate $http_tracestate;\n"},
		{[]string{"ACCESS_LOG=1", "CLIENT_TRACES=0"},
			"access_log /dev/stdout json buffer=64k flush=1s;\nset $cors_origins \"\";\n"},
		{[]string{"ACCESS_LOG=0", "CLIENT_TRACES="}, "set $cors_origins \"\";\n"},
		{[]string{"ACCESS_LOG=true"}, ""},
		{[]string{"ACCESS_LOG=01"}, ""},
		{[]string{"CLIENT_TRACES=yes"}, ""},
		{[]string{`CORS_ORIGINS=https://a"; return 200 "`}, ""},
		{[]string{"CORS_ORIGINS=https://$host"}, ""},
		{[]string{"CORS_ORIGINS=*"}, ""},
		{[]string{"CORS_ORIGINS=https://a.example\nreturn 200;"}, ""},
	} {
		cmd := exec.Command("/bin/sh", filepath.Join(root, "compose/gateway"))
		cmd.Env = append(c.env, "PATH="+dir+":"+os.Getenv("PATH"), "GATEWAY_TMP="+dir, "GATEWAY_HOSTS="+hosts)
		out, err := cmd.CombinedOutput()
		if c.want == "" {
			name, _, _ := strings.Cut(c.env[0], "=")
			if err == nil || !strings.HasPrefix(string(out), name+": ") {
				t.Errorf("%q: got error %v, output %s, want an error about %s", c.env, err, out, name)
			}
			continue
		}
		got, readErr := os.ReadFile(settings)
		if err != nil || readErr != nil || withoutIPv6(string(got)) != c.want || string(out) != "started\n" {
			t.Errorf("%q: got error %v, output %s, settings.conf:\n%s\nwant\n%s", c.env, err, out, got, c.want)
		}
		instances, err := os.ReadFile(filepath.Join(dir, "instances.conf"))
		must(t, err)
		const want = "upstream order_1 { server 10.0.0.11:5000; }\nupstream order_2 { server 10.0.0.12:5000; }\n" +
			"upstream stock_1 { server 10.0.0.21:5000; }\n" +
			"map $uri $instance { /orders/overview/1 order_1; /orders/overview/2 order_2; /stock/overview/1 stock_1; }\n"
		if string(instances) != want {
			t.Errorf("instances.conf: got\n%s\nwant\n%s", instances, want)
		}
	}
}

// withoutIPv6 removes the line that the entrypoint writes if this host has IPv6.
func withoutIPv6(settings string) string {
	return strings.Replace(settings, "listen [::]:8000 backlog=4096;\n", "", 1)
}
