package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
)

const (
	// lostNodeTimeout is the longest time in which requests may fail because of a lost node.
	lostNodeTimeout = time.Minute
	// frozenTime exceeds the time that Kubernetes needs to notice a lost node and to replace its pods.
	frozenTime = 150 * time.Second
)

// loseNode pauses the kubelet and the pods of a node under load. Kubernetes must replace the instances and gateways of
// the node. Later, the paused pods run again beside their replacements. Requests may fail only in the first
// lostNodeTimeout.
func (r *run) loseNode(ctx context.Context) error {
	node, pods, err := r.nodeWithoutRedis(ctx)
	if err != nil {
		return err
	}
	if node == "" {
		r.Logf("skipped: every node runs a Redis, or no pod of the system")
		return nil
	}
	var stopped time.Time
	s, err := r.openShop(ctx, true)
	if err != nil {
		return err
	}
	if stopped, err = r.freeze(ctx, node, pods, true, frozenTime); err == nil {
		err = r.awaitReplacements(ctx, s, node, stopped)
	}
	thawErr := r.awaitNode(context.WithoutCancel(ctx), node)
	if err == nil {
		err = s.AwaitDecided(ctx, buys, recoveryTimeout)
	}
	s.Stop()
	late := r.lateFailures(s, stopped) // before closeShop, because its audit adds responses
	return errors.Join(err, thawErr, late, r.closeShop(ctx, s, anyNumber))
}

// nodeWithoutRedis returns the name of a node that runs pods of the system but no Redis, and the UIDs of these pods. If
// there is no such node, the name is empty.
func (r *run) nodeWithoutRedis(ctx context.Context) (node string, uids []string, err error) {
	text, err := r.kube(ctx, "get", "pods", "-l", ours, "--field-selector=status.phase=Running", "-o",
		"jsonpath={range .items[*]}{.spec.nodeName} {.metadata.name} {.metadata.uid}{\"\\n\"}{end}")
	pods, redis := map[string][]string{}, map[string]bool{}
	for line := range strings.Lines(text) {
		if pod := strings.Fields(line); len(pod) == 3 {
			pods[pod[0]] = append(pods[pod[0]], pod[2])
			redis[pod[0]] = redis[pod[0]] || strings.Contains(pod[1], "-redis-")
		}
	}
	for name, list := range pods {
		if !redis[name] {
			return name, list, err
		}
	}
	return "", nil, err
}

// awaitReplacements waits until Kubernetes has replaced the pods on a lost node.
func (r *run) awaitReplacements(ctx context.Context, s *shop.Shop, node string, stopped time.Time) error {
	err := check.Poll(ctx, frozenTime, func(ctx context.Context) error {
		ready, err := r.nodeReady(ctx, node)
		if err == nil && ready {
			err = fmt.Errorf("node %s is lost, but Kubernetes reports the node as ready", node)
		}
		return err
	})
	if err != nil {
		return err
	}
	noticed := time.Since(stopped)
	if err := r.rolledOut(ctx); err != nil {
		return err
	}
	r.Logf("node %s is lost: noticed after %.0f s, everything replaced after %.0f s", node, noticed.Seconds(),
		time.Since(stopped).Seconds())
	return s.AwaitDecided(ctx, buys, recoveryTimeout)
}

// awaitNode waits until the freezer has ended, the node is ready and the node's lost pods are gone.
func (r *run) awaitNode(ctx context.Context, node string) error {
	err := check.Poll(ctx, frozenTime+recoveryTimeout, func(ctx context.Context) error {
		ready, err := r.nodeReady(ctx, node)
		if err == nil && !ready {
			err = fmt.Errorf("node %s is not ready", node)
		}
		return err
	})
	if err == nil {
		err = r.ready(ctx)
	}
	return errors.Join(err, r.thawed(ctx))
}

func (r *run) nodeReady(ctx context.Context, node string) (bool, error) {
	status, err := r.kube(ctx, "get", "node", node, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	return status == "True", err
}

// lateFailures returns an error if a request failed although it began more than lostNodeTimeout after the loss of
// the node.
func (r *run) lateFailures(s *shop.Shop, stopped time.Time) error {
	last, late := time.Duration(0), 0
	for _, response := range s.Responses() {
		if !response.Unknown() && response.Status != http.StatusTooManyRequests {
			continue
		}
		after := response.Began.Sub(stopped)
		if last = max(last, after); after > lostNodeTimeout {
			late++
		}
	}
	r.Logf("the last failed request began %.1f s after the node was lost", last.Seconds())
	if late > 0 {
		return fmt.Errorf("%d requests failed although they began more than %v after the loss of the node",
			late, lostNodeTimeout)
	}
	return nil
}
