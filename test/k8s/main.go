// Command test-k8s tests the deployment in docs/deploy.md on a Kubernetes cluster. Run it with `make test-k8s`.
//
// test-k8s checks every manifest, installs the system with one and with two shards, and runs the Python suite and
// the consistency run. Under load, it kills an instance of each service and a Redis with SIGKILL, and deletes
// Redis pods. Under load, it also upgrades from chart 1, updates all images, and drains the nodes until the
// disruption budgets stop the drain. Still under load, it stops a kubelet, adds instances and shards, rolls back,
// and removes instances. It installs replicated shards, and deletes the pods of primaries under load. If the
// cluster has suitable storage classes, it backs up and restores single and replicated shards, and resizes
// volumes. At the end it removes everything, unless KEEP is 1.
//
// test-k8s uses separate namespaces. It cordons every node for about a minute. If a node runs pods of the system but no
// Redis, test-k8s stops the kubelet and these pods for 150 s. So the cluster should have no other users.
//
//	KUBECTL, HELM   commands (kubectl, helm)
//	LOAD            command that loads local images into the cluster, for example minikube image load
//	IMAGE_PREFIX    prefix of the image names (checkout-)
//	INSIDE          command that runs Python inside the cluster's network; if not set, Python uses GATEWAY_URL
//	GATEWAY_URL     URL of the gateway for this computer (the first node's address and the Service's port)
//	CONFORM         command that checks manifests on its standard input, for example kubeconform -strict -
//	VALUES          values for --set of every installation, for example machine.cpu=50m,redis.cpu=50m,gateway.cpu=50m
//	REPLICATED      values for --set in the steps with replicated shards or backups, such as redis.image=…; replicated
//	                shards need WAITAOF (Redis 7.2)
//	NAMESPACE       the namespace (checkout-test)
//	PYTHON          Python with requests and aiohttp (/usr/bin/python3)
//	FROM            part of the name of the first step to run; earlier steps must have run before
//	SKIP            part of the names of steps to skip
//	KEEP            1 keeps the system in the cluster
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"checkout/test/steps"
)

func main() { steps.Main("test-k8s", test) }

// run is a run of the test.
type run struct {
	*steps.Runner
	*cluster
	python  []string // command
	inside  []string // prefix of a command that runs inside the cluster's network
	url     string   // URL of the gateway, if set
	load    []string // command
	conform []string // command
	prefix  string   // prefix of the image names
	values  string   // additional values of every installation
}

func test(ctx context.Context, out io.Writer) (err error) {
	words := func(name, fallback string) []string { return strings.Fields(cmp.Or(os.Getenv(name), fallback)) }
	c := &cluster{kubectl: words("KUBECTL", "kubectl"), helm: words("HELM", "helm"),
		namespace: cmp.Or(os.Getenv("NAMESPACE"), "checkout-test")}
	r := &run{
		Runner:  &steps.Runner{Out: out, First: os.Getenv("FROM"), Skip: os.Getenv("SKIP"), State: c.state},
		cluster: c, python: words("PYTHON", "/usr/bin/python3"), inside: words("INSIDE", ""), url: os.Getenv("GATEWAY_URL"),
		load: words("LOAD", ""), conform: words("CONFORM", ""), values: os.Getenv("VALUES"),
		prefix: cmp.Or(os.Getenv("IMAGE_PREFIX"), "checkout-"),
	}
	text, err := r.kube(ctx, "version", "-o", "json")
	if err != nil {
		return err
	}
	var version struct{ ServerVersion struct{ GitVersion string } }
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return fmt.Errorf("parse output of kubectl version: %w", err)
	}
	fmt.Fprintf(out, "Kubernetes %s, VALUES=%s\n", version.ServerVersion.GitVersion, r.values)
	if os.Getenv("KEEP") != "1" {
		defer func() { err = errors.Join(err, r.deleteNamespaces(context.WithoutCancel(ctx))) }()
	}
	return r.Run(ctx, []steps.Step{
		{Name: "build and load the images", Run: r.images, Required: true},
		{Name: "the cluster accepts every manifest", Run: r.manifests},
		{Name: "the chart refuses wrong values", Run: r.wrongValues},
		{Name: "apply, use and delete the plain manifests", Run: r.plain},
		{Name: "install with one shard", Run: r.installOne, Required: true},
		{Name: "the Python suite, one shard", Run: r.suite},
		{Name: "uninstall keeps the data, install uses it again", Run: r.reinstall},
		{Name: "install chart 1 with two shards", Run: r.installChart1, Required: true},
		{Name: "upgrade from chart 1 under load", Run: r.upgradeChart1, Required: true},
		{Name: "the Python suite, two shards", Run: r.suite},
		{Name: "SIGKILL of an instance of each service under load", Run: r.killInstances},
		{Name: "SIGKILL of a Redis under load", Run: r.killRedis},
		{Name: "delete two Redis pods under load", Run: r.deleteRedis},
		{Name: "update everything under load", Run: r.update},
		{Name: "update everything while a shard is unavailable", Run: r.updateWithoutShard},
		{Name: "drain up to the budgets under load", Run: r.drain},
		{Name: "lose a node under load", Run: r.loseNode},
		{Name: "grow from 2 to 3 shards and instances under load", Run: r.grow},
		{Name: "roll back over the growth, and forward", Run: r.rollBack},
		{Name: "the chart refuses to remove a shard", Run: r.shrink},
		{Name: "the chart refuses what contradicts the cluster", Run: r.contradictions},
		{Name: "the Python suite, three shards", Run: r.suite},
		{Name: "remove an instance of each service under load", Run: r.removeInstances},
		{Name: "uninstall", Run: r.uninstall},
		{Name: "back up and restore single shards", Run: r.backUp("machines=1,shards=2")},
		{Name: "resize the volumes under load", Run: r.resize},
		{Name: "install with replicated shards", Run: r.installReplicated, Required: true},
		{Name: "delete the pods of primaries under load", Run: r.deletePrimaries},
		{Name: "restart every node of every shard under load", Run: r.restartReplicated},
		{Name: "from one copy of each shard to three under load", Run: r.replicate},
		{Name: "back up and restore replicated shards", Run: r.backUp(replicatedShards)},
	})
}
