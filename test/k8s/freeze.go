package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
)

// freezeDelay is the time from the start of the freezer until it stops processes. In this time, the kubelet can report
// that the freezer runs.
const freezeDelay = 5 * time.Second

// freezer is a pod that stops the processes of other pods on its node with SIGSTOP. If requested, it also stops the
// kubelet. Stopped processes no longer reply, but their connections stay open. After some time, the freezer resumes the
// processes.
const freezer = `
apiVersion: v1
kind: Pod
metadata: {name: freezer}
spec:
  nodeName: %[1]s
  hostPID: true
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - name: freezer
      image: %[2]s
      imagePullPolicy: IfNotPresent
      command:
        - sh
        - -c
        - |
          sleep %[3]d
          kubelets=$(grep -lx kubelet /proc/[0-9]*/comm | cut -d / -f 3)
          case $kubelets in
          *[!0-9]*) # several nodes on one host: take the kubelet of this node
              for p in $kubelets; do
                  tr '\0' ' ' </proc/$p/cmdline | grep -q -- "--hostname-override=%[1]s " && kubelet=$p
              done ;;
          *) kubelet=$kubelets ;;
          esac
          %[6]t || kubelet=
          frozen=$kubelet
          for p in /proc/[0-9]*; do
              tr _ - <$p/cgroup 2>/dev/null | grep -qE 'pod(%[5]s)' && frozen="$frozen ${p#/proc/}"
          done
          kill -STOP $frozen
          sleep %[4]d
          kill -CONT $frozen
      securityContext: {privileged: true, runAsUser: 0}
`

// freeze starts a freezer for the pods with the given UIDs and, if kubelet is true, for the kubelet. It returns the
// time at which the freezer will stop the processes.
func (r *run) freeze(ctx context.Context, node string, uids []string, kubelet bool, duration time.Duration) (
	time.Time, error) {
	image, err := r.kube(ctx, "get", "deployment", "gateway", "-o",
		"jsonpath={.spec.template.spec.containers[0].image}")
	if err != nil {
		return time.Time{}, err
	}
	privileged, err := r.privileged(ctx)
	if err != nil {
		return time.Time{}, err
	}
	pod := fmt.Sprintf(freezer, node, image, int(freezeDelay.Seconds()), int(duration.Seconds()),
		strings.Join(uids, "|"), kubelet)
	if _, err := privileged.kubeInput(ctx, pod, "create", "-f", "-"); err != nil {
		return time.Time{}, err
	}
	_, err = privileged.kube(ctx, "wait", "pod/freezer", "--for=jsonpath={.status.phase}=Running", "--timeout=60s")
	if err != nil {
		_, deleteErr := privileged.kube(ctx, "delete", "pod", "freezer", "--now")
		err = errors.Join(err, deleteErr)
	}
	return time.Now().Add(freezeDelay), err
}

// thawed waits until the freezer has completed, and deletes it.
func (r *run) thawed(ctx context.Context) error {
	privileged := &cluster{r.kubectl, r.helm, r.nodeNamespace()}
	_, err := privileged.kube(ctx, "wait", "pod/freezer", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=3m")
	_, deleteErr := privileged.kube(ctx, "delete", "pod", "freezer", "--now")
	return errors.Join(err, deleteErr)
}

// updateWithoutShard updates every instance and gateway under load while a Redis does not reply. One unavailable
// shard must not stop a roll-out.
func (r *run) updateWithoutShard(ctx context.Context) error {
	const away = time.Minute // shorter than the time after which Kubernetes restarts the Redis
	where, err := r.kube(ctx, "get", "pod", "order-redis-1", "-o", "jsonpath={.spec.nodeName} {.metadata.uid}")
	if err != nil {
		return err
	}
	node, uid, _ := strings.Cut(where, " ")
	return r.underLoad(ctx, anyNumber, func(s *shop.Shop) error {
		stopped, err := r.freeze(ctx, node, []string{uid}, false, away)
		if err != nil {
			return err
		}
		err = check.Poll(ctx, recoveryTimeout, func(context.Context) error {
			if ping := s.Client.Call("GET", "/orders/ping"); !strings.Contains(ping.Body, `"up":false`) {
				return fmt.Errorf("GET /orders/ping without order-redis-1: got %v, want a shard that is not up", ping)
			}
			return nil
		})
		if err == nil {
			err = r.upgrade(ctx, twoShards)
		}
		if err == nil {
			_, err = r.kube(ctx, "rollout", "status", "deployment", "-l", ours, "--timeout="+away.String())
		}
		took := time.Since(stopped)
		if r.Logf("the update ended %.0f s after order-redis-1 stopped", took.Seconds()); err == nil && took > away {
			err = fmt.Errorf("the update ended %v after order-redis-1 stopped, want at most %v", took, away)
		}
		return errors.Join(err, r.thawed(ctx), r.ready(ctx))
	})
}
