package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"checkout/test/check"
)

const chartDir = "k8s/helm/checkout"

var valuesFiles = []string{"k8s/minikube.yaml", "gke/values.yaml", "gke-scale/values.yaml"}

// images builds the images, gives them a second tag to update to, and brings them to the cluster.
func (r *run) images(ctx context.Context) error {
	if r.load == nil {
		r.say("LOAD is not set: the cluster must find %sorder:latest, :next and so on by itself", r.prefix)
		return nil
	}
	names := []string{"redis:8.10-alpine"}
	for _, image := range append(slices.Clone(services), "gateway") {
		name := r.prefix + image
		if _, err := output(ctx, "", []string{"docker", "build", "-q", "--target", image, "-t", name + ":latest", "."}); err != nil {
			return err
		}
		if _, err := output(ctx, "", []string{"docker", "tag", name + ":latest", name + ":next"}); err != nil {
			return err
		}
		names = append(names, name+":latest", name+":next")
	}
	_, err := output(ctx, "", slices.Concat(r.load, names))
	return err
}

// manifests has the cluster look at everything that could be applied, without applying it, warnings taken for errors.
func (r *run) manifests(ctx context.Context) error {
	if err := r.fresh(ctx); err != nil {
		return err
	}
	if _, err := r.chart(ctx, "lint", "--strict", chartDir); err != nil {
		return err
	}
	look := func(what, text string) error {
		if r.conform != nil {
			if _, err := output(ctx, text, r.conform); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
		seen, err := r.kubeInput(ctx, text, "apply", "--dry-run=server", "--warnings-as-errors", "-f", "-")
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		r.say("%s: %d objects", what, strings.Count(seen, "\n")+1)
		return nil
	}
	for _, values := range append([]string{""}, valuesFiles...) {
		for _, kind := range []string{"", "loadBalancer", "ingress", "gateway", "none"} {
			args := []string{"template", release, chartDir, "--set", "entrance.gkeHealthCheck=false"} // a kind that only Google's clusters know
			if values != "" {
				args = append(args, "-f", values)
			}
			if kind != "" {
				args = append(args, "--set", "entrance.kind="+kind+",entrance.class=some")
			}
			text, err := r.chart(ctx, args...)
			if err != nil {
				return err
			}
			if err := look(fmt.Sprintf("%s, entrance %s", or(values, "the chart's own values"), or(kind, "as it is")), text); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{"k8s/kube", "gke/kube"} {
		files, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(dir + "/" + file.Name())
			if err != nil {
				return err
			}
			if err := look(dir+"/"+file.Name(), string(text)); err != nil {
				return err
			}
		}
	}
	return nil
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// refused: Helm says what is wrong with a value, and the cluster is not asked.
func (r *run) refused(ctx context.Context) error {
	for value, named := range map[string]string{"shards=0": "shards", "shrads=2": "shrads", "entrance.kind=nodePort": "entrance"} {
		if said, err := r.chart(ctx, "install", release, chartDir, "--set", value); err == nil || !strings.Contains(err.Error(), named) {
			return fmt.Errorf("%s: %s %w", value, said, err)
		}
	}
	return nil
}

// plain applies the plain manifests, buys, and deletes them again.
func (r *run) plain(ctx context.Context) error {
	if err := r.fresh(ctx); err != nil {
		return err
	}
	if _, err := r.kube(ctx, "create", "secret", "generic", "redis-password", "--from-literal=password=not a secret"); err != nil {
		return err
	}
	if _, err := r.kube(ctx, "apply", "-f", "k8s/kube/."); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	if err := r.buy(ctx); err != nil {
		return err
	}
	if _, err := r.kube(ctx, "delete", "-f", "k8s/kube/.", "--timeout=2m"); err != nil {
		return err
	}
	return r.onlyVolumes(ctx, 3, "secret/redis-password")
}

// buy has a few customers in, and audits.
func (r *run) buy(ctx context.Context) error {
	c, err := r.open(ctx)
	if err != nil {
		return err
	}
	return c.close(ctx, 0)
}

// set installs the system, or brings it to these values.
func (r *run) set(ctx context.Context, values string) error {
	args := []string{"upgrade", "--install", release, chartDir, "-f", "k8s/minikube.yaml", "--set", "image.prefix=" + r.prefix + "," + values}
	if r.values != "" {
		args = append(args, "--set", r.values)
	}
	_, err := r.chart(ctx, args...)
	return err
}

const (
	one  = "machines=1,shards=1"
	two  = "machines=2,shards=2,gateway.replicas=2"
	next = two + ",image.tag=next"
	more = "machines=3,shards=3,gateway.replicas=2,image.tag=next"
)

func (r *run) installOne(ctx context.Context) error { return r.install(ctx, one) }
func (r *run) installTwo(ctx context.Context) error { return r.install(ctx, two) }

func (r *run) install(ctx context.Context, values string) error {
	if err := r.fresh(ctx); err != nil {
		return err
	}
	begun := time.Now()
	if err := r.set(ctx, values); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	r.say("ready after %.1f s", time.Since(begun).Seconds())
	restarts, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	for pod, n := range restarts {
		if !strings.HasSuffix(n, "/0") {
			return fmt.Errorf("%s was started again: %s", pod, n)
		}
	}
	if _, err := r.chart(ctx, "test", release, "--timeout", "2m"); err != nil {
		return err
	}
	r.say("helm test has checked out an order")
	return r.buy(ctx)
}

// suite runs the Python suite and the consistency run, and takes away what they have left: they overwrite paid orders by batch_init,
// and then nothing adds up any more that a later step looks at.
func (r *run) suite(ctx context.Context) error {
	url := "http://gateway." + r.namespace + ".svc.cluster.local"
	if r.inside == nil {
		var err error
		if url, err = r.gateway(ctx); err != nil {
			return err
		}
	}
	for _, script := range [][]string{{"-m", "unittest", "-q", "test_microservices"}, {"consistency.py"}} {
		command := slices.Concat(r.inside, r.python, script)
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = "test"
		cmd.Env = append(os.Environ(), "GATEWAY_URL="+url, "PYTHONDONTWRITEBYTECODE=1")
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 5 * time.Second
		said, err := cmd.CombinedOutput()
		r.say("%s", strings.ReplaceAll(last(string(said), 8), "\n", "\n  "))
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(script, " "), err, last(string(said), 60))
		}
	}
	return r.empty(ctx)
}

// empty takes everything out of every Redis, but for what the machines have agreed on.
func (r *run) empty(ctx context.Context) error {
	all, done, err := r.shards(ctx)
	if err != nil {
		return err
	}
	defer done()
	if _, err := all.Settle(ctx); err != nil {
		return err
	}
	for _, shards := range all {
		for _, one := range shards {
			var keys []string
			found := one.Scan(ctx, 0, "*", 1000).Iterator()
			for found.Next(ctx) {
				if key := found.Val(); !strings.HasSuffix(key, "}growth") {
					keys = append(keys, key)
				}
			}
			if err := found.Err(); err != nil {
				return err
			}
			for some := range slices.Chunk(keys, 1000) {
				if err := one.Unlink(ctx, some...).Err(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// reinstall: what was bought is there after an uninstall and an installation, which makes another password.
func (r *run) reinstall(ctx context.Context) error {
	c, err := r.open(ctx)
	if err != nil {
		return err
	}
	if err := c.close(ctx, 0); err != nil {
		return err
	}
	if err := r.remove(ctx, 3); err != nil {
		return err
	}
	if err := r.set(ctx, one); err != nil {
		return err
	}
	return r.audit(ctx, c.shop)
}

func (r *run) uninstall(ctx context.Context) error { return r.remove(ctx, 9) }

// remove uninstalls the system; only its volumes may be left.
func (r *run) remove(ctx context.Context, volumes int) error {
	if _, err := r.chart(ctx, "uninstall", release); err != nil {
		return err
	}
	return r.onlyVolumes(ctx, volumes)
}

// onlyVolumes waits until nothing is left in the namespace but so many volumes, and what is named.
func (r *run) onlyVolumes(ctx context.Context, volumes int, others ...string) error {
	kinds, err := r.kube(ctx, "api-resources", "--namespaced", "--verbs=list", "-o", "name")
	if err != nil {
		return err
	}
	list := slices.DeleteFunc(strings.Fields(kinds), func(kind string) bool { return strings.HasPrefix(kind, "events") })
	return check.Poll(ctx, returnsAfter, func(ctx context.Context) error {
		left, err := r.kube(ctx, "get", strings.Join(list, ","), "-o", "name", "--ignore-not-found")
		if err != nil {
			return err
		}
		n := 0
		for name := range strings.FieldsSeq(left) {
			switch {
			case strings.HasPrefix(name, "persistentvolumeclaim/data-"):
				n++
			case name != "configmap/kube-root-ca.crt" && name != "serviceaccount/default" && !slices.Contains(others, name):
				return fmt.Errorf("left behind: %s", name)
			}
		}
		if n != volumes {
			return fmt.Errorf("%d volumes are left, not %d", n, volumes)
		}
		return nil
	})
}
