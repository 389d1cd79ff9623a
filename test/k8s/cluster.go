package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"checkout/test/check"
	"checkout/test/steps"
)

const (
	release         = "checkout"
	ours            = "app.kubernetes.io/instance=" + release // label selector
	readyTimeout    = 4 * time.Minute
	recoveryTimeout = time.Minute
)

var services = []string{"order", "stock", "payment"}

// cluster is a Kubernetes cluster and a namespace in it.
type cluster struct {
	kubectl, helm []string
	namespace     string
}

// kube runs kubectl in the namespace and returns its output.
func (c *cluster) kube(ctx context.Context, args ...string) (string, error) {
	return c.kubeInput(ctx, "", args...)
}

func (c *cluster) kubeInput(ctx context.Context, input string, args ...string) (string, error) {
	return output(ctx, input, slices.Concat(c.kubectl, []string{"-n", c.namespace}, args))
}

// chart runs helm in the namespace and returns its output.
func (c *cluster) chart(ctx context.Context, args ...string) (string, error) {
	return output(ctx, "", slices.Concat(c.helm, []string{"-n", c.namespace}, args))
}

// output runs a command with a standard input and returns its standard output.
func output(ctx context.Context, input string, command []string) (string, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(input)
	return steps.Output(cmd)
}

// newNamespace replaces the namespace with an empty namespace. The new namespace enforces the restricted Pod
// Security Standard.
func (c *cluster) newNamespace(ctx context.Context) error {
	if err := c.deleteNamespaces(ctx); err != nil {
		return err
	}
	if _, err := c.kube(ctx, "create", "namespace", c.namespace); err != nil {
		return err
	}
	_, err := c.kube(ctx, "label", "namespace", c.namespace,
		"pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")
	return err
}

func (c *cluster) deleteNamespaces(ctx context.Context) error {
	_, err := c.kube(ctx, "delete", "namespace", c.namespace, c.nodeNamespace(), "--ignore-not-found", "--timeout=3m")
	return err
}

// rolledOut runs the command in docs/deploy.md that waits until every workload is up to date and available.
func (c *cluster) rolledOut(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout) // for all workloads; --timeout limits each one
	defer cancel()
	_, err := c.kube(ctx, "rollout", "status", "deployment,statefulset", "-l", ours, "--timeout="+readyTimeout.String())
	return err
}

// ready waits until every workload is rolled out, and every pod of the system is ready. It ignores the completed
// pods of Jobs.
func (c *cluster) ready(ctx context.Context) error {
	if err := c.rolledOut(ctx); err != nil {
		return err
	}
	return check.Poll(ctx, recoveryTimeout, func(ctx context.Context) error {
		pods, err := c.kube(ctx, "get", "pods", "-l", ours, "--field-selector=status.phase!=Succeeded", "--no-headers")
		if err != nil {
			return err
		}
		for pod := range strings.Lines(pods) {
			fields := append(strings.Fields(pod), "", "")
			if ready, all, _ := strings.Cut(fields[1], "/"); ready != all || strings.Contains(pod, "Terminating") {
				return fmt.Errorf("pod not ready: %s", pod)
			}
		}
		return nil
	})
}

// instance returns the name of the pod of an instance.
func (c *cluster) instance(ctx context.Context, service string, number int) (string, error) {
	pods, err := c.kube(ctx, "get", "pods", "-l",
		fmt.Sprintf("%s,app.kubernetes.io/name=%s,apps.kubernetes.io/pod-index=%d", ours, service, number),
		"-o", "jsonpath={.items[*].metadata.name}")
	if err == nil && len(strings.Fields(pods)) != 1 {
		err = fmt.Errorf("find instance %d of %s: got the pods %q, want one", number, service, pods)
	}
	return pods, err
}

// state describes the pods, events and logs after a failed step.
func (c *cluster) state(ctx context.Context) string {
	pods, _ := c.kube(ctx, "get", "pods", "-o", "wide")
	events, _ := c.kube(ctx, "get", "events", "--sort-by=.lastTimestamp")
	logs, _ := c.kube(ctx, "logs", "-l", ours, "--prefix", "--tail=8", "--max-log-requests=50")
	return pods + "\n" + steps.Last(events, 15) + "\n" + steps.Last(logs, 60)
}

// restarts returns the UID and the restart counts of each pod that is not terminating, by pod name. An example is
// "UID/0,0" for a pod with one sidecar.
func (c *cluster) restarts(ctx context.Context) (map[string]string, error) {
	text, err := c.kube(ctx, "get", "pods", "-l", ours, "-o",
		"go-template={{range .items}}{{if not .metadata.deletionTimestamp}}"+
			"{{.metadata.name}}={{.metadata.uid}}/{{with .status.containerStatuses}}{{(index . 0).restartCount}}{{end}}"+
			"{{range .status.initContainerStatuses}},{{.restartCount}}{{end}}"+
			`{{"\n"}}{{end}}{{end}}`)
	byPod := map[string]string{}
	for line := range strings.Lines(text) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), "=")
		byPod[name] = count
	}
	return byPod, err
}

// nodeNamespace returns the name of a second namespace, which allows privileged pods.
func (c *cluster) nodeNamespace() string { return c.namespace + "-node" }

// privileged returns the cluster with nodeNamespace as its namespace. If this namespace does not exist, privileged
// creates it.
func (c *cluster) privileged(ctx context.Context) (*cluster, error) {
	p := &cluster{c.kubectl, c.helm, c.nodeNamespace()}
	if _, err := p.kube(ctx, "get", "namespace", p.namespace); err == nil {
		return p, nil
	}
	_, err := p.kube(ctx, "create", "namespace", p.namespace)
	return p, err
}

// killer is a pod that kills a process in another pod on the same node, because a container cannot kill its own main
// process.
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
      command:
        - sh
        - -c
        - |
          for p in /proc/[0-9]*; do
            if [ "$(cat $p/comm 2>/dev/null)" = %s ] && tr _ - <$p/cgroup | grep -q pod%s; then
              kill -9 ${p#/proc/} && echo killed
            fi
          done
      securityContext: {privileged: true}
`

// kill sends SIGKILL to the process with this name in a pod.
func (c *cluster) kill(ctx context.Context, pod, process string) error {
	where, err := c.kube(ctx, "get", "pod", pod, "-o", "jsonpath={.spec.nodeName} {.metadata.uid}")
	if err != nil {
		return err
	}
	node, uid, _ := strings.Cut(where, " ")
	image, err := c.kube(ctx, "get", "statefulset", "order-redis", "-o",
		"jsonpath={.spec.template.spec.containers[0].image}")
	if err != nil {
		return err
	}
	privileged, err := c.privileged(ctx)
	if err != nil {
		return err
	}
	if _, err := privileged.kubeInput(ctx, fmt.Sprintf(killer, node, image, process, uid), "create", "-f",
		"-"); err != nil {
		return err
	}
	_, err = privileged.kube(ctx, "wait", "pod/killer", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
	out, _ := privileged.kube(ctx, "logs", "killer")
	if err == nil && out != "killed" {
		err = fmt.Errorf("kill %s in pod %s: pod killer printed %q, want \"killed\"", process, pod, out)
	}
	_, deleteErr := privileged.kube(ctx, "delete", "pod", "killer", "--now")
	return errors.Join(err, deleteErr)
}
