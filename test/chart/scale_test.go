package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
)

// gcloud is a stand-in for the program gcloud. The stand-in keeps resources in files, and prints what gcloud 528
// prints.
const gcloud = `#!/bin/sh
printf '%s\n' "gcloud $*" >>"$FAKE/calls"
case "$*" in *"${FAIL:-nothing}"*) echo "ERROR: (gcloud) quota" >&2; exit 1 ;; esac
while [ $# -gt 0 ]; do
	case $1 in
	clusters | addresses | routers | nats) kind=$1 ;;
	create | create-auto) echo "$2" >>"$FAKE/$kind" ;;
	delete) grep -vx -- "$2" "$FAKE/$kind" >"$FAKE/left"; mv "$FAKE/left" "$FAKE/$kind" ;;
	list) [ ! -f "$FAKE/$kind" ] || cat "$FAKE/$kind" ;;
	describe) [ ! -f "$FAKE/networks" ] || cat "$FAKE/networks" ;;
	--master-authorized-networks) echo "$2" >"$FAKE/networks" ;;
	esac
	shift
done
`

// helm is a stand-in for the program helm. The stand-in keeps the name of the release in a file. The release is
// pending, so "helm list" prints it only with the option --all.
const helm = `#!/bin/sh
printf '%s\n' "helm $*" >>"$FAKE/calls"
case "helm $*" in *"${FAIL:-nothing}"*) echo "Error: no quota" >&2; exit 1 ;; esac
case $1 in
upgrade) echo "$3" >"$FAKE/release" ;;
uninstall) rm -f "$FAKE/release" ;;
list) case "$*" in *--all*) [ ! -f "$FAKE/release" ] || cat "$FAKE/release" ;; esac ;;
esac
`

// kubectl is a stand-in for the program kubectl.
const kubectl = `#!/bin/sh
printf '%s\n' "kubectl $*" >>"$FAKE/calls"
case "kubectl $*" in
*"${FAIL:-nothing}"*) exit 1 ;;
*"get persistentvolume"*) [ ! -f "$FAKE/volumes" ] || cat "$FAKE/volumes" ;;
esac
`

// cloud is a directory with stand-ins for the programs that the scripts in gke-scale call, and the state of gcloud.
type cloud struct {
	t   *testing.T
	dir string
}

func newCloud(t *testing.T) cloud {
	t.Helper()
	c := cloud{t, t.TempDir()}
	log := "#!/bin/sh\nprintf '%s\\n' \"${0##*/} $*\" >>\"$FAKE/calls\"\n"
	for program, text := range map[string]string{
		"gcloud": gcloud, "helm": helm, "kubectl": kubectl, "dig": log + "echo 192.0.2.1\n",
	} {
		c.write(program, text)
	}
	return c
}

func (c cloud) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o755); err != nil {
		c.t.Fatal(err)
	}
}

// run runs a script in gke-scale. It returns the new lines in the file "calls", and the output.
func (c cloud) run(name string, args []string, environ ...string) (calls []string, output string, err error) {
	c.t.Helper()
	c.write("calls", "")
	cmd := exec.Command(filepath.Join(root, "gke-scale", name), args...)
	cmd.Env = append(append(os.Environ(), "PATH="+c.dir+":"+os.Getenv("PATH"), "FAKE="+c.dir), environ...)
	out, err := cmd.CombinedOutput()
	text, readErr := os.ReadFile(filepath.Join(c.dir, "calls"))
	if readErr != nil {
		c.t.Fatal(readErr)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), string(out), err
}

// changes returns the calls that change a resource.
func changes(calls []string) []string {
	return slices.DeleteFunc(slices.Clone(calls), func(call string) bool {
		return call == "" || strings.Contains(call, " describe ") || strings.Contains(call, " list ") ||
			strings.HasPrefix(call, "dig ") || strings.HasPrefix(call, "kubectl get persistentvolume ")
	})
}

// inOrder checks that call i contains wanted[i], for each i. "…" separates parts that may be anywhere in the call.
func inOrder(t *testing.T, calls []string, wanted ...string) {
	t.Helper()
	if len(calls) != len(wanted) {
		t.Errorf("got %d commands, want %d:\n%s", len(calls), len(wanted), strings.Join(calls, "\n"))
		return
	}
	for i, want := range wanted {
		for part := range strings.SplitSeq(want, "…") {
			if !strings.Contains(calls[i], part) {
				t.Errorf("command %d: got %s, want %q in it", i+1, calls[i], part)
			}
		}
	}
}

// fromNothing are the commands that create a cluster and install the system. No command creates a firewall rule,
// because GKE creates the rules.
var fromNothing = []string{
	"gcloud container clusters create-auto checkout --region europe-west4…--enable-private-nodes",
	"gcloud compute addresses create europe-west4-nat-ip --region europe-west4",
	"gcloud compute routers create rtr-europe-west4 --network default --region europe-west4",
	"gcloud compute routers nats create nat-gw-europe-west4 --router rtr-europe-west4 --region europe-west4 " +
		"--nat-external-ip-pool europe-west4-nat-ip --nat-all-subnet-ip-ranges",
	"gcloud container clusters update checkout --region europe-west4 " +
		"--enable-master-authorized-networks --master-authorized-networks 192.0.2.1/32",
	"gcloud container clusters get-credentials checkout --region europe-west4",
	"helm upgrade --install checkout…--reset-then-reuse-values -f …values.yaml --set machines=3,shards=3 " +
		"--set-string machine.cpu=2,redis.cpu=2 --set image.prefix=r.example/checkout-",
	"helm test checkout --namespace default",
	"kubectl --namespace default wait gateway/checkout",
	"kubectl --namespace default get gateway checkout",
}

const prefix = "IMAGE_PREFIX=r.example/checkout-"

// TestDeploy checks the commands of deploy.sh:
//   - for a new system
//   - for a larger N: deploy.sh creates no resource again, and keeps the values of the release
//   - after a run that failed at one of its commands: deploy.sh creates only what is missing
func TestDeploy(t *testing.T) {
	args := []string{"--region", "europe-west4", "3"}
	c := newCloud(t)
	calls, output, err := c.run("deploy.sh", args, "CPU=2", prefix)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inOrder(t, changes(calls), fromNothing...)

	c.write("networks", "198.51.100.7/32,198.51.100.8/32\n")
	calls, output, err = c.run("deploy.sh", []string{"4"}, prefix, "REGION=europe-west4", "IMAGE_TAG=2.0.0")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if !strings.Contains(output, "this is for one Redis of each shard") {
		t.Errorf("deploy without REPLICAS: want the assumed number of Redis servers in:\n%s", output)
	}
	inOrder(t, changes(calls), "--master-authorized-networks 198.51.100.7/32,198.51.100.8/32,192.0.2.1/32",
		"get-credentials", "--reset-then-reuse-values --set machines=4,shards=4…cpu=1…image.tag=2.0.0", "helm test",
		"wait gateway", "get gateway")
	// If "helm list" fails, deploy.sh must stop: values.yaml is only for a new release, and the release may exist.
	if calls, _, err = c.run("deploy.sh", args, prefix, "FAIL=helm list"); err == nil ||
		!strings.HasPrefix(calls[len(calls)-1], "helm list") {
		t.Errorf("deploy with a failing helm list: got error %v, ran %q; want helm list as the last command", err, calls)
	}

	for _, failing := range []string{"create-auto", "addresses create", "routers create", "nats create", "update",
		"clusters list", "nats list"} {
		c := newCloud(t)
		first, output, err := c.run("deploy.sh", args, "CPU=2", prefix, "FAIL="+failing)
		if err == nil || !strings.Contains(output, "quota") || !strings.Contains(first[len(first)-1], failing) {
			t.Errorf("deploy with a failing %q: got error %v, last command %q; want the failing one, and its error in:\n%s",
				failing, err, first[len(first)-1], output)
		}
		second, output, err := c.run("deploy.sh", args, "CPU=2", prefix)
		if err != nil {
			t.Errorf("deploy again after a failing %q: %v\n%s", failing, err, output)
		}
		done := slices.DeleteFunc(changes(first), func(call string) bool { return strings.Contains(call, failing) })
		inOrder(t, append(done, changes(second)...), fromNothing...)
	}
}

// TestDeployDryRun checks that deploy.sh and undeploy.sh only print their commands in a dry run.
func TestDeployDryRun(t *testing.T) {
	for _, run := range []struct {
		script string
		args   []string
		want   int
	}{
		{"deploy.sh", []string{"--dry-run", "--region=europe-west4", "3"}, len(fromNothing)},
		{"deploy.sh", []string{"3", "--dry-run"}, len(fromNothing)},
		{"undeploy.sh", []string{"--data", "--dry-run", "--cluster"}, 9},
	} {
		calls, output, err := newCloud(t).run(run.script, run.args, "CPU=2", prefix)
		if err != nil || calls[0] != "" {
			t.Errorf("%s %q: ran %q, error %v; want no command and no error", run.script, run.args, calls, err)
		}
		if printed := strings.Count(output, "+ "); printed != run.want {
			t.Errorf("%s %q: printed %d commands, want %d:\n%s", run.script, run.args, printed, run.want, output)
		}
	}
}

// TestDeployPrintsItsProcessors checks that deploy.sh prints the number of processors that the pods request.
func TestDeployPrintsItsProcessors(t *testing.T) {
	for _, c := range []struct{ n, cpu, replicas int }{{1, 1, 1}, {2, 3, 1}, {5, 2, 1}, {1, 1, 3}, {3, 2, 3}} {
		_, output, err := newCloud(t).run("deploy.sh", []string{"--dry-run", strconv.Itoa(c.n)},
			fmt.Sprintf("CPU=%d", c.cpu), fmt.Sprintf("REPLICAS=%d", c.replicas), prefix)
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		values := read(t, "gke-scale/values.yaml")
		values["machines"], values["shards"] = c.n, c.n
		for _, part := range []string{"machine", "redis"} {
			values[part].(map[string]any)["cpu"] = strconv.Itoa(c.cpu)
		}
		values["redis"].(map[string]any)["replicas"] = c.replicas
		requests := processors(load(t, values))
		if want := fmt.Sprintf("%d processors: ", requests); !strings.HasPrefix(output, want) {
			t.Errorf("%+v: pods request %d processors, and deploy.sh prints:\n%s", c, requests, output)
		}
		if strings.Contains(output, "one Redis of each shard") {
			t.Errorf("%+v: deploy.sh assumes a number of Redis servers, but REPLICAS is set:\n%s", c, output)
		}
		if got := strings.Contains(output, "redis.replicas="+strconv.Itoa(c.replicas)); !got {
			t.Errorf("%+v: deploy.sh does not set redis.replicas:\n%s", c, output)
		}
	}
}

// processors returns the number of processors that the pods of all Deployments and StatefulSets request.
func processors(s *system) int64 {
	var sum resource.Quantity
	templates, numbers := s.pods()
	for name, template := range templates {
		if s.objects["Deployment"][name] == nil && s.objects["StatefulSet"][name] == nil {
			continue // a Job or the pod of `helm test`
		}
		for _, c := range containers(template.Spec) {
			for range numbers[name] {
				sum.Add(*c.Resources.Requests.Cpu())
			}
		}
	}
	return sum.Value()
}

// TestDeployRefusesWrongNumbers checks that deploy.sh refuses wrong numbers, a wrong region and an empty IMAGE_PREFIX
// before it runs a command.
func TestDeployRefusesWrongNumbers(t *testing.T) {
	for _, args := range [][]string{nil, {""}, {"0"}, {"-1"}, {"65"}, {"2.5"}, {"two"}, {"2", "3"}, {"02"}, {"1e1"},
		{"$(id)"}} {
		if calls, output, err := newCloud(t).run("deploy.sh", args, prefix); err == nil || calls[0] != "" ||
			!strings.Contains(output, "deploy.sh: ") {
			t.Errorf("deploy %q: got error %v, output %q, ran %q; want an error and no command", args, err, output, calls)
		}
	}
	for name, environ := range map[string][]string{
		"CPU": {prefix, "CPU=many"}, "REPLICAS": {prefix, "REPLICAS=2"},
		"region": {prefix, "REGION=$(id)"}, "IMAGE_PREFIX": {"IMAGE_PREFIX="},
	} {
		if calls, output, err := newCloud(t).run("deploy.sh", []string{"2"}, environ...); err == nil || calls[0] != "" ||
			!strings.Contains(output, name) {
			t.Errorf("deploy with %q: got error %v, output %q, ran %q; want an error that names %s, and no command",
				environ, err, output, calls, name)
		}
	}
}
