package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

const chartDir = "k8s/helm/checkout"

var valuesFiles = []string{"k8s/minikube.yaml", "gke/values.yaml", "gke-scale/values.yaml"}

// images builds the images, gives them a second tag for the update, and loads them into the cluster.
func (r *run) images(ctx context.Context) error {
	if len(r.load) == 0 {
		r.Logf("LOAD is not set: the cluster must have the images %sorder:latest, %[1]sorder:next and so on", r.prefix)
		return nil
	}
	names := []string{"redis:8.10-alpine"}
	for _, image := range append(slices.Clone(services), "keeper", "gateway") {
		name := r.prefix + image
		build := []string{"docker", "build", "-q", "--target", image, "-t", name + ":latest", "."}
		if _, err := output(ctx, "", build); err != nil {
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

// manifests checks all manifests and all outputs of the chart with a server-side dry run. Warnings are errors.
func (r *run) manifests(ctx context.Context) error {
	if err := r.newNamespace(ctx); err != nil {
		return err
	}
	if _, err := r.chart(ctx, "lint", "--strict", chartDir); err != nil {
		return err
	}
	check := func(what, text string) error {
		if len(r.conform) > 0 {
			if _, err := output(ctx, text, r.conform); err != nil {
				return fmt.Errorf("check %s: %w", what, err)
			}
		}
		objects, err := r.kubeInput(ctx, text, "apply", "--dry-run=server", "--warnings-as-errors", "-f", "-")
		if err != nil {
			return fmt.Errorf("check %s: %w", what, err)
		}
		r.Logf("%s: %d objects", what, strings.Count(objects, "\n")+1)
		return nil
	}
	for _, values := range append([]string{""}, valuesFiles...) {
		for _, kind := range []string{"", "loadBalancer", "ingress", "gateway", "none"} {
			// Only GKE clusters have the kind HealthCheckPolicy.
			args := []string{"template", release, chartDir, "--set", "entrance.gkeHealthCheck=false"}
			if values != "" {
				args = append(args, "-f", values)
			}
			if kind != "" {
				class := map[bool]string{true: "some"}[kind == "ingress" || kind == "gateway"]
				args = append(args, "--set", "entrance.kind="+kind+",entrance.class="+class)
			}
			text, err := r.chart(ctx, args...)
			if err != nil {
				return err
			}
			what := cmp.Or(values, "the chart's values") + ", entrance " + cmp.Or(kind, "unchanged")
			if err := check(what, text); err != nil {
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
			if err := check(dir+"/"+file.Name(), string(text)); err != nil {
				return err
			}
		}
	}
	return nil
}

// wrongValues checks that the chart refuses each invalid value, and that the error names the value.
func (r *run) wrongValues(ctx context.Context) error {
	for value, name := range map[string]string{
		"shards=0": "shards", "shrads=2": "shrads", "entrance.kind=nodePort": "entrance",
	} {
		out, err := r.chart(ctx, "install", release, chartDir, "--set", value)
		if err == nil || !strings.Contains(err.Error(), name) {
			return errors.Join(
				fmt.Errorf("install with %s: want an error that names %q; output: %s", value, name, out), err)
		}
	}
	return nil
}

// plain applies the plain manifests twice, replaces a Redis pod, and checks that the system works. If the second
// apply had changed the password, or if the Redis had lost its data, the instances could not use the new pod.
// Finally, plain deletes the objects of the manifests. Only the volumes and the password may remain.
func (r *run) plain(ctx context.Context) error {
	if err := r.newNamespace(ctx); err != nil {
		return err
	}
	const folder = "k8s/kube/"
	for range 2 {
		if _, err := r.kube(ctx, "apply", "-f", folder); err != nil {
			return err
		}
		if err := r.ready(ctx); err != nil {
			return err
		}
	}
	if _, err := r.kube(ctx, "delete", "pod", "order-redis-0"); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	if err := r.shardsHealthy(ctx); err != nil {
		return err
	}
	if err := r.buy(ctx); err != nil {
		return err
	}
	if _, err := r.kube(ctx, "delete", "-f", folder, "--timeout=2m"); err != nil {
		return err
	}
	return r.onlyVolumes(ctx, 3, "secret/redis-password")
}
