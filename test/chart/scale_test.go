package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// script runs a script in gke-scale. Fakes replace the programs that the script calls. script returns the command lines
// of the fakes and the output of the script. existing lists the resources that exist: for each, a word from the command
// that describes it.
func script(t *testing.T, name string, args, environ []string, existing ...string) (calls []string, output string,
	err error) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	gcloud := "case \"$*\" in\n"
	for _, word := range existing {
		gcloud += "*" + word + "*describe*--format*) echo 198.51.100.7/32,198.51.100.8/32 ;;\n*" + word + "*describe*) ;;\n"
	}
	gcloud += "*describe*--format*) ;;\n*describe*) exit 1 ;;\nesac\n"
	for program, does := range map[string]string{"gcloud": gcloud, "helm": "", "kubectl": "", "dig": "echo 192.0.2.1\n"} {
		text := "#!/bin/sh\nprintf '%s\\n' \"" + program + " $*\" >>" + log + "\n" + does
		if err := os.WriteFile(filepath.Join(dir, program), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(root, "gke-scale", name), args...)
	cmd.Env = append(append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH")), environ...)
	out, err := cmd.CombinedOutput()
	text, readErr := os.ReadFile(log)
	if readErr != nil && !os.IsNotExist(readErr) {
		t.Fatal(readErr)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), string(out), err
}

// changes returns the calls that change a resource.
func changes(calls []string) []string {
	return slices.DeleteFunc(slices.Clone(calls), func(call string) bool {
		return call == "" || strings.Contains(call, " describe ") || strings.HasPrefix(call, "dig ")
	})
}

// inOrder checks that the first call contains the first string in words, the second call the second string, and so on.
// "…" in words matches any text.
func inOrder(t *testing.T, calls []string, words ...string) {
	t.Helper()
	if len(calls) != len(words) {
		t.Errorf("got %d commands, want %d:\n%s", len(calls), len(words), strings.Join(calls, "\n"))
		return
	}
	for i, word := range words {
		for part := range strings.SplitSeq(word, "…") {
			if !strings.Contains(calls[i], part) {
				t.Errorf("command %d: got %s, want %q in it", i+1, calls[i], part)
			}
		}
	}
}

// fromNothing are the commands that create a cluster and install the system.
var fromNothing = []string{
	"gcloud container clusters create-auto checkout --region europe-west4…--enable-private-nodes",
	"gcloud compute addresses create europe-west4-nat-ip --region europe-west4",
	"gcloud compute routers create rtr-europe-west4 --network default --region europe-west4",
	"gcloud compute routers nats create nat-gw-europe-west4 --router rtr-europe-west4 --router-region europe-west4 " +
		"--nat-external-ip-pool europe-west4-nat-ip --nat-all-subnet-ip-ranges",
	"gcloud compute firewall-rules create all-pods-and-master-ipv4-cidrs --network default…" +
		"--source-ranges 10.0.0.0/8,172.16.2.0/28",
	"gcloud container clusters update checkout --region europe-west4 " +
		"--enable-master-authorized-networks --master-authorized-networks 192.0.2.1/32",
	"gcloud container clusters get-credentials checkout --region europe-west4",
	"helm upgrade --install checkout…values.yaml --set machines=3,shards=3 " +
		"--set-string machine.cpu=2,redis.cpu=2 --set image.prefix=r.example/checkout-",
	"helm test checkout --namespace default",
	"kubectl --namespace default wait gateway/checkout",
	"kubectl --namespace default get gateway checkout",
}

// TestDeployFromNothing checks the commands of deploy.sh if no resource exists.
func TestDeployFromNothing(t *testing.T) {
	calls, output, err := script(t, "deploy.sh", []string{"3"},
		[]string{"REGION=europe-west4", "CPU=2", "IMAGE_PREFIX=r.example/checkout-"})
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inOrder(t, changes(calls), fromNothing...)
}

// TestDeployAgain checks that deploy.sh keeps existing resources and existing authorized networks.
func TestDeployAgain(t *testing.T) {
	calls, output, err := script(t, "deploy.sh", []string{"4"}, nil, "clusters", "addresses", "routers", "firewall-rules")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inOrder(t, changes(calls), "--master-authorized-networks 198.51.100.7/32,198.51.100.8/32,192.0.2.1/32",
		"get-credentials", "machines=4,shards=4", "helm test", "wait gateway", "get gateway")
}

// TestDeployDryRun checks that deploy.sh prints the commands and runs none if DRY_RUN is set.
func TestDeployDryRun(t *testing.T) {
	calls, output, err := script(t, "deploy.sh", []string{"3"},
		[]string{"REGION=europe-west4", "CPU=2", "IMAGE_PREFIX=r.example/checkout-", "DRY_RUN=1"})
	if err != nil || len(changes(calls)) > 0 || calls[0] != "" {
		t.Errorf("deploy with DRY_RUN: ran %q, error %v", calls, err)
	}
	if lines := strings.Split(strings.TrimSpace(output), "\n"); len(lines) != len(fromNothing) {
		t.Errorf("deploy with DRY_RUN: printed %d commands, want %d:\n%s", len(lines), len(fromNothing), output)
	}
}

// TestDeployRefusesWrongNumbers checks that deploy.sh refuses wrong numbers before it runs a command.
func TestDeployRefusesWrongNumbers(t *testing.T) {
	for _, args := range [][]string{nil, {""}, {"0"}, {"-1"}, {"65"}, {"2.5"}, {"two"}, {"2", "3"}, {"02"}, {"1e1"},
		{"$(id)"}} {
		if calls, output, err := script(t, "deploy.sh", args, nil); err == nil || calls[0] != "" ||
			!strings.Contains(output, "deploy.sh: ") {
			t.Errorf("deploy %q: got error %v, output %q, ran %q; want an error and no command", args, err, output, calls)
		}
	}
	if calls, output, err := script(t, "deploy.sh", []string{"2"}, []string{"CPU=many"}); err == nil || calls[0] != "" ||
		!strings.Contains(output, "CPU") {
		t.Errorf("deploy with CPU=many: got error %v, output %q, ran %q; want an error and no command", err, output, calls)
	}
}

// TestUndeploy checks the commands of undeploy.sh, and that it refuses wrong arguments.
func TestUndeploy(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"get-credentials", "helm uninstall checkout"}},
		{[]string{"--data"}, []string{"get-credentials", "helm uninstall checkout",
			"delete persistentvolumeclaim -l app.kubernetes.io/instance=checkout"}},
		{[]string{"--cluster", "--data"}, []string{
			"get-credentials", "helm uninstall checkout", "delete persistentvolumeclaim", "clusters delete checkout",
			"firewall-rules delete", "nats delete", "routers delete", "addresses delete",
		}},
	} {
		calls, output, err := script(t, "undeploy.sh", c.args, nil)
		if err != nil {
			t.Errorf("%v: %v\n%s", c.args, err, output)
		}
		inOrder(t, changes(calls), c.want...)
	}
	for _, args := range [][]string{{"--cluster"}, {"--all"}, {"3"}} {
		if calls, output, err := script(t, "undeploy.sh", args, nil); err == nil || calls[0] != "" {
			t.Errorf("undeploy %q: got output %q, ran %q; want an error and no command", args, output, calls)
		}
	}
}
