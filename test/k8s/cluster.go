package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"checkout/test/check"
)

const (
	release      = "checkout"
	ours         = "app.kubernetes.io/instance=" + release
	readyWithin  = 4 * time.Minute
	returnsAfter = time.Minute
)

var services = []string{"order", "stock", "payment"}

// cluster is a Kubernetes and the namespace of the system in it.
type cluster struct {
	kubectl, helm []string
	namespace     string
}

// kube runs kubectl in the namespace and returns what it printed.
func (c *cluster) kube(ctx context.Context, args ...string) (string, error) {
	return c.kubeInput(ctx, "", args...)
}

func (c *cluster) kubeInput(ctx context.Context, input string, args ...string) (string, error) {
	return output(ctx, input, slices.Concat(c.kubectl, []string{"-n", c.namespace}, args))
}

// chart runs helm in the namespace.
func (c *cluster) chart(ctx context.Context, args ...string) (string, error) {
	return output(ctx, "", slices.Concat(c.helm, []string{"-n", c.namespace}, args))
}

// output runs a command that is asked to stop, not killed, when its context ends.
func output(ctx context.Context, input string, command []string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, last(stdout.String()+stderr.String(), 30))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// last returns the last n lines of text.
func last(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// fresh makes the namespace anew, with nothing in it that was there before. It takes only pods that the restricted standard allows.
func (c *cluster) fresh(ctx context.Context) error {
	if err := c.clean(ctx); err != nil {
		return err
	}
	if _, err := c.kube(ctx, "create", "namespace", c.namespace); err != nil {
		return err
	}
	_, err := c.kube(ctx, "label", "namespace", c.namespace, "pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")
	return err
}

func (c *cluster) clean(ctx context.Context) error {
	_, err := c.kube(ctx, "delete", "namespace", c.namespace, c.nodes(), "--ignore-not-found", "--timeout=3m")
	return err
}

// ready waits until every pod of the system is what the last change wants.
func (c *cluster) ready(ctx context.Context) error {
	sets, err := c.kube(ctx, "get", "statefulset,deployment", "-l", ours, "-o", "name")
	if err != nil {
		return err
	}
	for _, set := range strings.Fields(sets) {
		if _, err := c.kube(ctx, "rollout", "status", set, "--timeout="+readyWithin.String()); err != nil {
			return err
		}
	}
	return check.Poll(ctx, returnsAfter, func(ctx context.Context) error {
		pods, err := c.kube(ctx, "get", "pods", "-l", ours, "--no-headers")
		if err != nil {
			return err
		}
		for pod := range strings.Lines(pods) {
			if !strings.Contains(pod, " 1/1 ") {
				return fmt.Errorf("not ready: %s", pod)
			}
		}
		return nil
	})
}

// state is what a person would look at first.
func (c *cluster) state(ctx context.Context) string {
	pods, _ := c.kube(ctx, "get", "pods", "-o", "wide")
	events, _ := c.kube(ctx, "get", "events", "--sort-by=.lastTimestamp")
	logs, _ := c.kube(ctx, "logs", "-l", ours, "--prefix", "--tail=8", "--max-log-requests=50")
	return pods + "\n" + last(events, 15) + "\n" + last(logs, 60)
}

// restarts tells how often the containers of the system have been started again, by pod; of those that are leaving it tells nothing.
func (c *cluster) restarts(ctx context.Context) (map[string]string, error) {
	text, err := c.kube(ctx, "get", "pods", "-l", ours, "-o", `go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}={{.metadata.uid}}/`+
		`{{with .status.containerStatuses}}{{(index . 0).restartCount}}{{end}}{{"\n"}}{{end}}{{end}}`)
	found := map[string]string{}
	for line := range strings.Lines(text) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[name] = count
	}
	return found, err
}

// nodes is the name of a second namespace, which takes privileged pods.
func (c *cluster) nodes() string { return c.namespace + "-node" }

// killer is a pod that sees the processes of its node, since no one inside a container can kill its first process.
const killer = `
apiVersion: v1
kind: Pod
metadata: {name: killer}
spec:
  nodeName: %s
  hostPID: true
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - name: killer
      image: %s
      command: [sh, -c, "for p in /proc/[0-9]*; do if [ \"$(cat $p/comm 2>/dev/null)\" = %s ] && tr _ - <$p/cgroup | grep -q pod%s; then kill -9 ${p#/proc/} && echo killed; fi; done"]
      securityContext: {privileged: true}
`

// kill ends the process of a pod, whose name is process, with SIGKILL.
func (c *cluster) kill(ctx context.Context, pod, process string) error {
	where, err := c.kube(ctx, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName} {.metadata.uid}")
	if err != nil {
		return err
	}
	node, uid, _ := strings.Cut(where, " ")
	image, err := c.kube(ctx, "get", "statefulset", "order-redis", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	if err != nil {
		return err
	}
	there := &cluster{c.kubectl, c.helm, c.nodes()}
	if _, err := there.kube(ctx, "get", "namespace", there.namespace); err != nil {
		if _, err := there.kube(ctx, "create", "namespace", there.namespace); err != nil {
			return err
		}
	}
	if _, err := there.kubeInput(ctx, fmt.Sprintf(killer, node, image, process, uid), "create", "-f", "-"); err != nil {
		return err
	}
	_, err = there.kube(ctx, "wait", "pod/killer", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
	said, _ := there.kube(ctx, "logs", "killer")
	if err == nil && said != "killed" {
		err = fmt.Errorf("%s: nothing to kill: %q", pod, said)
	}
	_, gone := there.kube(ctx, "delete", "pod", "killer", "--now")
	if err == nil {
		err = gone
	}
	return err
}
